"""Matrices made of vectors and blocks, and systems with them: `scipy.linalg.toeplitz` and others."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._along import beside
from rulebook.rules._matrices import adjoint
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._columns import Columns
from rulebook.rules.linalg._reading import dtype_name, eye_like
from rulebook.rules.linalg._stacks import dtype_of, like, scipy_linalg, spec

__all__ = ["block_diag", "circulant", "companion", "hankel", "matmul_toeplitz", "solve_toeplitz", "toeplitz"]


def _antidiagonal_sums(x: Any) -> Any:
    """The sum over i + j = k, for every k: row i of the padded matrix, read without its last entries, stands i places further."""
    xp, (m, n), lead = rb.xp(x), x.shape[-2:], tuple(x.shape[:-2])
    wide = xp.concatenate([x, xp.zeros_like(x[..., :1]) + beside(x, np.zeros((m, m), np.float32))], axis=-1) if m else x
    flat = xp.reshape(wide, (*lead, m * (n + m)))[..., : m * (n + m - 1)]
    return xp.sum(xp.reshape(flat, (*lead, m, n + m - 1)), -2)


def _diagonal_sums(x: Any) -> Any:
    """The sum over j - i = k - (m - 1), for every k."""
    return _antidiagonal_sums(rb.xp(x).flip(x, -2))


def _places(m: int, n: int) -> Any:
    """Where the entries of a Toeplitz matrix are in its first column with the rest of its first row behind it."""
    i, j = np.ogrid[:m, :n]
    return np.where(i >= j, i - j, m - 1 + j - i)


def _joined(c: Any, r: Any) -> Any:
    return rb.xp(c, r).concatenate([c, r[..., 1:]], axis=-1)


@rb.primitive(cases=_cases.TOEPLITZ)
def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with c as its first column and r as its first row, equal along diagonals.

    Args:
        c: array of shape (..., m).
        r: array of shape (..., n), of which the first entry is not read; the conjugate of c by default.

    Returns:
        An array of shape (..., m, n).

    Derivation:
        Linear over the reals: the tangent is the matrix of the tangents; c_bar and r_bar are the sums of y_bar over diagonals.

    Example:
        >>> toeplitz(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
        array([[1., 3.],
               [2., 1.]])
    """
    r = rb.xp(c).conj(c) if r is None else r
    return _joined(c, r)[..., _places(c.shape[-1], r.shape[-1])]


def _toeplitz_bar(y_bar: Any) -> tuple[Any, Any]:
    """The cotangents of the first column and of the first row, whose first entry is zero."""
    xp, m = rb.xp(y_bar), y_bar.shape[-2]
    sums = _diagonal_sums(y_bar)
    return xp.flip(sums[..., :m], -1), xp.concatenate([xp.zeros_like(sums[..., :1]), sums[..., m:]], axis=-1)


@rb.pushforward(toeplitz)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return toeplitz(*tangents)


@rb.pullback(toeplitz)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    c_bar, r_bar = _toeplitz_bar(y_bar)
    return (c_bar + rb.xp(r_bar).conj(r_bar), None) if primals[1] is None else (c_bar, r_bar)


@rb.primitive(cases=_cases.CIRCULANT)
def circulant(c: Any) -> Any:
    """The matrix with c as its first column, whose columns turn.

    Args:
        c: array of shape (..., n).

    Returns:
        An array of shape (..., n, n).

    Derivation:
        Linear: the tangent is the matrix of the tangent; c_bar_k is the sum of y_bar[i, j] over i - j = k modulo n.

    Example:
        >>> circulant(np.array([1.0, 2.0]))
        array([[1., 2.],
               [2., 1.]])
    """
    n = c.shape[-1]
    i, j = np.ogrid[:n, :n]
    return c[..., (i - j) % max(n, 1)]


@rb.pushforward(circulant)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return circulant(tangents[0])


@rb.pullback(circulant)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    n = y.shape[-1]
    k, j = np.ogrid[:n, :n]
    rows, columns = np.broadcast_arrays((k + j) % max(n, 1), j)
    return (rb.xp(y_bar).sum(y_bar[..., rows, columns], -1),)


