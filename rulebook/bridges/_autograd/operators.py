"""jvp, vjp and jacobian of any function that autograd can trace, on trees of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.trace import backward, gradient_root, new_sequence, tangent_root, trace, value_of
from rulebook.errors import RuleSignatureError
from rulebook.trees import Structure

__all__ = ["Flat", "jvp", "vjp"]


class Flat:
    """A function of the floating leaves of its primals, as autograd wants it: one sequence in, one out."""

    def __init__(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> None:
        self.fn = fn
        leaves, self.structure = trees.flatten(primals)
        self.leaves = [values.as_value(x) if not isinstance(x, str) else x for x in leaves]
        self.moving = [i for i, x in enumerate(self.leaves) if _moves(x)]
        self.x = tuple(self.leaves[i] for i in self.moving)
        self.out: Structure = trees.LEAF
        self.ys: list[Any] = []
        self.moved: list[int] = []

    def __call__(self, xs: Any) -> Any:
        leaves = list(self.leaves)
        for k, i in enumerate(self.moving):
            leaves[i] = xs[k]
        return self.sequence(self.fn(*self.structure.unflatten(iter(leaves))))

    def sequence(self, y: Any) -> Any:
        """Those leaves of a result that have a tangent, as autograd wants them."""
        self.ys, self.out = trees.flatten(y)
        self.moved = [o for o, y in enumerate(self.ys) if _moves(y)]
        return new_sequence([self.ys[o] for o in self.moved])

    def primal(self, end: Any) -> Any:
        """y below the trace, given what it ended in."""
        return self._result(end, [value_of(y) for y in self.ys])

    def tangent(self, end: Any) -> Any:
        """y_dot; None where y has no tangent."""
        return self._result(end, [None] * len(self.ys))

    def bars(self, y_bar: Any, end: Any) -> tuple[Any, ...]:
        """The cotangents of the leaves of the result that have one, in autograd's convention."""
        found = trees.flatten_like(self.out, y_bar, _structure_error)
        return tuple([_bar(found[o], end[k]) for k, o in enumerate(self.moved)])

    def _result(self, end: Any, leaves: list[Any]) -> Any:
        for k, o in enumerate(self.moved):
            leaves[o] = values.as_value(end[k])
        return self.out.unflatten(iter(leaves))


def _moves(x: Any) -> bool:
    return not isinstance(x, str) and values.has_tangent(x)


def jvp(fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along the tangents, which have arrays for all floating leaves."""
    flat = Flat(fn, primals)
    dots = trees.flatten_like(flat.structure, tangents, _structure_error)
    x_dot = tuple(values.zeros_like(flat.leaves[i]) if dots[i] is None else dots[i] for i in flat.moving)
    end, node = trace(flat, flat.x, tangent_root(x_dot))
    y = flat.primal(end)
    if node is None:
        return y, flat.tangent([values.zeros_like(v) for v in end])
    return y, flat.tangent([values.cast(node.g[k], v) for k, v in enumerate(end)])


def vjp(fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*primals)` and its pullback, in the pairing Re sum(conj(y_bar) * y_dot)."""
    flat = Flat(fn, primals)
    end, node = trace(flat, flat.x, gradient_root())

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        x_bars = None if node is None else backward(flat.bars(y_bar, end), node)
        found: list[Any] = [None] * len(flat.leaves)
        for k, (i, x) in enumerate(zip(flat.moving, flat.x, strict=True)):
            found[i] = values.zeros_like(x) if x_bars is None else values.cast(values.conj(values.as_value(x_bars[k])), x)
        result: tuple[Any, ...] = flat.structure.unflatten(iter(found))
        return result

    return flat.primal(end), pullback


def _bar(y_bar: Any, y: Any) -> Any:
    """A cotangent of y in autograd's convention."""
    if type(y_bar) is np.ndarray is type(y) and y_bar.dtype == y.dtype == np.float64 and y_bar.shape == y.shape:
        return y_bar
    if y_bar is None:
        return values.zeros_like(y)
    y_bar = values.as_value(y_bar)
    if np.shape(value_of(y_bar)) != np.shape(value_of(y)):
        raise _structure_error("y_bar", f"shape {np.shape(value_of(y))}", f"shape {np.shape(value_of(y_bar))}")
    return values.conj(values.cast(y_bar, y))


def _structure_error(path: str, expected: str, got: str) -> Any:
    which = f"engine autograd{f', {path}' if path else ''}."
    return RuleSignatureError(which, expected, got, "pass what has the structure and shape of the function's values")
