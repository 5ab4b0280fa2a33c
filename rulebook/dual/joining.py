"""Functions that join arrays, and take them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead
from rulebook.dual.lifting import lift
from rulebook.dual.parts import expand, join, primal, tag_of, tangent, top
from rulebook.dual.registry import rule
from rulebook.dual.scalar import Dual

__all__: list[str] = []


@rule(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    at = np.array_split(np.arange(ary.shape[axis]), indices_or_sections)
    return [ary[(slice(None),) * (axis % ary.ndim) + (slice(int(i[0]), int(i[-1]) + 1) if len(i) else slice(0, 0),)] for i in at]


@rule(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    np.split(np.empty(ary.shape[axis]), indices_or_sections)  # raises where the parts are not equal
    return _array_split(ary, indices_or_sections, axis)


@rule(np.hsplit)
def _hsplit(ary: Any, indices_or_sections: Any) -> Any:
    return np.split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@rule(np.vsplit)
def _vsplit(ary: Any, indices_or_sections: Any) -> Any:
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return np.split(ary, indices_or_sections, 0)


@rule(np.dsplit)
def _dsplit(ary: Any, indices_or_sections: Any) -> Any:
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return np.split(ary, indices_or_sections, 2)


def _stacked(items: Any, tag: int, ndim: int) -> list[Any]:
    """The tangents of items of one stack; zeros for constants."""
    ts = [tangent(x, tag) for x in items]
    k, dtype = next((t.shape[0], t.dtype) for t in ts if t is not None)
    return [np.zeros((k, *np.shape(x)), dtype) if t is None else expand(t, np.ndim(x), ndim) for x, t in zip(items, ts, strict=True)]


def _items(arrays: Any) -> list[Any]:
    return [lift(a) if isinstance(a, (list, tuple)) or (type(a) is np.ndarray and a.dtype.hasobject) else a for a in arrays]


@rule(np.concatenate, np.concat)
def _concatenate(arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = None) -> Any:
    if dtype is not None:
        return np.concatenate(arrays, axis).astype(dtype)
    arrays = _items(arrays)
    tag = top(arrays)
    if axis is None:
        arrays, axis = [np.reshape(a, (-1,)) for a in arrays], 0
    p = np.concatenate([primal(a, tag) for a in arrays], axis)
    return join(p, np.concatenate(_stacked(arrays, tag, 0), lead(axis, p.ndim)), tag)


@rule(np.stack)
def _stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = None) -> Any:
    if dtype is not None:
        return np.stack(arrays, axis).astype(dtype)
    arrays = _items(arrays)
    tag = top(arrays)
    if axis == 0 and all(type(x) is Dual and x.tag == tag and type(x.t) is float for x in arrays):
        p = np.array([x.p for x in arrays]) if not any(tag_of(x.p) for x in arrays) else np.stack([x.p for x in arrays])
        return join(p, np.array([[x.t for x in arrays]]), tag)
    p = np.stack([primal(a, tag) for a in arrays], axis)
    return join(p, np.stack(_stacked(arrays, tag, 0), lead(axis, p.ndim)), tag)


@rule(np.hstack)
def _hstack(tup: Any, **options: Any) -> Any:
    arrays = [np.atleast_1d(a) for a in _items(tup)]
    return np.concatenate(arrays, 0 if np.ndim(arrays[0]) == 1 else 1, **options)


@rule(np.vstack)
def _vstack(tup: Any, **options: Any) -> Any:
    return np.concatenate([np.atleast_2d(a) for a in _items(tup)], 0, **options)


@rule(np.dstack)
def _dstack(tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(a) for a in _items(tup)], 2)


@rule(np.column_stack)
def _column_stack(tup: Any) -> Any:
    return np.concatenate([np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in _items(tup)], 1)


@rule(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    n = len(xi)
    places = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    made = [np.reshape(x, [-1 if i == at else 1 for i in range(n)]) for x, at in zip(xi, places, strict=True)]
    made = made if sparse else np.broadcast_arrays(*made)  # type: ignore[assignment]
    return tuple(np.copy(x) if copy and np.ndim(x) else x for x in made)
