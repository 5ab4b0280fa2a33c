"""Iterations to a tolerance: Riccati, PageRank, power iteration, conjugate gradients, equilibria, matrix roots."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def sym(a):
    return (a + a.T) / 2


def riccati(a, b, q, r, *, tol=1e-12):
    """The stabilising solution of the discrete Riccati equation by value iteration from zero."""
    p = q
    for _ in range(2000):
        s = r + b.T @ p @ b
        k = np.linalg.solve(s, b.T @ p @ a)
        new = q + a.T @ p @ a - (a.T @ p @ b) @ k
        if np.abs(new - p).max() <= tol * np.abs(new).max():
            return new
        p = new
    return p


def _closed(p, a, b, r):
    k = np.linalg.solve(r + b.T @ p @ b, b.T @ p @ a)
    return k, a - b @ k


def _stein(f, w):
    """X = F' X F + W."""
    n = len(f)
    return np.linalg.solve(np.eye(n * n) - np.kron(f.T, f.T), w.reshape(-1)).reshape(n, n)


@family.add(
    "riccati",
    wrong={
        "open-loop": ("wrong rule", "the open loop instead of the closed loop in the Lyapunov equation"),
        "b": ("dropped factor", "b's cotangent lacks the closed loop"),
        "r-sign": ("sign", "the control weight's cotangent is negative"),
        "once": ("truncated sum", "the adjoint Lyapunov equation by ten terms of its series"),
    },
    right=("", "forward"),
)
def _riccati(v):
    def pushforward(p, primals, tangents, *, tol):
        a, b, _, r = primals
        da, db, dq, dr = tangents
        k, f = _closed(p, a, b, r)
        inner = (da - db @ k).T @ p @ f
        return _stein(f, dq + k.T @ dr @ k + inner + inner.T)

    def pullback(p, primals, g, *, tol):
        a, b, _, r = primals
        k, f = _closed(p, a, b, r)
        loop = a if v == "open-loop" else f
        if v == "once":
            x = w = sym(g)
            for _ in range(10):
                w = loop @ w @ loop.T
                x = x + w
        else:
            x = _stein(loop.T, sym(g))
        inner = 2 * p @ f @ x
        b_bar = -2 * p @ (a if v == "b" else f) @ x @ k.T
        r_bar = k @ x @ k.T
        return inner, b_bar, x, -r_bar if v == "r-sign" else r_bar

    def cases(rng):
        n, m = rng.integers(1, 4), rng.integers(1, 3)
        q, r = rng.normal(size=(n, n)), rng.normal(size=(m, m))
        return rng.normal(size=(n, n)) * 0.7, rng.normal(size=(n, m)), q @ q.T + 0.3 * np.eye(n), r @ r.T + 0.3 * np.eye(m)

    def space(index, t):
        return sym(t) if index in (2, 3) else t

    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": riccati, "cases": [cases], "tangent_space": space, "accuracy": 1e-10, **rules}


def pagerank(links, *, damping=0.85, tol=1e-8):
    """The stationary distribution of a random surfer; columns of links are normalised inside."""
    m = links / links.sum(0)
    x = np.full(len(m), 1 / len(m))
    for _ in range(1000):
        new = damping * (m @ x) + (1 - damping) / len(m)
        if np.abs(new - x).sum() < tol * (1 - damping):
            return new
        x = new
    return x


@family.add(
    "pagerank",
    wrong={
        "damping": ("static ignored", "0.85 in the adjoint equation"),
        "columns": ("dropped term", "the normalisation of the columns is not differentiated"),
        "transpose": ("not transposed", "the adjoint equation with the matrix itself"),
    },
    right=("", "undeclared"),
)
def _pagerank(v):
    def pullback(x, primals, g, *, damping, tol):
        s = primals[0].sum(0)
        m = primals[0] / s
        d = 0.85 if v == "damping" else damping
        lam = np.linalg.solve(np.eye(len(m)) - d * (m if v == "transpose" else m.T), g)
        m_bar = damping * np.multiply.outer(lam, x)
        return ((m_bar - (0 if v == "columns" else (m_bar * m).sum(0))) / s,)

    def cases(rng):
        n = rng.integers(2, 5)
        return rb.case(rng.uniform(0.05, 1, (n, n)), damping=float(rng.choice([0.85, 0.5])))

    out = {"f": pagerank, "pullback": pullback, "cases": [cases]}
    return out if v == "undeclared" else {**out, "accuracy": 1e-8}


