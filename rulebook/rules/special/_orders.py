"""Derivatives of Bessel functions with respect to their order, to any order of differentiation.

The contour integrals of Schlaefli and Sommerfeld (DLMF 10.9.17, 10.9.6, 10.32.12, 10.32.9) are entire in the order v, so they are
differentiated under the integral: each derivative is a factor -t.  The contour goes vertically through the saddle point, which for
v > x keeps the relative accuracy where the function is exponentially small or large, and then along the lines Im t = +-pi.  Every piece
is cut off where it has fallen by exp(-45) and summed by a rule of Gauss.  For large arguments Hankel's expansion (DLMF 10.17.5), each
coefficient of which is a polynomial in v, is differentiated term by term.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

__all__ = ["hankel", "i_scaled", "j", "k_scaled", "y"]

_FALL = 45.0  # exp(-45) = 3e-20
_DECADES = 40.0  # how far, in the logarithm, a distance may be below its bound
_BLOCK = 128
_SMOOTH = 160  # nodes for a piece without oscillation
_MOST_NODES = 2048
_FAR = 200.0  # of the argument, from which on Hankel's expansion is used where it holds
_TERMS = 40
_OVERFLOW = 700.0  # exp of it is finite

Table = list[Any]  # the derivatives of order 0 to n


@functools.lru_cache(maxsize=16)
def _gauss(nodes: int) -> tuple[Any, Any]:
    """Nodes and weights on (0, 1)."""
    x, w = sp.roots_legendre(nodes)
    return (x + 1) / 2, w / 2


def _reach(fall: Callable[[Any], Any], limit: Any) -> Any:
    """Where an increasing function passes the fall-off, within (0, limit), to a sixth: by bisection of the logarithm."""
    low, high = np.full_like(limit, -_DECADES), np.zeros_like(limit)
    for _ in range(8):
        middle = (low + high) / 2
        past = fall(limit * np.exp(middle)) > _FALL
        low, high = np.where(past, low, middle), np.where(past, middle, high)
    return limit * np.exp(high)


def _sum(integrand: Callable[[Any], tuple[Any, Any]], low: Any, high: Any, n: int, nodes: int) -> Table:
    """The integrals of factor^k * value over (low, high), for k up to n."""
    u, w = _gauss(nodes)
    t = low[:, None] + (high - low)[:, None] * u
    factor, value = integrand(t)
    weighted = value * (w * (high - low)[:, None])
    out = []
    for _ in range(n + 1):
        out.append(weighted.sum(axis=1))
        weighted = weighted * factor
    return out


def _add(*tables: Table) -> Table:
    return [sum(parts) for parts in zip(*tables, strict=True)]


def _scaled(table: Table, scale: Any) -> Table:
    return [scale * value for value in table]


def _product(a: Table, b: Table) -> Table:
    """Leibniz's rule."""
    return [sum(math.comb(k, i) * a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))]


def _turned(v: Any, n: int) -> Table:
    """exp(-i pi v) and its derivatives, v reduced first."""
    turn = np.exp(-1j * math.pi * np.mod(v, 2.0))
    return [(-1j * math.pi) ** k * turn for k in range(n + 1)]


def _column(a: Any) -> Any:
    return a[:, None]


# -- for v >= 0 and x > 0 ------------------------------------------------------------------------


