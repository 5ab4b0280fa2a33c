"""Sparse matrices from data in SciPy's formats: the names and arguments of scipy.sparse, one class of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engines import engine_of
from rulebook.errors import RuleSignatureError
from rulebook.rules import _along
from rulebook.rules.sparse._matrix import SparseMatrix, as_sparse, assembled, is_sparse

__all__ = ["bsr_array", "coo_array", "csc_array", "csr_array", "dia_array", "diags_array"]


def _numbers(values: Any, what: str) -> Any:
    """Index arrays as NumPy's."""
    engine = engine_of([v for v in (values if isinstance(values, list) else [values]) if hasattr(v, "dtype")], what)
    if engine is None:
        return np.asarray(values)
    found = engine.concrete([values])
    if found is None:
        raise RuleSignatureError(f"{what}.", "index arrays with numbers", "traced ones", "make the pattern outside of what is traced")
    return found[0]


def _parsed(name: str, arg: Any, shape: Any, by_rows: bool) -> SparseMatrix:
    """A matrix from (data, indices, indptr), (data, (rows, cols)), a shape, a sparse matrix or an array."""
    if is_sparse(arg):
        return as_sparse(arg)
    if isinstance(arg, tuple) and len(arg) == 2 and all(isinstance(n, (int, np.integer)) for n in arg):
        return assembled([], [], np.zeros(0), arg)
    if isinstance(arg, tuple) and len(arg) == 2:
        rows, cols = (_numbers(v, name) for v in arg[1])
        return assembled(rows, cols, _along.array(arg[0]), shape or (_above(rows), _above(cols)))
    if isinstance(arg, tuple) and len(arg) == 3:
        data, indices, indptr = arg[0], _numbers(arg[1], name), _numbers(arg[2], name)
        major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        known = (len(indptr) - 1, _above(indices))
        shape = shape or (known if by_rows else known[::-1])
        rows, cols = (major, indices) if by_rows else (indices, major)
        return assembled(rows, cols, _along.array(data), shape)
    return _from_dense(name, arg)


def _above(index: Any) -> int:
    return int(np.max(index)) + 1 if len(index) else 0


def _from_dense(name: str, a: Any) -> SparseMatrix:
    """The entries of an array that are not zero."""
    a = _along.array(a)
    if a.ndim != 2:
        raise RuleSignatureError(f"{name}.", "a matrix, or data with its indices", f"shape {tuple(a.shape)}", "pass two axes")
    rows, cols = np.nonzero(_numbers(rb.stop_gradient(a), f"{name} of an array"))
    return assembled(rows, cols, a[rows, cols], tuple(a.shape))


def csr_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseMatrix:
    """A sparse matrix with entries of any engine.

    Args:
        arg1: (data, indices, indptr) by rows, (data, (rows, cols)), a sparse matrix, an array, whose zeros are then no entries, or (m, n).
        shape: of the matrix.
        dtype, copy: as they follow.

    Example:
        >>> csr_array((np.array([1.0, 2.0]), [1, 0], [0, 1, 2])).toarray()
        array([[0., 1.],
               [2., 0.]])
    """
    return _parsed("csr_array", arg1, shape, by_rows=True)


def csc_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseMatrix:
    """A sparse matrix; (data, indices, indptr) is by columns.

    Args:
        arg1: as in `csr_array`, by columns.
        shape: of the matrix.
        dtype, copy: as they follow.

    Example:
        >>> csc_array((np.array([1.0, 2.0]), [1, 0], [0, 1, 2])).toarray()
        array([[0., 2.],
               [1., 0.]])
    """
    return _parsed("csc_array", arg1, shape, by_rows=False)


def coo_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseMatrix:
    """A sparse matrix from (data, (rows, cols)); entries in the same place are summed.

    Args:
        arg1: as in `csr_array`.
        shape: of the matrix.
        dtype, copy: as they follow.

    Example:
        >>> coo_array((np.array([1.0, 2.0]), ([0, 0], [1, 1]))).toarray()
        array([[0., 3.]])
    """
    return _parsed("coo_array", arg1, shape, by_rows=True)


