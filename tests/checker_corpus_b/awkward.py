"""Functions that blunt checkers refuse: noise, offsets, oscillation, kinks, wide ranges, declared gaps."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family

family = Family()


def table_lookup(x):
    """exp(-x^2) from a table with a digit missing: noise of 1e-9 that is no function of smoothness."""
    y = np.exp(-x * x)
    return np.round(y * 2.0**30) / 2.0**30


@family.add(
    "rounded-gauss",
    wrong={
        "sign": ("sign", "exp(-x^2) grows with x"),
        "factor": ("factor", "the 2 of -2x is missing"),
        "one-percent": ("factor", "a slope 1 % too large"),
        "negative": ("rare region", "the tangent takes |x|"),
    },
    right=("", "undeclared"),
)
def _rounded(v):
    def slope(x):
        s = -2 * np.exp(-x * x) * (np.abs(x) if v == "negative" else x)
        return s * {"sign": -1, "factor": 0.5, "one-percent": 1.01}.get(v, 1)

    def pushforward(y, primals, tangents):
        return slope(primals[0]) * tangents[0]

    def pullback(y, primals, g):
        return (slope(primals[0]) * g,)

    def cases(rng):
        x = rng.uniform(0.1, 1.6, rng.integers(1, 5))
        return (-x if rng.random() < 0.1 else x,)

    out = {"f": table_lookup, "pushforward": pushforward, "pullback": pullback, "cases": [cases]}
    return out if v == "undeclared" else {**out, "accuracy": 1e-7}


def total_energy(x, baseline):
    """A small contribution on a large offset."""
    return baseline + np.sum(np.sin(x) ** 2)


@family.add(
    "offset",
    wrong={
        "doubled": ("hidden by scale", "sin(x)^2 has the derivative sin(2x), not 2 sin(2x): forward only"),
        "dropped": ("hidden by scale", "x gets no cotangent at all beside the baseline's"),
    },
    right=("", "reverse"),
)
def _offset(v):
    def frule(primals, tangents):
        x, b = primals
        return total_energy(x, b), tangents[1] + np.sum(np.sin(2 * x) * tangents[0]) * (2 if v == "doubled" else 1)

    def rrule(x, baseline):
        return total_energy(x, baseline), lambda g: (None if v == "dropped" else g * np.sin(2 * x), g)

    def cases(rng):
        return rng.uniform(-3, 3, rng.integers(1, 4)), np.float64(rng.choice([-1, 1]) * 10.0 ** rng.uniform(2, 7))

    return {"f": total_energy, "rrule": rrule, "cases": [cases], **({} if v == "reverse" else {"frule": frule})}


def chirp(t, rate):
    """Fast oscillation: 1e5 radians within the range."""
    return np.cos(rate * t * t)


@family.add(
    "chirp",
    wrong={
        "square": ("factor", "2 t is written t"),
        "phase": ("sign", "the rate's cotangent has the wrong sign"),
    },
)
def _chirp(v):
    def pullback(y, primals, g):
        t, rate = primals
        s = -np.sin(rate * t * t)
        return g * s * rate * t * (1 if v == "square" else 2), np.sum(g * s * t * t) * (-1 if v == "phase" else 1)

    def cases(rng):
        return rng.uniform(0.5, 10, rng.integers(1, 4)), np.float64(10.0 ** rng.uniform(0, 3))

    return {"f": chirp, "pullback": pullback, "cases": [cases]}


def relu_net(x, w1, w2):
    """A network with kinks everywhere."""
    return w2 @ np.maximum(w1 @ x, 0) + np.abs(x).sum() + np.max(x)


@family.add(
    "kinks",
    wrong={
        "leaky": ("rare region", "a slope of 0.01 on the closed side"),
        "max": ("wrong index", "the maximum's cotangent goes to the largest modulus"),
        "abs": ("dropped term", "the modulus is forgotten"),
        "heaviside": ("off by a branch", "units are open where the input is, not where the sum is"),
    },
)
def _kinks(v):
    def pullback(y, primals, g):
        x, w1, w2 = primals
        z = w1 @ x
        h = np.maximum(z, 0)
        open_ = np.where(z > 0, 1.0, 0.01 if v == "leaky" else 0.0)
        if v == "heaviside":
            open_ = (w1[:, 0] * x[0] > 0) * 1.0
        z_bar = g * w2 * open_
        x_bar = w1.T @ z_bar + (0 if v == "abs" else g * np.sign(x))
        x_bar[np.argmax(np.abs(x) if v == "max" else x)] += g
        return x_bar, np.multiply.outer(z_bar, x), g * h

    def cases(rng):
        n, m = rng.integers(1, 5, 2)
        return rng.normal(size=n), rng.normal(size=(m, n)), rng.normal(size=m)

    return {"f": relu_net, "pullback": pullback, "cases": [cases]}


def distances(x):
    """All pairwise distances; zero between coinciding points, where the derivative is taken as zero."""
    d = x[:, None] - x[None]
    return np.sqrt((d * d).sum(-1))


@family.add(
    "distances",
    wrong={
        "pairs": ("factor", "each pair is counted once"),
        "diagonal": ("rare region", "coinciding points give NaN"),
        "sign": ("sign", "the second point is pulled along with the first"),
    },
)
def _distances(v):
    def rrule(x):
        r = distances(x)
        safe = r if v == "diagonal" else np.where(r > 0, r, 1.0)

        def pullback(g):
            with np.errstate(all="ignore"):
                k = g / safe
            k = np.where(np.eye(len(x)) > 0, 0.0, k)
            d_bar = k[..., None] * (x[:, None] - x[None])
            out = d_bar.sum(1)
            if v != "pairs":
                out = out + d_bar.sum(0) if v == "sign" else out - d_bar.sum(0)
            return (out,)

        return r, pullback

    def cases(rng):
        x = rng.normal(size=(rng.integers(2, 5), 2))
        if rng.random() < 0.1:
            x[1] = x[0]
        return (x,)

    return {"f": distances, "rrule": rrule, "cases": [cases]}


def planck(wavelength, temperature):
    """Spectral radiance in SI units, from radio to ultraviolet: 1e-30 to 1e14."""
    h, c, k = 6.62607015e-34, 2.99792458e8, 1.380649e-23
    return 2 * h * c * c / wavelength**5 / np.expm1(h * c / (wavelength * k * temperature))


@family.add(
    "planck",
    wrong={
        "wien": ("rare region", "Wien's approximation in the derivative: wrong at long wavelengths only"),
        "power": ("factor", "the fifth power is differentiated as the fourth"),
        "constant": ("below the noise", "Planck's constant with seven digits in the rule"),
    },
)
def _planck(v):
    h, c, k = 6.62607015e-34, 2.99792458e8, 1.380649e-23

    def partials(y, w, t):
        x = (6.626070e-34 if v == "constant" else h) * c / (w * k * t)
        grow = x if v == "wien" else x / -np.expm1(-x)
        return y / w * (grow - (4 if v == "power" else 5)), y / t * grow

    def frule(primals, tangents):
        y = planck(*primals)
        d = partials(y, *primals)
        return y, d[0] * tangents[0] + d[1] * tangents[1]

    def pullback(y, primals, g):
        d = partials(y, *primals)
        return g * d[0], np.sum(g * d[1])

    def cases(rng):
        t = 10.0 ** rng.uniform(1, 4)
        return 0.0143877 / t / 10.0 ** rng.uniform(-3, 1.3, rng.integers(1, 4)), np.float64(t)

    return {"f": planck, "frule": frule, "pullback": pullback, "cases": [cases]}


def power_law(x, exponent):
    """x to an exponent whose derivative nobody wrote down."""
    return np.sign(x) * np.abs(x) ** exponent


@family.add(
    "not-implemented",
    wrong={
        "zero": ("zero cotangent", "the exponent's derivative is said to be zero instead of missing"),
        "negative": ("rare region", "for negative x the slope gets the sign of x"),
    },
)
def _power_law(v):
    def rrule(x, exponent):
        slope = exponent * np.abs(x) ** (exponent - 1)
        if v == "negative":
            slope = slope * np.sign(x)
        missing = rb.NotImplementedTangent("the exponent: take logarithms")
        return power_law(x, exponent), lambda g: (g * slope, rb.ZeroTangent() if v == "zero" else missing)

    def cases(rng):
        x = rng.uniform(0.2, 3, rng.integers(1, 4))
        return (-x if rng.random() < 0.3 else x), np.float64(rng.uniform(1.2, 3))

    return {"f": power_law, "rrule": rrule, "cases": [cases]}


def steps_of(x, *, width=0.25):
    """Quantised to steps: flat almost everywhere."""
    return width * np.floor(x / width)


@family.add(
    "staircase",
    wrong={
        "straight": ("wrong rule", "a straight-through derivative of one"),
        "array": ("rare region", "a derivative of one beyond |x| = 2, where it was thought to saturate"),
    },
    right=("", "no-tangent", "zeros"),
)
def _staircase(v):
    def pullback(y, primals, g, *, width):
        x = primals[0]
        if v == "straight":
            return (g,)
        if v == "array":
            return (np.where(np.abs(x) > 2, g, 0.0),)
        return ({"no-tangent": rb.NoTangent(), "zeros": np.zeros_like(x)}.get(v),)

    def cases(rng):
        return rb.case(rng.normal(size=rng.integers(1, 5)) * 1.3, width=float(rng.choice([0.25, 1.0])))

    return {"f": steps_of, "pullback": pullback, "cases": [cases]}


def monte_carlo(mean, spread, *, seed=1, samples=64):
    """A seeded estimate of the expectation of a softplus."""
    z = np.random.default_rng(seed).normal(size=(samples, 1))
    return np.mean(np.logaddexp(0, mean + spread * z), axis=0)


@family.add(
    "monte-carlo",
    wrong={
        "seed": ("static ignored", "the rule draws with the default seed"),
        "samples": ("primal differs", "the rule's primal uses twice the samples"),
        "spread": ("dropped factor", "the spread's cotangent lacks the draw"),
    },
)
def _monte_carlo(v):
    def frule(primals, tangents, *, seed, samples):
        mean, spread = primals
        n = 2 * samples if v == "samples" else samples
        z = np.random.default_rng(1 if v == "seed" else seed).normal(size=(samples, 1))
        p = 1 / (1 + np.exp(-(mean + spread * z)))
        dot = tangents[0] + tangents[1] * (1.0 if v == "spread" else z)
        return monte_carlo(mean, spread, seed=seed, samples=n), np.mean(p * dot, axis=0)

    def pullback(y, primals, g, *, seed, samples):
        mean, spread = primals
        z = np.random.default_rng(seed).normal(size=(samples, 1))
        p = 1 / (1 + np.exp(-(mean + spread * z)))
        return g * p.mean(0), g * (p * z).mean(0)

    def cases(rng):
        n = rng.integers(1, 4)
        return rb.case(rng.normal(size=n), rng.uniform(0.1, 2, n), seed=int(rng.integers(1, 5)), samples=int(rng.choice([64, 7])))

    return {"f": monte_carlo, "frule": frule, "pullback": pullback, "cases": [cases]}
