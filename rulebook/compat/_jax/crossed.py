"""A function with rules in JAX's form as a primitive of every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rulebook.compat._jax.calls import Static, as_primitive
from rulebook.crossing import differentiate_with
from rulebook.primitive import Primitive, full_name

__all__ = ["crossed"]


def crossed(fn: Callable[..., Any], nondiff: Sequence[int], run: Callable[..., Any], **options: Any) -> Primitive:
    """The primitive; its derivatives are those that JAX gives.

    Args:
        fn: the function itself, for its name and signature.
        nondiff: the positions of the arguments that are not differentiated; they become keyword-only.
        run: the function on JAX values, with both modes.
        **options: of `rb.differentiate_with`.
    """
    signature, names = as_primitive(fn, nondiff)

    def on_jax(*primals: Any, **statics: Any) -> Any:
        return run(*Static(list(zip(nondiff, [statics[name] for name in names], strict=True))).join(primals))

    on_jax.__name__ = getattr(fn, "__name__", "on_jax")
    on_jax.__doc__ = fn.__doc__
    on_jax.__module__ = getattr(fn, "__module__", None) or __name__
    on_jax.__signature__ = signature  # type: ignore[attr-defined]
    return differentiate_with(on_jax, "jax", **{"name": full_name(fn), **options})
