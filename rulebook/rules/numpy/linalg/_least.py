"""Pseudoinverses, least squares and ranks."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import stands
from rulebook.rules.numpy.linalg._hermitian import diagonal, mirror, mirror_adjoint
from rulebook.rules.numpy.linalg._singular import svd, svdvals
from rulebook.rules.numpy.linalg._solving import column, vector

__all__ = [
    "lstsq",
    "matrix_rank",
    "pinv",
]


@stands(np.linalg.pinv)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.pinv",
    cases=[_cases.normal((4, 2)), _cases.normal((2, 3)), _cases.complex_normal((3, 2)), _cases.regular_stack],
    # not JAX's own, whose derivative is finite and wrong where rcond cuts off singular values that are not zero
)
def pinv(a: Any, *, rcond: float | None = None, hermitian: bool = False) -> Any:
    """The pseudoinverse of matrices; a derivative where the rank does not change.

    Args:
        a: array of shape (..., m, n).
        rcond: singular values below this times the largest count as zero.
        hermitian: the matrices are.

    Where a singular value is cut off that is not zero, the derivative is NaN.

    Derivation:
        Y_dot = -Y A_dot Y + Y Y^H A_dot^H (1 - A Y) + (1 - Y A) A_dot^H Y^H Y  (G. Golub and V. Pereyra, The differentiation of
        pseudo-inverses and nonlinear least squares problems whose variables separate, 1973, theorem 4.3), and the adjoint
        A_bar = -Y^H Y_bar Y^H + (1 - A Y) Y_bar^H Y Y^H + Y^H Y Y_bar^H (1 - Y A).

    Example:
        >>> pinv(np.array([[2.0], [0.0]]))
        array([[0.5, 0. ]])
    """
    return rb.xp(a).linalg.pinv(a, rcond, hermitian=hermitian)


def _defined(a: Any, y: Any, *moved: Any) -> Any:
    """1; NaN where singular values are cut off that are not zero: there A Y A is not A, and the formula does not hold.

    Where all of `moved` is zero, it does: what does not move has no derivative.
    """
    xp = rb.xp(a, y, *moved)

    def size(x: Any) -> Any:
        return xp.max(xp.abs(x), axis=(-2, -1), keepdims=True)

    if not all(a.shape[-2:]):
        return 1.0
    bound = 1e3 * max(a.shape[-2:]) * float(np.finfo(np.dtype(str(a.dtype).removeprefix("torch."))).eps)
    cut = size(a @ y @ a - a) > bound * size(a)
    moves = functools.reduce(operator.or_, (xp.any(x != 0, axis=(-2, -1), keepdims=True) for x in moved))
    return xp.where(cut & moves, float("nan"), 1.0)


def _read(x: Any, hermitian: bool) -> Any:
    return mirror(x, False) if hermitian else x


@rb.pushforward(pinv)
def _(y: Any, primals: Any, tangents: Any, *, rcond: float | None, hermitian: bool) -> Any:
    a, a_dot = _read(primals[0], hermitian), _read(tangents[0], hermitian)
    turned = adjoint(a_dot)
    left, right = y @ (adjoint(y) @ turned), turned @ adjoint(y) @ y
    return (-y @ a_dot @ y + (left - left @ a @ y) + (right - y @ (a @ right))) * _defined(a, y, a_dot)


@rb.pullback(pinv)
def _(y: Any, primals: Any, y_bar: Any, *, rcond: float | None, hermitian: bool) -> Any:
    a = _read(primals[0], hermitian)
    h, turned = adjoint(y), adjoint(y_bar)
    right, left = turned @ y @ h, h @ y @ turned
    a_bar = (-h @ y_bar @ h + (right - a @ (y @ right)) + (left - left @ y @ a)) * _defined(a, y, y_bar)
    return (mirror_adjoint(a_bar, False) if hermitian else a_bar,)


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
        rcond: singular values below this times the largest count as zero.  Where one is cut off that is not zero, the derivative by `a`
            of all but the singular values is NaN.

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
    x = column(y[0], b)
    return pinv(a, rcond=_cut(a, rcond)), x, column(b, b) - a @ x


def _values_dot(a: Any, a_dot: Any) -> Any:
    u, _, vh = svd(a, full_matrices=False)
    return rb.xp(u, a_dot).real(diagonal(adjoint(u) @ a_dot @ adjoint(vh)))


@rb.pushforward(lstsq)
def _(y: Any, primals: Any, tangents: Any, *, rcond: float | None) -> Any:
    (a, b), (a_dot, b_dot) = primals, tangents
    y_, x, r = _parts(y, a, b, rcond)
    xp = rb.xp(x, r, a_dot)
    s_dot = _values_dot(a, a_dot)
    a_dot = a_dot * _defined(a, y_, a_dot)
    moved = column(b_dot, b) - a_dot @ x
    turned = adjoint(a_dot)
    outside = turned @ (adjoint(y_) @ x)
    x_dot = y_ @ moved + y_ @ (adjoint(y_) @ (turned @ r)) + outside - y_ @ (a @ outside)
    residuals_dot = 2 * xp.sum(xp.real(xp.conj(r) * moved), axis=0)
    return vector(x_dot, b), residuals_dot if y[1].shape[0] else y[1], None, s_dot


@rb.pullback(lstsq)
def _(y: Any, primals: Any, y_bar: Any, *, rcond: float | None) -> Any:
    (a, b), (x_bar, residuals_bar, _, s_bar) = primals, y_bar
    y_, x, r = _parts(y, a, b, rcond)
    x_bar = column(x_bar, b)
    b_bar = adjoint(y_) @ x_bar
    a_bar = r @ adjoint(y_ @ b_bar) + adjoint(y_) @ x @ adjoint(x_bar - y_ @ (a @ x_bar))
    if y[1].shape[0]:
        b_bar = b_bar + 2 * r * residuals_bar
    u, _, vh = svd(a, full_matrices=False)
    a_bar = (a_bar - b_bar @ adjoint(x)) * _defined(a, y_, x_bar, b_bar)
    return a_bar + (u * s_bar) @ vh, vector(b_bar, b)


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
