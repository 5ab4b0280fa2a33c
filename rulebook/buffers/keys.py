"""Which elements a key names, as far as that is known before the program runs."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np

from rulebook.buffers.errors import BufferWriteError
from rulebook.engines import any_is_recording, engine_of

__all__ = ["check_distinct", "fixed", "is_whole", "place"]

_KNOWN = (int, slice, type(None), EllipsisType, np.integer, np.bool_, np.ndarray)
_ALL = slice(None)


def is_whole(key: Any) -> bool:
    """Whether a key is `...` or `:`."""
    return key is ... or (type(key) is slice and key == _ALL)


def fixed(key: Any) -> Any:
    """A key in NumPy's terms; None where it holds traced values.  (`np.newaxis` alone comes as a tuple.)"""
    parts = key if type(key) is tuple else (key,)
    if any(isinstance(k, (np.ndarray, list)) for k in parts) and any_is_recording():
        return None  # a recorder makes its own values of arrays
    if all(isinstance(k, _KNOWN) for k in parts):
        return key if key is not None else (None,)
    made = [_fixed(k) for k in parts]
    if any(k is _TRACED for k in made):
        return None
    return tuple(made) if type(key) is tuple else made[0]


_TRACED = object()


def _fixed(k: Any) -> Any:
    if isinstance(k, _KNOWN):
        return k
    engine = None if isinstance(k, list) else engine_of((k,), "the index of a buffer")
    if engine is None:
        return np.asarray(k)
    found = engine.concrete([k])
    return _TRACED if found is None else found[0]


def place(key: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what a fixed key names."""
    return np.broadcast_to(False, shape)[key].shape  # type: ignore[no-any-return]


def check_distinct(key: Any, shape: tuple[int, ...], which: str) -> None:
    """Refuse index arrays that name an element twice: engines differ in which value is kept.

    Raises:
        BufferWriteError: they do.
    """
    parts = key if type(key) is tuple else (key,)
    if not any(isinstance(k, np.ndarray) and k.dtype != bool for k in parts):
        return
    at = np.arange(int(np.prod(shape, dtype=np.intp))).reshape(shape)[key]
    if len(np.unique(at)) < at.size:
        raise BufferWriteError(
            which, "an index that names each element once", "one that names an element twice", "write the elements one after the other"
        )
