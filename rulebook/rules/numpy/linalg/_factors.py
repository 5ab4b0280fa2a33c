"""Cholesky, QR and singular value decompositions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, quotient
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import is_complex, own, stands
from rulebook.rules.numpy.linalg._hermitian import half_lower, mirror, mirror_adjoint, on_diagonal

__all__ = [
    "QRResult",
    "_",
    "cholesky",
    "qr",
]


class QRResult(NamedTuple):
    """Q and R."""

    Q: Any
    R: Any


def _cholesky(a: Any, *, upper: bool) -> Any:
    """An engine's own, for the triangle that NumPy reads."""
    return rb.xp(a).linalg.cholesky(mirror(a, upper), upper=upper)


@stands(np.linalg.cholesky)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.cholesky",
    cases=[_cases.definite, _cases.definite_stack, _cases.complex_definite, _cases.definite_upper],
    native={**own("linalg.cholesky"), "jax": _cholesky, "torch": _cholesky},
)
def cholesky(a: Any, *, upper: bool = False) -> Any:
    """L with A = L L^H, lower triangular with a positive diagonal; L^H for upper=True.

    Args:
        a: array of shape (..., n, n), of which one triangle is read and the real part of the diagonal.
        upper: read the upper triangle and give the upper factor.

    Derivation:
        L_dot = L phi(L^-1 A_dot L^-H), where phi is the lower triangle with half the diagonal (I. Murray, Differentiation of the
        Cholesky decomposition, 2016).  The adjoint is A_bar = L^-H phi(L^H L_bar) L^-1, of which the triangle that is read takes
        what its mirror image takes.

    Example:
        >>> cholesky(np.array([[4.0, 0.0], [2.0, 5.0]]))
        array([[2., 0.],
               [1., 2.]])
    """
    return np.linalg.cholesky(a, upper=upper)


@rb.pushforward(cholesky)
def _(y: Any, primals: Any, tangents: Any, *, upper: bool) -> Any:
    low = adjoint(y) if upper else y
    half = quotient(low, mirror(tangents[0], upper))
    low_dot = low @ half_lower(adjoint(quotient(low, adjoint(half))))
    return adjoint(low_dot) if upper else low_dot


@rb.pullback(cholesky)
def _(y: Any, primals: Any, y_bar: Any, *, upper: bool) -> Any:
    low, low_bar = (adjoint(y), adjoint(y_bar)) if upper else (y, y_bar)
    inner = half_lower(adjoint(low) @ low_bar)
    back = quotient(adjoint(low), adjoint(quotient(adjoint(low), adjoint(inner))))
    return (mirror_adjoint(back, upper),)


@stands(np.linalg.qr)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.qr",
    cases=[_cases.tall, _cases.wide, _cases.complex_tall, _cases.tall_stack, _cases.triangle],
)
def qr(a: Any, *, mode: str = "reduced") -> Any:
    """Q and R with A = Q R, the columns of Q orthonormal and R upper triangular; R alone for mode="r".

    Args:
        a: array of shape (..., m, n); its first min(m, n) columns are linearly independent where it is differentiated.
        mode: "reduced", "complete" or "r".

    Derivation:
        For m >= n, with B = A_dot R^-1, S = Q^H B and T = L - L^H + i Im diag(S), L the strict lower triangle of S:
        Q_dot = B + Q (T - S), R_dot = (S - T) R; R keeps a real diagonal, as LAPACK has it.  The adjoint, with
        N = R_bar R^H - Q^H Q_bar, is A_bar = (Q_bar + Q M) R^-H, M = triu(N, 1) + Re diag(N) + tril(N^H, -1)  (S. Walter and
        L. Lehmann, Algorithmic differentiation of linear algebra functions, 2010; complex: X. Wan and S. Zhang, 2019).
        For m < n the first m columns X = Q R_1 are decomposed so, and R_2 = Q^H Y follows.  The columns that mode="complete"
        adds have no derivative: any rotation of them would do.

    Example:
        >>> abs(qr(np.array([[3.0], [4.0]])).R)
        array([[5.]])
    """
    _refuse_raw(mode)
    found = rb.xp(a).linalg.qr(a, mode)
    return found if mode == "r" else QRResult(*found)


def _refuse_raw(mode: str) -> None:
    if mode not in ("reduced", "complete", "r"):
        raise NotImplementedError(f"linalg.qr, mode={mode!r}: Householder vectors have no rule here; use 'reduced', 'complete' or 'r'")


def _thin(y: Any, a: Any, mode: str) -> Any:
    """Q and R in the reduced form."""
    if mode == "reduced":
        return y
    if mode == "complete":
        k = min(a.shape[-2:])
        return y[0][..., :, :k], y[1][..., :k, :]
    return qr(a)


_COMPLETE = "linalg.qr with mode='complete' adds columns to Q that are determined up to a rotation: use mode='reduced'"


@rb.pushforward(qr)
def _(y: Any, primals: Any, tangents: Any, *, mode: str) -> Any:
    (a,), (a_dot,) = primals, tangents
    if _completed(a, mode):
        return rb.NotImplementedTangent(_COMPLETE)
    q, r = qr(a) if mode == "r" else y
    k = r.shape[-2]
    b = adjoint(quotient(adjoint(r[..., :, :k]), adjoint(a_dot[..., :, :k])))
    s = adjoint(q) @ b
    turn = _turn(s)
    q_dot = b + q @ (turn - s)
    r_dot = (s - turn) @ r[..., :, :k]
    if r.shape[-1] > k:
        right = adjoint(q_dot) @ a[..., :, k:] + adjoint(q) @ a_dot[..., :, k:]
        r_dot = rb.xp(r_dot).concatenate([r_dot, right], axis=-1)
    return r_dot if mode == "r" else QRResult(q_dot, r_dot)


def _completed(a: Any, mode: str) -> bool:
    return mode == "complete" and a.shape[-2] > a.shape[-1]


def _turn(s: Any) -> Any:
    """Q^H Q_dot: anti-Hermitian, with the lower triangle of s."""
    low = rb.xp(s).tril(s, -1)
    turn = low - adjoint(low)
    return turn + 1j * rb.xp(s).imag(on_diagonal(s)) if is_complex(s) else turn


@rb.pullback(qr)
def _(y: Any, primals: Any, y_bar: Any, *, mode: str) -> Any:
    (a,) = primals
    if _completed(a, mode):
        return (rb.NotImplementedTangent(_COMPLETE),)
    q, r = qr(a) if mode == "r" else y
    k = r.shape[-2]
    xp = rb.xp(q, r)
    q_bar, r_bar = (xp.zeros_like(q), y_bar) if mode == "r" else y_bar
    right = []
    if r.shape[-1] > k:
        q_bar = q_bar + a[..., :, k:] @ adjoint(r_bar[..., :, k:])
        right = [q @ r_bar[..., :, k:]]
    first = r[..., :, :k]
    n = r_bar[..., :, :k] @ adjoint(first) - adjoint(q) @ q_bar
    m = xp.triu(n, 1) + xp.real(on_diagonal(n)) + xp.tril(adjoint(n), -1)
    a_bar = adjoint(quotient(first, adjoint(q_bar + q @ m)))
    return (xp.concatenate([a_bar, *right], axis=-1) if right else a_bar,)
