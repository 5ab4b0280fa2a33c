"""Representations of filters: coefficients, zeros and poles, the bilinear transform."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along

__all__ = ["bilinear", "bilinear_zpk", "roots_of", "tf2zpk", "zpk2tf"]


def _draw(n: int, dtype: Any = complex) -> Any:
    """A polynomial with well separated roots."""

    def case(rng: np.random.Generator) -> Any:
        roots = np.exp(2j * np.pi * (np.arange(n) + rng.uniform(0.0, 0.3)) / n) * rng.uniform(0.7, 1.3, n)
        return ((np.poly(roots) * rng.uniform(1.0, 2.0)).astype(dtype),)

    return case


@rb.primitive(
    host=True,
    result=lambda c: rb.ShapeDtype((c.shape[0] - 1,), c.dtype),
    cases=[_draw(2), _draw(3), _draw(1), _draw(2, np.complex64)],
)
def roots_of(c: Any) -> Any:
    """The roots of a polynomial, in the order of np.roots.

    Args:
        c: array of shape (n + 1,), complex, the highest power first; the first is not zero.

    Returns:
        An array of shape (n,).

    Raises:
        ValueError: the leading coefficient is zero.

    Derivation:
        p(r, c) = 0 gives r_dot = -p(r, c_dot) / p'(r, c), so that c_bar_k = -sum_j conj(r_j^(n - k) / p'(r_j)) r_bar_j (the implicit
        function theorem; J. H. Wilkinson, Rounding Errors in Algebraic Processes, 1963, chapter 2).  At a multiple root p' is zero, and
        the derivative infinite or NaN.

    Example:
        >>> roots_of(np.array([1.0, -3.0, 2.0]) + 0j)
        array([2.+0.j, 1.+0.j])
    """
    c = np.asarray(c)
    if c.shape[0] and c[0] == 0:
        raise ValueError("The leading coefficient of the polynomial is zero: leave it away.")
    found = np.zeros(c.shape[0] - 1, c.dtype)
    nonzero = np.roots(c if np.any(c.imag) else c.real)  # real coefficients have roots in conjugate pairs; those that are zero come last
    found[: nonzero.shape[0]] = nonzero
    return found


def _powers(r: Any, n: int) -> Any:
    """r^n, ..., r, 1 along a new last axis, by products: at r = 0 every derivative is right."""
    powers = [0 * r + 1.0]
    for _ in range(n):
        powers.append(powers[-1] * r)
    return rb.xp(r).stack(powers[::-1], axis=-1)


def _slope(r: Any, c: Any) -> Any:
    """p'(r)."""
    n = c.shape[0] - 1
    return rb.xp(r, c).sum(_powers(r, n - 1) * (c[:-1] * _along.numbers(c, np.arange(n, 0, -1.0))), axis=-1)


@rb.pushforward(roots_of)
def _(r: Any, primals: Any, tangents: Any) -> Any:
    (c,), (c_dot,) = primals, tangents
    return -rb.xp(r, c).sum(_powers(r, c.shape[0] - 1) * c_dot, axis=-1) / _slope(r, c)


@rb.pullback(roots_of)
def _(r: Any, primals: Any, r_bar: Any) -> Any:
    (c,) = primals
    xp = rb.xp(r, c)
    share = r_bar / xp.conj(_slope(r, c))
    return (-xp.sum(xp.conj(_powers(r, c.shape[0] - 1)) * share[..., None], axis=0),)


# -- the names of scipy.signal -----------------------------------------------------------------------------


@_along.together("b", "a")
def tf2zpk(b: Any, a: Any) -> tuple[Any, Any, Any]:
    """Zeros, poles and gain of a filter, differentiable in the coefficients where the roots are simple.

    Args:
        b: numerator, array of shape (M,), with a leading coefficient that is not zero.
        a: denominator, array of shape (N,).

    Returns:
        (z, p, k): arrays of shapes (M - 1,) and (N - 1,), complex, and a number.

    Example:
        >>> tf2zpk(np.array([2.0, -2.0]), np.array([1.0, -0.5]))[1]
        array([0.5+0.j])
    """
    b, a = (_along.rank_up(c, 1) for c in _along.floats(b, a))
    return _roots(b), _roots(a), b[0] / a[0]


