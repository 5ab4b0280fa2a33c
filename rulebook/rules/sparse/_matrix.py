"""Sparse matrices whose entries are values of any engine and whose pattern is static."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engines import engine_of
from rulebook.errors import RuleSignatureError
from rulebook.rules import _along
from rulebook.rules.sparse._pattern import Moves, Pattern, Triples, canonical
from rulebook.rules.sparse._products import contracted, moved

__all__ = ["SparseMatrix", "as_sparse", "assembled", "block_array", "find", "hstack", "kron", "vstack"]


@rb.register_dataclass(static=("pattern",))
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SparseMatrix:
    """A sparse matrix: its entries, which are differentiated, and its pattern, which is not.

    Made by `csr_array` and its kin, whatever the format: entries are kept by rows and in each row by columns.  A cotangent of it is a
    SparseMatrix of the same pattern, or, for functions of `data` alone, an array as long as that; zeros are never filled in.

    Attributes:
        data: array of shape (nnz,), a value of any engine.
        pattern: where the entries are.

    Example:
        >>> a = SparseMatrix(np.array([2.0, 3.0]), Pattern([0, 1], [1, 0], (2, 2)))
        >>> a @ np.array([1.0, 10.0])
        array([20.,  3.])
    """

    data: Any
    pattern: Pattern

    __array_ufunc__ = None  # NumPy's arrays leave the operators to this class
    __array_priority__ = 100.0

    def __post_init__(self) -> None:
        if "jax" in sys.modules and "jax" not in _told:
            _tell_jax()

    def __repr__(self) -> str:
        return f"<sparse matrix, {self.shape[0]} x {self.shape[1]}, {self.nnz} entries, dtype {getattr(self.data, 'dtype', '?')}>"

    # -- what it is ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pattern.shape

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    @property
    def nnz(self) -> int:
        """How many entries there are."""
        return self.pattern.nnz

    @property
    def dtype(self) -> Any:
        """The dtype of the entries."""
        return self.data.dtype

    @property
    def T(self) -> SparseMatrix:
        """The transpose."""
        return self.transpose()

    @property
    def H(self) -> SparseMatrix:
        """The conjugate transpose."""
        return self.conj().transpose()

    def transpose(self) -> SparseMatrix:
        """The transpose."""
        pattern, moves = self.pattern.transposed
        return SparseMatrix(moved(self.data, moves=Moves(np.argsort(moves.target), np.arange(self.nnz), self.nnz, self.nnz)), pattern)

    def conj(self) -> SparseMatrix:
        """The conjugate."""
        return self.with_data(rb.xp(self.data).conj(self.data))

    def with_data(self, data: Any) -> SparseMatrix:
        """Other entries in the same places."""
        return SparseMatrix(data, self.pattern)

    def toarray(self) -> Any:
        """The matrix with its zeros."""
        return rb.xp(self.data).reshape(moved(self.data, moves=self.pattern.dense), self.shape)

    todense = toarray

    def toscipy(self) -> Any:
        """The matrix as scipy.sparse has it; its entries have to be numbers."""
        engine = engine_of((self.data,), "SparseMatrix.toscipy")
        data = self.data if engine is None else engine.to_numpy(self.data)
        return scipy_matrix(np.asarray(data), self.pattern)

    def tocsr(self) -> SparseMatrix:
        """Itself: there is one format."""
        return self

    tocsc = tocoo = tobsr = todia = tocsr

    def diagonal(self, k: int = 0) -> Any:
        """The k-th diagonal, as an array."""
        m, n = self.shape
        size = max(min(m + min(k, 0), n - max(k, 0)), 0)
        on = np.flatnonzero(self.pattern.cols - self.pattern.rows == k)
        return moved(self.data, moves=Moves(on, self.pattern.rows[on] - max(-k, 0), self.nnz, size))

    def trace(self, offset: int = 0) -> Any:
        """The sum of a diagonal."""
        return rb.xp(self.data).sum(self.diagonal(offset))

    def sum(self, axis: int | None = None) -> Any:
        """The sum of all entries, of those of each column (axis 0), or of each row (axis 1)."""
        if axis is None:
            return rb.xp(self.data).sum(self.data)
        target = self.pattern.cols if axis in (0, -2) else self.pattern.rows
        return moved(self.data, moves=Moves(np.arange(self.nnz), target, self.nnz, self.shape[1 if axis in (0, -2) else 0]))

    # -- arithmetic ------------------------------------------------------------------------------

    def __matmul__(self, other: Any) -> Any:
        if is_sparse(other):
            return _product(self, as_sparse(other))
        return multiplied(self.data, self.pattern, _along.array(other), self.pattern.product)

    def __rmatmul__(self, other: Any) -> Any:
        if is_sparse(other):
            return _product(as_sparse(other), self)
        other = _along.array(other)
        y = multiplied(self.data, self.pattern, other if other.ndim == 1 else _swapped(other), self.pattern.adjoint_product)
        return y if other.ndim == 1 else _swapped(y)

    dot = __matmul__

    def __add__(self, other: Any) -> SparseMatrix:
        return _sum(self, as_sparse(other))

    def __sub__(self, other: Any) -> SparseMatrix:
        return _sum(self, -as_sparse(other))

    def __radd__(self, other: Any) -> SparseMatrix:
        return self if isinstance(other, int) and other == 0 else _sum(as_sparse(other), self)  # sum() begins with 0

    def __rsub__(self, other: Any) -> SparseMatrix:
        return _sum(as_sparse(other), -self)

    def __neg__(self) -> SparseMatrix:
        return self.with_data(-self.data)

    def __mul__(self, other: Any) -> SparseMatrix:
        return self.multiply(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SparseMatrix:
        data, divisor = _along.alike([self.data, _number(other, "/")])
        return self.with_data(data / divisor)

    def multiply(self, other: Any) -> SparseMatrix:
        """The product with a number, or entry by entry with a sparse matrix or an array of the same shape, at the entries of both."""
        if is_sparse(other):
            return _entrywise(self, as_sparse(other))
        data, other = _along.alike([self.data, _along.array(other)])
        if other.ndim == 0:
            return self.with_data(data * other)
        xp = rb.xp(data, other)
        at = tuple(_along.beside(other, i) for i in (self.pattern.rows, self.pattern.cols))
        return self.with_data(data * xp.broadcast_to(other, self.shape)[at])


_told: set[str] = set()  # no functools.cache, which torch.compile warns of


def _tell_jax() -> None:
    """JAX's own transformations take a SparseMatrix as an argument and give one as a gradient."""
    _told.add("jax")
    importlib.import_module("jax").tree_util.register_pytree_node(
        SparseMatrix, lambda a: ((a.data,), a.pattern), lambda pattern, leaves: _made(leaves[0], pattern)
    )


