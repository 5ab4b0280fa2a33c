"""Functions of matrices: `scipy.linalg.expm` and others, with rules of every order.

For a function f of matrices, f([[A, E], [0, A]]) = [[f(A), L(A, E)], [0, f(A)]], where L is its derivative along E (N. Higham,
Functions of Matrices: Theory and Computation, 2008, theorem 3.6).  It holds for defective matrices as well.  The function itself
is called for it, so that each order follows from the one before, with matrices twice as large.  The adjoint of E -> L(A, E) is
Y -> conj(L(A^T, conj(Y))), also where f has a branch cut on the real axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _stacked
from rulebook.rules._matrices import adjoint, cotangents
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._reading import transpose
from rulebook.rules.linalg._stacks import batches, dtype_of, lead_of, like, scipy_linalg, spec, stacked
from rulebook.rules.linalg.equations import solve_sylvester

__all__ = [
    "coshm",
    "cosm",
    "expm",
    "expm_frechet",
    "fractional_matrix_power",
    "logm",
    "signm",
    "sinhm",
    "sinm",
    "sqrtm",
    "tanhm",
    "tanm",
]


_ON_THE_AXIS = 1e-6  # the imaginary part of an eigenvalue that counts as real, relative to the largest
_LARGE = 64  # rows from which expm_frechet is quicker than a matrix twice as large


def _same(a: Any, **_: Any) -> Any:
    return spec(a.shape[:-2], a.shape[-2:], dtype_of(a))


def _apply(name: str, a: Any) -> Any:
    """SciPy's function of each matrix; complex where the value is."""
    (a,) = like(a)
    wide = a.astype(np.result_type(a.dtype, float), copy=False)  # SciPy warns of the rounding of single precision
    run = lambda m: _kept(_real_if_it_is(getattr(scipy_linalg(), name)(m), m), a)
    return stacked(run, _same(a), wide) if a.size else a.copy()


def _kept(found: Any, m: Any) -> Any:
    """In the precision of the argument."""
    kind = np.result_type(m.dtype, np.complex64) if np.iscomplexobj(found) else m.dtype
    return np.asarray(found).astype(kind, copy=False)


def _real_if_it_is(found: Any, m: Any) -> Any:
    """A function with its cut along the negative numbers; SciPy leaves imaginary rounding in that of a real matrix at times."""
    if np.iscomplexobj(m) or not np.iscomplexobj(found):
        return found
    w = np.linalg.eigvals(m)
    on_the_cut = (w.real < 0) & (np.abs(w.imag) <= _ON_THE_AXIS * np.abs(w).max())
    return found if on_the_cut.any() else found.real


def upper_right(f: Callable[..., Any], a: Any, e: Any, *rest: Any) -> Any:
    """The upper right block of f([[A, E], [0, A]])."""
    xp, n = rb.xp(a, e), a.shape[-1]
    a, e = a + xp.zeros_like(e), e + xp.zeros_like(a)
    above, below = xp.concatenate([a, e], axis=-1), xp.concatenate([xp.zeros_like(a), a], axis=-1)
    return f(xp.concatenate([above, below], axis=-2), *rest)[..., :n, n:]


def _adjoint_of(f: Callable[..., Any], a: Any, y_bar: Any, *rest: Any) -> Any:
    """The adjoint of E -> L(A, E), applied to y_bar."""
    xp = rb.xp(a, y_bar)
    return xp.conj(upper_right(f, transpose(a), xp.conj(y_bar), *rest))


def _by_blocks(f: rb.Primitive) -> None:
    """The rules of a function of one matrix."""

    def push(y: Any, primals: Any, tangents: Any) -> Any:
        return upper_right(f, primals[0], tangents[0])

    def pull(y: Any, primals: Any, y_bar: Any) -> Any:
        return (_adjoint_of(f, primals[0], y_bar),)

    rb.pushforward(f)(push)
    rb.pullback(f)(pull)
    batches(f)
    _stacked.stacked(f, push)


def _expm(a: Any) -> Any:
    return rb.xp(a).linalg.expm(a)


# JAX's own is not used: it gives NaN for large matrices, and takes ten seconds to compile.
@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION, native={"torch": _expm})
def expm(A: Any) -> Any:
    """The exponential of a matrix.

    Args:
        A: array of shape (..., n, n).

    Returns:
        An array of shape (..., n, n).

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with expm itself; for large matrices `expm_frechet`, which takes 0.4 of the time
        (200 rows; the block takes 0.3 of it for 20 rows).

    Example:
        >>> expm(np.zeros((2, 2)))
        array([[1., 0.],
               [0., 1.]])
    """
    (a,) = like(A)
    return scipy_linalg().expm(a).astype(a.dtype, copy=False) if a.size else a.copy()


def _expm_along(a: Any, e: Any) -> Any:
    """The derivative of the exponential along E."""
    return upper_right(expm, a, e) if a.shape[-1] < _LARGE else _along(a, e)


