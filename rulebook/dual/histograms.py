"""Histograms: counts do not move with the data; weights, densities and the edges of equal bins do."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import unsupported
from rulebook.dual.lifting import lift, plain
from rulebook.dual.parts import is_dual, top
from rulebook.dual.registry import rule

__all__: list[str] = []


@rule(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    if is_dual(x):
        raise TypeError("Cannot cast array data from dtype('float64') to dtype('int64') according to the rule 'safe'")
    x = np.asarray(x)
    total = np.zeros(max(int(np.max(x, initial=-1)) + 1, minlength), like=weights)
    np.add.at(total, x, weights)
    return total


@rule(np.histogram_bin_edges)
def _edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    bins = lift(bins)
    if np.ndim(bins) == 1:
        return bins
    values = np.reshape(plain(lift(a), "np.histogram()"), (-1,))
    n = len(np.histogram_bin_edges(values, bins, plain(range, "np.histogram()"))) - 1
    flat = np.reshape(lift(a), (-1,))
    low, high = range if range is not None else ((np.min(flat), np.max(flat)) if np.size(flat) else (0.0, 1.0))
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, n + 1)


@rule(np.histogram)
def _histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    a, weights = np.reshape(lift(a), (-1,)), lift(weights)
    edges = _edges(a, bins, range, weights)
    values, at = plain(a, "np.histogram()"), plain(edges, "np.histogram()")
    if top(weights):
        place = np.searchsorted(at, values, side="right") - 1
        place = np.where(values == at[-1], len(at) - 2, place)
        inside = np.logical_and(values >= at[0], values <= at[-1])
        counts = np.bincount(place[inside], np.reshape(weights, (-1,))[inside], len(at) - 1)
    else:
        counts = np.histogram(values, at, weights=weights)[0]
    if density:
        counts = counts / np.diff(edges) / np.sum(counts)
    return counts, edges


@rule(np.histogramdd)
def _histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    columns = list(np.transpose(np.stack(list(sample), axis=1) if isinstance(sample, (list, tuple)) else lift(sample)))
    each_bins = [bins] * len(columns) if np.ndim(bins) == 0 else list(bins)
    ranges = [None] * len(columns) if range is None else list(range)
    edges = [_edges(*pair) for pair in zip(columns, each_bins, ranges, strict=True)]
    if top(weights) or (density and top(edges)):
        raise unsupported("np.histogramdd", "weights or densities with tangents", "use np.histogram, or pass plain weights and bins")
    values = np.stack([plain(c, "np.histogramdd()") for c in columns], axis=1)
    return np.histogramdd(values, [plain(e, "np.histogramdd()") for e in edges], None, density, weights)[0], tuple(edges)


@rule(np.histogram2d)
def _histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    if np.ndim(bins) == 1 and len(bins) > 2:
        bins = [bins, bins]
    counts, edges = np.histogramdd([lift(x), lift(y)], bins, range, density, weights)
    return counts, edges[0], edges[1]
