"""Derivatives of the incomplete gamma and beta functions with respect to their parameters, to any order.

Both are distribution functions P(x) of a density f(t; parameters), and so are their derivatives integrals of derivatives of f:
f times a polynomial in the derivatives of log f.  Over all t these integrals vanish, so the one over (0, x) or minus the one over the
rest is taken, whichever does not change sign in the first derivative: there is no cancellation.  The variable is w = log(t) or
log(t / (1 - t)), in which f dw is smooth and log-concave; from x the sums go, by Gauss's rule, to where it has fallen by exp(-1), and
on to where it has fallen by exp(-45).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.rules.special import _zeta

__all__ = ["beta_density_order", "beta_order", "gamma_density_order", "gamma_order"]

_BLOCK = 256
_FALL = 45.0  # exp(-45) = 3e-20
_DECADES = 40.0  # how far, in the logarithm, a distance may be below its bound
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2

Index = tuple[int, ...]


def _stirling(z: Any) -> Any:
    """log Gamma(z) less Stirling's formula (z - 1/2) log(z) - z + log(2 pi) / 2, without cancellation for large z."""
    large = z > 15
    a = 1 / np.where(large, z, 15.0)
    b = a * a
    series = a * (1 / 12 - b * (1 / 360 - b * (1 / 1260 - b * (1 / 1680 - b * (1 / 1188 - b * (691 / 360360 - b / 156))))))
    small = np.where(large, 1.0, z)
    return np.where(large, series, sp.gammaln(small) - (small - 0.5) * np.log(small) + small - 0.5 * math.log(2 * math.pi))


def _log_ratio(gap: Any, log: Any) -> Any:
    """log(1 + gap), which is also known directly: that is better where it is not small."""
    near = np.abs(gap) < 0.5
    return np.where(near, np.log1p(np.where(near, gap, 0.0)), log)


def _gamma_shape(a: Any, t: Any, log_t: Any) -> Any:
    """log of t^a exp(-t), less its value at t = a; t may underflow."""
    return a * _log_ratio((t - a) / a, log_t - np.log(a)) - (t - a)


def _gamma_scale(a: Any) -> Any:
    """log of a^a exp(-a) / Gamma(a)."""
    return 0.5 * np.log(a / (2 * math.pi)) - _stirling(a)


def _beta_shape(a: Any, b: Any, t: Any, u: Any, log_t: Any, log_u: Any) -> Any:
    """log of t^a u^b with u = 1 - t, less its value at t = a / (a + b); t or u may underflow."""
    total, gap = a + b, t * b - u * a
    return a * _log_ratio(gap / a, log_t - np.log(a / total)) + b * _log_ratio(-gap / b, log_u - np.log(b / total))


def _beta_scale(a: Any, b: Any) -> Any:
    """log of t^a u^b / B(a, b) at t = a / (a + b)."""
    total = a + b
    return 0.5 * np.log(a * b / (2 * math.pi * total)) + _stirling(total) - _stirling(a) - _stirling(b)


