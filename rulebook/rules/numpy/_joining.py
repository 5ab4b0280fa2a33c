"""Arrays joined, cut and repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import listed, normal
from rulebook.rules.numpy._rearranging import rearrangement

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "repeat",
    "resize",
    "split",
    "stack",
    "tile",
    "unstack",
    "vsplit",
    "vstack",
]


@rearrangement(np.concatenate, cases=[listed((2, 3), (1, 3)), listed((2, 1), (2, 2), axis=1), listed((2,), (2, 1), axis=None)])
def concatenate(arrays: Sequence[Any], *, axis: int | None = 0) -> Any:
    """Arrays joined along an axis; flattened first for axis=None."""
    return np.concatenate(arrays, axis)


concat = concatenate


@rearrangement(np.stack, cases=[listed((2, 3), (2, 3)), listed((2,), (2,), axis=-1)])
def stack(arrays: Sequence[Any], *, axis: int = 0) -> Any:
    """Arrays joined along a new axis."""
    return np.stack(arrays, axis)


@rearrangement(np.unstack, cases=[normal((2, 3)), normal((2, 3), axis=1)], engines=("jax",))
def unstack(x: Any, *, axis: int = 0) -> tuple[Any, ...]:
    """An array cut into those that it has along an axis."""
    return tuple(np.moveaxis(x, axis, 0))


@rearrangement(np.vstack, cases=[listed((3,), (2, 3))])
def vstack(tup: Sequence[Any]) -> Any:
    """Arrays joined as rows."""
    return np.vstack(tup)


@rearrangement(np.hstack, cases=[listed((2, 1), (2, 3)), listed((2,), (1,))])
def hstack(tup: Sequence[Any]) -> Any:
    """Arrays joined along the second axis, the first for vectors."""
    return np.hstack(tup)


@rearrangement(np.dstack, cases=[listed((2, 3), (2, 3))], engines=("jax",))
def dstack(tup: Sequence[Any]) -> Any:
    """Arrays joined along the third axis."""
    return np.dstack(tup)


@rearrangement(np.column_stack, cases=[listed((2,), (2, 2))])
def column_stack(tup: Sequence[Any]) -> Any:
    """Vectors joined as columns."""
    return np.column_stack(tup)


@rearrangement(
    np.block, cases=[lambda rng: rb.case([[rng.normal(size=(1, 2)), rng.normal(size=(1, 1))], [np.eye(1, 2), np.eye(1)]])], engines=()
)
def block(arrays: Any) -> Any:
    """A matrix of blocks, given as nested lists."""
    return np.block(arrays)


@rearrangement(np.append, cases=[normal((2,), (2, 2)), normal((1, 2), (2, 2), axis=0)], engines=("jax",), wrt=(0, 1))
def append(arr: Any, values: Any, *, axis: int | None = None) -> Any:
    """Values put at the end; all flattened for axis=None."""
    return np.append(arr, values, axis)


@rearrangement(np.split, cases=[normal((4,), indices_or_sections=2), normal((2, 3), indices_or_sections=(1,), axis=1)])
def split(ary: Any, *, indices_or_sections: int | tuple[int, ...], axis: int = 0) -> list[Any]:
    """Parts along an axis, of one length or cut at indices."""
    return list(np.split(ary, indices_or_sections, axis))


@rearrangement(np.array_split, cases=[normal((5,), indices_or_sections=2)])
def array_split(ary: Any, *, indices_or_sections: int | tuple[int, ...], axis: int = 0) -> list[Any]:
    """Parts along an axis, of nearly one length or cut at indices."""
    return list(np.array_split(ary, indices_or_sections, axis))


@rearrangement(np.hsplit, cases=[normal((2, 4), indices_or_sections=2)], engines=("jax",))
def hsplit(ary: Any, *, indices_or_sections: int | tuple[int, ...]) -> list[Any]:
    """Parts along the second axis, the first for vectors."""
    return list(np.hsplit(ary, indices_or_sections))


@rearrangement(np.vsplit, cases=[normal((4, 1), indices_or_sections=2)], engines=("jax",))
def vsplit(ary: Any, *, indices_or_sections: int | tuple[int, ...]) -> list[Any]:
    """Parts along the first axis."""
    return list(np.vsplit(ary, indices_or_sections))


@rearrangement(np.dsplit, cases=[normal((1, 2, 4), indices_or_sections=2)], engines=("jax",))
def dsplit(ary: Any, *, indices_or_sections: int | tuple[int, ...]) -> list[Any]:
    """Parts along the third axis."""
    return list(np.dsplit(ary, indices_or_sections))


@rearrangement(np.tile, cases=[normal((3,), reps=2), normal((1, 2), reps=(2, 1, 2))])
def tile(A: Any, *, reps: int | tuple[int, ...]) -> Any:
    """The whole repeated."""
    return np.tile(A, reps)


@rearrangement(np.repeat, cases=[normal((3,), repeats=2), normal((2, 2), repeats=3, axis=1)])
def repeat(a: Any, *, repeats: int, axis: int | None = None) -> Any:
    """Each element repeated."""
    return np.repeat(a, repeats, axis)


@rearrangement(np.resize, cases=[normal((3,), new_shape=(2, 2)), normal((2, 2), new_shape=3)], engines=("jax",))
def resize(a: Any, *, new_shape: int | tuple[int, ...]) -> Any:
    """The elements in another shape, from the start again where it has more."""
    return np.resize(a, new_shape)
