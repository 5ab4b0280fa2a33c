"""The names of scipy.sparse.linalg; they stand in `rulebook.rules.sparse` as well."""

from __future__ import annotations

from rulebook.rules.sparse._eigen import eigsh as eigsh, svds as svds
from rulebook.rules.sparse._exponential import expm_multiply as expm_multiply
from rulebook.rules.sparse._iterative import (
    bicgstab as bicgstab,
    cg as cg,
    gmres as gmres,
    lsmr as lsmr,
    lsqr as lsqr,
)
from rulebook.rules.sparse._systems import factorized as factorized, splu as splu, spsolve as spsolve

__all__ = ["bicgstab", "cg", "eigsh", "expm_multiply", "factorized", "gmres", "lsmr", "lsqr", "splu", "spsolve", "svds"]
