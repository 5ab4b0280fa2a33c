"""A function of trees as a function of arrays, for JAX to differentiate.

JAX would sort the keys of dicts, so that fn met them in another order than the caller, and does not know the dataclasses that
are registered with rulebook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rulebook import trees
from rulebook.errors import RuleOutputError
from rulebook.trees import LEAF, Structure

__all__ = ["Flat"]


class Flat:
    """A function of those leaves of its primals that have a tangent, giving the leaves of its result.

    Args:
        fn: the function of trees.
        primals: its arguments.
        has_tangent: tells whether a leaf has one.

    Attributes:
        values: the leaves that have.
        out: the structure of the result, once it has run.
    """

    def __init__(self, fn: Callable[..., Any], primals: tuple[Any, ...], has_tangent: Callable[[Any], bool]) -> None:
        self._fn = fn
        leaves, self._structure = trees.flatten(primals)
        self._leaves = [jnp.asarray(x) if isinstance(x, (int, float, complex)) else x for x in leaves]
        self._moving = [i for i, x in enumerate(self._leaves) if hasattr(x, "dtype") and has_tangent(x)]
        self.out: Structure = LEAF
        self.values = [self._leaves[i] for i in self._moving]

    def __call__(self, *xs: Any) -> list[Any]:
        """The leaves of the result."""
        ys, self.out = trees.flatten(self._fn(*self._primals(self._leaves, xs)))
        return ys

    def _primals(self, others: list[Any], xs: Any) -> Any:
        every = list(others)
        for i, x in zip(self._moving, xs, strict=True):
            every[i] = x
        return self._structure.unflatten(iter(every))

    def dots(self, tangents: tuple[Any, ...]) -> list[Any]:
        """The tangents of the values."""
        found = trees.flatten_like(self._structure, tangents, RuleOutputError)
        return [jnp.zeros_like(x) if found[i] is None else found[i] for i, x in zip(self._moving, self.values, strict=True)]

    def bars(self, ys: list[Any], y_bar: Any) -> list[Any]:
        """The cotangents of the leaves of the result."""
        found = trees.flatten_like(self.out, y_bar, RuleOutputError)
        return [_zero(y) if t is None else t for y, t in zip(ys, found, strict=True)]

    def result(self, ys: list[Any]) -> Any:
        """The result of its leaves; those without a tangent as None."""
        return self.out.unflatten(iter([None if getattr(y, "dtype", None) == jax.dtypes.float0 else y for y in ys]))

    def cotangents(self, x_bars: Any) -> tuple[Any, ...]:
        """The cotangents of the primals, None for those without."""
        return self._primals([None] * len(self._leaves), x_bars)  # type: ignore[no-any-return]


def _zero(y: Any) -> Any:
    return jnp.zeros_like(y) if jnp.issubdtype(jnp.result_type(y), jnp.inexact) else np.zeros(np.shape(y), jax.dtypes.float0)