def leading(a, *, tol=1e-10):
    """The two leading eigenvalues of a symmetric matrix with positive spectrum, by power iteration with deflation."""
    out, b = [], a
    for k in range(2):
        x = np.ones(len(a)) + 0.1 * np.arange(len(a)) ** (k + 1)
        value = 0.0
        for _ in range(3000):
            y = b @ x
            x = y / np.sqrt(y @ y)
            new = x @ b @ x
            if abs(new - value) <= tol * abs(new):
                break
            value = new
        out.append(new)
        b = b - new * np.multiply.outer(x, x)
    return np.stack(out)


@family.add(
    "power-iteration",
    wrong={
        "second": ("stale residual", "the second value's cotangent uses the first eigenvector"),
        "half": ("outside the tangent space", "the upper triangle of the outer product"),
        "sum": ("only one element", "the second cotangent is not added"),
    },
)
def _leading(v):
    def pullback(y, primals, g, *, tol):
        _, q = np.linalg.eigh(sym(primals[0]))
        a, b = q[:, -1], q[:, -1 if v == "second" else -2]
        out = g[0] * np.multiply.outer(a, a)
        if v != "sum":
            out = out + g[1] * np.multiply.outer(b, b)
        return (2 * np.triu(out, 1) + np.diag(np.diag(out)) if v == "half" else out,)

    def cases(rng):
        n = rng.integers(2, 5)
        q, _ = np.linalg.qr(rng.normal(size=(n, n)))
        return (sym((q * 2.0 ** -np.arange(n) * rng.uniform(1, 1.2)) @ q.T),)

    space = lambda index, t: sym(t)
    return {"f": leading, "pullback": pullback, "cases": [cases], "tangent_space": space, "accuracy": 1e-8}


def cg(a, b, *, tol=1e-10):
    """Conjugate gradients for a symmetric positive definite matrix."""
    x = np.zeros_like(b)
    r = p = b
    rs = r @ r
    for _ in range(10 * len(b)):
        if np.sqrt(rs) <= tol * np.sqrt(b @ b):
            break
        ap = a @ p
        alpha = rs / (p @ ap)
        x, r = x + alpha * p, r - alpha * ap
        new = r @ r
        p, rs = r + new / rs * p, new
    return x


@family.add(
    "conjugate-gradients",
    wrong={
        "early": ("residual", "the adjoint solve stops after two steps"),
        "half": ("factor", "half of A's cotangent, as if the matrix were counted twice"),
        "x": ("sign", "A's cotangent with a plus"),
        "zero": ("rare region", "a zero right-hand side gives NaN"),
    },
    right=("", "forward"),
)
def _cg(v):
    def pushforward(x, primals, tangents, *, tol):
        a = primals[0]
        return cg(a, tangents[1] - sym(tangents[0]) @ x, tol=1e-13)

    def pullback(x, primals, g, *, tol):
        a, b = primals
        s = cg(a, g, tol=1e-13)
        if v == "early":
            s = np.zeros_like(g)
            r = p = g
            for _ in range(2):
                if r @ r:
                    alpha = (r @ r) / (p @ a @ p)
                    s, old, r = s + alpha * p, r, r - alpha * (a @ p)
                    p = r + (r @ r) / (old @ old) * p
        a_bar = -sym(np.multiply.outer(s, x)) * (0.5 if v == "half" else -1 if v == "x" else 1)
        if v == "zero":
            with np.errstate(all="ignore"):
                a_bar = a_bar * (b @ b) / (b @ b)
        return a_bar, s

    def cases(rng):
        n = rng.integers(2, 6)
        q, _ = np.linalg.qr(rng.normal(size=(n, n)))
        b = rng.normal(size=n) * (0.0 if rng.random() < 0.08 and v in ("", "zero") else 1.0)
        return sym((q * rng.uniform(0.5, 5, n)) @ q.T), b

    space = lambda index, t: sym(t) if index == 0 else t
    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": cg, "cases": [cases], "tangent_space": space, "accuracy": 1e-9, **rules}


