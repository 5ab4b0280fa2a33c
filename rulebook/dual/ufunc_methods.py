"""The methods of ufuncs: reduce, accumulate, reduceat, outer and at.

Those of add, multiply, maximum and minimum are functions of their own; the others go through the
elements in order, by the rule of the ufunc itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead
from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.lifting import UNSET, flag, fold, gathered, given, lift, positions, unfold
from rulebook.dual.parts import is_dual, join, tangent, top
from rulebook.dual.registry import METHODS

__all__: list[str] = []


def _reduce_by(function: Any) -> Any:
    """ufunc.reduce, where a function does it: over axis 0 by default."""

    def apply(a: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False, initial: Any = UNSET, where: Any = True) -> Any:
        if dtype is not None:
            a = a.astype(dtype)
        if where is True:
            return function(a, axis=axis, keepdims=keepdims, initial=initial)
        return function(a, axis=axis, keepdims=keepdims, initial=initial, where=where)

    return apply


def _accumulate_by(function: Any) -> Any:
    return lambda a, axis=0, dtype=None: function(a, axis=axis, dtype=dtype)


METHODS[np.add, "reduce"] = _reduce_by(np.sum)
METHODS[np.multiply, "reduce"] = _reduce_by(np.prod)
METHODS[np.maximum, "reduce"] = _reduce_by(np.max)
METHODS[np.minimum, "reduce"] = _reduce_by(np.min)
METHODS[np.fmax, "reduce"] = _reduce_by(np.nanmax)
METHODS[np.fmin, "reduce"] = _reduce_by(np.nanmin)
METHODS[np.add, "accumulate"] = _accumulate_by(np.cumsum)
METHODS[np.multiply, "accumulate"] = _accumulate_by(np.cumprod)


def _reduce(ufunc: Any, a: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False, initial: Any = UNSET, where: Any = True) -> Any:
    a = lift(a) if dtype is None else lift(a).astype(dtype)
    ufunc.reduce(np.zeros(a.shape, bool).astype(a.dtype), axis=axis) if np.ndim(axis) or axis is None else None  # some refuse several axes
    folded, picked = fold(a, axis), fold(np.broadcast_to(where, a.shape), axis)
    n = folded.shape[-1]
    start = given(initial)
    if not start and (not n or where is not True):
        initial = ufunc.reduce(np.zeros(0))  # its identity, or NumPy's error
    y = initial if start or not n or where is not True else folded[..., 0]
    for i in range(0 if start or not n or where is not True else 1, n):
        y = ufunc(y, folded[..., i]) if where is True else np.where(picked[..., i], ufunc(y, folded[..., i]), y)
    return unfold(np.broadcast_to(y, folded.shape[:-1]) + 0 * np.sum(folded, -1) if not n else y, axis, a.shape, flag(keepdims))


def _accumulate(ufunc: Any, a: Any, axis: int = 0, dtype: Any = None) -> Any:
    a = lift(a) if dtype is None else lift(a).astype(dtype)
    moved = np.moveaxis(a, axis, 0)
    made = [moved[0]] if len(moved) else []
    for i in range(1, len(moved)):
        made.append(ufunc(made[-1], moved[i]))
    return np.stack(made, axis) if made else a


def _reduceat(ufunc: Any, a: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    a = lift(a) if dtype is None else lift(a).astype(dtype)
    moved, at = np.moveaxis(a, axis, 0), [int(i) for i in np.asarray(indices)]
    if any(not 0 <= i < len(moved) for i in at):
        raise IndexError(f"index out-of-bounds in {ufunc.__name__}.reduceat [0, {len(moved)})")
    ends = [*at[1:], len(moved)]
    return np.stack([ufunc.reduce(moved[i:end]) if i < end else moved[i] for i, end in zip(at, ends, strict=True)], axis)


def _add_reduceat(a: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    a = a if dtype is None else a.astype(dtype)
    if is_dual(a.p):
        return _reduceat(np.add, a, indices, axis)
    return join(np.add.reduceat(a.p, indices, axis), np.add.reduceat(tangent(a, a.tag), indices, lead(axis, a.ndim)), a.tag)


METHODS[None, "reduce"] = _reduce
METHODS[None, "accumulate"] = _accumulate
METHODS[None, "reduceat"] = _reduceat
METHODS[np.add, "reduceat"] = _add_reduceat


def _outer(ufunc: Any, a: Any, b: Any, **options: Any) -> Any:
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **options)


METHODS[None, "outer"] = _outer


def _check_target(ufunc: Any, a: Any, values: Any) -> None:
    if not is_dual(a) or a.tag < top(values):
        raise DroppedTangentError(
            f"numpy.{ufunc.__name__}.at (engine dual), into {describe(a)}.",
            "an array that takes the tangents of the values",
            "one that does not",
            "make the array with np.zeros_like of a dual array",
        )


def _add_at(ufunc: Any, sign: float) -> Any:
    def apply(a: Any, key: Any, values: Any) -> None:
        """Unbuffered `a[key] += values`: repeated indices add up."""
        values = lift(values)
        _check_target(ufunc, a, values)
        tag = top(values)
        same = tag == a.tag
        new, t = (values.p, tangent(values, tag)) if same else (values, 0.0)
        p, b = a.writable(new, t)
        at = positions(a.shape)[key]
        rows = np.arange(len(b)).reshape(-1, *(1,) * np.ndim(at))
        whole = np.unravel_index(at, a.shape)
        np.add.at(p, whole, sign * new)
        if same:
            np.add.at(b, (rows, *(np.asarray(w)[None] for w in whole)), sign * tangent(values, tag, np.ndim(at)))

    return apply


METHODS[np.add, "at"] = _add_at(np.add, 1.0)
METHODS[np.subtract, "at"] = _add_at(np.subtract, -1.0)


def _at(ufunc: Any, a: Any, key: Any, *values: Any) -> None:
    """The same for any ufunc: one element after the other."""
    others = tuple(map(lift, values))
    _check_target(ufunc, a, list(others))
    at = positions(a.shape)[key]
    spread = [np.reshape(np.broadcast_to(v, np.shape(at)), (-1,)) for v in others]
    for i, place in enumerate(np.ravel(at)):
        where = np.unravel_index(place, a.shape)
        a[where] = ufunc(a[where], *(v[i] for v in spread))


METHODS[None, "at"] = _at


def _objects(ufunc: Any, *inputs: Any) -> Any:
    """A function made by np.frompyfunc: on each element."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in inputs))
    made = ufunc(*(_cells(np.broadcast_to(lift(x), shape)) for x in inputs))
    results = tuple(np.reshape(gathered(y), shape) if shape else y[0] for y in (made if ufunc.nout > 1 else (made,)))
    return results if ufunc.nout > 1 else results[0]


def _cells(x: Any) -> Any:
    """The elements in an array of objects."""
    flat = np.reshape(x, (-1,))
    cells = np.empty(flat.size, object)
    for i in range(flat.size):
        cells[i] = flat[i]
    return cells


METHODS[None, "objects"] = _objects
