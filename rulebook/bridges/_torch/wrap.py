"""Arguments of NumPy's functions as torch takes them: tensors, dtypes and axes."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges._torch import values as _torch_values

__all__ = ["Axis", "axes_of", "binary", "dtype_of", "floating", "promoted", "public", "tensor", "tensors", "unary"]

Axis = int | tuple[int, ...] | None


def public(module: types.ModuleType) -> dict[str, Any]:
    """The functions of a module that stand in a namespace, by the names that they have there."""
    found = {n: v for n, v in vars(module).items() if isinstance(v, types.FunctionType) and v.__module__ in (module.__name__, __name__)}
    return {n.removesuffix("_"): v for n, v in found.items() if not n.startswith("_") and n not in __all__}


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


def promoted(parts: Sequence[Any]) -> list[Tensor]:
    made = tensors(*parts)
    dtype = functools.reduce(torch.promote_types, [p.dtype for p in made])
    return [p if p.dtype == dtype else p.to(dtype) for p in made]
