"""Permutations as matrices: pivots and indices have no derivative, and products with a matrix exist in every engine."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.linalg._reading import dtype_name
from rulebook.rules.linalg._stacks import spec, stacked

__all__ = ["permutation", "pivot_permutation"]


def permutation(piv: Any, *, rows: int, like: Any) -> Any:
    """P with A = P L U, from the pivots of `lu_factor`, in the dtype of another array."""
    return _exchanges(piv, rows=rows, dtype=dtype_name(like))


def pivot_permutation(p: Any, *, like: Any) -> Any:
    """The matrix with M x = x[p]."""
    return _rows(p, dtype=dtype_name(like))


def _example(rng: np.random.Generator) -> Any:
    return rb.case(np.array([1, 1]), rows=3, dtype="float64")


@rb.non_differentiable
@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda piv, *, rows, dtype: spec(piv.shape[:-1], (rows, rows), dtype),
    cases=[_example],
)
def _exchanges(piv: Any, *, rows: int, dtype: str) -> Any:
    """Rows exchanged one after the other, as a matrix."""

    def run(pivots: Any) -> Any:
        p = np.arange(rows)
        for i, j in enumerate(pivots):
            p[[i, j]] = p[[j, i]]
        return np.eye(rows, dtype=dtype)[:, p]

    piv = np.asarray(piv)
    return stacked(run, spec(piv.shape[:-1], (rows, rows), dtype), piv, core=1)


@rb.non_differentiable
@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda p, *, dtype: spec(p.shape, p.shape[-1:], dtype),
    cases=[lambda rng: rb.case(rng.permutation(3), dtype="float64")],
)
def _rows(p: Any, *, dtype: str) -> Any:
    """The rows of the identity in another order."""
    return np.eye(p.shape[-1], dtype=dtype)[np.asarray(p)]
