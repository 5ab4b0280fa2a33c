"""Functions that move, repeat and pick elements: linear, the same on each tangent behind the leading axis."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from rulebook.dual.array import DualArray, aliases
from rulebook.dual.axes import lead
from rulebook.dual.errors import dropped, unsupported
from rulebook.dual.parts import expand, join, peel, tangent
from rulebook.dual.registry import rule
from rulebook.dual.scalar import Dual, stack

__all__ = ["move"]


def move(x: Any, on_p: Any, on_t: Any) -> Any:
    """x with its elements moved: a view where NumPy makes one."""
    if type(x) is Dual:
        return join(on_p(x.p), on_t(stack(x.t)), x.tag)
    q = on_p(x.p)
    if q.ndim and aliases(q, x.p):
        return x.seen_by(q, on_p, on_t)
    return join(q, on_t(x.tangent), x.tag)


def _by_columns(name: str, a: Any, order: Any) -> bool:
    """Whether an order means that the first index changes fastest."""
    if order not in ("A", "K"):
        return bool(order == "F")
    flags = np.asarray(peel(a)).flags
    if order == "K" and not (flags.c_contiguous or flags.f_contiguous):
        raise unsupported(name, "order='K' of an array that is not contiguous", "use order='C' or 'F'")
    return bool(flags.f_contiguous and not flags.c_contiguous)


@rule(np.reshape)
def _reshape(a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    shape = newshape if shape is None else shape
    new = np.empty(a.shape, bool).reshape(shape).shape
    if order != "C" and _by_columns("np.reshape", a, order):
        return np.transpose(np.reshape(np.transpose(a), new[::-1]))
    y = move(a, lambda c: np.reshape(c, new), lambda t: np.reshape(t, (t.shape[0], *new)))
    return np.copy(y) if copy else y


@rule(np.ravel)
def _ravel(a: Any, order: Any = "C") -> Any:
    return _reshape(a, (-1,), order)


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
    made = [np.stack(a) if isinstance(a, (list, tuple)) else a for a in arrays]
    return fn(made[0]) if len(made) == 1 else tuple(fn(a) for a in made)


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


@rule(np.repeat)
def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    if axis is None:
        a, axis = _reshape(a, (-1,)), 0
    return join(np.repeat(a.p, repeats, axis), np.repeat(a.tangent, repeats, lead(axis, a.ndim)), a.tag)


@rule(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    reps = tuple(operator.index(n) for n in ((reps,) if np.ndim(reps) == 0 else reps))  # a dual is refused
    n = max(A.ndim, len(reps))
    reps = (1,) * (n - len(reps)) + reps
    return join(np.tile(np.reshape(A.p, (1,) * (n - A.ndim) + A.shape), reps), np.tile(tangent(A, A.tag, n), (1, *reps)), A.tag)


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


@rule(np.linalg.diagonal)
def _linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return _diagonal(x, offset, -2, -1)


@rule(np.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    n = a.ndim
    return move(a, lambda c: np.diagonal(c, offset, axis1, axis2), lambda t: np.diagonal(t, offset, lead(axis1, n), lead(axis2, n)))


@rule("astype", getattr(np, "astype", None))  # NumPy 2.1
def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    kind = np.dtype(dtype).kind
    if kind not in "fc" or (kind == "f" and x.dtype.kind == "c"):
        dropped(f"x.astype({np.dtype(dtype)})", x, "use x.real for the real part, or rb.stop_gradient(x).astype(...)")
    p = x.p if hasattr(x.p, "dtype") else np.asarray(x.p)
    return join(p.astype(dtype), tangent(x, x.tag).astype(dtype), x.tag)


@rule(np.copy)
def _copy(a: Any, order: Any = "K", subok: bool = False) -> Any:
    if type(a) is DualArray and not a.ndim:  # one without axes stays what can be written to
        return DualArray(np.copy(a.p), None, np.copy(a.tangent), a.tag)
    return a if type(a) is Dual else join(np.copy(a.p), np.copy(a.tangent), a.tag)