@rb.pushforward(expm)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return _expm_along(primals[0], tangents[0])


@rb.pullback(expm)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (_expm_along(adjoint(primals[0]), y_bar),)


batches(expm)
_stacked.stacked(expm, lambda y, primals, tangents: _expm_along(primals[0], tangents[0]))


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION_OF_RIGHT_HALF)
def logm(A: Any) -> Any:
    """The principal logarithm of a matrix; complex for a real matrix that has no real one.

    Args:
        A: array of shape (..., n, n), regular.

    Returns:
        An array of shape (..., n, n).

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with logm itself.

    Example:
        >>> logm(np.eye(2))
        array([[0., 0.],
               [0., 0.]])
    """
    return _apply("logm", A)


_by_blocks(logm)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION_OF_RIGHT_HALF)
def sqrtm(A: Any) -> Any:
    """The principal square root of a matrix; complex for a real matrix that has no real one.

    Args:
        A: array of shape (..., n, n).

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: in a rule, two eigenvalues of the root add up to zero, as those of a singular matrix.

    Derivation:
        X X = A gives the Sylvester equation X X_dot + X_dot X = A_dot, and the adjoint one X^H A_bar + A_bar X^H = X_bar
        (Higham 2008, section 6.1).

    Example:
        >>> sqrtm(np.array([[4.0, 0.0], [0.0, 9.0]]))
        array([[2., 0.],
               [0., 3.]])
    """
    return _apply("sqrtm", A)


@rb.pushforward(sqrtm)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return solve_sylvester(y, y, tangents[0])


@rb.pullback(sqrtm)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (solve_sylvester(adjoint(y), adjoint(y), y_bar),)


batches(sqrtm)
_stacked.stacked(sqrtm, lambda y, primals, tangents: solve_sylvester(y, y, tangents[0]))


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION_SIGN)
def signm(A: Any) -> Any:
    """The sign of a matrix: that of the real parts of the eigenvalues, on its eigenvectors.

    Args:
        A: array of shape (..., n, n), no eigenvalue of which is imaginary.

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: in a rule, an eigenvalue is imaginary.

    Derivation:
        With N = A S = (A^2)^(1/2) the derivative solves N S_dot + S_dot N = A_dot - S A_dot S (Higham 2008, theorem 5.3), and so the
        adjoint is A_bar = W - S^H W S^H with N^H W + W N^H = S_bar.

    Example:
        >>> signm(np.diag([2.0, -3.0]))
        array([[ 1.,  0.],
               [ 0., -1.]])
    """
    return _apply("signm", A)


@rb.pushforward(signm)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a,), (a_dot,) = primals, tangents
    n = a @ y
    return solve_sylvester(n, n, a_dot - y @ a_dot @ y)


@rb.pullback(signm)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    n = adjoint(primals[0] @ y)
    w = solve_sylvester(n, n, y_bar)
    return (w - adjoint(y) @ w @ adjoint(y),)


batches(signm)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION)
def sinm(A: Any) -> Any:
    """The sine of a matrix.

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with sinm itself.

    Example:
        >>> sinm(np.zeros((1, 1)))
        array([[0.]])
    """
    return _apply("sinm", A)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION)
def cosm(A: Any) -> Any:
    """The cosine of a matrix.

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with cosm itself.

    Example:
        >>> cosm(np.zeros((1, 1)))
        array([[1.]])
    """
    return _apply("cosm", A)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION)
def tanm(A: Any) -> Any:
    """The tangent of a matrix.

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with tanm itself.

    Example:
        >>> tanm(np.zeros((1, 1)))
        array([[0.]])
    """
    return _apply("tanm", A)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION)
def sinhm(A: Any) -> Any:
    """The hyperbolic sine of a matrix.

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with sinhm itself.

    Example:
        >>> sinhm(np.zeros((1, 1)))
        array([[0.]])
    """
    return _apply("sinhm", A)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION)
def coshm(A: Any) -> Any:
    """The hyperbolic cosine of a matrix.

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with coshm itself.

    Example:
        >>> coshm(np.zeros((1, 1)))
        array([[1.]])
    """
    return _apply("coshm", A)


@rb.primitive(host=True, result=_same, cases=_cases.FUNCTION)
def tanhm(A: Any) -> Any:
    """The hyperbolic tangent of a matrix.

    Derivation:
        The block formula (Higham 2008, theorem 3.6) with tanhm itself.

    Example:
        >>> tanhm(np.zeros((1, 1)))
        array([[0.]])
    """
    return _apply("tanhm", A)


_by_blocks(sinm)
_by_blocks(cosm)
_by_blocks(tanm)
_by_blocks(sinhm)
_by_blocks(coshm)
_by_blocks(tanhm)


