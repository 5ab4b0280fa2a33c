"""Structured spaces, long arrays with one bad element, quadrature, contractions, single precision."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def sym(a):
    return (a + a.T) / 2


def cholesky(a):
    return np.linalg.cholesky(a)


def _phi(x):
    """Lower triangle with half of the diagonal."""
    return np.tril(x) - 0.5 * np.diag(np.diag(x))


@family.add(
    "cholesky",
    wrong={
        "diagonal": ("factor", "the diagonal is not halved"),
        "upper": ("dropped projection", "the upper triangle of the cotangent, where the factor is zero, is let in"),
        "raw": ("outside the tangent space", "the cotangent is lower triangular"),
        "inverse": ("not transposed", "L^-1 from the left and right instead of L^-T and L^-1"),
    },
    right=("", "forward"),
)
def _cholesky(v):
    def pushforward(y, primals, tangents):
        inv = np.linalg.inv(y)
        return y @ _phi(inv @ sym(tangents[0]) @ inv.T)

    def pullback(y, primals, g):
        inv = np.linalg.inv(y)
        g = g if v == "upper" else np.tril(g)
        p = y.T @ g
        p = np.tril(p) if v == "diagonal" else _phi(p)
        if v == "upper":
            p = (y.T @ g) / 2
        s = inv @ p @ inv if v == "inverse" else inv.T @ p @ inv
        return (2 * np.tril(sym(s), -1) + np.diag(np.diag(s)) if v == "raw" else sym(s),)

    def cases(rng):
        n = rng.integers(1 if v in ("", "forward") else 2, 5)
        a = rng.normal(size=(n, n))
        return (sym(a @ a.T) + 0.3 * np.eye(n),)

    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": cholesky, "cases": [cases], "tangent_space": lambda i, t: sym(t), **rules}


def entropy(p):
    """The entropy of a distribution; the rule holds for tangents that sum to zero."""
    return -np.sum(p * np.log(p))


@family.add(
    "entropy",
    wrong={
        "uncentred": ("outside the tangent space", "the cotangent is not centred"),
        "log2": ("factor", "bits in the rule, nats in the function"),
        "rare": ("rare region", "log p is floored at -3"),
    },
)
def _entropy(v):
    def pullback(y, primals, g):
        logs = np.log(primals[0]) / (np.log(2) if v == "log2" else 1)
        if v == "rare":
            logs = np.maximum(logs, -3.0)
        bar = -g * logs
        return (bar if v == "uncentred" else bar - bar.mean(),)

    cases = lambda rng: (rng.dirichlet(np.ones(rng.integers(2, 7))),)
    return {"f": entropy, "pullback": pullback, "cases": [cases], "tangent_space": lambda i, t: t - t.mean()}


def cayley(k):
    """A rotation from a skew matrix."""
    n = len(k)
    return np.linalg.solve(np.eye(n) - k / 2, np.eye(n) + k / 2)


@family.add(
    "cayley",
    wrong={
        "half": ("factor", "one of the two halves is dropped"),
        "symmetric": ("outside the tangent space", "the cotangent is not made skew"),
        "transpose": ("sign", "the skew part with the other sign"),
    },
    right=("", "forward"),
)
def _cayley(v):
    def pushforward(y, primals, tangents):
        n = len(y)
        return np.linalg.solve(np.eye(n) - primals[0] / 2, tangents[0] @ (np.eye(n) + y)) / 2

    def pullback(y, primals, g):
        n = len(y)
        lam = np.linalg.solve((np.eye(n) - primals[0] / 2).T, g)
        bar = lam @ (np.zeros((n, n)) + y if v == "half" else np.eye(n) + y).T / 2
        return (bar if v == "symmetric" else (bar.T - bar) / 2 if v == "transpose" else (bar - bar.T) / 2,)

    def cases(rng):
        n = rng.integers(2, 5)
        a = rng.normal(size=(n, n))
        return ((a - a.T) / 2,)

    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": cayley, "cases": [cases], "tangent_space": lambda i, t: (t - t.T) / 2, **rules}


def chunked_energy(x, weights):
    """A weighted sum of squares of differences along a long array."""
    return np.sum(weights * np.diff(x) ** 2)


@family.add(
    "long-array",
    wrong={
        "chunk": ("one element", "the joint between two chunks of 128 elements is left out"),
        "tail": ("one element", "the last element's cotangent is lost"),
        "single": ("one element", "element 200 of the weights' cotangent is stale"),
        "float32": ("below the noise", "the cotangent is accumulated in single precision"),
    },
    right=("", "forward"),
)
def _long(v):
    def pushforward(y, primals, tangents):
        x, w = primals
        d = np.diff(x)
        return np.sum(tangents[1] * d * d + 2 * w * d * np.diff(tangents[0]))

    def pullback(y, primals, g):
        x, w = primals
        d = np.diff(x)
        k = 2 * g * w * d
        if v == "chunk":
            k[127::128] = 0
        out = np.zeros_like(x)
        out[1:] += k
        out[:-1] -= k
        w_bar = g * d * d
        if v == "tail":
            out[-1] = 0
        if v == "single":
            w_bar[200:201] = 0
        return (out.astype(np.float32).astype(float) if v == "float32" else out), w_bar

    def cases(rng):
        n = rng.integers(210, 300)
        return rng.normal(size=n), rng.uniform(0.1, 1, n - 1)

    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": chunked_energy, "cases": [cases], **rules}


def trapezoid(y, x, *, rule="trapezoid"):
    """Integrate over a grid that need not be even; Simpson's rule needs an odd number of points of an even grid."""
    if rule == "simpson":
        h = (x[-1] - x[0]) / (len(x) - 1)
        return h / 3 * (y[0] + y[-1] + 4 * y[1::2].sum() + 2 * y[2:-1:2].sum())
    return np.sum((y[1:] + y[:-1]) * np.diff(x)) / 2