def _made(data: Any, pattern: Pattern) -> SparseMatrix:
    made = object.__new__(SparseMatrix)
    object.__setattr__(made, "data", data)
    object.__setattr__(made, "pattern", pattern)
    return made


def _number(value: Any, what: str) -> Any:
    if np.ndim(value) if not hasattr(value, "ndim") else value.ndim:
        raise TypeError(f"SparseMatrix {what}: a number is needed, and not an array of shape {tuple(value.shape)}.")
    return value


def _swapped(x: Any) -> Any:
    return rb.xp(x).moveaxis(x, -1, -2)


def multiplied(data: Any, pattern: Pattern, x: Any, plan: Triples) -> Any:
    """The product of a matrix, by its plan, with a vector or the columns of a matrix."""
    if x.ndim not in (1, 2) or x.shape[0] != plan.sizes[2]:
        raise ValueError(f"matmul: dimension mismatch, {pattern.shape} with {tuple(x.shape)}")
    if x.ndim == 1:
        return contracted(data, x, plan=plan)
    return _swapped(contracted(_along.rank_up(data, 2), _swapped(x), plan=plan))


def scipy_matrix(data: Any, pattern: Pattern) -> Any:
    """The matrix as a csr_array of SciPy's, of NumPy's entries."""
    sparse = importlib.import_module("scipy.sparse")
    return sparse.csr_array((data, pattern.cols, pattern.indptr), shape=pattern.shape)


# -- sparse matrices from others ---------------------------------------------------------------------------


