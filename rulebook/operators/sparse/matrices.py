"""Sparse matrices as results: scipy.sparse for NumPy arguments, and what the engine has for its own."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from rulebook.engine import Engine
from rulebook.errors import EngineMissingError
from rulebook.operators.sparse.detection import Array
from rulebook.operators.sparse.pattern import Pattern

__all__ = ["csr_array", "matrix"]


def matrix(use: Engine, pattern: Pattern, data: Array, like: Any) -> Any:
    """A sparse matrix with the entries of a pattern.

    Args:
        use: the engine.
        pattern: the places.
        data: the entries.
        like: x where the result is the engine's own; None for scipy.sparse.
    """
    if like is not None:
        found = use.sparse_matrix(data, pattern.rows, pattern.cols, pattern.shape, like)
        if found is not None:
            return found
    cols, indptr = pattern.indices
    found = csr_array()((data, cols.copy(), indptr.copy()), shape=pattern.shape)
    found.has_canonical_format = True
    return found


@functools.cache
def csr_array() -> Any:
    """scipy.sparse.csr_array.

    Raises:
        EngineMissingError: SciPy is not installed.
    """
    try:
        return importlib.import_module("scipy.sparse").csr_array
    except ModuleNotFoundError as error:
        raise EngineMissingError(
            "A sparse derivative (sparsity=).", "the package 'scipy'", "it is not installed", "pip install scipy"
        ) from error
