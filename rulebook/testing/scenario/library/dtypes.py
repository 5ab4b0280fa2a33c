"""Single precision, complex numbers, and arguments without a derivative."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Array, Formula, Problem, draw, made
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_SINGLE = draw((3,), 12, np.float32), draw((3,), 13, np.float32)
_COMPLEX = draw((2,), 14, complex), draw((2,), 15, complex)
_REAL = draw((2,), 16), draw((2,), 17)
_MATRIX = draw((2, 2), 18, complex)


def _cubes(x: Any) -> Any:
    return rb.xp(x).sum(x**3)


def _sines(x: Any) -> Any:
    return rb.xp(x).sin(x)


def _diagonal(diagonal: Array) -> Any:
    return np.diag(diagonal).astype(diagonal.dtype)


def _product(z: Any) -> Any:
    """Holomorphic."""
    xp = rb.xp(z)
    return xp.exp(xp.asarray(_MATRIX) @ z)


def _product_first(z: Array) -> Any:
    return np.exp(_MATRIX @ z)[:, None] * _MATRIX


def _size(z: Any) -> Any:
    """Not holomorphic: |z|^2, weighted."""
    xp = rb.xp(z)
    return xp.sum((xp.real(z) ** 2 + xp.imag(z) ** 2) * xp.asarray(_REAL[0]))


def _conjugate(z: Any) -> Any:
    """Not holomorphic: conj(z) z^2."""
    return rb.xp(z).conj(z) * z**2


def _turn(x: Any) -> Any:
    """Real to complex."""
    return rb.xp(x).exp(1j * x)


def _imaginary(z: Any) -> Any:
    """Complex to real."""
    return rb.xp(z).imag(z**3)


def _power(x: Any, n: Any) -> Any:
    return rb.xp(x).sum(x**n)


def _take(x: Any, index: Any) -> Any:
    return x[index] ** 2


def _single() -> Iterator[Scenario]:
    tags = ("vector-in", "float32")
    yield from Problem("single-cubes", _cubes, _SINGLE, lambda x: 3 * x**2, lambda x: _diagonal(6 * x), (*tags, "number-out")).scenarios(
        ("jvp", "vjp", "value_and_grad", "hessian", "hvp")
    )
    yield from Problem("single-sines", _sines, _SINGLE, lambda x: _diagonal(np.cos(x)), tags=(*tags, "vector-out")).scenarios(("jacobian",))
    yield from Problem(
        "single-number", lambda x: x**3, (np.float32(0.5), np.float32(1.5)), lambda x: 3 * x**2, lambda x: 6 * x, ("number-in", "float32")
    ).scenarios(("derivative", "second_derivative", "grad"))


def _complex() -> Iterator[Scenario]:
    t, c = (draw((2,), 19, complex), draw((2,), 20, complex)), (draw((2,), 21, complex), draw((2,), 22, complex))
    r = draw((2,), 23), draw((2,), 24)
    z, w = ((a,) for a in _COMPLEX)
    x, u = ((a,) for a in _REAL)
    tags, weights = ("vector-in", "complex"), _REAL[0]
    yield from Problem("complex-product", _product, _COMPLEX, _product_first, tags=(*tags, "vector-out")).scenarios()
    along = (t[0],), (t[1],)
    # d |z|^2 = 2 Re(conj(z) z_dot), so that 2 z is the gradient in the pairing Re sum(conj(y_bar) y_dot)
    yield made("complex-size-jvp", "jvp", _size, lambda z, d: 2 * np.sum(weights * (np.conj(z) * d[0]).real), z, w, along=along, tags=tags)
    yield made(
        "complex-size-vjp",
        "vjp",
        _size,
        lambda z, b: (2 * b * weights * z,),
        z,
        w,
        along=(np.array(0.7), np.array(-1.2)),
        tags=tags,
    )
    yield made("complex-size-grad", "grad", _size, lambda z: 2 * weights * z, z, w, tags=tags)
    yield made("complex-size-value_and_grad", "value_and_grad", _size, lambda z: 2 * weights * z, z, w, tags=tags)
    # y_dot = 2 z conj(z) z_dot + z^2 conj(z_dot)
    yield made(
        "conjugate-jvp",
        "jvp",
        _conjugate,
        lambda z, d: 2 * abs(z) ** 2 * d[0] + z**2 * np.conj(d[0]),
        z,
        w,
        along=along,
        tags=tags,
    )
    yield made("conjugate-vjp", "vjp", _conjugate, lambda z, b: (2 * abs(z) ** 2 * b + z**2 * np.conj(b),), z, w, along=c, tags=tags)
    yield made("turn-jvp", "jvp", _turn, lambda x, d: 1j * np.exp(1j * x) * d[0], x, u, along=((r[0],), (r[1],)), tags=tags)
    yield made("turn-vjp", "vjp", _turn, lambda x, b: (np.real(b * np.conj(1j * np.exp(1j * x))),), x, u, along=c, tags=tags)
    yield made("imaginary-jvp", "jvp", _imaginary, lambda z, d: np.imag(3 * z**2 * d[0]), z, w, along=along, tags=tags)
    # Im(w) = Re(-i w), whose gradient by w is i
    yield made("imaginary-vjp", "vjp", _imaginary, lambda z, b: (1j * b * np.conj(3 * z**2),), z, w, along=r, tags=tags)


def _integers() -> Iterator[Scenario]:
    x, u = draw((3,), 25), draw((3,), 26)
    t = draw((3,), 27), draw((3,), 28)
    tags = ("vector-in", "integer")
    yield made("integer-power-grad", "grad", _power, lambda x, n: n * x ** (n - 1), (x, 3), (u, 3), tags=tags)
    exact: Formula = lambda x, n, d: np.sum(n * x ** (n - 1) * d[0])
    yield made("integer-power-jvp", "jvp", _power, exact, (x, 3), (u, 3), along=((t[0], None), (t[1], None)), tags=tags)
    reverse: Formula = lambda x, n, b: (b * n * x ** (n - 1), None)
    yield made("integer-power-vjp", "vjp", _power, reverse, (x, 3), (u, 3), along=(np.array(2.0), np.array(0.5)), tags=tags)
    index, other = np.array([2, 0, 2]), np.array([1, 1, 0])
    yield made("take-jacobian", "jacobian", _take, lambda x, i: 2 * x[i, None] * np.eye(3)[i], (x, index), (u, other), tags=tags)
    scattered: Formula = lambda x, i, b: (np.eye(3)[i].T @ (2 * x[i] * b), None)
    yield made("take-vjp", "vjp", _take, scattered, (x, index), (u, other), along=t, tags=tags)


def scenarios() -> Iterator[Scenario]:
    """float32, complex128, integers."""
    yield from _single()
    yield from _complex()
    yield from _integers()
