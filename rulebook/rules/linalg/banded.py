"""Banded systems: `scipy.linalg.solve_banded` and `solveh_banded`, whose rules never form the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import matrices, tangents_of
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._columns import Columns, batch_of_systems
from rulebook.rules.linalg._stacks import dtype_of, lead_of, like, scipy_linalg, spec

__all__ = ["solve_banded", "solveh_banded"]


def _solution(ab: Any, b: Any, **_: Any) -> Any:
    vector = len(b.shape) == 1
    return spec(lead_of(ab) if vector else lead_of(ab, b), b.shape if vector else b.shape[-2:], dtype_of(ab, b))


def _shifted(x: Any, d: int, axis: int) -> Any:
    """x_(i + d) at i, zero where there is none."""
    if not d:
        return x
    xp, n = rb.xp(x), x.shape[axis]
    d = max(-n, min(n, d))
    cut = (slice(d, None) if d > 0 else slice(None, n + d),) + (slice(None),) * (-axis - 1)
    rest = (slice(None, d) if d > 0 else slice(n + d, None),) + (slice(None),) * (-axis - 1)
    kept, zeros = x[(..., *cut)], xp.zeros_like(x[(..., *rest)])
    return xp.concatenate([kept, zeros] if d > 0 else [zeros, kept], axis=axis)


def _product(ab: Any, x: Any, upper: int) -> Any:
    """A x, where ab[upper + i - j, j] = A[i, j]."""
    return sum(_shifted(ab[..., r, :, None] * x, upper - r, -2) for r in range(ab.shape[-2]))


def _outer(w: Any, y: Any, upper: int, rows: int) -> Any:
    """The bands of W Y^H."""
    xp = rb.xp(w, y)
    return xp.stack([xp.sum(_shifted(w, r - upper, -2) * xp.conj(y), -1) for r in range(rows)], axis=-2)


def _adjoint(ab: Any, upper: int) -> Any:
    """The bands of A^H."""
    xp, rows = rb.xp(ab), ab.shape[-2]
    lower = rows - 1 - upper
    return xp.conj(xp.stack([_shifted(ab[..., rows - 1 - r, :], r - lower, -1) for r in range(rows)], axis=-2))


@rb.primitive(host=True, result=_solution, cases=_cases.BANDED)
def banded(ab: Any, b: Any, *, l_and_u: tuple[int, int], check_finite: bool = True) -> Any:
    """x with A x = b: what `solve_banded` calls, its number of bands an option.

    Args:
        ab: array of shape (..., l + u + 1, n), ab[u + i - j, j] = A[i, j].
        b: array of shape (n,) or (..., n, k).
        l_and_u: the number of diagonals below and above the main one.
        check_finite: whether NaN and infinity raise.

    Derivation:
        That of `solve`: A x_dot = b_dot - A_dot x, b_bar = A^-H x_bar, and the bands of A_bar = -b_bar x^H.
    """
    out = _solution(ab, b)
    columns = Columns(b)
    ab, b = like(ab, columns.matrix(np.asarray(b)))
    run = lambda p, q: scipy_linalg().solve_banded(l_and_u, p, q, check_finite=check_finite)
    return columns.back(columns.over(run, ab, b)).reshape(out.shape)


@rb.pushforward(banded)
def _(y: Any, primals: Any, tangents: Any, *, l_and_u: Any, **_: Any) -> Any:
    columns = Columns(primals[1])
    y = columns.matrix(y)
    ab, _ = matrices(y, (primals[0], y))
    ab_dot, b_dot = tangents_of(y, (primals[0], y), (tangents[0], columns.matrix(tangents[1])))
    return columns.back(banded(ab, b_dot - _product(ab_dot, y, l_and_u[1]), l_and_u=l_and_u, check_finite=False))


@rb.pullback(banded)
def _(y: Any, primals: Any, y_bar: Any, *, l_and_u: Any, **_: Any) -> Any:
    columns = Columns(primals[1])
    y, y_bar = columns.matrix(y), columns.matrix(y_bar)
    ab, _ = matrices(y, (primals[0], y))
    w = banded(_adjoint(ab, l_and_u[1]), y_bar, l_and_u=l_and_u[::-1], check_finite=False)
    return columns.cotangents(primals, lambda: -_outer(w, y, l_and_u[1], ab.shape[-2]), lambda: w)


batch_of_systems(banded)


def solve_banded(
    l_and_u: tuple[int, int], ab: Any, b: Any, *, overwrite_ab: bool = False, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """x with A x = b, A given by its diagonals.

    Args:
        l_and_u: the number of diagonals below and above the main one.
        ab: array of shape (..., l + u + 1, n), ab[u + i - j, j] = A[i, j].
        b: array of shape (n,) or (..., n, k).
        overwrite_ab, overwrite_b: change nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n) or (..., n, k).

    Raises:
        numpy.linalg.LinAlgError: a is singular.

    Example:
        >>> solve_banded((1, 0), np.array([[2.0, 2.0], [1.0, 0.0]]), np.array([2.0, 3.0]))
        array([1., 1.])
    """
    lower, upper = (int(n) for n in l_and_u)
    return banded(ab, b, l_and_u=(lower, upper), check_finite=check_finite)


def _full(ab: Any, lower: bool) -> Any:
    """All bands of a Hermitian matrix, of which those on one side are stored."""
    xp, w = rb.xp(ab), ab.shape[-2] - 1
    rows: dict[int, Any] = {w: (lambda d: (d + xp.conj(d)) / 2)(ab[..., 0 if lower else w, :])}
    for s in range(1, w + 1):
        stored = ab[..., s if lower else w - s, :]
        rows[w + s if lower else w - s] = stored
        rows[w - s if lower else w + s] = xp.conj(_shifted(stored, -s if lower else s, -1))
    return xp.stack([rows[r] for r in range(2 * w + 1)], axis=-2)


def _stored(full_bar: Any, lower: bool) -> Any:
    """The adjoint of `_full`."""
    xp, w = rb.xp(full_bar), (full_bar.shape[-2] - 1) // 2
    middle = full_bar[..., w, :]
    rows: dict[int, Any] = {0 if lower else w: (middle + xp.conj(middle)) / 2}
    for s in range(1, w + 1):
        same, other = full_bar[..., w + s if lower else w - s, :], full_bar[..., w - s if lower else w + s, :]
        rows[s if lower else w - s] = same + xp.conj(_shifted(other, s if lower else -s, -1))
    return xp.stack([rows[r] for r in range(w + 1)], axis=-2)


@rb.primitive(host=True, result=_solution, cases=_cases.HERMITIAN_BANDED)
def solveh_banded(
    ab: Any, b: Any, *, overwrite_ab: bool = False, overwrite_b: bool = False, lower: bool = False, check_finite: bool = True
) -> Any:
    """x with A x = b for a Hermitian positive definite A, given by the diagonals on one side.

    Args:
        ab: array of shape (..., u + 1, n): ab[u + i - j, j] = A[i, j] for i <= j; with lower, ab[i - j, j] = A[i, j] for i >= j.
        b: array of shape (n,) or (..., n, k).
        overwrite_ab, overwrite_b: change nothing.
        lower: which side is stored.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n) or (..., n, k).

    Raises:
        numpy.linalg.LinAlgError: a is not positive definite.

    Derivation:
        That of `solve`, with b_bar = A^-1 x_bar; the diagonals that are stored get what their mirror images get of -b_bar x^H.

    Example:
        >>> solveh_banded(np.array([[0.0, 1.0], [2.0, 2.0]]), np.array([3.0, 3.0]))
        array([1., 1.])
    """
    out = _solution(ab, b)
    columns = Columns(b)
    ab, b = like(ab, columns.matrix(np.asarray(b)))
    run = lambda p, q: scipy_linalg().solveh_banded(p, q, lower=lower, check_finite=check_finite)
    return columns.back(columns.over(run, ab, b)).reshape(out.shape)


@rb.pushforward(solveh_banded)
def _(y: Any, primals: Any, tangents: Any, *, lower: bool, **_: Any) -> Any:
    columns = Columns(primals[1])
    y = columns.matrix(y)
    ab, _ = matrices(y, (primals[0], y))
    ab_dot, b_dot = tangents_of(y, (primals[0], y), (tangents[0], columns.matrix(tangents[1])))
    change = _product(_full(ab_dot, lower), y, ab.shape[-2] - 1)
    return columns.back(solveh_banded(ab, b_dot - change, lower=lower, check_finite=False))


@rb.pullback(solveh_banded)
def _(y: Any, primals: Any, y_bar: Any, *, lower: bool, **_: Any) -> Any:
    columns = Columns(primals[1])
    y, y_bar = columns.matrix(y), columns.matrix(y_bar)
    ab, _ = matrices(y, (primals[0], y))
    w, u = solveh_banded(ab, y_bar, lower=lower, check_finite=False), ab.shape[-2] - 1
    return columns.cotangents(primals, lambda: _stored(-_outer(w, y, u, 2 * u + 1), lower), lambda: w)


batch_of_systems(solveh_banded)
