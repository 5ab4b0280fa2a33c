"""Rare draws: to draw is cheap and to check is not, so more points are drawn than checked, and the outstanding ones kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.testing.points import Point
from rulebook.testing.spaces import moves

__all__ = ["Extremes"]

_MOST_OPTIONS = 8


class Extremes:
    """The largest and smallest values of each array over some points, for each combination of options, and their shapes."""

    def __init__(self) -> None:
        self._most: dict[Any, float] = {}
        self._options: set[Any] = set()

    def met(self, point: Point) -> Point:
        """The point itself, which is counted from now on."""
        options = _options(point)
        self._options.add(options)
        for key, value in _measures(point):
            for k in (key, (options, key)):
                self._most[k] = max(value, self._most.get(k, -np.inf))
        return point

    def outstanding(self, points: Iterable[Point]) -> Iterator[Point]:
        """Those of some points that go beyond all that were met in some measure, each the farthest in it; no two alike."""
        each = len(self._options) <= _MOST_OPTIONS  # more are drawn from a range
        best: dict[Any, tuple[float, Point]] = {}
        for point in points:
            options = _options(point) if each else ()
            for key, value in _measures(point):
                k = (options, key) if each else key
                if value > self._most.get(k, -np.inf) and (k not in best or value > best[k][0]):
                    best[k] = value, point
        yield from {id(point): point for _, point in best.values()}.values()


def _options(point: Point) -> tuple[Any, ...]:
    return tuple(v for v in point.statics.values() if isinstance(v, (str, bool, int, float)))


def _measures(point: Point) -> Iterator[tuple[Any, float]]:
    """(what, how much of it): of options and shapes there is all or nothing."""
    for name, option in point.statics.items():
        if isinstance(option, (str, bool, int, type(None))):
            yield (name, option), 1.0
    for i, leaf in enumerate(trees.flatten(point.args)[0]):
        if moves(leaf):
            a = np.asarray(leaf)
            yield (i, a.shape, a.dtype.char), 1.0
            yield from _sizes(i, a if a.dtype.kind == "f" else np.abs(a))


def _sizes(i: int, a: Any) -> Iterator[tuple[Any, float]]:
    low, high = (float(a.min()), float(a.max())) if a.size else (0.0, 0.0)
    if (low or high) and math.isfinite(low) and math.isfinite(high):
        yield (i, "most"), high
        yield (i, "least"), -low
        yield (i, "smallest"), -low if low > 0 else high if high < 0 else -float(np.abs(a[a != 0]).min())
