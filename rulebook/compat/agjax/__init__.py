"""`agjax.wrap_for_jax` on `rb.differentiate_with`: a function of autograd in JAX, under `jit` and `vmap` and in both modes too."""

from rulebook.engines import load_engine

for _name in ("jax", "autograd"):
    load_engine(_name)  # says how to install it, before an import below fails

from rulebook.compat.agjax.wrapper import wrap_for_jax  # noqa: E402

__all__ = ["wrap_for_jax"]
