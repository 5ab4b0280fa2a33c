"""Factorisations of a matrix: QR, polar and L D L^H, with rules of every order."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, hermitian, quotient
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._permutations import pivot_permutation
from rulebook.rules.linalg._reading import eye_like, matrix, matrix_bar, transpose, triangle
from rulebook.rules.linalg._stacks import batches, dtype_of, like, pull_of, push_of, scipy_linalg, spec, stacked
from rulebook.rules.linalg.equations import solve_sylvester
from rulebook.rules.linalg.factored import over, under
from rulebook.rules.numpy.linalg import qr as reduced_qr

__all__ = ["ldl", "polar", "qr"]


def _qr_spec(a: Any, *, mode: str, pivoting: bool, **_: Any) -> Any:
    if mode not in ("full", "r", "economic"):
        raise NotImplementedError(f"qr: mode={mode!r} has no rule; pass 'full', 'r' or 'economic'")
    lead, (m, n), dtype = a.shape[:-2], a.shape[-2:], dtype_of(a)
    k = min(m, n)
    q, r = spec(lead, (m, k if mode == "economic" else m), dtype), spec(lead, (k if mode == "economic" else m, n), dtype)
    return (*(() if mode == "r" else (q,)), r, *((spec(lead, (n,), np.int32),) if pivoting else ()))


@rb.primitive(host=True, result=_qr_spec, cases=_cases.QR)
def qr(
    a: Any,
    *,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """Q and R with A = Q R, the columns of Q orthonormal and R upper triangular.

    Args:
        a: array of shape (..., m, n); its first min(m, n) columns, as they are pivoted, are linearly independent.
        overwrite_a, lwork: change nothing.
        mode: "full", "economic" or "r".  For "full" with m > n the columns that are added to Q are determined up to a rotation: they
            have no derivative, which raises when it is used.
        pivoting: whether columns are exchanged, A[:, p] = Q R.
        check_finite: whether NaN and infinity raise.

    Returns:
        (q, r), or (r,) for mode="r"; with pivoting p as well.

    Derivation:
        That of `rulebook.rules.numpy.linalg.qr` (S. Walter and L. Lehmann 2010; H. Liao et al., Differentiable programming tensor
        networks, 2019, for more columns than rows; complex: R keeps a real diagonal).

    Example:
        >>> abs(qr(np.array([[3.0], [4.0]]), mode="economic")[1])
        array([[5.]])
    """
    (a,) = like(a)
    out = _qr_spec(a, mode=mode, pivoting=pivoting)

    def run(m: Any) -> Any:
        found = scipy_linalg().qr(m, mode=mode, pivoting=pivoting, check_finite=check_finite)
        return tuple(np.asarray(x) for x in found) if isinstance(found, tuple) else (found,)

    return stacked(run, out, a)


def _exchange(y: Any, pivoting: bool) -> Any:
    """P with A P = Q R; None without pivoting."""
    return transpose(pivot_permutation(y[-1], like=y[0])) if pivoting else None


def _thin(y: Any, a: Any, mode: str) -> Any:
    """Q and R of the economic form."""
    k = min(a.shape[-2:])
    return reduced_qr(a) if mode == "r" else (y[0][..., :, :k], y[1][..., :k, :])


@rb.pushforward(qr)
def _(y: Any, primals: Any, tangents: Any, *, mode: str, pivoting: bool, **_: Any) -> Any:
    p = _exchange(y, pivoting)
    a, a_dot = (primals[0], tangents[0]) if p is None else (primals[0] @ p, tangents[0] @ p)
    thin = _thin(y, a, mode)
    q_dot, r_dot = push_of(reduced_qr)(thin, (a,), (a_dot,), mode="reduced")
    r = y[0] if mode == "r" else y[1]
    if r.shape[-2] > r_dot.shape[-2]:
        xp = rb.xp(r_dot, r)
        r_dot = xp.concatenate([r_dot, xp.zeros_like(r[..., r_dot.shape[-2] :, :])], axis=-2)
        q_dot = rb.NotImplementedTangent(_ADDED)
    return (*(() if mode == "r" else (q_dot,)), r_dot, *((None,) if pivoting else ()))


_ADDED = "qr: mode='full' adds columns to Q that are determined up to a rotation; pass mode='economic'"


@rb.pullback(qr, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, mode: str, pivoting: bool, **_: Any) -> Any:
    p = _exchange(y, pivoting)
    a = primals[0] if p is None else primals[0] @ p
    q_bar, r_bar = (None, y_bar[0]) if mode == "r" else y_bar[:2]
    if q_bar is None and r_bar is None:
        return (None,)
    q, r = _thin(y, a, mode)
    if q_bar is not None and q_bar.shape[-1] > q.shape[-1]:
        return (rb.NotImplementedTangent(_ADDED),)
    xp = rb.xp(q, r)
    bars = xp.zeros_like(q) if q_bar is None else q_bar, xp.zeros_like(r) if r_bar is None else r_bar[..., : r.shape[-2], :]
    (a_bar,) = pull_of(reduced_qr)((q, r), (a,), bars, mode="reduced")
    return (a_bar if p is None else a_bar @ transpose(p),)


batches(qr)


def _polar_spec(a: Any, *, side: str) -> Any:
    n = a.shape[-1] if side == "right" else a.shape[-2]
    return spec(a.shape[:-2], a.shape[-2:], dtype_of(a)), spec(a.shape[:-2], (n, n), dtype_of(a))


@rb.primitive(host=True, result=_polar_spec, cases=_cases.POLAR)
def polar(a: Any, *, side: str = "right") -> Any:
    """U and P with A = U P, U unitary (its columns or rows orthonormal) and P positive semidefinite; A = P U for side="left".

    Args:
        a: array of shape (..., m, n), of full rank where it is differentiated.
        side: "right" or "left".

    Returns:
        (u, p).

    Derivation:
        For m >= n and side="right", U_dot = U W + (1 - U U^H) A_dot P^-1 with an anti-Hermitian W.  U^H A_dot = W P + P_dot and its adjoint
        give the Sylvester equation P W + W P = U^H A_dot - A_dot^H U, and P_dot = U^H A_dot - W P (Higham 2008, section 8.2, has the
        equation).  Its adjoint: with P Z + Z P = U^H U_bar - P_bar P, A_bar = U (Z - Z^H + P_bar) + (1 - U U^H) U_bar P^-1 for a
        Hermitian P_bar.  For m < n A^H is decomposed so; the factor on the other side is U P U^H.

    Example:
        >>> polar(np.array([[0.0, -2.0], [3.0, 0.0]]))[1]
        array([[3., 0.],
               [0., 2.]])
    """
    (a,) = like(a)
    return stacked(lambda m: scipy_linalg().polar(m, side=side), _polar_spec(a, side=side), a)


def _standing(a: Any, side: str) -> tuple[bool, bool]:
    """Whether A^H is decomposed, and whether P is on the other side of U then."""
    wide = a.shape[-2] < a.shape[-1]
    return wide, wide == (side == "right")


def _parts(y: Any, a: Any, side: str) -> tuple[Any, Any]:
    """U and P of the tall matrix A or A^H = U P."""
    wide, other = _standing(a, side)
    u = adjoint(y[0]) if wide else y[0]
    return u, adjoint(u) @ y[1] @ u if other else y[1]


@rb.pushforward(polar)
def _(y: Any, primals: Any, tangents: Any, *, side: str) -> Any:
    wide, other = _standing(primals[0], side)
    u, p = _parts(y, primals[0], side)
    a_dot = adjoint(tangents[0]) if wide else tangents[0]
    inner = adjoint(u) @ a_dot
    turn = solve_sylvester(p, p, inner - adjoint(inner))
    p_dot, u_dot = hermitian(inner - turn @ p), u @ turn
    if u.shape[-1] < u.shape[-2]:
        u_dot = u_dot + adjoint(quotient(p, adjoint(a_dot - u @ inner)))
    if other:
        half = u_dot @ p @ adjoint(u)
        p_dot = half + adjoint(half) + u @ p_dot @ adjoint(u)
    return adjoint(u_dot) if wide else u_dot, p_dot


@rb.pullback(polar)
def _(y: Any, primals: Any, y_bar: Any, *, side: str) -> Any:
    wide, other = _standing(primals[0], side)
    u, p = _parts(y, primals[0], side)
    u_bar, p_bar = adjoint(y_bar[0]) if wide else y_bar[0], hermitian(y_bar[1])
    if other:
        u_bar, p_bar = u_bar + 2 * p_bar @ u @ p, adjoint(u) @ p_bar @ u
    inner = adjoint(u) @ u_bar
    z = solve_sylvester(p, p, inner - p_bar @ p)
    a_bar = u @ (z - adjoint(z) + p_bar)
    if u.shape[-1] < u.shape[-2]:
        a_bar = a_bar + adjoint(quotient(p, adjoint(u_bar - u @ inner)))
    return (adjoint(a_bar) if wide else a_bar,)


batches(polar)


def _ldl_spec(a: Any, **_: Any) -> Any:
    one = spec(a.shape[:-2], a.shape[-2:], dtype_of(a))
    return one, one, spec(a.shape[:-2], a.shape[-1:], np.int64)


@rb.primitive(host=True, result=_ldl_spec, cases=_cases.LDL)
def ldl(A: Any, *, lower: bool = True, hermitian: bool = True, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """L, D and p with A = L D L^H, where the rows p of L are triangular and D has blocks of one and two rows.

    Args:
        A: array of shape (..., n, n), of which one triangle is read.
        lower: whether that is the lower one, and L lower triangular.
        hermitian: whether A is Hermitian; otherwise symmetric, A = L D L^T.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        (l, d, perm).

    Derivation:
        With its rows in order L has ones on the diagonal and the identity in the places of the blocks of D, which does not change
        where the pivots do not.  F = L^-1 A_dot L^-H = X D + D_dot + D X^H with X = L^-1 L_dot outside of the blocks: D_dot is F in the
        blocks, and X D is F below them.  The adjoint: A_bar = L^-H (below(L^H L_bar D^-H) + blocks(D_bar)) L^-1, of which the triangle that
        is read gets both halves.  (The block form of the rule for L D L^T in S. Walter, Structured higher-order algorithmic
        differentiation, 2012.)

    Example:
        >>> ldl(np.array([[2.0, 1.0], [1.0, 3.0]]))[1]
        array([[2. , 0. ],
               [0. , 2.5]])
    """
    (a,) = like(A)

    def run(m: Any) -> Any:
        low, d, p = scipy_linalg().ldl(m, lower=lower, hermitian=hermitian, check_finite=check_finite)
        return low, d.astype(m.dtype, copy=False), np.asarray(p, np.int64)

    return stacked(run, _ldl_spec(a), a)


def _turn(x: Any, is_hermitian: bool) -> Any:
    return adjoint(x) if is_hermitian else transpose(x)


def _blocks(d: Any) -> Any:
    """Where the blocks of D are."""
    return (eye_like(d) != 0) | (d != 0) | (transpose(d) != 0)


def _outside(x: Any, d: Any, lower: bool) -> Any:
    """What is on the side of L of the blocks of D."""
    xp = rb.xp(x, d)
    return xp.where(_blocks(d), xp.zeros_like(x), triangle(x, lower, strict=True))


@rb.pushforward(ldl)
def _(y: Any, primals: Any, tangents: Any, *, lower: bool, hermitian: bool, **_: Any) -> Any:
    p = pivot_permutation(y[2], like=y[0])
    low, d = p @ y[0], y[1]
    a_dot = p @ matrix(tangents[0], "hermitian" if hermitian else "symmetric", lower) @ transpose(p)
    half = under(low, a_dot, lower=lower, unit=True)
    f = _turn(under(low, _turn(half, hermitian), lower=lower, unit=True), hermitian)
    xp = rb.xp(f, d)
    x = transpose(quotient(transpose(d), transpose(_outside(f, d, lower))))
    return transpose(p) @ low @ x, xp.where(_blocks(d), f, xp.zeros_like(f)), None


@rb.pullback(ldl)
def _(y: Any, primals: Any, y_bar: Any, *, lower: bool, hermitian: bool, **_: Any) -> Any:
    p = pivot_permutation(y[2], like=y[0])
    low, d = p @ y[0], y[1]
    xp = rb.xp(low, d)
    moved = adjoint(low) @ (p @ y_bar[0])
    f_bar = _outside(adjoint(quotient(d, adjoint(_outside(moved, d, lower)))), d, lower)
    f_bar = f_bar + xp.where(_blocks(d), y_bar[1], xp.zeros_like(f_bar))
    other = low if hermitian else xp.conj(low)
    inner = over(under(adjoint(low), f_bar, lower=not lower, unit=True), other, lower=lower, unit=True)
    a_bar = transpose(p) @ inner @ p
    return (matrix_bar(a_bar, "hermitian" if hermitian else "symmetric", lower),)


batches(ldl)
