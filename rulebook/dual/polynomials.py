"""The polynomial functions of numpy: coefficients come with the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import unsupported
from rulebook.dual.lifting import lift, plain
from rulebook.dual.parts import is_dual, join, tangent, top
from rulebook.dual.registry import rule

__all__: list[str] = []


def _row(p: Any) -> Any:
    return np.atleast_1d(lift(p))


@rule(np.polyval)
def _polyval(p: Any, x: Any) -> Any:
    if isinstance(x, np.poly1d):
        raise unsupported("np.polyval", "a poly1d for x", "multiply the polynomials with np.polymul")
    p, x = lift(p), lift(x)
    if isinstance(x, (int, float, complex)):
        x = np.asarray(x)[()]  # of double precision, as NumPy makes it
    y = np.zeros_like(x) if is_dual(x) else np.zeros(np.shape(x))
    for c in p:
        y = y * x + c
    return y


@rule(np.vander)
def _vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    n = len(x) if N is None else N
    if np.ndim(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(n) if increasing else np.arange(n)[::-1]
    return x[:, None] ** powers if n else np.zeros_like(x, shape=(len(x), 0))


@rule(np.polyadd)
def _polyadd(a1: Any, a2: Any) -> Any:
    a, b = _row(a1), _row(a2)
    n = max(len(a), len(b))
    return np.pad(a, (n - len(a), 0)) + np.pad(b, (n - len(b), 0))


@rule(np.polysub)
def _polysub(a1: Any, a2: Any) -> Any:
    return _polyadd(a1, -_row(a2))


@rule(np.polymul)
def _polymul(a1: Any, a2: Any) -> Any:
    a, b = (np.trim_zeros(_row(v), "f") for v in (a1, a2))
    return np.convolve(a if len(a) else np.zeros(1), b if len(b) else np.zeros(1))


@rule(np.polyder)
def _polyder(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _row(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@rule(np.polyint)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.zeros(m) if k is None else _row(k)
    if len(constants) == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    p = _row(p)
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), constants[i : i + 1]])
    return p


@rule(np.polydiv)
def _polydiv(u: Any, v: Any) -> Any:
    u, v = _row(u) + 0.0, _row(v) + 0.0
    m, n = len(u) - 1, len(v) - 1
    q: list[Any] = []
    for k in range(m - n + 1):
        q.append(u[k] / v[0])
        u = u - np.pad(v * q[-1], (k, m - n - k))
    return np.stack(q) if q else np.zeros(1), _trimmed(u)


def _trimmed(r: Any) -> Any:
    """Without leading zeros, as np.polydiv leaves the remainder."""
    while len(r) > 1 and np.isclose(plain(r[0], "np.polydiv()"), 0, rtol=1e-14):
        r = r[1:]
    return r


@rule(np.poly)
def _poly(seq_of_zeros: Any) -> Any:
    zeros = _row(seq_of_zeros)
    if zeros.ndim == 2:
        zeros = np.linalg.eigvals(zeros)
    a: Any = np.ones(1, zeros.dtype)
    for i in range(len(zeros)):
        a = np.convolve(a, np.stack([np.ones((), zeros.dtype), -zeros[i]]))
    if zeros.dtype.kind == "c":
        values = np.sort(plain(zeros, "np.poly()"))
        if np.all(values == np.sort(np.conjugate(values))) and _real(a):
            return np.real(a)
    return a


def _real(a: Any) -> bool:
    """Whether the tangents too have no imaginary part."""
    t = plain(tangent(a, a.tag), "np.poly()")
    return bool(np.all(np.abs(t.imag) <= 1e-10 * np.max(np.abs(t), initial=1e-300)))


@rule(np.roots)
def _roots(p: Any) -> Any:
    """For a root of p: p(r) = 0 gives r_dot = -p_dot(r) / p'(r)."""
    p = _row(p)
    r = np.roots(p.p)
    slope = np.polyval(np.polyder(p.p), r)
    p_dot = tangent(p, p.tag)
    powers = r[None, :] ** np.arange(p_dot.shape[1] - 1, -1, -1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # a multiple root has no derivative: inf or NaN
        t = -np.matmul(p_dot, powers) / slope
    return join(r, t, p.tag)


@rule(np.polyfit)
def _polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    x, y, w = lift(x) + 0.0, lift(y) + 0.0, lift(w)
    order = int(deg) + 1 if np.ndim(deg) == 0 else 0
    if not order or full or cov:
        raise unsupported("np.polyfit", "several degrees, full= or cov=", "use np.linalg.lstsq of np.vander(x, deg + 1)")
    if np.shape(x)[0] != np.shape(y)[0] or np.ndim(x) != 1:
        raise TypeError("expected x and y to have same length")
    matrix, right = np.vander(x, order), y
    if w is not None:
        matrix, right = matrix * w[:, None], right * (w if np.ndim(y) == 1 else w[:, None])
    values = plain(matrix, "np.polyfit()")
    scale = np.sqrt(np.sum(values * values, axis=0))
    rcond = len(x) * np.finfo(np.result_type(x)).eps if rcond is None else rcond
    c = np.linalg.lstsq(matrix / scale, right, rcond)[0]
    return c / (scale if np.ndim(c) == 1 else scale[:, None]) if top(x, y, w) else c
