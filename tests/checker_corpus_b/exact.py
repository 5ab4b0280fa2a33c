"""Exact twins of functions that iterate to a tolerance or lose digits, for the oracle: differences of these tell the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

EXACT: dict[str, Callable[..., Any]] = {}


def exact(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the exact twin of a function of the collection."""

    def keep(f: Callable[..., Any]) -> Callable[..., Any]:
        EXACT[name] = f
        return f

    return keep


def newton(step: Callable[[Any], Any], x: Any, n: int = 80) -> Any:
    """Iterate until long double has nothing to gain."""
    for _ in range(n):
        d = step(x)
        x = x - d
        if np.all(np.abs(d) <= 1e-19 * np.abs(x)):
            break
    return x


@exact("kepler")
def _kepler(M, e, *, tol):
    E = np.pi * np.ones_like(M) if e > 0.8 else M
    return newton(lambda E: (E - e * np.sin(E) - M) / (1 - e * np.cos(E)), E, 60)


@exact("rodrigues")
def _rodrigues(w, x):
    t2 = w @ w
    t = np.sqrt(t2)
    s = np.sin(t) / t if t2 > 1e-8 else 1 - t2 / 6 + t2 * t2 / 120
    c = 2 * np.sin(t / 2) ** 2 / t2 if t2 > 1e-8 else 0.5 - t2 / 24 + t2 * t2 / 720
    return x + s * np.cross(w, x) + c * np.cross(w, np.cross(w, x))


@exact("ph")
def _ph(acid, base, pka, *, pkw, tol):
    one = acid * 0 + 1
    x, ten = 7 * one, 10 * one
    ka, kw, lo, hi = ten**-pka, ten**-pkw, 0 * one, 15 * one
    for _ in range(200):
        h = ten**-x
        r = h + base - kw / h - acid * ka / (ka + h)
        lo, hi = (x, hi) if r > 0 else (lo, x)
        new = x + r / (np.log(ten) * (h + kw / h + acid * ka * h / (ka + h) ** 2))
        x = new if lo < new < hi else (lo + hi) / 2
    return x


@exact("vdw-volume")
def _vdw(T, p, a, b, *, phase):
    R = np.longdouble(8.314462618)
    c = [1.0, -(b + R * T / p), a / p, -a * b / p]
    roots = np.roots([float(x) for x in c])
    reals = roots.real[np.abs(roots.imag) < 1e-7 * np.abs(roots)]
    v = (reals.max() if phase == "gas" else reals.min()) + 0 * p
    return newton(lambda v: (((v + c[1]) * v + c[2]) * v + c[3]) / ((3 * v + 2 * c[1]) * v + c[2]), v)


@exact("flash")
def _flash(z, k, *, steps):
    lo, hi = 1 / (1 - k.max()), 1 / (1 - k.min())
    for _ in range(60):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if np.sum(z * (k - 1) / (1 + mid * (k - 1))) > 0 else (lo, mid)
    return newton(lambda x: -np.sum(z * (k - 1) / (1 + x * (k - 1))) / np.sum(z * (k - 1) ** 2 / (1 + x * (k - 1)) ** 2), (lo + hi) / 2)


@exact("decay-chain")
def _decay(n0, rates, *, t):
    a = np.diag(-rates) + np.diag(rates[:-1], -1)
    p = term = np.eye(len(rates)) + 0 * a
    for k in range(1, 30):
        term = term @ a * (t / 256 / k)
        p = p + term
    for _ in range(8):
        p = p @ p
    return p @ n0


@exact("irr")
def _irr(flows, *, tol):
    years = np.arange(len(flows))
    rate = np.asarray(0.1, flows.dtype)[()]
    lo, hi = rate * 0 - 0.9, rate * 0 + 2
    for _ in range(80):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if np.sum(flows / (1 + mid) ** years) * flows[-1] > 0 else (lo, mid)
    return (lo + hi) / 2


@exact("rounded-gauss")
def _rounded(x):
    return np.exp(-x * x)


@exact("colebrook")
def _colebrook(reynolds, roughness):
    c = 2 / np.log(reynolds * 0 + 10)
    inner = lambda x: roughness / 3.7 + 2.51 * x / reynolds
    return newton(lambda x: (x + c * np.log(inner(x))) / (1 + c * 2.51 / reynolds / inner(x)), reynolds * 0 + 6) ** -2


@exact("pagerank")
def _pagerank(links, *, damping, tol):
    m = links / links.sum(0)
    x = m[:, 0] * 0 + 1 / (m[0, 0] * 0 + len(m))
    for _ in range(400):
        x = damping * (m @ x) + (1 - damping * (x[0] * 0 + 1)) / len(m)
    return x


@exact("power-iteration")
def _leading(a, *, tol):
    return np.linalg.eigvalsh((a + a.T) / 2)[:-3:-1]


@exact("conjugate-gradients")
def _cg(a, b, *, tol):
    return np.linalg.solve(a, b)


@exact("riccati")
def _riccati(a, b, q, r, *, tol):
    p = q
    for _ in range(60):  # doubling: quadratic convergence
        if _ == 0:
            g, f, h = b @ np.linalg.solve(r, b.T), a, q
        w = np.linalg.inv(np.eye(len(a)) + g @ h)
        f, g, h = f @ w @ f, g + f @ w @ g @ f.T, h + f.T @ h @ w @ f
        if np.abs(h - p).max() <= 1e-15 * np.abs(h).max():
            break
        p = h
    return h


@exact("inverse-root")
def _inverse_root(a, *, tol):
    return np.cbrt(a) ** -1


@exact("risk-parity")
def _equal_share(weights, *, tol):
    s = np.diag(weights**2) + 0.3 * np.multiply.outer(weights, weights)
    x = 1 / weights
    for _ in range(400):
        for i in range(len(x)):
            b = s[i] @ x - s[i, i] * x[i]
            x[i] = (-b + np.sqrt(b * b + 4 * s[i, i])) / (2 * s[i, i])
    return x
