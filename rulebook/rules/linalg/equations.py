"""Matrix equations: SciPy's solvers for the Sylvester, Lyapunov and algebraic Riccati equations, with rules of every order.

The solutions come from SciPy; the rules are traceable and call the functions of this module again.  Names and arguments are
SciPy's; options are keyword-only.  The rules are those of T.-C. Kao and G. Hennequin, Automatic differentiation of Sylvester,
Lyapunov, and algebraic Riccati equations (2020), arXiv:2011.11430, for complex matrices, for stacks and for the generalised
Riccati equations as well.  X^H is the conjugate transpose; the pairing is <A, B> = Re tr(A^H B).

Matrices are arrays or tensors with two axes and any number of leading axes, which broadcast.  They are float32, float64,
complex64 or complex128, and the solution has the dtype that they promote to; integers have no derivative.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules import _equations, _examples
from rulebook.rules._matrices import adjoint, cotangents, hermitian, matrices, quotient, side_by_side, tangents_of

__all__ = [
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
    "solve_discrete_lyapunov",
    "solve_sylvester",
]


@rb.primitive(
    host=True,
    result=lambda a, b, q: _equations.result_of(2, a, b, q),
    cases=_examples.SYLVESTER,
)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """X with A X + X B = Q.

    Args:
        a: array of shape (..., m, m).
        b: array of shape (..., n, n).
        q: array of shape (..., m, n).

    Returns:
        An array of shape (..., m, n).

    Raises:
        numpy.linalg.LinAlgError: A and -B have an eigenvalue in common, to rounding.  (SciPy returns the solution of a
            neighbouring equation then.)
        ValueError: the shapes do not fit; NaN or infinity in a or b.  In q they pass through.

    Derivation:
        The differential of the equation (Kao and Hennequin 2020) is a Sylvester equation with the same matrices,

            A X_dot + X_dot B = Q_dot - A_dot X - X B_dot.

        The adjoint of X -> A X + X B is W -> A^H W + W B^H.  With A^H W + W B^H = X_bar,

            <X_bar, X_dot> = <W, Q_dot - A_dot X - X B_dot>,    Q_bar = W,    A_bar = -W X^H,    B_bar = -X^H W.

    Example:
        >>> solve_sylvester(np.array([[1.0, 0.0], [2.0, 3.0]]), np.array([[1.0]]), np.array([[2.0], [6.0]]))
        array([[1.],
               [1.]])
    """
    return _equations.sylvester(np.asarray(a), np.asarray(b), np.asarray(q))


@rb.pushforward(solve_sylvester)
def _(x: Any, primals: Any, tangents: Any) -> Any:
    a, b, _ = matrices(x, primals)
    a_dot, b_dot, q_dot = tangents_of(x, primals, tangents)
    return solve_sylvester(a, b, q_dot - a_dot @ x - x @ b_dot)


@rb.pullback(solve_sylvester)
def _(x: Any, primals: Any, x_bar: Any) -> Any:
    a, b, _ = matrices(x, primals)
    w = solve_sylvester(adjoint(a), adjoint(b), x_bar)
    return cotangents(primals, lambda: -w @ adjoint(x), lambda: -adjoint(x) @ w, lambda: w)


@rb.batch_rule(solve_sylvester)
def _(axis_size: int, in_batched: Any, a: Any, b: Any, q: Any) -> Any:
    return solve_sylvester(*side_by_side(in_batched, (a, b, q))), True


@rb.primitive(
    host=True,
    result=lambda a, q: _equations.result_of(1, a, q),
    cases=_examples.CONTINUOUS_LYAPUNOV,
)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """X with A X + X A^H = Q, for any square Q.

    Args:
        a: array of shape (..., n, n).
        q: array of shape (..., n, n); it need not be Hermitian.

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: an eigenvalue of A and the conjugate of one of -A are equal, to rounding.
        ValueError: the shapes do not fit; NaN or infinity in a.  In q they pass through.

    Derivation:
        The Sylvester equation with B = A^H (Kao and Hennequin 2020):

            A X_dot + X_dot A^H = Q_dot - A_dot X - X A_dot^H,
            A^H W + W A = X_bar,    Q_bar = W,    A_bar = -W X^H - W^H X,

        where <W, X A_dot^H> = <W^H X, A_dot> gives the last term.

    Example:
        >>> solve_continuous_lyapunov(np.array([[-1.0, 0.0], [0.0, -2.0]]), -4 * np.eye(2))
        array([[2., 0.],
               [0., 1.]])
    """
    return _equations.continuous_lyapunov(np.asarray(a), np.asarray(q))


@rb.pushforward(solve_continuous_lyapunov)
def _(x: Any, primals: Any, tangents: Any) -> Any:
    a, _ = matrices(x, primals)
    a_dot, q_dot = tangents_of(x, primals, tangents)
    return solve_continuous_lyapunov(a, q_dot - a_dot @ x - x @ adjoint(a_dot))


@rb.pullback(solve_continuous_lyapunov)
def _(x: Any, primals: Any, x_bar: Any) -> Any:
    a, _ = matrices(x, primals)
    w = solve_continuous_lyapunov(adjoint(a), x_bar)
    return cotangents(primals, lambda: -w @ adjoint(x) - adjoint(w) @ x, lambda: w)


@rb.batch_rule(solve_continuous_lyapunov)
def _(axis_size: int, in_batched: Any, a: Any, q: Any) -> Any:
    return solve_continuous_lyapunov(*side_by_side(in_batched, (a, q))), True


@rb.primitive(
    host=True,
    result=lambda a, q, *, method: _equations.result_of(1, a, q),
    cases=_examples.DISCRETE_LYAPUNOV,
)
def solve_discrete_lyapunov(a: Any, q: Any, *, method: str | None = None) -> Any:
    """X with A X A^H - X + Q = 0, for any square Q.

    Args:
        a: array of shape (..., n, n).
        q: array of shape (..., n, n); it need not be Hermitian.
        method: "direct" solves a linear system with n^2 unknowns, "bilinear" a continuous equation; by default the
            former below n = 10.

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: one eigenvalue of A times the conjugate of one is 1, to rounding.
        ValueError: the shapes do not fit, or there is no such method.

    Derivation:
        The differential (Kao and Hennequin 2020) and the adjoint of X -> X - A X A^H give

            X_dot - A X_dot A^H = Q_dot + A_dot X A^H + A X A_dot^H,
            W - A^H W A = X_bar,    Q_bar = W,    A_bar = W A X^H + W^H A X.

    Example:
        >>> solve_discrete_lyapunov(np.array([[0.5]]), np.array([[3.0]]))
        array([[4.]])
    """
    return _equations.discrete_lyapunov(np.asarray(a), np.asarray(q), method)


@rb.pushforward(solve_discrete_lyapunov)
def _(x: Any, primals: Any, tangents: Any, *, method: str | None) -> Any:
    a, _ = matrices(x, primals)
    a_dot, q_dot = tangents_of(x, primals, tangents)
    return solve_discrete_lyapunov(a, q_dot + a_dot @ x @ adjoint(a) + a @ x @ adjoint(a_dot), method=method)


@rb.pullback(solve_discrete_lyapunov)
def _(x: Any, primals: Any, x_bar: Any, *, method: str | None) -> Any:
    a, _ = matrices(x, primals)
    w = solve_discrete_lyapunov(adjoint(a), x_bar, method=method)
    return cotangents(primals, lambda: w @ a @ adjoint(x) + adjoint(w) @ a @ x, lambda: w)


@rb.batch_rule(solve_discrete_lyapunov)
def _(axis_size: int, in_batched: Any, a: Any, q: Any, *, method: str | None) -> Any:
    return solve_discrete_lyapunov(*side_by_side(in_batched, (a, q)), method=method), True


class _Loop(NamedTuple):
    """What the derivative of a Riccati equation is made of.

    Both equations, differentiated, are L(X_dot) + E^-H M E^-1 = 0 with the Lyapunov operator L of the closed loop and

        M = P + P^H + Q_dot + K^H R_dot K,    P = F^H (A_dot - B_dot K) - S_dot K + G^H E_dot.

    Attributes:
        gain: K.
        closed: (A - B K) E^-1.
        f, g: what A_dot and E_dot meet, by the equation.
        e: E, or None for the identity.
    """

    gain: Any
    closed: Any
    f: Any
    g: Any
    e: Any

    def load(self, tangents: list[Any]) -> Any:
        """E^-H M E^-1."""
        a_dot, b_dot, q_dot, r_dot, e_dot, s_dot = tangents
        k = self.gain
        p = adjoint(self.f) @ (a_dot - b_dot @ k)
        if s_dot is not None:
            p = p - s_dot @ k
        if e_dot is not None:
            p = p + adjoint(self.g) @ e_dot
        m = p + adjoint(p) + hermitian(q_dot) + adjoint(k) @ hermitian(r_dot) @ k
        return m if self.e is None else adjoint(quotient(adjoint(self.e), adjoint(quotient(adjoint(self.e), m))))

    def cotangents(self, primals: Any, w: Any) -> tuple[Any, ...]:
        """The cotangents of a, b, q, r, e and s, where `<x_bar, x_dot> = <w, E^-H M E^-1>`."""
        k = self.gain
        v = hermitian(w if self.e is None else adjoint(quotient(self.e, adjoint(quotient(self.e, w)))))
        return cotangents(
            primals,
            lambda: 2 * self.f @ v,
            lambda: -2 * self.f @ v @ adjoint(k),
            lambda: v,
            lambda: hermitian(k @ v @ adjoint(k)),
            lambda: 2 * self.g @ v,
            lambda: -2 * v @ adjoint(k),
        )


def _loop(x: Any, primals: Any, discrete: bool) -> _Loop:
    """The closed loop at a solution; r counts by its Hermitian part, as the solution does."""
    a, b, _, r, e, s = matrices(x, primals)
    r = hermitian(r)
    xe = x if e is None else x @ e
    if discrete:
        r, numerator = r + adjoint(b) @ x @ b, adjoint(b) @ x @ a
    else:
        numerator = adjoint(b) @ xe
    gain = quotient(r, numerator if s is None else numerator + adjoint(s))
    closed = a - b @ gain
    f, g = (x @ closed, -xe) if discrete else (xe, x @ closed)
    if e is not None:
        closed = adjoint(quotient(adjoint(e), adjoint(closed)))
    return _Loop(gain, closed, f, g, e)


def _hermitian_weights(argument: int, tangent: Any) -> Any:
    """The tangents for which SciPy's equations are defined: Hermitian in q and r."""
    if argument not in (2, 3) or np.ndim(tangent) < 2:
        return tangent
    return (tangent + np.conj(np.swapaxes(tangent, -1, -2))) / 2


