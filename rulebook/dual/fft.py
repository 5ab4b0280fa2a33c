"""Fourier transforms: linear, the same on each tangent."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead
from rulebook.dual.errors import unsupported
from rulebook.dual.parts import join
from rulebook.dual.registry import rule

__all__: list[str] = []


def _along_one(function: Any) -> None:
    @rule(function)
    def apply(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
        if out is not None:
            raise unsupported(f"np.fft.{function.__name__}", "out=", "leave it away")
        return join(function(a.p, n, axis, norm), function(a.tangent, n, lead(axis, a.ndim), norm), a.tag)


_ONE: tuple[Any, ...] = (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft)
_TWO: tuple[Any, ...] = (np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.irfft2)
_ALL: tuple[Any, ...] = (np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn)

for _function in _ONE:
    _along_one(_function)


def _along_some(function: Any, default: Any) -> None:
    @rule(function)
    def apply(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Any:
        if out is not None:
            raise unsupported(f"np.fft.{function.__name__}", "out=", "leave it away")
        if axes is None:
            axes = tuple(range(a.ndim)) if s is None else tuple(range(-len(s), 0))
        return join(function(a.p, s, axes, norm), function(a.tangent, s, lead(tuple(axes), a.ndim), norm), a.tag)


for _function in _TWO:
    _along_some(_function, (-2, -1))
for _function in _ALL:
    _along_some(_function, None)


def _shift(function: Any) -> None:
    @rule(function)
    def apply(x: Any, axes: Any = None) -> Any:
        axes = tuple(range(x.ndim)) if axes is None else axes
        return join(function(x.p, axes), function(x.tangent, lead(axes, x.ndim)), x.tag)


_shift(np.fft.fftshift)
_shift(np.fft.ifftshift)
