"""Functions of shapes: axes moved, arrays joined, cut, repeated and turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._rearranging import rearrangement
from rulebook.rules.numpy._selection import where

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "copy",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "full",
    "full_like",
    "matrix_transpose",
    "meshgrid",
    "moveaxis",
    "pad",
    "permute_dims",
    "ravel",
    "reshape",
    "roll",
    "rollaxis",
    "rot90",
    "squeeze",
    "swapaxes",
    "transpose",
]

ALL = ("jax", "torch", "autograd")


Axis = int | tuple[int, ...] | None


@rearrangement(np.reshape, cases=[normal((2, 3), shape=(3, 2)), complex_normal((4,), shape=(2, -1))], engines=ALL)
def reshape(a: Any, *, shape: int | tuple[int, ...]) -> Any:
    """Another shape, in C order."""
    return np.reshape(a, shape)


@rearrangement(np.ravel, cases=[normal((2, 3)), normal(())], engines=ALL)
def ravel(a: Any) -> Any:
    """One axis, in C order."""
    return np.ravel(a)


@rearrangement(np.transpose, cases=[normal((2, 3)), normal((2, 3, 1), axes=(1, 2, 0))], engines=ALL)
def transpose(a: Any, *, axes: tuple[int, ...] | None = None) -> Any:
    """Axes in another order, reversed by default."""
    return np.transpose(a, axes)


permute_dims = transpose


@rearrangement(np.matrix_transpose, cases=[normal((2, 3)), normal((2, 1, 3))])
def matrix_transpose(x: Any) -> Any:
    """The last two axes swapped."""
    return np.matrix_transpose(x)


@rearrangement(np.swapaxes, cases=[normal((2, 3, 1), axis1=0, axis2=-1)], engines=ALL)
def swapaxes(a: Any, *, axis1: int, axis2: int) -> Any:
    """Two axes swapped."""
    return np.swapaxes(a, axis1, axis2)


@rearrangement(np.moveaxis, cases=[normal((2, 3, 1), source=0, destination=-1)], engines=ALL)
def moveaxis(a: Any, *, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Any:
    """Axes moved to other places."""
    return np.moveaxis(a, source, destination)


@rearrangement(np.rollaxis, cases=[normal((2, 3, 1), axis=2)], engines=("jax",))
def rollaxis(a: Any, *, axis: int, start: int = 0) -> Any:
    """One axis moved to before another."""
    return np.rollaxis(a, axis, start)


@rearrangement(np.squeeze, cases=[normal((1, 3, 1)), normal((1, 3, 1), axis=0)], engines=ALL)
def squeeze(a: Any, *, axis: Axis = None) -> Any:
    """Without axes of length one."""
    return np.squeeze(a, axis)


@rearrangement(np.expand_dims, cases=[normal((3,), axis=0), normal((2, 3), axis=(0, 2))])
def expand_dims(a: Any, *, axis: int | tuple[int, ...]) -> Any:
    """New axes of length one."""
    return np.expand_dims(a, axis)


@rearrangement(np.flip, cases=[normal((2, 3)), normal((2, 3), axis=1)])
def flip(m: Any, *, axis: Axis = None) -> Any:
    """Axes reversed."""
    return np.flip(m, axis)


@rearrangement(np.fliplr, cases=[normal((2, 3))])
def fliplr(m: Any) -> Any:
    """The second axis reversed."""
    return np.fliplr(m)


@rearrangement(np.flipud, cases=[normal((2, 3))])
def flipud(m: Any) -> Any:
    """The first axis reversed."""
    return np.flipud(m)


@rearrangement(np.rot90, cases=[normal((2, 3)), normal((2, 3), k=3)], engines=("jax",))
def rot90(m: Any, *, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Turned by k right angles in the plane of two axes."""
    return np.rot90(m, k, axes)


@rearrangement(np.roll, cases=[normal((4,), shift=1), normal((2, 3), shift=(1, 2), axis=(0, 1))])
def roll(a: Any, *, shift: int | tuple[int, ...], axis: Axis = None) -> Any:
    """Elements moved along an axis, around its end."""
    return np.roll(a, shift, axis)


