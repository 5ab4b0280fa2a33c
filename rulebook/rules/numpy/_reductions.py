"""Sums, products and extrema over axes, running ones, and the moments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._support import own, stands

__all__ = [
    "CASES",
    "Axis",
    "amax",
    "amin",
    "count",
    "max",
    "mean",
    "min",
    "ptp",
    "reduction",
    "spread",
    "sum",
]

Axis = int | tuple[int, ...] | None


CASES = (normal((3,)), normal((2, 3), axis=0), normal((2, 3, 2), axis=(0, -1), keepdims=True), complex_normal((2, 2), axis=1))


_REAL = CASES[:3]


def spread(v: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A value of the result beside the elements that it came from."""
    if keepdims or not x.ndim:
        return v
    gone = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    return rb.xp(v).reshape(v, tuple(1 if i in gone else n for i, n in enumerate(x.shape)))


def _like(v: Any, x: Any) -> Any:
    """The same, repeated to the shape of the elements."""
    return v + rb.xp(v, x).zeros_like(x)


def count(x: Any, axis: Axis) -> int:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([x.shape[a] for a in axes]))


def reduction(function: Any, cases: Sequence[Any], engines: Sequence[str]) -> Callable[[Callable[..., Any]], Primitive]:
    """Make the primitive of a reduction over axes."""

    def make(fn: Callable[..., Any]) -> Primitive:
        name = fn.__name__

        @functools.wraps(fn)
        def body(a: Any, **options: Any) -> Any:
            return fn(a, **options) if type(a) is np.ndarray else getattr(rb.xp(a), name)(a, **options)

        f = Primitive(body, name=f"rulebook.rules.numpy.{name}", cases=cases, native=own(name, *engines))
        return stands(function)(f)

    return make


@reduction(np.sum, CASES, ("jax", "torch", "autograd"))
def sum(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over axes."""
    return np.sum(a, axis=axis, keepdims=keepdims)


@rb.pushforward(sum)
def _(y: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    return sum(tangents[0], **options)


@rb.pullback(sum)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
    return (_like(spread(y_bar, primals[0], axis, keepdims), primals[0]),)


@reduction(np.mean, CASES, ("jax", "torch", "autograd"))
def mean(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over axes."""
    return np.mean(a, axis=axis, keepdims=keepdims)


@rb.pushforward(mean)
def _(y: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    return mean(tangents[0], **options)


@rb.pullback(mean)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
    (x,) = primals
    return (_like(spread(y_bar, x, axis, keepdims) / np.maximum(count(x, axis), 1), x),)


def _share(y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """The part that each element has in an extremum: equal parts for equal elements."""
    xp = rb.xp(x)
    best = spread(y, x, axis, keepdims)
    hit = (x == best) | (xp.isnan(x) & xp.isnan(best))
    hit = xp.where(hit, xp.zeros_like(rb.stop_gradient(x)) + 1, 0.0)
    return hit / xp.sum(hit, axis=axis, keepdims=True)


def _extremum(f: Primitive) -> None:
    """y_dot is the mean of the tangents of the elements that attain the extremum."""

    def push(y: Any, primals: Any, tangents: Any, *, axis: Axis, keepdims: bool) -> Any:
        return sum(_share(y, primals[0], axis, keepdims) * tangents[0], axis=axis, keepdims=keepdims)

    def pull(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
        (x,) = primals
        return (_share(y, x, axis, keepdims) * spread(y_bar, x, axis, keepdims),)

    rb.pushforward(f)(push)
    rb.pullback(f)(pull)


@reduction(np.max, _REAL, ("jax", "torch", "autograd"))
def max(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest over axes; equal ones share its derivative."""
    return np.max(a, axis=axis, keepdims=keepdims)


@reduction(np.min, _REAL, ("jax", "torch", "autograd"))
def min(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest over axes; equal ones share its derivative."""
    return np.min(a, axis=axis, keepdims=keepdims)


_extremum(max)


_extremum(min)


amax, amin = max, min


def ptp(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest minus the smallest."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)
