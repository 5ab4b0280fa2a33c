"""The entries of a sparse derivative from products that were run, right or raised."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.errors import RuleOutputError, SparsityError
from rulebook.operators.options import Options
from rulebook.operators.sparse.detection import Array
from rulebook.operators.sparse.pattern import Index, Pattern
from rulebook.operators.sparse.products import Function, Products, pull, push
from rulebook.operators.sparse.scheme import Scheme
from rulebook.operators.sparse.suspicion import missing
from rulebook.operators.sparse.verification import Verdict, verify

__all__ = ["entries"]


def entries(use: Engine, options: Options, runs: list[list[Array]], of: Function, x: Any) -> Array:
    """The entries, in the order of the pattern.

    Args:
        use: the engine.
        options: what the operator was asked for, with the scheme.
        runs: the products.
        of: the function.
        x: where.

    Raises:
        SparsityError: the derivative is other than zero outside of the pattern.
        RuleOutputError: x is complex, and the function not holomorphic.
    """
    scheme: Scheme = options.sparsity.scheme
    dtype = use.spec(x).dtype
    data, checks = scheme.entries(runs)
    verdict = verify(scheme, data, checks, dtype)
    if not verdict.holomorphic:
        raise RuleOutputError(
            f"{of.which}, its result.",
            "a holomorphic function of complex numbers",
            "a derivative that is linear over the reals only",
            "differentiate with respect to the real and imaginary parts",
        )
    if verdict.differs.any():
        _look(scheme, np.flatnonzero(verdict.differs), dtype, of, x)
    return _known(of.which, scheme, data, verdict) if verdict.unknown.any() else data


def _look(scheme: Scheme, lines: Index, dtype: np.dtype[np.generic], of: Function, x: Any) -> None:
    """Raise where the derivative has an entry that is missing."""
    forward = scheme.parts[0].forward
    found = missing(Products(of, push if forward else pull).at(x), scheme.checked, lines, dtype)
    if found is not None:
        row, column = found if forward else found[::-1]
        raise _outside(of.which, scheme.pattern, f"another number in row {row}, column {column}")


def _known(which: str, scheme: Scheme, data: Array, verdict: Verdict) -> Array:
    """The entries, NaN where they stand in a line with numbers that are not finite, so that nothing vouches for them."""
    empty = verdict.unknown.copy()
    empty[verdict.line] = False
    if empty.any():
        k = int(np.argmax(empty))
        line = "row" if scheme.parts[0].forward else "column"
        raise _outside(which, scheme.pattern, f"infinite or undefined numbers in {line} {k}, which has no entry")
    found = data.copy()
    found[verdict.unknown[verdict.line] & np.isfinite(data)] = np.nan
    return found


def _outside(which: str, pattern: Pattern, got: str) -> SparsityError:
    return SparsityError(
        f"{which}, sparsity.",
        f"zeros outside of the pattern of {pattern.nnz} entries in {pattern.shape[0]} x {pattern.shape[1]}",
        got,
        'detect the pattern again at these arguments, by sparsity="detect" or rb.prepare, or pass one that holds this entry',
    )
