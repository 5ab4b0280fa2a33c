"""A function with its pullback as two compiled programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rulebook.bridges._jax.flat import Flat
from rulebook.errors import RuleOutputError
from rulebook.trees import LEAF, Structure, flatten_like

__all__ = ["VjpPrograms"]


class VjpPrograms:
    """`(y, pullback)` of a function at arrays.

    Args:
        located: gives the function and the arrays.
        has_tangent: tells whether an array has one.
    """

    def __init__(self, located: Callable[..., Any], has_tangent: Callable[[Any], bool]) -> None:
        self._located = located
        self._has_tangent = has_tangent
        self._forward = jax.jit(self._run)
        self._backward = jax.jit(self._pull)
        self._out: Structure = LEAF
        self._fixed: list[tuple[int, ...] | None] = []  # the shapes of the leaves of y that have no cotangent

    def __call__(self, *operands: Any) -> tuple[Any, Callable[[Any], Any]]:
        """y, and its pullback."""
        ys, pull = self._forward(*operands)
        structure = self._out

        def pullback(y_bar: Any) -> Any:
            return self._backward(pull, flatten_like(structure, y_bar, RuleOutputError))

        return structure.unflatten(iter(ys)), pullback

    def _run(self, *operands: Any) -> tuple[list[Any], Any]:
        fn, xs = self._located(*operands)
        flat = Flat(fn, xs, self._has_tangent)
        ys, pull = jax.vjp(flat, *flat.values)
        self._out = flat.out
        self._fixed = [None if self._has_tangent(y) else jnp.shape(y) for y in ys]
        return ys, pull

    def _pull(self, pull: Any, bars: list[Any]) -> list[Any]:
        given = [_conj(b) if s is None else np.zeros(s, jax.dtypes.float0) for b, s in zip(bars, self._fixed, strict=True)]
        return [_conj(x_bar) for x_bar in pull(given)]


def _conj(x: Any) -> Any:
    return jnp.conj(x) if jnp.issubdtype(x.dtype, jnp.complexfloating) else x
