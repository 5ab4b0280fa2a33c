"""What mutants call: values that are kept too long, buffers that are used twice, numbers of the wrong precision."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.tangents import Thunk

__all__ = ["fresh"]


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """A container with its floating numbers changed, those of thunks when they are asked for."""

    def changed(leaf: Any) -> Any:
        if isinstance(leaf, Thunk):
            return rb.thunk(lambda: _each(change, leaf.fn()))
        return change(leaf) if _is_number(leaf) else leaf

    leaves, structure = trees.flatten(value)
    return structure.unflatten(iter([changed(leaf) for leaf in leaves]))


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, (np.ndarray, np.generic, float, complex)) and np.asarray(leaf).dtype.kind in "fc"


def _single(leaf: Any) -> Any:
    return np.asarray(leaf).astype(np.complex64 if np.iscomplexobj(leaf) else np.float32)[()]


def _double(leaf: Any) -> Any:
    return np.asarray(leaf).astype(np.complex128 if np.iscomplexobj(leaf) else np.float64)[()]


def _last(leaf: Any, factor: float) -> Any:
    changed = np.array(leaf)
    if changed.size:
        changed.reshape(-1)[-1] *= factor
    return changed[()]


class _State:
    """What one mutant remembers between calls."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.buffers: dict[Any, Any] = {}

    def keep(self, key: int, value: Any) -> Any:
        """The first value that came by."""
        return self.kept.setdefault(key, value)

    def keep_shape(self, key: int, value: Any) -> Any:
        """The first value that came by with these shapes."""
        leaves, structure = trees.flatten(value)
        return self.kept.setdefault((key, structure, tuple((np.shape(v), np.asarray(v).dtype.str) for v in leaves)), value)

    def reuse(self, key: int, value: Any) -> Any:
        """The value in a buffer that is the same at each call with its shape."""

        def copied(leaf: Any) -> Any:
            array = np.asarray(leaf)
            buffer = self.buffers.setdefault((key, array.shape, array.dtype.str), np.empty_like(array))
            buffer[...] = array
            return buffer

        return _each(copied, value)


def fresh() -> dict[str, Any]:
    """The helpers by the names that mutants use, without anything remembered."""
    state = _State()
    return {
        "_keep": state.keep,
        "_keep_shape": state.keep_shape,
        "_reuse": state.reuse,
        "_single": lambda value: _each(_single, value),
        "_double": lambda value: _each(_double, value),
        "_nudge": lambda value: _each(lambda leaf: leaf * (1 + 1e-7), value),
        "_without_last": lambda value: _each(lambda leaf: _last(leaf, 0.0), value),
        "_zeros": lambda value: _each(lambda leaf: leaf * 0.0, value),
        "_iadd": operator.iadd,
        "_isub": operator.isub,
        "_imul": operator.imul,
        "_itruediv": operator.itruediv,
    }
