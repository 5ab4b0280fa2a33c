"""Trajectories, quadrature, interpolation, sparse sums."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def logistic_map(x, r, *, steps=8):
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


@family.add(
    "logistic-map",
    wrong={
        "one-less": ("off by one", "the product of slopes misses the first step"),
        "r": ("dropped term", "r is differentiated in the last step alone"),
        "steps": ("static ignored", "always eight steps in the rule"),
    },
    right=("", "forward"),
)
def _logistic(v):
    def orbit(x, r, steps):
        xs = [x]
        for _ in range(8 if v == "steps" else steps):
            xs.append(r * xs[-1] * (1 - xs[-1]))
        return xs

    def frule(primals, tangents, *, steps):
        (x, r), (dx, dr) = primals, tangents
        for _ in range(steps):
            x, dx = r * x * (1 - x), r * (1 - 2 * x) * dx + x * (1 - x) * dr
        return x, dx

    def rrule(x, r, *, steps):
        xs = orbit(x, r, steps)

        def pullback(g):
            r_bar = 0 * g
            for i, a in enumerate(xs[-2::-1]):
                if v != "r" or i == 0:
                    r_bar = r_bar + g * a * (1 - a)
                if v != "one-less" or i < len(xs) - 2:
                    g = g * r * (1 - 2 * a)
            return g, r_bar

        return logistic_map(x, r, steps=steps), pullback

    def cases(rng):
        return rb.case(np.float64(rng.uniform(0.05, 0.95)), np.float64(rng.uniform(2.5, 4.0)), steps=int(rng.choice([8, 1, 3, 12, 25])))

    return {"f": logistic_map, "cases": [cases], **({"frule": frule} if v == "forward" else {"rrule": rrule})}


def lotka(u, p):
    a, b, c, d = p
    return np.stack([a * u[0] - b * u[0] * u[1], -c * u[1] + d * u[0] * u[1]])


def rk4(u, p, *, h=0.05, steps=10):
    """The trajectory of predator and prey at all steps, shape (steps + 1, 2)."""
    out = [u]
    for _ in range(steps):
        k1 = lotka(u, p)
        k2 = lotka(u + h / 2 * k1, p)
        k3 = lotka(u + h / 2 * k2, p)
        k4 = lotka(u + h * k3, p)
        u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        out.append(u)
    return np.stack(out)


def _lotka_pull(u, p, g):
    a, b, c, d = p
    u_bar = np.stack([g[0] * (a - b * u[1]) + g[1] * d * u[1], -g[0] * b * u[0] + g[1] * (d * u[0] - c)])
    return u_bar, np.stack([g[0] * u[0], -g[0] * u[0] * u[1], -g[1] * u[1], g[1] * u[0] * u[1]])


@family.add(
    "rk4",
    wrong={
        "last": ("dropped result", "only the last time's cotangent is propagated"),
        "stage": ("factor", "the third stage is weighted with one instead of two"),
        "continuous": ("below the noise", "the cotangent of the starting value by the continuous adjoint, integrated backwards: 1e-6 off"),
        "initial": ("dropped term", "the trajectory's first point is the starting value itself; its cotangent is forgotten"),
    },
)
def _rk4(v):
    def rrule(u, p, *, h, steps):
        ys = rk4(u, p, h=h, steps=steps)

        def pullback(g):
            p_bar, lam = np.zeros(4), np.zeros(2)
            for n in range(len(ys) - 1, 0, -1):
                lam = lam + (0 if v == "last" and n < len(ys) - 1 else g[n])
                u0 = ys[n - 1]
                k1 = lotka(u0, p)
                k2 = lotka(u0 + h / 2 * k1, p)
                k3 = lotka(u0 + h / 2 * k2, p)
                b4, q4 = _lotka_pull(u0 + h * k3, p, h / 6 * lam)
                b3, q3 = _lotka_pull(u0 + h / 2 * k2, p, h / (6 if v == "stage" else 3) * lam + h * b4)
                b2, q2 = _lotka_pull(u0 + h / 2 * k1, p, h / 3 * lam + h / 2 * b3)
                b1, q1 = _lotka_pull(u0, p, h / 6 * lam + h / 2 * b2)
                if v == "continuous":
                    fs = (ys[n], (ys[n] + u0) / 2 - h / 8 * (lotka(ys[n], p) - k1), u0)
                    c1 = _lotka_pull(fs[0], p, lam)[0]
                    c2 = _lotka_pull(fs[1], p, lam + h / 2 * c1)[0]
                    c3 = _lotka_pull(fs[1], p, lam + h / 2 * c2)[0]
                    lam = lam + h / 6 * (c1 + 2 * c2 + 2 * c3 + _lotka_pull(fs[2], p, lam + h * c3)[0])
                else:
                    lam = lam + b1 + b2 + b3 + b4
                p_bar = p_bar + q1 + q2 + q3 + q4
            return lam + (0 if v == "initial" else g[0]), p_bar

        return ys, pullback

    def cases(rng):
        return rb.case(rng.uniform(0.5, 3, 2), rng.uniform(0.3, 1.5, 4), h=float(rng.choice([0.05, 0.1])), steps=int(rng.integers(1, 8)))

    return {"f": rk4, "rrule": rrule, "cases": [cases]}


def interp(x, knots, values):
    """Linear interpolation, constant outside; knots increase."""
    return np.interp(x, knots, values)


@family.add(
    "interp",
    wrong={
        "outside": ("rare region", "the slope is continued outside of the knots"),
        "knots": ("zero cotangent", "the knots get None though they move the result"),
        "side": ("off by one", "the weights of the two neighbours are exchanged"),
        "last": ("only one element", "the value at the last knot gets nothing"),
    },
    right=("", "numpy-free"),
)
def _interp(v):
    def rrule(x, knots, values):
        i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
        width = knots[i + 1] - knots[i]
        t = (x - knots[i]) / width
        inside = (x >= knots[0]) & (x <= knots[-1]) if v != "outside" else np.ones(len(x), bool)
        slope = np.where(inside, (values[i + 1] - values[i]) / width, 0.0)
        w = np.clip(t, 0, 1)

        def pullback(g):
            bar = np.zeros_like(values)
            a, b = (w, 1 - w) if v == "side" else (1 - w, w)
            np.add.at(bar, i, g * a)
            np.add.at(bar, i + 1, g * b)
            if v == "last":
                bar[-1] = 0
            k_bar = np.zeros_like(knots)
            np.add.at(k_bar, i, -g * slope * (1 - w))
            np.add.at(k_bar, i + 1, -g * slope * w)
            return g * slope, None if v == "knots" else k_bar, bar

        mine = values[i] * (1 - w) + values[i + 1] * w
        return mine if v == "numpy-free" else interp(x, knots, values), pullback

    def cases(rng):
        n = rng.integers(2, 6)
        knots = np.cumsum(rng.uniform(0.3, 1, n))
        x = rng.uniform(knots[0], knots[-1], rng.integers(1, 5))
        if rng.random() < 0.15:
            x[0] = knots[-1] + 0.4
        return x, knots, rng.normal(size=n)

    return {"f": interp, "rrule": rrule, "cases": [cases]}


def spline(values, x):
    """The natural cubic spline through values at 0, 1, 2, ... evaluated at x."""
    n = len(values)
    i = np.clip(np.floor(x).astype(int), 0, n - 2)
    m = _moments(n) @ values
    t, u = x - i, i + 1 - x
    return u * values[i] + t * values[i + 1] + ((u**3 - u) * m[i] + (t**3 - t) * m[i + 1]) / 6


def _moments(n):
    """Values to second derivatives."""
    a = np.eye(n)
    b = np.zeros((n, n))
    for k in range(1, n - 1):
        a[k, k - 1 : k + 2] = [1 / 6, 2 / 3, 1 / 6]
        b[k, k - 1 : k + 2] = [1, -2, 1]
    return np.linalg.solve(a, b)


@family.add(
    "spline",
    wrong={
        "moments": ("dropped term", "the second derivatives are taken as constants"),
        "transpose": ("not transposed", "the moments' cotangent is multiplied by the matrix itself"),
        "slope": ("factor", "the slope's cubic part comes with 2 instead of 3"),
    },
)
def _spline(v):
    def parts(values, x):
        n = len(values)
        i = np.clip(np.floor(x).astype(int), 0, n - 2)
        return i, x - i, i + 1 - x, _moments(n)

    def pushforward(y, primals, tangents):
        values, x = primals
        i, t, u, k = parts(values, x)
        m, three = k @ values, 2 if v == "slope" else 3
        slope = values[i + 1] - values[i] + ((three * t * t - 1) * m[i + 1] - (three * u * u - 1) * m[i]) / 6
        return slope * tangents[1] + spline(tangents[0], x)

    def pullback(y, primals, g):
        values, x = primals
        i, t, u, k = parts(values, x)
        m, three = k @ values, 2 if v == "slope" else 3
        slope = values[i + 1] - values[i] + ((three * t * t - 1) * m[i + 1] - (three * u * u - 1) * m[i]) / 6
        bar, m_bar = np.zeros_like(values), np.zeros_like(values)
        np.add.at(bar, i, g * u)
        np.add.at(bar, i + 1, g * t)
        np.add.at(m_bar, i, g * (u**3 - u) / 6)
        np.add.at(m_bar, i + 1, g * (t**3 - t) / 6)
        if v != "moments":
            bar = bar + (k if v == "transpose" else k.T) @ m_bar
        return bar, g * slope

    def cases(rng):
        n = rng.integers(3, 7)
        return rng.normal(size=n), rng.uniform(0, n - 1, rng.integers(1, 4))

    return {"f": spline, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def sparse_matvec(data, rows, cols, x, *, shape):
    out = np.zeros(shape[0], np.result_type(data, x))
    np.add.at(out, rows, data * x[cols])
    return out


@family.add(
    "sparse-matvec",
    wrong={
        "duplicates": ("repeated indices", "x_bar[cols] += keeps one of several entries of a column"),
        "swapped": ("arguments swapped", "rows and columns are exchanged where the matrix is square"),
        "bincount": ("shape", "bincount without minlength is short if the last column is empty"),
    },
)
def _sparse(v):
    def pullback(y, primals, g, *, shape):
        data, rows, cols, x = primals
        if v == "swapped" and shape[0] == shape[1]:
            rows, cols = cols, rows
        x_bar = np.zeros_like(x)
        if v == "duplicates":
            x_bar[cols] += data * g[rows]
        elif v == "bincount":
            x_bar = np.bincount(cols, data * g[rows])
        else:
            np.add.at(x_bar, cols, data * g[rows])
        return g[rows] * x[cols], None, None, x_bar

    def cases(rng):
        n, m = rng.integers(1, 4, 2)
        k = rng.integers(1, 6)
        shape = (int(n), int(m))
        return rb.case(rng.normal(size=k), rng.integers(0, n, k), rng.integers(0, m, k), rng.normal(size=m), shape=shape)

    return {"f": sparse_matvec, "pullback": pullback, "cases": [cases]}


def segment_max(x, segments, *, count):
    out = np.full(count, -np.inf)
    np.maximum.at(out, segments, x)
    return np.where(np.isfinite(out), out, 0.0)


@family.add(
    "segment-max",
    wrong={
        "ties": ("rare region", "the cotangent also goes to all elements within 0.1 of the maximum"),
        "global": ("wrong index", "a segment's maximum is looked up in the whole array by its place"),
        "mean": ("factor", "divided by the number of elements of the segment"),
    },
)
def _segment_max(v):
    def pullback(y, primals, g, *, count):
        x, segments = primals
        hit = x >= y[segments] - (0.1 if v == "ties" else 0.0)
        out = np.where(hit, g[segments], 0.0)
        if v == "global":
            out = np.where(x == x.max(), g[segments], 0.0)
        return (out / np.bincount(segments, minlength=count)[segments] if v == "mean" else out), None

    def cases(rng):
        n = rng.integers(1, 7)
        return rb.case(rng.normal(size=n), rng.integers(0, 3, n), count=3)

    return {"f": segment_max, "pullback": pullback, "cases": [cases]}


def sinkhorn(cost, *, epsilon=0.5, rounds=60):
    """The transport plan between uniform marginals after a fixed number of rounds."""
    k = np.exp(-cost / epsilon)
    n, m = cost.shape
    v = np.ones(m)
    for _ in range(rounds):
        u = 1 / n / (k @ v)
        v = 1 / m / (k.T @ u)
    return u[:, None] * k * v


@family.add(
    "sinkhorn",
    wrong={
        "epsilon": ("static ignored", "the rule divides by the default epsilon"),
        "envelope": ("dropped term", "the scalings are held constant"),
        "once": ("truncated sum", "only the last round is differentiated"),
    },
)
def _sinkhorn(v):
    def rrule(cost, *, epsilon, rounds):
        n, m = cost.shape
        k = np.exp(-cost / epsilon)
        history, b = [], np.ones(m)
        for _ in range(rounds):
            a = 1 / n / (k @ b)
            history.append((b, a))
            b = 1 / m / (k.T @ a)

        def pullback(g):
            last = history[-1][1]
            k_bar = g * last[:, None] * b
            a_bar, b_bar = (g * k * b).sum(1), (g * k * last[:, None]).sum(0)
            after = b
            for before, a in reversed(history[-1:] if v == "once" else [] if v == "envelope" else history):
                s_bar = -b_bar * after**2 * m  # of k.T @ a
                k_bar = k_bar + np.multiply.outer(a, s_bar)
                r_bar = -(a_bar + k @ s_bar) * a**2 * n
                k_bar = k_bar + np.multiply.outer(r_bar, before)
                b_bar, a_bar, after = k.T @ r_bar, 0 * a_bar, before
            return (-k_bar * k / (0.5 if v == "epsilon" else epsilon),)

        return sinkhorn(cost, epsilon=epsilon, rounds=rounds), pullback

    def cases(rng):
        shape = rng.integers(2, 4, 2)
        return rb.case(rng.uniform(0, 2, shape), epsilon=float(rng.choice([0.5, 1.0, 0.2])), rounds=int(rng.choice([60, 3])))

    return {"f": sinkhorn, "rrule": rrule, "cases": [cases]}
