"""Arrays without elements and without axes, results that do not depend on the argument, and many directions at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Formula, Problem, draw, made
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_POINTS = draw((3,), 30), draw((3,), 31)


def _cubes(x: Any) -> Any:
    return rb.xp(x).sum(x**3)


def _squares(x: Any) -> Any:
    return x**2


def _none(x: Any) -> Any:
    """No elements, whatever the argument."""
    return x[:0] ** 2


def _constant(x: Any) -> Any:
    return rb.xp(x).zeros(2) + 3.0


def _identity(x: Any) -> Any:
    return x


def _neighbours(x: Any) -> Any:
    """Not square: two results of three numbers."""
    return x[1:] * x[:-1]


def _empty() -> Iterator[Scenario]:
    nothing = np.zeros(0)
    tags = ("vector-in", "empty")
    for operator, exact in (("grad", lambda x: x), ("value_and_grad", lambda x: x), ("hessian", lambda x: np.zeros((0, 0)))):
        yield made(f"empty-cubes-{operator}", operator, _cubes, exact, (nothing,), (nothing,), tags=tags)
    yield made("empty-squares-jacobian", "jacobian", _squares, lambda x: np.zeros((0, 0)), (nothing,), (nothing,), tags=tags)
    one = ((nothing,), (nothing,))
    yield made("empty-squares-jvp", "jvp", _squares, lambda x, d: nothing, (nothing,), (nothing,), along=one, tags=tags)
    yield made("empty-squares-vjp", "vjp", _squares, lambda x, b: (nothing,), (nothing,), (nothing,), along=(nothing, nothing), tags=tags)
    args = tuple((x,) for x in _POINTS)
    yield made("empty-result-jacobian", "jacobian", _none, lambda x: np.zeros((0, 3)), *args, tags=tags)
    yield made("empty-result-vjp", "vjp", _none, lambda x, b: (np.zeros(3),), *args, along=(nothing, nothing), tags=tags)


def _plain() -> Iterator[Scenario]:
    args = tuple((x,) for x in _POINTS)
    tags = ("vector-in", "constant-result")
    yield made("constant-jacobian", "jacobian", _constant, lambda x: np.zeros((2, 3)), *args, tags=tags)
    yield made("constant-jvp", "jvp", _constant, lambda x, d: np.zeros(2), *args, along=tuple((x,) for x in _POINTS), tags=tags)
    yield made("constant-vjp", "vjp", _constant, lambda x, b: (np.zeros(3),), *args, along=(np.ones(2), np.ones(2)), tags=tags)
    tags = ("vector-in", "identity")
    yield made("identity-jvp", "jvp", _identity, lambda x, d: d[0], *args, along=tuple((2 * x,) for x in _POINTS), tags=tags)
    yield made("identity-vjp", "vjp", _identity, lambda x, b: (b,), *args, along=tuple(2 * x for x in _POINTS), tags=tags)
    yield made("identity-jacobian", "jacobian", _identity, lambda x: np.eye(3), *args, tags=tags)


def _batches() -> Iterator[Scenario]:
    """Directions have one more axis, in front."""
    first: Formula = lambda x: np.diag(x[1:]) @ np.eye(2, 3) + np.diag(x[:-1]) @ np.eye(2, 3, 1)
    args = tuple((x,) for x in _POINTS)
    tags = ("vector-in", "batch")
    options: dict[str, Any] = {"batch": True}
    dots, bars = (draw((4, 3), 32), draw((4, 3), 33)), (draw((4, 2), 34), draw((4, 2), 35))
    one = tuple((d,) for d in dots)
    yield made("neighbours-batch-jvp", "jvp", _neighbours, lambda x, d: d[0] @ first(x).T, *args, along=one, tags=tags, **options)
    yield made("neighbours-batch-vjp", "vjp", _neighbours, lambda x, b: (b @ first(x),), *args, along=bars, tags=tags, **options)
    yield made("cubes-batch-hvp", "hvp", _cubes, lambda x, d: 6 * x * d, *args, along=dots, tags=tags, **options)
    yield made("cubes-batch-jvp", "jvp", _cubes, lambda x, d: d[0] @ (3 * x**2), *args, along=one, tags=tags, **options)


def scenarios() -> Iterator[Scenario]:
    """Sizes and shapes at the edge."""
    yield from _empty()
    number = np.array(0.8), np.array(-0.4)
    tags = ("number-in", "number-out", "zero-d")
    yield from Problem("zero-d", lambda x: x**3, number, lambda x: 3 * x**2, lambda x: 6 * x, tags).scenarios()
    yield from _plain()
    yield from _batches()
