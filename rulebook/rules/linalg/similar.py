"""Schur and Hessenberg forms: A = Q M Q^H, where the turn of Q solves a triangular equation."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, cotangents
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._reading import triangle
from rulebook.rules.linalg._stacks import batches, dtype_of, lead_of, like, scipy_linalg, spec, stacked
from rulebook.rules.numpy.linalg._hermitian import diagonal

__all__ = ["hessenberg", "schur"]


def _commutator(a: Any, b: Any) -> Any:
    return a @ b - b @ a


def _turn_spec(m: Any, x: Any, **_: Any) -> Any:
    return spec(lead_of(m, x), m.shape[-2:], dtype_of(m, x))


# -- Schur -----------------------------------------------------------------------------------------


def _one_schur_turn(t: Any, m: Any) -> Any:
    """Columns from the left, each from below."""
    n, w = len(t), np.zeros_like(m)
    for j in range(n):
        for i in range(n - 1, j, -1):
            rest = m[i, j] + t[i, i + 1 :] @ w[i + 1 :, j] - w[i, :j] @ t[:j, j]
            w[i, j] = -rest / _gap(t, i, j)
    return w


def _one_adjoint_turn(t: Any, m: Any) -> Any:
    """Rows from above, each from the right; with L = T^H."""
    n, w, low = len(t), np.zeros_like(m), t.conj().T
    for i in range(n):
        for j in range(i - 1, -1, -1):
            rest = m[i, j] + low[i, j + 1 : i] @ w[j + 1 : i, j] - w[i, j + 1 : i] @ low[j + 1 : i, j]
            w[i, j] = -rest / _gap(low, i, j)
    return w


def _gap(t: Any, i: int, j: int) -> Any:
    gap = t[i, i] - t[j, j]
    return gap if gap else np.nan


@rb.primitive(host=True, result=_turn_spec, cases=_cases.SCHUR_TURN)
def schur_turn(t: Any, m: Any, *, transposed: bool = False) -> Any:
    """The strictly lower triangular W for which T W - W T + M has zeros below its diagonal; T^H W - W T^H + M with `transposed`.

    Args:
        t: array of shape (..., n, n), of which the upper triangle is read; equal entries on its diagonal give NaN.
        m: array of shape (..., n, n).

    Derivation:
        The equation is linear in W and M, and its derivative has the same form,
        low(T W_dot - W_dot T) = -low(M_dot + T_dot W - W T_dot).  The adjoint is the equation with T^H: with Z of W_bar, M_bar = Z
        and T_bar = Z W^H - W^H Z, adjoint if T is.

    Example:
        >>> schur_turn(np.diag([1.0, 2.0]), np.ones((2, 2)))
        array([[ 0.,  0.],
               [-1.,  0.]])
    """
    t, m = like(t, m)
    return stacked(_one_adjoint_turn if transposed else _one_schur_turn, _turn_spec(t, m), t, m)


@rb.pushforward(schur_turn)
def _(w: Any, primals: Any, tangents: Any, *, transposed: bool) -> Any:
    t_dot = triangle(tangents[0], False)
    t_dot = adjoint(t_dot) if transposed else t_dot
    return schur_turn(primals[0], tangents[1] + _commutator(t_dot, w), transposed=transposed)


@rb.pullback(schur_turn)
def _(w: Any, primals: Any, w_bar: Any, *, transposed: bool) -> Any:
    z = schur_turn(primals[0], w_bar, transposed=not transposed)

    def t_bar() -> Any:
        bar = z @ adjoint(w) - adjoint(w) @ z
        return triangle(adjoint(bar) if transposed else bar, False)

    return cotangents(primals, t_bar, lambda: z)


batches(schur_turn)


@rb.primitive(
    host=True,
    result=lambda t: spec(t.shape[:-2], t.shape[-2:], dtype_of(t)),
    cases=_cases.TRIANGULAR,
    tangent_space=lambda argument, tangent: np.triu(tangent),
)
def triangular(t: Any) -> Any:
    """The upper triangle of T, if there is nothing below it.

    Raises:
        NotImplementedError: there is.

    Derivation:
        The derivative of what is kept.
    """
    if np.any(np.tril(t, -1)):
        raise NotImplementedError("schur: there is no rule for the real form of complex eigenvalues; pass output='complex'")
    return np.triu(t)


@rb.pushforward(triangular)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return triangle(tangents[0], False)


@rb.pullback(triangular)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (triangle(y_bar, False),)


batches(triangular)


def _schur_spec(a: Any, *, output: str, **_: Any) -> Any:
    dtype = np.result_type(dtype_of(a), np.complex64) if output in ("complex", "c") else dtype_of(a)
    one = spec(a.shape[:-2], a.shape[-2:], dtype)
    return one, one


@rb.primitive(host=True, result=_schur_spec, cases=_cases.SCHUR)
def schur(
    a: Any,
    *,
    output: str = "real",
    lwork: int | None = None,
    overwrite_a: bool = False,
    sort: Any = None,
    check_finite: bool = True,
) -> Any:
    """T and Z with A = Z T Z^H, Z unitary and T upper triangular.

    Args:
        a: array of shape (..., n, n), of eigenvalues that differ.  Those of a real matrix have to be real for output="real".
        output: "real" or "complex".
        lwork, overwrite_a: change nothing.
        sort: has no rule and raises, as the number of sorted eigenvalues would be a result.
        check_finite: whether NaN and infinity raise.

    Returns:
        (t, z).

    Derivation:
        With M = Z^H A_dot Z, Z_dot = Z (W - W^H) and T_dot = M + T (W - W^H) - (W - W^H) T, where the strictly lower triangular W makes it
        upper triangular: the equation of `schur_turn`, solved from its corner (the differentiated A Z = Z T; for the equation see
        J.-G. Sun, Perturbation bounds for the Schur decomposition, 1995).  The adjoint, with
        G = T^H T_bar - T_bar T^H + Z^H Z_bar and N = schur_turn(T, G - G^H, transposed), is A_bar = Z (T_bar + N) Z^H.

        The vectors of a complex form have phases that LAPACK leaves open: what depends on them has no derivative.  Forward mode
        gives NaN for them and for what is above the diagonal of T; reverse mode is right for what does not depend on them, and NaN
        otherwise.

    Example:
        >>> schur(np.array([[2.0, 1.0], [0.0, 1.0]]))[0]
        array([[2., 1.],
               [0., 1.]])
    """
    if sort is not None:
        raise NotImplementedError("schur: sort has no rule; leave it away")
    (a,) = like(a)
    kind = "complex" if output in ("complex", "c") else "real"
    return stacked(lambda m: scipy_linalg().schur(m, output=kind, check_finite=check_finite), _schur_spec(a, output=output), a)


def _complex(x: Any) -> bool:
    return "complex" in str(x.dtype)


@rb.pushforward(schur)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    t, z = triangular(y[0]), y[1]
    m = adjoint(z) @ tangents[0] @ z if not _complex(t) else adjoint(z) @ (tangents[0] + 0 * z) @ z
    w = schur_turn(t, m)
    turn = w - adjoint(w)
    t_dot, z_dot = triangle(m + _commutator(t, turn), False), z @ turn
    if _complex(t):
        above = np.where(np.triu(np.ones(t.shape[-2:]), 1) > 0, np.nan, 0.0)
        t_dot, z_dot = t_dot + above, z_dot + np.nan
    return t_dot, z_dot


@rb.pullback(schur)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    t, z = triangular(y[0]), y[1]
    t_bar, z_bar = triangle(y_bar[0], False), y_bar[1]
    g = adjoint(t) @ t_bar - t_bar @ adjoint(t) + adjoint(z) @ z_bar
    inner = t_bar + schur_turn(t, g - adjoint(g), transposed=True)
    if _complex(t):
        inner = inner + _phase_error(g, t, t_bar, z_bar)
    return (z @ inner @ adjoint(z),)


def _phase_error(g: Any, t: Any, t_bar: Any, z_bar: Any) -> Any:
    """NaN where the cotangents depend on the phases of the vectors, else zero."""
    xp = rb.xp(g, t)
    size = xp.sum(xp.abs(t) + 1, (-2, -1)) * xp.sum(xp.abs(t_bar) + xp.abs(z_bar), (-2, -1))
    eps = 1e-4 if "complex64" in str(t.dtype) else 1e-10
    wrong = xp.sum(xp.abs(xp.imag(diagonal(g))), -1) > eps * size
    return xp.where(wrong, np.nan, 0.0)[..., None, None]


batches(schur)


# -- Hessenberg ------------------------------------------------------------------------------------


def _turn_of(h: Any, m: Any) -> Any:
    """The anti-Hermitian W, zero in its first column, for which H W - W H + M is a Hessenberg matrix with a real subdiagonal."""
    n = len(h)
    w = np.zeros_like(m)
    for j in range(n - 1):
        rest = m[:, j] + h @ w[:, j] - w[:, : j + 1] @ h[: j + 1, j]
        if n > 2:
            below = rest[j + 2 :] / _regular(h[j + 1, j])
            w[j + 2 :, j + 1], w[j + 1, j + 2 :] = below, -below.conj()
            if w.dtype.kind == "c":
                w[j + 1, j + 1] = 1j * rest[j + 1].imag / _regular(h[j + 1, j])
    return w


def _regular(x: Any) -> Any:
    """An entry of the subdiagonal, real; NaN for zero."""
    return x.real if x else np.nan


def _turn_back(h: Any, w_bar: Any) -> Any:
    """The adjoint of `_turn_of` with respect to M: its steps backwards."""
    n = len(h)
    w_bar, m_bar = w_bar.copy(), np.zeros_like(w_bar)
    for j in range(n - 2, -1, -1) if n > 2 else ():
        rest = np.zeros_like(w_bar[:, 0])
        rest[j + 2 :] = (w_bar[j + 2 :, j + 1] - w_bar[j + 1, j + 2 :].conj()) / _regular(h[j + 1, j])
        if w_bar.dtype.kind == "c":
            rest[j + 1] = 1j * w_bar[j + 1, j + 1].imag / _regular(h[j + 1, j])
        m_bar[:, j] += rest
        w_bar[:, j] += h.conj().T @ rest
        w_bar[:, : j + 1] -= np.outer(rest, h[: j + 1, j].conj())
    return m_bar


def _read(h: Any) -> Any:
    """A Hessenberg matrix with a real subdiagonal; a projection."""
    xp = rb.xp(h)
    below = xp.tril(xp.triu(h, -1), -1)
    return xp.triu(h) + (below + xp.conj(below)) / 2


@rb.primitive(host=True, result=_turn_spec, cases=_cases.HESSENBERG_TURN)
def hessenberg_turn(h: Any, m: Any, *, transposed: bool = False) -> Any:
    """The anti-Hermitian W, zero in its first column, for which H W - W H + M is a Hessenberg matrix with a real subdiagonal; the
    adjoint of that map, applied to m, with `transposed`.

    Args:
        h: array of shape (..., n, n), of which a Hessenberg matrix with a real subdiagonal is read; a zero there gives NaN.
        m: array of shape (..., n, n).

    Derivation:
        The equation is linear in W and M: W_dot is the solution for M_dot + H_dot W - W H_dot.  With Z the adjoint applied to
        W_bar, M_bar = Z and H_bar = Z W^H - W^H Z.  The adjoint map Y(X) itself has Y_dot = the adjoint applied to
        X_dot + H_dot^H Y - Y H_dot^H, and with U the solution for Y_bar, X_bar = U and H_bar = Y U^H - U^H Y.

    Example:
        >>> hessenberg_turn(np.eye(3, k=-1), np.ones((3, 3)))[2, 1]
        np.float64(1.0)
    """
    h, m = like(h, m)
    return stacked(_turn_back if transposed else _turn_of, _turn_spec(h, m), _read(h), m)


@rb.pushforward(hessenberg_turn)
def _(w: Any, primals: Any, tangents: Any, *, transposed: bool) -> Any:
    h_dot = _read(tangents[0])
    h_dot = adjoint(h_dot) if transposed else h_dot
    return hessenberg_turn(primals[0], tangents[1] + _commutator(h_dot, w), transposed=transposed)


@rb.pullback(hessenberg_turn)
def _(w: Any, primals: Any, w_bar: Any, *, transposed: bool) -> Any:
    z = hessenberg_turn(primals[0], w_bar, transposed=not transposed)
    one, other = (w, z) if transposed else (z, w)
    return cotangents(primals, lambda: _read(one @ adjoint(other) - adjoint(other) @ one), lambda: z)


batches(hessenberg_turn)


def _hessenberg_spec(a: Any, *, calc_q: bool, **_: Any) -> Any:
    one = spec(a.shape[:-2], a.shape[-2:], dtype_of(a))
    return (one, one) if calc_q else one


@rb.primitive(host=True, result=_hessenberg_spec, cases=_cases.HESSENBERG)
def hessenberg(a: Any, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """H and Q with A = Q H Q^H, Q unitary and H zero below its first subdiagonal.

    Args:
        a: array of shape (..., n, n); where H has a zero on its subdiagonal the derivative is NaN.
        calc_q: whether Q is given.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        (h, q), or h.

    Derivation:
        The first column of Q is the first unit vector, and the others follow from it (the implicit Q theorem; G. Golub and
        C. Van Loan, Matrix Computations, section 7.4.5).  With M = Q^H A_dot Q, Q_dot = Q W and H_dot = M + H W - W H with the W of
        `hessenberg_turn`.  The adjoint, with G = H^H H_bar - H_bar H^H + Q^H Q_bar and Z the adjoint of that map applied to G:
        A_bar = Q (H_bar + Z) Q^H.

    Example:
        >>> hessenberg(np.array([[1.0, 2.0], [3.0, 4.0]]))
        array([[1., 2.],
               [3., 4.]])
    """
    (a,) = like(a)
    return stacked(lambda m: scipy_linalg().hessenberg(m, calc_q=calc_q, check_finite=check_finite), _hessenberg_spec(a, calc_q=calc_q), a)


@rb.primitive(host=True, result=lambda a: _hessenberg_spec(a, calc_q=False), cases=_cases.HESSENBERG_Q)
def hessenberg_q(a: Any) -> Any:
    """The unitary matrix of `hessenberg`.

    Derivation:
        That of `hessenberg`.
    """
    return hessenberg.fn(a, calc_q=True)[1]


@rb.pushforward(hessenberg_q)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return y @ hessenberg_turn(adjoint(y) @ primals[0] @ y, adjoint(y) @ tangents[0] @ y)


@rb.pullback(hessenberg_q)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    h = adjoint(y) @ primals[0] @ y
    return (y @ hessenberg_turn(h, adjoint(y) @ y_bar, transposed=True) @ adjoint(y),)


batches(hessenberg_q)


def _form(x: Any) -> Any:
    """The Hessenberg part."""
    return rb.xp(x).triu(x, -1)


@rb.pushforward(hessenberg)
def _(y: Any, primals: Any, tangents: Any, *, calc_q: bool, **_: Any) -> Any:
    h, q = y if calc_q else (y, hessenberg_q(primals[0]))
    m = adjoint(q) @ tangents[0] @ q
    w = hessenberg_turn(h, m)
    h_dot = _form(m + _commutator(h, w))
    return (h_dot, q @ w) if calc_q else h_dot


@rb.pullback(hessenberg)
def _(y: Any, primals: Any, y_bar: Any, *, calc_q: bool, **_: Any) -> Any:
    h, q = y if calc_q else (y, hessenberg_q(primals[0]))
    h_bar = _form(y_bar[0] if calc_q else y_bar)
    g = adjoint(h) @ h_bar - h_bar @ adjoint(h)
    if calc_q:
        g = g + adjoint(q) @ y_bar[1]
    return (q @ (h_bar + hessenberg_turn(h, g, transposed=True)) @ adjoint(q),)


batches(hessenberg)
