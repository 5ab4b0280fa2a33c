"""`agjax.experimental.wrap_for_jax`, whose results are declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook.compat.agjax.wrapper import wrapped

__all__ = ["wrap_for_jax"]


def wrap_for_jax(
    fn: Callable[..., Any],
    result_shape_dtypes: Any,
    nondiff_argnums: int | tuple[int, ...] = (),
    nondiff_outputnums: int | tuple[int, ...] = (),
) -> Callable[..., Any]:
    """A function of autograd as one of JAX, for results whose shapes cannot be found out.

    Args:
        fn: as in `rulebook.compat.agjax.wrap_for_jax`.
        result_shape_dtypes: a pytree of arrays, or of what has a shape and a dtype, like the result of fn.
        nondiff_argnums: positions of arguments that are not differentiated.
        nondiff_outputnums: positions of outputs that are not differentiated; all outputs are arrays here.

    Returns:
        A function of JAX values.
    """
    return wrapped(fn, nondiff_argnums, nondiff_outputnums, result_shape_dtypes)
