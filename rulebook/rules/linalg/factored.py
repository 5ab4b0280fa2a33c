"""Triangular factors of a matrix and systems solved with them: LU and Cholesky, with rules of every order."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.dual.parts import is_dual
from rulebook.rules._matrices import adjoint, matrices, tangents_of
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._columns import Columns, solution
from rulebook.rules.linalg._permutations import permutation, pivot_permutation
from rulebook.rules.linalg._reading import eye_like, matrix, matrix_bar, transpose, triangle
from rulebook.rules.linalg._stacks import aligned, batches, dtype_of, like, scipy_linalg, spec, stacked
from rulebook.rules.linalg.solving import against, solve_triangular, turned

__all__ = ["cho_factor", "cho_solve", "cholesky", "lu", "lu_factor", "lu_solve"]


def over(x: Any, t: Any, lower: bool, unit: bool = False) -> Any:
    """X T^-1 for a triangular T."""
    return transpose(solve_triangular(t, transpose(x), trans=1, lower=lower, unit_diagonal=unit, check_finite=False))


def under(t: Any, x: Any, lower: bool, unit: bool = False) -> Any:
    """T^-1 X for a triangular T."""
    return solve_triangular(t, x, lower=lower, unit_diagonal=unit, check_finite=False)


# -- LU ------------------------------------------------------------------------------------------


def _lu_dot(low: Any, up: Any, a_dot: Any) -> tuple[Any, Any]:
    """The tangents of L and U, L U = A."""
    xp, k = rb.xp(low, up, a_dot), low.shape[-1]
    first, u1 = low[..., :k, :], up[..., :, :k]
    left = under(first, a_dot[..., :k, :], lower=True, unit=True)  # L^-1 A_dot
    f = over(left[..., :, :k], u1, lower=False)
    below, above = triangle(f, True, strict=True), triangle(f, False)
    low_dot, up_dot = first @ below, above @ u1
    if low.shape[-2] > k:
        low_dot = xp.concatenate([low_dot, over(a_dot[..., k:, :], u1, lower=False) - low[..., k:, :] @ above], axis=-2)
    if up.shape[-1] > k:
        up_dot = xp.concatenate([up_dot, left[..., :, k:] - below @ up[..., :, k:]], axis=-1)
    return low_dot, up_dot


def _lu_bar(low: Any, up: Any, low_bar: Any, up_bar: Any) -> Any:
    """The cotangent of A, L U = A."""
    xp, k = rb.xp(low, up, low_bar, up_bar), low.shape[-1]
    first, u1 = low[..., :k, :], up[..., :, :k]
    below, above = adjoint(first) @ low_bar[..., :k, :], up_bar[..., :, :k] @ adjoint(u1)
    if low.shape[-2] > k:
        above = above - adjoint(low[..., k:, :]) @ low_bar[..., k:, :]
    if up.shape[-1] > k:
        below = below - up_bar[..., :, k:] @ adjoint(up[..., :, k:])
    m = over(triangle(below, True, strict=True) + triangle(above, False), adjoint(u1), lower=True)
    if up.shape[-1] > k:
        m = xp.concatenate([m, up_bar[..., :, k:]], axis=-1)
    a_bar = under(adjoint(first), m, lower=False, unit=True)
    if low.shape[-2] > k:
        a_bar = xp.concatenate([a_bar, over(low_bar[..., k:, :], adjoint(u1), lower=True)], axis=-2)
    return a_bar


def _packed(low: Any, up: Any) -> Any:
    """L and U in one matrix."""
    xp, (m, k), n = rb.xp(low, up), low.shape[-2:], up.shape[-1]
    if n > k:
        low = xp.concatenate([low, xp.zeros_like(up[..., :, k:])], axis=-1)
    if m > k:
        up = xp.concatenate([up, xp.zeros_like(low[..., k:, :])], axis=-2)
    return low + up


def _unpacked(lu: Any) -> tuple[Any, Any]:
    """L and U of one matrix."""
    k = min(lu.shape[-2:])
    low = lu[..., :, :k]
    ones = rb.xp(lu).zeros_like(low) + eye_like(low, low.shape[-2])
    return triangle(low, True, strict=True) + ones, triangle(lu[..., :k, :], False)


def _lu_factor_spec(a: Any, **_: Any) -> Any:
    lead, (m, n) = a.shape[:-2], a.shape[-2:]
    return spec(lead, (m, n), dtype_of(a)), spec(lead, (min(m, n),), np.int32)


def _own_lu_factor(a: Any, **_: Any) -> Any:
    return tuple(rb.xp(a).linalg.lu_factor(a))


def _own_lu_solve(lu_and_piv: Any, b: Any, *, trans: Any, **_: Any) -> Any:
    columns = Columns(b)
    return columns.back(rb.xp(lu_and_piv[0], b).linalg.lu_solve(tuple(lu_and_piv), columns.matrix(b), trans=int(trans)))


@rb.primitive(host=True, result=_lu_factor_spec, cases=_cases.LU, native={"jax": _own_lu_factor, "torch": _own_lu_factor})
def lu_factor(a: Any, *, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """L and U, with rows exchanged, in one matrix, and the pivots: for `lu_solve`.

    Args:
        a: array of shape (..., m, n).
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        (lu, piv), of shapes (..., m, n) and (..., min(m, n)).

    Derivation:
        With the rows of A exchanged, A = L U.  For a square A let F = L^-1 A_dot U^-1 = L^-1 L_dot + U_dot U^-1, the sum of a strictly
        lower and an upper triangular matrix: L_dot = L tril(F, -1), U_dot = triu(F) U, and
        A_bar = L^-H (tril(L^H L_bar, -1) + triu(U_bar U^H)) U^-H  (S. Walter and L. Lehmann, Algorithmic differentiation of linear
        algebra functions with application in optimum experimental design, 2010).  More rows: L_2 = A_2 U^-1; more columns:
        U_2 = L^-1 A_2; their derivatives follow from those of the square part.

    Example:
        >>> lu_factor(np.array([[1.0, 2.0], [2.0, 2.0]]))[0]
        array([[2. , 2. ],
               [0.5, 1. ]])
    """
    (a,) = like(a)
    return stacked(lambda m: scipy_linalg().lu_factor(m, check_finite=check_finite), _lu_factor_spec(a), a)


@rb.pushforward(lu_factor)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    p = permutation(y[1], rows=y[0].shape[-2], like=y[0])
    return _packed(*_lu_dot(*_unpacked(y[0]), transpose(p) @ tangents[0])), None


@rb.pullback(lu_factor)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    lu_, piv = y
    k = min(lu_.shape[-2:])
    low_bar, up_bar = triangle(y_bar[0][..., :, :k], True, strict=True), triangle(y_bar[0][..., :k, :], False)
    return (permutation(piv, rows=lu_.shape[-2], like=lu_) @ _lu_bar(*_unpacked(lu_), low_bar, up_bar),)


batches(lu_factor)


def _lu_spec(a: Any, *, permute_l: bool, p_indices: bool, **_: Any) -> Any:
    lead, (m, n), dtype = a.shape[:-2], a.shape[-2:], dtype_of(a)
    k = min(m, n)
    p = spec(lead, (m,), np.int32) if p_indices else spec(lead, (m, m), np.finfo(dtype).dtype)
    factors = spec(lead, (m, k), dtype), spec(lead, (k, n), dtype)
    return factors if permute_l else (p, *factors)


@rb.primitive(host=True, result=_lu_spec, cases=_cases.LU_WITH_OPTIONS)
def lu(a: Any, *, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False) -> Any:
    """P, L and U with A = P L U.

    Args:
        a: array of shape (..., m, n).
        permute_l: whether P L and U are given.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.
        p_indices: whether P is given as indices, A = L[p] U.

    Returns:
        (p, l, u) or, with permute_l, (pl, u).

    Derivation:
        That of `lu_factor`; P does not change.

    Example:
        >>> lu(np.array([[1.0, 2.0], [2.0, 2.0]]))[2]
        array([[2., 2.],
               [0., 1.]])
    """
    (a,) = like(a)
    out = _lu_spec(a, permute_l=permute_l, p_indices=p_indices)

    def run(m: Any) -> Any:
        found = scipy_linalg().lu(m, permute_l=permute_l, p_indices=p_indices, check_finite=check_finite)
        exchanges = () if permute_l else (np.real(found[0]).astype(out[0].dtype, copy=False),)  # SciPy gives a complex one at times
        return *exchanges, *found[-2:]

    return stacked(run, out, a)


def _exchange(y: Any, a: Any, permute_l: bool, p_indices: bool) -> Any:
    """P as a matrix."""
    if permute_l:
        return permutation(lu_factor(rb.stop_gradient(a))[1], rows=a.shape[-2], like=y[0])
    return transpose(pivot_permutation(y[0], like=y[1])) if p_indices else y[0]


@rb.pushforward(lu)
def _(y: Any, primals: Any, tangents: Any, *, permute_l: bool, p_indices: bool, **_: Any) -> Any:
    p = _exchange(y, primals[0], permute_l, p_indices)
    low, up = y[-2:]
    low_dot, up_dot = _lu_dot(transpose(p) @ low if permute_l else low, up, transpose(p) @ tangents[0])
    return (p @ low_dot, up_dot) if permute_l else (None, low_dot, up_dot)


@rb.pullback(lu)
def _(y: Any, primals: Any, y_bar: Any, *, permute_l: bool, p_indices: bool, **_: Any) -> Any:
    p = _exchange(y, primals[0], permute_l, p_indices)
    low, low_bar = (transpose(p) @ y[-2], transpose(p) @ y_bar[-2]) if permute_l else (y[-2], y_bar[-2])
    return (p @ _lu_bar(low, y[-1], triangle(low_bar, True, strict=True), triangle(y_bar[-1], False)),)


batches(lu)


def _factors_and_b(core: int, in_batched: Any, factors: Any, b: Any) -> Any:
    """The arguments of a solver with factors, their batch axes aligned; and whether b was a vector."""
    vector = b.ndim - bool(in_batched[1]) == 1
    b = b[..., None] if vector else b
    if not in_batched[0][1]:  # a flag without a batch is a number
        c, b = aligned((in_batched[0][0], in_batched[1]), (factors[0], b), (2, 2))
        return (c, factors[1]), b, vector
    c, other, b = aligned((*in_batched[0], in_batched[1]), (*factors, b), (2, core, 2))
    return (c, other), b, vector


def _on_duals(name: str) -> Any:
    """Solvers with factors that have no tangents: one call for all tangents of b."""
    return getattr(importlib.import_module("rulebook.dual.solvers"), name)


def _lu_solve_of_duals(lu_and_piv: Any, b: Any, *, trans: Any, **_: Any) -> Any:
    """Two triangular systems, which take all tangents at once."""
    factors, piv = lu_and_piv
    if not is_dual(factors):
        return _on_duals("lu_solve")((factors, piv), b, trans)
    columns, p = Columns(b), permutation(piv, rows=factors.shape[-2], like=factors)
    x = columns.matrix(b)
    if not int(trans):
        return columns.back(under(factors, under(factors, transpose(p) @ x, lower=True, unit=True), lower=False))
    half = solve_triangular(factors, x, trans=trans, lower=False)
    return columns.back(p @ solve_triangular(factors, half, trans=trans, lower=True, unit_diagonal=True))


def _cho_solve_of_duals(c_and_lower: Any, b: Any, **_: Any) -> Any:
    """The same with a Cholesky factor."""
    return _on_duals("cho_solve")((c_and_lower[0], bool(c_and_lower[1])), b)


@rb.primitive(
    host=True,
    result=lambda lu_and_piv, b, **_: solution(lu_and_piv[0], b),
    cases=_cases.LU_SOLVE,
    native={"dual": _lu_solve_of_duals, "jax": _own_lu_solve, "torch": _own_lu_solve},
)
def lu_solve(lu_and_piv: Any, b: Any, *, trans: Any = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """x with A x = b, A^T x = b or A^H x = b, from the factors of A.

    Args:
        lu_and_piv: what `lu_factor` gave for A.
        b: array of shape (n,) or (..., n, k).
        trans: 0, 1 or 2.
        overwrite_b: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n) or (..., n, k).

    Derivation:
        With the rows of A exchanged, A_dot = L_dot U + L U_dot, and the rule is that of `solve`: A x_dot = b_dot - A_dot x.  With
        A_bar = -b_bar x^H, L_bar = tril(A_bar U^H, -1) and U_bar = triu(L^H A_bar).  The same factors serve all of it.

    Example:
        >>> lu_solve(lu_factor(np.array([[1.0, 2.0], [2.0, 2.0]])), np.array([3.0, 4.0]))
        array([1., 1.])
    """
    factors, piv = lu_and_piv
    out = solution(factors, b)
    columns = Columns(b)
    factors, b = like(factors, columns.matrix(np.asarray(b)))
    piv = np.asarray(piv)
    run = lambda p, q, r: scipy_linalg().lu_solve((p, q), r, trans=int(trans), check_finite=check_finite)
    return columns.back(_with_factors(run, factors, piv, b, 1)).reshape(out.shape)


def _with_factors(run: Any, factors: Any, other: Any, b: Any, core: int) -> Any:
    """run(factors, other, b) over leading axes; factors without them serve all of b at once."""
    if not b.size or not factors.size:
        return np.zeros(np.broadcast_shapes(factors.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype)
    if factors.ndim == 2:
        return Columns(b).over(lambda p, q: run(p, other, q), factors, b)
    out = spec(np.broadcast_shapes(factors.shape[:-2], b.shape[:-2]), b.shape[-2:], b.dtype)
    return stacked(run, out, factors, other, b, core=(2, core, 2))


def _rows(x: Any, p: Any, trans: Any) -> Any:
    """A_dot from that of the exchanged rows, turned."""
    return turned(p @ x, trans)


@rb.pushforward(lu_solve)
def _(y: Any, primals: Any, tangents: Any, *, trans: Any, **_: Any) -> Any:
    (lu_, piv), b = primals
    columns = Columns(b)
    y = columns.matrix(y)
    (lu_,) = matrices(y, (lu_,))
    lu_dot, b_dot = tangents_of(y, (primals[0][0], y), (tangents[0][0], columns.matrix(tangents[1])))
    (low, up), p = _unpacked(lu_), permutation(piv, rows=lu_.shape[-2], like=y)
    a_dot = triangle(lu_dot, True, strict=True) @ up + low @ triangle(lu_dot, False)
    return columns.back(lu_solve((lu_, piv), b_dot - _rows(a_dot, p, trans) @ y, trans=trans, check_finite=False))


@rb.pullback(lu_solve)
def _(y: Any, primals: Any, y_bar: Any, *, trans: Any, **_: Any) -> Any:
    (lu_, piv), b = primals
    columns = Columns(b)
    y, y_bar = columns.matrix(y), columns.matrix(y_bar)
    (lu_,) = matrices(y, (lu_,))
    w = against(lambda f, q, t: lu_solve(f, q, trans=t, check_finite=False), trans, (lu_, piv), y_bar)

    def lu_bar() -> Any:
        (low, up), p = _unpacked(lu_), permutation(piv, rows=lu_.shape[-2], like=y)
        a_bar = transpose(p) @ turned(-w @ adjoint(y), trans)
        return triangle(a_bar @ adjoint(up), True, strict=True) + triangle(adjoint(low) @ a_bar, False)

    found = columns.cotangents((primals[0][0], b), lu_bar, lambda: w)
    return (found[0], None), found[1]


@rb.batch_rule(lu_solve)
def _(axis_size: int, in_batched: Any, lu_and_piv: Any, b: Any, **static: Any) -> Any:
    factors, b, vector = _factors_and_b(1, in_batched, lu_and_piv, b)
    y = lu_solve(factors, b, **static)
    return (y[..., 0] if vector else y), True


# -- Cholesky --------------------------------------------------------------------------------------


def _phi(x: Any) -> Any:
    """The lower triangle with half the diagonal."""
    return (triangle(x, True) + triangle(x, True, strict=True)) / 2


def _cholesky_dot(low: Any, a_dot: Any) -> Any:
    """L_dot, for a Hermitian A_dot."""
    half = under(low, a_dot, lower=True)
    return low @ _phi(adjoint(under(low, adjoint(half), lower=True)))


def _cholesky_bar(low: Any, low_bar: Any) -> Any:
    """The cotangent of a Hermitian A; its Hermitian part counts."""
    inner = under(adjoint(low), _phi(adjoint(low) @ low_bar), lower=False)
    return over(inner, low, lower=True)


def _same(a: Any, **_: Any) -> Any:
    return spec(a.shape[:-2], a.shape[-2:], dtype_of(a))


def _own_cholesky(a: Any, *, lower: bool, **_: Any) -> Any:
    low = rb.xp(a).linalg.cholesky(matrix(a, "hermitian", lower))
    return low if lower else adjoint(low)


@rb.primitive(host=True, result=_same, cases=_cases.CHOLESKY, native={"jax": _own_cholesky, "torch": _own_cholesky})
def cholesky(a: Any, *, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The Cholesky factor: A = R^H R with R upper triangular, or A = L L^H.

    Args:
        a: array of shape (..., n, n), of which one triangle is read.
        lower: whether the lower triangle is read and L given.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: a is not positive definite.

    Derivation:
        L_dot = L phi(L^-1 A_dot L^-H), where phi takes the lower triangle with half the diagonal, and
        A_bar = L^-H phi(L^H L_bar) L^-1 for Hermitian A_dot (I. Murray, Differentiation of the Cholesky decomposition, 2016); the
        triangle that is read gets both halves.  R = L^H.

    Example:
        >>> cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
        array([[2., 1.],
               [0., 2.]])
    """
    (a,) = like(a)
    return stacked(lambda m: scipy_linalg().cholesky(m, lower=lower, check_finite=check_finite), _same(a), a)


