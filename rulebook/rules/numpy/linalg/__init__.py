"""`numpy.linalg` as primitives, with rules of both directions."""

from __future__ import annotations

from rulebook.rules.numpy.linalg._eigen import eig, eigh, eigvals, eigvalsh
from rulebook.rules.numpy.linalg._factors import cholesky, qr
from rulebook.rules.numpy.linalg._least import lstsq, matrix_rank, pinv
from rulebook.rules.numpy.linalg._norms import cond, matrix_norm, norm, vector_norm
from rulebook.rules.numpy.linalg._products import (
    cross,
    diagonal,
    matmul,
    matrix_power,
    matrix_transpose,
    multi_dot,
    outer,
    tensordot,
    trace,
    vecdot,
)
from rulebook.rules.numpy.linalg._singular import svd, svdvals
from rulebook.rules.numpy.linalg._solving import det, inv, slogdet, solve, tensorinv, tensorsolve

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
