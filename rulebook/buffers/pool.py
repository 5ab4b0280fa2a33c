"""Arrays for reuse: one is handed out again when nobody refers to it any more.

The reference count of an array tells: a variable, a container, a view (whose base it is) and a graph of an engine each hold one.
Who looks at an array holds a reference while he looks, so that of two threads at most one finds it free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from sys import getrefcount
from typing import Any

import numpy as np

__all__ = ["HELD", "Pool", "is_alone"]

_KEPT = 4  # more arrays of a kind are in use only in recursion, by threads, or where results are collected


def _references(arrays: list[Any]) -> int:
    array = arrays[0]
    return getrefcount(array)


HELD = _references([np.empty(1)])  # of an array that a list and one local variable refer to


class _Probe:
    __slots__ = ("array",)
    array: Any


_probe = _Probe()
_probe.array = np.empty(1)
_ALONE_IN_ATTRIBUTE = getrefcount(_probe.array)


def is_alone(owner: Any, name: str) -> bool:
    """Whether nothing but this attribute refers to an array."""
    return getrefcount(getattr(owner, name)) <= _ALONE_IN_ATTRIBUTE


class Pool:
    """Arrays of one kind.

    Args:
        fresh: makes one.
        is_free: what has to hold of one that nobody refers to; it makes it writable again.

    Attributes:
        arrays: the one that was handed out last comes first: it may still be in the processor's cache.
    """

    __slots__ = ("_fresh", "_is_free", "_lock", "arrays")

    def __init__(self, fresh: Callable[[], Any], is_free: Callable[[Any], bool]) -> None:
        self._fresh = fresh
        self._is_free = is_free
        self._lock = threading.Lock()
        self.arrays: list[Any] = []

    def take(self) -> Any:
        """An array that nobody else refers to."""
        arrays = self.arrays
        for k in range(_KEPT):
            try:
                array = arrays[k]
            except IndexError:
                break
            if getrefcount(array) <= HELD and self._is_free(array):
                if k:
                    self._move_to_front(array)
                return array
        array = self._fresh()
        arrays.insert(0, array)
        del arrays[_KEPT:]
        return array

    def _move_to_front(self, array: Any) -> None:
        with self._lock:
            for k, other in enumerate(self.arrays):
                if other is array:
                    self.arrays.insert(0, self.arrays.pop(k))
                    return
