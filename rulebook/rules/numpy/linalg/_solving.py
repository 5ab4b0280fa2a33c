"""Inverses, linear systems, determinants and least squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, quotient
from rulebook.rules.linalg.solving import det as _det
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import is_complex, own, stands
from rulebook.rules.numpy.linalg._hermitian import diagonal

__all__ = [
    "SlogdetResult",
    "_",
    "column",
    "det",
    "inv",
    "slogdet",
    "solve",
    "tensorinv",
    "tensorsolve",
    "vector",
]


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


def column(x: Any, b: Any) -> Any:
    return x[..., None] if b.ndim == 1 else x


def vector(x: Any, b: Any) -> Any:
    return x[..., 0] if b.ndim == 1 else x


@rb.pushforward(solve)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a, b), (a_dot, b_dot) = primals, tangents
    return vector(quotient(a, column(b_dot, b) - a_dot @ column(y, b)), b)


@rb.pullback(solve)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    a, b = primals
    b_bar = quotient(adjoint(a), column(y_bar, b))
    a_bar = rb.thunk(lambda: rb.project(a, -b_bar @ adjoint(column(y, b))))
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