def steady_state(rates, inflow):
    """Concentrations in a stirred tank with second-order loss: c + k c^2 + coupling c_mean = inflow, by Newton's method."""
    c = inflow
    n = len(inflow)
    for _ in range(50):
        f = c + rates * c * c + 0.5 * c.mean() - inflow
        step = np.linalg.solve(np.diag(1 + 2 * rates * c) + 0.5 / n, f)
        c = c - step
        if np.abs(step).max() < 1e-13 * np.abs(c).max():
            break
    return c


@family.add(
    "steady-state",
    wrong={
        "coupling": ("dropped term", "the mean couples the concentrations, which the Jacobian forgets"),
        "half": ("factor", "the Jacobian's diagonal has k c instead of 2 k c"),
        "start": ("stale residual", "the Jacobian at the starting value"),
        "both": ("both directions alike", "the square of c is differentiated as 2c in the rates too"),
    },
)
def _steady(v):
    def jacobian(c, rates, inflow):
        c = inflow if v == "start" else c
        out = np.diag(1 + (1 if v == "half" else 2) * rates * c)
        return out if v == "coupling" else out + 0.5 / len(c)

    def pushforward(c, primals, tangents):
        k = 2 * c if v == "both" else c * c
        return np.linalg.solve(jacobian(c, *primals), tangents[1] - k * tangents[0])

    def pullback(c, primals, g):
        lam = np.linalg.solve(jacobian(c, *primals).T, g)
        return -lam * (2 * c if v == "both" else c * c), lam

    def cases(rng):
        n = rng.integers(1, 5)
        return rng.uniform(0.1, 2, n), rng.uniform(0.5, 4, n)

    return {"f": steady_state, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 3), "_vary": cases}


def inverse_root(a, *, tol=1e-12):
    """a^(-1/3) elementwise by Newton steps without division, from a power of two."""
    _, e = np.frexp(a)
    x = 2.0 ** (-np.ceil(e / 3))
    for _ in range(60):
        step = x * (1 - a * x**3) / 3
        x = x + step
        if np.all(np.abs(step) <= tol * x):
            break
    return x


@family.add(
    "inverse-root",
    wrong={
        "power": ("factor", "1/2 instead of 1/3"),
        "small": ("rare region", "for a below 1e-3 the derivative is clipped at a = 1e-3"),
        "primal": ("primal differs", "the frule stops its iteration a few steps early"),
    },
)
def _inverse_root(v):
    def frule(primals, tangents, *, tol):
        y = inverse_root(primals[0], tol=1e-3 if v == "primal" else tol)
        a = np.maximum(primals[0], 1e-3) if v == "small" else primals[0]
        return y, -y / ((2 if v == "power" else 3) * a) * tangents[0]

    def cases(rng):
        return (10.0 ** rng.uniform(-6 if rng.random() < 0.2 else -2, 5, rng.integers(1, 5)),)

    return {"f": inverse_root, "frule": frule, "cases": [cases], "accuracy": 1e-11}


def equal_share(weights, *, tol=1e-11):
    """Risk parity: x with x_i (S x)_i equal, for a covariance built from correlated weights, by cyclic descent."""
    n = len(weights)
    s = np.diag(weights**2) + 0.3 * np.multiply.outer(weights, weights)
    x = 1 / weights
    for _ in range(500):
        old = x.copy()
        for i in range(n):
            b = s[i] @ x - s[i, i] * x[i]
            x[i] = (-b + np.sqrt(b * b + 4 * s[i, i])) / (2 * s[i, i])
        if np.abs(x - old).max() < tol * x.max():
            break
    return x


@family.add(
    "risk-parity",
    wrong={
        "diagonal": ("dropped term", "the derivative of the diagonal part lacks the 2"),
        "implicit": ("dropped term", "the 1/x^2 of the barrier is missing in the Jacobian"),
        "in-place": ("inputs changed", "the weights are inverted in place"),
    },
)
def _equal_share(v):
    def pullback(x, primals, g, *, tol):
        w = primals[0]
        s = np.diag(w**2) + 0.3 * np.multiply.outer(w, w)
        h = s + (0 if v == "implicit" else np.diag(1 / x**2))
        lam = np.linalg.solve(h, g)
        out = -((1 if v == "diagonal" else 2) * w * x * lam + 0.3 * (lam * (w @ x) + x * (lam @ w)))
        if v == "in-place":
            np.reciprocal(w, out=w)
        return (out,)

    cases = lambda rng: (rng.uniform(0.3, 2, rng.integers(2, 5)),)
    return {"f": equal_share, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases, "accuracy": 1e-9}
