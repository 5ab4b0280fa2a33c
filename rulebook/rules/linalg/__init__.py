"""`scipy.linalg` with rules: names and arguments are SciPy's, options are keyword-only."""

from __future__ import annotations

# First what the rules for NumPy use, as some of the others use those.
from rulebook.rules.linalg.solving import det, inv, solve, solve_triangular  # isort: split

from rulebook.rules.linalg.banded import solve_banded, solveh_banded
from rulebook.rules.linalg.eigen import eig, eigvals
from rulebook.rules.linalg.equations import (
    solve_continuous_are,
    solve_continuous_lyapunov,
    solve_discrete_are,
    solve_discrete_lyapunov,
    solve_sylvester,
)
from rulebook.rules.linalg.factored import cho_factor, cho_solve, cholesky, lu, lu_factor, lu_solve
from rulebook.rules.linalg.factors import ldl, polar, qr
from rulebook.rules.linalg.functions import (
    coshm,
    cosm,
    expm,
    expm_frechet,
    fractional_matrix_power,
    logm,
    signm,
    sinhm,
    sinm,
    sqrtm,
    tanhm,
    tanm,
)
from rulebook.rules.linalg.funm import funm
from rulebook.rules.linalg.least import lstsq, pinv
from rulebook.rules.linalg.similar import hessenberg, schur
from rulebook.rules.linalg.spectra import eigh, eigvalsh, svd, svdvals
from rulebook.rules.linalg.structured import block_diag, circulant, companion, hankel, matmul_toeplitz, solve_toeplitz, toeplitz

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "companion",
    "coshm",
    "cosm",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "expm_frechet",
    "fractional_matrix_power",
    "funm",
    "hankel",
    "hessenberg",
    "inv",
    "ldl",
    "logm",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul_toeplitz",
    "pinv",
    "polar",
    "qr",
    "schur",
    "signm",
    "sinhm",
    "sinm",
    "solve",
    "solve_banded",
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
    "solve_discrete_lyapunov",
    "solve_sylvester",
    "solve_toeplitz",
    "solve_triangular",
    "solveh_banded",
    "sqrtm",
    "svd",
    "svdvals",
    "tanhm",
    "tanm",
    "toeplitz",
]
