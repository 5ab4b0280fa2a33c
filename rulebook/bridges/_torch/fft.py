"""`numpy.fft` on torch values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rulebook.bridges._torch.wrap import Axis, tensor


def _one(name: str) -> Callable[..., Tensor]:
    fn = getattr(torch.fft, name)

    def transform(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
        return fn(tensor(a), n, axis, norm)  # type: ignore[no-any-return]

    transform.__name__, transform.__doc__ = name, f"As numpy.fft.{name}."
    return transform


def _many(name: str, default: Any) -> Callable[..., Tensor]:
    fn = getattr(torch.fft, name)

    def transform(a: Any, s: Any = None, axes: Any = default, norm: str | None = None) -> Tensor:
        return fn(tensor(a), s, axes, norm)  # type: ignore[no-any-return]

    transform.__name__, transform.__doc__ = name, f"As numpy.fft.{name}."
    return transform


globals().update({n: _one(n) for n in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")})
globals().update({n: _many(n, None) for n in ("fftn", "ifftn", "rfftn", "irfftn")})
globals().update({n: _many(n, (-2, -1)) for n in ("fft2", "ifft2", "rfft2", "irfft2")})


def fftfreq(n: int, d: float = 1.0) -> Tensor:
    """The frequencies of `fft`."""
    return torch.fft.fftfreq(n, d, dtype=torch.float64)


def rfftfreq(n: int, d: float = 1.0) -> Tensor:
    """The frequencies of `rfft`."""
    return torch.fft.rfftfreq(n, d, dtype=torch.float64)


def fftshift(x: Any, axes: Axis = None) -> Tensor:
    """The zero frequency in the middle."""
    return torch.fft.fftshift(tensor(x), axes)


def ifftshift(x: Any, axes: Axis = None) -> Tensor:
    """The inverse of `fftshift`."""
    return torch.fft.ifftshift(tensor(x), axes)
