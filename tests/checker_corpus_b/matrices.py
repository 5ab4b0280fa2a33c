"""Linear algebra: solves, decompositions without their gauge, matrix functions."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def sym(a):
    return (a + np.swapaxes(a, -1, -2)) / 2


def symmetric(index, tangent):
    """The space of symmetric matrices for the first argument."""
    return sym(tangent) if index == 0 else tangent


def _spd(rng, n, spread=1.0):
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return sym((q * 10.0 ** rng.uniform(-spread, spread, n)) @ q.T)


def logdet(a):
    return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(a))))


@family.add(
    "logdet",
    wrong={
        "half": ("factor", "the 2 of log det = 2 sum log diag L is lost"),
        "triangle": ("outside the tangent space", "the inverse's lower triangle alone, doubled below the diagonal"),
        "one-sided": ("dropped term", "off-diagonal elements of the inverse are dropped"),
        "jitter": ("below the noise", "1e-7 is added to the diagonal before inverting"),
    },
    right=("", "scales"),
)
def _logdet(v):
    def pullback(y, primals, y_bar):
        inv = np.linalg.inv(primals[0] + (1e-7 * np.eye(len(primals[0])) if v == "jitter" else 0))
        inv = sym(inv)
        if v == "half":
            inv = inv / 2
        if v == "triangle":
            inv = 2 * np.tril(inv) - np.diag(np.diag(inv))
        if v == "one-sided":
            inv = np.diag(np.diag(inv))
        return (y_bar * inv,)

    def cases(rng):
        a = _spd(rng, rng.integers(2, 5), 0.5 if v == "scales" else 1.0)
        d = 10.0 ** rng.uniform(-6, 6, len(a)) if v == "scales" else np.ones(len(a))  # units that differ widely
        return (d[:, None] * a * d,)

    return {"f": logdet, "pullback": pullback, "cases": [cases], "tangent_space": symmetric}


def solve(a, b, *, trans=False):
    return np.linalg.solve(a.T if trans else a, b)


@family.add(
    "solve",
    wrong={
        "no-transpose": ("not transposed", "the pullback solves with A instead of its transpose"),
        "trans": ("static ignored", "A's cotangent is not transposed back where trans is set"),
        "sign": ("sign", "A's cotangent and A's tangent both come with a plus"),
        "outer": ("transpose", "the outer product is the wrong way around"),
    },
    right=("", "hilbert"),
)
def _solve(v):
    def frule(primals, tangents, *, trans):
        (a, b), (da, db) = primals, tangents
        x = solve(a, b, trans=trans)
        da = da.T if trans else da
        return x, solve(a, db + da @ x if v == "sign" else db - da @ x, trans=trans)

    def rrule(a, b, *, trans):
        x = solve(a, b, trans=trans)

        def pullback(g):
            b_bar = solve(a, g, trans=trans if v == "no-transpose" else not trans)
            m = -np.multiply.outer(b_bar, x) if x.ndim == 1 else -b_bar @ x.T
            m = m.T if v == "outer" else m
            return (-m if v == "sign" else m).T if trans and v != "trans" else (-m if v == "sign" else m), b_bar

        return x, pullback

    def cases(rng):
        n = rng.integers(1 if v == "" else 2, 5)
        a = rng.normal(size=(n, n)) + 2 * np.eye(n)
        if v == "hilbert":
            n = rng.integers(3, 6)
            a = 1.0 / (1 + np.add.outer(np.arange(n), np.arange(n)))
        b = rng.normal(size=n) if rng.random() < 0.5 else rng.normal(size=(n, 2))
        return rb.case(a, b, trans=bool(rng.random() < 0.3))

    return {"f": solve, "frule": frule, "rrule": rrule, "cases": [cases]}


def lyapunov(a, q):
    """X with A X + X A' = Q."""
    n = len(a)
    k = np.kron(a, np.eye(n)) + np.kron(np.eye(n), a)
    return np.linalg.solve(k, q.reshape(-1)).reshape(n, n)


