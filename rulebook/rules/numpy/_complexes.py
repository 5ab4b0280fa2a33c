"""Functions of complex numbers that are not holomorphic, and linear ones over the real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._elementwise import ALL, Partial, make
from rulebook.rules.numpy._support import is_complex, stands

__all__ = [
    "abs",
    "absolute",
    "angle",
    "conj",
    "conjugate",
    "imag",
    "real",
]


def _split(function: Any, doc: str, push: Partial, pull: Partial, engines: Sequence[str] = ALL) -> Primitive:
    """A function with a real-linear derivative: push(xp, y, x, x_dot) and its adjoint pull(xp, y, x, y_bar)."""
    f = make(function, doc, (normal((3,)), complex_normal((2,))), engines, "x")
    rb.pushforward(f)(lambda y, primals, tangents: push(rb.xp(y, *primals, *tangents), y, primals[0], tangents[0]))
    rb.pullback(f)(lambda y, primals, y_bar: (pull(rb.xp(y, *primals, y_bar), y, primals[0], y_bar),))
    return stands(function)(f)


def _unit(xp: Any, y: Any, x: Any) -> Any:
    """x / |x|, 0 at 0."""
    return x / xp.where(y == 0, 1.0, y)


absolute = abs = _split(  # NumPy's name
    np.absolute,
    "The absolute value; its slope at 0 is 0.",
    lambda xp, y, x, x_dot: xp.real(xp.conj(_unit(xp, y, x)) * x_dot),
    lambda xp, y, x, y_bar: _unit(xp, y, x) * y_bar,
    ("torch", "autograd"),
)


conjugate = conj = _split(
    np.conjugate, "The complex conjugate.", lambda xp, y, x, x_dot: xp.conj(x_dot), lambda xp, y, x, y_bar: xp.conj(y_bar)
)


real = _split(np.real, "The real part.", lambda xp, y, x, x_dot: xp.real(x_dot), lambda xp, y, x, y_bar: y_bar + xp.zeros_like(x))


imag = _split(
    np.imag,
    "The imaginary part.",
    lambda xp, y, x, x_dot: xp.imag(x_dot),
    lambda xp, y, x, y_bar: 1j * y_bar if is_complex(x) else xp.zeros_like(x),
    ("jax", "torch"),
)


def _turn(xp: Any, x: Any) -> Any:
    """i x / |x|^2, 0 at 0: Re(conj(i x / |x|^2) x_dot) = Im(x_dot / x) is the derivative of the angle."""
    size = xp.real(x * xp.conj(x))
    return 1j * x / xp.where(size == 0, 1.0, size)


angle = _split(
    np.angle,
    "The angle of a complex number; of a real one it is constant.",
    lambda xp, y, x, x_dot: xp.real(xp.conj(_turn(xp, x)) * x_dot) if is_complex(x) else xp.zeros_like(x_dot),
    lambda xp, y, x, y_bar: _turn(xp, x) * y_bar if is_complex(x) else xp.zeros_like(x),
    ("jax",),
)