def bsr_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False, blocksize: Any = None) -> SparseMatrix:
    """A sparse matrix of dense blocks: (data, indices, indptr) with data of shape (blocks, R, C).

    Args:
        arg1: that, or what `csr_array` takes.
        shape: of the matrix.
        dtype, copy, blocksize: as they follow.

    Example:
        >>> bsr_array((np.ones((1, 2, 2)), [0], [0, 1])).nnz
        4
    """
    if not (isinstance(arg1, tuple) and len(arg1) == 3):
        return _parsed("bsr_array", arg1, shape, by_rows=True)
    data, indices, indptr = _along.array(arg1[0]), _numbers(arg1[1], "bsr_array"), _numbers(arg1[2], "bsr_array")
    r, c = data.shape[1:]
    major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    rows = np.broadcast_to((major * r)[:, None, None] + np.arange(r)[:, None], data.shape)
    cols = np.broadcast_to((indices * c)[:, None, None] + np.arange(c), data.shape)
    shape = shape or ((len(indptr) - 1) * r, _above(indices) * c)
    return assembled(rows.ravel(), cols.ravel(), rb.xp(data).reshape(data, (-1,)), shape)


def dia_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseMatrix:
    """A sparse matrix of diagonals: (data, offsets), where data[k, j] stands in column j of diagonal offsets[k].

    Args:
        arg1: that, or what `csr_array` takes.
        shape: of the matrix.
        dtype, copy: as they follow.

    Example:
        >>> dia_array((np.array([[1.0, 2.0]]), [1]), shape=(2, 2)).toarray()
        array([[0., 2.],
               [0., 0.]])
    """
    if not (isinstance(arg1, tuple) and len(arg1) == 2 and shape is not None):
        return _parsed("dia_array", arg1, shape, by_rows=True)
    data, offsets = _along.array(arg1[0]), np.atleast_1d(_numbers(arg1[1], "dia_array"))
    data = _along.rank_up(data, 2)
    k, cols = np.indices((len(offsets), data.shape[1]))
    rows = cols - offsets[k]
    inside = (rows >= 0) & (rows < shape[0]) & (cols < shape[1])
    return assembled(rows[inside], cols[inside], data[k[inside], cols[inside]], shape)


def diags_array(diagonals: Any, /, *, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None) -> SparseMatrix:
    """A sparse matrix from its diagonals.

    Args:
        diagonals: arrays, one for each offset, or one for a single offset; a number or one element fills its diagonal where `shape` is
            given.
        offsets: which diagonals, above the main one where positive.
        shape: of the matrix; square, as large as the diagonals need, by default.
        format, dtype: as they follow.

    Example:
        >>> diags_array([np.array([1.0, 2.0]), np.array([3.0])], offsets=[0, 1]).toarray()
        array([[1., 3.],
               [0., 2.]])
    """
    if np.ndim(offsets) == 0:
        offsets, alone = [int(offsets)], _along.array(diagonals)
        diagonals = [alone[0] if alone.ndim == 2 else alone]
    offsets = [int(k) for k in offsets]
    arrays = [_along.rank_up(_along.array(d), 1) for d in diagonals]
    if len(arrays) != len(offsets) or len(set(offsets)) != len(offsets):
        raise ValueError("There has to be one diagonal for each offset, and each offset once.")
    m, n = shape or (arrays[0].shape[0] + abs(offsets[0]),) * 2
    sizes = [min(m + min(k, 0), n - max(k, 0)) for k in offsets]
    rows = np.concatenate([np.arange(size) + max(-k, 0) for k, size in zip(offsets, sizes, strict=True)])
    cols = np.concatenate([np.arange(size) + max(k, 0) for k, size in zip(offsets, sizes, strict=True)])
    return assembled(rows, cols, _along.joined(_filled(arrays, offsets, sizes)), (m, n))


def _filled(arrays: Sequence[Any], offsets: Sequence[int], sizes: Sequence[int]) -> list[Any]:
    """Each diagonal at its length."""
    found = []
    for d, k, size in zip(arrays, offsets, sizes, strict=True):
        if d.shape[0] not in (1, size) or size < 1:
            raise ValueError(f"Diagonal {k} has {d.shape[0]} elements, and there is room for {size}.")
        found.append(d if d.shape[0] == size else rb.xp(d).broadcast_to(d, (size,)))
    return found
