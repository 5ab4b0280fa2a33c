"""`numpy.linalg` as primitives, with rules of both directions."""

from __future__ import annotations

from rulebook.rules.numpy.linalg._eigen import eig, eigh, eigvals, eigvalsh
from rulebook.rules.numpy.linalg._factors import cholesky, qr, svd, svdvals
from rulebook.rules.numpy.linalg._solving import det, inv, lstsq, matrix_rank, pinv, slogdet, solve, tensorinv, tensorsolve

__all__ = [
    "cholesky",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matrix_rank",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
]