def gamma_density(a: Any, x: Any) -> Any:
    """x^(a - 1) exp(-x) / Gamma(a)."""
    a, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(x, float))
    with np.errstate(all="ignore"):
        inside = np.exp(_gamma_shape(a, x, np.log(x)) + _gamma_scale(a)) / x
        at_zero = np.where(a > 1, 0.0, np.where(a == 1, 1.0, np.inf))
        return np.where(x == 0, at_zero, np.where(np.isposinf(x), 0.0, np.where((x > 0) & (a > 0), inside, np.nan)))[()]


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a - 1) (1 - x)^(b - 1) / B(a, b)."""
    a, b, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float), np.asarray(x, float))
    with np.errstate(all="ignore"):
        inside = np.exp(_beta_shape(a, b, x, 1 - x, np.log(x), np.log1p(-x)) + _beta_scale(a, b)) / (x * (1 - x))
        at_zero = np.where(a > 1, 0.0, np.where(a == 1, b, np.inf))
        at_one = np.where(b > 1, 0.0, np.where(b == 1, a, np.inf))
        good = (a > 0) & (b > 0) & (x > 0) & (x < 1)
        return np.where(good, inside, np.where(x == 0, at_zero, np.where(x == 1, at_one, np.nan)))[()]


def _polynomial(index: Index, slopes: Callable[[Index], Any]) -> Any:
    """The derivative of exp(g) over exp(g), by a recurrence for complete Bell polynomials; `slopes` gives the derivatives of g."""
    if not any(index):
        return 1.0
    first = next(i for i, k in enumerate(index) if k)
    less = tuple(k - (i == first) for i, k in enumerate(index))
    total: Any = 0.0
    for part in itertools.product(*[range(k + 1) for k in less]):
        ways = math.prod(math.comb(k, p) for k, p in zip(less, part, strict=True))
        rest = tuple(k - p for k, p in zip(less, part, strict=True))
        total = total + ways * _polynomial(rest, slopes) * slopes(tuple(p + (i == first) for i, p in enumerate(part)))
    return total


def gamma_density_order(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative of the density with respect to a; 0 at the ends, where the density is."""
    density = gamma_density(a, x)
    if n == 0:
        return density
    with np.errstate(all="ignore"):
        gap = np.log(x) - sp.psi(a)
        return np.where(density == 0, 0.0, density * _polynomial((n,), lambda k: gap if k == (1,) else -_psi(k[0] - 1, a)))[()]


def beta_density_order(a: Any, b: Any, x: Any, i: int, j: int) -> Any:
    """The derivative of the density, i times with respect to a and j times to b; 0 at the ends, where the density is."""
    density = beta_density(a, b, x)
    if i == j == 0:
        return density
    with np.errstate(all="ignore"):
        return np.where(density == 0, 0.0, density * _polynomial((i, j), _beta_slopes(a, b, np.log(x), np.log1p(-np.asarray(x)))))[()]


def _beta_slopes(a: Any, b: Any, log_t: Any, log_u: Any) -> Callable[[Index], Any]:
    """The derivatives of a log(t) + b log(u) - log B(a, b) with respect to a and b."""
    fixed = {(1, 0): log_t + _zeta.psi_gap(a, b), (0, 1): log_u + _zeta.psi_gap(b, a)}

    def slopes(k: Index) -> Any:
        if k in fixed:
            return fixed[k]
        own = _psi(k[0] - 1, a) if k[1] == 0 else _psi(k[1] - 1, b) if k[0] == 0 else 0.0
        return _psi(k[0] + k[1] - 1, a + b) - own

    return slopes


def _psi(n: int, z: Any) -> Any:
    return sp.psi(z) if n == 0 else sp.polygamma(n, z)


def _in_blocks(function: Callable[..., Any], good: Any, *args: Any) -> Any:
    """A function of columns on the good elements, a block at a time; NaN on the others."""
    out = np.full(good.shape, np.nan)
    at = np.flatnonzero(good)
    for i in range(0, at.size, _BLOCK):
        part = at[i : i + _BLOCK]
        out.flat[part] = function(*[a.ravel()[part][:, None] for a in args])
    return out


def _reach(fall: Callable[[Any], Any], limit: Any) -> tuple[Any, Any]:
    """The distances in which the weight falls by exp(-1) and by exp(-45), to a sixth: by bisection of their logarithms."""
    by = np.array([1.0, _FALL])
    low, high = np.full((limit.shape[0], 2), -_DECADES), np.zeros((limit.shape[0], 2))
    for _ in range(8):
        middle = (low + high) / 2
        past = fall(limit * np.exp(middle)) > by
        low, high = np.where(past, low, middle), np.where(past, middle, high)
    found = limit * np.exp(high)
    return found[:, :1], found[:, 1:]


