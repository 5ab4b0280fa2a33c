"""NumPy's functions on torch values, where torch names them or their arguments differently.

Every public function here stands in the namespace under its name; a trailing underscore avoids a
Python built-in.  Arguments are tensors, NumPy arrays or Python numbers.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges import _torch_values

Axis = int | tuple[int, ...] | None

_TOOLS = ("public", "tensor", "tensors", "floating", "unary", "binary", "dtype_of", "axes_of")  # of the bridge itself


def public(module: types.ModuleType) -> dict[str, Any]:
    """The functions of a module that stand in a namespace, by the names that they have there."""
    found = {n: v for n, v in vars(module).items() if isinstance(v, types.FunctionType) and v.__module__ in (module.__name__, __name__)}
    return {n.removesuffix("_"): v for n, v in found.items() if not n.startswith("_") and n not in _TOOLS}


def tensor(x: Any) -> Tensor:
    """A value as a tensor."""
    return x if isinstance(x, Tensor) else _torch_values.asarray(x if not isinstance(x, (list, tuple)) else np.asarray(x))


def tensors(*values: Any) -> list[Tensor]:
    """Values as tensors; Python numbers in the dtype of the tensors among them."""
    return _torch_values.leaves_as_tensors(tuple(np.asarray(v) if isinstance(v, (list, tuple)) else v for v in values))


def floating(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one array that gives float64 for integers, as NumPy does."""

    @functools.wraps(fn, assigned=("__name__", "__doc__"))
    def call(x: Any) -> Any:
        x = tensor(x)
        return fn(x if _torch_values.has_tangent(x) else x.to(torch.float64))

    return call


