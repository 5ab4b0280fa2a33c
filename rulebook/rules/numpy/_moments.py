"""Variance and standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import normal
from rulebook.rules.numpy._reductions import CASES, Axis, count, mean, reduction, spread, sum

__all__ = [
    "std",
    "var",
]

_DDOF = normal((3, 2), axis=0, ddof=1)


@reduction(np.var, [*CASES, _DDOF], ("jax",))
def var(a: Any, *, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance over axes; sums are divided by n - ddof.

    Derivation:
        With c = x - mean(x) and N = n - ddof, N y = sum |c|^2, and sum conj(c) mean_dot = 0, so that y_dot = 2 / N sum Re(conj(c) x_dot).
    """
    return np.var(a, axis=axis, ddof=ddof, keepdims=keepdims)


def _slope(x: Any, axis: Axis, ddof: int) -> Any:
    """2 / N (x - mean)."""
    return (x - mean(x, axis=axis, keepdims=True)) * (2 / (count(x, axis) - ddof))


@rb.pushforward(var)
def _(y: Any, primals: Any, tangents: Any, *, axis: Axis, ddof: int, keepdims: bool) -> Any:
    xp = rb.xp(primals[0], tangents[0])
    return sum(xp.real(xp.conj(_slope(primals[0], axis, ddof)) * tangents[0]), axis=axis, keepdims=keepdims)


@rb.pullback(var)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, ddof: int, keepdims: bool) -> Any:
    (x,) = primals
    return (_slope(x, axis, ddof) * spread(y_bar, x, axis, keepdims),)


@reduction(np.std, [*CASES, _DDOF], ())
def std(a: Any, *, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The standard deviation over axes, the root of the variance; where it is 0 its slope is 0."""
    return rb.xp(a).std(a, axis=axis, ddof=ddof, keepdims=keepdims)


def _root(y: Any) -> Any:
    """1 / (2 y), 0 at 0."""
    return 0.5 / rb.xp(y).where(y == 0, np.inf, y)


@rb.pushforward(std)
def _(y: Any, primals: Any, tangents: Any, *, axis: Axis, ddof: int, keepdims: bool) -> Any:
    xp = rb.xp(primals[0], tangents[0])
    moved = sum(xp.real(xp.conj(_slope(primals[0], axis, ddof)) * tangents[0]), axis=axis, keepdims=keepdims)
    return moved * _root(y)


@rb.pullback(std)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, ddof: int, keepdims: bool) -> Any:
    (x,) = primals
    return (_slope(x, axis, ddof) * spread(y_bar * _root(y), x, axis, keepdims),)
