"""Largest and smallest elements, of all or so far.

Where several elements are extremal, the mean of their derivatives, as in JAX and PyTorch; where the
result is NaN, so is its tangent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead, lead_all
from rulebook.dual.lifting import UNSET, flag, given, plain
from rulebook.dual.methods import primal_only
from rulebook.dual.parts import join, tangent
from rulebook.dual.reductions import chosen
from rulebook.dual.registry import METHODS, rule

__all__: list[str] = []


def _extremum(function: Any, other_name: Any, larger: Any, worst: float) -> Any:
    name = f"np.{function.__name__}()"

    @rule(function, other_name)
    def apply(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = UNSET, where: Any = UNSET) -> Any:
        if where is not UNSET and where is not True and not given(initial):
            function(np.zeros(1), where=where)  # raises: an initial value is needed
        a = chosen(a, None, where, worst)
        p = primal_only(a, name)
        if not np.size(p):  # of nothing: the initial value, or NumPy's error
            return function(plain(a, name), axis=axis, keepdims=flag(keepdims), initial=plain(initial, name)) + np.sum(
                a, axis=axis, keepdims=flag(keepdims)
            )
        y = _of_some(function, a, p, axis, flag(keepdims))
        return larger(y, initial) if given(initial) else y

    return apply


def _of_some(function: Any, a: Any, p: Any, axis: Any, keepdims: bool) -> Any:
    y = function(p, axis=axis, keepdims=True)
    at = np.equal(p, y)
    many = np.sum(at, axis=axis, keepdims=True)
    weight = (at / np.where(many == 0, np.nan, many)).astype(np.zeros((), a.dtype).real.dtype)
    t = np.sum(np.where(np.logical_or(at, many == 0), weight * tangent(a, a.tag), 0.0), axis=lead_all(axis, a.ndim), keepdims=keepdims)
    return join(y if keepdims else np.squeeze(y, axis=axis), t, a.tag)


_extremum(np.max, np.amax, np.maximum, -np.inf)
_extremum(np.min, np.amin, np.minimum, np.inf)


@rule(np.ptp)
def _ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return np.max(a, axis=axis, keepdims=flag(keepdims)) - np.min(a, axis=axis, keepdims=flag(keepdims))


def _without_nan(function: Any, of: Any, worst: float) -> None:
    @rule(function)
    def apply(a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, initial: Any = UNSET, where: Any = UNSET) -> Any:
        unknown = np.isnan(a)
        y = of(np.where(unknown, worst, a), axis, None, flag(keepdims), initial, where)
        nothing = np.all(unknown, axis=axis, keepdims=flag(keepdims), where=True if where is UNSET else where)
        return np.where(nothing, np.nan, y) if np.any(nothing) and not given(initial) else y


_without_nan(np.nanmax, np.max, -np.inf)
_without_nan(np.nanmin, np.min, np.inf)


def _so_far(ufunc: Any) -> Any:
    """The extremum of all elements up to each: its tangent is the mean over those that are extremal."""

    def accumulate(a: Any, axis: Any = 0, dtype: Any = None) -> Any:
        if dtype is not None:
            a = a.astype(dtype)
        p = np.moveaxis(primal_only(a, f"np.{ufunc.__name__}.accumulate()"), axis, 0)
        t = np.moveaxis(tangent(a, a.tag), lead(axis, a.ndim), 0)
        y = ufunc.accumulate(p, axis=0)
        kept: list[Any] = []
        total: Any = 0.0
        many: Any = 0
        for i in range(len(p)):
            new, hit = np.not_equal(y[i], y[i - 1]) if i else True, np.equal(p[i], y[i])
            total = np.where(hit, t[i], 0.0) + np.where(new, 0.0, total)
            many = hit + np.where(new, 0, many)
            kept.append(np.where(np.isnan(y[i]), np.nan, total / np.where(many == 0, 1, many)))
        moved = np.moveaxis(np.stack(kept), 0, lead(axis, a.ndim)) if kept else tangent(a, a.tag)
        return join(np.moveaxis(y, 0, axis), moved, a.tag)

    return accumulate


METHODS[np.maximum, "accumulate"] = _so_far(np.maximum)
METHODS[np.minimum, "accumulate"] = _so_far(np.minimum)
