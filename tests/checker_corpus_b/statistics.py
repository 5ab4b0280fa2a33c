"""Statistics: likelihoods, order statistics, robust losses, filters, hidden Markov models."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def gp_likelihood(x, y, theta, *, jitter=1e-8):
    """Log marginal likelihood of a Gaussian process; theta = log of amplitude, length and noise."""
    amp, length, noise = np.exp(theta)
    r = np.subtract.outer(x, x)
    k = amp**2 * np.exp(-0.5 * (r / length) ** 2) + (noise**2 + jitter) * np.eye(len(x))
    factor = np.linalg.cholesky(k)
    z = np.linalg.solve(factor, y)
    return -0.5 * z @ z - np.log(np.diag(factor)).sum() - 0.5 * len(x) * np.log(2 * np.pi)


@family.add(
    "gp-likelihood",
    wrong={
        "noise": ("factor", "the noise's derivative lacks the 2 of the square"),
        "trace": ("dropped term", "the complexity term is left out for the length scale"),
        "x": ("factor", "both rows and columns move with x: a factor of two is lost"),
        "jitter": ("static ignored", "the default jitter is used in the pullback"),
    },
)
def _gp(v):
    def pullback(value, primals, g, *, jitter):
        x, y, theta = primals
        amp, length, noise = np.exp(theta)
        r = np.subtract.outer(x, x)
        signal = amp**2 * np.exp(-0.5 * (r / length) ** 2)
        inv = np.linalg.inv(signal + (noise**2 + (1e-8 if v == "jitter" else jitter)) * np.eye(len(x)))
        a = inv @ y
        bar = 0.5 * g * (np.multiply.outer(a, a) - inv)
        length_bar = np.sum((0.5 * g * np.multiply.outer(a, a) if v == "trace" else bar) * signal * (r / length) ** 2)
        theta_bar = np.array([2 * np.sum(bar * signal), length_bar, (1 if v == "noise" else 2) * noise**2 * np.trace(bar)])
        x_bar = -(1 if v == "x" else 2) * np.sum(bar * signal * r, axis=1) / length**2
        return x_bar, -g * a, theta_bar

    def cases(rng):
        n = rng.integers(2, 6)
        theta = np.array([rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-3, 0)])
        return rb.case(np.sort(rng.uniform(-2, 2, n)), rng.normal(size=n), theta, jitter=float(rng.choice([1e-8, 1e-2])))

    return {"f": gp_likelihood, "pullback": pullback, "cases": [cases]}


def hmm(log_start, log_trans, log_emit):
    """Log likelihood by the forward algorithm; emissions (time, state)."""
    a = log_start + log_emit[0]
    for e in log_emit[1:]:
        top = a.max()
        a = np.log(np.exp(a - top) @ np.exp(log_trans)) + top + e
    return a.max() + np.log(np.exp(a - a.max()).sum())


@family.add(
    "hmm",
    wrong={
        "viterbi": ("wrong rule", "the most likely path instead of the posterior"),
        "transitions": ("truncated sum", "the last transition is left out"),
        "filter": ("wrong rule", "the filtered instead of the smoothed probabilities as cotangent of the emissions"),
        "start": ("zero cotangent", "the start's cotangent is None"),
    },
)
def _hmm(v):
    def pullback(y, primals, g):
        start, trans, emit = primals
        n = len(emit)
        alphas, betas = [start + emit[0]], [np.zeros(len(start))]
        for e in emit[1:]:
            alphas.append(np.logaddexp.reduce(alphas[-1][:, None] + trans, axis=0) + e)
        for e in emit[:0:-1]:
            betas.append(np.logaddexp.reduce(trans + e + betas[-1], axis=1))
        betas = betas[::-1]
        gamma = np.exp(np.array(alphas) + np.array(betas) - y)
        if v == "filter":
            gamma = np.exp(np.array(alphas) - np.logaddexp.reduce(np.array(alphas), axis=1)[:, None])
        if v == "viterbi":
            gamma = (gamma == gamma.max(1, keepdims=True)) * 1.0
        trans_bar = np.zeros_like(trans)
        for t in range(n - (2 if v == "transitions" else 1)):
            trans_bar += np.exp(alphas[t][:, None] + trans + (emit[t + 1] + betas[t + 1])[None] - y)
        return None if v == "start" else g * gamma[0], g * trans_bar, g * gamma

    def cases(rng):
        n, t = rng.integers(2, 4), rng.integers(1, 5)
        logs = [np.log(rng.dirichlet(np.ones(n), s)) for s in ((), n)]
        return *logs, rng.normal(size=(t, n)) * rng.choice([1.0, 200.0], p=[0.9, 0.1])

    return {"f": hmm, "pullback": pullback, "cases": [cases]}


def kalman(mean, cov, z, h, r):
    """One measurement update: the new mean, covariance and the log likelihood, as a dict."""
    s = h @ cov @ h.T + r
    k = np.linalg.solve(s.T, h @ cov.T).T
    e = z - h @ mean
    return {"mean": mean + k @ e, "cov": cov - k @ h @ cov, "innovation": e}


@family.add(
    "kalman",
    wrong={
        "gain": ("dropped term", "the gain is taken as constant in the covariance"),
        "innovation": ("dropped result", "the innovation's own cotangent is ignored for the mean"),
        "joseph": ("dropped term", "the covariance's tangent misses the second K H dP term"),
        "r-sign": ("sign", "the noise's cotangent has the wrong sign"),
    },
)
def _kalman(v):
    def frule(primals, tangents):
        mean, cov, _, h, r = primals
        dm, dp, dz, dh, dr = tangents
        out = kalman(*primals)
        s = h @ cov @ h.T + r
        k = np.linalg.solve(s.T, h @ cov.T).T
        ds = dh @ cov @ h.T + h @ dp @ h.T + h @ cov @ dh.T + dr
        dk = (dp @ h.T + cov @ dh.T - k @ ds) @ np.linalg.inv(s)
        de = dz - dh @ mean - h @ dm
        dcov = dp - (dk @ h + k @ dh) @ cov - (0 if v == "joseph" else k @ h @ dp)
        return out, {"mean": dm + dk @ out["innovation"] + k @ de, "cov": dcov, "innovation": de}

    def rrule(mean, cov, z, h, r):
        out = kalman(mean, cov, z, h, r)
        s = h @ cov @ h.T + r
        k = np.linalg.solve(s.T, h @ cov.T).T

        def pullback(bar):
            gm, gp, ge = bar["mean"], bar["cov"], bar["innovation"]
            e_bar = (0 if v == "innovation" else ge) + k.T @ gm
            k_bar = np.multiply.outer(gm, out["innovation"]) - gp @ (h @ cov).T
            c_bar = np.linalg.solve(s, k_bar.T).T  # of the cross covariance P H'
            s_bar = -k.T @ c_bar
            if v == "gain":
                c_bar, s_bar = 0 * c_bar, 0 * s_bar
            p_bar = gp - h.T @ k.T @ gp + c_bar @ h + h.T @ s_bar @ h
            h_bar = -np.multiply.outer(e_bar, mean) - k.T @ gp @ cov.T + c_bar.T @ cov + s_bar @ h @ cov.T + s_bar.T @ h @ cov
            return gm - h.T @ e_bar, p_bar, e_bar, h_bar, -s_bar if v == "r-sign" else s_bar

        return out, pullback

    def cases(rng):
        n, m = rng.integers(1, 4), rng.integers(1, 3)
        p, r = rng.normal(size=(n, n)), rng.normal(size=(m, m))
        return rng.normal(size=n), p @ p.T + 0.5 * np.eye(n), rng.normal(size=m), rng.normal(size=(m, n)), r @ r.T + 0.5 * np.eye(m)

    out: dict[str, Any] = {"f": kalman, "frule": frule, "rrule": rrule, "cases": listed(cases, 2), "_vary": cases}
    if v == "":
        del out["frule"]
    return out


def huber(x, delta):
    a = np.abs(x)
    return np.sum(np.where(a <= delta, 0.5 * x * x, delta * (a - 0.5 * delta)))


@family.add(
    "huber",
    wrong={
        "delta": ("rare region", "delta gets no cotangent from the outliers"),
        "one-sided": ("rare region", "large negative residuals count as positive ones"),
        "inner": ("branches swapped", "the quadratic branch is used outside"),
    },
)
def _huber(v):
    def pullback(y, primals, g):
        x, delta = primals
        inside = np.abs(x) <= delta
        slope = delta if v == "one-sided" else delta * np.sign(x)
        x_bar = g * np.where(inside, x, x if v == "inner" else slope)
        return x_bar, np.zeros_like(delta) if v == "delta" else g * np.sum(np.where(inside, 0.0, np.abs(x) - delta))

    def cases(rng):
        x = rng.normal(size=rng.integers(1, 6)) * 0.5
        x[rng.random(len(x)) < 0.1] *= 8
        return x, np.float64(rng.uniform(1.0, 1.6))

    return {"f": huber, "pullback": pullback, "cases": [cases]}


def isotonic(y):
    """Pool adjacent violators, equal weights."""
    blocks = []
    for value in y:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            b, n = blocks.pop()
            a, m = blocks.pop()
            blocks.append([(a * m + b * n) / (m + n), m + n])
    return np.concatenate([np.full(n, b) for b, n in blocks])


@family.add(
    "isotonic",
    wrong={
        "identity": ("rare region", "the identity wherever the block is longer than two"),
        "sum": ("factor", "the block sum instead of the mean"),
        "first": ("only one element", "the whole block's cotangent goes to its first element"),
    },
    right=("", "forward"),
)
def _isotonic(v):
    def averaged(y, x):
        out = np.array(x)
        edges = np.concatenate([[0], np.nonzero(np.diff(y))[0] + 1, [len(y)]])
        for a, b in itertools.pairwise(edges):
            if v == "identity" and b - a > 2:
                continue
            out[a:b] = np.sum(x[a:b]) if v == "sum" else np.mean(x[a:b])
            if v == "first":
                out[a:b] = 0
                out[a] = np.sum(x[a:b])
        return out

    def pushforward(y, primals, tangents):
        return averaged(y, tangents[0])

    def pullback(y, primals, g):
        return (averaged(y, g),)

    def cases(rng):
        n = rng.integers(2, 7)
        return (np.arange(n) * rng.uniform(0, 1) + rng.normal(size=n),)

    return {"f": isotonic, "cases": [cases], **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback})}


def log_sum_exp(x, *, axis=-1, keepdims=False):
    top = x.max(axis=axis, keepdims=True)
    out = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return out if keepdims else out.squeeze(axis)


@family.add(
    "log-sum-exp",
    wrong={
        "axis": ("static ignored", "weights over the last axis whatever the axis"),
        "overflow": ("rare region", "exp without the shift overflows for large inputs"),
        "keepdims": ("static ignored", "keepdims gives cotangents summed over the axis"),
        "underflow": ("hidden by scale", "weights below 1e-8 are set to zero"),
    },
    right=("", "different-primal"),
)
def _log_sum_exp(v):
    def rrule(x, *, axis, keepdims):
        y = log_sum_exp(x, axis=axis, keepdims=True)
        w = np.exp(x) / np.exp(x).sum(axis, keepdims=True) if v == "overflow" else np.exp(x - y)
        if v == "axis":
            w = np.exp(x - log_sum_exp(x, keepdims=True))
        if v == "underflow":
            w = np.where(w < 1e-8, 0.0, w)
        value = np.logaddexp.reduce(x, axis=axis, keepdims=keepdims) if v == "different-primal" else y if keepdims else y.squeeze(axis)

        def pullback(g):
            g = g if keepdims else np.expand_dims(g, axis)
            bar = g * w
            return (bar.sum(axis, keepdims=True) + 0 * bar if v == "keepdims" and keepdims else bar,)

        return value, pullback

    def cases(rng):
        x = rng.normal(size=(rng.integers(1, 4), rng.integers(2, 4))) * rng.choice([1.0, 10.0, 1500.0], p=[0.6, 0.3, 0.1])
        return rb.case(x, axis=int(rng.choice([-1, 0])), keepdims=bool(rng.random() < 0.4))

    return {"f": log_sum_exp, "rrule": rrule, "cases": [cases]}
