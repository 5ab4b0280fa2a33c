"""Inverses, linear systems, determinants and least squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, quotient
from rulebook.rules.linalg import det as _det
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import is_complex, own, stands
from rulebook.rules.numpy.linalg._factors import svd, svdvals
from rulebook.rules.numpy.linalg._hermitian import diagonal

__all__ = ["SlogdetResult", "det", "inv", "lstsq", "matrix_rank", "pinv", "slogdet", "solve", "tensorinv", "tensorsolve"]


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


@rb.primitive(
    name="rulebook.rules.numpy.linalg.inv",
    cases=[_cases.regular, _cases.regular_stack, _cases.complex_regular],
    native=own("linalg.inv", "jax", "torch"),
)
def inv(a: Any) -> Any:
    """The inverse of square matrices.

    Derivation:
        Y A = 1 gives Y_dot = -Y A_dot Y and A_bar = -Y^H Y_bar Y^H (M. Giles 2008, section 2.2.3).

    Example:
        >>> inv(np.array([[2.0]]))
        array([[0.5]])
    """
    return rb.xp(a).linalg.inv(a)


@rb.pushforward(inv)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return -y @ tangents[0] @ y


@rb.pullback(inv)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (-adjoint(y) @ y_bar @ adjoint(y),)


@rb.primitive(
    name="rulebook.rules.numpy.linalg.solve",
    cases=[_cases.system, _cases.system_vector, _cases.system_stack, _cases.system_complex],
    native=own("linalg.solve", "jax", "torch"),
)
def solve(a: Any, b: Any) -> Any:
    """x with a x = b.

    Args:
        a: array of shape (..., n, n).
        b: array of shape (n,), or (..., n, k).

    Derivation:
        A X_dot = B_dot - A_dot X;  B_bar = A^-H X_bar, A_bar = -B_bar X^H (M. Giles 2008, section 2.3.1), summed over axes that
        were broadcast.

    Example:
        >>> solve(np.array([[2.0]]), np.array([4.0]))
        array([2.])
    """
    return rb.xp(a, b).linalg.solve(a, b)


def _column(x: Any, b: Any) -> Any:
    return x[..., None] if b.ndim == 1 else x


def _vector(x: Any, b: Any) -> Any:
    return x[..., 0] if b.ndim == 1 else x


@rb.pushforward(solve)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a, b), (a_dot, b_dot) = primals, tangents
    return _vector(quotient(a, _column(b_dot, b) - a_dot @ _column(y, b)), b)


@rb.pullback(solve)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    a, b = primals
    b_bar = quotient(adjoint(a), _column(y_bar, b))
    a_bar = rb.thunk(lambda: rb.project(a, -b_bar @ adjoint(_column(y, b))))
    return a_bar, rb.thunk(lambda: rb.project(b, _summed(b_bar, b)))


def _summed(b_bar: Any, b: Any) -> Any:
    """The cotangent of one vector that several matrices met."""
    return b_bar[..., 0] if b.ndim == 1 else b_bar


def det(a: Any) -> Any:
    """The determinant of square matrices; regular or not, it has derivatives.

    Example:
        >>> det(np.array([[2.0]]))
        np.float64(2.0)
    """
    return _det(a)


def _slogdet(a: Any) -> SlogdetResult:
    """An engine's own."""
    return SlogdetResult(*rb.xp(a).linalg.slogdet(a))


