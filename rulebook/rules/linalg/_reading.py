"""What SciPy reads of a matrix: a triangle, a diagonal, all of it; and the adjoint of that, for cotangents.

Both are linear over the reals: the imaginary part of the diagonal of a Hermitian matrix is not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._along import beside
from rulebook.rules._matrices import adjoint

__all__ = [
    "STRUCTURES",
    "diagonal",
    "dtype_name",
    "eye_like",
    "matrix",
    "matrix_bar",
    "real_diagonal",
    "structure_of",
    "transpose",
    "triangle",
]

STRUCTURES = {
    None: "general",
    "gen": "general",
    "general": "general",
    "banded": "general",
    "diagonal": "diagonal",
    "tridiagonal": "tridiagonal",
    "upper triangular": "upper",
    "lower triangular": "lower",
    "sym": "symmetric",
    "symmetric": "symmetric",
    "her": "hermitian",
    "hermitian": "hermitian",
    "pos": "hermitian",
    "positive definite": "hermitian",
}


def transpose(x: Any) -> Any:
    """The transpose of each matrix."""
    return rb.xp(x).moveaxis(x, -1, -2)


def triangle(x: Any, lower: bool, strict: bool = False) -> Any:
    """The lower or the upper triangle, with or without the diagonal."""
    xp = rb.xp(x)
    return xp.tril(x, -1 if strict else 0) if lower else xp.triu(x, 1 if strict else 0)


def diagonal(x: Any) -> Any:
    """The diagonal as a matrix."""
    xp = rb.xp(x)
    return xp.triu(xp.tril(x))


def real_diagonal(x: Any) -> Any:
    """The real part of the diagonal as a matrix of the same dtype."""
    return (diagonal(x) + adjoint(diagonal(x))) / 2


def matrix(a: Any, structure: str, lower: bool = False) -> Any:
    """The matrix that is meant by what is stored.

    Args:
        a: stored matrices.
        structure: among the values of STRUCTURES.
        lower: whether the lower triangle is stored, where one is.
    """
    if structure == "hermitian":
        return triangle(a, lower, strict=True) + adjoint(triangle(a, lower, strict=True)) + real_diagonal(a)
    if structure == "symmetric":
        return triangle(a, lower) + transpose(triangle(a, lower, strict=True))
    return _kept(a, structure)


def matrix_bar(m_bar: Any, structure: str, lower: bool = False) -> Any:
    """The cotangent of what is stored, given that of the matrix meant by it."""
    if structure == "hermitian":
        return triangle(m_bar + adjoint(m_bar), lower, strict=True) + real_diagonal(m_bar)
    if structure == "symmetric":
        return triangle(m_bar, lower) + triangle(transpose(m_bar), lower, strict=True)
    return _kept(m_bar, structure)


def _kept(x: Any, structure: str) -> Any:
    xp = rb.xp(x)
    if structure == "general":
        return x
    if structure == "tridiagonal":
        return xp.triu(xp.tril(x, 1), -1)
    return diagonal(x) if structure == "diagonal" else triangle(x, structure == "lower")


def structure_of(assume_a: str | None) -> str:
    """The structure that `assume_a` of SciPy names.

    Raises:
        ValueError: there is none of that name.
    """
    if assume_a not in STRUCTURES:
        names = ", ".join(repr(name) for name in STRUCTURES if name)
        raise ValueError(f"assume_a has to be None or one of {names}, and is {assume_a!r}")
    return STRUCTURES[assume_a]


def eye_like(x: Any, rows: int | None = None, k: int = 0) -> Any:
    """Ones on a diagonal, of the number of columns and the dtype of x, on its engine and device."""
    n = x.shape[-1]
    return beside(x, np.eye(n if rows is None else rows, n, k, dtype=dtype_name(x)))


def dtype_name(x: Any) -> str:
    """The name that NumPy has for the dtype of x."""
    return str(x.dtype).removeprefix("torch.")
