"""NumPy's functions of shapes on torch values.

Every public function here stands in the namespace under its name; a trailing underscore avoids a
Python built-in.  Arguments are tensors, NumPy arrays or Python numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges._torch.wrap import Axis, axes_of, promoted, tensor, tensors


def shape(a: Any) -> tuple[int, ...]:
    """The shape."""
    return tuple(np.shape(a)) if not isinstance(a, Tensor) else tuple(a.shape)


def ndim(a: Any) -> int:
    """The number of axes."""
    return len(shape(a))


def size(a: Any) -> int:
    """The number of elements."""
    return tensor(a).numel()


def reshape(a: Any, shape: Any) -> Tensor:
    """Another shape, in C order."""
    return tensor(a).reshape(shape)


def transpose(a: Any, axes: Sequence[int] | None = None) -> Tensor:
    """Axes in another order, reversed by default."""
    a = tensor(a)
    return a.permute(tuple(axes) if axes is not None else tuple(range(a.ndim))[::-1])


permute_dims = transpose


def matrix_transpose(x: Any) -> Tensor:
    """The last two axes swapped."""
    return tensor(x).mT


def moveaxis(a: Any, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places."""
    return torch.movedim(tensor(a), source, destination)


def swapaxes(a: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes swapped."""
    return tensor(a).swapaxes(axis1, axis2)


def expand_dims(a: Any, axis: int | tuple[int, ...]) -> Tensor:
    """New axes of length one."""
    a = tensor(a)
    axes = axes_of(axis, a.ndim)
    n = a.ndim + len(axes)
    for d in sorted(d % n for d in axes):
        a = a.unsqueeze(d)
    return a


def squeeze(a: Any, axis: Axis = None) -> Tensor:
    """Without axes of length one."""
    return tensor(a).squeeze() if axis is None else tensor(a).squeeze(axes_of(axis, 0))


def broadcast_to(array: Any, shape: Any) -> Tensor:
    """A value repeated to a shape."""
    return tensor(array).expand(tuple(shape) if not isinstance(shape, int) else (shape,))


def broadcast_arrays(*args: Any) -> tuple[Tensor, ...]:
    """Values repeated to their common shape."""
    return tuple(torch.broadcast_tensors(*tensors(*args)))


def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Arrays joined along an axis; flattened first for axis None."""
    parts = promoted(arrays)
    return torch.cat([p.ravel() for p in parts]) if axis is None else torch.cat(parts, axis)


concat = concatenate


def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Arrays joined along a new axis."""
    return torch.stack(promoted(arrays), axis)


def vstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined as rows."""
    return torch.vstack(promoted(tup))


def hstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined along the second axis, the first for vectors."""
    return torch.hstack(promoted(tup))


def column_stack(tup: Sequence[Any]) -> Tensor:
    """Vectors joined as columns."""
    columns = [a[:, None] if a.ndim == 1 else a.reshape(1, 1) if a.ndim == 0 else a for a in promoted(tup)]
    return torch.cat(columns, dim=1)  # torch.column_stack has no batching rule


def split(ary: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Parts along an axis, of one length or cut at indices."""
    ary = tensor(ary)
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    cut = indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections)
    return list(torch.tensor_split(ary, cut, axis))


def array_split(ary: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Parts along an axis, of nearly one length or cut at indices."""
    cut = indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections)
    return list(torch.tensor_split(tensor(ary), cut, axis))


def repeat(a: Any, repeats: int, axis: int | None = None) -> Tensor:
    """Each element repeated."""
    a = tensor(a)
    return torch.repeat_interleave(a.ravel() if axis is None else a, repeats, 0 if axis is None else axis)


def tile(A: Any, reps: int | Sequence[int]) -> Tensor:
    """The whole repeated."""
    return torch.tile(tensor(A), (reps,) if isinstance(reps, int) else tuple(reps))


def roll(a: Any, shift: Any, axis: Any = None) -> Tensor:
    """Elements moved along an axis, around its end."""
    return torch.roll(tensor(a), shift, axis)


def flip(m: Any, axis: Axis = None) -> Tensor:
    """Axes reversed."""
    m = tensor(m)
    return torch.flip(m, axes_of(axis, m.ndim))


def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Tensor:
    """A border of one number."""
    if mode != "constant":
        raise NotImplementedError(f"xp.pad with mode={mode!r} has no counterpart in torch.")
    array = tensor(array)
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    return torch.nn.functional.pad(array, [int(w) for pair in widths[::-1] for w in pair], value=constant_values)


def atleast_1d(a: Any) -> Tensor:
    """At least one axis."""
    return torch.atleast_1d(tensor(a))


def atleast_2d(a: Any) -> Tensor:
    """At least two axes."""
    return torch.atleast_2d(tensor(a))


def diag(v: Any, k: int = 0) -> Tensor:
    """A vector as a diagonal, or the diagonal of a matrix."""
    return torch.diag(tensor(v), k)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of two axes."""
    return torch.diagonal(tensor(a), offset, axis1, axis2)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of a diagonal."""
    return diagonal(a, offset, axis1, axis2).sum(-1)


def tril(m: Any, k: int = 0) -> Tensor:
    """The lower triangle."""
    return torch.tril(tensor(m), k)


def triu(m: Any, k: int = 0) -> Tensor:
    """The upper triangle."""
    return torch.triu(tensor(m), k)


def meshgrid(*xi: Any, indexing: str = "xy") -> list[Tensor]:
    """Coordinate arrays of a grid."""
    return list(torch.meshgrid(*tensors(*xi), indexing=indexing))
