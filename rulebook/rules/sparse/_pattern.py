"""Where the entries of sparse matrices are: static, hashed once, compared by their digest."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np

__all__ = ["Moves", "Pattern", "Triples", "canonical"]

Index = np.ndarray[Any, np.dtype[np.int64]]


def _index(values: Any) -> Index:
    made = np.ascontiguousarray(values, dtype=np.int64)
    if made.flags.writeable:
        made = made.copy()
        made.flags.writeable = False
    return made


class _Static:
    """Index arrays and numbers as one hashable value: two are equal where they have the same digest."""

    def __init__(self, *parts: Any) -> None:
        digest = hashlib.blake2b(type(self).__name__.encode(), digest_size=16)
        for part in parts:
            digest.update(repr(part).encode() if not isinstance(part, np.ndarray) else part.tobytes())
            digest.update(b"|")
        self._digest = digest.digest()
        self._hash = hash(self._digest)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is type(self) and other._digest == self._digest)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_hash"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._hash = hash(self._digest)  # hashes of bytes differ from process to process


class Pattern(_Static):
    """The places of the entries of a matrix, by rows and in each row by columns, each once.

    Attributes:
        rows, cols: of the entries.
        shape: of the matrix.
    """

    def __init__(self, rows: Any, cols: Any, shape: tuple[int, int]) -> None:
        self.rows, self.cols, self.shape = _index(rows), _index(cols), (int(shape[0]), int(shape[1]))
        super().__init__(self.rows, self.cols, self.shape)

    def __repr__(self) -> str:
        return f"<pattern of {self.nnz} entries in {self.shape[0]} x {self.shape[1]}>"

    @property
    def nnz(self) -> int:
        """How many entries there are."""
        return len(self.rows)

    @functools.cached_property
    def indptr(self) -> Index:
        """Where each row begins, and where the last one ends."""
        return np.searchsorted(self.rows, np.arange(self.shape[0] + 1))

    @functools.cached_property
    def transposed(self) -> tuple[Pattern, Moves]:
        """The pattern of the transpose, and where the entries go."""
        return canonical(self.cols, self.rows, self.shape[::-1])

    @functools.cached_property
    def product(self) -> Triples:
        """The product with a vector: each entry, with the element of its column, goes to its row."""
        return Triples(self.rows, np.arange(self.nnz), self.cols, (self.shape[0], self.nnz, self.shape[1]))

    @functools.cached_property
    def adjoint_product(self) -> Triples:
        """The product of the transpose with a vector."""
        return Triples(self.cols, np.arange(self.nnz), self.rows, (self.shape[1], self.nnz, self.shape[0]))

    @functools.cached_property
    def sampled(self) -> Triples:
        """The outer product of a vector of rows and one of columns, at the entries alone."""
        return Triples(np.arange(self.nnz), self.rows, self.cols, (self.nnz, *self.shape))

    @functools.cached_property
    def dense(self) -> Moves:
        """Where the entries are in the matrix with its zeros, flat."""
        return Moves(np.arange(self.nnz), self.rows * self.shape[1] + self.cols, self.nnz, self.shape[0] * self.shape[1])


class Moves(_Static):
    """y[target] += x[source].

    Attributes:
        source, target: index arrays.
        n, size: the lengths of x and y.
    """

    def __init__(self, source: Any, target: Any, n: int, size: int) -> None:
        self.source, self.target, self.n, self.size = _index(source), _index(target), int(n), int(size)
        super().__init__(self.source, self.target, self.n, self.size)

    @functools.cached_property
    def back(self) -> Moves:
        """The transpose."""
        return Moves(self.target, self.source, self.size, self.n)

    @functools.cached_property
    def gathers(self) -> bool:
        """Whether it is y = x[source]."""
        return len(self.target) == self.size and bool(np.array_equal(self.target, np.arange(self.size)))


class Triples(_Static):
    """y[out] += u[left] * v[right].

    Attributes:
        out, left, right: index arrays.
        sizes: the lengths of y, u and v.
    """

    def __init__(self, out: Any, left: Any, right: Any, sizes: tuple[int, int, int]) -> None:
        self.out, self.left, self.right = _index(out), _index(left), _index(right)
        self.sizes = (int(sizes[0]), int(sizes[1]), int(sizes[2]))
        super().__init__(self.out, self.left, self.right, self.sizes)

    @functools.cached_property
    def for_left(self) -> Triples:
        """What gives the cotangent of u from those of y and from v."""
        return Triples(self.left, self.out, self.right, (self.sizes[1], self.sizes[0], self.sizes[2]))

    @functools.cached_property
    def for_right(self) -> Triples:
        """What gives the cotangent of v from those of y and from u."""
        return Triples(self.right, self.out, self.left, (self.sizes[2], self.sizes[0], self.sizes[1]))

    @functools.cached_property
    def turned(self) -> Triples:
        """The same with u and v exchanged."""
        return Triples(self.out, self.right, self.left, (self.sizes[0], self.sizes[2], self.sizes[1]))

    @functools.cached_property
    def by_rows(self) -> tuple[Index, Index, Index]:
        """u and v as the entries and the vector of a product: which entry, which column, and where each row begins."""
        order = np.argsort(self.out, kind="stable")
        return self.left[order], self.right[order], np.searchsorted(self.out[order], np.arange(self.sizes[0] + 1))


def canonical(rows: Any, cols: Any, shape: tuple[int, int]) -> tuple[Pattern, Moves]:
    """The pattern of entries in any order, where the same place may come again, and how their data move to it."""
    rows, cols = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
    flat = rows * max(shape[1], 1) + cols
    places, target = np.unique(flat, return_inverse=True)
    pattern = Pattern(places // max(shape[1], 1), places % max(shape[1], 1), shape)
    return pattern, Moves(np.arange(len(flat)), target.ravel(), len(flat), len(places))