def is_sparse(a: Any) -> bool:
    """Whether a value is a sparse matrix, ours or SciPy's."""
    if isinstance(a, SparseMatrix):
        return True
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(a))


def as_sparse(a: Any, where: str = "rulebook.rules.sparse") -> SparseMatrix:
    """A SparseMatrix; SciPy's are converted.

    Raises:
        RuleSignatureError: it is neither.
    """
    if isinstance(a, SparseMatrix):
        return a
    if not is_sparse(a):
        raise RuleSignatureError(f"{where}.", "a sparse matrix", f"a {type(a).__name__}", "make one with rulebook.rules.sparse.csr_array")
    coo = a.tocoo()
    return assembled(coo.coords[0], coo.coords[1], coo.data, a.shape)


def assembled(rows: Any, cols: Any, data: Any, shape: tuple[int, int]) -> SparseMatrix:
    """The matrix of entries in any order; those in the same place are summed."""
    pattern, moves = _canonical(np.asarray(rows, np.int64).tobytes(), np.asarray(cols, np.int64).tobytes(), (int(shape[0]), int(shape[1])))
    data = _along.array(data)
    if tuple(data.shape) != (moves.n,):
        raise ValueError(f"There are {moves.n} places, and data has shape {tuple(data.shape)}.")
    straight = moves.n == moves.size and np.array_equal(moves.target, np.arange(moves.n))
    return SparseMatrix(data if straight else moved(data, moves=moves), pattern)


@functools.lru_cache(maxsize=64)
def _canonical(rows: bytes, cols: bytes, shape: tuple[int, int]) -> tuple[Pattern, Moves]:
    """The same arrays give the same objects, so that what hangs on a pattern is found once."""
    return canonical(np.frombuffer(rows, np.int64), np.frombuffer(cols, np.int64), shape)


def _sum(a: SparseMatrix, b: SparseMatrix) -> SparseMatrix:
    if a.shape != b.shape:
        raise ValueError(f"inconsistent shapes {a.shape} and {b.shape}")
    if a.pattern == b.pattern:
        return a.with_data(a.data + b.data)
    rows, cols = (np.concatenate([getattr(m.pattern, name) for m in (a, b)]) for name in ("rows", "cols"))
    return assembled(rows, cols, _along.joined([a.data, b.data]), a.shape)


def _entrywise(a: SparseMatrix, b: SparseMatrix) -> SparseMatrix:
    if a.shape != b.shape:
        raise ValueError(f"inconsistent shapes {a.shape} and {b.shape}")
    places = [m.pattern.rows * m.shape[1] + m.pattern.cols for m in (a, b)]
    both, left, right = np.intersect1d(places[0], places[1], assume_unique=True, return_indices=True)
    pattern = Pattern(both // max(a.shape[1], 1), both % max(a.shape[1], 1), a.shape)
    return SparseMatrix(contracted(a.data, b.data, plan=Triples(np.arange(len(both)), left, right, (len(both), a.nnz, b.nnz))), pattern)


@functools.lru_cache(maxsize=16)
def _product_plan(a: Pattern, b: Pattern) -> tuple[Pattern, Triples]:
    """Each entry of a with each entry of b in the row of its column."""
    counts = np.diff(b.indptr)[a.cols]
    left = np.repeat(np.arange(a.nnz), counts)
    begin = np.repeat(b.indptr[a.cols] - np.concatenate([[0], np.cumsum(counts)[:-1]]) if a.nnz else counts, counts)
    right = begin + np.arange(len(left))
    pattern, moves = canonical(a.rows[left], b.cols[right], (a.shape[0], b.shape[1]))
    return pattern, Triples(moves.target, left, right, (pattern.nnz, a.nnz, b.nnz))


def _product(a: SparseMatrix, b: SparseMatrix) -> SparseMatrix:
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"matmul: dimension mismatch, {a.shape} with {b.shape}")
    pattern, plan = _product_plan(a.pattern, b.pattern)
    return SparseMatrix(contracted(a.data, b.data, plan=plan), pattern)


