"""Functions that insert, choose and write elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.lifting import gather, lift, plain, positions
from rulebook.dual.parts import is_dual, top
from rulebook.dual.registry import rule

__all__: list[str] = []


def _like(values: Any, a: Any) -> Any:
    """Values in the dtype of a, as NumPy writes them."""
    values = lift(values)
    dtype = np.result_type(a)
    if np.result_type(values) == dtype:
        return values
    return values.astype(dtype) if hasattr(values, "astype") else np.asarray(values).astype(dtype)


def _together(*arrays: Any) -> Any:
    return np.concatenate([np.reshape(a, (-1,)) for a in arrays])


@rule(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    arr = lift(arr)
    values = _like(values, arr)
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    at = np.insert(positions(np.shape(arr)), obj, np.size(arr) + positions(np.shape(values)), axis)
    return gather(_together(arr, values), at)


@rule(np.choose)
def _choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    choices = np.broadcast_arrays(*(lift(c) for c in choices))
    shape = np.broadcast_shapes(np.shape(a), np.shape(choices[0]))
    spots = np.broadcast_to(positions(np.shape(choices[0])), shape)
    n = int(np.size(choices[0]))
    which = np.choose(a, np.reshape(np.arange(len(choices)), (-1, *(1,) * len(shape))), mode=mode)  # type: ignore[call-overload]
    return gather(_together(*choices), which * n + spots)


@rule(np.extract)
def _extract(condition: Any, arr: Any) -> Any:
    return gather(lift(arr), np.flatnonzero(condition))


@rule(np.trim_zeros)
def _trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    filt = lift(filt)
    used = np.not_equal(filt, 0)
    axes = range(used.ndim) if axis is None else [i % used.ndim for i in ((axis,) if np.ndim(axis) == 0 else axis)]
    key: list[Any] = [slice(None)] * used.ndim
    for i in axes:
        some = np.flatnonzero(np.any(used, axis=tuple(j for j in range(used.ndim) if j != i)))
        start = some[0] if "f" in trim.lower() and some.size else 0
        stop = some[-1] + 1 if "b" in trim.lower() and some.size else used.shape[i]
        key[i] = slice(int(start), int(stop)) if some.size else slice(0, 0)
    return filt[tuple(key)]


def _target(name: str, a: Any, values: Any) -> None:
    """Raise where a plain array would lose the tangents written to it."""
    if not is_dual(a) and top(values):
        raise DroppedTangentError(
            f"{name} (engine dual), into {describe(a)}.",
            "a dual array",
            "values with tangents, which would be lost",
            "make the array with np.zeros_like(x) of a dual array",
        )


def _write_at(a: Any, at: Any, values: Any) -> None:
    """Write to places of the flattened array; one without axes has one place, and the last value stays."""
    if a.ndim:
        a[np.unravel_index(at, a.shape)] = values
    elif at.size:
        a[()] = values[-1]


@rule(np.put)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    v = lift(v)
    _target("np.put", a, v)
    at = np.take(positions(a.shape), plain(ind, "np.put()"), mode=mode)  # type: ignore[call-overload]
    if np.size(v):
        _write_at(a, np.ravel(at), np.resize(np.reshape(v, (-1,)), (np.size(at),)))


@rule(np.place)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    vals = lift(vals)
    _target("np.place", arr, vals)
    at = np.flatnonzero(mask)
    if at.size and not np.size(vals):
        raise ValueError("Cannot insert from an empty array!")
    if at.size:
        _write_at(arr, at, np.resize(np.reshape(vals, (-1,)), (at.size,)))


@rule(np.putmask)
def _putmask(a: Any, mask: Any, values: Any) -> None:
    values = lift(values)
    _target("np.putmask", a, values)
    at = np.flatnonzero(mask)
    if at.size and np.size(values):
        _write_at(a, at, gather(values if np.ndim(values) else np.reshape(values, (1,)), at % np.size(values)))


@rule(np.put_along_axis)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    values = lift(values)
    _target("np.put_along_axis", arr, values)
    at = positions(arr.shape)
    at = np.take_along_axis(at.ravel() if axis is None else at, indices, axis=0 if axis is None else axis)
    arr[np.unravel_index(at, arr.shape)] = values


@rule(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    src = lift(src)
    _target("np.copyto", dst, src)
    if not np.can_cast(np.result_type(src), dst.dtype, casting) and not isinstance(src, (int, float, complex)):  # type: ignore[arg-type]
        raise TypeError(f"Cannot cast array data from {np.result_type(src)!r} to {dst.dtype!r} according to the rule {casting!r}")
    dst[...] = src if where is True else np.where(where, src, dst)


@rule(np.fill_diagonal)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    val = lift(val)
    _target("np.fill_diagonal", a, val)
    marked = np.zeros(a.shape, bool)
    np.fill_diagonal(marked, True, wrap)
    at = np.flatnonzero(marked)
    a[np.unravel_index(at, a.shape)] = np.resize(np.reshape(val, (-1,)), (at.size,))


@rule(np.append)
def _append(arr: Any, values: Any, axis: Any = None) -> Any:
    if axis is None:
        return _together(lift(arr), lift(values))
    return np.concatenate([lift(arr), lift(values)], axis)


@rule(np.block)
def _block(arrays: Any) -> Any:
    depth, ndim = _depth(arrays)
    return _blocks(arrays, depth, max(ndim, depth), 0)


def _depth(arrays: Any) -> tuple[int, int]:
    """How deep the lists are nested, and the most axes of an array in them."""
    if type(arrays) is not list:
        return 0, np.ndim(arrays)
    if not arrays:
        raise ValueError("List at arrays cannot be empty")
    inner = [_depth(a) for a in arrays]
    if len({d for d, _ in inner}) > 1:
        raise ValueError("List depths are mismatched.")
    return inner[0][0] + 1, max(n for _, n in inner)


def _blocks(arrays: Any, depth: int, ndim: int, level: int) -> Any:
    if level == depth:
        return np.reshape(arrays, (*(1,) * (ndim - np.ndim(arrays)), *np.shape(arrays)))
    return np.concatenate([_blocks(a, depth, ndim, level + 1) for a in arrays], axis=level - depth)