@rb.primitive(cases=_cases.HANKEL)
def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with c as its first column and r as its last row, equal along antidiagonals.

    Args:
        c: array of shape (..., m).
        r: array of shape (..., n), of which the first entry is not read; zeros of the shape of c by default.

    Returns:
        An array of shape (..., m, n).

    Derivation:
        Linear: the tangent is the matrix of the tangents; c_bar and r_bar are the sums of y_bar over antidiagonals.

    Example:
        >>> hankel(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
        array([[1., 2.],
               [2., 3.]])
    """
    r = rb.xp(c).zeros_like(c) if r is None else r
    i, j = np.ogrid[: c.shape[-1], : r.shape[-1]]
    return _joined(c, r)[..., i + j]


@rb.pushforward(hankel)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return hankel(*tangents)


@rb.pullback(hankel)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    xp, m = rb.xp(y_bar), y.shape[-2]
    sums = _antidiagonal_sums(y_bar)
    if primals[1] is None:
        return sums[..., :m], None
    return sums[..., :m], xp.concatenate([xp.zeros_like(sums[..., :1]), sums[..., m:]], axis=-1)


@rb.primitive(cases=_cases.COMPANION)
def companion(a: Any) -> Any:
    """The matrix whose characteristic polynomial has the coefficients a, the highest first.

    Args:
        a: array of shape (..., n), n >= 2, whose first entry is not zero.

    Returns:
        An array of shape (..., n - 1, n - 1).

    Derivation:
        The first row is p = -a[1:] / a[0]: p_dot = -(a_dot[1:] + p a_dot[0]) / a[0].

    Example:
        >>> companion(np.array([2.0, 4.0, 6.0]))
        array([[-2., -3.],
               [ 1.,  0.]])
    """
    row = -a[..., 1:] / a[..., :1]
    return _first_row(row) + eye_like(row, row.shape[-1], -1)


def _first_row(row: Any) -> Any:
    """A square matrix with one row that is not zero."""
    top = eye_like(row[..., :1], row.shape[-1])
    return row[..., None, :] * top


@rb.pushforward(companion)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a,), (a_dot,) = primals, tangents
    return _first_row(-(a_dot[..., 1:] + y[..., 0, :] * a_dot[..., :1]) / a[..., :1])


@rb.pullback(companion)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    (a,) = primals
    xp = rb.xp(a, y_bar)
    rest = -y_bar[..., 0, :] / xp.conj(a[..., :1])
    first = xp.sum(rest * xp.conj(y[..., 0, :]), -1)
    return (xp.concatenate([first[..., None], rest], axis=-1),)


@rb.primitive(cases=_cases.BLOCK_DIAG)
def block_diag(*arrs: Any) -> Any:
    """The matrix with these blocks on its diagonal.

    Args:
        *arrs: arrays of shape (m, n); (n,) is a row, and a number is a block of one entry.

    Returns:
        An array of two axes.

    Derivation:
        Linear: the tangent is the matrix of the tangents, and each block has its part of y_bar as its cotangent.

    Example:
        >>> block_diag(np.array([[1.0]]), np.array([[2.0, 3.0]]))
        array([[1., 0., 0.],
               [0., 2., 3.]])
    """
    if not arrs:
        return np.zeros((1, 0))
    xp = rb.xp(*arrs)
    blocks = [xp.reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape)) if x.ndim < 2 else x for x in map(_array, arrs)]
    widths = [x.shape[1] for x in blocks]
    names = {dtype_name(x) for x in blocks}
    dtype = np.result_type(*(np.dtype(n) for n in names))
    rows = []
    for i, x in enumerate(blocks):
        before, after = (np.zeros((x.shape[0], sum(w)), dtype) for w in (widths[:i], widths[i + 1 :]))
        rows.append(xp.concatenate([beside(x, before), x, beside(x, after)], axis=1))
    return xp.concatenate(rows, axis=0)


def _array(x: Any) -> Any:
    return x if hasattr(x, "ndim") else np.asarray(x)


@rb.pushforward(block_diag)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    xp = rb.xp(*primals, *tangents)
    return block_diag(*(xp.zeros_like(x) if t is None else t for x, t in zip(primals, tangents, strict=True)))


@rb.pullback(block_diag)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    found, i, j = [], 0, 0
    for x in primals:
        m, n = (1, 1, *x.shape)[-2:]
        found.append(rb.xp(y_bar).reshape(y_bar[i : i + m, j : j + n], tuple(x.shape)))
        i, j = i + m, j + n
    return tuple(found)


def _pair(c_or_cr: Any) -> tuple[Any, Any]:
    """First column and first row."""
    if isinstance(c_or_cr, (tuple, list)):
        return c_or_cr[0], c_or_cr[1]
    return c_or_cr, None


def _matrix(c_or_cr: Any) -> Any:
    return toeplitz(*_pair(c_or_cr))


def _adjoint_pair(c_or_cr: Any) -> tuple[Any, Any]:
    """First column and first row of the adjoint."""
    c, r = _pair(c_or_cr)
    xp = rb.xp(c)
    r = xp.conj(c) if r is None else r
    return xp.conj(xp.concatenate([c[..., :1], r[..., 1:]], axis=-1)), xp.conj(c)


def _bar(c_or_cr: Any, y_bar: Any) -> Any:
    """The cotangent of what a Toeplitz matrix was given by."""
    c_bar, r_bar = _toeplitz_bar(y_bar)
    c, r = _pair(c_or_cr)
    if r is None:
        return rb.project(c, c_bar + rb.xp(r_bar).conj(r_bar))
    found = rb.project(c, c_bar), rb.project(r, r_bar)
    return list(found) if isinstance(c_or_cr, list) else found


def _vectors(c_or_cr: Any, b: Any) -> tuple[list[Any], Any]:
    """First column, first row if there is one, and b, in one dtype."""
    c, r = _pair(c_or_cr)
    *pair, b = like(*((c, b) if r is None else (c, r, b)))
    return pair, b


def _solve_spec(c_or_cr: Any, b: Any, **_: Any) -> Any:
    c, r = _pair(c_or_cr)
    return spec((), b.shape, dtype_of(c, r, b))


@rb.primitive(host=True, result=_solve_spec, cases=_cases.SOLVE_TOEPLITZ)
def solve_toeplitz(c_or_cr: Any, b: Any, *, check_finite: bool = True) -> Any:
    """x with T x = b for a square Toeplitz matrix, by Levinson's recursion.

    Args:
        c_or_cr: the first column, of shape (n,), or a pair of it and the first row.
        b: array of shape (n,) or (n, k).
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of the shape of b.

    Raises:
        numpy.linalg.LinAlgError: a leading block of T is singular.

    Derivation:
        That of `solve`; the cotangents of the column and the row are the sums of -b_bar x^H over diagonals.

    Example:
        >>> solve_toeplitz(np.array([2.0, 1.0]), np.array([3.0, 3.0]))
        array([1., 1.])
    """
    pair, b = _vectors(c_or_cr, b)
    return (
        scipy_linalg().solve_toeplitz(tuple(pair) if len(pair) > 1 else pair[0], b, check_finite=check_finite).astype(b.dtype, copy=False)
    )


@rb.pushforward(solve_toeplitz)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    (c_or_cr, b), (pair_dot, b_dot) = primals, tangents
    columns = Columns(b)
    moved = columns.back(_matrix(pair_dot) @ columns.matrix(y))
    return solve_toeplitz(c_or_cr, b_dot - moved, check_finite=False)


@rb.pullback(solve_toeplitz)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    c_or_cr, b = primals
    columns = Columns(b)
    w = solve_toeplitz(_adjoint_pair(c_or_cr), y_bar, check_finite=False)
    return _bar(c_or_cr, -columns.matrix(w) @ adjoint(columns.matrix(y))), rb.thunk(lambda: rb.project(b, w))


@rb.primitive(cases=_cases.MATMUL_TOEPLITZ)
def matmul_toeplitz(c_or_cr: Any, x: Any, *, check_finite: bool = False, workers: int | None = None) -> Any:
    """T x for a Toeplitz matrix.

    Args:
        c_or_cr: the first column, of shape (m,), or a pair of it and the first row, of shape (n,).
        x: array of shape (n,) or (n, k).
        check_finite, workers: of SciPy; they change nothing in an engine.

    Returns:
        An array of shape (m,) or (m, k).

    Derivation:
        Bilinear: T_dot x + T x_dot; T_bar = y_bar x^H, of which sums over diagonals are taken, and x_bar = T^H y_bar.

    Example:
        >>> matmul_toeplitz(np.array([2.0, 1.0]), np.array([1.0, 1.0])).round(12)
        array([3., 3.])
    """
    if type(x) is np.ndarray and all(type(v) is np.ndarray for v in _pair(c_or_cr) if v is not None):
        pair = tuple(c_or_cr) if isinstance(c_or_cr, list) else c_or_cr
        return scipy_linalg().matmul_toeplitz(pair, x, check_finite=check_finite, workers=workers)
    columns = Columns(x)
    return columns.back(_matrix(c_or_cr) @ columns.matrix(x))


@rb.pushforward(matmul_toeplitz)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    (c_or_cr, x), (pair_dot, x_dot) = primals, tangents
    return matmul_toeplitz(pair_dot, x) + matmul_toeplitz(c_or_cr, x_dot)


@rb.pullback(matmul_toeplitz)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    c_or_cr, x = primals
    columns = Columns(x)
    bar = columns.matrix(y_bar) @ adjoint(columns.matrix(x))
    return _bar(c_or_cr, bar), rb.thunk(lambda: rb.project(x, matmul_toeplitz(_adjoint_pair(c_or_cr), y_bar)))
