"""What functions along an axis share, on the arrays of every engine: ends cut and filled, order reversed, axes brought to the end."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engines import engine_of

__all__ = [
    "array",
    "axis_back",
    "axis_last",
    "beside",
    "complex_dtype",
    "cut",
    "fitted",
    "flipped",
    "floating",
    "is_complex",
    "is_floating",
    "joined",
    "numbers",
    "rank_up",
    "real_dtype",
    "zeros",
]

_SINGLE = ("float32", "complex64", "float16", "bfloat16")


def array(x: Any) -> Any:
    """A value as an array of its engine; lists of numbers become one."""
    return x if hasattr(x, "dtype") and hasattr(x, "ndim") else rb.xp(x).asarray(x)


def is_floating(x: Any) -> bool:
    """Whether an array is real or complex floating."""
    return not any(kind in str(x.dtype) for kind in ("int", "bool"))


def is_complex(x: Any) -> bool:
    """Whether an array is complex."""
    return "complex" in str(x.dtype)


def floating(x: Any) -> Any:
    """A value as a floating array: integers become float64, in JAX its default."""
    x = array(x)
    return x if is_floating(x) else x * 1.0


def real_dtype(x: Any) -> Any:
    """The NumPy dtype of the real numbers that go with an array."""
    return np.dtype(np.float32 if any(kind in str(x.dtype) for kind in _SINGLE) else np.float64)


def complex_dtype(x: Any) -> Any:
    """The NumPy dtype of the complex numbers that go with an array."""
    return np.dtype(np.complex64 if real_dtype(x) == np.float32 else np.complex128)


def numbers(x: Any, values: Any) -> Any:
    """Constants as an array of the engine of x, in its precision."""
    values = np.asarray(values)
    return beside(x, values.astype(complex_dtype(x) if values.dtype.kind == "c" else real_dtype(x)))


def beside(x: Any, values: Any) -> Any:
    """A NumPy array as a value of the engine, and on the device, of x: engines do not all take both in one operation."""
    engine = engine_of((x,), "rulebook.rules")
    return values if engine is None else engine.asarray(values, x)


def zeros(x: Any, shape: Sequence[int]) -> Any:
    """Zeros in the precision of x, on its engine; complex for a complex x."""
    return beside(x, np.zeros(tuple(shape), complex_dtype(x) if is_complex(x) else real_dtype(x)))


def flipped(x: Any, *axes: int) -> Any:
    """The array with some axes, the last by default, in reverse order."""
    axes = axes or (-1,)
    xp = rb.xp(x)
    if xp.__name__ == "torch":
        return xp.flip(x, axes)
    steps = [slice(None)] * x.ndim
    for axis in axes:
        steps[axis] = slice(None, None, -1)
    return x[tuple(steps)]


def cut(x: Any, start: int | None, stop: int | None, axis: int = -1, step: int | None = None) -> Any:
    """A slice along one axis."""
    where = [slice(None)] * x.ndim
    where[axis] = slice(start, stop, step)
    return x[tuple(where)]


def joined(values: Sequence[Any], axis: int = -1) -> Any:
    """Arrays one after the other along an axis; those without elements are left out."""
    some = [v for v in values if v.shape[axis]] or [values[0]]
    return some[0] if len(some) == 1 else rb.xp(*some).concatenate(some, axis=axis)


def fitted(x: Any, n: int, axis: int = -1, before: int = 0) -> Any:
    """An array cut to n elements along an axis, or filled with zeros behind, after `before` zeros in front."""
    have = x.shape[axis]
    if have + before > n:
        x, have = cut(x, 0, max(n - before, 0), axis), max(n - before, 0)
    if have == n:
        return x
    shape = list(x.shape)
    shape[axis] = before
    front = zeros(x, shape)
    shape[axis] = n - have - before
    return joined([front, x, zeros(x, shape)], axis)


def axis_last(x: Any, axis: int) -> Any:
    """An axis brought to the end."""
    axis = operator.index(axis)
    return x if axis in (-1, x.ndim - 1) else rb.xp(x).moveaxis(x, axis, -1)


def axis_back(x: Any, axis: int) -> Any:
    """The last axis brought back to where `axis_last` took it from."""
    axis = operator.index(axis)
    return x if axis in (-1, x.ndim - 1) else rb.xp(x).moveaxis(x, -1, axis)


def rank_up(x: Any, ndim: int) -> Any:
    """An array with axes of length one in front, up to so many axes."""
    return x if x.ndim >= ndim else rb.xp(x).reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))
