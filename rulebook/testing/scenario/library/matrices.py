"""Functions of one matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Array, Problem, draw
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_POINTS = draw((2, 3), 6), draw((2, 3), 7)
_SQUARES = 3 * np.eye(2) + draw((2, 2), 8), 3 * np.eye(2) + draw((2, 2), 9)
_WEIGHTS = draw((2, 3), 10)
_ROW = draw((3,), 11)


def _weighted(m: Any) -> Any:
    xp = rb.xp(m)
    return xp.sum(xp.asarray(_WEIGHTS) * m**3)


def _weighted_second(m: Array) -> Any:
    return np.einsum("ij,ik,jl->ijkl", 6 * _WEIGHTS * m, np.eye(2), np.eye(3))


def _logdet(m: Any) -> Any:
    """By the linear algebra of the engine, which has rules of its own."""
    return rb.xp(m).linalg.slogdet(m)[1]


def _logdet_second(m: Array) -> Any:
    inverse = np.linalg.inv(m)
    return -np.einsum("li,jk->ijkl", inverse, inverse)


def _rows(m: Any) -> Any:
    xp = rb.xp(m)
    return xp.exp(m @ xp.asarray(_ROW))


def _gram(m: Any) -> Any:
    return m @ m.T


def _gram_first(m: Array) -> Any:
    eye = np.eye(2)
    return np.einsum("ik,jl->ijkl", eye, m) + np.einsum("jk,il->ijkl", eye, m)


def scenarios() -> Iterator[Scenario]:
    """Matrix to number, vector and matrix."""
    yield from Problem(
        "cubes", _weighted, _POINTS, lambda m: 3 * _WEIGHTS * m**2, _weighted_second, ("matrix-in", "number-out")
    ).scenarios()
    yield from Problem(
        "logdet", _logdet, _SQUARES, lambda m: np.linalg.inv(m).T, _logdet_second, ("matrix-in", "number-out", "linalg")
    ).scenarios(("jvp", "vjp", "grad", "hessian"))
    yield from Problem(
        "rows",
        _rows,
        _POINTS,
        lambda m: np.einsum("i,ij,k->ijk", np.exp(m @ _ROW), np.eye(2), _ROW),
        tags=("matrix-in", "vector-out"),
    ).scenarios()
    yield from Problem("gram", _gram, _POINTS, _gram_first, tags=("matrix-in", "matrix-out")).scenarios()
