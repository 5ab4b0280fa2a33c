"""LU factors of sparse matrices, kept for the matrices that were factored last.

Value, tangents and cotangents of every order solve with one matrix and its adjoint.  They meet here, and the first of them factors.
A factor is found by the digest of the entries themselves, with their dtype and the pattern: other entries never meet it.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import importlib
import threading
from typing import Any

import numpy as np

from rulebook.rules.sparse._matrix import scipy_matrix
from rulebook.rules.sparse._pattern import Pattern

__all__ = ["Factor", "factor_of", "forget"]

_MOST = 8  # factors that are kept
_kept: collections.OrderedDict[Any, Factor] = collections.OrderedDict()
_lock = threading.Lock()


class Factor:
    """The LU factors of one matrix."""

    def __init__(self, data: Any, pattern: Pattern, permc_spec: str | None) -> None:
        linalg = importlib.import_module("scipy.sparse.linalg")
        matrix = scipy_matrix(data, pattern).tocsc()
        self._lu = linalg.splu(matrix, **({} if permc_spec is None else {"permc_spec": permc_spec}))
        self._dtype = data.dtype
        self._norm = float(abs(matrix).sum(axis=0).max()) if matrix.nnz else 0.0
        self._size = matrix.shape[0]

    @functools.cached_property
    def is_singular(self) -> bool:
        """Whether the matrix is singular to rounding, by an estimate of its condition (N. J. Higham and F. Tisseur, 2000)."""
        linalg = importlib.import_module("scipy.sparse.linalg")
        inverse = linalg.LinearOperator(
            (self._size, self._size), lambda b: self.solve(b, False), rmatvec=lambda b: self.solve(b, True), dtype=self._dtype
        )
        condition = self._norm * linalg.onenormest(inverse)
        return not condition < 1 / (16 * self._size * np.finfo(self._dtype).eps)

    def solve(self, b: Any, adjoint: bool) -> Any:
        """x with A x = b, or A^H x = b, for b of shape (n,) or (n, k)."""
        trans = "H" if adjoint else "N"
        if self._dtype.kind != "c" and b.dtype.kind == "c":
            return self._lu.solve(np.ascontiguousarray(b.real), trans) + 1j * self._lu.solve(np.ascontiguousarray(b.imag), trans)
        return self._lu.solve(np.ascontiguousarray(b, self._dtype), trans)


def factor_of(data: Any, pattern: Pattern, permc_spec: str | None = None) -> Factor:
    """The factors of a matrix; those of the same entries in the same places are made once.

    Raises:
        RuntimeError: the matrix is exactly singular (the error of SciPy).
    """
    digest = hashlib.blake2b(data.tobytes(), digest_size=16).digest()
    key = pattern, data.dtype.str, permc_spec, digest
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    made = Factor(data, pattern, permc_spec)
    with _lock:
        _kept[key] = made
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return made


def forget() -> None:
    """Give back the memory of the factors that are kept."""
    with _lock:
        _kept.clear()
