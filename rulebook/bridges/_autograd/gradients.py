"""Derivatives of functions of arrays; one array is traced as it is, without the sequence that trees are traced with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.bridges._autograd import operators, values
from rulebook.bridges._autograd.operators import Flat
from rulebook.bridges._autograd.trace import backward, gradient_root, tangent_root, trace

__all__ = ["jvp", "value_and_grad", "vjp"]


class _OfOne(Flat):
    """A function of one array; where its result is one array too, nothing is put into a sequence."""

    def __call__(self, x: Any) -> Any:
        end = super().__call__((x,))
        self.is_one = len(self.ys) == 1 and len(self.moved) == 1
        return self.ys[0] if self.is_one else end

    def end(self, *ys: Any) -> Any:
        """The leaves of the result that have a tangent."""
        return ys if self.is_one else ys[0]


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
    flat = _OfOne(fn, xs)
    end, node = trace(flat, xs[0], tangent_root(tangents[0]))
    ends = flat.end(end)
    if node is None:
        return flat.primal(ends), flat.tangent([values.zeros_like(v) for v in ends])
    return flat.primal(ends), flat.tangent([values.cast(t, v) for t, v in zip(flat.end(node.g), ends, strict=True)])


def vjp(fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*xs)` and its pullback."""
    if len(xs) != 1:
        return operators.vjp(fn, xs)
    (x,) = xs
    flat = _OfOne(fn, xs)
    end, node = trace(flat, x, gradient_root())
    ends = flat.end(end)

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        if node is None:
            return (values.zeros_like(x),)
        bars = flat.bars(y_bar, ends)
        return (_cotangent(backward(bars[0] if flat.is_one else bars, node), x),)

    return flat.primal(ends), pullback
