"""Singular value decompositions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import is_complex, stands
from rulebook.rules.numpy.linalg._hermitian import diagonal, gaps, on_diagonal, real_first, rounding, row_zero, to_diagonal, unused

__all__ = [
    "SVDResult",
    "svd",
    "svdvals",
]


class SVDResult(NamedTuple):
    """U, the singular values, descending, and V^H."""

    U: Any
    S: Any
    Vh: Any


@stands(np.linalg.svd)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.svd",
    cases=[_cases.spread_tall, _cases.spread_wide, _cases.spread_complex, _cases.spread_complex_wide, _cases.spread_square],
)
def svd(a: Any, *, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """U, the singular values, descending, and V^H with A = U S V^H; the values alone for compute_uv=False.

    Args:
        a: array of shape (..., m, n).
        full_matrices: U and V^H are square; where m is not n the columns that this adds have no derivative.
        compute_uv: give U and V^H as well.

    Derivation:
        With P = U^H A_dot V and F_ij = 1 / (s_j^2 - s_i^2) off the diagonal (M. Giles, Collected matrix derivative results, 2008,
        section 3.2, extended to complex matrices and to m other than n as in J. Townsend, Differentiating the SVD, 2016):

            s_dot = Re diag(P),    U_dot = U (F o (P S + S P^H)) + (I - U U^H) A_dot V S^-1,
            V_dot = V (F o (S P + P^H S)) + (I - V V^H) A_dot^H U S^-1.

        A complex pair of vectors has a phase; it is LAPACK's, where the first entry of v_j (of u_j for m < n) is real.  That
        adds i Im(P_jj) / s_j to the one and a common i phi_j to both.  Where singular values are equal, or zero in a matrix that
        is not square, derivatives of vectors are NaN; those of the values are right, as a set their sum over equal ones.

    Example:
        >>> svd(np.array([[3.0, 0.0], [0.0, 2.0]])).S
        array([3., 2.])
    """
    if not compute_uv:
        return rb.xp(a).linalg.svd(a, full_matrices, False)
    if type(a) is np.ndarray:
        return SVDResult(*np.linalg.svd(a, full_matrices))
    u, s, vh = rb.xp(a).linalg.svd(a, full_matrices)
    if _added(a, full_matrices):
        return SVDResult(u, s, vh)
    v = adjoint(vh)
    fixed = _fixed(u, v)
    return SVDResult(real_first(u, fixed), s, adjoint(real_first(v, fixed)))


_FULL = "linalg.svd with full_matrices=True adds columns that are determined up to a rotation: use full_matrices=False"


def _added(a: Any, full_matrices: bool) -> bool:
    return full_matrices and a.shape[-1] != a.shape[-2]


@rb.pushforward(svd)
def _(y: Any, primals: Any, tangents: Any, *, full_matrices: bool, compute_uv: bool) -> Any:
    (a,), (a_dot,) = primals, tangents
    if compute_uv and _added(a, full_matrices):
        return rb.NotImplementedTangent(_FULL)
    u, s, vh = y if compute_uv else svd(a, full_matrices=False)
    v = adjoint(vh)
    p = adjoint(u) @ a_dot @ v
    s_dot = rb.xp(p).real(diagonal(p))
    if not compute_uv:
        return s_dot
    f, row, column = gaps(s, squares=True), s[..., None, :], s[..., :, None]
    turn_u, turn_v = f * (p * row + column * adjoint(p)), f * (column * p + adjoint(p) * row)
    if is_complex(p):
        turn_u, turn_v = _phases(u, v, p, s, turn_u, turn_v)
    u_dot = u @ turn_u + _outside(u, a_dot @ v, row)
    v_dot = v @ turn_v + _outside(v, adjoint(a_dot) @ u, row)
    return SVDResult(u_dot, s_dot, adjoint(v_dot))


def _outside(u: Any, moved: Any, s: Any) -> Any:
    """What turns the vectors out of the space they span: zero for a square matrix."""
    if u.shape[-1] == u.shape[-2]:
        return rb.xp(moved).zeros_like(moved)
    return (moved - u @ (adjoint(u) @ moved)) / rb.xp(s).where(s <= rounding(s), np.nan, s)


def _fixed(u: Any, v: Any) -> Any:
    """The vectors whose first entries are real; square, as those are which span everything."""
    return v if u.shape[-2] >= v.shape[-2] else u


def _over(x: Any, y: Any) -> Any:
    """x / y, zero where y is."""
    return x / rb.xp(y).where(y == 0, np.inf, y)


def _phases(u: Any, v: Any, p: Any, s: Any, turn_u: Any, turn_v: Any) -> tuple[Any, Any]:
    """The diagonals of U^H U_dot and V^H V_dot."""
    xp = rb.xp(p, u)
    extra = 1j * xp.imag(on_diagonal(p)) / s[..., :, None]
    tall = _fixed(u, v) is v
    turn_u, turn_v = (turn_u + extra, turn_v) if tall else (turn_u, turn_v - extra)
    fixed, turn = (v, turn_v) if tall else (u, turn_u)
    phi = to_diagonal(_over(-xp.imag(fixed[..., :1, :] @ turn), xp.real(fixed[..., :1, :]))[..., 0, :])
    return turn_u + 1j * phi, turn_v + 1j * phi


@rb.pullback(svd, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, full_matrices: bool, compute_uv: bool) -> Any:
    (a,) = primals
    bars = tuple(y_bar) if compute_uv else (None, y_bar, None)
    if all(bar is None for bar in bars):
        return (None,)
    u_bar, s_bar, vh_bar = bars
    full = _added(a, full_matrices)
    if full and not (u_bar is None and vh_bar is None):
        return (rb.NotImplementedTangent(_FULL),)
    u, s, vh = y if compute_uv and not full else svd(a, full_matrices=False)
    inner = 0.0 if s_bar is None else to_diagonal(s_bar)
    if u_bar is None and vh_bar is None:
        return (u @ inner @ vh,)
    xp = rb.xp(u, s)
    u_bar = xp.zeros_like(u) if u_bar is None else u_bar
    v_bar = adjoint(xp.zeros_like(vh) if vh_bar is None else vh_bar)
    turned, outside = _turned(u, s, adjoint(vh), u_bar, v_bar)
    return (u @ (inner + turned) @ vh + outside,)


def _turned(u: Any, s: Any, v: Any, u_bar: Any, v_bar: Any) -> tuple[Any, Any]:
    """What the cotangents of the vectors add to that of P, and to that of A outside their space."""
    xp = rb.xp(u, u_bar, v_bar)
    row, column = s[..., None, :], s[..., :, None]
    f = xp.where(unused(u_bar) & unused(v_bar), 0.0, gaps(s, squares=True))
    outside = _outside(u, u_bar, row) @ adjoint(v) + u @ adjoint(_outside(v, v_bar, row)) if u.shape[-2] != v.shape[-2] else 0.0
    u_bar, v_bar, phase = _phase_adjoint(u, v, s, u_bar, v_bar) if is_complex(u) else (u_bar, v_bar, 0.0)
    g, h = f * (adjoint(u) @ u_bar), f * (adjoint(v) @ v_bar)
    return (g + adjoint(g)) * row + column * (h + adjoint(h)) + phase, outside


def _phase_adjoint(u: Any, v: Any, s: Any, u_bar: Any, v_bar: Any) -> tuple[Any, Any, Any]:
    """The adjoint of `_phases`: other cotangents of the vectors, and what the diagonal of P gets."""
    xp = rb.xp(u, u_bar, v_bar)
    tall = _fixed(u, v) is v
    turned = xp.imag(xp.sum(xp.conj(u) * u_bar, axis=-2, keepdims=True) + xp.sum(xp.conj(v) * v_bar, axis=-2, keepdims=True))
    fixed = v if tall else u
    moved = row_zero(1j * _over(turned, xp.real(fixed[..., :1, :])) + xp.zeros_like(fixed))
    u_bar, v_bar = (u_bar, v_bar - moved) if tall else (u_bar - moved, v_bar)
    one, bar, sign = (u, u_bar, 1) if tall else (v, v_bar, -1)
    phase = sign * xp.imag(xp.sum(xp.conj(one) * bar, axis=-2)) / s
    return u_bar, v_bar, 1j * to_diagonal(phase)


@stands(np.linalg.svdvals)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.svdvals",
    cases=[_cases.values_of(example) for example in (_cases.spread_tall, _cases.spread_wide, _cases.spread_complex)],
    native={"torch": "linalg.svdvals"},
)
def svdvals(x: Any) -> Any:
    """The singular values, descending; derivation as for `svd`.

    Example:
        >>> svdvals(np.array([[3.0, 0.0], [0.0, 2.0]]))
        array([3., 2.])
    """
    return rb.xp(x).linalg.svd(x, full_matrices=False, compute_uv=False)


@rb.pushforward(svdvals)
def _(s: Any, primals: Any, tangents: Any) -> Any:
    u, _, vh = svd(primals[0], full_matrices=False)
    p = adjoint(u) @ tangents[0] @ adjoint(vh)
    return rb.xp(p).real(diagonal(p))


@rb.pullback(svdvals)
def _(s: Any, primals: Any, s_bar: Any) -> Any:
    u, _, vh = svd(primals[0], full_matrices=False)
    return ((u * s_bar[..., None, :]) @ vh,)