@rb.primitive(
    host=True,
    result=lambda a, b, q, r, e, s, *, balanced: _equations.result_of(0, a, b, q, r, e, s),
    cases=_examples.CONTINUOUS_ARE,
    tangent_space=_hermitian_weights,
)
def solve_continuous_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, *, balanced: bool = True) -> Any:
    """The stabilising X with E^H X A + A^H X E - (E^H X B + S) R^-1 (B^H X E + S^H) + Q = 0.

    Without e and s, A^H X + X A - X B R^-1 B^H X + Q = 0.

    Args:
        a: array of shape (..., m, m).
        b: array of shape (..., m, n).
        q: array of shape (..., m, m), Hermitian.
        r: array of shape (..., n, n), Hermitian and regular; a number for n = 1.
        e: array of shape (..., m, m), regular, or None for the identity.
        s: array of shape (..., m, n), or None for zero.
        balanced: whether the data are balanced first; never with e, where SciPy's balancing gives wrong solutions.

    Returns:
        An array of shape (..., m, m), Hermitian.

    Raises:
        numpy.linalg.LinAlgError: there is no stabilising solution; in a rule, the closed loop has an eigenvalue on the
            imaginary axis.
        ValueError: the shapes do not fit, q or r is not Hermitian, r or e is singular, NaN or infinity.

    Derivation:
        With the gain K = R^-1 (B^H X E + S^H) and the closed loop A_c = A - B K the differential of the equation is

            E^H X_dot A_c + A_c^H X_dot E + M = 0,    M = P + P^H + Q_dot + K^H R_dot K,
            P = E^H X (A_dot - B_dot K) - S_dot K + A_c^H X E_dot,

        for e = 1 and s = 0 the Lyapunov equation of Kao and Hennequin (2020).  Multiplied by E^-H and E^-1 it is
        N^H X_dot + X_dot N = -E^-H M E^-1 with N = A_c E^-1.  The adjoint equation, for the Hermitian part of X_bar, is

            N W + W N^H = -X_bar,    V = E^-1 W E^-H,
            Q_bar = V,    R_bar = K V K^H,    A_bar = 2 X E V,    B_bar = -A_bar K^H,    E_bar = 2 X A_c V,    S_bar = -2 V K^H.

        The equation is defined for Hermitian Q and R.  The derivative along any other Q_dot or R_dot is that along its Hermitian
        part: the rules differentiate X(a, b, (q + q^H) / 2, (r + r^H) / 2, e, s), at every order.

    Example:
        >>> one = np.eye(1)
        >>> solve_continuous_are(one, one, 3 * one, one).round(12)
        array([[3.]])
    """
    return _equations.riccati("solve_continuous_are", a, b, q, r, e, s, balanced)


