"""Jacobians and Hessians with few entries other than zero, found and given as sparse matrices of shape (y.size, x.size)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Array, Formula, draw, made
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_N = 8
_X, _U = draw((_N,), 90), draw((_N,), 91)
_GRID, _OTHER = draw((3, 4), 92), draw((3, 4), 93)


def _differences(x: Any) -> Any:
    """Squares of neighbours, subtracted: two entries a row."""
    return x[1:] ** 2 - x[:-1] ** 2


def _differences_first(x: Array) -> Any:
    return np.diag(2 * x[1:], 1)[:-1] - np.diag(2 * x)[:-1]


def _sines(x: Any) -> Any:
    return rb.xp(x).sin(x)


def _chain(x: Any) -> Any:
    """An energy of neighbours: a tridiagonal Hessian."""
    return rb.xp(x).sum((x[1:] * x[:-1]) ** 2)


def _chain_second(x: Array) -> Any:
    h = np.zeros((_N, _N))
    for i in range(_N - 1):
        h[i, i] += 2 * x[i + 1] ** 2
        h[i + 1, i + 1] += 2 * x[i] ** 2
        h[i, i + 1] = h[i + 1, i] = 4 * x[i] * x[i + 1]
    return h


def _columns(m: Any) -> Any:
    """The sums of the columns of a matrix, squared: of more than one axis, in the order of ravel."""
    return rb.xp(m).sum(m**2, axis=0)


def _columns_first(m: Array) -> Any:
    columns = m.shape[1]
    return np.stack([np.where(np.arange(columns) == j, 2 * m, 0.0).ravel() for j in range(columns)])


def scenarios() -> Iterator[Scenario]:
    """Sparse results, whose pattern is detected."""
    x, u, tags = (_X,), (_U,), ("sparse", "vector-in")
    options: dict[str, Any] = {"sparsity": "detect", "needs": ("scipy",)}
    yield made("differences-sparse-jacobian", "jacobian", _differences, _differences_first, x, u, tags=tags, **options)
    diagonal: Formula = lambda x: np.diag(np.cos(x))
    yield made("diagonal-sparse-jacobian", "jacobian", _sines, diagonal, x, u, tags=tags, **options)
    yield made("chain-sparse-hessian", "hessian", _chain, _chain_second, x, u, tags=tags, **options)
    grids = (_GRID,), (_OTHER,)
    yield made("columns-sparse-jacobian", "jacobian", _columns, _columns_first, *grids, tags=("sparse", "matrix-in"), **options)
