"""Factors that serve many tangents in one call: by SciPy, where it is loaded or the matrix is large enough to load it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["cholesky_tangents", "factor"]


_LARGE = 100  # rows from which a second factorisation costs more than it is worth; loading SciPy takes 0.2 s, once


def _scipy_linalg(n: int) -> Any:
    """scipy.linalg, or None where it is not loaded and not worth it, or not installed."""
    found = sys.modules.get("scipy.linalg")
    if found is None and n >= _LARGE and importlib.util.find_spec("scipy") is not None:
        found = importlib.import_module("scipy.linalg")
    return found


def factor(a: Any) -> Callable[[Any], Any] | None:
    """A solver for a plain square matrix, or None without SciPy."""
    linalg = _scipy_linalg(len(a)) if a.size and a.dtype.char in "fdFD" else None
    if linalg is None:
        return None
    getrf, getrs = linalg.lapack.get_lapack_funcs(("getrf", "getrs"), (a,))
    lu, pivots, info = getrf(a)
    if info > 0:
        raise np.linalg.LinAlgError("Singular matrix")
    return lambda b: getrs(lu, pivots, b)[0]


def cholesky_tangents(low: Any, t: Any) -> Any:
    """L phi(L^-1 A_dot L^-T) for k real tangents, or None without SciPy: 3 n^3 operations each, where `solve` takes 5.

    BLAS takes matrices by columns: (k * n, n) by rows is the k matrices, transposed, side by side.

    Args:
        low: L, of shape (n, n).
        t: what is read of A_dot, symmetric, (k, n, n); memory that may be overwritten.
    """
    k, n = t.shape[:2]
    linalg = _scipy_linalg(n) if t.size and low.dtype.char in "fd" and t.dtype == low.dtype else None
    if linalg is None:
        return None
    trsm, trmm = linalg.blas.get_blas_funcs(("trsm", "trmm"), (low,))
    upper, tall = low.T, (k * n, n)
    half = trsm(1.0, upper, t.reshape(tall).T, lower=0, trans_a=1, overwrite_b=1).T.reshape(k, n, n)
    half = np.ascontiguousarray(half.swapaxes(1, 2)).reshape(tall)
    inner = trsm(1.0, upper, half.T, lower=0, trans_a=1, overwrite_b=1).T.reshape(k, n, n)
    inner *= np.triu(np.ones((n, n), low.dtype), 1) + np.eye(n, dtype=low.dtype) / 2
    return trmm(1.0, upper, inner.reshape(tall).T, lower=0, trans_a=1, overwrite_b=1).T.reshape(k, n, n).swapaxes(1, 2)
