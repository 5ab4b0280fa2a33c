"""Sorting, and what is made of sorted numbers: elements that are equal share their tangents, as those of an extremum do."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import gather, lift, plain, positions
from rulebook.dual.parts import is_dual, join, tangent
from rulebook.dual.registry import FUNCTIONS, rule

__all__ = ["segment_means", "shared"]


def segment_means(t: Any, segment: Any, n: int) -> Any:
    """The means of t[:, i] over those i that are in each of n segments."""
    total = np.zeros_like(t, shape=(t.shape[0], n, *t.shape[2:]))
    at: Any = (slice(None), segment)
    np.add.at(total, at, t)
    return total / np.reshape(np.bincount(segment, minlength=n), (n, *(1,) * (t.ndim - 2)))


def shared(y: Any, values: Any) -> Any:
    """y with the mean of the tangents where elements next to each other, along the last axis, are equal; `values` are its primals."""
    equal = values[..., 1:] == values[..., :-1]
    if not np.any(equal):
        return y
    new = np.concatenate([np.ones((*values.shape[:-1], 1), bool), np.logical_not(equal)], axis=-1)
    segment = np.cumsum(np.reshape(new, (-1,))) - 1  # each row starts with a new one
    t = tangent(y, y.tag)
    flat = np.reshape(t, (t.shape[0], y.size))
    means = segment_means(flat, segment, int(segment[-1]) + 1)
    return join(y.p, np.reshape(np.take(means, segment, axis=1), t.shape), y.tag)


def _ordered(a: Any, axis: Any, order: Any, what: str) -> Any:
    """a in the order of indices, its equal elements sharing tangents; the rule of the primal again, for those of outer calls."""
    y = np.take_along_axis(a, order, axis=axis)
    last = np.moveaxis(y, axis, -1)
    return np.moveaxis(shared(last, plain(last, what)), -1, axis)


@rule(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return _ordered(a, axis, np.argsort(a, axis=axis, kind=kind, stable=stable), "np.sort()")


@rule(np.partition)
def _partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None) -> Any:
    """Equal elements may be apart in what is partitioned: they are brought together, share, and go back."""
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    y = np.take_along_axis(a, np.argpartition(a, kth, axis=axis, kind=kind), axis=axis)
    order = np.argsort(y, axis=axis, kind="stable")
    return np.take_along_axis(_ordered(y, axis, order, "np.partition()"), np.argsort(order, axis=axis, kind="stable"), axis=axis)


@rule(np.sort_complex)
def _sort_complex(a: Any) -> Any:
    y = np.sort(a)
    return y if y.dtype.kind == "c" else y.astype(np.result_type(y.dtype, np.complex64))


def _unique(ar: Any, axis: Any, equal_nan: bool, sort: Any) -> tuple[Any, ...]:
    """The distinct elements, and where each comes first, which it is, and how often it is there."""
    values = plain(ar, "np.unique()")
    options = {} if sort is None else {"sorted": sort}
    found = np.unique(values, True, True, True, axis, equal_nan=equal_nan, **options)
    _, first, inverse, counts = found
    if axis is None:
        y = gather(ar, first)
        moved = np.reshape(tangent(ar, ar.tag), (tangent(ar, ar.tag).shape[0], ar.size))
    else:
        y = np.take(ar, first, axis)
        moved = np.moveaxis(tangent(ar, ar.tag), axis % ar.ndim + 1, 1)
    if len(counts) != np.size(inverse):
        t = segment_means(moved, np.reshape(inverse, (-1,)), len(counts))
        y = join(y.p, t if axis is None else np.moveaxis(t, 1, axis % ar.ndim + 1), ar.tag)
    return y, first, inverse, counts


@rule(np.unique)
def _unique_of(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: Any = None,
) -> Any:
    found = _unique(np.atleast_1d(lift(ar)), axis, equal_nan, sorted)
    if axis is None and not (return_index or return_inverse or return_counts):
        return found[0]
    inverse = np.unique(np.zeros(np.shape(ar), int), return_inverse=True)[1].shape if axis is None else found[2].shape
    some = [
        v
        for v, asked in zip((found[1], found[2].reshape(inverse), found[3]), (return_index, return_inverse, return_counts), strict=True)
        if asked
    ]
    return (found[0], *some) if some else found[0]


def _named(function: Any, places: tuple[int, ...]) -> None:
    """The forms of the array API, where NaN is not equal to NaN."""
    if function is None:
        return
    kind = type(function(np.zeros(1)))

    @rule(function)
    def apply(x: Any, /, **options: Any) -> Any:
        found = _unique(np.atleast_1d(x), None, False, options.get("sorted"))
        some = [found[0], *(found[i] if i != 2 else found[2].reshape(np.shape(x)) for i in places)]
        return some[0] if kind is np.ndarray else kind(*some)


for _name, _places in (("unique_values", ()), ("unique_counts", (3,)), ("unique_inverse", (2,)), ("unique_all", (1, 2, 3))):
    _named(getattr(np, _name, None), _places)


@rule(np.union1d)
def _union1d(ar1: Any, ar2: Any) -> Any:
    return np.unique(np.concatenate([np.reshape(lift(v), (-1,)) for v in (ar1, ar2)]))


@rule(np.setdiff1d)
def _setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    first = np.reshape(lift(ar1), (-1,)) if assume_unique else np.unique(lift(ar1))
    return first[np.isin(first, ar2, assume_unique=True, invert=True)]


def _both(ar1: Any, ar2: Any, assume_unique: bool) -> tuple[Any, Any]:
    """The elements of both, sorted, and where each begins that is not equal to the one before."""
    some = [np.reshape(lift(v), (-1,)) for v in (ar1, ar2)]
    both = np.sort(np.concatenate(some if assume_unique else [np.unique(v) for v in some]))
    values = plain(both, "sets of numpy")
    return both, np.concatenate([[True], values[1:] != values[:-1], [True]])


@rule(np.setxor1d)
def _setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    both, new = _both(ar1, ar2, assume_unique)
    return both[new[1:] & new[:-1]] if both.size else both


@rule(np.intersect1d)
def _intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    both, new = _both(ar1, ar2, assume_unique)
    common = both[np.logical_not(new[1:])]
    if not return_indices:
        return common
    values = [plain(np.reshape(lift(v), (-1,)), "np.intersect1d()") for v in (ar1, ar2)]
    return (common, *np.intersect1d(values[0], values[1], assume_unique, True)[1:])


def _positions_of(function: Any) -> None:
    """Functions that only move elements: what they do to positions."""
    FUNCTIONS[function] = lambda x, *args, **kwargs: gather(x, function(positions(np.shape(x)), *args, **kwargs))


for _function in (np.delete, np.lib.stride_tricks.sliding_window_view, np.resize):
    _positions_of(_function)


@rule(getattr(np, "unstack", None))
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    return tuple(np.moveaxis(x, axis, 0)) if is_dual(x) else np.unstack(x, axis=axis)
