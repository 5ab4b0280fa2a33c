"""Triangles, diagonals and gaps: what the rules for decompositions share."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint

__all__ = [
    "diagonal",
    "gaps",
    "half_lower",
    "mirror",
    "mirror_adjoint",
    "on_diagonal",
    "real_first",
    "rounding",
    "row_zero",
    "to_diagonal",
    "unused",
]


def on_diagonal(x: Any) -> Any:
    """A matrix with zeros off its diagonal; NaN there does not spread."""
    xp = rb.xp(x)
    return xp.where(np.eye(x.shape[-2], x.shape[-1], dtype=bool), x, xp.zeros_like(x))


def diagonal(x: Any) -> Any:
    """The diagonal of a square matrix."""
    return rb.xp(x).sum(on_diagonal(x), axis=-1)


def to_diagonal(d: Any) -> Any:
    """The diagonal matrix of a vector."""
    return on_diagonal(d[..., None, :] + rb.xp(d).zeros_like(d)[..., :, None])


def mirror(a: Any, upper: bool) -> Any:
    """What LAPACK reads of a Hermitian matrix: one triangle, mirrored, and a real diagonal."""
    xp = rb.xp(a)
    low = xp.tril(adjoint(a) if upper else a, -1)
    return low + adjoint(low) + xp.real(on_diagonal(a))


def mirror_adjoint(x: Any, upper: bool) -> Any:
    """The adjoint of `mirror`, applied to a matrix of which the Hermitian part counts."""
    xp = rb.xp(x)
    x = x + adjoint(x)
    return (xp.triu(x, 1) if upper else xp.tril(x, -1)) + xp.real(on_diagonal(x)) / 2


def half_lower(x: Any) -> Any:
    """The lower triangle with half the diagonal."""
    return rb.xp(x).tril(x, -1) + on_diagonal(x) / 2


def rounding(w: Any) -> Any:
    """Below which values of a matrix with these eigenvalues or singular values are zero: LAPACK's error."""
    xp = rb.xp(w)
    n = w.shape[-1]
    single = str(w.dtype).endswith(("float32", "complex64"))
    largest = xp.max(xp.abs(w), axis=-1, keepdims=True) if n else w
    return rb.stop_gradient(largest) * (10 * n * float(np.finfo(np.float32 if single else np.float64).eps))


def gaps(w: Any, *, squares: bool = False) -> Any:
    """1 / (w_j - w_i), or of their squares; zero on the diagonal, and NaN where two are equal to rounding.

    A quotient of rounding errors would be a finite number that means nothing.
    """
    xp = rb.xp(w)
    eye = np.eye(w.shape[-1], dtype=bool)
    row, column = w[..., None, :], w[..., :, None]
    equal = xp.abs(row - column) <= rounding(w)[..., None]
    gap = (row - column) * (row + column) if squares else row - column
    return xp.where(eye, 0.0, xp.where(equal, np.nan, 1 / xp.where(equal, 1.0, gap)))


def unused(v_bar: Any) -> Any:
    """Whether neither of two vectors, the columns of v_bar, counts: then it does not matter that their values are equal."""
    zero = rb.xp(v_bar).all(v_bar == 0, axis=-2)
    return zero[..., None, :] & zero[..., :, None]


def row_zero(x: Any) -> Any:
    """The first row alone, zeros elsewhere."""
    xp = rb.xp(x)
    first = np.zeros((x.shape[-2], 1), dtype=bool)
    first[:1] = True
    return xp.where(first, x, xp.zeros_like(x))


def real_first(x: Any, v: Any) -> Any:
    """Complex vectors x with the phases that make the first entries of v real, keeping the sign of their real parts.

    LAPACK's have them; those of other libraries are brought to the same.
    """
    if "complex" not in str(v.dtype):
        return x
    xp = rb.xp(v)
    first = v[..., :1, :]
    size = xp.abs(first)
    turn = xp.where(size == 0, 1.0, xp.conj(first) / xp.where(size == 0, 1.0, size))
    return x * xp.where(xp.real(first) < 0, -turn, turn)
