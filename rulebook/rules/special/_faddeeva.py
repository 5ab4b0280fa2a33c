"""Derivatives of any order of w, erfcx and dawsn: by recurrence near zero, by the asymptotic series beyond."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

import rulebook as rb

__all__ = ["case", "dawsn", "erfcx", "faddeeva"]

_FAR = 8.0
_TERMS = 24


def _derivatives(n: int, y: Any, first: Any, sign: float, z: Any) -> Any:
    """The n-th of f, from f and f' with f^(k+1) = 2 sign (z f^(k) + k f^(k-1))."""
    before, now = y, first
    if n == 0:
        return y
    for k in range(1, n):
        before, now = now, 2 * sign * (z * now + k * before)
    return now


def _series(n: int, z: Any, sign: float) -> Any:
    """The n-th derivative of the sum of (2 k - 1)!! (sign / 2)^k z^(-2 k - 1), cut off at its smallest term."""
    with np.errstate(all="ignore"):
        term = (-1.0) ** n * math.factorial(n) * z ** (-1.0 - n)
        total, ratio = np.zeros_like(term), sign / (2 * z * z)
        going = np.ones(np.shape(term), bool)
        for k in range(_TERMS):
            total = total + np.where(going, term, 0.0)
            following = term * ratio * (2 * k + 1) * (2 * k + 1 + n) * (2 * k + 2 + n) / ((2 * k + 1) * (2 * k + 2))
            going &= np.abs(following) < np.abs(term)
            term = following
        return total


def faddeeva(z: Any, *, n: int) -> Any:
    """The n-th derivative of w(z), complex."""
    z = np.asarray(z) + 0j
    upper = np.where(z.imag < 0, -z, z)
    w = sp.wofz(upper)
    near = _derivatives(n, w, -2 * upper * w + 2j / math.sqrt(math.pi), -1.0, upper)
    far = np.abs(upper) > _FAR + n
    if far.any():
        near = np.where(far, 1j / math.sqrt(math.pi) * _series(n, np.where(far, upper, 9.0), 1.0), near)
    below = z.imag < 0
    if below.any():  # w(z) = 2 exp(-z^2) - w(-z)
        with np.errstate(all="ignore"):
            gauss = 2 * np.exp(-z * z)
            near = np.where(below, _derivatives(n, gauss, -2 * z * gauss, -1.0, z) - (-1.0) ** n * near, near)
    return near[()]


def erfcx(x: Any, *, n: int) -> Any:
    """The n-th derivative of erfcx(x)."""
    x = np.asarray(x)
    y = sp.erfcx(x)
    near = _derivatives(n, y, 2 * x * y - 2 / math.sqrt(math.pi), 1.0, x)
    far = (np.abs(x) > _FAR + n) & (x.real > 0)
    if far.any():
        near = np.where(far, _series(n, np.where(far, x, 9.0), -1.0) / math.sqrt(math.pi), near)
    return near[()]


def dawsn(x: Any, *, n: int) -> Any:
    """The n-th derivative of Dawson's integral."""
    x = np.asarray(x)
    y = sp.dawsn(x)
    near = _derivatives(n, y, 1 - 2 * x * y, -1.0, x)
    far = (np.abs(x) > _FAR + n) & (np.abs(x.imag) < np.abs(x.real))
    if far.any():
        near = np.where(far, _series(n, np.where(far, x, 9.0), 1.0) / 2, near)
    return near[()]


def case(z: Any) -> Any:
    """An example call."""
    return rb.case(z, n=1)
