"""Plateaus of rounding: where large terms cancel, a function stands still over small steps and then moves by a whole digit of theirs.

Differences that see nothing move claim a derivative of zero, exactly.  All they tell is that it is below the smallest
change that the function is capable of, over the largest step at which it stood still.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rulebook.testing.spaces import Array

__all__ = ["smallest_change"]

_DOUBLINGS = 24
_HALVINGS = 40


def smallest_change(g: Callable[[float], Array | None], y: Array, element: int, still: float, eps: float, size: float) -> float:
    """By how much an element moves when it first moves on the way out from zero; what is continuous moves by next to nothing.

    A change of more than half of the digits is a step of the function itself, as of floor, and gives 0.0.

    Args:
        g: the values along a line.
        y: g(0).
        element: of y.
        still: a step at which it has not moved.
        eps: the unit roundoff of the element.
        size: of the largest number about.

    Example:
        >>> cancelling = lambda t: np.array([(1000 + t) - 1000])
        >>> bool(0 < smallest_change(cancelling, np.zeros(1), 0, 1e-14, 2e-16, 1.0) < 1e-12)
        True
        >>> smallest_change(lambda t: np.array([max(t - 1, 0)]), np.zeros(1), 0, 0.5, 2e-16, 1.0) < 1e-9
        True
    """

    def moved(t: float) -> float:
        both = [g(t), g(-t)]
        gaps = [abs(v[element] - y[element]) for v in both if v is not None]
        return float(max((gap for gap in gaps if np.isfinite(gap)), default=0.0))

    far, found = still, 0.0
    for _ in range(_DOUBLINGS):
        far *= 2
        found = moved(far)
        if found:
            break
    for _ in range(_HALVINGS if found else 0):
        middle = np.sqrt(still * far)
        change = moved(middle)
        if change:
            far, found = middle, change
        else:
            still = middle
    return found if found <= np.sqrt(eps) * max(1.0, size) else 0.0
