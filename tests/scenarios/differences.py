"""Derivatives of a scenario's function by differences of NumPy code: no engine takes part."""

from __future__ import annotations

import copy

import numpy as np

from rulebook import trees
from rulebook.testing.scenario.library.solvers import MARK
from rulebook.testing.scenario.model import Point, Scenario

_WEIGHTS = {1: 2 / 3, 2: -1 / 12}  # central differences of fourth order, at one and two steps


def value_at(scenario: Scenario, point: Point, args: tuple) -> list[np.ndarray]:
    """The leaves of the value that have a tangent."""
    args, constants = copy.deepcopy((args, point.constants))
    named = constants if isinstance(constants, dict) else {}
    y = scenario.f(*args, *(() if named else constants), *(np.full_like(c, np.nan) for c in scenario.caches), **named)
    return [np.asarray(leaf, np.result_type(leaf, np.float64)) for leaf in trees.leaves_of(y)]


def numbers(scenario: Scenario) -> tuple[int, ...]:
    """The arguments that are differentiated."""
    n = len(scenario.args)
    if scenario.argnums is None:
        return tuple(range(n)) if scenario.operator in ("jvp", "vjp") else (0,)
    return (scenario.argnums,) if isinstance(scenario.argnums, int) else scenario.argnums


def floating(tree: object) -> list[tuple[int, np.ndarray]]:
    """The numbered leaves that have a tangent, in double precision."""
    every = [(i, np.asarray(leaf)) for i, leaf in enumerate(trees.leaves_of(tree))]
    return [(i, a.astype(np.result_type(a, np.float64))) for i, a in every if a.dtype.kind in "fc"]


class Moved:
    """The arguments that are differentiated, as a list of arrays that can be moved."""

    def __init__(self, scenario: Scenario, point: Point) -> None:
        self.scenario, self.point = scenario, point
        self.at = numbers(scenario)
        self.leaves, self.structure = trees.flatten(tuple(point.args[i] for i in self.at))
        self.moving = floating(tuple(point.args[i] for i in self.at))

    def args(self, by: list[np.ndarray]) -> tuple:
        leaves = list(self.leaves)
        for (i, x), step in zip(self.moving, by, strict=True):
            leaves[i] = x + step
        made = dict(zip(self.at, self.structure.unflatten(iter(leaves)), strict=True))
        return tuple(made.get(i, x) for i, x in enumerate(self.point.args))

    def along(self, direction: list[np.ndarray], h: float = 2e-3, start: list[np.ndarray] | None = None) -> list[np.ndarray]:
        """The derivative of the value along a direction."""
        start = [np.zeros(x.shape) for _, x in self.moving] if start is None else start
        total = None
        for k, weight in _WEIGHTS.items():
            for sign in (1, -1):
                by = [s + sign * k * h * d for s, d in zip(start, direction, strict=True)]
                y = [sign * weight / h * v for v in value_at(self.scenario, self.point, self.args(by))]
                total = y if total is None else [a + b for a, b in zip(total, y, strict=True)]
        return [self.mark * t for t in total]

    @property
    def mark(self) -> float:
        """What the rules multiply the derivative by."""
        return MARK if "rule" in self.scenario.tags else 1.0

    def second(self, one: list[np.ndarray], other: list[np.ndarray], h: float = 5e-3) -> list[np.ndarray]:
        """The second derivative of the value along two directions."""
        total = None
        for k, weight in _WEIGHTS.items():
            for sign in (1, -1):
                start = [sign * k * h * d for d in other]
                y = [sign * weight / h * v for v in self.along(one, h, start)]
                total = y if total is None else [a + b for a, b in zip(total, y, strict=True)]
        return total

    def directions(self, n: int, seed: int) -> list[list[np.ndarray]]:
        """Random directions; of complex leaves complex ones."""
        rng = np.random.default_rng(seed)
        draw = lambda x: rng.normal(size=x.shape) + (1j * rng.normal(size=x.shape) if x.dtype.kind == "c" else 0.0)
        return [[draw(x) for _, x in self.moving] for _ in range(n)]
