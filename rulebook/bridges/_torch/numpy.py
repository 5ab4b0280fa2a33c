"""NumPy's other functions on torch values: elementwise ones with more than arrays, indices, products.

Every public function here stands in the namespace under its name; a trailing underscore avoids a
Python built-in.  Arguments are tensors, NumPy arrays or Python numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rulebook.bridges._torch import values as _torch_values
from rulebook.bridges._torch.wrap import binary, promoted, tensor, tensors


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
    x, y = promoted((x, y))
    return torch.where(tensor(condition).bool(), x, y)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Finite numbers in place of the others."""
    return torch.nan_to_num(tensor(x), nan, posinf, neginf)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether values agree within a tolerance, one by one."""
    return torch.isclose(*promoted((a, b)), rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all values agree within a tolerance."""
    return bool(isclose(a, b, rtol, atol, equal_nan).all())


def array_equal(a1: Any, a2: Any) -> bool:
    """Whether shapes and all values agree."""
    return torch.equal(*promoted((a1, a2)))


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
    a, b = promoted((a, b))
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return torch.tensordot(a, b, dims=([-1], [-2 if b.ndim > 1 else -1]))


def vdot(a: Any, b: Any) -> Tensor:
    """The inner product of all elements, the first conjugated."""
    a, b = promoted((a, b))
    return torch.vdot(a.ravel(), b.ravel())


def outer(a: Any, b: Any) -> Tensor:
    """Every product of two vectors."""
    a, b = promoted((a, b))
    return torch.outer(a.ravel(), b.ravel())


def cross(a: Any, b: Any, axis: int = -1) -> Tensor:
    """The vector product."""
    return torch.linalg.cross(*promoted((a, b)), dim=axis)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The product over some axes of both."""
    if not isinstance(axes, int):
        axes = tuple([d] if isinstance(d, int) else list(d) for d in axes)
    return torch.tensordot(*promoted((a, b)), dims=axes)


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Einstein's summation convention."""
    return torch.einsum(subscripts, *promoted(operands))


def polyval(p: Any, x: Any) -> Tensor:
    """A polynomial, highest power first."""
    p, x = tensors(p, x)
    y = torch.zeros_like(x) if _torch_values.has_tangent(x) else torch.zeros_like(x, dtype=p.dtype)
    for c in p:
        y = y * x + c
    return y
