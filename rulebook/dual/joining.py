"""Functions that join arrays, and take them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead
from rulebook.dual.errors import unsupported
from rulebook.dual.parts import expand, join, primal, tag_of, tangent, top
from rulebook.dual.registry import rule
from rulebook.dual.scalar import Dual

__all__: list[str] = []


@rule(np.split, np.array_split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    at = np.array_split(np.arange(ary.shape[axis]), indices_or_sections)
    return [ary[(slice(None),) * (axis % ary.ndim) + (slice(int(i[0]), int(i[-1]) + 1) if len(i) else slice(0, 0),)] for i in at]


def _stacked(items: Any, tag: int, ndim: int) -> list[Any]:
    """The tangents of items of one stack; zeros for constants."""
    ts = [tangent(x, tag) for x in items]
    k = next(t.shape[0] for t in ts if t is not None)
    return [np.zeros((k, *np.shape(x))) if t is None else expand(t, np.ndim(x), ndim) for x, t in zip(items, ts, strict=True)]


def _items(arrays: Any) -> list[Any]:
    return [np.stack(list(a)) if isinstance(a, (list, tuple)) and top(a) else a for a in arrays]


@rule(np.concatenate, np.concat)
def _concatenate(arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = None) -> Any:
    if out is not None or dtype is not None:
        raise unsupported("np.concatenate", "out= or dtype=", "use astype on the result")
    arrays = _items(arrays)
    tag = top(arrays)
    if axis is None:
        arrays, axis = [np.reshape(a, (-1,)) for a in arrays], 0
    p = np.concatenate([primal(a, tag) for a in arrays], axis)
    return join(p, np.concatenate(_stacked(arrays, tag, 0), lead(axis, p.ndim)), tag)


@rule(np.stack)
def _stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = None) -> Any:
    if out is not None or dtype is not None:
        raise unsupported("np.stack", "out= or dtype=", "use astype on the result")
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


@rule(np.append)
def _append(arr: Any, values: Any, axis: Any = None) -> Any:
    if axis is None:
        arr, values = np.reshape(arr, (-1,)), np.reshape(_items([values])[0], (-1,))
    return np.concatenate([arr, values], 0 if axis is None else axis)


@rule(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    n = len(xi)
    places = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    made = [np.reshape(x, [-1 if i == at else 1 for i in range(n)]) for x, at in zip(xi, places, strict=True)]
    made = made if sparse else np.broadcast_arrays(*made)  # type: ignore[assignment]
    return tuple(np.copy(x) if copy and np.ndim(x) else x for x in made)
