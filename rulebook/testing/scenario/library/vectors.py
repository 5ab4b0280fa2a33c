"""Functions of one vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Array, Problem, draw
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_POINTS = draw((3,), 3), draw((3,), 4)
_MATRIX = draw((2, 3), 5)
_EYE = np.eye(3)


def _logsumexp(x: Any) -> Any:
    xp = rb.xp(x)
    return xp.log(xp.sum(xp.exp(x)))


def _softmax(x: Array) -> Any:
    return np.exp(x) / np.exp(x).sum()


def _rosenbrock(x: Any) -> Any:
    return rb.xp(x).sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _rosenbrock_first(x: Array) -> Any:
    gap = x[1:] - x[:-1] ** 2
    g = np.zeros(3)
    g[:-1] = -400 * x[:-1] * gap - 2 * (1 - x[:-1])
    g[1:] += 200 * gap
    return g


def _rosenbrock_second(x: Array) -> Any:
    h = np.zeros((3, 3))
    for i in range(2):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
    return h


def _layer(x: Any) -> Any:
    xp = rb.xp(x)
    return xp.tanh(xp.asarray(_MATRIX) @ x)


def _layer_first(x: Array) -> Any:
    return (1 - np.tanh(_MATRIX @ x) ** 2)[:, None] * _MATRIX


def _products(x: Any) -> Any:
    """The elements, multiplied one by one."""
    return rb.xp(x).stack([x[0], x[0] * x[1], x[0] * x[1] * x[2]])


def _products_first(x: Array) -> Any:
    a, b, c = x
    return np.array([[1, 0, 0], [b, a, 0], [b * c, a * c, a * b]])


def _outer(x: Any) -> Any:
    return rb.xp(x).outer(x, x**2)


def _outer_first(x: Array) -> Any:
    return np.einsum("ik,j->ijk", _EYE, x**2) + np.einsum("i,jk,k->ijk", x, _EYE, 2 * x)


def scenarios() -> Iterator[Scenario]:
    """Vector to number, vector and matrix."""
    yield from Problem(
        "logsumexp",
        _logsumexp,
        _POINTS,
        _softmax,
        lambda x: np.diag(_softmax(x)) - np.outer(_softmax(x), _softmax(x)),
        ("vector-in", "number-out"),
    ).scenarios()
    yield from Problem(
        "rosenbrock", _rosenbrock, _POINTS, _rosenbrock_first, _rosenbrock_second, ("vector-in", "number-out", "views")
    ).scenarios(("grad", "value_and_grad", "hessian", "hvp"))
    yield from Problem("layer", _layer, _POINTS, _layer_first, tags=("vector-in", "vector-out")).scenarios()
    yield from Problem("products", _products, _POINTS, _products_first, tags=("vector-in", "vector-out", "views")).scenarios()
    yield from Problem("outer", _outer, _POINTS, _outer_first, tags=("vector-in", "matrix-out")).scenarios()