@rb.primitive(
    name="rulebook.rules.numpy.linalg.slogdet",
    cases=[_cases.regular, _cases.regular_stack, _cases.complex_regular],
    native={"jax": _slogdet, "torch": _slogdet, **dict.fromkeys(own("linalg.slogdet"), _slogdet)},
)
def slogdet(a: Any) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinant.

    Derivation:
        With t = tr(A^-1 A_dot), logabsdet_dot = Re t and sign_dot = i Im(t) sign (M. Giles 2008, section 2.2.4, for complex
        matrices as well): the derivative of log det A = logabsdet + log sign.  So A_bar = t_bar A^-H with
        t_bar = logabsdet_bar + i Im(conj(sign) sign_bar).

    Example:
        >>> slogdet(np.array([[1.0]])).logabsdet
        np.float64(0.0)
    """
    return _slogdet(a)


@rb.pushforward(slogdet)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    t = rb.xp(y[1], tangents[0]).sum(diagonal(quotient(primals[0], tangents[0])), axis=-1)
    xp = rb.xp(t, y[0])
    sign_dot = 1j * xp.imag(t) * y[0] if is_complex(y[0]) else xp.zeros_like(y[0])
    return SlogdetResult(sign_dot, xp.real(t))


@rb.pullback(slogdet)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    (a,), (sign_bar, t_bar) = primals, y_bar
    xp = rb.xp(a, t_bar)
    if is_complex(a):
        t_bar = t_bar + 1j * xp.imag(xp.conj(y[0]) * sign_bar)
    return (t_bar[..., None, None] * adjoint(inv(a)),)


@stands(np.linalg.pinv)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.pinv",
    cases=[_cases.normal((4, 2)), _cases.normal((2, 3)), _cases.complex_normal((3, 2)), _cases.regular_stack],
    native={"jax": lambda a, *, rcond, hermitian: rb.xp(a).linalg.pinv(a, rcond, hermitian=hermitian)},
)
def pinv(a: Any, *, rcond: float | None = None, hermitian: bool = False) -> Any:
    """The pseudoinverse of matrices; a derivative where the rank does not change.

    Args:
        a: array of shape (..., m, n).
        rcond: singular values below this times the largest count as zero.
        hermitian: the matrices are.

    Derivation:
        Y_dot = -Y A_dot Y + Y Y^H A_dot^H (1 - A Y) + (1 - Y A) A_dot^H Y^H Y  (G. Golub and V. Pereyra, The differentiation of
        pseudo-inverses and nonlinear least squares problems whose variables separate, 1973, theorem 4.3), and the adjoint
        A_bar = -Y^H Y_bar Y^H + (1 - A Y) Y_bar^H Y Y^H + Y^H Y Y_bar^H (1 - Y A).

    Example:
        >>> pinv(np.array([[2.0], [0.0]]))
        array([[0.5, 0. ]])
    """
    return rb.xp(a).linalg.pinv(a, rcond, hermitian=hermitian)


@rb.pushforward(pinv)
def _(y: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    (a,), (a_dot,) = primals, tangents
    turned = adjoint(a_dot)
    left, right = y @ (adjoint(y) @ turned), turned @ adjoint(y) @ y
    return -y @ a_dot @ y + (left - left @ a @ y) + (right - y @ (a @ right))


@rb.pullback(pinv)
def _(y: Any, primals: Any, y_bar: Any, **options: Any) -> Any:
    (a,) = primals
    h, turned = adjoint(y), adjoint(y_bar)
    right, left = turned @ y @ h, h @ y @ turned
    return (-h @ y_bar @ h + (right - a @ (y @ right)) + (left - left @ y @ a),)


@stands(np.linalg.lstsq)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.lstsq",
    cases=[_cases.normal((4, 2), (4,)), _cases.normal((4, 2), (4, 2)), _cases.normal((2, 3), (2, 2)), _cases.complex_normal((4, 2), (4,))],
)
def lstsq(a: Any, b: Any, *, rcond: float | None = None) -> Any:
    """The x of least length that makes |a x - b| least; the squares of what is left, the rank and the singular values of a.

    Args:
        a: array of shape (m, n).
        b: array of shape (m,) or (m, k).
        rcond: singular values below this times the largest count as zero.

    Returns:
        (x, residuals, rank, singular values), as `numpy.linalg.lstsq` gives them.

    Derivation:
        x = A^+ b; with r = b - A x and the derivative of A^+ (Golub and Pereyra 1973) x_dot = A^+ (b_dot - A_dot x)
        + A^+ A^+H A_dot^H r + (1 - A^+ A) A_dot^H A^+H x.  Since A^H r = 0, (r^H r)_dot = 2 Re r^H (b_dot - A_dot x).
        The adjoint: b_bar = A^+H x_bar, A_bar = -b_bar x^H + r (A^+ b_bar)^H + A^+H x ((1 - A^+ A) x_bar)^H, from the residuals
        b_bar += 2 r residuals_bar, A_bar -= 2 r residuals_bar x^H, and from the singular values as in `svd`.

    Example:
        >>> lstsq(np.array([[2.0], [0.0]]), np.array([4.0, 1.0]))[0]
        array([2.])
    """
    if type(a) is np.ndarray and type(b) is np.ndarray:
        return tuple(np.linalg.lstsq(a, b, rcond))
    return _composed(a, b, rcond)


def _composed(a: Any, b: Any, rcond: float | None) -> Any:
    """The same out of other functions: engines have it with other results, or none."""
    xp = rb.xp(a, b)
    x = pinv(a, rcond=_cut(a, rcond)) @ b
    s = svdvals(a)
    rank = xp.sum(s > _cut(a, rcond) * s[0], dtype=xp.int32)
    left = xp.abs(b - a @ x) ** 2
    full = a.shape[0] > a.shape[1]
    residuals = xp.sum(left, axis=0)[None] if b.ndim == 1 else xp.sum(left, axis=0)
    return x, residuals if full else xp.zeros_like(residuals)[:0], rank, s


def _cut(a: Any, rcond: float | None) -> float:
    single = any(name in str(a.dtype) for name in ("float32", "complex64"))
    return float(np.finfo(np.float32 if single else np.float64).eps) * max(a.shape) if rcond is None else rcond


def _parts(y: Any, a: Any, b: Any, rcond: float | None) -> tuple[Any, Any, Any]:
    """The pseudoinverse, x as columns and what is left of b."""
    x = _column(y[0], b)
    return pinv(a, rcond=_cut(a, rcond)), x, _column(b, b) - a @ x


@rb.pushforward(lstsq)
def _(y: Any, primals: Any, tangents: Any, *, rcond: float | None) -> Any:
    (a, b), (a_dot, b_dot) = primals, tangents
    y_, x, r = _parts(y, a, b, rcond)
    xp = rb.xp(x, r, a_dot)
    moved = _column(b_dot, b) - a_dot @ x
    turned = adjoint(a_dot)
    outside = turned @ (adjoint(y_) @ x)
    x_dot = y_ @ moved + y_ @ (adjoint(y_) @ (turned @ r)) + outside - y_ @ (a @ outside)
    residuals_dot = 2 * xp.sum(xp.real(xp.conj(r) * moved), axis=0)
    u, _, vh = svd(a, full_matrices=False)
    s_dot = xp.real(diagonal(adjoint(u) @ a_dot @ adjoint(vh)))
    return _vector(x_dot, b), residuals_dot if y[1].shape[0] else y[1], None, s_dot


@rb.pullback(lstsq)
def _(y: Any, primals: Any, y_bar: Any, *, rcond: float | None) -> Any:
    (a, b), (x_bar, residuals_bar, _, s_bar) = primals, y_bar
    y_, x, r = _parts(y, a, b, rcond)
    x_bar = _column(x_bar, b)
    b_bar = adjoint(y_) @ x_bar
    a_bar = r @ adjoint(y_ @ b_bar) + adjoint(y_) @ x @ adjoint(x_bar - y_ @ (a @ x_bar))
    if y[1].shape[0]:
        b_bar = b_bar + 2 * r * residuals_bar
    u, _, vh = svd(a, full_matrices=False)
    return a_bar - b_bar @ adjoint(x) + (u * s_bar) @ vh, _vector(b_bar, b)


@stands(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """How many singular values are not zero to rounding, an integer: it has no derivative.

    Example:
        >>> matrix_rank(np.eye(2))
        np.int64(2)
    """
    s = svdvals(rb.stop_gradient(A))
    xp = rb.xp(s)
    if tol is None:
        tol = xp.max(s, axis=-1, keepdims=True) * (_cut(A, None) if rtol is None else rtol)
    return xp.sum(s > tol, axis=-1)


@stands(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of what `tensordot(a, x, ind)` does: the inverse of a matrix in other shapes.

    Example:
        >>> tensorinv(2 * np.eye(4).reshape(4, 2, 2), ind=1).shape
        (2, 2, 4)
    """
    xp, shape = rb.xp(a), tuple(a.shape)
    n = int(np.prod(shape[ind:]))
    return xp.reshape(inv(xp.reshape(a, (n, -1))), (*shape[ind:], *shape[:ind]))


@stands(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b: a linear system in other shapes.

    Example:
        >>> tensorsolve(2 * np.eye(4).reshape(4, 2, 2), np.ones(4)).shape
        (2, 2)
    """
    xp = rb.xp(a, b)
    if axes is not None:
        moved = tuple(axes)
        a = xp.transpose(a, [k for k in range(a.ndim) if k not in moved] + list(moved))
    shape = tuple(a.shape)[b.ndim :]
    n = int(np.prod(shape))
    return xp.reshape(solve(xp.reshape(a, (-1, n)), xp.reshape(b, (-1,))), shape)