def _sum(values: Callable[[Any], Any], fall: Callable[[Any], Any], limit: Any, bend: Any) -> Any:
    """The integral of a weight times something smooth, over distances from 0 on; the weight may bend somewhere."""
    first, last = _reach(fall, limit)
    ends = np.sort(np.concatenate([np.zeros_like(last), first, np.clip(bend, 0.0, last), last], axis=1), axis=1)
    total = 0.0
    for k in range(3):
        low, width = ends[:, k : k + 1], ends[:, k + 1 : k + 2] - ends[:, k : k + 1]
        total = total + np.sum(values(low + width * _NODES) * _WEIGHTS, axis=1) * width[:, 0]
    return total


def _gamma_block(n: int) -> Callable[..., Any]:
    def block(a: Any, x: Any) -> Any:
        centre = sp.psi(a)
        lower = x < np.exp(centre)
        side = np.where(lower, -1.0, 1.0)

        def weight(s: Any) -> Any:
            return _gamma_shape(a, x * np.exp(side * s), np.log(x) + side * s)

        def values(s: Any) -> Any:
            gap = np.log(x) + side * s - centre
            return np.exp(weight(s) + scale) * _polynomial((n,), lambda k: gap if k == (1,) else -_psi(k[0] - 1, a))

        scale, start = _gamma_scale(a), weight(np.zeros_like(x))
        limit = np.where(lower, 2 * (_FALL + x) / a, 700.0)
        return -side[:, 0] * _sum(values, lambda s: start - weight(s), limit, np.zeros_like(x))

    return block


def gamma_order(a: Any, x: Any, *, n: int) -> Any:
    """The n-th derivative of P(a, x) with respect to a, for a > 0 and x >= 0; NaN elsewhere."""
    a, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(x, float))
    with np.errstate(all="ignore"):
        if n == 0:
            return sp.gammainc(a, x)
        good = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        found = _in_blocks(_gamma_block(n), good, a, x)
        return np.where((a > 0) & ((x == 0) | np.isposinf(x)), 0.0, found)[()]


def _beta_block(i: int, j: int) -> Callable[..., Any]:
    def block(a: Any, b: Any, x: Any) -> Any:
        lower = np.log(x) < -_zeta.psi_gap(a, b) if i >= j else np.log1p(-x) > -_zeta.psi_gap(b, a)
        side = np.where(lower, -1.0, 1.0)
        start = np.log(x) - np.log1p(-x)

        def logs(s: Any) -> tuple[Any, Any]:
            w = start + side * s
            return -np.logaddexp(0.0, -w), -np.logaddexp(0.0, w)

        def weight(s: Any) -> Any:
            log_t, log_u = logs(s)
            return _beta_shape(a, b, np.exp(log_t), np.exp(log_u), log_t, log_u)

        def values(s: Any) -> Any:
            return np.exp(weight(s) + scale) * _polynomial((i, j), _beta_slopes(a, b, *logs(s)))

        scale, begin = _beta_scale(a, b), weight(np.zeros_like(x))
        limit = 200 / np.where(lower, a, b) + 2 * np.abs(start) + 40
        return -side[:, 0] * _sum(values, lambda s: begin - weight(s), limit, -side * start)

    return block


def beta_order(a: Any, b: Any, x: Any, *, i: int, j: int) -> Any:
    """The derivative of I_x(a, b), i times with respect to a and j times to b, for a, b > 0 and 0 <= x <= 1; NaN elsewhere."""
    a, b, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float), np.asarray(x, float))
    with np.errstate(all="ignore"):
        if i == j == 0:
            return sp.betainc(a, b, x)
        good = (a > 0) & (b > 0) & (x > 0) & (x < 1) & np.isfinite(a) & np.isfinite(b)
        found = _in_blocks(_beta_block(i, j), good, a, b, x)
        return np.where((a > 0) & (b > 0) & ((x == 0) | (x == 1)), 0.0, found)[()]
