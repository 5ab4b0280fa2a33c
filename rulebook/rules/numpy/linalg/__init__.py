"""`numpy.linalg` as primitives, with rules of both directions."""

from __future__ import annotations

from rulebook.rules.numpy.linalg._eigen import eig, eigh, eigvals, eigvalsh
from rulebook.rules.numpy.linalg._factors import cholesky, qr, svd, svdvals

__all__ = ["cholesky", "eig", "eigh", "eigvals", "eigvalsh", "qr", "svd", "svdvals"]
