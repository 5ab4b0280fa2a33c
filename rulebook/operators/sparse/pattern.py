"""Where a matrix has entries: row by row, and in each row by columns."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from rulebook.errors import RuleSignatureError

__all__ = ["Index", "Pattern", "read"]

Index = npt.NDArray[np.int64]


class Pattern:
    """The places where a matrix may be other than zero, each once.

    Attributes:
        rows, cols: of the entries, by rows and in each row by columns.
        shape: of the matrix.
    """

    def __init__(self, rows: npt.ArrayLike, cols: npt.ArrayLike, shape: tuple[int, int]) -> None:
        width = max(shape[1], 1)
        flat = np.sort(np.asarray(rows, np.int64) * width + np.asarray(cols, np.int64), kind="stable")
        flat = flat[np.append(True, flat[1:] != flat[:-1])] if len(flat) else flat
        self._set(flat // width, flat % width, shape)

    @classmethod
    def ordered(cls, rows: Index, cols: Index, shape: tuple[int, int]) -> Pattern:
        """The pattern of places that are in order, each once."""
        made = cls.__new__(cls)
        made._set(rows, cols, shape)
        return made

    def _set(self, rows: Index, cols: Index, shape: tuple[int, int]) -> None:
        self.rows, self.cols = rows, cols
        self.shape = (int(shape[0]), int(shape[1]))
        rows.flags.writeable = cols.flags.writeable = False

    def __repr__(self) -> str:
        """Its size."""
        return f"<pattern of {self.nnz} entries in {self.shape[0]} x {self.shape[1]}>"

    @property
    def nnz(self) -> int:
        """How many entries there are."""
        return len(self.rows)

    @functools.cached_property
    def indptr(self) -> Index:
        """Where each row begins, and where the last one ends."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.shape[0]))])

    @functools.cached_property
    def indices(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """`cols` and `indptr` in 32 bits, where these are enough: solvers of SciPy's take no others."""
        kind = np.int32 if max(*self.shape, self.nnz) <= np.iinfo(np.int32).max else np.int64
        return self.cols.astype(kind), self.indptr.astype(kind)

    @functools.cached_property
    def transposed(self) -> Pattern:
        """The pattern of the transpose."""
        order = np.argsort(self.cols, kind="stable")
        return Pattern.ordered(self.cols[order], self.rows[order], self.shape[::-1])

    @functools.cached_property
    def symmetric(self) -> Pattern:
        """With each entry, the one opposite."""
        return Pattern(np.concatenate([self.rows, self.cols]), np.concatenate([self.cols, self.rows]), self.shape)

    @functools.cached_property
    def keys(self) -> Index:
        """The entries as numbers, increasing."""
        found: Index = self.rows * max(self.shape[1], 1) + self.cols
        return found

    def of_rows(self, chosen: npt.NDArray[np.bool_]) -> Pattern:
        """The entries in some of the rows; the shape stays."""
        kept = chosen[self.rows]
        return Pattern.ordered(self.rows[kept], self.cols[kept], self.shape)

    def without_repetitions(self) -> Pattern:
        """One of each kind of row; two rows are alike where the sums of random numbers of 64 bits, one for each column, are."""
        numbers = np.random.default_rng(0).integers(0, 1 << 64, self.shape[1], np.uint64, endpoint=False)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(numbers[self.cols])])  # modulo 2**64
        first = np.unique(sums[self.indptr[1:]] - sums[self.indptr[:-1]], return_index=True)[1]
        chosen = np.zeros(self.shape[0], bool)
        chosen[first] = True
        return self.of_rows(chosen)

    def joined(self, other: Pattern) -> Pattern:
        """The entries of both patterns, of one shape."""
        return Pattern(np.append(self.rows, other.rows), np.append(self.cols, other.cols), self.shape)

    def contains(self, other: Pattern) -> npt.NDArray[np.bool_]:
        """Which entries of another pattern of the same shape are entries here."""
        return np.isin(other.keys, self.keys, assume_unique=True)

    def lists(self) -> list[list[int]]:
        """The columns of each row, as lists: loops in Python run over them."""
        cols, ends = self.cols.tolist(), self.indptr.tolist()
        return [cols[a:b] for a, b in itertools.pairwise(ends)]


def read(given: Any, where: str) -> Pattern:
    """A pattern from a matrix of scipy.sparse, whose stored entries count, or from a boolean array.

    Raises:
        RuleSignatureError: it is neither.
    """
    if isinstance(given, Pattern):
        return given
    if hasattr(given, "tocoo") and len(getattr(given, "shape", ())) == 2:
        coo = given.tocoo()
        return Pattern(coo.row, coo.col, coo.shape)
    if isinstance(given, np.ndarray) and given.dtype == bool and given.ndim == 2:
        rows, cols = np.nonzero(given)
        return Pattern(rows, cols, given.shape)
    got = f"an array of shape {given.shape}, {given.dtype}" if isinstance(given, np.ndarray) else _said(given)
    raise RuleSignatureError(
        f"{where}.",
        'None, "detect", a matrix of scipy.sparse, a boolean array of two axes, or rb.Sparsity',
        got,
        "pass where the derivative may be other than zero, as booleans or as a sparse matrix",
    )


def _said(given: Any) -> str:
    return repr(given) if isinstance(given, (str, bool, int)) else f"a {type(given).__name__}"