@family.add(
    "lyapunov",
    wrong={
        "one-side": ("dropped term", "only one of the two terms of A's cotangent"),
        "no-transpose": ("not transposed", "the adjoint equation is solved with A"),
        "both": ("same error in both directions", "X is taken as symmetric, which it is only for symmetric Q"),
    },
)
def _lyapunov(v):
    def pushforward(x, primals, tangents):
        a, da = primals[0], tangents[0]
        return lyapunov(a, tangents[1] - da @ x - (x.T if v == "both" else x) @ da.T)

    def pullback(x, primals, g):
        a = primals[0]
        s = lyapunov(a if v == "no-transpose" else a.T, g)
        second = 0 if v == "one-side" else s.T @ (x.T if v == "both" else x)
        return -s @ x.T - second, s

    def cases(rng):
        n = rng.integers(2, 4)
        a = rng.normal(size=(n, n)) - 3 * np.eye(n)
        q = rng.normal(size=(n, n))
        return a, sym(q) if rng.random() < 0.5 else q

    return {"f": lyapunov, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def sqrtm(a):
    w, q = np.linalg.eigh(sym(a))
    return (q * np.sqrt(w)) @ q.T


@family.add(
    "sqrtm",
    wrong={
        "commuting": ("wrong rule", "dA / (2 sqrt A), right only where they commute"),
        "unequal": ("dropped factor", "the divided differences are doubled off the diagonal"),
        "not-sym": ("outside the tangent space", "the cotangent is multiplied from the left alone"),
    },
)
def _sqrtm(v):
    def transported(a, s):
        w, q = np.linalg.eigh(sym(a))
        r = np.sqrt(w)
        if v == "commuting":
            return sym(np.linalg.solve(2 * (q * r) @ q.T, s))
        if v == "not-sym":
            return np.linalg.solve(2 * (q * r) @ q.T, sym(s))
        gaps = np.add.outer(r, r)
        if v == "unequal":
            gaps = np.where(np.eye(len(r)) > 0, gaps, gaps / 2)
        return q @ (q.T @ sym(s) @ q / gaps) @ q.T

    def pushforward(y, primals, tangents):
        return transported(primals[0], tangents[0])

    def pullback(y, primals, y_bar):
        return (transported(primals[0], y_bar),)

    def cases(rng):
        return (_spd(rng, rng.integers(2, 5)),)

    return {
        "f": sqrtm,
        "pushforward": pushforward,
        "pullback": pullback,
        "cases": listed(cases, 2),
        "_vary": cases,
        "tangent_space": symmetric,
    }


def ground_state(h):
    """The projector on the eigenvector of the lowest eigenvalue: free of its sign."""
    _, q = np.linalg.eigh(sym(h))
    return np.multiply.outer(q[:, 0], q[:, 0])


@family.add(
    "ground-state",
    wrong={
        "sign": ("sign", "the gaps are subtracted the other way around"),
        "half": ("dropped term", "only |dv><v|, without its transpose"),
        "first": ("truncated sum", "only the next eigenvector is mixed in"),
    },
    right=("", "reverse"),
)
def _ground_state(v):
    def mixing(h):
        w, q = np.linalg.eigh(sym(h))
        inverse = np.zeros_like(w)
        inverse[1:] = 1 / (w[1:] - w[0]) if v == "sign" else 1 / (w[0] - w[1:])
        if v == "first":
            inverse[2:] = 0
        return q, (q * inverse) @ q.T

    def pushforward(y, primals, tangents):
        q, r = mixing(primals[0])
        d = np.multiply.outer(r @ sym(tangents[0]) @ q[:, 0], q[:, 0])
        return d if v == "half" else d + d.T

    def pullback(y, primals, g):
        q, r = mixing(primals[0])
        return (sym(np.multiply.outer(r @ ((g if v == "half" else g + g.T) @ q[:, 0]), q[:, 0])),)

    def cases(rng):
        n = rng.integers(2, 5)
        q, _ = np.linalg.qr(rng.normal(size=(n, n)))
        return (sym((q * np.cumsum(rng.uniform(0.3, 2.0, n))) @ q.T),)

    rules: dict[str, Any] = {"pullback": pullback} if v == "reverse" else {"pushforward": pushforward, "pullback": pullback}
    return {"f": ground_state, "cases": [cases], "tangent_space": symmetric, **rules}


def procrustes(a):
    """The rotation nearest to a square matrix."""
    u, _, vt = np.linalg.svd(a)
    return u @ vt


@family.add(
    "procrustes",
    wrong={
        "difference": ("wrong denominator", "s_i - s_j as in the derivative of U instead of s_i + s_j"),
        "no-skew": ("dropped projection", "the skew part is not taken"),
        "half": ("factor", "half the derivative in both directions"),
    },
)
def _procrustes(v):
    def turned(a, x):
        u, s, vt = np.linalg.svd(a)
        m = u.T @ x @ vt.T
        m = m if v == "no-skew" else m - m.T
        gaps = np.subtract.outer(s, s) + 1e-3 if v == "difference" else np.add.outer(s, s)
        return u @ (m / gaps) @ vt / (2 if v == "half" else 1)

    def frule(primals, tangents):
        return procrustes(primals[0]), turned(primals[0], tangents[0])

    def pullback(y, primals, y_bar):
        return (turned(primals[0], y_bar),)

    def cases(rng):
        n = rng.integers(2, 4)
        u, _ = np.linalg.qr(rng.normal(size=(n, n)))
        w, _ = np.linalg.qr(rng.normal(size=(n, n)))
        return ((u * rng.uniform(0.2, 3.0, n)) @ w,)

    return {"f": procrustes, "frule": frule, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def thomas(lower, diagonal, upper, rhs):
    """Solve a tridiagonal system; the bands are modified in copies."""
    d, r = np.array(diagonal), np.array(rhs)
    n = len(d)
    for i in range(1, n):
        w = lower[i - 1] / d[i - 1]
        d[i] = d[i] - w * upper[i - 1]
        r[i] = r[i] - w * r[i - 1]
    x = np.empty_like(r)
    x[-1] = r[-1] / d[-1]
    for i in range(n - 2, -1, -1):
        x[i] = (r[i] - upper[i] * x[i + 1]) / d[i]
    return x


@family.add(
    "thomas",
    wrong={
        "bands": ("arguments swapped", "the adjoint solve keeps lower and upper in place"),
        "offset": ("off by one", "the lower band's cotangent pairs x[i+1] with s[i]"),
        "in-place": ("inputs changed", "the elimination overwrites the diagonal it was given"),
        "last": ("one element", "the last element of the diagonal gets no cotangent"),
    },
)
def _thomas(v):
    def pullback(x, primals, y_bar):
        lower, diagonal, upper, _ = primals
        s = thomas(lower, diagonal, upper, y_bar) if v == "bands" else thomas(upper, diagonal, lower, y_bar)
        d_bar = -s * x
        if v == "last":
            d_bar[-1] = 0
        if v == "in-place":
            for i in range(1, len(diagonal)):
                diagonal[i] -= lower[i - 1] / diagonal[i - 1] * upper[i - 1]
        low = -x[1:] * s[:-1] if v == "offset" else -s[1:] * x[:-1]
        return low, d_bar, -s[:-1] * x[1:], s

    def cases(rng):
        n = rng.integers(2, 8)
        lower, upper = rng.normal(size=(2, n - 1))
        return lower, 3 + rng.uniform(0, 2, n), upper, rng.normal(size=n)

    return {"f": thomas, "pullback": pullback, "cases": [cases]}


def expm_action(a, b, *, t=1.0, terms=40):
    """exp(t A) b by its Taylor series."""
    y, term = b, b
    for k in range(1, terms):
        term = (t / k) * (a @ term)
        y = y + term
    return y


@family.add(
    "expm-action",
    wrong={
        "commuting": ("wrong rule", "dA is applied once after the exponential, as if it commuted"),
        "time": ("static ignored", "t is missing in A's cotangent"),
        "not-transposed": ("not transposed", "b's cotangent is propagated with A"),
        "terms": ("primal differs", "the rrule's own series stops after eight terms"),
    },
)
def _expm_action(v):
    def series(a, b, t, terms):
        out = [b]
        for k in range(1, 8 if v == "terms" else terms):
            out.append((t / k) * (a @ out[-1]))
        return out

    def rrule(a, b, *, t, terms):
        parts = series(a, b, t, terms)

        def pullback(g):
            a_bar, carried = np.zeros_like(a), g
            for k in range(len(parts) - 1, 0, -1):  # carried is the cotangent of term k
                a_bar = a_bar + (t / k) * np.multiply.outer(carried, parts[k - 1])
                carried = g + (t / k) * ((a if v == "not-transposed" else a.T) @ carried)
            if v == "commuting":
                a_bar = t * np.multiply.outer(g, sum(parts))
            return a_bar / t if v == "time" else a_bar, carried

        return sum(parts[1:], parts[0]), pullback

    def cases(rng):
        n = rng.integers(2, 4)
        return rb.case(rng.normal(size=(n, n)), rng.normal(size=n), t=[1.0, 0.25, 2.0][rng.integers(3)], terms=40)

    return {"f": expm_action, "rrule": rrule, "cases": [cases]}
