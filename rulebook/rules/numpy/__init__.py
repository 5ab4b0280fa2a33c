"""NumPy's functions as primitives, with rules of both directions: `linalg` and `fft` hold those of `numpy.linalg` and `numpy.fft`."""

from __future__ import annotations

from rulebook.rules.numpy import linalg

__all__ = ["linalg"]
