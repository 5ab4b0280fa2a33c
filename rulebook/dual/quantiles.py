"""Median, quantiles and percentiles, by each of NumPy's methods.

A quantile is a mean of two neighbours in the sorted slice.  Which two, and with what weights, is
asked of NumPy: the quantiles of 0, 1, 2, ... are their own positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import unsupported
from rulebook.dual.lifting import flag, fold, lift, plain
from rulebook.dual.parts import join, tag_of, tangent, top
from rulebook.dual.registry import rule

__all__: list[str] = []

# what the position of a quantile, as a function of q, has for a slope besides the number of elements; the other methods have steps
_SLOPES = {
    "linear": -1.0,
    "hazen": 0.0,
    "weibull": 1.0,
    "median_unbiased": 1 / 3,
    "normal_unbiased": 1 / 4,
    "interpolated_inverted_cdf": 0.0,
}


def _positions(n: Any, q: Any, method: str, weights: Any) -> Any:
    """For each slice of n numbers, the position among the sorted ones of each quantile: shape q.shape + n.shape."""
    v = np.zeros((*np.shape(q), *np.shape(n)))
    of: Any = np.quantile
    for at in np.ndindex(np.shape(n)):
        ranks = np.arange(n[at], dtype=float)
        v[(..., *at)] = of(ranks, q, method=method, weights=None if weights is None else weights[at]) if n[at] else 0.0
    return v


def _many_positions(n: Any, q: Any, method: str, weights: Any) -> Any:
    if weights is not None or not np.size(n):
        return _positions(n, q, method, weights)
    sizes, which = np.unique(n, return_inverse=True)
    return _positions(sizes, q, method, None)[..., which.reshape(np.shape(n))]


def _neighbour(s: Any, at: Any) -> Any:
    """The elements of sorted slices, (..., n), at positions (q..., ...): of shape (q..., ...)."""
    nq, rest = at.ndim - s.ndim + 1, at.shape[at.ndim - s.ndim + 1 :]
    last = np.moveaxis(np.reshape(at, (-1, *rest)), 0, -1)
    picked = np.moveaxis(np.take_along_axis(s, last, axis=-1), -1, 0)
    return np.reshape(picked, (*at.shape[:nq], *rest))


def _slope(n: Any, q: Any, v: Any, method: str) -> Any:
    """The derivative of the positions in q: zero beyond the first and last element, and where a method has steps."""
    if method not in _SLOPES:
        return np.zeros(np.shape(v))
    inner = np.logical_and(v > 0, v < n - 1) if method != "linear" else np.ones(np.shape(v), bool)
    return np.where(inner, n + _SLOPES[method], 0.0)


def _quantile(name: str, function: Any, skip: bool, per: float) -> Any:
    def apply(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
        interpolation: Any = None,
    ) -> Any:
        if interpolation is not None:
            raise unsupported(name, "interpolation=", "use method=")
        a, q = lift(a), lift(q)
        weights = plain(weights, name)  # which element is picked changes in steps with them
        tag = max(tag_of(a), tag_of(q))
        below = [v.p if tag_of(v) == tag else v for v in (a, q)]
        more = {} if weights is None else {"weights": weights}
        y = function(below[0], below[1], axis, None, False, method, flag(keepdims), **more)
        return _joined(y, _tangents(name, a, q, tag, (axis, method, weights, skip, per)), tag)

    return apply


def _joined(y: Any, t: Any, tag: int) -> Any:
    t = np.reshape(t, (t.shape[0], *np.shape(y))).astype(np.result_type(y))
    return join(y, np.where(np.isnan(y), np.nan, t) if np.any(np.isnan(y)) else t, tag)


def _tangents(name: str, a: Any, q: Any, tag: int, how: tuple[Any, ...]) -> Any:
    axis, method, weights, skip, per = how
    folded = fold(a, axis)
    values = plain(folded, name)
    order = np.argsort(values, axis=-1, kind="stable")
    s: Any = np.sort(folded, axis=-1)
    level = np.asarray(plain(q, name), dtype=float) / per
    n = np.sum(np.logical_not(np.isnan(values)), axis=-1)
    sorted_weights = None if weights is None else np.take_along_axis(_spread(weights, a, axis), order, axis=-1)
    v = _many_positions(n if skip else np.full_like(n, values.shape[-1]), level, method, sorted_weights)
    low = np.floor(v).astype(int)
    part: Any = v - low
    slope = _slope(n, level, v, method) / per
    below = q.p if tag_of(q) == tag else q
    if tag_of(below):  # of an outer call: the position moves with it
        part = part + slope * _beside(below - plain(below, name), n)
    high = np.minimum(low + 1, np.maximum(n - 1, 0)) if top(q) else np.ceil(v).astype(int)
    unknown = n == 0 if skip else n < values.shape[-1]
    t: Any = 0.0
    if tag_of(a) == tag:
        pair = [_each_row(tangent(s, tag), at) for at in (low, high)]
        t = np.where(v == low, pair[0], pair[0] + part * (pair[1] - pair[0])) if not tag_of(below) else pair[0] + part * (pair[1] - pair[0])
    if tag_of(q) == tag:
        bare = s.p if tag_of(s) == tag else s
        rise = (_neighbour(bare, high) - _neighbour(bare, low)) * slope
        t = t + rise * _beside(tangent(q, tag), n)
    return np.where(unknown, np.nan, t) if np.any(unknown) else t


def _beside(q: Any, n: Any) -> Any:
    """What has the axes of q, with room for those of the slices behind them."""
    return np.reshape(q, (*np.shape(q), *(1,) * np.ndim(n)))


def _spread(weights: Any, a: Any, axis: Any) -> Any:
    """Weights in the shape of the folded array."""
    weights = np.asarray(weights)
    if weights.shape != a.shape:
        weights = np.broadcast_to(np.reshape(weights, [m if i == axis % a.ndim else 1 for i, m in enumerate(a.shape)]), a.shape)
    return fold(weights, axis)


def _each_row(t: Any, at: Any) -> Any:
    """The neighbours among stacked tangents, (k, ..., n): (k, q..., ...)."""
    if not t.shape[-1]:
        return np.zeros((t.shape[0], *at.shape), t.dtype)
    nq = at.ndim - t.ndim + 2
    rest = at.shape[nq:]
    last = np.moveaxis(np.reshape(at, (-1, *rest)), 0, -1)
    picked = np.take_along_axis(t, np.broadcast_to(last, (t.shape[0], *last.shape)), axis=-1)
    return np.reshape(np.moveaxis(picked, -1, 1), (t.shape[0], *at.shape))


rule(np.quantile)(_quantile("np.quantile", np.quantile, False, 1.0))
rule(np.percentile)(_quantile("np.percentile", np.percentile, False, 100.0))
rule(np.nanquantile)(_quantile("np.nanquantile", np.nanquantile, True, 1.0))
rule(np.nanpercentile)(_quantile("np.nanpercentile", np.nanpercentile, True, 100.0))


def _median(name: str, function: Any, skip: bool) -> Any:
    def apply(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
        y = function(a.p, axis, None, False, flag(keepdims))
        return _joined(y, _tangents(name, a, 0.5, a.tag, (axis, "linear", None, skip, 1.0)), a.tag)

    return apply


rule(np.median)(_median("np.median", np.median, False))
rule(np.nanmedian)(_median("np.nanmedian", np.nanmedian, True))
