"""Derivatives of exp(-x) I_m(x) and exp(x) K_m(x) with respect to x > 0: by recurrence, which cancels for large x; there by expansion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

__all__ = ["i_scaled", "k_scaled"]

_FAR = 25.0
_TERMS = 40


def _first(m: int, x: Any, sign: float) -> Any:
    """The first derivative for m = 0 or 1, by the fast functions of these orders (DLMF 10.29.2, 10.29.3)."""
    f0, f1 = (sp.i0e(x), sp.i1e(x)) if sign > 0 else (sp.k0e(x), sp.k1e(x))
    gap = sign * (f1 - f0)
    if m == 0:
        return gap
    zero = np.equal(x, 0)
    return -gap - np.where(zero, 0.5 if sign > 0 else np.inf, f1 / np.where(zero, 1.0, x))


def _near(m: int, x: Any, n: int, sign: float) -> Any:
    """Leibniz's rule for the exponential and I^(j) = 2^-j times a sum of neighbours (DLMF 10.29.5); K alternates."""
    if n == 1 and m < 2:
        return _first(m, x, sign)
    function = sp.ive if sign > 0 else sp.kve
    known = {k: function(float(k), x) for k in range(m - n, m + n + 1)}
    total = np.zeros_like(x)
    for j in range(n + 1):
        slope = sum(math.comb(j, i) * known[m - j + 2 * i] for i in range(j + 1)) * (sign / 2) ** j
        total = total + math.comb(n, j) * (-sign) ** (n - j) * slope
    return total


def _far(m: int, x: Any, n: int, sign: float) -> Any:
    """DLMF 10.40.1 and 10.40.2, differentiated term by term and cut off at the smallest term."""
    term = np.ones_like(x)
    total = np.zeros_like(x)
    going = np.ones(x.shape, bool)
    for k in range(_TERMS):
        powers = math.prod(k + 0.5 + i for i in range(n))
        total = total + np.where(going, term * powers, 0.0)
        following = term * -sign * (4 * m * m - (2 * k + 1) ** 2) / (8 * (k + 1) * x)
        going &= np.abs(following) < np.abs(term)
        term = following
    return (-1.0) ** n * total * np.sqrt((1 / (2 * math.pi) if sign > 0 else math.pi / 2) / x) / x**n


def _scaled(m: int, x: Any, n: int, sign: float) -> Any:
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        far = x > _FAR
        if not far.any():
            return _near(m, x, n, sign)[()]
        return np.where(far, _far(m, np.where(far, x, 1e3), n, sign), _near(m, np.where(far, 1.0, x), n, sign))[()]


def i_scaled(x: Any, *, order: int, n: int) -> Any:
    """The n-th derivative of exp(-x) I_order(x)."""
    return _scaled(order, x, n, 1.0)


def k_scaled(x: Any, *, order: int, n: int) -> Any:
    """The n-th derivative of exp(x) K_order(x)."""
    return _scaled(order, x, n, -1.0)