@rb.pushforward(cholesky)
def _(y: Any, primals: Any, tangents: Any, *, lower: bool, **_: Any) -> Any:
    a_dot = matrix(tangents[0], "hermitian", lower)
    return _cholesky_dot(y, a_dot) if lower else adjoint(_cholesky_dot(adjoint(y), a_dot))


@rb.pullback(cholesky)
def _(y: Any, primals: Any, y_bar: Any, *, lower: bool, **_: Any) -> Any:
    a_bar = _cholesky_bar(y, y_bar) if lower else _cholesky_bar(adjoint(y), adjoint(y_bar))
    return (matrix_bar(a_bar, "hermitian", lower),)


batches(cholesky)


@rb.primitive(
    host=True,
    result=lambda a, **_: (_same(a), spec((), (), bool)),
    cases=_cases.CHOLESKY[:2],
)
def cho_factor(a: Any, *, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The Cholesky factor in one triangle, and which: for `cho_solve`.  The other triangle is that of a.

    Args:
        a: array of shape (..., n, n), of which one triangle is read.
        lower: whether that is the lower one.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        (c, lower).

    Raises:
        numpy.linalg.LinAlgError: a is not positive definite.

    Derivation:
        That of `cholesky`; what is left of a in the other triangle has the derivative of a.

    Example:
        >>> cho_factor(np.array([[4.0, 2.0], [2.0, 5.0]]))
        (array([[2., 1.],
                [2., 2.]]), False)
    """
    (a,) = like(a)
    return stacked(lambda m: scipy_linalg().cho_factor(m, lower=lower, check_finite=check_finite)[0], _same(a), a), bool(lower)


@rb.pushforward(cho_factor)
def _(y: Any, primals: Any, tangents: Any, *, lower: bool, **_: Any) -> Any:
    c, (a_dot,) = triangle(y[0], lower), tangents
    full = matrix(a_dot, "hermitian", lower)
    moved = _cholesky_dot(c, full) if lower else adjoint(_cholesky_dot(adjoint(c), full))
    return triangle(moved, lower) + triangle(a_dot, not lower, strict=True), None


@rb.pullback(cho_factor)
def _(y: Any, primals: Any, y_bar: Any, *, lower: bool, **_: Any) -> Any:
    c, c_bar = triangle(y[0], lower), triangle(y_bar[0], lower)
    a_bar = _cholesky_bar(c, c_bar) if lower else _cholesky_bar(adjoint(c), adjoint(c_bar))
    return (matrix_bar(a_bar, "hermitian", lower) + triangle(y_bar[0], not lower, strict=True),)


@rb.batch_rule(cho_factor)
def _(axis_size: int, in_batched: Any, a: Any, **static: Any) -> Any:
    return cho_factor(a, **static), (True, False)


@rb.primitive(
    host=True, result=lambda c_and_lower, b, **_: solution(c_and_lower[0], b), cases=_cases.CHO_SOLVE, native={"dual": _cho_solve_of_duals}
)
def cho_solve(c_and_lower: Any, b: Any, *, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """x with A x = b, from the Cholesky factor of A.

    Args:
        c_and_lower: what `cho_factor` gave for A; one triangle of it is read.
        b: array of shape (n,) or (..., n, k).
        overwrite_b: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n) or (..., n, k).

    Derivation:
        With A = L L^H, A_dot = L_dot L^H + L L_dot^H, and the rule is that of `solve`.  With A_bar = -b_bar x^H,
        L_bar = tril((A_bar + A_bar^H) L).  An upper factor is L^H.  The same factor serves all of it.

    Example:
        >>> cho_solve(cho_factor(np.array([[4.0, 2.0], [2.0, 5.0]])), np.array([6.0, 7.0]))
        array([1., 1.])
    """
    c, lower = c_and_lower
    out = solution(c, b)
    columns = Columns(b)
    c, b = like(c, columns.matrix(np.asarray(b)))
    run = lambda p, q, r: scipy_linalg().cho_solve((p, bool(q)), r, check_finite=check_finite)
    return columns.back(_with_factors(run, c, np.asarray(lower), b, 0)).reshape(out.shape)


def _as_lower(c: Any, lower: Any) -> Any:
    """L of a factor, or of its tangent; `lower` may be traced."""
    flag = lower if getattr(lower, "ndim", 0) == 0 else lower[..., None, None]
    return rb.xp(c).where(flag, triangle(c, True), adjoint(triangle(c, False)))


@rb.pushforward(cho_solve)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    (c, lower), b = primals
    columns = Columns(b)
    y = columns.matrix(y)
    (c,) = matrices(y, (c,))
    c_dot, b_dot = tangents_of(y, (primals[0][0], y), (tangents[0][0], columns.matrix(tangents[1])))
    half = _as_lower(c_dot, lower) @ adjoint(_as_lower(c, lower))
    return columns.back(cho_solve((c, lower), b_dot - (half + adjoint(half)) @ y, check_finite=False))


@rb.pullback(cho_solve)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    (c, lower), b = primals
    columns = Columns(b)
    y, y_bar = columns.matrix(y), columns.matrix(y_bar)
    (c,) = matrices(y, (c,))
    w = cho_solve((c, lower), y_bar, check_finite=False)

    def c_bar() -> Any:
        a_bar = -w @ adjoint(y)
        low_bar = triangle((a_bar + adjoint(a_bar)) @ _as_lower(c, lower), True)
        flag = lower if getattr(lower, "ndim", 0) == 0 else lower[..., None, None]
        return rb.xp(low_bar).where(flag, low_bar, adjoint(low_bar))

    found = columns.cotangents((primals[0][0], b), c_bar, lambda: w)
    return (found[0], None), found[1]


@rb.batch_rule(cho_solve)
def _(axis_size: int, in_batched: Any, c_and_lower: Any, b: Any, **static: Any) -> Any:
    factors, b, vector = _factors_and_b(0, in_batched, c_and_lower, b)
    y = cho_solve(factors, b, **static)
    return (y[..., 0] if vector else y), True
