"""Functions that move, repeat and pick elements: linear, the same on each tangent behind the leading axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.array import DualArray, aliases
from rulebook.dual.axes import lead
from rulebook.dual.elementwise import combine
from rulebook.dual.errors import dropped, unsupported
from rulebook.dual.parts import expand, join, primal, tag_of, tangent, top
from rulebook.dual.registry import rule
from rulebook.dual.scalar import Dual, stack

__all__ = ["move"]


def move(x: Any, on_p: Any, on_t: Any) -> Any:
    """x with its elements moved: a view where NumPy makes one."""
    if type(x) is Dual:
        return join(on_p(x.p), on_t(stack(x.t)), x.tag)
    q = on_p(x.p)
    if q.ndim and aliases(q, x.p):
        return x.view(q, on_p, on_t)
    return join(q, on_t(x.tangent), x.tag)


def _order(name: str, order: Any) -> None:
    if order not in ("C", None, "A", "K"):
        raise unsupported(name, f"order={order!r}", "transpose before and after")


@rule(np.reshape)
def _reshape(a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    _order("np.reshape", order)
    shape = newshape if shape is None else shape
    new = np.empty(a.shape, bool).reshape(shape).shape
    return move(a, lambda c: np.reshape(c, new), lambda t: np.reshape(t, (t.shape[0], *new)))


@rule(np.ravel)
def _ravel(a: Any, order: Any = "C") -> Any:
    _order("np.ravel", order)
    return _reshape(a, (-1,))


@rule(np.transpose, np.permute_dims)
def _transpose(a: Any, axes: Any = None) -> Any:
    axes = tuple(range(a.ndim))[::-1] if axes is None else tuple(axes)
    return move(a, lambda c: np.transpose(c, axes), lambda t: np.transpose(t, (0, *lead(axes, len(axes)))))


@rule(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Any:
    return np.swapaxes(x, -1, -2)


@rule(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    n = a.ndim
    return move(a, lambda c: np.moveaxis(c, source, destination), lambda t: np.moveaxis(t, lead(source, n), lead(destination, n)))


@rule(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    n = a.ndim
    return move(a, lambda c: np.swapaxes(c, axis1, axis2), lambda t: np.swapaxes(t, lead(axis1, n), lead(axis2, n)))


@rule(np.rollaxis)
def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis, start = axis % a.ndim, start + a.ndim if start < 0 else start
    return _moveaxis(a, axis, start - 1 if axis < start else start)


@rule(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Any:
    return _reshape(a, np.expand_dims(np.empty(a.shape, bool), axis).shape)


@rule(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Any:
    return _reshape(a, np.squeeze(np.empty(a.shape, bool), axis).shape)


@rule(np.atleast_1d)
def _atleast_1d(*arys: Any) -> Any:
    return _each(arys, lambda x: x if np.ndim(x) else np.reshape(x, (1,)))


@rule(np.atleast_2d)
def _atleast_2d(*arys: Any) -> Any:
    return _each(arys, lambda x: x if np.ndim(x) > 1 else np.reshape(x, (1, -1)))


@rule(np.atleast_3d)
def _atleast_3d(*arys: Any) -> Any:
    return _each(arys, lambda x: x if np.ndim(x) > 2 else np.reshape(x, np.atleast_3d(np.empty(np.shape(x), bool)).shape))


def _each(arrays: tuple[Any, ...], fn: Any) -> Any:
    return fn(arrays[0]) if len(arrays) == 1 else tuple(fn(a) for a in arrays)


@rule(np.broadcast_to)
def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    n = array.ndim
    return move(array, lambda c: np.broadcast_to(c, shape), lambda t: np.broadcast_to(expand(t, n, len(shape)), (t.shape[0], *shape)))


@rule(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*(np.shape(a) for a in args))
    return tuple(np.broadcast_to(a, shape) for a in args)


@rule(np.flip)
def _flip(m: Any, axis: Any = None) -> Any:
    n = m.ndim
    axes = tuple(range(n)) if axis is None else axis
    return move(m, lambda c: np.flip(c, axes), lambda t: np.flip(t, lead(axes, n)))


@rule(np.flipud)
def _flipud(m: Any) -> Any:
    return _flip(m, 0)


@rule(np.fliplr)
def _fliplr(m: Any) -> Any:
    return _flip(m, 1)


@rule(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    return move(m, lambda c: np.rot90(c, k, axes), lambda t: np.rot90(t, k, lead(axes, m.ndim)))


@rule(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return _reshape(_roll(_reshape(a, (-1,)), shift, 0), a.shape) if a.ndim else a
    return join(np.roll(a.p, shift, axis), np.roll(a.tangent, shift, lead(axis, a.ndim)), a.tag)


@rule(np.take)
def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    if axis is None:
        a, axis = _reshape(a, (-1,)), 0
    return join(np.take(a.p, indices, axis=axis, mode=mode), np.take(a.tangent, indices, axis=lead(axis, a.ndim), mode=mode), a.tag)  # type: ignore[call-overload]


@rule(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = _reshape(arr, (-1,)), 0
    t = arr.tangent
    at = np.broadcast_to(indices, (t.shape[0], *np.shape(indices)))
    return join(np.take_along_axis(arr.p, indices, axis), np.take_along_axis(t, at, lead(axis, arr.ndim)), arr.tag)


@rule(np.compress)
def _compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    if axis is None:
        a, axis = _reshape(a, (-1,)), 0
    return _take(a, np.flatnonzero(condition), axis)


@rule(np.repeat)
def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    if axis is None:
        a, axis = _reshape(a, (-1,)), 0
    return join(np.repeat(a.p, repeats, axis), np.repeat(a.tangent, repeats, lead(axis, a.ndim)), a.tag)


@rule(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    reps = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    n = max(A.ndim, len(reps))
    reps = (1,) * (n - len(reps)) + reps
    return join(np.tile(np.reshape(A.p, (1,) * (n - A.ndim) + A.shape), reps), np.tile(tangent(A, A.tag, n), (1, *reps)), A.tag)


@rule(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    if mode not in ("constant", "edge", "wrap", "reflect", "symmetric") or any(options.values()):
        raise unsupported("np.pad", f"mode={mode!r} {', '.join(options)}".rstrip(), "use np.concatenate")
    at = np.pad(np.arange(array.size).reshape(array.shape), pad_width, mode=mode if mode != "constant" else "edge")
    picked = np.reshape(_take(array, at.reshape(-1)), at.shape)
    if mode != "constant":
        return picked
    inside = np.pad(np.ones(array.shape, bool), pad_width)
    return np.where(inside, picked, 0.0)


@rule(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.copy(_diagonal(v, k))
    n = v.shape[0] + abs(k)
    rows = np.arange(v.shape[0]) + max(-k, 0)
    t = np.zeros_like(v.tangent, shape=(v.tangent.shape[0], n, n))
    t[:, rows, rows + k] = v.tangent
    return join(np.diag(v.p, k), t, v.tag)


@rule(np.diagflat)
def _diagflat(v: Any, k: int = 0) -> Any:
    return _diag(np.reshape(v, (-1,)), k)


@rule(np.diagonal, np.linalg.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    n = a.ndim
    return move(a, lambda c: np.diagonal(c, offset, axis1, axis2), lambda t: np.diagonal(t, offset, lead(axis1, n), lead(axis2, n)))


@rule(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return np.sum(_diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


@rule(np.tril)
def _tril(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(m.shape[-2] if m.ndim > 1 else m.shape[-1], m.shape[-1], k, bool), m, 0.0)


@rule(np.triu)
def _triu(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(m.shape[-2] if m.ndim > 1 else m.shape[-1], m.shape[-1], k - 1, bool), 0.0, m)


@rule("astype", getattr(np, "astype", None))  # NumPy 2.1
def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    kind = np.dtype(dtype).kind
    if kind not in "fc" or (kind == "f" and x.dtype.kind == "c"):
        dropped(f"x.astype({np.dtype(dtype)})", x, "use x.real for the real part, or rb.stop_gradient(x).astype(...)")
    p = x.p if hasattr(x.p, "dtype") else np.asarray(x.p)
    return join(p.astype(dtype), tangent(x, x.tag).astype(dtype), x.tag)


@rule(np.copy)
def _copy(a: Any, order: Any = "K", subok: bool = False) -> Any:
    return a if type(a) is Dual else join(np.copy(a.p), np.copy(a.tangent), a.tag)


@rule(np.where)
def _where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    while tag_of(condition):
        condition = condition != 0
    if x is None and y is None:
        return np.nonzero(condition)
    tag = top(x, y)
    if not tag:
        return np.where(condition, x, y)
    p = np.where(condition, primal(x, tag), primal(y, tag))
    terms = [(np.where(pick, 1.0, 0.0), v) for pick, v in ((condition, x), (np.logical_not(condition), y)) if tag_of(v) == tag]
    if len(terms) == 1 and type(terms[0][1]) is DualArray and terms[0][1].shape == p.shape:
        return combine(tag, p, terms)
    shape = np.shape(p)
    tx, ty = tangent(x, tag, len(shape)), tangent(y, tag, len(shape))
    t = np.where(condition, 0.0 if tx is None else tx, 0.0 if ty is None else ty)
    if t.shape[1:] != shape:
        t = np.broadcast_to(t, ((tx if ty is None else ty).shape[0], *shape))
    return join(p, t, tag)


@rule(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    if out is not None:
        raise unsupported("np.clip", "out=", "leave it away")
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


@rule(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = np.where(condition, choice, y)
    return y


@rule(np.tri)
def _tri_refused(*args: Any, **kwargs: Any) -> Any:
    raise unsupported("np.tri", "like=", "leave like= away")


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