def _roots(c: Any) -> Any:
    return roots_of(c if _along.is_complex(c) else c * _along.numbers(c, 1.0 + 0.0j)) if c.shape[0] > 1 else c[:0]


def zpk2tf(z: Any, p: Any, k: Any) -> tuple[Any, Any]:
    """Numerator and denominator of a filter from zeros, poles and gain.

    Args:
        z: zeros, array of shape (M,).
        p: poles, array of shape (N,).
        k: gain.

    Returns:
        (b, a), complex where zeros or poles are.

    Example:
        >>> zpk2tf(np.array([1.0]), np.array([0.5]), 2.0)
        (array([ 2., -2.]), array([ 1. , -0.5]))
    """
    z, p, k = _along.floats(z, p, k)
    return _polynomial(z) * k, _polynomial(p)


def _polynomial(roots: Any) -> Any:
    """The coefficients of prod (x - r), the highest power first."""
    c = _along.numbers(roots, np.ones(1))
    for i in range(roots.shape[0]):
        c = _along.fitted(c, i + 2) - _along.fitted(c * roots[i], i + 2, before=1)
    return c


def bilinear_zpk(z: Any, p: Any, k: Any, fs: Any) -> tuple[Any, Any, Any]:
    """A digital filter from an analogue one by s = 2 fs (z - 1) / (z + 1), as zeros, poles and gain.

    Args:
        z: zeros, array of shape (M,).
        p: poles, array of shape (N,), with N no less than M.
        k: gain.
        fs: rate of the samples.

    Returns:
        (z, p, k).

    Example:
        >>> bilinear_zpk(np.zeros(0), np.array([-1.0]), 1.0, 0.5)[1]
        array([0.])
    """
    z, p, k, fs = _along.floats(z, p, k, fs)
    degree = p.shape[0] - z.shape[0]
    if degree < 0:
        raise ValueError("Improper transfer function. Must have at least as many poles as zeros.")
    twice = 2.0 * fs
    xp = rb.xp(z, p, k)
    gain = k * xp.real(xp.prod(twice - z) / xp.prod(twice - p)) if z.shape[0] else k * xp.real(1 / xp.prod(twice - p))
    zeros = _along.joined([(twice + z) / (twice - z), 0 * p[:degree] - 1.0]) if z.shape[0] else 0 * p[:degree] - 1.0
    return zeros, (twice + p) / (twice - p), gain


def bilinear(b: Any, a: Any, fs: float = 1.0) -> tuple[Any, Any]:
    """A digital filter from an analogue one by s = 2 fs (z - 1) / (z + 1), linear in the coefficients up to the leading one.

    Args:
        b: numerator, array of shape (M,), the highest power first.
        a: denominator, array of shape (N,).
        fs: rate of the samples.

    Returns:
        (b, a), with max(M, N) coefficients each.

    Example:
        >>> bilinear(np.array([1.0]), np.array([1.0, 1.0]), 0.5)
        (array([0.5, 0.5]), array([1., 0.]))
    """
    b, a = (_along.rank_up(c, 1) for c in _along.floats(b, a))
    order = max(b.shape[0], a.shape[0]) - 1
    num, den = (_transformed(c, order, float(fs)) for c in (b, a))
    return num / den[0], den / den[0]


def _transformed(c: Any, order: int, fs: float) -> Any:
    """The coefficients of sum_k c_k (2 fs)^k (z - 1)^k (z + 1)^(order - k)."""
    n = c.shape[0]
    rows = [np.array([(2 * fs) ** k]) for k in range(n - 1, -1, -1)]
    for i, k in enumerate(range(n - 1, -1, -1)):
        for factor, times in (([1.0, -1.0], k), ([1.0, 1.0], order - k)):
            for _ in range(times):
                rows[i] = np.convolve(rows[i], factor)
    return c @ _along.numbers(c, np.stack(rows))
