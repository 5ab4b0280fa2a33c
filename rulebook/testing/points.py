"""The points at which a function's rules are checked: its cases, and what is drawn from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.primitive import Case
from rulebook.signature import Signature
from rulebook.testing.verdicts import said

__all__ = ["Point", "Source", "as_case", "features"]


@dataclass(frozen=True)
class Point:
    """The arguments of one call.

    Attributes:
        args: the primals.
        statics: every static, with defaults.
        origin: where they come from, as `case 0, draw 7` or `case 1, signs changed`.
        rng: goes on from the random numbers of the point.
        source: the number of its case.
        declared: whether the author gave the point or draws it; else it was varied from one.
    """

    args: tuple[Any, ...]
    statics: dict[str, Any]
    origin: str
    rng: np.random.Generator
    source: int = 0
    declared: bool = True


def as_case(found: Any) -> Case:
    """What a case function returned, or what stands in `cases`: a Case, a tuple of arguments, or a single argument."""
    if isinstance(found, Case):
        return found
    return Case(found, {}) if type(found) is tuple else Case((found,), {})


class Source:
    """One case of a function: a fixed call, or a function of a generator that draws one.

    Args:
        index: the number of the case.
        case: as in `cases=`.
        signature: of the function.
        seed: of all points.
    """

    def __init__(self, index: int, case: Any, signature: Signature, seed: int) -> None:
        self.index = index
        self.drawn = callable(case) and not isinstance(case, Case)
        self._case = case
        self.signature = signature
        self._seed = seed

    def point(self, k: int) -> Point:
        """The k-th draw; the fixed call itself where nothing is drawn."""
        rng = np.random.default_rng([self._seed, self.index, k])
        found = as_case(self._case(rng) if self.drawn else self._case)
        args, statics = self.signature.bind(tuple(found.args), found.static)
        return Point(args, dict(statics), f"case {self.index}, draw {k}" if self.drawn else f"case {self.index}", rng, self.index)


def _sign(low: float, high: float) -> str:
    return "zero" if low == high == 0 else "positive" if low >= 0 else "negative" if high <= 0 else "mixed"


def _of_array(where: int, a: Any) -> list[Any]:
    """What is remarkable about an array of numbers."""
    found: list[Any] = [(where, a.shape, a.dtype.char)]
    if a.dtype.kind == "c":
        a = a.real
    if a.dtype.kind not in "fiu" or not a.size:
        return found
    low, high = float(a.min()), float(a.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return [*found, (where, "not finite")]
    found.append((where, _sign(low, high)))
    found.append((where, "decade", math.floor(math.log10(max(-low, high) + 1e-300)) // 2))
    if a.size > 1:
        flat = a.reshape(-1)
        ordered = np.sort(flat)
        found += [(where, "zero among")] * (not flat.all())
        found += [(where, "sorted", bool((flat == ordered).all()))]
        found += [(where, "ties")] * bool((ordered[1:] == ordered[:-1]).any())
    return found


def features(point: Point) -> frozenset[Any]:
    """What tells a point from others: options, structure, shapes, dtypes, signs, sizes, ties."""
    leaves, structure = trees.flatten(point.args)
    found: list[Any] = [repr(structure), *((k, said(v)) for k, v in point.statics.items())]
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, (np.ndarray, np.generic, float, complex, int)):
            found += _of_array(i, np.asarray(leaf))
        else:
            found.append((i, said(leaf)[:80]))
    return frozenset(found)


def by_novelty(points: list[Point], n: int, key: Callable[[Point], frozenset[Any]] = features) -> list[int]:
    """The numbers of n points that between them show as many features as possible, greedily."""
    found = [key(p) for p in points]
    seen: set[Any] = set()
    rest = list(range(len(points)))
    chosen: list[int] = []
    while rest and len(chosen) < n:
        best = max(rest, key=lambda i: len(found[i] - seen))  # the first among equals
        chosen.append(best)
        rest.remove(best)
        if not found[best] - seen:
            seen.clear()  # all shown once: begin another round
        seen |= found[best]
    return chosen
