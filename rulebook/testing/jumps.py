"""The error of a function that iterates until a tolerance is met, seen in its values alone.

Next to a point a solver takes as many steps as at the point, so that its error is smooth there and shows in no difference.
Over a longer way the number of steps changes, and the result jumps by about the tolerance.  A high difference of values at
equal distances h is made of the smooth part, which falls with a high power of h, and of jumps and rounding, which stay.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np

from rulebook.testing.spaces import Array

__all__ = ["NEAR", "STRAY", "largest_jump"]

# Values this near to each other differ by a cubic and by the function's roughness: rounding inside it, steps of a bisection.
NEAR = 1e-8 * np.linspace(-1, 1, 9)
_CUBICS = np.linalg.qr(np.vander(np.linspace(-1, 1, 9), 4))[0]
STRAY = np.eye(9) - _CUBICS @ _CUBICS.T  # what of nine values no cubic explains

_SAMPLES = 33
_ORDER = 8
_ZOOM = 4.0
_ZOOMS = 7
_PEAK = comb(_ORDER - 1, _ORDER // 2)  # of the difference of that order across a unit jump
_SMALLEST, _LARGEST = 1e-12, 1e-5  # relative; less is a change of method within rounding, more a branch of the function
_ROUGH = 16.0  # times rounding, which differences of that order enlarge by three


def largest_jump(g: Callable[[float], Array | None], finite: Array, noise: Array) -> float:
    """The relative size of the jumps on the way from t = -r to r; 0.0 where there are none.

    Args:
        g: values along a line.
        finite: the elements to look at.
        noise: the part of each element that rounding may be.
    """
    for reach in (2.0**-4, 0.25, 0.6, 2.0**-8):  # no element changes its sign: solvers may loop for ever there
        found = _follow(g, finite, noise, reach)
        if found:
            return found
    return 0.0


def _follow(g: Callable[[float], Array | None], finite: Array, noise: Array, reach: float) -> float:
    """Zoom in on the roughest place; what its roughness comes to when it no longer falls."""
    middle = 0.0
    element: int | None = None
    seen: list[float] = []
    unit = 0.0
    for _ in range(_ZOOMS):
        t = middle + np.linspace(-reach, reach, _SAMPLES)
        values = [g(float(s)) for s in t]
        if any(v is None or not np.isfinite(v[finite]).all() for v in values):
            return 0.0
        table = np.where(finite, np.array(values), 0)
        size = np.maximum(np.abs(table).max(axis=0), 1e-300)
        floor = _ROUGH * np.maximum(noise, np.finfo(float).eps) * size
        rough = np.abs(np.diff(table, _ORDER, axis=0)) / (floor * _PEAK)
        if element is None:
            k, column = np.unravel_index(int(np.argmax(rough)), rough.shape)
            element = int(column)
        else:
            k = np.argmax(rough[:, element])
        seen.append(float(rough[k, element]))
        if seen[-1] < 1:
            return 0.0
        unit = float(floor[element] / size[element])
        middle, reach = float(t[int(k) + _ORDER // 2]), reach / _ZOOM
    last = seen[-4:]  # a kink falls by four with each zoom
    jump = max(last) * unit
    if min(last) < 0.4 * max(last) or not _SMALLEST < jump < _LARGEST:
        return 0.0
    return jump if jump > _ROUGH * _rounding(g, middle + 0.37 * reach, element or 0) else 0.0


def _rounding(g: Callable[[float], Array | None], t: float, element: int) -> float:
    """The roughness of one element there, relative to its size; infinite where it is not defined."""
    values = [g(t + float(s)) for s in NEAR]
    if any(v is None for v in values):
        return np.inf
    found = np.array([v[element] for v in values if v is not None])
    return float(np.abs(STRAY @ found).max() / max(np.abs(found).max(), 1e-300))