@family.add(
    "quadrature",
    wrong={
        "simpson": ("rare option", "for Simpson's rule the grid's cotangent is that of the trapezoid"),
        "ends": ("factor", "the end points have full weight"),
        "even": ("rare region", "an even grid is assumed from the first spacing"),
        "grid": ("zero cotangent", "the grid is taken as constant"),
    },
)
def _trapezoid(v):
    def pullback(value, primals, g, *, rule):
        y, x = primals
        n, d = len(x), np.diff(x)
        x_bar = np.zeros_like(x)
        if rule == "simpson":
            h = (x[-1] - x[0]) / (n - 1)
            w = np.full(n, 2.0)
            w[1::2], w[[0, -1]] = 4, 1
            y_bar = g * h / 3 * w
            if v != "simpson":
                x_bar[-1] = g * (w @ y) / 3 / (n - 1)
                x_bar[0] = -x_bar[-1]
        else:
            d = np.full(n - 1, d[0]) if v == "even" else d
            y_bar = np.zeros_like(y)
            y_bar[1:] += g * d / 2
            y_bar[:-1] += g * d / 2
            if v == "ends":
                y_bar[[0, -1]] *= 2
        if rule != "simpson" or v == "simpson":
            m = g * (y[1:] + y[:-1]) / 2
            x_bar[1:] += m
            x_bar[:-1] -= m
        return y_bar, None if v == "grid" else x_bar

    def cases(rng):
        if rng.random() < 0.12:
            n = 2 * rng.integers(1, 4) + 1
            return rb.case(rng.normal(size=n), np.linspace(0, rng.uniform(0.5, 3), n), rule="simpson")
        n = rng.integers(2, 7)
        even = rng.random() < 0.6
        return rb.case(rng.normal(size=n), np.linspace(0, 2, n) if even else np.cumsum(rng.uniform(0.1, 1, n)))

    return {"f": trapezoid, "pullback": pullback, "cases": [cases]}


def abel(profile, *, spacing=1.0):
    """The Abel transform of a profile that is constant within shells."""
    r = np.arange(len(profile) + 1.0)
    y = r[:-1]
    outer = np.sqrt(np.maximum(r[None, 1:] ** 2 - y[:, None] ** 2, 0))
    inner = np.sqrt(np.maximum(r[None, :-1] ** 2 - y[:, None] ** 2, 0))
    return 2 * spacing * (outer - inner) @ profile


@family.add(
    "abel",
    wrong={
        "transpose": ("not transposed", "the transform is applied to the cotangent"),
        "spacing": ("static ignored", "unit spacing in the rule"),
        "constant": ("below the noise", "the 2 has become 2.0000001"),
    },
    right=("", "forward"),
)
def _abel(v):
    def matrix(n, spacing):
        return np.stack([abel(e, spacing=1.0 if v == "spacing" else spacing) for e in np.eye(n)], axis=1)

    def pushforward(y, primals, tangents, *, spacing):
        return abel(tangents[0], spacing=spacing)

    def pullback(y, primals, g, *, spacing):
        m = matrix(len(g), spacing) * (1.00000005 if v == "constant" else 1)
        return ((m if v == "transpose" else m.T) @ g,)

    cases = lambda rng: rb.case(rng.uniform(0, 1, rng.integers(2, 7)), spacing=float(rng.choice([1.0, 0.1])))
    return {"f": abel, "cases": [cases], **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback})}


def contract(a, b, *, spec="ij,jk->ik"):
    return np.einsum(spec, a, b)