def unary(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one array."""

    @functools.wraps(fn, assigned=("__name__", "__doc__"))
    def call(x: Any) -> Any:
        return fn(tensor(x))

    return call


def binary(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of two arrays or numbers, in the dtype that torch promotes them to."""

    @functools.wraps(fn, assigned=("__name__", "__doc__"))
    def call(x1: Any, x2: Any) -> Any:
        if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
            x1, x2 = tensors(x1, x2)
        if x1.dtype != x2.dtype:
            dtype = torch.result_type(x1, x2)
            x1, x2 = x1.to(dtype), x2.to(dtype)
        return fn(x1, x2)

    return call


def dtype_of(dtype: Any) -> torch.dtype | None:
    """What NumPy understands as a dtype, as torch's."""
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    return torch.from_numpy(np.empty(0, dtype)).dtype


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes that an `axis` argument means."""
    if axis is None:
        return tuple(range(ndim))
    return (axis,) if isinstance(axis, int) else tuple(axis)



def asarray(a: Any, dtype: Any = None) -> Tensor:
    """A value, or nested lists of tensors and numbers, as a tensor; a tensor stays one."""
    made = _nested(a) if isinstance(a, (list, tuple)) else tensor(a)
    return made if dtype is None else made.to(dtype_of(dtype))


def _nested(values: Any) -> Tensor:
    parts = [_nested(v) if isinstance(v, (list, tuple)) else tensor(v) for v in values]
    return torch.stack(_promoted(parts)) if parts else torch.zeros(0, dtype=torch.float64)


def _promoted(parts: Sequence[Any]) -> list[Tensor]:
    made = tensors(*parts)
    dtype = functools.reduce(torch.promote_types, [p.dtype for p in made])
    return [p if p.dtype == dtype else p.to(dtype) for p in made]


def array(a: Any, dtype: Any = None) -> Tensor:
    """A copy as a tensor."""
    return asarray(a, dtype).clone()


def astype(x: Any, dtype: Any) -> Tensor:
    """A tensor of another dtype."""
    return tensor(x).to(dtype_of(dtype))


def zeros(shape: Any, dtype: Any = float) -> Tensor:
    """Zeros, float64 by default."""
    return torch.zeros(shape, dtype=dtype_of(dtype))


def ones(shape: Any, dtype: Any = float) -> Tensor:
    """Ones, float64 by default."""
    return torch.ones(shape, dtype=dtype_of(dtype))


def empty(shape: Any, dtype: Any = float) -> Tensor:
    """Memory that is not written yet, float64 by default."""
    return torch.empty(shape, dtype=dtype_of(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """One number everywhere."""
    value = asarray(fill_value, dtype)
    return value.expand((shape,) if isinstance(shape, int) else tuple(shape)).clone()


def zeros_like(a: Any, dtype: Any = None) -> Tensor:
    """Zeros of the shape, dtype and device of a tensor."""
    return torch.zeros_like(tensor(a), dtype=dtype_of(dtype))


def ones_like(a: Any, dtype: Any = None) -> Tensor:
    """Ones of the shape, dtype and device of a tensor."""
    return torch.ones_like(tensor(a), dtype=dtype_of(dtype))


def empty_like(a: Any, dtype: Any = None) -> Tensor:
    """Memory that is not written yet, of the shape, dtype and device of a tensor."""
    return torch.empty_like(tensor(a), dtype=dtype_of(dtype))


def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """One number in the shape, dtype and device of a tensor."""
    return zeros_like(a, dtype) + fill_value


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """Numbers from start to stop in steps."""
    return torch.from_numpy(np.arange(start, stop, step, dtype if not isinstance(dtype, torch.dtype) else None)).to(dtype_of(dtype))


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Tensor:
    """Evenly spaced numbers; differentiable in start and stop."""
    start, stop = tensors(start, stop)
    step = torch.arange(num, dtype=torch.float64, device=start.device) / max(num - 1 if endpoint else num, 1)
    step = step.reshape(num, *[1] * max(start.ndim, stop.ndim))
    return start * (1 - step).to(start.dtype) + stop * step.to(stop.dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Tensor:
    """Ones on a diagonal."""
    return torch.from_numpy(np.eye(N, M, k)).to(dtype_of(dtype))


def identity(n: int, dtype: Any = float) -> Tensor:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def finfo(dtype: Any) -> torch.finfo:
    """The limits of a floating dtype."""
    return torch.finfo(dtype_of(dtype) if not isinstance(dtype, Tensor) else dtype.dtype)



def cbrt(x: Any) -> Tensor:
    """The real cube root."""
    x = tensor(x)
    return torch.sign(x) * torch.abs(x) ** (1 / 3)


def real(x: Any) -> Tensor:
    """The real part; a real value itself."""
    x = tensor(x)
    return x.real if x.is_complex() else x


def imag(x: Any) -> Tensor:
    """The imaginary part."""
    x = tensor(x)
    return x.imag if x.is_complex() else torch.zeros_like(x)


def round_(a: Any, decimals: int = 0) -> Tensor:
    """Rounded to decimals, half to even."""
    return torch.round(tensor(a), decimals=decimals)


around = round_


def clip(a: Any, min: Any = None, max: Any = None) -> Tensor:
    """Values limited to an interval."""
    a = tensor(a)
    if min is not None:
        a = _maximum(a, min)
    return a if max is None else _minimum(a, max)


_maximum, _minimum = binary(torch.maximum), binary(torch.minimum)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """x where the condition holds, y elsewhere; the indices where it holds, without them."""
    if x is None:
        return nonzero(condition)
    x, y = _promoted((x, y))
    return torch.where(tensor(condition).bool(), x, y)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Finite numbers in place of the others."""
    return torch.nan_to_num(tensor(x), nan, posinf, neginf)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether values agree within a tolerance, one by one."""
    return torch.isclose(*_promoted((a, b)), rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all values agree within a tolerance."""
    return bool(isclose(a, b, rtol, atol, equal_nan).all())


def array_equal(a1: Any, a2: Any) -> bool:
    """Whether shapes and all values agree."""
    return torch.equal(*_promoted((a1, a2)))



def sum_(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over axes."""
    a = tensor(a)
    if axis is None and not keepdims:
        return torch.sum(a, dtype=dtype_of(dtype))
    dims = axes_of(axis, a.ndim)
    return torch.sum(a, dims, keepdim=keepdims, dtype=dtype_of(dtype)) if dims else a


def _one_by_one(fn: Callable[..., Any], a: Any, axis: Axis, keepdims: bool) -> Any:
    a = tensor(a)
    ndim = a.ndim
    for d in sorted((d % max(ndim, 1) for d in axes_of(axis, ndim)), reverse=True):
        a = fn(a, dim=d, keepdim=keepdims)
    return a


def prod(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over axes."""
    a = tensor(a).to(dtype_of(dtype)) if dtype is not None else tensor(a)
    return torch.prod(a) if axis is None and not keepdims else _one_by_one(torch.prod, a, axis, keepdims)


def mean(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over axes."""
    a = tensor(a)
    a = a.to(dtype_of(dtype)) if dtype is not None else a if _torch_values.has_tangent(a) else a.to(torch.float64)
    return torch.mean(a, axes_of(axis, a.ndim), keepdim=keepdims)


def var(a: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over axes; divided by n - ddof."""
    a = tensor(a)
    return torch.var(a, axes_of(axis, a.ndim), correction=ddof, keepdim=keepdims)


def std(a: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes; of n - ddof."""
    a = tensor(a)
    return torch.std(a, axes_of(axis, a.ndim), correction=ddof, keepdim=keepdims)


def max_(a: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest over axes."""
    a = tensor(a)
    return torch.amax(a, axes_of(axis, a.ndim), keepdim=keepdims)


def min_(a: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest over axes."""
    a = tensor(a)
    return torch.amin(a, axes_of(axis, a.ndim), keepdim=keepdims)


amax, amin = max_, min_


def all_(a: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all hold, over axes."""
    return _one_by_one(torch.all, a, axis, keepdims)


def any_(a: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any holds, over axes."""
    return _one_by_one(torch.any, a, axis, keepdims)


def argmax(a: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest is."""
    return torch.argmax(tensor(a), axis, keepdim=keepdims)


def argmin(a: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest is."""
    return torch.argmin(tensor(a), axis, keepdim=keepdims)


def nansum(a: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over axes of what is a number."""
    a = tensor(a)
    return torch.nansum(a, axes_of(axis, a.ndim), keepdim=keepdims)


def count_nonzero(a: Any, axis: Axis = None) -> Tensor:
    """How many are not zero."""
    return torch.count_nonzero(tensor(a), axis)


def _along(fn: Callable[..., Any], a: Any, axis: int | None, dtype: Any) -> Tensor:
    a = tensor(a)
    return fn(a.ravel() if axis is None else a, 0 if axis is None else axis, dtype=dtype_of(dtype))  # type: ignore[no-any-return]


def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running sums."""
    return _along(torch.cumsum, a, axis, dtype)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running products."""
    return _along(torch.cumprod, a, axis, dtype)


def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Differences of neighbours."""
    return torch.diff(tensor(a), n, axis)


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The integral by the trapezoidal rule."""
    return torch.trapezoid(tensor(y), dx=dx, dim=axis) if x is None else torch.trapezoid(tensor(y), tensor(x), dim=axis)



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
    parts = _promoted(arrays)
    return torch.cat([p.ravel() for p in parts]) if axis is None else torch.cat(parts, axis)


concat = concatenate


def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Arrays joined along a new axis."""
    return torch.stack(_promoted(arrays), axis)


def vstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined as rows."""
    return torch.vstack(_promoted(tup))


def hstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined along the second axis, the first for vectors."""
    return torch.hstack(_promoted(tup))


def column_stack(tup: Sequence[Any]) -> Tensor:
    """Vectors joined as columns."""
    return torch.column_stack(_promoted(tup))


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



def take(a: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Elements at indices along an axis."""
    a, at = tensor(a), tensor(indices).long()
    if axis is None:
        a, axis = a.ravel(), 0
    axis %= a.ndim
    return torch.index_select(a, axis, at.ravel() % a.shape[axis]).reshape(*a.shape[:axis], *at.shape, *a.shape[axis + 1 :])


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """Elements at indices that match the other axes."""
    arr, at = tensor(arr), tensor(indices).long()
    return torch.take_along_dim(arr, at) if axis is None else torch.take_along_dim(arr, at, axis)


def sort(a: Any, axis: int | None = -1) -> Tensor:
    """Sorted along an axis."""
    a = tensor(a)
    return torch.sort(a.ravel() if axis is None else a, dim=0 if axis is None else axis, stable=True).values


def argsort(a: Any, axis: int | None = -1) -> Tensor:
    """The indices that sort along an axis."""
    a = tensor(a)
    return torch.argsort(a.ravel() if axis is None else a, dim=0 if axis is None else axis, stable=True)


def searchsorted(a: Any, v: Any, side: str = "left") -> Tensor:
    """Where values belong in a sorted vector."""
    return torch.searchsorted(tensor(a), tensor(v), side=side)


def nonzero(a: Any) -> tuple[Tensor, ...]:
    """The indices of what is not zero."""
    return torch.nonzero(tensor(a), as_tuple=True)



def dot(a: Any, b: Any) -> Tensor:
    """The product over the last axis of a and the last but one of b."""
    a, b = _promoted((a, b))
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return torch.tensordot(a, b, dims=([-1], [-2 if b.ndim > 1 else -1]))


def vdot(a: Any, b: Any) -> Tensor:
    """The inner product of all elements, the first conjugated."""
    a, b = _promoted((a, b))
    return torch.vdot(a.ravel(), b.ravel())


def outer(a: Any, b: Any) -> Tensor:
    """Every product of two vectors."""
    a, b = _promoted((a, b))
    return torch.outer(a.ravel(), b.ravel())


def cross(a: Any, b: Any, axis: int = -1) -> Tensor:
    """The vector product."""
    return torch.linalg.cross(*_promoted((a, b)), dim=axis)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The product over some axes of both."""
    if not isinstance(axes, int):
        axes = tuple([d] if isinstance(d, int) else list(d) for d in axes)
    return torch.tensordot(*_promoted((a, b)), dims=axes)


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Einstein's summation convention."""
    return torch.einsum(subscripts, *_promoted(operands))


def polyval(p: Any, x: Any) -> Tensor:
    """A polynomial, highest power first."""
    p, x = tensors(p, x)
    y = torch.zeros_like(x) if _torch_values.has_tangent(x) else torch.zeros_like(x, dtype=p.dtype)
    for c in p:
        y = y * x + c
    return y

