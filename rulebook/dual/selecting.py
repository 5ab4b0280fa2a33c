"""Functions that pick elements by index or condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.axes import lead
from rulebook.dual.lifting import lift, plain
from rulebook.dual.parts import join, primal, tag_of, tangent, top
from rulebook.dual.registry import rule, ufunc_rule

__all__: list[str] = []


@rule(np.take)
def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    indices = np.asarray(indices)  # a dual is refused
    return join(np.take(a.p, indices, axis=axis, mode=mode), np.take(a.tangent, indices, axis=lead(axis, a.ndim), mode=mode), a.tag)  # type: ignore[call-overload]


@rule(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    t = arr.tangent
    at = np.broadcast_to(np.asarray(indices), (t.shape[0], *np.shape(indices)))
    return join(np.take_along_axis(arr.p, indices, axis), np.take_along_axis(t, at, lead(axis, arr.ndim)), arr.tag)


@rule(np.compress)
def _compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return _take(lift(a), np.flatnonzero(plain(condition, "np.compress()")), axis)


@rule(np.tril)
def _tril(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(m.shape[-2] if m.ndim > 1 else m.shape[-1], m.shape[-1], k, bool), m, 0.0)


@rule(np.triu)
def _triu(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(m.shape[-2] if m.ndim > 1 else m.shape[-1], m.shape[-1], k - 1, bool), 0.0, m)


_MANY = 8  # tangents from which the sum that shows whether all are finite pays


def _by_coefficient(condition: Any, x: Any, y: Any, tag: int, p: Any) -> Any:
    """The same for one dual branch, by its coefficient alone; None where that does not do, as 0 * inf is NaN."""
    branch, pick = (x, (condition, 1.0, 0.0)) if tag_of(x) == tag else (y, (condition, 0.0, 1.0))
    if type(branch) is not DualArray or branch.p.shape != p.shape or (tag_of(x) == tag and tag_of(y) == tag):
        return None
    c, b = branch.parts()
    if type(b) is not np.ndarray or b.shape[0] < _MANY or tag_of(c) or not np.isfinite(b.sum()):
        return None
    factor = np.where(pick[0], *(v if c is None or not v else c for v in pick[1:]))
    return DualArray(p, factor.astype(b.real.dtype) if b.dtype.char in "efF" else factor, b, tag)


@rule(np.where)
def _where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    while tag_of(condition):
        condition = condition != 0
    if x is None and y is None:
        return np.nonzero(condition)
    x, y = lift(x), lift(y)
    tag = top(x, y)
    if not tag:
        return np.where(condition, x, y)
    p = np.where(condition, primal(x, tag), primal(y, tag))
    shape = np.shape(p)
    lazy = _by_coefficient(condition, x, y, tag, p)
    if lazy is not None:
        return lazy
    tx, ty = tangent(x, tag, len(shape)), tangent(y, tag, len(shape))
    t = np.where(condition, 0.0 if tx is None else tx, 0.0 if ty is None else ty)
    if t.shape[1:] != shape:
        t = np.broadcast_to(t, ((tx if ty is None else ty).shape[0], *shape))
    return join(p, t, tag)


def _bounded(a: Any, low: Any, high: Any) -> Any:
    a, low, high = lift(a), lift(low), lift(high)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


@rule(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None, dtype: Any = None) -> Any:
    y = _bounded(a, a_min if min is None else min, a_max if max is None else max)
    return y if dtype is None else y.astype(dtype)


ufunc_rule(np._core.umath.clip)(_bounded)  # type: ignore[attr-defined]


@rule(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    y = lift(default)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = np.where(condition, choice, y)
    return y
