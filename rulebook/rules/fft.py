"""Functions of scipy.fft as primitives."""

from __future__ import annotations

__all__: list[str] = []