def find(A: Any) -> tuple[Any, Any, Any]:
    """The rows, columns and values of the entries.

    Args:
        A: sparse matrix.

    Returns:
        (rows, cols, values): by rows; an entry that is zero is kept, as its place is part of the pattern.

    Example:
        >>> find(SparseMatrix(np.array([2.0]), Pattern([0], [1], (1, 2))))
        (array([0]), array([1]), array([2.]))
    """
    a = as_sparse(A, "find")
    return a.pattern.rows, a.pattern.cols, a.data


def block_array(blocks: Sequence[Sequence[Any]], format: Any = None, dtype: Any = None) -> SparseMatrix:
    """The sparse matrix that is made of blocks.

    Args:
        blocks: rows of sparse matrices, with None for zeros.
        format: there is one format.
        dtype: of the result as it follows.

    Example:
        >>> one = SparseMatrix(np.ones(1), Pattern([0], [0], (1, 1)))
        >>> block_array([[one, None], [None, 2 * one]]).toarray()
        array([[1., 0.],
               [0., 2.]])
    """
    grid = [[None if b is None else as_sparse(b, "block_array") for b in row] for row in blocks]
    heights = [_common([b.shape[0] for b in row if b is not None], "row") for row in grid]
    widths = [_common([b.shape[1] for b in column if b is not None], "column") for column in zip(*grid, strict=True)]
    tops, lefts = np.concatenate([[0], np.cumsum(heights)]), np.concatenate([[0], np.cumsum(widths)])
    found = [(b, tops[i], lefts[j]) for i, row in enumerate(grid) for j, b in enumerate(row) if b is not None]
    rows = np.concatenate([b.pattern.rows + top for b, top, _ in found])
    cols = np.concatenate([b.pattern.cols + left for b, _, left in found])
    return assembled(rows, cols, _along.joined([b.data for b, _, _ in found]), (int(tops[-1]), int(lefts[-1])))


def _common(sizes: list[int], what: str) -> int:
    if not sizes:
        raise ValueError(f"A {what} of blocks has no matrix that would tell its size.")
    if len(set(sizes)) > 1:
        raise ValueError(f"The blocks of a {what} have different sizes: {sorted(set(sizes))}.")
    return sizes[0]


def hstack(blocks: Sequence[Any], format: Any = None, dtype: Any = None) -> SparseMatrix:
    """Sparse matrices side by side.

    Args:
        blocks: sparse matrices with as many rows.
        format, dtype: as in `block_array`.

    Example:
        >>> one = SparseMatrix(np.ones(1), Pattern([0], [0], (1, 1)))
        >>> hstack([one, one]).shape
        (1, 2)
    """
    return block_array([list(blocks)])


def vstack(blocks: Sequence[Any], format: Any = None, dtype: Any = None) -> SparseMatrix:
    """Sparse matrices one below the other.

    Args:
        blocks: sparse matrices with as many columns.
        format, dtype: as in `block_array`.

    Example:
        >>> one = SparseMatrix(np.ones(1), Pattern([0], [0], (1, 1)))
        >>> vstack([one, one]).shape
        (2, 1)
    """
    return block_array([[b] for b in blocks])


def kron(A: Any, B: Any, format: Any = None) -> SparseMatrix:
    """The Kronecker product of sparse matrices.

    Args:
        A: sparse matrix of shape (m, n).
        B: sparse matrix of shape (k, l).
        format: there is one format.

    Returns:
        A sparse matrix of shape (m k, n l).

    Example:
        >>> a = SparseMatrix(np.array([2.0]), Pattern([0], [1], (1, 2)))
        >>> kron(a, a).toarray()
        array([[0., 0., 0., 4.]])
    """
    a, b = as_sparse(A, "kron"), as_sparse(B, "kron")
    left, right = np.repeat(np.arange(a.nnz), b.nnz), np.tile(np.arange(b.nnz), a.nnz)
    rows = a.pattern.rows[left] * b.shape[0] + b.pattern.rows[right]
    cols = a.pattern.cols[left] * b.shape[1] + b.pattern.cols[right]
    pattern, moves = canonical(rows, cols, (a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]))
    plan = Triples(moves.target, left, right, (pattern.nnz, a.nnz, b.nnz))
    return SparseMatrix(contracted(a.data, b.data, plan=plan), pattern)