@rearrangement(np.broadcast_to, cases=[normal((3,), shape=(2, 3)), normal((2, 1), shape=(2, 2))])
def broadcast_to(array: Any, *, shape: int | tuple[int, ...]) -> Any:
    """A value repeated to a shape."""
    return np.array(np.broadcast_to(array, shape))


@rearrangement(cases=[lambda rng: rb.case((rng.normal(size=3), rng.normal(size=(2, 1))))], engines=())
def _broadcast_arrays(arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Values repeated to their common shape."""
    return tuple(np.array(x) for x in np.broadcast_arrays(*arrays))


def broadcast_arrays(*args: Any) -> tuple[Any, ...]:
    """Values repeated to their common shape."""
    return tuple(_broadcast_arrays(args))


@rearrangement(cases=[lambda rng: rb.case((rng.normal(size=3), rng.normal(size=2)))], engines=())
def _meshgrid(arrays: Sequence[Any], *, indexing: str = "xy", sparse: bool = False) -> list[Any]:
    """Coordinate arrays of a grid."""
    return list(np.meshgrid(*arrays, indexing=indexing, sparse=sparse))  # type: ignore[call-overload]  # "xy" or "ij"


def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> list[Any]:
    """Coordinate arrays of a grid."""
    return list(_meshgrid(xi, indexing=indexing, sparse=sparse))


@rearrangement(np.copy, cases=[normal((3,))], engines=("jax", "torch"))
def copy(a: Any) -> Any:
    """The same values in other memory."""
    return np.array(a)


@rearrangement(np.atleast_1d, cases=[normal(()), normal((2,))])
def atleast_1d(a: Any) -> Any:
    """At least one axis."""
    return np.atleast_1d(a)


@rearrangement(np.atleast_2d, cases=[normal((2,))])
def atleast_2d(a: Any) -> Any:
    """At least two axes."""
    return np.atleast_2d(a)


@rearrangement(np.atleast_3d, cases=[normal((2,)), normal((2, 2))], engines=("jax",))
def atleast_3d(a: Any) -> Any:
    """At least three axes."""
    return np.atleast_3d(a)


@rearrangement(cases=[normal((), shape=(2, 2)), normal((2,), shape=(3, 2))], engines=())
def full(fill_value: Any, *, shape: int | tuple[int, ...]) -> Any:
    """An array of one value, which has a derivative; here the value comes first."""
    return np.array(np.broadcast_to(fill_value, shape))


def full_like(a: Any, fill_value: Any) -> Any:
    """An array of one value in the shape of another, which has no part in the derivative."""
    return full(fill_value, shape=tuple(np.shape(a)))


@rearrangement(cases=[normal((3,), pad_width=(1, 2)), normal((2, 3), pad_width=((1, 0), (2, 1)), mode="reflect")], engines=())
def _bordered(array: Any, *, pad_width: Any, mode: str = "constant") -> Any:
    """A border of zeros, or of elements."""
    return np.pad(array, pad_width, mode)  # type: ignore[call-overload]  # names of modes


_COPYING = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """A border: of a number (which has a derivative as well), or, by mode, "edge", "reflect", "symmetric" or "wrap", of elements.

    Example:
        >>> pad(np.array([1.0, 2.0]), 1, constant_values=3.0)
        array([3., 1., 2., 3.])
    """
    if mode not in _COPYING:
        raise NotImplementedError(f"pad, mode={mode!r}: it has no rule; use one of {', '.join(_COPYING)}")
    widths = tuple((int(a), int(b)) for a, b in np.broadcast_to(np.asarray(pad_width), (np.ndim(array), 2)))
    y = _bordered(array, pad_width=widths, mode=mode)
    if mode != "constant" or (isinstance(constant_values, (int, float)) and constant_values == 0):
        return y
    inside = np.pad(np.ones(np.shape(array), bool), widths)
    return where(inside, y, constant_values)
