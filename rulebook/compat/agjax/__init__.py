"""`agjax.wrap_for_jax` on `rb.differentiate_with`: a function of autograd in JAX, under `jit` and `vmap` and in both modes too."""

from rulebook.compat.agjax.wrapper import wrap_for_jax

__all__ = ["wrap_for_jax"]
