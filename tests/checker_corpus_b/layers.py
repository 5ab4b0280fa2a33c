"""Layers of neural networks: normalisation, attention, recurrence, convolution, losses, lookups."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def layer_norm(x, gamma, beta, *, eps=1e-5):
    d = x - x.mean(-1, keepdims=True)
    return gamma * (d / np.sqrt((d * d).mean(-1, keepdims=True) + x.dtype.type(eps))) + beta


@family.add(
    "layer-norm",
    wrong={
        "mean": ("dropped term", "the mean of the cotangent is not subtracted"),
        "eps": ("static ignored", "the rule has the default eps written in"),
        "bessel": ("factor", "the variance term is divided by n - 1"),
        "gamma-rows": ("sum over the broadcast axis", "gamma's cotangent uses the last row only"),
        "double": ("dtype", "the frule's primal comes back in float64 for float32 input"),
    },
    right=("", "single"),
)
def _layer_norm(v):
    def parts(x, eps):
        d = x - x.mean(-1, keepdims=True)
        inv = 1 / np.sqrt((d * d).mean(-1, keepdims=True) + x.dtype.type(1e-5 if v == "eps" else eps))
        return d * inv, inv

    def frule(primals, tangents, *, eps):
        x, gamma, beta = primals
        n, inv = parts(x, eps)
        t = tangents[0] - tangents[0].mean(-1, keepdims=True)
        n_dot = inv * (t - n * (n * t).mean(-1, keepdims=True))
        y = layer_norm(x.astype(np.float64) if v == "double" else x, gamma, beta, eps=eps)
        return y, tangents[1] * n + gamma * n_dot + tangents[2]

    def rrule(x, gamma, beta, *, eps):
        n, inv = parts(x, eps)

        def pullback(g):
            h = g * gamma
            count = n.shape[-1] - 1 if v == "bessel" else n.shape[-1]
            x_bar = h - n * (n * h).sum(-1, keepdims=True) / x.dtype.type(count)
            if v != "mean":
                x_bar = x_bar - h.mean(-1, keepdims=True)
            rows = (g * n).reshape(-1, n.shape[-1])
            return inv * x_bar, rows[-1] if v == "gamma-rows" else rows.sum(0), g.reshape(-1, n.shape[-1]).sum(0)

        return layer_norm(x, gamma, beta, eps=eps), pullback

    def cases(rng):
        dtype = np.float32 if v in ("single", "double") else np.float64
        shape = [(3,), (2, 4), (2, 2, 3)][rng.integers(3)]
        made = [rng.normal(size=s).astype(dtype) for s in (shape, shape[-1:], shape[-1:])]
        return rb.case(made[0] * dtype(rng.choice([0.3, 1.0, 20.0])), *made[1:], eps=float(rng.choice([1e-5, 1e-3])))

    return {"f": layer_norm, "frule": frule, "rrule": rrule, "cases": [cases]}


def attention(q, k, values, *, causal=False, scale=None):
    logits = q @ k.T * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        logits = np.where(np.tri(*logits.shape, dtype=bool), logits, -np.inf)
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True) @ values


@family.add(
    "attention",
    wrong={
        "scale": ("static ignored", "the default scale is used in the pullback"),
        "causal": ("static ignored", "the weights of the pullback are not masked"),
        "keys": ("transpose", "the keys' cotangent multiplies the untransposed scores where they are square"),
        "no-centre": ("dropped term", "the softmax's cotangent lacks the row sum"),
    },
)
def _attention(v):
    def rrule(q, k, values, *, causal, scale):
        s = 1 / np.sqrt(q.shape[-1]) if scale is None or v == "scale" else scale
        logits = q @ k.T * s
        if causal and v != "causal":
            logits = np.where(np.tri(*logits.shape, dtype=bool), logits, -np.inf)
        p = np.exp(logits - logits.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)

        def pullback(g):
            p_bar = g @ values.T
            l_bar = s * p * (p_bar - (0 if v == "no-centre" else (p * p_bar).sum(-1, keepdims=True)))
            transposed = l_bar if v == "keys" and len(q) == len(k) else l_bar.T
            return l_bar @ k, transposed @ q, p.T @ g

        return attention(q, k, values, causal=causal, scale=scale), pullback

    def cases(rng):
        n, m = rng.integers(2, 4, 2)
        q, k, values = rng.normal(size=(n, 3)), rng.normal(size=(m, 3)), rng.normal(size=(m, 2))
        return rb.case(q, k, values, causal=bool(rng.random() < 0.4), scale=[None, 1.0, 0.25][rng.integers(3)])

    return {"f": attention, "rrule": rrule, "cases": [cases]}


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def lstm(x, state, params):
    """One step: ((h, c), i.e. the new state), params {"w", "u", "b"} in the order input, forget, cell, output."""
    h, c = state
    i, f, g, o = np.split(params["w"] @ x + params["u"] @ h + params["b"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@family.add(
    "lstm",
    wrong={
        "cell": ("dropped term", "the cell's own cotangent is not added to that through h"),
        "order": ("arguments swapped", "input and forget gates change places in the cotangent"),
        "forget": ("stale residual", "the forget gate's cotangent uses the new cell instead of the old"),
        "list": ("structure", "the state's cotangent is a list and lacks c"),
        "tanh": ("below the noise", "tanh' is written 1 - 0.9999999 tanh^2"),
    },
)
def _lstm(v):
    def rrule(x, state, params):
        h, c = state
        i, f, g, o = np.split(params["w"] @ x + params["u"] @ h + params["b"], 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        t = np.tanh(new)

        def pullback(y_bar):
            h_bar, c_bar = y_bar
            k = 0.9999999 if v == "tanh" else 1.0
            c_bar = (0 if v == "cell" else c_bar) + h_bar * o * (1 - k * t * t)
            gi, gf = c_bar * g * i * (1 - i), c_bar * (new if v == "forget" else c) * f * (1 - f)
            z = np.concatenate([*((gf, gi) if v == "order" else (gi, gf)), c_bar * i * (1 - g * g), h_bar * t * o * (1 - o)])
            state_bar = [params["u"].T @ z] if v == "list" else (params["u"].T @ z, c_bar * f)
            return params["w"].T @ z, state_bar, {"w": np.multiply.outer(z, x), "u": np.multiply.outer(z, h), "b": z}

        return (o * t, new), pullback

    def cases(rng):
        n, m = rng.integers(1, 3, 2)
        params = {"w": rng.normal(size=(4 * n, m)), "u": rng.normal(size=(4 * n, n)), "b": rng.normal(size=4 * n)}
        return rng.normal(size=m), (rng.normal(size=n), rng.normal(size=n)), params

    return {"f": lstm, "rrule": rrule, "cases": listed(cases, 2), "_vary": cases}


_MODES = {"zeros": "constant", "reflect": "reflect", "wrap": "wrap", "edge": "edge"}


def _pad_matrix(n, p, mode):
    """Padding as the linear map it is."""
    return np.array([np.pad(e, p, mode=_MODES[mode]) for e in np.eye(n)]).T if p else np.eye(n)


def conv1d(x, w, *, padding="zeros", stride=1):
    """Same-size correlation of odd kernels."""
    p = len(w) // 2
    xp = np.pad(x, p, mode=_MODES[padding])
    return np.stack([w @ xp[i : i + len(w)] for i in range(0, len(x), stride)])


@family.add(
    "conv1d",
    wrong={
        "flip": ("transpose", "the signal's cotangent is correlated instead of convolved"),
        "reflect": ("rare option", "the reflected border's cotangent is dropped, right for zeros"),
        "stride": ("static ignored", "the kernel's cotangent takes the windows with stride 1"),
        "wrap": ("rare option", "wrap is treated as edge"),
    },
)
def _conv1d(v):
    def windows(x, n, padding, stride):
        xp = np.pad(x, n // 2, mode=_MODES[padding])
        return np.stack([xp[i : i + n] for i in range(0, len(x), stride)])

    def pullback(y, primals, g, *, padding, stride):
        x, w = primals
        wide = np.zeros(len(x) + 2 * (len(w) // 2))
        for j, i in enumerate(range(0, len(x), stride)):
            wide[i : i + len(w)] += g[j] * (w[::-1] if v == "flip" else w)
        mode = "edge" if v == "wrap" and padding == "wrap" else "zeros" if v == "reflect" and padding == "reflect" else padding
        w_bar = windows(x, len(w), padding, 1 if v == "stride" else stride)[: len(g)].T @ g
        return _pad_matrix(len(x), len(w) // 2, mode).T @ wide, w_bar

    def cases(rng):
        k = int(rng.choice([1, 3, 5]))
        mode = rng.choice(["zeros", "reflect", "wrap", "edge"], p=[0.6, 0.12, 0.16, 0.12])
        return rb.case(rng.normal(size=rng.integers(3, 8)), rng.normal(size=k), padding=str(mode), stride=int(rng.integers(1, 3)))

    return {"f": conv1d, "pullback": pullback, "cases": [cases]}


def cross_entropy(logits, labels, *, smoothing=0.0, ignore=-1):
    """The mean over the rows whose label is not `ignore`."""
    keep = labels != ignore
    z = logits - logits.max(-1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(-1, keepdims=True))
    picked = logp[np.arange(len(labels)), np.where(keep, labels, 0)]
    rows = (1 - smoothing) * picked + smoothing * logp.mean(-1)
    return -np.sum(np.where(keep, rows, 0.0)) / max(int(keep.sum()), 1)


@family.add(
    "cross-entropy",
    wrong={
        "count": ("factor", "divided by the number of all rows, ignored ones too"),
        "smoothing": ("static ignored", "label smoothing is forgotten in the pullback"),
        "labels": ("cotangent for integers", "the labels get an array of ones as cotangent"),
        "ignored": ("rare region", "ignored rows still pull their logits towards uniform"),
    },
    right=("", "zero-tangent"),
)
def _cross_entropy(v):
    def pullback(y, primals, y_bar, *, smoothing, ignore):
        logits, labels = primals
        keep = labels != ignore
        p = np.exp(logits - logits.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        s = 0.0 if v == "smoothing" else smoothing
        target = np.full(p.shape, s / p.shape[1])
        target[np.arange(len(labels)), np.where(keep, labels, 0)] += 1 - s
        mask = 1.0 if v == "ignored" else keep[:, None]
        x_bar = y_bar * (p - target) * mask / (len(labels) if v == "count" else max(int(keep.sum()), 1))
        none: Any = {"labels": np.ones(len(labels)), "zero-tangent": rb.NoTangent()}.get(v)
        return x_bar, none

    def cases(rng):
        n, c = rng.integers(1, 5), rng.integers(2, 4)
        labels = rng.integers(0, c, n)
        labels[rng.random(n) < 0.15] = -1
        logits = rng.normal(size=(n, c)) * rng.choice([1.0, 30.0], p=[0.9, 0.1])
        return rb.case(logits, labels, smoothing=float(rng.choice([0.0, 0.1])))

    return {"f": cross_entropy, "pullback": pullback, "cases": [cases]}


def batch_norm(x, gamma, beta, *, eps=1e-5):
    """Returns the normalised batch and its statistics."""
    mean, var = x.mean(0), x.var(0)
    return {"y": gamma * (x - mean) / np.sqrt(var + eps) + beta, "mean": mean, "var": var}


@family.add(
    "batch-norm",
    wrong={
        "statistics": ("dropped result", "the cotangents of mean and var are ignored"),
        "inference": ("dropped term", "the statistics are treated as constants inside y"),
        "var": ("factor", "the variance's cotangent lacks the 2"),
    },
)
def _batch_norm(v):
    def rrule(x, gamma, beta, *, eps):
        out = batch_norm(x, gamma, beta, eps=eps)
        n = len(x)
        d = x - out["mean"]
        inv = 1 / np.sqrt(out["var"] + eps)
        hat = d * inv

        def pullback(bar):
            h = bar["y"] * gamma
            x_bar = inv * (h if v == "inference" else h - h.mean(0) - hat * (hat * h).mean(0))
            if v != "statistics":
                x_bar = x_bar + bar["mean"] / n + (1 if v == "var" else 2) * d * bar["var"] / n
            return x_bar, (bar["y"] * hat).sum(0), bar["y"].sum(0)

        return out, pullback

    def cases(rng):
        n, c = rng.integers(2, 6), rng.integers(1, 4)
        return rng.normal(size=(n, c)), rng.normal(size=c), rng.normal(size=c)

    return {"f": batch_norm, "rrule": rrule, "cases": listed(cases, 2), "_vary": cases}


def embedding(table, index, *, padding=None):
    out = table[index]
    return out if padding is None else np.where((index == padding)[:, None], 0.0, out)


@family.add(
    "embedding",
    wrong={
        "repeats": ("repeated indices", "table_bar[index] = g keeps the last of equal indices"),
        "padding": ("static ignored", "padding rows receive a cotangent"),
        "negative": ("rare region", "indices counted from the end are clipped to zero"),
    },
)
def _embedding(v):
    def rrule(table, index, *, padding):
        def pullback(g):
            g = g if padding is None or v == "padding" else np.where((index == padding)[:, None], 0.0, g)
            out = np.zeros_like(table)
            where = np.maximum(index, 0) if v == "negative" else index
            if v == "repeats":
                out[where] = g
            else:
                np.add.at(out, where, g)
            return out, None

        return embedding(table, index, padding=padding), pullback

    def cases(rng):
        n = rng.integers(3, 6)
        index = rng.integers(-1 if rng.random() < 0.2 else 0, n, rng.integers(1, 6))
        return rb.case(rng.normal(size=(n, 2)), index, padding=None if rng.random() < 0.6 else 1)

    return {"f": embedding, "rrule": rrule, "cases": [cases]}


def dropout(x, *, rate=0.5, seed=0):
    keep = np.random.default_rng(seed).random(x.shape) >= rate
    return np.where(keep, x / (1 - rate), 0.0)


@family.add(
    "dropout",
    wrong={
        "reseeded": ("static ignored", "the pullback draws the mask of seed 0"),
        "fresh": ("second call", "the pullback draws its mask from a running generator"),
        "scale": ("factor", "the kept elements' cotangents are not divided by 1 - rate"),
    },
)
def _dropout(v):
    running = np.random.default_rng(3)

    def pullback(y, primals, g, *, rate, seed):
        generator = running if v == "fresh" else np.random.default_rng(0 if v == "reseeded" else seed)
        keep = generator.random(g.shape) >= rate
        return (np.where(keep, g / (1 if v == "scale" else 1 - rate), 0.0),)

    def cases(rng):
        return rb.case(rng.normal(size=rng.integers(3, 9)), rate=[0.5, 0.2][rng.integers(2)], seed=int(rng.integers(50)))

    return {"f": dropout, "pullback": pullback, "cases": [cases]}