@rb.primitive(host=True, result=lambda a, t: _same(a), cases=_cases.FRACTIONAL_POWER)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """A to the power t; complex for a real matrix that has no real one.

    Args:
        A: array of shape (..., n, n), regular unless t is a positive integer.
        t: a number.

    Returns:
        An array of shape (..., n, n).

    Derivation:
        With respect to A the block formula (Higham 2008, theorem 3.6) with the function itself; with respect to t,
        A^t = exp(t log A) gives log(A) A^t.

    Example:
        >>> fractional_matrix_power(np.diag([4.0, 9.0]), 0.5)
        array([[2., 0.],
               [0., 3.]])
    """
    (a,) = like(A)
    run = lambda m, p: _kept(_real_if_it_is(scipy_linalg().fractional_matrix_power(m, p.item()), m), m)
    t = np.asarray(t)
    return stacked(run, spec(lead_of(a, t[..., None, None]), a.shape[-2:], a.dtype), a, t, core=(2, 0)) if a.size else a.copy()


def _rate(y: Any, a: Any) -> Any:
    return logm(a) @ y


@rb.pushforward(fractional_matrix_power, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a, t), (a_dot, t_dot) = primals, tangents
    terms = []
    if a_dot is not None:
        terms.append(upper_right(fractional_matrix_power, a, a_dot, t))
    if t_dot is not None:
        terms.append(t_dot[..., None, None] * _rate(y, a))
    return sum(terms) if terms else None


@rb.pullback(fractional_matrix_power)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    a, t = primals
    xp = rb.xp(y_bar, a)

    def t_bar() -> Any:
        return rb.project(t, xp.real(xp.sum(xp.conj(_rate(y, a)) * y_bar, (-2, -1))))

    return _adjoint_of(fractional_matrix_power, a, y_bar, t), rb.thunk(t_bar)


batches(fractional_matrix_power, 2, 0)


def _frechet_spec(a: Any, e: Any, *, compute_expm: bool, **_: Any) -> Any:
    out = spec(lead_of(a, e), a.shape[-2:], dtype_of(a, e))
    return (out, out) if compute_expm else out


@rb.primitive(host=True, result=_frechet_spec, cases=_cases.FRECHET)
def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True, check_finite: bool = True) -> Any:
    """The exponential of a matrix and its derivative along another.

    Args:
        A: array of shape (..., n, n).
        E: array of shape (..., n, n), the direction.
        method: "SPS" or "blockEnlarge".
        compute_expm: whether the exponential is given as well.
        check_finite: whether NaN and infinity raise.

    Returns:
        (expm(a), the derivative), or the derivative alone.

    Derivation:
        L(A, E) is linear in E.  Its derivative along A_dot is the second derivative of the exponential, symmetric in E and A_dot: the
        upper right block of L([[A, E], [0, A]], diag(A_dot, A_dot)) (Higham and Relton, Higher order Frechet derivatives of matrix
        functions, 2014).  The adjoints are the same at A^H, with E^H where E is not what is pulled back.

    Example:
        >>> expm_frechet(np.zeros((1, 1)), np.ones((1, 1)))
        (array([[1.]]), array([[1.]]))
    """
    a, e = like(A, E)
    out = _frechet_spec(a, e, compute_expm=True)
    run = lambda p, q: scipy_linalg().expm_frechet(p, q, method=method, check_finite=check_finite)
    both = stacked(run, out, a, e) if a.size and e.size else tuple(np.zeros(o.shape, o.dtype) for o in out)
    return both if compute_expm else both[1]


def _along(a: Any, e: Any) -> Any:
    return expm_frechet(a, e, compute_expm=False, check_finite=False)


def _second(a: Any, e: Any, f: Any) -> Any:
    """The second derivative of the exponential along E and F."""
    xp = rb.xp(a, e, f)
    f = f + xp.zeros_like(e) + xp.zeros_like(a)
    zero = xp.zeros_like(f)
    twice = xp.concatenate([xp.concatenate([f, zero], axis=-1), xp.concatenate([zero, f], axis=-1)], axis=-2)
    return upper_right(lambda whole: _along(whole, twice), a + zero, e + zero)


@rb.pushforward(expm_frechet, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, compute_expm: bool, **_: Any) -> Any:
    (a, e), (a_dot, e_dot) = primals, tangents
    terms = [] if a_dot is None else [_second(a, e, a_dot)]
    if e_dot is not None:
        terms.append(_along(a, e_dot))
    moved = sum(terms) if terms else None
    return (None if a_dot is None else _along(a, a_dot), moved) if compute_expm else moved


@rb.pullback(expm_frechet)
def _(y: Any, primals: Any, y_bar: Any, *, compute_expm: bool, **_: Any) -> Any:
    a, e = primals
    value_bar, moved_bar = y_bar if compute_expm else (None, y_bar)
    ah, eh = adjoint(a), adjoint(e)

    def a_bar() -> Any:
        found = _second(ah, eh, moved_bar)
        return found if value_bar is None else found + _along(ah, value_bar)

    return cotangents(primals, a_bar, lambda: _along(ah, moved_bar))


batches(expm_frechet)
