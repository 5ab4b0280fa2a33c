"""np.pad, by each of its modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual.lifting import gather, lift, positions
from rulebook.dual.registry import rule

__all__: list[str] = []

_STATISTICS: dict[str, Callable[..., Any]] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def _pairs(value: Any, ndim: int) -> list[tuple[Any, Any]]:
    """What is given for each side of each axis, as NumPy broadcasts it."""
    value = lift(value)
    if np.size(value) == 1:
        one = np.reshape(value, (-1,))[0]
        return [(one, one)] * ndim
    if np.shape(value) == (2, 1):
        value = np.reshape(value, (2,)) if ndim != 2 else np.broadcast_to(value, (2, 2))
    both = np.broadcast_to(value, (ndim, 2))
    return [(both[i][0], both[i][1]) for i in range(ndim)]


@rule(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    array = lift(array)
    if callable(mode):
        return _by_function(array, pad_width, mode, options)
    odd = mode in ("reflect", "symmetric") and options.get("reflect_type", "even") == "odd"
    if mode in ("edge", "wrap", "reflect", "symmetric") and not odd:
        return gather(array, np.pad(positions(array.shape), pad_width, mode, **options))
    bare = {name: 0 if name.endswith("values") else value for name, value in options.items()}
    np.pad(np.zeros(array.shape), pad_width, mode, **bare)  # raises NumPy's own errors
    values = [_pairs(options[n], array.ndim) for n in ("constant_values", "end_values", "stat_length") if options.get(n) is not None]
    for axis, (before, after) in enumerate(_widths(pad_width, array.ndim)):
        moved = np.moveaxis(array, axis, 0)
        pair = values[0][axis] if values else (None, None)
        if odd:
            moved = _odd(moved, (int(before), int(after)), mode)
        else:
            sides = [_side(moved, i, int(width), mode, pair[i]) for i, width in enumerate((before, after))]
            moved = np.concatenate([sides[0], moved, sides[1]])
        array = np.moveaxis(moved, 0, axis)
    return array


def _widths(pad_width: Any, ndim: int) -> list[tuple[Any, Any]]:
    if isinstance(pad_width, dict):
        widths = [(0, 0)] * ndim
        for axis, value in pad_width.items():
            widths[axis] = _pairs(value, 1)[0]
        return widths
    return _pairs(pad_width, ndim)


def _odd(a: Any, width: tuple[int, int], mode: str) -> Any:
    """A linear map along the first axis: its matrix is what NumPy makes of the identity."""
    matrix: Any = np.pad(np.eye(len(a), dtype=a.dtype), (width, (0, 0)), mode, reflect_type="odd")  # type: ignore[call-overload]
    matrix = np.reshape(matrix, (*matrix.shape, *(1,) * (a.ndim - 1)))
    return np.sum(np.where(matrix != 0, matrix * a, 0.0), axis=1)  # no product: what is not finite stays where it is


def _side(a: Any, side: int, width: int, mode: str, value: Any) -> Any:
    """What comes before (side 0) or after (side 1) along the first axis."""
    shape = (width, *a.shape[1:])
    if not width:
        return a[:0]
    if mode in ("constant", "empty"):
        return np.broadcast_to(0.0 if value is None else value, shape).astype(a.dtype)
    if mode == "linear_ramp":
        end = 0.0 if value is None else value
        share = np.reshape(np.arange(width) / width, (-1, *(1,) * (a.ndim - 1)))
        return (end + ((a[0] if side == 0 else a[-1]) - end) * (share if side == 0 else share[::-1])).astype(a.dtype)
    n = len(a) if value is None else min(int(value), len(a))
    return np.broadcast_to(_STATISTICS[mode](a[:n] if side == 0 else a[len(a) - n :], axis=0), shape)


def _by_function(array: Any, pad_width: Any, function: Callable[..., Any], options: dict[str, Any]) -> Any:
    """The caller's function fills each slice along each axis, in place."""
    widths = _widths(pad_width, array.ndim)
    padded = np.copy(_pad(array, pad_width))
    for axis in range(array.ndim):
        moved = np.moveaxis(padded, axis, -1)
        for at in np.ndindex(moved.shape[:-1]):
            function(moved[at], widths[axis], axis, options)
    return padded
