"""NumPy's coercing functions, which let dual numbers through where the mode is on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual import live
from rulebook.dual.array import DualArray
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.parts import is_dual, top
from rulebook.dual.scalar import Dual, stack

__all__ = ["coercions", "gathered", "refused"]

_WITH_AXES = (np.ascontiguousarray, np.asfortranarray)  # give a number an axis


def refused(error: Exception) -> bool:
    """Whether an error is our refusal, or NumPy's that it caused: "setting an array element with a sequence"."""
    return isinstance(error, DroppedTangentError) or isinstance(error.__cause__, DroppedTangentError)


def gathered(x: Any) -> Any:
    """Duals in nested lists, tuples or an array of objects as one dual array; other values as they are."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.reshape(np.stack(x.ravel().tolist()), x.shape) if top(x.ravel().tolist()) else x
    if isinstance(x, (list, tuple)) and not is_dual(x):
        parts = [gathered(v) for v in x]
        if any(map(is_dual, parts)):
            return np.stack(parts)
    return x


def _through(x: Any, dtype: Any, copy: Any, ndmin: int) -> Any:
    """A dual as the coercing function would make an array of it."""
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is not None and wanted.kind == "O":
        raise DroppedTangentError("An array of objects (engine dual).", "a floating dtype", "a dual", "leave dtype=object away")
    if wanted is not None and wanted != x.dtype:
        x = x.astype(wanted)
    elif (copy is True or copy is np._CopyMode.ALWAYS) and type(x) is DualArray:
        x = np.copy(x)
    if type(x) is Dual:
        x = DualArray(np.asarray(x.p) if not is_dual(x.p) else _through(x.p, None, False, 0), None, stack(x.t), x.tag)
    missing = ndmin - np.ndim(x)
    return np.reshape(x, (1,) * missing + np.shape(x)) if missing > 0 else x


def _coercion(original: Callable[..., Any], copies: bool) -> Callable[..., Any]:
    @functools.wraps(original)
    def coerce(*args: Any, **kwargs: Any) -> Any:
        if not live.is_on():
            return original(*args, **kwargs)
        if not args or not is_dual(args[0]):
            try:
                return original(*args, **kwargs)  # first, so that long lists of numbers are not searched
            except (TypeError, ValueError) as error:
                x = gathered(args[0]) if args and refused(error) else None
                if not is_dual(x):
                    raise
                copies_now: Any = False
        else:
            x, copies_now = args[0], kwargs.get("copy", copies)
        dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
        return _through(x, dtype, copies_now, kwargs.get("ndmin", 1 if original in _WITH_AXES else 0))

    return coerce


def _require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    if live.is_on() and is_dual(a):
        return _through(a, dtype, False, 0)
    return np.require(a, dtype, requirements) if like is None else np.require(a, dtype, requirements, like=like)


def _isscalar(element: Any) -> bool:
    return type(element) is Dual or np.isscalar(element)


def coercions() -> dict[Any, Callable[..., Any]]:
    """Each coercing function, and what stands in its place."""
    found = {f: _coercion(f, copies=f is np.array) for f in (np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)}
    return {**found, np.asarray_chkfinite: _coercion(np.asarray_chkfinite, False), np.require: _require, np.isscalar: _isscalar}
