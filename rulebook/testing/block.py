"""The part of two matrices that belongs to one leaf of the result and one of the arguments."""

from __future__ import annotations

import numpy as np

from rulebook.testing.matrices import Matrices
from rulebook.testing.spaces import Array

__all__ = ["Block"]

_EXPLAINED = 0.05  # the part of a gap that an explanation may leave


class Block:
    """The part of two matrices that belongs to one leaf of the result and one leaf of the arguments.

    Args:
        whole: the matrices it is cut from.
        out, into: the numbers of the leaves.
        forward: whether the rule is a forward one.
        values: the vectors of the result and of the arguments.
    """

    def __init__(self, whole: Matrices, out: int, into: int, forward: bool, values: tuple[Array, Array]) -> None:
        self.whole = whole
        self.out, self.into = out, into
        self.forward = forward
        self.values = values
        self.at = self.rows, self.columns = whole.outputs.leaves[out], whole.inputs.leaves[into]
        self.expected, self.error, self.got = whole.expected[self.at], whole.error[self.at], whole.got[self.at]
        self.bad = ~whole.near(self.got, self.expected, self.error, self.at)

    def fits(self, made: Array, error: Array, where: Array | None = None) -> bool:
        """Whether the rule's block is this one, to within the error and with next to nothing of the gap left."""
        near = self.whole.near(self.got, made, error, self.at)
        gap = np.abs(self.got - self.expected)
        explained = (np.abs(self.got - made) <= _EXPLAINED * gap) & (10 * error <= _EXPLAINED * gap + self.whole.relative * np.abs(made))
        fit = near & (explained | ~self.bad)
        return bool(fit.all() if where is None else fit[where].all())

    @property
    def alive(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.expected.any() or self.got.any())

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the result and of the argument."""
        return self.whole.outputs.space.shapes[self.out], self.whole.inputs.space.shapes[self.into]

    @property
    def imaginary(self) -> tuple[Array, Array]:
        """Which rows and columns are imaginary parts."""
        return self.whole.outputs.imaginary[self.rows], self.whole.inputs.imaginary[self.columns]