@rb.pushforward(solve_continuous_are)
def _(x: Any, primals: Any, tangents: Any, *, balanced: bool) -> Any:
    loop = _loop(x, primals, discrete=False)
    return hermitian(solve_continuous_lyapunov(adjoint(loop.closed), -loop.load(tangents_of(x, primals, tangents))))


@rb.pullback(solve_continuous_are)
def _(x: Any, primals: Any, x_bar: Any, *, balanced: bool) -> Any:
    loop = _loop(x, primals, discrete=False)
    return loop.cotangents(primals, solve_continuous_lyapunov(loop.closed, -hermitian(x_bar)))


@rb.primitive(
    host=True,
    result=lambda a, b, q, r, e, s, *, balanced: _equations.result_of(0, a, b, q, r, e, s),
    cases=_examples.DISCRETE_ARE,
    tangent_space=_hermitian_weights,
)
def solve_discrete_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, *, balanced: bool = True) -> Any:
    """The stabilising X with A^H X A - E^H X E - (A^H X B + S) (R + B^H X B)^-1 (B^H X A + S^H) + Q = 0.

    Without e and s, A^H X A - X - A^H X B (R + B^H X B)^-1 B^H X A + Q = 0.

    Args:
        a: array of shape (..., m, m).
        b: array of shape (..., m, n).
        q: array of shape (..., m, m), Hermitian.
        r: array of shape (..., n, n), Hermitian; a number for n = 1.
        e: array of shape (..., m, m), regular, or None for the identity.
        s: array of shape (..., m, n), or None for zero.
        balanced: whether the data are balanced first; never with e, where SciPy's balancing gives wrong solutions.

    Returns:
        An array of shape (..., m, m), Hermitian.

    Raises:
        numpy.linalg.LinAlgError: there is no stabilising solution; in a rule, the closed loop has an eigenvalue on the unit
            circle.
        ValueError: the shapes do not fit, q or r is not Hermitian, e is singular, NaN or infinity.

    Derivation:
        With K = (R + B^H X B)^-1 (B^H X A + S^H) and A_c = A - B K the differential of the equation is

            A_c^H X_dot A_c - E^H X_dot E + M = 0,    M = P + P^H + Q_dot + K^H R_dot K,
            P = A_c^H X (A_dot - B_dot K) - S_dot K - E^H X E_dot,

        for e = 1 and s = 0 the discrete Lyapunov equation of Kao and Hennequin (2020).  With N = A_c E^-1 it is
        N^H X_dot N - X_dot + E^-H M E^-1 = 0, and the adjoint equation, for the Hermitian part of X_bar,

            N W N^H - W + X_bar = 0,    V = E^-1 W E^-H,
            Q_bar = V,    R_bar = K V K^H,    A_bar = 2 X A_c V,    B_bar = -A_bar K^H,    E_bar = -2 X E V,    S_bar = -2 V K^H.

        Q and R count by their Hermitian parts, as in `solve_continuous_are`.

    Example:
        >>> one = np.eye(1)
        >>> solve_discrete_are(one, one, one, 2 * one).round(12)
        array([[2.]])
    """
    return _equations.riccati("solve_discrete_are", a, b, q, r, e, s, balanced)


@rb.pushforward(solve_discrete_are)
def _(x: Any, primals: Any, tangents: Any, *, balanced: bool) -> Any:
    loop = _loop(x, primals, discrete=True)
    return hermitian(solve_discrete_lyapunov(adjoint(loop.closed), loop.load(tangents_of(x, primals, tangents))))


@rb.pullback(solve_discrete_are)
def _(x: Any, primals: Any, x_bar: Any, *, balanced: bool) -> Any:
    loop = _loop(x, primals, discrete=True)
    return loop.cotangents(primals, solve_discrete_lyapunov(loop.closed, hermitian(x_bar)))
