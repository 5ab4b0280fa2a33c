"""Whether arguments, or results, stand for each other in a derivative."""

from __future__ import annotations

import numpy as np

from rulebook.testing.matrices import Axis, Matrices
from rulebook.testing.spaces import Array

__all__ = ["exchanged"]

_EXPLAINED = 0.05  # the part of a gap that an explanation may leave


def exchanged(both: Matrices) -> str:
    """Which arguments, or which results, are taken for each other; nothing where none are."""
    for axis, turned in ((both.inputs, False), (both.outputs, True)):
        sides = (both.expected, both.error, both.got, both.bad, both.floor)
        text = _along(axis, both.relative, *(m.T if turned else m for m in sides))
        if text:
            return text
    return ""


def _along(axis: Axis, relative: float, expected: Array, error: Array, got: Array, bad: Array, floor: Array) -> str:
    wrong = [i for i, part in enumerate(axis.leaves) if bad[:, part].any()]
    if len(wrong) < 2:
        return ""

    def taken(i: int, j: int, sign: float) -> bool:
        """Whether the leaf i has what belongs to the leaf j, with this sign."""
        a, b = axis.leaves[i], axis.leaves[j]
        if a.stop - a.start != b.stop - b.start or not got[:, a].any():
            return False
        gap = np.abs(got[:, a] - sign * expected[:, b])
        near = gap <= 10 * error[:, b] + relative * (np.abs(got[:, a]) + np.abs(expected[:, b])) + floor[:, a]
        return bool((near & (~bad[:, a] | (gap <= _EXPLAINED * np.abs(got[:, a] - expected[:, a])))).all())

    if all(taken(i, i, -1.0) for i in wrong):
        return ""  # a wrong sign is simpler
    for sign, words in ((1.0, ""), (-1.0, ", and the sign is wrong")):
        order = [next((j for j in wrong if j != i and taken(i, j, sign)), -1) for i in wrong]
        if sorted(order) == wrong:
            names = [axis.name(i) for i in wrong]
            how = "swapped" if len(wrong) == 2 else "in another order"
            return f"the derivatives of {', '.join(names[:-1])} and {names[-1]} are {how}{words}"
    return ""
