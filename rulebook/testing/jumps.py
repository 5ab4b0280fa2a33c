"""Jumps of a function that iterates until a tolerance is met: proof that its values carry that error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rulebook.testing.spaces import Array, Space

__all__ = ["largest_jump"]

_SAMPLES = 33
_ORDER = 8
_HALVINGS = 30
_LARGEST = 1e-5  # relative; a larger jump is a branch of the function, no tolerance


def largest_jump(g: Callable[[float], Array | None], finite: Array, space: Space) -> float:
    """The relative size of a discontinuity on the way from t = -r to r; 0.0 where none is found.

    The values at equal distances are differenced until what is smooth in them has gone; where they then are largest is
    halved again and again.  At a jump the difference of the two ends stays what it is, elsewhere it vanishes.

    Args:
        g: values along a line.
        finite: the elements to look at.
        space: that the values are from.
    """
    for reach in (2.0**-4, 0.25, 0.6, 2.0**-8):
        t = np.linspace(-reach, reach, _SAMPLES)
        values = [g(float(s)) for s in t]
        if any(v is None or not np.isfinite(v[finite]).all() for v in values):
            continue
        table = np.where(finite, np.array(values), 0)
        size = np.maximum(np.abs(table).max(axis=0), 1e-300)
        found = _bisect(g, t, table, size, finite)
        if found:
            return found
    return 0.0


def _bisect(g: Callable[[float], Array | None], t: Array, table: Array, size: Array, finite: Array) -> float:
    rough = np.abs(np.diff(table, _ORDER, axis=0)) / size
    k, element = np.unravel_index(int(np.argmax(rough)), rough.shape)
    best = 0.0
    for start in (k + 3, k + 4, k + 2, k + 5):  # a jump shows most in the middle of a difference
        best = max(best, _jump_between(g, float(t[start]), float(t[start + 1]), int(element), float(size[element])))
    return best if 1e-14 < best < _LARGEST else 0.0


def _jump_between(g: Callable[[float], Array | None], a: float, b: float, element: int, size: float) -> float:
    """The jump of one element that remains as the interval shrinks, relative to its size."""
    ga, gb = g(a), g(b)
    if ga is None or gb is None:
        return 0.0
    slope = abs(gb[element] - ga[element]) / (b - a)
    for _ in range(_HALVINGS):
        middle = (a + b) / 2
        gm = g(middle)
        if gm is None:
            return 0.0
        expected = slope * (b - a) / 2
        if abs(abs(gm[element] - ga[element]) - expected) > abs(abs(gb[element] - gm[element]) - expected):
            b, gb = middle, gm
        else:
            a, ga = middle, gm
    left = abs(gb[element] - ga[element])
    width = 64 * (b - a)
    before, after = g(a - width), g(b + width)
    if before is None or after is None:
        return 0.0
    # beside a jump the function goes on as before; beside a pole it does not
    around = abs(ga[element] - before[element]) + abs(after[element] - gb[element])
    return float(left / size) if left > 10 * around + 64 * np.finfo(float).eps * size else 0.0
