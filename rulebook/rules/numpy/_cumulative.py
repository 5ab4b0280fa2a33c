"""Running sums and products, and the product over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._reductions import CASES, Axis, reduction, spread, sum

__all__ = [
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "prod",
]


@reduction(np.cumsum, [normal((4,)), normal((2, 3), axis=0), normal((2, 2)), complex_normal((3,))], ("jax", "torch", "autograd"))
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


@reduction(np.cumprod, [normal((4,)), normal((2, 3), axis=0), complex_normal((3,)), *_ZEROS], ("jax",))
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


@reduction(
    np.prod,
    [*CASES, lambda rng: rb.case(np.array([1.5, 0.0, 2.0])), lambda rng: rb.case(np.array([[0.0, 0.0], [2.0, 1.0]]), axis=1)],
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
    return (rb.xp(x).conj(_others(x, axis)) * spread(y_bar, x, axis, keepdims),)


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
