"""NumPy's reductions and running sums on torch values.

Every public function here stands in the namespace under its name; a trailing underscore avoids a
Python built-in.  Arguments are tensors, NumPy arrays or Python numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rulebook.bridges._torch import values as _torch_values
from rulebook.bridges._torch.wrap import Axis, axes_of, dtype_of, tensor


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
