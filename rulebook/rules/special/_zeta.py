"""Derivatives of the zeta function with respect to its argument, polygamma functions of complex argument, differences of digamma."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

__all__ = ["is_complex", "order", "polygamma", "psi_gap", "real"]

_SHIFT = 24
_BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138]


def is_complex(x: Any) -> bool:
    """Whether a value of any engine is complex."""
    return isinstance(x, complex) or "complex" in str(getattr(x, "dtype", ""))


def real(xp: Any, x: Any) -> Any:
    """The real part of a value of any engine."""
    return xp.real(x) if is_complex(x) else x


def _times(a: list[Any], b: list[Any]) -> list[Any]:
    """The product of two truncated Taylor series."""
    return [sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))]


def _power(base: Any, s: Any, n: int) -> list[Any]:
    """base^-(s + e) as a series in e."""
    value, log = base ** (-s), -np.log(base)
    return [value * log**k / math.factorial(k) for k in range(n + 1)]


def _euler_maclaurin(s: Any, q: Any, n: int) -> Any:
    """The n-th derivative of zeta(s, q) with respect to s (DLMF 25.11.5), for s > -0.5 and not 1."""
    total = [np.zeros(np.broadcast(s, q).shape)] * (n + 1)
    for k in range(_SHIFT):
        total = [t + p for t, p in zip(total, _power(q + k, s, n), strict=True)]
    a = q + _SHIFT
    tail = _power(a, s, n)
    pole = [(-1.0) ** k / (s - 1) ** (k + 1) * a for k in range(n + 1)]
    pole[0] = pole[0] + 0.5
    zero = [0.0] * n
    rising: list[Any] = [s, 1.0, *zero][: n + 1]
    for j, b in enumerate(_BERNOULLI, 1):
        scale = b / math.factorial(2 * j) * a ** (1.0 - 2 * j)
        pole = [p + scale * r for p, r in zip(pole, rising, strict=True)]
        for m in (2 * j - 1, 2 * j):
            rising = _times(rising, [s + m, 1.0, *zero][: n + 1])
    found = _times(tail, pole)
    return math.factorial(n) * (total[n] + found[n])


def _reflected(s: Any) -> Any:
    """The first derivative of Riemann's zeta(s) for s < 0, from zeta(s) = 2^s pi^(s - 1) sin(pi s / 2) Gamma(1 - s) zeta(1 - s)."""
    z = sp.zeta(1 - s)
    scale = 2.0**s * math.pi ** (s - 1) * sp.gamma(1 - s)
    log_slope = math.log(2 * math.pi) - sp.psi(1 - s) - _euler_maclaurin(1 - s, np.ones_like(s), 1) / z
    half = math.pi / 2
    return scale * z * (half * np.cos(half * s) + np.sin(half * s) * log_slope)


def order(x: Any, q: Any, *, n: int) -> Any:
    """The n-th derivative of zeta(x, q) with respect to x; NaN where it is not reached."""
    if n == 0:
        return np.where(np.equal(q, 1), sp.zeta(np.asarray(x, float)), sp.zeta(np.asarray(x, float), q))[()]
    s, q = np.broadcast_arrays(np.asarray(x, float), np.asarray(q, float))
    with np.errstate(all="ignore"):
        direct = (q > 0) & (s != 1) & ((s > 1) | (q == 1) & (s > -0.5))
        y = np.where(direct, _euler_maclaurin(np.where(direct, s, 2.0), np.where(direct, q, 1.0), n), np.nan)
        left = (q == 1) & (s <= -0.5)
        if n == 1 and left.any():
            y = np.where(left, _reflected(np.where(left, s, -1.0)), y)
    return y[()]


def _cotangent(n: int, z: Any) -> Any:
    """The n-th derivative of cot(pi z), as a polynomial in it: c' = -pi (1 + c^2)."""
    upper = np.where(z.imag < 0, np.conj(z), z)
    w = np.exp(2j * math.pi * upper)
    c = np.where(z.imag < 0, np.conj(1j * (w + 1) / (w - 1)), 1j * (w + 1) / (w - 1))
    p = np.polynomial.Polynomial([0.0, 1.0])
    slope = np.polynomial.Polynomial([-math.pi, 0.0, -math.pi])
    for _ in range(n):
        p = p.deriv() * slope
    return p(c)


def _polygamma(n: int, z: Any) -> Any:
    left = z.real < 0.5
    w = np.where(left, 1 - z, z)
    total = sum((w + k) ** (-n - 1.0) for k in range(_SHIFT))
    a = w + _SHIFT
    total = total + a ** (-1.0 * n) / n + a ** (-n - 1.0) / 2
    rising = float(n + 1)
    for j, b in enumerate(_BERNOULLI, 1):
        total = total + b / math.factorial(2 * j) * rising * a ** (-n - 2.0 * j)
        rising *= (n + 2 * j) * (n + 2 * j + 1)
    y = (-1.0) ** (n + 1) * math.factorial(n) * total
    if not left.any():
        return y
    return np.where(left, (-1.0) ** n * y - math.pi * _cotangent(n, np.where(left, z, 0.25)), y)


def polygamma(n: Any, z: Any) -> Any:
    """The polygamma function of complex argument: Euler-Maclaurin (DLMF 25.11.5, 25.11.12), by reflection (5.15.6) on the left."""
    n, z = np.broadcast_arrays(n, z)
    y = np.empty(z.shape, complex)
    for k in np.unique(n):
        at = n == k
        with np.errstate(all="ignore"):
            y[at] = sp.psi(z[at].astype(complex)) if k == 0 else _polygamma(int(k), z[at].astype(complex))
    return y[()]


def psi_gap(a: Any, b: Any) -> Any:
    """psi(a + b) - psi(a): by recurrence to large arguments, where the asymptotic series (DLMF 5.11.2) differ term by term."""
    a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        return (sp.psi(a + b) - sp.psi(a))[()]
    a, b = a.astype(float), b.astype(float)
    with np.errstate(all="ignore"):
        plain = sp.psi(a + b) - sp.psi(a)
        small = (np.abs(b) < 0.5 * a) & (a > 0)
        if not small.any():
            return plain[()]
        low, gap = np.where(small, a, 1.0), np.where(small, b, 0.0)
        shift = np.where(low < 12, 12, 0)
        total = np.zeros(a.shape)
        for k in range(12):
            total += np.where(k < shift, gap / ((low + k) * (low + gap + k)), 0.0)
        low = low + shift
        ratio = np.log1p(gap / low)
        total += ratio + gap / (2 * low * (low + gap))
        for j, bernoulli in enumerate(_BERNOULLI, 1):
            total -= bernoulli / (2 * j) * low ** (-2.0 * j) * np.expm1(-2 * j * ratio)
        return np.where(small, total, plain)[()]
