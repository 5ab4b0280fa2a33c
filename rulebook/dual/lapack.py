"""A factorisation that serves many right-hand sides: SciPy's where it is loaded, else one call of NumPy's with all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["factor"]


def factor(a: Any) -> Callable[[Any], Any] | None:
    """A solver for a plain square matrix, or None where SciPy is not loaded (it is not imported for this)."""
    linalg = sys.modules.get("scipy.linalg")
    if linalg is None or a.dtype.char not in "fdFD" or not a.size:
        return None
    getrf, getrs = linalg.lapack.get_lapack_funcs(("getrf", "getrs"), (a,))
    lu, pivots, info = getrf(a)
    if info > 0:
        raise np.linalg.LinAlgError("Singular matrix")
    return lambda b: getrs(lu, pivots, b)[0]
