"""Derivatives of functions of arrays; one array is traced as it is, without the sequence that trees are traced with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.bridges._autograd import operators, values
from rulebook.bridges._autograd.operators import Flat
from rulebook.bridges._autograd.trace import ARRAY, backward, gradient_root, tangent_root, trace

__all__ = ["jvp", "value_and_grad", "vjp"]


class _OfOne(Flat):
    """A function of one array; where its result is one array too, nothing is put into a sequence."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn

    def __call__(self, x: Any) -> Any:
        y = self.fn(x)
        self.is_one = type(y) is ARRAY and values.has_tangent(y)
        if not self.is_one:
            return self.sequence(y)
        self.ys, self.out, self.moved = [y], trees.LEAF, [0]
        return y

    def end(self, found: Any) -> Any:
        """The leaves of the result that have a tangent, or theirs, of what a trace ends in."""
        return (found,) if self.is_one else found


def value_and_grad(fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """`fn(*xs)`, a real number, and its gradient."""
    if len(xs) == 1:
        end, node = trace(fn, xs[0], gradient_root())
    else:
        end, node = trace(lambda some: fn(*[some[k] for k in range(len(xs))]), xs, gradient_root())
    y = values.as_value(end)
    if node is None:
        return y, tuple([values.zeros_like(x) for x in xs])
    found = backward(values.cast(np.float64(1.0), y), node)
    bars = (found,) if len(xs) == 1 else found
    return y, tuple([_cotangent(bars[k], x) for k, x in enumerate(xs)])


def _cotangent(x_bar: Any, x: Any) -> Any:
    """What autograd gives, in the pairing Re sum(conj(y_bar) * y_dot) and in the dtype of x."""
    x_bar = values.as_value(x_bar)
    if type(x_bar) is np.ndarray and x_bar.dtype == np.float64 and type(x) is np.ndarray and x.dtype == np.float64:
        return x_bar
    return values.cast(values.conj(x_bar), x)


def jvp(fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*xs)` and its derivative along the tangents."""
    if len(xs) != 1:
        return operators.jvp(fn, xs, tangents)
    flat = _OfOne(fn)
    end, node = trace(flat, xs[0], tangent_root(tangents[0]))
    ends = flat.end(end)
    if node is None:
        return flat.primal(ends), flat.tangent([values.zeros_like(v) for v in ends])
    dots = flat.end(node.g)
    return flat.primal(ends), flat.tangent([values.cast(dots[k], v) for k, v in enumerate(ends)])


def vjp(fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*xs)` and its pullback."""
    if len(xs) != 1:
        return operators.vjp(fn, xs)
    (x,) = xs
    flat = _OfOne(fn)
    end, node = trace(flat, x, gradient_root())
    ends = flat.end(end)

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        if node is None:
            return (values.zeros_like(x),)
        bars = flat.bars(y_bar, ends)
        return (_cotangent(backward(bars[0] if flat.is_one else bars, node), x),)

    return flat.primal(ends), pullback