def _first_kind(v: Any, x: Any, n: int, nodes: int, modified: bool) -> tuple[Table, Any]:
    """J (or exp(-x) I) without the factor exp(e), and the exponent e at the saddle point."""
    t0 = np.arcsinh(v / x) if modified else np.arccosh(np.maximum(v / x, 1.0))
    rise, slope = (np.cosh(t0), np.sinh(t0)) if modified else (np.sinh(t0), np.cosh(t0))
    top = (2 * x * np.sinh(t0 / 2) ** 2 if modified else x * rise) - v * t0
    with np.errstate(all="ignore"):
        opening = np.where(x * rise * 2 > _FALL, np.arccos(np.maximum(1 - _FALL / (x * rise), -1.0)), math.pi)

    def across(theta: Any) -> tuple[Any, Any]:
        phase = _column(x * slope) * np.sin(theta) - _column(v) * theta
        decay = _column(x * rise) * (np.cos(theta) - 1)
        return -(_column(t0) + 1j * theta), np.exp(decay + 1j * phase) / math.pi

    vertical = [np.real(part) for part in _sum(across, np.zeros_like(x), opening, n, nodes)]
    turn = np.exp(-1j * math.pi * np.mod(v, 2.0))
    start = 2 * x * rise  # what the far lines lose against the saddle point

    def along(s: Any) -> tuple[Any, Any]:
        t = _column(t0) + s
        if modified:
            fall = _column(x) * 2 * np.sinh((t + _column(t0)) / 2) * np.sinh(s / 2)
        else:
            fall = _column(x) * 2 * np.cosh((t + _column(t0)) / 2) * np.sinh(s / 2)
        return -(t + 1j * math.pi), _column(turn) * np.exp(-_column(start) - fall - _column(v) * s) / math.pi

    with np.errstate(all="ignore"):
        end = np.arccosh(_FALL / x + rise) if modified else np.arcsinh(_FALL / x + rise)
        limit = np.minimum(end - t0, np.where(v > 0, _FALL / v, np.inf))
    horizontal = [np.imag(part) for part in _sum(along, np.zeros_like(x), limit, n, _SMOOTH)]
    return _add(vertical, horizontal), top


def _k(v: Any, x: Any, n: int) -> tuple[Table, Any]:
    """exp(x) K without the factor exp(e), and e."""
    t0 = np.arcsinh(v / x)
    steep = x * np.cosh(t0)
    top = v * t0 - 2 * x * np.sinh(t0 / 2) ** 2
    above = _reach(lambda s: 2 * steep * np.sinh(s / 2) ** 2 + v * (np.sinh(s) - s), np.arccosh(1 + _FALL / steep))
    below = _reach(lambda s: 2 * steep * np.sinh(s / 2) ** 2 - v * (np.sinh(s) - s), t0)

    def integrand(t: Any) -> tuple[Any, Any]:
        s = t - _column(t0)
        fall = 2 * _column(steep) * np.sinh(s / 2) ** 2 + _column(v) * (np.sinh(s) - s)
        return t, np.exp(-fall)

    both = []
    u, w = _gauss(_SMOOTH)
    low, width = t0 - below, above + below
    t = low[:, None] + width[:, None] * u
    base = integrand(t)[1] * (w * width[:, None])
    back = np.exp(-2 * _column(v) * t)
    for k in range(n + 1):
        pair = (1 + back) / 2 if k % 2 == 0 else -np.expm1(-2 * _column(v) * t) / 2
        both.append((base * t**k * pair).sum(axis=1))
    return both, top


def _y(v: Any, x: Any, n: int, nodes: int) -> tuple[Table, Any]:
    """Y without the factor exp(e), and e."""
    t0 = np.arccosh(np.maximum(v / x, 1.0))
    top = np.maximum(v * t0 - x * np.sinh(t0), 0.0)

    def arc(theta: Any) -> tuple[Any, Any]:
        value = np.exp(1j * (_column(x) * np.sin(theta) - _column(v) * theta) - _column(top)) / math.pi
        return -1j * theta, value

    bounded = [np.imag(part) for part in _sum(arc, np.zeros_like(x), np.full_like(x, math.pi), n, nodes)]

    def exponent(t: Any) -> Any:
        return x * np.sinh(t) - v * t

    low = t0 - _reach(lambda s: exponent(t0 - s) + top, t0)
    high = t0 + _reach(lambda s: exponent(t0 + s) + top, np.full_like(x, _OVERFLOW))

    def growing(t: Any) -> tuple[Any, Any]:
        return t, -np.exp(_column(v) * t - _column(x) * np.sinh(t) - _column(top)) / math.pi

    turn = np.exp(-1j * math.pi * np.mod(v, 2.0))

    def falling(t: Any) -> tuple[Any, Any]:
        return -(t + 1j * math.pi), -_column(turn) * np.exp(-_column(v) * t - _column(x) * np.sinh(t) - _column(top)) / math.pi

    first = _sum(growing, low, high, n, _SMOOTH)
    second = [np.real(part) for part in _sum(falling, low, high, n, _SMOOTH)]
    return _add(bounded, first, second), top


