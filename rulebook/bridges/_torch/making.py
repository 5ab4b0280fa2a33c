"""NumPy's functions that make arrays.

Every public function here stands in the namespace under its name; a trailing underscore avoids a
Python built-in.  Arguments are tensors, NumPy arrays or Python numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges._torch.wrap import dtype_of, promoted, tensor, tensors


def asarray(a: Any, dtype: Any = None) -> Tensor:
    """A value, or nested lists of tensors and numbers, as a tensor; a tensor stays one."""
    made = _nested(a) if isinstance(a, (list, tuple)) else tensor(a)
    return made if dtype is None else made.to(dtype_of(dtype))


def _nested(values: Any) -> Tensor:
    parts = [_nested(v) if isinstance(v, (list, tuple)) else tensor(v) for v in values]
    return torch.stack(promoted(parts)) if parts else torch.zeros(0, dtype=torch.float64)


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
    values: Any = np.arange(start, stop, step) if stop is not None else np.arange(0, start, step)
    return torch.from_numpy(values).to(dtype_of(dtype))


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
