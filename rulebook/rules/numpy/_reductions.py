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
    "amax",
    "amin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "max",
    "mean",
    "min",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]

Axis = int | tuple[int, ...] | None
_CASES = (normal((3,)), normal((2, 3), axis=0), normal((2, 3, 2), axis=(0, -1), keepdims=True), complex_normal((2, 2), axis=1))
_REAL = _CASES[:3]


def _spread(v: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A value of the result beside the elements that it came from."""
    if keepdims or not x.ndim:
        return v
    gone = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    return rb.xp(v).reshape(v, tuple(1 if i in gone else n for i, n in enumerate(x.shape)))


def _like(v: Any, x: Any) -> Any:
    """The same, repeated to the shape of the elements."""
    return v + rb.xp(v, x).zeros_like(x)


def _count(x: Any, axis: Axis) -> int:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([x.shape[a] for a in axes]))


def _reduction(function: Any, cases: Sequence[Any], engines: Sequence[str]) -> Callable[[Callable[..., Any]], Primitive]:
    """Make the primitive of a reduction over axes."""

    def make(fn: Callable[..., Any]) -> Primitive:
        name = fn.__name__

        @functools.wraps(fn)
        def body(a: Any, **options: Any) -> Any:
            return fn(a, **options) if type(a) is np.ndarray else getattr(rb.xp(a), name)(a, **options)

        f = Primitive(body, name=f"rulebook.rules.numpy.{name}", cases=cases, native=own(name, *engines))
        return stands(function)(f)

    return make


@_reduction(np.sum, _CASES, ("jax", "torch", "autograd"))
def sum(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over axes."""
    return np.sum(a, axis=axis, keepdims=keepdims)


@rb.pushforward(sum)
def _(y: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    return sum(tangents[0], **options)


@rb.pullback(sum)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
    return (_like(_spread(y_bar, primals[0], axis, keepdims), primals[0]),)


@_reduction(np.mean, _CASES, ("jax", "torch", "autograd"))
def mean(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over axes."""
    return np.mean(a, axis=axis, keepdims=keepdims)


@rb.pushforward(mean)
def _(y: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    return mean(tangents[0], **options)


@rb.pullback(mean)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
    (x,) = primals
    return (_like(_spread(y_bar, x, axis, keepdims) / np.maximum(_count(x, axis), 1), x),)


def _share(y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """The part that each element has in an extremum: equal parts for equal elements."""
    xp = rb.xp(x)
    best = _spread(y, x, axis, keepdims)
    hit = (x == best) | (xp.isnan(x) & xp.isnan(best))
    hit = xp.where(hit, xp.zeros_like(rb.stop_gradient(x)) + 1, 0.0)
    return hit / xp.sum(hit, axis=axis, keepdims=True)


def _extremum(f: Primitive) -> None:
    """y_dot is the mean of the tangents of the elements that attain the extremum."""

    def push(y: Any, primals: Any, tangents: Any, *, axis: Axis, keepdims: bool) -> Any:
        return sum(_share(y, primals[0], axis, keepdims) * tangents[0], axis=axis, keepdims=keepdims)

    def pull(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
        (x,) = primals
        return (_share(y, x, axis, keepdims) * _spread(y_bar, x, axis, keepdims),)

    rb.pushforward(f)(push)
    rb.pullback(f)(pull)


@_reduction(np.max, _REAL, ("jax", "torch", "autograd"))
def max(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest over axes; equal ones share its derivative."""
    return np.max(a, axis=axis, keepdims=keepdims)


@_reduction(np.min, _REAL, ("jax", "torch", "autograd"))
def min(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest over axes; equal ones share its derivative."""
    return np.min(a, axis=axis, keepdims=keepdims)


_extremum(max)
_extremum(min)
amax, amin = max, min


@_reduction(np.cumsum, [normal((4,)), normal((2, 3), axis=0), normal((2, 2)), complex_normal((3,))], ("jax", "torch", "autograd"))
def cumsum(a: Any, *, axis: int | None = None) -> Any:
    """Running sums; of the flattened array by default."""
    return np.cumsum(a, axis)


@rb.pushforward(cumsum)
def _(y: Any, primals: Any, tangents: Any, *, axis: int | None) -> Any:
    return cumsum(tangents[0], axis=axis)


@rb.pullback(cumsum)
def _(y: Any, primals: Any, y_bar: Any, *, axis: int | None) -> Any:
    return (rb.xp(y_bar).reshape(_from_end(y_bar, 0 if axis is None else axis), tuple(primals[0].shape)),)


def _from_end(x: Any, axis: int) -> Any:
    """Running sums from the end of an axis."""
    return rb.xp(x).sum(x, axis=axis, keepdims=True) - cumsum(x, axis=axis) + x


_ZEROS = [lambda rng: rb.case(rng.normal(size=4) * np.array([1.0, 0.0, 1.0, 1.0])), lambda rng: rb.case(np.zeros((2, 2)), axis=1)]


@_reduction(np.cumprod, [normal((4,)), normal((2, 3), axis=0), complex_normal((3,)), *_ZEROS], ("jax",))
def cumprod(a: Any, *, axis: int | None = None) -> Any:
    """Running products; of the flattened array by default.

    Derivation:
        dy_k / dx_i for i <= k is the product of the others up to k, (x_1 ... x_(i-1)) (x_(i+1) ... x_k): no division, so that it holds
        where elements are zero.
    """
    return np.cumprod(a, axis)


def _last(x: Any, axis: int | None) -> Any:
    """The axis of a running product as the last."""
    return rb.xp(x).reshape(x, (-1,)) if axis is None else rb.xp(x).moveaxis(x, axis, -1)


def _without(x: Any) -> Any:
    """J[..., k, i] = dy_k / dx_i of running products along the last axis, in n^2 numbers."""
    xp, n = rb.xp(x), x.shape[-1]
    later = np.arange(n)[:, None] > np.arange(n)  # k > i
    factors = x[..., :, None] + xp.zeros_like(x)[..., None, :]  # repeated first: autograd's where does not sum broadcast axes
    after = cumprod(xp.where(later, factors, 1.0), axis=-2)
    return xp.where(np.tri(n, dtype=bool), after * _before(x)[..., None, :], 0.0)


def _before(x: Any) -> Any:
    """The product of the elements before each."""
    xp = rb.xp(x)
    ones = xp.zeros_like(x[..., :1]) + 1
    return xp.concatenate([ones, cumprod(x, axis=-1)[..., :-1]], axis=-1) if x.shape[-1] else x


@rb.pushforward(cumprod)
def _(y: Any, primals: Any, tangents: Any, *, axis: int | None) -> Any:
    found = (_without(_last(primals[0], axis)) @ _last(tangents[0], axis)[..., None])[..., 0]
    return found if axis is None else rb.xp(found).moveaxis(found, -1, axis)


@rb.pullback(cumprod)
def _(y: Any, primals: Any, y_bar: Any, *, axis: int | None) -> Any:
    (x,) = primals
    jacobian = _without(_last(x, axis))
    xp = rb.xp(jacobian, y_bar)
    found = (xp.conj(xp.moveaxis(jacobian, -1, -2)) @ _last(y_bar, axis)[..., None])[..., 0]
    return (xp.reshape(found, tuple(x.shape)) if axis is None else xp.moveaxis(found, -1, axis),)


@_reduction(
    np.prod,
    [*_CASES, lambda rng: rb.case(np.array([1.5, 0.0, 2.0])), lambda rng: rb.case(np.array([[0.0, 0.0], [2.0, 1.0]]), axis=1)],
    ("jax", "torch"),
)
def prod(a: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The product over axes.

    Derivation:
        The partial derivative is the product of the other elements: of those before, times those after, without a division, so that it
        holds where elements are zero.
    """
    return np.prod(a, axis=axis, keepdims=keepdims)


def _others(x: Any, axis: Axis) -> Any:
    """The product of the other elements over the axes, in the shape of x."""
    xp = rb.xp(x)
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    last = tuple(range(-len(axes), 0))
    moved = xp.moveaxis(x, axes, last) if axes else x
    lead = tuple(moved.shape)[: x.ndim - len(axes)]
    flat = xp.reshape(moved, (*lead, -1))
    turned = np.arange(flat.shape[-1] - 1, -1, -1)
    found = _before(flat) * _before(flat[..., turned])[..., turned]
    found = xp.reshape(found, tuple(moved.shape))
    return xp.moveaxis(found, last, axes) if axes else found


@rb.pushforward(prod)
def _(y: Any, primals: Any, tangents: Any, *, axis: Axis, keepdims: bool) -> Any:
    return sum(_others(primals[0], axis) * tangents[0], axis=axis, keepdims=keepdims)


@rb.pullback(prod)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, keepdims: bool) -> Any:
    (x,) = primals
    return (rb.xp(x).conj(_others(x, axis)) * _spread(y_bar, x, axis, keepdims),)


_DDOF = normal((3, 2), axis=0, ddof=1)


@_reduction(np.var, [*_CASES, _DDOF], ("jax",))
def var(a: Any, *, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance over axes; sums are divided by n - ddof.

    Derivation:
        With c = x - mean(x) and N = n - ddof, N y = sum |c|^2, and sum conj(c) mean_dot = 0, so that y_dot = 2 / N sum Re(conj(c) x_dot).
    """
    return np.var(a, axis=axis, ddof=ddof, keepdims=keepdims)


def _slope(x: Any, axis: Axis, ddof: int) -> Any:
    """2 / N (x - mean)."""
    return (x - mean(x, axis=axis, keepdims=True)) * (2 / (_count(x, axis) - ddof))


@rb.pushforward(var)
def _(y: Any, primals: Any, tangents: Any, *, axis: Axis, ddof: int, keepdims: bool) -> Any:
    xp = rb.xp(primals[0], tangents[0])
    return sum(xp.real(xp.conj(_slope(primals[0], axis, ddof)) * tangents[0]), axis=axis, keepdims=keepdims)


@rb.pullback(var)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Axis, ddof: int, keepdims: bool) -> Any:
    (x,) = primals
    return (_slope(x, axis, ddof) * _spread(y_bar, x, axis, keepdims),)


@_reduction(np.std, [*_CASES, _DDOF], ())
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
    return (_slope(x, axis, ddof) * _spread(y_bar * _root(y), x, axis, keepdims),)


# What follows is put together from these.


def ptp(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest minus the smallest."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


def _started(y: Any, axis: int | None, first: float, include_initial: bool) -> Any:
    if not include_initial:
        return y
    xp = rb.xp(y)
    at = 0 if axis is None else axis
    start = xp.zeros_like(xp.moveaxis(y, at, 0)[:1]) + first
    return xp.concatenate([xp.moveaxis(start, 0, at), y], axis=at)


def cumulative_sum(x: Any, axis: int | None = None, include_initial: bool = False) -> Any:
    """Running sums; from 0 on with include_initial."""
    return _started(cumsum(x, axis=axis), axis, 0.0, include_initial)


def cumulative_prod(x: Any, axis: int | None = None, include_initial: bool = False) -> Any:
    """Running products; from 1 on with include_initial."""
    return _started(cumprod(x, axis=axis), axis, 1.0, include_initial)


def _numbers(a: Any, fill: float) -> Any:
    """The elements, with another in the place of NaN."""
    xp = rb.xp(a)
    return xp.where(xp.isnan(a), fill, a)


def _found(a: Any, axis: Axis, keepdims: bool) -> Any:
    """How many elements are numbers."""
    xp = rb.xp(a)
    return xp.sum(xp.where(xp.isnan(a), 0.0, 1.0), axis=axis, keepdims=keepdims)


def nansum(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum of what is a number."""
    return sum(_numbers(a, 0.0), axis=axis, keepdims=keepdims)


def nanprod(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The product of what is a number."""
    return prod(_numbers(a, 1.0), axis=axis, keepdims=keepdims)


def nanmean(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean of what is a number."""
    return nansum(a, axis, keepdims) / _found(a, axis, keepdims)


def nanvar(a: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance of what is a number."""
    xp = rb.xp(a)
    centred = xp.abs(_numbers(a - nanmean(a, axis, True), 0.0)) ** 2
    return sum(centred, axis=axis, keepdims=keepdims) / (_found(a, axis, keepdims) - ddof)


def nanstd(a: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The standard deviation of what is a number."""
    xp = rb.xp(a)
    square = nanvar(a, axis, ddof, keepdims)
    return xp.where(square == 0, 0.0, xp.sqrt(xp.where(square == 0, 1.0, square)))


def nanmax(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest of what is a number."""
    return max(_numbers(a, -np.inf), axis=axis, keepdims=keepdims)


def nanmin(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest of what is a number."""
    return min(_numbers(a, np.inf), axis=axis, keepdims=keepdims)


def nancumsum(a: Any, axis: int | None = None) -> Any:
    """Running sums of what is a number."""
    return cumsum(_numbers(a, 0.0), axis=axis)


def nancumprod(a: Any, axis: int | None = None) -> Any:
    """Running products of what is a number."""
    return cumprod(_numbers(a, 1.0), axis=axis)