@family.add(
    "einsum",
    wrong={
        "spec": ("static ignored", "the cotangents of a matrix product for every square contraction"),
        "sum": ("sum over the broadcast axis", "an index that only one operand has is not broadcast back"),
        "order": ("arguments swapped", "the second cotangent is built from the second operand"),
    },
)
def _contract(v):
    def pullback(y, primals, g, *, spec):
        a, b = primals
        left, out = spec.split("->")
        s, t = left.split(",")
        square = a.shape == b.shape == g.shape
        if v == "spec" and square:
            return g @ b.T, a.T @ g

        def back(mine, other, value, like):
            missing = [c for c in mine if c not in out + other]
            kept = "".join(c for c in mine if c not in missing)
            bar = np.einsum(f"{out},{other}->{kept}", g, value)
            index = tuple(slice(None) if c in kept else None for c in mine)
            wide = np.zeros_like(like)
            if v == "sum" and missing:  # every other slice is forgotten
                wide[::2] = bar[index][:1] if mine[0] in missing else bar[index][::2]
            else:
                wide[...] = bar[index]
            return wide

        return back(s, t, b, a), back(t, s, b if v == "order" and a.shape == b.shape else a, b)

    def cases(rng):
        n = rng.integers(2, 4)
        spec = str(rng.choice(["ij,jk->ik", "ij,ij->i", "ij,jk->ki", "ij,j->i", "ij,k->jk"]))
        b = rng.normal(size=(n,) if spec.split(",")[1][1] == "-" else (n, n))
        return rb.case(rng.normal(size=(n, n)), b, spec=spec)

    return {"f": contract, "pullback": pullback, "cases": [cases]}


def decay_average(x, rate):
    """An exponential moving average in the precision of its input."""
    out, state = np.empty_like(x), x[0]
    for i, value in enumerate(x):
        state = state + rate * (value - state)
        out[i] = state
    return out


@family.add(
    "moving-average",
    wrong={
        "first": ("one element", "the average starts from the first element, which is counted once"),
        "rate": ("dropped term", "the rate's cotangent only sees the last step of each output"),
        "upcast": ("dtype", "the rrule's primal is computed in double precision and kept so"),
        "sign": ("sign", "the rate's cotangent has the wrong sign"),
    },
    right=("", "double"),
)
def _moving(v):
    def rrule(x, rate):
        states = [x[0], *decay_average(x, rate)]

        def pullback(g):
            bar, rate_bar, carried = np.zeros_like(x), 0 * rate, 0 * g[0]
            for i in range(len(x) - 1, -1, -1):
                carried = carried + g[i]
                rate_bar = rate_bar + (g[i] if v == "rate" else carried) * (x[i] - states[i])
                bar[i] = bar[i] + rate * carried
                carried = carried - rate * carried
            if v != "first":
                bar[0] += carried
            return bar, -rate_bar if v == "sign" else rate_bar

        return decay_average(x.astype(float) if v == "upcast" else x, rate), pullback

    def cases(rng):
        dtype = float if v == "double" else np.float32
        return rng.normal(size=rng.integers(2, 7)).astype(dtype), dtype(rng.uniform(0.1, 0.9))

    return {"f": decay_average, "rrule": rrule, "cases": listed(cases, 3), "_vary": cases}


def masked_softmax(x, mask):
    """Zero where the mask is false, and everywhere in a row without a true element."""
    z = np.where(mask, x, -np.inf)
    top = np.where(mask.any(-1, keepdims=True), z.max(-1, keepdims=True), 0.0)
    e = np.where(mask, np.exp(np.where(mask, x - top, 0.0)), 0.0)
    return e / np.maximum(e.sum(-1, keepdims=True), 1e-300)


@family.add(
    "masked-softmax",
    wrong={
        "unmasked": ("rare region", "the softmax of all elements in the pullback"),
        "empty": ("rare region", "NaN in rows that are masked altogether"),
        "mask": ("cotangent for integers", "the mask gets the cotangent of x"),
    },
    right=("", "no-tangent"),
)
def _masked_softmax(v):
    def pullback(y, primals, g):
        x, mask = primals
        if v == "unmasked":
            p = np.exp(x - x.max(-1, keepdims=True))
            p = p / p.sum(-1, keepdims=True)
        else:
            p = y
        bar = p * (g - (p * g).sum(-1, keepdims=True))
        if v == "empty":
            with np.errstate(all="ignore"):
                bar = bar / (mask.sum(-1, keepdims=True) / mask.sum(-1, keepdims=True))
        return bar, bar if v == "mask" else rb.NoTangent() if v == "no-tangent" else None

    def cases(rng):
        shape = rng.integers(1, 4), rng.integers(2, 4)
        mask = rng.random(shape) < 0.8
        if rng.random() < 0.1:
            mask[0] = False
        return rng.normal(size=shape) * 2, mask

    return {"f": masked_softmax, "pullback": pullback, "cases": [cases]}
