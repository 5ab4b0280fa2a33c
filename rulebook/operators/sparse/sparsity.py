"""What is known of a sparse derivative, and found out once: its pattern and its colourings."""

from __future__ import annotations

import functools
from typing import Any

from rulebook.operators.sparse import colouring
from rulebook.operators.sparse.pattern import Index, Pattern, read

__all__ = ["Sparsity"]


class Sparsity:
    """Where a Jacobian or a Hessian may be other than zero, with its colourings.

    It belongs to no engine, never changes, and may be used by several threads.

    Args:
        pattern: a matrix of scipy.sparse, whose stored entries count, also zeros; or a boolean array of two axes.

    Attributes:
        shape: of the matrix, (y.size, x.size).
        nnz: how many entries there are.

    Raises:
        RuleSignatureError: the pattern is neither.

    Example:
        >>> import numpy as np
        >>> known = Sparsity(np.eye(4, k=1, dtype=bool) | np.eye(4, dtype=bool))
        >>> known
        <sparsity of 7 entries in 4 x 4: 2 colours of columns, 2 of rows>
    """

    def __init__(self, pattern: Any) -> None:
        self._pattern = read(pattern, "rb.Sparsity, pattern")
        self.shape = self._pattern.shape
        self.nnz = self._pattern.nnz
        self.schemes: dict[Any, Any] = {}  # which products give the entries, for each kind of engine, as `scheme_of` finds them

    def __repr__(self) -> str:
        """Its size and how many directions it takes."""
        size = f"{self.nnz} entries in {self.shape[0]} x {self.shape[1]}"
        return f"<sparsity of {size}: {_count(self.columns)} colours of columns, {_count(self.rows)} of rows>"

    @property
    def pattern(self) -> Pattern:
        """The places of the entries: `rows` and `cols`, by rows and in each row by columns."""
        return self._pattern

    @functools.cached_property
    def columns(self) -> Index:
        """The colour of each column in forward mode; -1 where it has no entry."""
        return colouring.columns(self._pattern)

    @functools.cached_property
    def rows(self) -> Index:
        """The colour of each row in reverse mode; -1 where it has no entry."""
        return colouring.columns(self._pattern.transposed)

    @functools.cached_property
    def symmetric(self) -> Sparsity:
        """With each entry, the one opposite."""
        pattern = self._pattern.symmetric
        return self if pattern.nnz == self.nnz else Sparsity(pattern)

    @functools.cached_property
    def star(self) -> Index:
        """The colour of each column, where each entry may be read from the one opposite; the pattern is symmetric."""
        return colouring.star(self._pattern)


def _count(colours: Index) -> int:
    return int(colours.max(initial=-1)) + 1
