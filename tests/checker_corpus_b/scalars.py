"""Elementwise functions with branches; most have one or two explicit cases, and bugs that other signs and sizes show."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family

family = Family()


def _wide(rng):
    x = rng.normal(size=rng.integers(1, 6)) * 10.0 ** rng.uniform(-2, 2)
    return (x,)


def _elementwise(f, slope, cases, vary=_wide, forward=False):
    """Rules of an elementwise function of one argument from its slope."""

    def pushforward(y, primals, tangents, **static):
        return slope(primals[0], y, **static) * tangents[0]

    def pullback(y, primals, g, **static):
        return (slope(primals[0], y, **static) * g,)

    rules = {"pushforward": pushforward} if forward else {"pullback": pullback}
    return {"f": f, "cases": cases, "_vary": vary, **rules}


def softplus(x):
    return np.logaddexp(0.0, x)


@family.add(
    "softplus",
    wrong={
        "naive": ("rare region", "exp(x) / (1 + exp(x)) is NaN for x above 710"),
        "negative": ("rare region", "zero for negative x, as of a relu"),
        "saturated": ("rare region", "one above 3, where the slope is still 0.95"),
    },
    right=("", "forward"),
)
def _softplus(v):
    def slope(x, y):
        s = np.exp(x - y)
        if v == "naive":
            with np.errstate(all="ignore"):
                s = np.exp(x) / (1 + np.exp(x))
        return np.where(x < 0, 0.0, s) if v == "negative" else np.where(x > 3, 1.0, s) if v == "saturated" else s

    wide = lambda rng: (rng.normal(size=3) * 10.0 ** rng.uniform(0, 3),)
    cases = [wide] if v in ("naive", "forward") else [rb.case(np.array([0.3, 1.2, 2.0]))]
    return _elementwise(softplus, slope, cases, wide, v == "forward")


def sinc(x):
    return np.where(np.abs(x) < 1e-3, 1 - x * x / 6, np.sin(x) / np.where(x == 0, 1.0, x))


@family.add(
    "sinc",
    wrong={
        "origin": ("rare region", "x / 3 without its minus in the branch around zero"),
        "even": ("sign", "the slope is taken of |x|"),
        "nan": ("rare region", "NaN at zero"),
    },
)
def _sinc(v):
    def slope(x, y):
        small = np.abs(x) < 1e-3
        a = np.abs(x) if v == "even" else x
        with np.errstate(all="ignore"):
            far = (np.cos(a) - np.sin(a) / a) / a
        return far if v == "nan" else np.where(small, (a if v == "origin" else -a) / 3, far)

    def cases(rng):
        x = rng.normal(size=4) * 2
        x[0] = rng.choice([0.0, 3e-4, -2e-4, 1.0], p=[0.08, 0.06, 0.06, 0.8])
        return (x,)

    return _elementwise(
        sinc, slope, [rb.case(np.array([0.5, 2.0])), cases] if v in ("origin", "nan") else [rb.case(np.array([0.5, 2.0]))], cases
    )


def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


@family.add(
    "gelu",
    wrong={
        "cubic": ("dropped factor", "3 x^2 of the inner cubic is written x^2"),
        "exact": ("wrong rule", "the derivative of the exact GELU by a logistic fit, 1e-2 off"),
        "constant": ("below the noise", "sqrt(2 / pi) with six digits in the rule"),
    },
)
def _gelu(v):
    def slope(x, y):
        c = 0.797885 if v == "constant" else 0.7978845608028654
        t = np.tanh(c * (x + 0.044715 * x**3))
        if v == "exact":
            s = 1 / (1 + np.exp(-1.702 * x))
            return s + 1.702 * x * s * (1 - s)
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + (1 if v == "cubic" else 3) * 0.044715 * x * x)

    return _elementwise(
        gelu, slope, [rb.case(np.array([[-1.0, 0.4, 2.0]])), rb.case(np.float64(0.7))], lambda rng: (rng.normal(size=(2, 3)),)
    )


def soft_threshold(x, level):
    return np.sign(x) * np.maximum(np.abs(x) - level, 0.0)


@family.add(
    "soft-threshold",
    wrong={
        "sign": ("rare region", "the level's cotangent is -1 for negative elements too"),
        "inside": ("rare region", "the level pulls on elements below it"),
        "hard": ("wrong branch", "elements below the level keep half of their cotangent"),
    },
    right=("", "forward"),
)
def _soft_threshold(v):
    def parts(x, level):
        over = np.abs(x) > level
        dx = np.where(over, 1.0, 0.5 if v == "hard" else 0.0)
        s = np.ones_like(x) if v == "sign" else np.sign(x)
        return dx, -s * (1.0 if v == "inside" else over)

    def pushforward(y, primals, tangents):
        dx, dl = parts(*primals)
        return dx * tangents[0] + dl * tangents[1]

    def pullback(y, primals, g):
        dx, dl = parts(*primals)
        return dx * g, np.sum(dl * g)

    vary = lambda rng: (rng.normal(size=5), np.float64(rng.uniform(0.1, 0.8)))
    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": soft_threshold, "cases": [rb.case(np.array([1.5, 0.2, 0.9, 2.0]), np.float64(0.5))], "_vary": vary, **rules}


def clip(x, *, low=-1.0, high=1.0):
    return np.clip(x, low, high)


@family.add(
    "clip",
    wrong={
        "low": ("rare region", "only the upper limit stops the derivative"),
        "limits": ("static ignored", "the limits are -1 and 1 in the rule"),
        "straight": ("wrong rule", "straight through"),
    },
    right=("", "forward"),
)
def _clip(v):
    def slope(x, y, *, low, high):
        if v == "limits":
            low, high = -1.0, 1.0
        inside = (x < high) & ((x > low) | (v == "low"))
        return np.ones_like(x) if v == "straight" else inside * 1.0

    cases = [rb.case(np.array([0.2, 1.7, -0.4])), rb.case(np.array([0.1, 0.6]), low=-0.5, high=0.5)]

    def vary(rng):
        high = float(rng.choice([1.0, 0.5]))
        return rb.case(rng.normal(size=4) * 1.5, low=-high, high=high)

    return _elementwise(clip, slope, cases, vary, v == "forward")


def wrap_angle(x):
    """To (-pi, pi]."""
    return x - 2 * np.pi * np.ceil((x - np.pi) / (2 * np.pi))


@family.add(
    "wrap-angle",
    wrong={
        "inside": ("rare region", "one inside, zero outside of (-pi, pi)"),
        "sign": ("rare region", "minus one for negative angles"),
    },
)
def _wrap(v):
    def slope(x, y):
        if v == "inside":
            return (np.abs(x) < np.pi) * 1.0
        return np.sign(x) if v == "sign" else np.ones_like(x)

    return _elementwise(wrap_angle, slope, [rb.case(np.array([0.4, 2.5, 7.0]))] if v != "inside" else [rb.case(np.array([0.4, 2.5]))])


def signed_sqrt(x):
    return np.sign(x) * np.sqrt(np.abs(x))


@family.add(
    "signed-sqrt",
    wrong={
        "guard": ("rare region", "1e-6 under the root: felt by small arguments"),
        "odd": ("sign", "the slope is odd in the rule, though even"),
    },
)
def _signed_sqrt(v):
    def slope(x, y):
        d = 0.5 / np.sqrt(np.abs(x) + (1e-6 if v == "guard" else 0))
        return d * np.sign(x) if v == "odd" else d

    cases = [rb.case(np.array([0.3, 4.0]))] if v != "guard" else [rb.case(np.array([0.3, 1e-4]))]
    return _elementwise(signed_sqrt, slope, cases)


def log1mexp(x):
    """log(1 - exp(-x)) for positive x."""
    return np.where(x > 0.6931, np.log1p(-np.exp(-x)), np.log(-np.expm1(-x)))


@family.add(
    "log1mexp",
    wrong={
        "cancelled": ("hidden by scale", "1 / (exp(x) - 1) with exp(x) - 1 rounded: wrong for tiny x"),
        "large": ("hidden by scale", "zero above x = 30"),
        "sign": ("sign", "the sign of the exponential is lost"),
    },
)
def _log1mexp(v):
    def slope(x, y):
        d = 1 / np.expm1(x)
        if v == "cancelled":
            d = 1 / (np.float32(1) * (np.exp(x) - 1 + 1e-9))
        return np.where(x > 30, 0.0, d) if v == "large" else -d if v == "sign" else d

    cases = lambda rng: (10.0 ** rng.uniform(-8 if rng.random() < 0.2 else -2, 1.8, rng.integers(1, 4)),)
    return _elementwise(log1mexp, slope, [cases], cases)


def smoothstep(x, *, order=1):
    t = np.clip(x, 0.0, 1.0)
    return t * t * (3 - 2 * t) if order == 1 else t**3 * (10 + t * (6 * t - 15))


@family.add(
    "smoothstep",
    wrong={
        "order": ("static ignored", "the slope of order one"),
        "outside": ("rare region", "the polynomial is continued outside"),
        "above": ("rare region", "the polynomial is continued above one only"),
    },
)
def _smoothstep(v):
    def slope(x, y, *, order):
        t = np.clip(x, 0.0, 1.0)
        t = x if v == "outside" else np.maximum(x, 0) if v == "above" else t
        return 6 * t * (1 - t) if order == 1 or v == "order" else 30 * (t * (1 - t)) ** 2

    vary = lambda rng: rb.case(rng.uniform(-0.7, 1.7, 4), order=int(rng.integers(1, 3)))
    return _elementwise(smoothstep, slope, [rb.case(np.array([0.2, 0.7])), rb.case(np.array([0.4, 0.9]), order=2)], vary)


def bearing(x, y):
    """The compass bearing of a displacement, in degrees from 0 to 360."""
    return np.mod(np.degrees(np.arctan2(x, y)), 360.0)


@family.add(
    "bearing",
    wrong={
        "radians": ("factor", "degrees are forgotten"),
        "swapped": ("arguments swapped", "north and east change places"),
        "south": ("sign", "arctan(x / y): the sign is lost in the southern half"),
        "modulus": ("factor", "divided by the distance instead of its square"),
    },
    right=("", "forward"),
)
def _bearing(v):
    def partials(x, y):
        r2 = x * x + y * y
        k = (1.0 if v == "radians" else 180 / np.pi) / (np.sqrt(r2) if v == "modulus" else r2)
        a, b = k * y, -k * x
        if v == "south":
            a, b = a * np.sign(y), b * np.sign(y)
        return (b, a) if v == "swapped" else (a, b)

    def frule(primals, tangents):
        p = partials(*primals)
        return bearing(*primals), p[0] * tangents[0] + p[1] * tangents[1]

    def rrule(x, y):
        p = partials(x, y)
        return bearing(x, y), lambda g: (p[0] * g, p[1] * g)

    cases = [rb.case(np.array([1.0, 0.3]), np.array([2.0, 0.8]))]
    vary = lambda rng: (rng.normal(size=3) * 4, rng.normal(size=3) * 4)
    return {"f": bearing, "cases": cases, "_vary": vary, **({"frule": frule} if v == "forward" else {"rrule": rrule})}


def magnitude(flux, *, softening=1e-10):
    """Asinh magnitudes: logarithmic for bright sources, linear for faint ones, defined for negative fluxes."""
    return -2.5 / np.log(10) * (np.arcsinh(flux / (2 * softening)) + np.log(softening))


@family.add(
    "asinh-magnitude",
    wrong={
        "pogson": ("rare region", "the logarithm's slope: right for bright sources only"),
        "softening": ("static ignored", "1e-10 in the rule"),
    },
)
def _magnitude(v):
    def slope(x, y, *, softening):
        b = 1e-10 if v == "softening" else softening
        return -2.5 / np.log(10) / (np.abs(x) if v == "pogson" else np.sqrt(x * x + 4 * b * b))

    def cases(rng):
        b = float(rng.choice([1e-10, 1e-8]))
        return rb.case(rng.choice([-1, 1], 3, p=[0.2, 0.8]) * b * 10.0 ** rng.uniform(-1, 6, 3), softening=b)

    return _elementwise(magnitude, slope, [cases], cases)
