"""Buffers of dual numbers: dual arrays over memory that is used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.buffers.cells import Cells, Pools
from rulebook.buffers.pool import Pool, is_alone
from rulebook.dual import Dual, DualArray
from rulebook.dual.parts import is_dual, peel, tag_of
from rulebook.tangents import ShapeDtype

__all__ = ["CELLS"]


class DualCells(Cells):
    """Dual arrays, written to in place.  An array with k tangents of a derivative call lies over two blocks of memory, one with those of
    two nested calls over four."""

    def pooled(self, pools: Pools, prototype: ShapeDtype, actives: list[Any], warn: Callable[[int, int], None]) -> Any:
        """A dual array with the tangents of the actives, of all derivative calls."""
        found: dict[int, int] = {}
        for x in actives:
            _collect(x, found)
        tags = sorted(found)
        counts = tuple(found[tag] for tag in tags)
        dtype = _dtype(prototype, actives)
        pool = pools.get((dtype, counts))
        if pool is None:
            warn(max((_size(c) for _, c in pools), default=0), _size(counts))
            pool = Pool(lambda: _made(prototype.shape, dtype, counts), _Free(prototype.shape, dtype, counts))
            pool = pools.setdefault((dtype, counts), pool)
        array = pool.take()
        _retag(array, tags)
        return array

    def empty(self, prototype: ShapeDtype, actives: list[Any]) -> Any:
        """A plain array, which the first write of a dual makes a dual one."""
        return super().empty(ShapeDtype(prototype.shape, _dtype(prototype, actives)), [])

    def write(self, array: Any, key: Any, value: Any) -> Any:
        """In place; values of another derivative call make room for their tangents."""
        while (tag := tag_of(value)) > tag_of(array):
            array = DualArray(array, None, np.zeros((_count(value), *array.shape), array.dtype), tag)
        array[key] = value
        return array

    def seal(self, array: Any) -> Any:
        """The same array, whose primal cannot be written to any more."""
        if type(array) is not Dual:
            peel(array).setflags(False)
        return array


def _count(x: Any) -> int:
    """The number of tangents of the topmost call."""
    t = x.b if type(x) is DualArray else x.t
    return int(np.shape(t)[0]) if np.ndim(t) else 1


def _collect(x: Any, found: dict[int, int]) -> None:
    """All derivative calls that a value belongs to, and their numbers of tangents."""
    if is_dual(x):
        found[x.tag] = _count(x)
        for part in (x.p, *(x.parts() if type(x) is DualArray else (x.t,))):
            _collect(part, found)


def _dtype(prototype: ShapeDtype, actives: list[Any]) -> Any:
    """As for the primals in NumPy; a number of Python's has none, dual or not."""
    below = (peel(x) for x in actives)
    return np.result_type(prototype.dtype, *(x if isinstance(x, (int, float, complex)) else x.dtype for x in below))


def _size(counts: tuple[int, ...]) -> int:
    """The number of tangents of all levels together."""
    return int(np.prod([1 + k for k in counts])) - 1


def _made(shape: tuple[int, ...], dtype: Any, counts: tuple[int, ...]) -> Any:
    if not counts:
        return np.empty(shape, dtype)
    *outer, k = counts
    return DualArray(_made(shape, dtype, tuple(outer)), None, _made((k, *shape), dtype, tuple(outer)), 0)


def _retag(array: Any, tags: list[int]) -> None:
    if tags:
        *outer, array.tag = tags
        _retag(array.p, outer)
        _retag(array.b, outer)


class _Free:
    """Whether the memory of a pooled array is its own and as it was made; results may share its tangents."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, counts: tuple[int, ...]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.counts = counts

    def __call__(self, array: Any) -> bool:
        if not _is_own(array, self.shape, self.dtype, self.counts):
            return False
        peel(array).setflags(True)
        return True


def _is_own(array: Any, shape: tuple[int, ...], dtype: Any, counts: tuple[int, ...]) -> bool:
    if not counts:
        return type(array) is np.ndarray and array.base is None and array.shape == shape and array.dtype == dtype
    if type(array) is not DualArray or array.c is not None or array.root is not None or hasattr(array, "handed_out"):
        return False
    if not (is_alone(array, "p") and is_alone(array, "b")):
        return False
    *outer, k = counts
    return _is_own(array.p, shape, dtype, tuple(outer)) and _is_own(array.b, (k, *shape), dtype, tuple(outer))


CELLS = DualCells()
