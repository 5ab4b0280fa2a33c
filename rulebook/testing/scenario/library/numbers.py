"""Functions of one number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Problem, draw
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_ROW, _COLUMN = draw((3,), 1), draw((2,), 2)


def _number(x: Any) -> Any:
    return rb.xp(x).sin(x) * x**2


def _vector(x: Any) -> Any:
    xp = rb.xp(x)
    return xp.stack([xp.sin(x), x**3, xp.exp(x) * x])


def _matrix(x: Any) -> Any:
    xp = rb.xp(x)
    return xp.cos(x * xp.outer(xp.asarray(_COLUMN), xp.asarray(_ROW)))


def _power(x: Any) -> Any:
    """A loop and a branch of Python, which do not depend on the number."""
    y = x
    for i in range(3):
        y = y * x if i % 2 == 0 else y + x
    return y


def _vector_first(x: float) -> Any:
    return np.array([np.cos(x), 3 * x**2, np.exp(x) * (1 + x)])


def _vector_second(x: float) -> Any:
    return np.array([-np.sin(x), 6 * x, np.exp(x) * (2 + x)])


def scenarios() -> Iterator[Scenario]:
    """Number to number, vector and matrix."""
    outer = np.outer(_COLUMN, _ROW)
    points = (0.7, -1.3)
    yield from Problem(
        "wave",
        _number,
        points,
        lambda x: np.cos(x) * x**2 + 2 * x * np.sin(x),
        lambda x: (2 - x**2) * np.sin(x) + 4 * x * np.cos(x),
        ("number-in", "number-out"),
    ).scenarios()
    yield from Problem("curve", _vector, points, _vector_first, _vector_second, ("number-in", "vector-out")).scenarios()
    yield from Problem(
        "waves",
        _matrix,
        points,
        lambda x: -outer * np.sin(x * outer),
        lambda x: -(outer**2) * np.cos(x * outer),
        ("number-in", "matrix-out"),
    ).scenarios()
    # ((x x) + x) x = x^3 + x^2
    yield from Problem(
        "loop", _power, points, lambda x: 3 * x**2 + 2 * x, lambda x: 6 * x + 2, ("number-in", "number-out", "control")
    ).scenarios(("derivative", "second_derivative", "grad"))
