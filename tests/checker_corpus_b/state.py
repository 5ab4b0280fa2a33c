"""Rules with memory: workspaces, caches, generators, arrays changed in place, maps that are not linear."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family

family = Family()


def power_spectrum(x):
    z = np.fft.rfft(x)
    return z.real**2 + z.imag**2


def _signal(rng):
    return (rng.normal(size=rng.integers(2, 9)) * 10.0 ** rng.integers(-2, 3),)


@family.add(
    "power-spectrum",
    wrong={
        "overwritten": ("residual overwritten", "the spectrum is kept in a workspace that the next call overwrites"),
        "buffer": ("result overwritten", "the cotangent is a workspace that the next pullback overwrites"),
        "accumulates": ("second call", "cotangents are added up over the calls of a pullback"),
        "nyquist": ("rare region", "the last coefficient is weighted twice for even lengths"),
    },
    right=("", "copies"),
)
def _power_spectrum(v):
    workspace, results = np.zeros(64, complex), np.zeros(64)

    def rrule(x):
        n = len(x)
        z = workspace[: n // 2 + 1]
        z[:] = np.fft.rfft(x)
        if v != "overwritten":
            z = z.copy()
        total = np.zeros(n)

        def pullback(g):
            k = 2 * g * z
            k[1 : len(k) - (n % 2 == 0 and v != "nyquist")] /= 2  # irfft counts the inner ones twice
            out = np.fft.irfft(k, n) * n
            if v == "buffer":
                results[:n] = out
                return (results[:n],)
            if v == "accumulates":
                total[:] += out
                return (total.copy(),)
            return (out,)

        return power_spectrum(x), pullback

    return {"f": power_spectrum, "rrule": rrule, "cases": [_signal]}


def l_statistic(x, weights):
    """A weighted sum of order statistics."""
    return weights @ np.sort(x)


@family.add(
    "l-statistic",
    wrong={
        "in-place": ("inputs changed", "the rule sorts the array it was given"),
        "inverse": ("permutation", "the weights are permuted by the order instead of its inverse"),
        "consumed": ("second call", "the residuals come from a generator that is empty at the second call"),
        "unsorted": ("stale residual", "the weights' cotangent is the unsorted x"),
    },
)
def _l_statistic(v):
    def rrule(x, weights):
        order = np.argsort(x, kind="stable")
        if v == "in-place":
            x.sort()
            s = x
        else:
            s = x if v == "unsorted" else x[order]
        y = weights @ np.sort(x)
        stream = iter(weights[np.argsort(order)])

        def pullback(g):
            if v == "consumed":
                taken = np.fromiter(stream, float)
                return (g * taken if taken.size else np.zeros_like(x)), g * s
            out = weights[order] if v == "inverse" else weights[np.argsort(order)]
            return g * out, g * s

        return y, pullback

    def cases(rng):
        n = rng.integers(2, 7)
        return rng.normal(size=n), rng.normal(size=n)

    return {"f": l_statistic, "rrule": rrule, "cases": [cases]}


def masked_loss(pred, target, mask):
    """A mean over the observed elements; mask is boolean, and missing targets are NaN."""
    d = np.where(mask, pred - np.where(mask, target, 0.0), 0.0)
    return np.sum(d * d) / max(int(mask.sum()), 1)


@family.add(
    "masked-loss",
    wrong={
        "nan": ("rare region", "the mask is left out of the pullback: NaN where targets are missing"),
        "count": ("factor", "the mean over all elements"),
        "target": ("dropped argument", "the target's cotangent is None, as if it were data without derivative"),
    },
    right=("", "zeros"),
)
def _masked_loss(v):
    def pullback(y, primals, g):
        pred, target, mask = primals
        k = 2 * g
        d = pred - target if v == "nan" else np.where(mask, pred - np.where(mask, target, 0.0), 0.0)
        bar = k * d / (mask.size if v == "count" else max(int(mask.sum()), 1))
        return bar, None if v == "target" else -bar, rb.NoTangent() if v == "zeros" else None

    def cases(rng):
        n = rng.integers(2, 7)
        mask = rng.random(n) < 0.8
        target = rng.normal(size=n)
        if rng.random() < 0.2 and v in ("nan", "zeros"):
            target[~mask] = np.nan
        return rng.normal(size=n), target, mask

    return {"f": masked_loss, "pullback": pullback, "cases": [cases]}


def softmin_path(cost):
    """The soft shortest path through a grid of costs, moving right or down."""
    d = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            best = -np.logaddexp(-d[i, j + 1], -d[i + 1, j]) if i + j else 0.0
            d[i + 1, j + 1] = cost[i, j] + best
    return d[-1, -1]


@family.add(
    "soft-path",
    wrong={
        "clipped": ("not linear", "cotangents are clipped to norm one"),
        "decay": ("not linear", "a weight decay of 1e-4 times the input is added"),
        "hard": ("wrong rule", "the path of the hard minimum"),
        "memo": ("second call", "the table is cached by shape and not computed anew for new costs"),
        "abs": ("not linear", "the absolute value of the cotangent is propagated"),
    },
    right=("", "memo-right"),
)
def _soft_path(v):
    cache = {}

    def table(cost):
        key = cost.shape if v == "memo" else (cost.shape, cost.tobytes())
        if not v.startswith("memo") or key not in cache:
            n, m = cost.shape
            d = np.full((n + 1, m + 1), np.inf)
            for i in range(n):
                for j in range(m):
                    best = -np.logaddexp(-d[i, j + 1], -d[i + 1, j]) if i + j else 0.0
                    d[i + 1, j + 1] = cost[i, j] + best
            cache[key] = d
        return cache[key]

    def rrule(cost):
        d = table(cost)
        n, m = cost.shape

        def pullback(g):
            g = np.abs(g) if v == "abs" else g
            bar = np.zeros((n + 1, m + 1))
            bar[n, m] = g
            for i in range(n, 0, -1):
                for j in range(m, 0, -1):
                    if i + j > 2:
                        p = 1 / (1 + np.exp(np.clip(d[i - 1, j] - d[i, j - 1], -700, 700)))
                        p = float(p > 0.5) if v == "hard" else p
                        bar[i - 1, j] += p * bar[i, j]
                        bar[i, j - 1] += (1 - p) * bar[i, j]
            out = bar[1:, 1:].copy()
            if v == "clipped":
                out /= max(1.0, np.linalg.norm(out))
            return (out + 1e-4 * cost if v == "decay" else out,)

        return softmin_path(cost), pullback

    def cases(rng):
        return (rng.uniform(0, 3, rng.integers(1, 4, 2)),)

    return {"f": softmin_path, "rrule": rrule, "cases": [cases]}


def advect(u, velocity, *, steps=3):
    """Upwind steps of an advected field on a ring."""
    for _ in range(steps):
        u = u - np.where(velocity > 0, velocity * (u - np.roll(u, 1)), velocity * (np.roll(u, -1) - u))
    return u


@family.add(
    "advect",
    wrong={
        "aliased": ("stale residual", "the history holds one array, overwritten at each step"),
        "upwind": ("rare region", "against the wind the adjoint shifts the wrong way"),
        "once": ("truncated sum", "the velocity's cotangent is that of the first step only"),
        "g": ("cotangent changed", "the pullback steps the cotangent it was given in place"),
        "popped": ("second call", "the history list is popped, so the next pullback starts empty"),
    },
)
def _advect(v):
    def rrule(u, velocity, *, steps):
        history, now = [], u.copy()
        for _ in range(steps):
            history.append(now if v == "aliased" else now.copy())
            left, right = now - np.roll(now, 1), np.roll(now, -1) - now
            now -= np.where(velocity > 0, velocity * left, velocity * right)

        def pullback(g):
            v_bar, past = np.zeros_like(velocity), history if v == "popped" else list(history)
            pos = velocity > 0
            while past:
                w = past.pop()
                if v != "once" or not past:
                    v_bar = v_bar - g * np.where(pos, w - np.roll(w, 1), np.roll(w, -1) - w)
                k = g * velocity
                a, b = np.where(pos, k, 0.0), np.where(pos, 0.0, k)
                shift = 1 if v != "upwind" else -1
                change = np.roll(a, -1) - a - np.roll(b, shift) + b
                if v == "g":
                    g += change
                else:
                    g = g + change
            return g, v_bar

        return now.copy(), pullback

    def cases(rng):
        n = rng.integers(3, 7)
        return rb.case(rng.normal(size=n), rng.uniform(-0.2 if rng.random() < 0.3 else 0.05, 0.6, n), steps=int(rng.integers(1, 4)))

    return {"f": advect, "rrule": rrule, "cases": [cases]}


def quantised(x, *, levels=4):
    """A histogram with soft bins, and the bin numbers themselves (integers)."""
    edges = np.linspace(0, 1, levels + 1)
    index = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, levels - 1)
    inside = (x - edges[index]) * levels
    counts = np.zeros(levels + 1, x.dtype)
    np.add.at(counts, index, 1 - inside)
    np.add.at(counts, index + 1, inside)
    return counts, index


@family.add(
    "soft-histogram",
    wrong={
        "levels": ("static ignored", "the slope of four levels whatever was asked for"),
        "index": ("integer result", "the index's tangent is an array of floats and the counts' is None"),
        "straight-through": ("wrong rule", "the integers are given a straight-through tangent inside the counts"),
        "float": ("primal differs", "the rule's primal returns the bin numbers as floats"),
    },
    right=("", "none"),
)
def _soft_histogram(v):
    def rrule(x, *, levels):
        counts, index = quantised(x, levels=levels)
        slope = 4 if v == "levels" else levels

        def pullback(y_bar):
            g = y_bar[0]
            out = slope * (g[index + 1] - g[index])
            return (out + 1.0 * np.sum(g) if v == "straight-through" else out,)

        return (counts, index.astype(float) if v == "float" else index), pullback

    def frule(primals, tangents, *, levels):
        y = quantised(primals[0], levels=levels)
        t = tangents[0] * levels
        dot = np.zeros_like(y[0])
        np.add.at(dot, y[1], -t)
        np.add.at(dot, y[1] + 1, t)
        if v == "index":
            return y, (None, y[1] * 1.0)
        return y, (dot, rb.NoTangent() if v == "none" else None)

    def cases(rng):
        return rb.case(rng.uniform(0.01, 0.99, rng.integers(1, 6)), levels=[4, 3, 5][rng.integers(3)])

    return {"f": quantised, "frule": frule, "rrule": rrule, "cases": [cases]}
