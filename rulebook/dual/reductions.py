"""Sums, means and products, with all their options."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead_all
from rulebook.dual.lifting import UNSET, flag, fold, given, lift, unfold
from rulebook.dual.parts import is_dual, join, tangent
from rulebook.dual.registry import rule

__all__ = ["chosen", "root", "without_nan"]


def chosen(a: Any, dtype: Any, where: Any, fill: float) -> Any:
    """What a reduction runs on: a in the dtype asked for, with `fill` where it is not to be looked at."""
    if dtype is not None:
        a = a.astype(dtype)
    return np.where(where, a, fill) if where is not UNSET and where is not True else a


@rule(np.sum)
def _sum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    a = chosen(a, dtype, where, 0.0)
    y = np.sum(a.p, axis=axis, keepdims=flag(keepdims))
    y = join(y, np.sum(tangent(a, a.tag), axis=lead_all(axis, a.ndim), keepdims=flag(keepdims)), a.tag)
    return y + initial if given(initial) else y


@rule(np.mean)
def _mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = UNSET) -> Any:
    if where is not UNSET and where is not True:
        return np.sum(a, axis, dtype, None, flag(keepdims), where=where) / _count(a, axis, flag(keepdims), where)
    a = chosen(a, dtype, where, 0.0)
    y = np.mean(a.p, axis=axis, keepdims=flag(keepdims))
    return join(y, np.mean(tangent(a, a.tag), axis=lead_all(axis, a.ndim), keepdims=flag(keepdims)), a.tag)


def _count(a: Any, axis: Any, keepdims: bool, where: Any) -> Any:
    """How many elements go into each mean, in the precision of a."""
    picked = True if where is UNSET else where
    return np.sum(np.broadcast_to(picked, a.shape), axis=axis, keepdims=keepdims).astype(np.zeros((), a.dtype).real.dtype)


@rule(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    a, weights = lift(a), lift(weights)
    if weights is None:
        y, total = np.mean(a, axis=axis, keepdims=flag(keepdims)), np.float64(np.size(a))
        return (y, np.full(np.shape(y), np.size(a) / max(np.size(y), 1))[()]) if returned else y
    if np.shape(weights) != np.shape(a):
        weights = _beside(weights, a, axis)
    weights = np.broadcast_to(weights, np.shape(a))
    total = np.sum(weights, axis=axis, keepdims=flag(keepdims))
    if np.any(np.equal(total, 0)):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    y = np.sum(a * weights, axis=axis, keepdims=flag(keepdims)) / total
    return (y, total) if returned else y


def _beside(weights: Any, a: Any, axis: Any) -> Any:
    """Weights along some axes, with axes of length one for the others."""
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = [int(i) % np.ndim(a) for i in ((axis,) if np.ndim(axis) == 0 else axis)]
    if np.shape(weights) != tuple(np.shape(a)[i] for i in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    turned = np.transpose(weights, np.argsort(axes))
    return np.reshape(turned, [m if i in axes else 1 for i, m in enumerate(np.shape(a))])


@rule(np.var)
def _var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = UNSET,
    mean: Any = UNSET,
    correction: Any = UNSET,
) -> Any:
    ddof = ddof if correction is UNSET else correction
    if dtype is not None:
        a = a.astype(dtype)
    if a.dtype == np.float16:  # as NumPy: its squares would overflow
        return np.var(a.astype(np.float32), axis, None, None, ddof, flag(keepdims), where=where, mean=mean).astype(np.float16)
    difference = a - (mean if given(mean) else np.mean(a, axis=axis, keepdims=True, where=where))
    squares = np.real(difference * np.conjugate(difference)) if difference.dtype.kind == "c" else difference * difference
    n = np.maximum(_count(a, axis, flag(keepdims), where) - ddof, 0)
    return np.sum(squares, axis=axis, keepdims=flag(keepdims), where=where) / n


@rule(np.std)
def _std(a: Any, *args: Any, **kwargs: Any) -> Any:
    return root(np.var(a, *args, **kwargs))


def root(x: Any) -> Any:
    """The square root, whose derivative is taken as zero at zero: that of a norm or standard deviation."""
    zero = np.equal(x, 0)
    if not np.any(zero):
        return np.sqrt(x)
    return np.where(zero, np.zeros((), x.dtype)[()], np.sqrt(np.where(zero, np.ones((), x.dtype)[()], x)))


@rule(np.prod)
def _prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    """The products of all others: by cumulative products from both ends, right where elements are zero."""
    a = chosen(a, dtype, where, 1.0)
    shape = a.shape
    folded = fold(a, axis)
    p = folded.p if is_dual(folded) else folded
    one = np.ones((*p.shape[:-1], 1), a.dtype)
    before = np.cumprod(np.concatenate([one, p[..., :-1]], axis=-1), axis=-1)
    after = np.flip(np.cumprod(np.concatenate([one, np.flip(p[..., 1:], -1)], axis=-1), axis=-1), -1)
    t = np.sum(before * after * tangent(folded, a.tag), axis=-1) if p.shape[-1] else tangent(folded, a.tag).sum(-1)
    y = unfold(join(np.prod(p, axis=-1), t, a.tag), axis, shape, keepdims)
    return y * initial if given(initial) else y


@rule(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@rule(np.count_nonzero)
def _count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(np.not_equal(a, 0), axis=axis, keepdims=keepdims)


@rule(np.nansum)
def _nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    return np.sum(without_nan(a, 0.0), axis, dtype, None, flag(keepdims), initial, where)


@rule(np.nanprod)
def _nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET
) -> Any:
    return np.prod(without_nan(a, 1.0), axis, dtype, None, flag(keepdims), initial, where)


def without_nan(a: Any, fill: float) -> Any:
    """a with another number for NaN, a constant."""
    return np.where(np.isnan(a), fill, a)


def _counted(a: Any, where: Any) -> Any:
    found = np.logical_not(np.isnan(a))
    return found if where is UNSET or where is True else np.logical_and(found, where)


@rule(np.nanmean)
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, *, where: Any = UNSET) -> Any:
    return np.mean(a, axis, dtype, None, flag(keepdims), where=_counted(a, where))


@rule(np.nanvar)
def _nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = UNSET, *, where: Any = UNSET, **more: Any
) -> Any:
    return np.var(without_nan(a, 0.0), axis, dtype, None, ddof, flag(keepdims), where=_counted(a, where), **more)


@rule(np.nanstd)
def _nanstd(a: Any, *args: Any, **kwargs: Any) -> Any:
    return root(np.nanvar(a, *args, **kwargs))
