"""Triangles, diagonals and gaps: what the rules for decompositions share."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint

__all__ = ["diagonal", "gaps", "half_lower", "mirror", "mirror_adjoint", "on_diagonal", "real_first", "row_zero", "to_diagonal", "unused"]


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


def gaps(w: Any) -> Any:
    """1 / (w_j - w_i), zero on the diagonal and NaN where two are equal."""
    xp = rb.xp(w)
    eye = np.eye(w.shape[-1], dtype=bool)
    gap = w[..., None, :] - w[..., :, None]
    gap = xp.where(gap == 0, np.nan, gap)  # NaN instead of a division by zero
    return xp.where(eye, 0.0, 1 / xp.where(eye, 1.0, gap))


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
