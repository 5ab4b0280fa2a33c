"""Sparse matrices with differentiable entries, on the values of every engine, under the names of scipy.sparse and scipy.sparse.linalg.

A matrix is a `SparseMatrix`: its entries, an array of any engine, and its pattern, which is static.  Derivatives keep the pattern:
a cotangent of a matrix has as many numbers as the matrix, and zeros are never filled in.
"""

from __future__ import annotations

from rulebook.rules.sparse._factors import forget as forget
from rulebook.rules.sparse._making import (
    bsr_array as bsr_array,
    coo_array as coo_array,
    csc_array as csc_array,
    csr_array as csr_array,
    dia_array as dia_array,
    diags_array as diags_array,
)
from rulebook.rules.sparse._matrix import (
    SparseMatrix as SparseMatrix,
    block_array as block_array,
    find as find,
    hstack as hstack,
    kron as kron,
    vstack as vstack,
)
from rulebook.rules.sparse._pattern import Pattern as Pattern
from rulebook.rules.sparse.linalg import (
    bicgstab as bicgstab,
    cg as cg,
    eigsh as eigsh,
    expm_multiply as expm_multiply,
    factorized as factorized,
    gmres as gmres,
    lsmr as lsmr,
    lsqr as lsqr,
    splu as splu,
    spsolve as spsolve,
    svds as svds,
)

__all__ = [
    "Pattern",
    "SparseMatrix",
    "bicgstab",
    "block_array",
    "bsr_array",
    "cg",
    "coo_array",
    "csc_array",
    "csr_array",
    "dia_array",
    "diags_array",
    "eigsh",
    "expm_multiply",
    "factorized",
    "find",
    "forget",
    "gmres",
    "hstack",
    "kron",
    "lsmr",
    "lsqr",
    "splu",
    "spsolve",
    "svds",
    "vstack",
]
