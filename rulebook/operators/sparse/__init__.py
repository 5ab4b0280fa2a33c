"""Sparse Jacobians and Hessians: a pattern that is detected or given, and products that columns or rows share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rulebook.operators.options import Options
    from rulebook.operators.sparse.operator import SparseOperator as SparseOperator
    from rulebook.operators.sparse.sparsity import Sparsity as Sparsity

__all__ = ["SparseOperator", "Sparsity", "sparse"]


def sparse(options: Options) -> SparseOperator:
    """`rb.jacobian` or `rb.hessian` with a sparse result."""
    made: SparseOperator = _operator().SparseOperator(options)
    return made


def _operator() -> Any:
    """What evaluates, imported when it is first used: most programs need none of it."""
    return import_module("rulebook.operators.sparse.operator")


def __getattr__(name: str) -> Any:
    """The classes, imported likewise."""
    if name in ("SparseOperator", "Sparsity"):
        return getattr(_operator(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
