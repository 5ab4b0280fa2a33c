"""Buffers of dual numbers: dual arrays over memory that is used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.buffers.buffer import Buffer, WorkBuffer
from rulebook.buffers.cells import Cells, Pools
from rulebook.buffers.pool import Pool, is_alone
from rulebook.dual import Dual, DualArray
from rulebook.dual.parts import is_dual, peel, tag_of
from rulebook.dual.registry import DEFERRED
from rulebook.tangents import ShapeDtype

__all__ = ["CELLS"]


class DualCells(Cells):
    """Dual arrays, written to in place.  An array with k tangents of a derivative call lies over two blocks of memory, one with those of
    two nested calls over four."""

    in_place = True

    def pooled(self, pools: Pools, prototype: ShapeDtype, actives: tuple[Any, ...], warn: Callable[[int, int], None]) -> Any:
        """A dual array with the tangents of the actives, of all derivative calls."""
        x = actives[0]
        counts: tuple[int, ...]
        if len(actives) == 1 and type(x) is DualArray and type(x.p) is type(x.b) is np.ndarray and x.root is None:
            tags, counts = [x.tag], (x.b.shape[0],)
            dtype = x.p.dtype if x.p.dtype == prototype.dtype else np.result_type(x.p.dtype, prototype.dtype)
        else:
            found: dict[int, int] = {}
            for x in actives:
                _collect(x, found)
            tags = sorted(found)
            counts = tuple(found[tag] for tag in tags)
            dtype = _dtype(prototype, actives)
        pool = pools.get((dtype, counts))
        if pool is None:
            pool = _new_pool(pools, prototype.shape, dtype, counts, warn)
        array = pool.take()
        _retag(array, tags)
        return array

    def empty(self, prototype: ShapeDtype, actives: tuple[Any, ...]) -> Any:
        """A plain array, which the first write of a dual makes a dual one."""
        return super().empty(ShapeDtype(prototype.shape, _dtype(prototype, actives)), ())

    def write(self, array: Any, key: Any, value: Any) -> Any:
        """In place; values of another derivative call make room for their tangents."""
        found: dict[int, int] = {}
        _collect(value, found)
        had: dict[int, int] = {}
        _collect(array, had)
        if not found.keys() <= had.keys():
            array = _with_room(array, found)
            DEFERRED.update((Buffer, WorkBuffer))  # not before there are any: it costs each operation of dual arrays a look
        array[key] = value
        return array

    def read(self, array: Any, key: Any) -> Any:
        """A copy of the elements at a key."""
        if is_dual(array):
            DEFERRED.update((Buffer, WorkBuffer))
        return super().read(array, key)

    def seal(self, array: Any) -> Any:
        """The same array, whose primal cannot be written to any more."""
        if type(array) is not Dual:
            peel(array).setflags(False)
        return array


def _with_room(array: Any, found: dict[int, int]) -> Any:
    """An array with tangents, zero where they are new, of these derivative calls too."""
    if not found:
        return array
    own, tag = tag_of(array), max(found)
    if own >= tag:
        p, b, tag = array.p, array.tangent, own
    else:
        p, b = array, np.zeros((found[tag], *array.shape), array.dtype)
    outer = {t: k for t, k in found.items() if t != tag}
    return DualArray(_with_room(p, outer), None, _with_room(b, outer), tag)


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


def _dtype(prototype: ShapeDtype, actives: tuple[Any, ...]) -> Any:
    """As for the primals in NumPy; a number of Python's has none, dual or not."""
    below = (peel(x) for x in actives)
    return np.result_type(prototype.dtype, *(x if isinstance(x, (int, float, complex)) else x.dtype for x in below))


def _size(counts: tuple[int, ...]) -> int:
    """The number of tangents of all levels together."""
    return int(np.prod([1 + k for k in counts])) - 1


def _new_pool(pools: Pools, shape: tuple[int, ...], dtype: Any, counts: tuple[int, ...], warn: Callable[[int, int], None]) -> Pool:
    warn(max((_size(c) for _, c in pools), default=0), _size(counts))
    pool: Pool = pools.setdefault((dtype, counts), Pool(lambda: _made(shape, dtype, counts), _Free(shape, dtype, counts)))
    return pool


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
