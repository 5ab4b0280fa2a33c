"""The functions of products and diagonals that `numpy.linalg` has as well as `numpy`: of the last two axes here."""

from __future__ import annotations

from typing import Any

from rulebook.rules.numpy import _products, _selection
from rulebook.rules.numpy._products import cross, matmul, matrix_power, multi_dot, outer, tensordot, vecdot
from rulebook.rules.numpy._shapes import matrix_transpose

__all__ = [
    "cross",
    "diagonal",
    "matmul",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
]


def diagonal(x: Any, *, offset: int = 0) -> Any:
    """The diagonals of matrices."""
    return _selection.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: Any, *, offset: int = 0) -> Any:
    """The sums of the diagonals of matrices."""
    return _products.trace(x, offset, -2, -1)
