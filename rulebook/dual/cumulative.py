"""Cumulative sums and products, and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead
from rulebook.dual.lifting import UNSET, lift, plain
from rulebook.dual.parts import join, tangent
from rulebook.dual.reductions import without_nan
from rulebook.dual.registry import rule

__all__: list[str] = []


@rule(np.cumsum)
def _cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    a = a if dtype is None else a.astype(dtype)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return join(np.cumsum(a.p, axis=axis), np.cumsum(tangent(a, a.tag), axis=lead(axis, a.ndim)), a.tag)


@rule(np.cumprod)
def _cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    a = a if dtype is None else a.astype(dtype)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    y = np.cumprod(a.p, axis=axis)
    at = lead(axis, a.ndim)
    size = np.abs(plain(a.p, "np.cumprod()"))
    if np.all(size > 1e-100) and np.all(np.abs(plain(y, "np.cumprod()")) > 1e-200) and np.all(np.isfinite(size)):
        return join(y, y * np.cumsum(tangent(a, a.tag) / a.p, axis=at), a.tag)
    return join(y, _by_recurrence(a, y, axis, at), a.tag)


def _by_recurrence(a: Any, y: Any, axis: int, at: int) -> Any:
    """t_i = t_(i-1) * x_i + y_(i-1) * x_dot_i: right where elements are zero."""
    p, y = np.moveaxis(a.p, axis, 0), np.moveaxis(y, axis, 0)
    x_dot = np.moveaxis(tangent(a, a.tag), at, 0)
    ts: list[Any] = []
    for i in range(len(p)):
        ts.append(x_dot[i] if i == 0 else ts[-1] * p[i] + y[i - 1] * x_dot[i])
    return np.moveaxis(np.stack(ts), 0, at) if ts else tangent(a, a.tag)


def _standard(function: Any, of: Any, start: float) -> None:
    """The forms of the array API: an axis is needed if there are several, and an initial value may come first."""

    @rule(function)
    def apply(x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False) -> Any:
        x = np.atleast_1d(x)
        if axis is None and x.ndim != 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        axis = 0 if axis is None else axis
        y = of(x, axis, dtype)
        if not include_initial:
            return y
        shape = [1 if i == axis % y.ndim else m for i, m in enumerate(y.shape)]
        return np.concatenate([np.full(shape, start, y.dtype), y], axis=axis)


for _name, _of, _start in (("cumulative_sum", np.cumsum, 0.0), ("cumulative_prod", np.cumprod, 1.0)):
    _standard(getattr(np, _name, None), _of, _start)  # NumPy 2.1


@rule(np.nancumsum)
def _nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return np.cumsum(without_nan(a, 0.0), axis, dtype)


@rule(np.nancumprod)
def _nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return np.cumprod(without_nan(a, 1.0), axis, dtype)


@rule(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = UNSET, append: Any = UNSET) -> Any:
    if n == 0:
        return a
    a = lift(a)
    if prepend is not UNSET or append is not UNSET:
        ends = [_end(e, a, axis) for e in (prepend, append)]
        a = np.concatenate([e for e in (ends[0], a, ends[1]) if e is not None], axis)
    return join(np.diff(a.p, n, axis), np.diff(tangent(a, a.tag), n, lead(axis, a.ndim)), a.tag)


def _end(value: Any, a: Any, axis: int) -> Any:
    if value is UNSET:
        return None
    value = lift(value)
    if np.ndim(value) == 0:
        return np.broadcast_to(value, [1 if i == axis % a.ndim else m for i, m in enumerate(a.shape)])
    return value


@rule(np.ediff1d)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    y = np.diff(np.reshape(lift(ary), (-1,)))
    ends = [None if e is None else np.reshape(lift(e), (-1,)) for e in (to_begin, to_end)]
    return np.concatenate([v for v in (ends[0], y, ends[1]) if v is not None])