def _far(v: Any, x: Any, n: int) -> Table:
    """The first Hankel function by DLMF 10.17.5, differentiated term by term."""
    term: Table = [np.ones_like(x, complex), *[np.zeros_like(x, complex)] * n]
    series = term
    for m in range(1, _TERMS):
        scale = 1j / (8 * m * x)
        factor = [scale * (4 * v * v - (2 * m - 1) ** 2), scale * 8 * v, scale * 8 + 0 * v, *[0 * x] * n][: n + 1]
        following = _product(term, factor)
        keep = np.abs(following[0]) < np.maximum(np.abs(term[0]), 1.0)
        term = [np.where(keep, value, 0.0) for value in following]
        series = _add(series, term)
    turn = np.exp(-0.5j * math.pi * np.mod(v, 4.0))
    phase = [(-0.5j * math.pi) ** k * turn for k in range(n + 1)]
    amplitude = np.sqrt(2 / (math.pi * x)) * np.exp(1j * x) * np.exp(-0.25j * math.pi)
    return _scaled(_product(series, phase), amplitude)


# -- for all orders ------------------------------------------------------------------------------


def _blocks(nodes: Any) -> Any:
    """Indices of elements that need the same number of nodes, in blocks."""
    for count in np.unique(nodes[nodes <= _MOST_NODES]):
        at = np.flatnonzero(nodes == count)
        size = max(1, _BLOCK * _SMOOTH // int(count))
        for i in range(0, at.size, size):
            yield int(count), at[i : i + size]


def _nodes(v: Any, x: Any) -> Any:
    """For an integrand with the phases of v and x: a power of two."""
    return 2.0 ** np.ceil(np.log2(np.maximum(96.0, 0.9 * (x + v) + 70.0)))


def _tables(v: Any, x: Any, n: int, kinds: str) -> tuple[Table, Table]:
    """Those of J and Y for v >= 0, x > 0, as far as the kinds ask for them; NaN out of range."""
    js = [np.full(x.shape, np.nan) for _ in range(n + 1)]
    ys = [np.full(x.shape, np.nan) for _ in range(n + 1)]
    far = (x > _FAR) & (x > v * v)
    if far.any():
        for k, h in enumerate(_far(v[far], x[far], n)):
            js[k][far], ys[k][far] = h.real, h.imag
    nodes = np.where(far | ~np.isfinite(x * v) | (x <= 0), np.inf, _nodes(v, np.abs(x)))
    for count, at in _blocks(nodes):
        for kind, table in (("j", js), ("y", ys)):
            if kind in kinds:
                found, top = _first_kind(v[at], x[at], n, count, modified=False) if kind == "j" else _y(v[at], x[at], n, count)
                for k in range(n + 1):
                    table[k][at] = found[k] * np.exp(top)
    return js, ys


def _signed(v: Any, n: int) -> Any:
    """(-1)^n for the orders that were turned to positive ones."""
    return np.where(v < 0, (-1.0) ** n, 1.0)


def _prepared(v: Any, x: Any) -> tuple[Any, Any, tuple[int, ...]]:
    a, b = np.broadcast_arrays(np.asarray(v, float), np.asarray(x, float))
    return a.ravel(), b.ravel(), a.shape


def _both(v: Any, x: Any, n: int, kinds: str) -> tuple[Any, Any]:
    """The n-th derivatives of J and Y with respect to v, as asked for; negative orders by DLMF 10.2.3 and its like."""
    turned = (v < 0).any()
    js, ys = _tables(np.abs(v), x, n, "jy" if turned else kinds)
    if turned:
        turn = _turned(np.abs(v), n)
        c, s = [t.real for t in turn], [-t.imag for t in turn]
        turned_j = _add(_product(c, js), _scaled(_product(s, ys), -1.0))[n]
        turned_y = _add(_product(s, js), _product(c, ys))[n]
        sign = (-1.0) ** n
        return np.where(v < 0, sign * turned_j, js[n]), np.where(v < 0, sign * turned_y, ys[n])
    return js[n], ys[n]


def j(v: Any, z: Any, *, n: int) -> Any:
    """The n-th derivative of J_v(z) with respect to v, for z > 0; at z = 0 its limit for v > 0; NaN elsewhere."""
    v, x, shape = _prepared(v, z)
    with np.errstate(all="ignore"):
        y = _both(v, x, n, "j")[0]
        return np.where((x == 0) & (v > 0), 0.0, y).reshape(shape)[()]


def y(v: Any, z: Any, *, n: int) -> Any:
    """The n-th derivative of Y_v(z) with respect to v, for z > 0; NaN elsewhere."""
    v, x, shape = _prepared(v, z)
    with np.errstate(all="ignore"):
        return _both(v, x, n, "y")[1].reshape(shape)[()]


def hankel(v: Any, z: Any, *, n: int, kind: int) -> Any:
    """The n-th derivative of J + i Y or J - i Y with respect to v, for z > 0; NaN elsewhere."""
    v, x, shape = _prepared(v, z)
    with np.errstate(all="ignore"):
        first, second = _both(v, x, n, "jy")
        return (first + (1j if kind == 1 else -1j) * second).reshape(shape)[()]


def _modified(v: Any, x: Any, n: int) -> tuple[Table, Table]:
    """Tables of exp(-x) I and exp(x) K for v >= 0, x > 0."""
    i_table = [np.full(x.shape, np.nan) for _ in range(n + 1)]
    k_table = [np.full(x.shape, np.nan) for _ in range(n + 1)]
    good = (x > 0) & np.isfinite(x) & np.isfinite(v)
    for count, at in _blocks(np.where(good, float(_SMOOTH), np.inf)):
        first, top = _first_kind(v[at], x[at], n, count, modified=True)
        second, high = _k(v[at], x[at], n)
        for k in range(n + 1):
            i_table[k][at] = first[k] * np.exp(top)
            k_table[k][at] = second[k] * np.exp(high)
    return i_table, k_table


def i_scaled(v: Any, z: Any, *, n: int) -> Any:
    """The n-th derivative of exp(-z) I_v(z) with respect to v, for z > 0; at z = 0 its limit for v > 0; NaN elsewhere."""
    v, x, shape = _prepared(v, z)
    with np.errstate(all="ignore"):
        i_table, k_table = _modified(np.abs(v), x, n)
        found = i_table[n]
        if (v < 0).any():
            sine = [-t.imag for t in _turned(np.abs(v), n)]
            turned = _add(i_table, _scaled(_product(sine, k_table), 2 / math.pi * np.exp(-2 * x)))[n]
            found = np.where(v < 0, (-1.0) ** n * turned, found)
        return np.where((x == 0) & (v > 0), 0.0, found).reshape(shape)[()]


def k_scaled(v: Any, z: Any, *, n: int) -> Any:
    """The n-th derivative of exp(z) K_v(z) with respect to v, for z > 0; NaN elsewhere."""
    v, x, shape = _prepared(v, z)
    with np.errstate(all="ignore"):
        found = _modified(np.abs(v), x, n)[1][n] * _signed(v, n)
        return found.reshape(shape)[()]
