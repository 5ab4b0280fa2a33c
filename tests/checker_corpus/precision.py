"""Dtypes and small errors: float32, mixed precision, approximate constants, rounded residuals, differences inside rules."""

import math

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

f32 = np.float32


# float32 in, float32 out


def gauss(x):
    return np.exp(-(x**2) / 2)


def single(rng):
    shape = [(), (3,), (2, 2)][rng.integers(3)]
    return (np.asarray(rng.standard_normal(shape), [np.float32, np.float64][rng.integers(2)]),)


bells = Family(
    "gauss",
    "float32 and float64",
    f=gauss,
    cases=single,
    pushforward=lambda y, p, t: -p[0] * y * t[0],
    pullback=lambda y, p, c: (-p[0] * y * c,),
)
bells.right(
    "wide_cotangent", "a float64 cotangent of a float32 argument is cast", pullback=lambda y, p, c: (np.asarray(-p[0] * y * c, np.float64),)
)
bells.wrong(
    "wide_tangent", "dtype", "a float64 tangent of a float32 result", pushforward=lambda y, p, t: np.asarray(-p[0] * y * t[0], np.float64)
)
bells.wrong("narrow_tangent", "dtype", "a float32 tangent always", pushforward=lambda y, p, t: np.asarray(-p[0] * y * t[0], np.float32))
bells.wrong("narrow_cotangent", "precision", "through float32", pullback=lambda y, p, c: (np.asarray(-p[0] * y * c, np.float32),))
bells.wrong(
    "wide_primal",
    "primal",
    "the rule's primal is float64",
    pullback=None,
    rrule=lambda x: (np.exp(-(np.asarray(x, np.float64) ** 2) / 2), lambda c: (-x * gauss(x) * c,)),
)
bells.wrong("sign", "sign", pullback=lambda y, p, c: (p[0] * y * c,))
bells.wrong("no_x", "dropped term", pullback=lambda y, p, c: (-y * c,), pushforward=lambda y, p, t: -y * t[0])

only32 = Family(
    "gauss32",
    "float32 only",
    f=gauss,
    cases=lambda rng: (rng.standard_normal(3).astype(np.float32),),
    frule=lambda p, t: (gauss(p[0]), -p[0] * gauss(p[0]) * t[0]),
    rrule=lambda x: (gauss(x), lambda c: (-x * gauss(x) * c,)),
)
only32.wrong("double", "factor", rrule=lambda x: (gauss(x), lambda c: (-2 * x * gauss(x) * c,)))
only32.wrong("constant", "constant", "a relative error of 1e-3", frule=lambda p, t: (gauss(p[0]), f32(-1.001) * p[0] * gauss(p[0]) * t[0]))
only32.wrong(
    "constant_both",
    "both alike",
    "a relative error of 2e-3 in both",
    frule=lambda p, t: (gauss(p[0]), f32(-1.002) * p[0] * gauss(p[0]) * t[0]),
    rrule=lambda x: (gauss(x), lambda c: (f32(-1.002) * x * gauss(x) * c,)),
)
only32.wrong(
    "wide_result",
    "dtype",
    "float64 constants widen the tangent",
    frule=lambda p, t: (gauss(p[0]), np.float64(-1.0) * p[0] * gauss(p[0]) * t[0]),
)
only32.wrong("wide_primal", "primal", frule=lambda p, t: (gauss(p[0].astype(np.float64)), -p[0] * gauss(p[0]) * t[0]))

# mixed


def scaled(x, w):
    return np.sum(w * x.astype(w.dtype))


mixed = Family(
    "mixed",
    "float32 data, float64 weights",
    f=scaled,
    cases=lambda rng: (rng.standard_normal(4).astype(np.float32), rng.standard_normal(4)),
    pushforward=lambda y, p, t: np.sum(p[1] * t[0] + p[0] * t[1]),
    pullback=lambda y, p, c: ((p[1] * c).astype(np.float32), p[0] * c),
)
mixed.wrong("swapped", "swapped", pullback=lambda y, p, c: (p[0] * f32(c), p[1] * c))
mixed.wrong("narrow_tangent", "dtype", pushforward=lambda y, p, t: f32(np.sum(p[1] * t[0] + p[0] * t[1])))
mixed.wrong("mean", "factor", pushforward=lambda y, p, t: np.mean(p[1] * t[0] + p[0] * t[1]))

# constants


def area(r):
    return np.pi * r**2


def radii(rng):
    return (rng.uniform(-3, 3, 3),)


areas = Family(
    "area",
    "a constant",
    f=area,
    cases=radii,
    frule=lambda p, t: (area(p[0]), 2 * np.pi * p[0] * t[0]),
    rrule=lambda r: (area(r), lambda c: (2 * np.pi * r * c,)),
)


def with_pi(pi):
    return {"frule": lambda p, t: (area(p[0]), 2 * pi * p[0] * t[0]), "rrule": lambda r: (area(r), lambda c: (2 * pi * r * c,))}


areas.wrong("short", "constant", "3.1416 in both", **with_pi(3.1416))
areas.wrong("six", "constant", "3.141593 in both: 1e-7", **with_pi(3.141593))
areas.wrong("eight", "constant", "3.14159265 in both: 1e-9", **with_pi(3.14159265))
areas.wrong("single", "precision", "pi in float32, in both", **with_pi(float(f32(np.pi))))
areas.wrong("reverse", "constant", "3.14159265 in reverse", rrule=with_pi(3.14159265)["rrule"])
areas.wrong("forward", "constant", "3.14159265 forward: 1e-9", frule=with_pi(3.14159265)["frule"])
areas.wrong("forward_alone", "constant", "3.141593 forward, no reverse", frule=with_pi(3.141593)["frule"], rrule=None, of="forward_only")
areas.right("forward_only", rrule=None)
areas.wrong(
    "primal_constant",
    "primal",
    "the primal of the rule with 3.14159265",
    rrule=lambda r: (3.14159265 * r**2, lambda c: (2 * np.pi * r * c,)),
)
areas.wrong(
    "primal_single",
    "primal",
    "the primal of the rule through float32",
    frule=lambda p, t: ((np.pi * p[0].astype(f32) ** 2).astype(float), 2 * np.pi * p[0] * t[0]),
)
areas.wrong("primal_added", "primal", "1e-9 added", frule=lambda p, t: (area(p[0]) + 1e-9, 2 * np.pi * p[0] * t[0]))

# the error function by its slope


def erf(x):
    return np.vectorize(math.erf, otypes=[float])(x)


TWO_OVER_ROOT_PI = 2 / np.sqrt(np.pi)

erfs = Family(
    "erf",
    "wide arguments: slopes from 1 to 1e-16",
    f=erf,
    cases=lambda rng: (rng.standard_normal(4) * 2,),
    pushforward=lambda y, p, t: TWO_OVER_ROOT_PI * np.exp(-(p[0] ** 2)) * t[0],
    pullback=lambda y, p, c: (TWO_OVER_ROOT_PI * np.exp(-(p[0] ** 2)) * c,),
)
erfs.wrong(
    "rounded",
    "constant",
    "1.128379 for 2/sqrt(pi), in both",
    pushforward=lambda y, p, t: 1.128379 * np.exp(-(p[0] ** 2)) * t[0],
    pullback=lambda y, p, c: (1.128379 * np.exp(-(p[0] ** 2)) * c,),
)
erfs.wrong(
    "from_output",
    "precision",
    "a series in 1 - y^2: wrong in the tails",
    pullback=lambda y, p, c: (TWO_OVER_ROOT_PI * (np.exp(-(p[0] ** 2)) + 1e-9) * c,),
)
erfs.wrong("half_exponent", "power", pullback=lambda y, p, c: (TWO_OVER_ROOT_PI * np.exp(-(p[0] ** 2) / 2) * c,))
erfs.wrong(
    "normal", "constant", "the normal density's constant", pushforward=lambda y, p, t: np.exp(-(p[0] ** 2)) / np.sqrt(2 * np.pi) * t[0]
)

# differences inside the rule


def wave(x, k):
    return np.sin(k * x) + k**2


def differenced(h, central):
    def partial(x, k):
        return (wave(x + h, k) - wave(x - h, k)) / (2 * h) if central else (wave(x + h, k) - wave(x, k)) / h

    return partial


def wave_rules(partial):
    return {
        "pushforward": lambda y, p, t: partial(*p) * t[0] + (p[0] * np.cos(p[1] * p[0]) + 2 * p[1]) * t[1],
        "pullback": lambda y, p, c: (partial(*p) * c, rb.project(p[1], (p[0] * np.cos(p[1] * p[0]) + 2 * p[1]) * c)),
    }


def wave_cases(rng):
    return rng.standard_normal(3), rng.uniform(0.5, 3)


exact = wave_rules(lambda x, k: k * np.cos(k * x))
waves = Family("wave", "a number and an array", f=wave, cases=wave_cases, **exact)
waves.wrong("one_sided", "differences", "one-sided, h = 1e-6, in both", **wave_rules(differenced(1e-6, False)))
waves.wrong("central", "differences", "central, h = 1e-4, in both", **wave_rules(differenced(1e-4, True)))
waves.wrong("one_sided_reverse", "differences", "h = 1e-8 in reverse", pullback=wave_rules(differenced(1e-8, False))["pullback"])
waves.wrong("central_forward", "differences", "h = 1e-5, forward", pushforward=wave_rules(differenced(1e-5, True))["pushforward"])
waves.wrong(
    "coarse_alone",
    "differences",
    "h = 1e-3, forward alone",
    pushforward=wave_rules(differenced(1e-3, False))["pushforward"],
    pullback=None,
    of="forward_only",
)
waves.right("forward_only", pullback=None)
waves.wrong(
    "k_part",
    "dropped term",
    "k^2 forgotten",
    pullback=lambda y, p, c: (p[1] * np.cos(p[1] * p[0]) * c, rb.project(p[1], p[0] * np.cos(p[1] * p[0]) * c)),
)
waves.wrong(
    "two_k",
    "factor",
    "k^2 has slope k in both",
    pullback=lambda y, p, c: (exact["pullback"](y, p, c)[0], rb.project(p[1], (p[0] * np.cos(p[1] * p[0]) + p[1]) * c)),
    pushforward=lambda y, p, t: p[1] * np.cos(p[1] * p[0]) * t[0] + (p[0] * np.cos(p[1] * p[0]) + p[1]) * t[1],
)

# residuals from rounded outputs


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


sigmoids = Family(
    "sigmoid",
    "from the output; tails on both sides",
    f=sigmoid,
    cases=lambda rng: (rng.standard_normal(4) * [1.0, 10.0][rng.integers(2)],),
    pushforward=lambda y, p, t: y * sigmoid(-p[0]) * t[0],
    pullback=lambda y, p, c: (y * sigmoid(-p[0]) * c,),
)
sigmoids.wrong(
    "float16", "precision", "the residual is kept in float16", pullback=lambda y, p, c: (y.astype(np.float16) * sigmoid(-p[0]) * c,)
)
sigmoids.wrong("float32", "precision", "the residual is kept in float32", pullback=lambda y, p, c: (y.astype(f32) * sigmoid(-p[0]) * c,))
sigmoids.wrong(
    "rounded",
    "precision",
    "the output rounded to 8 digits, in both",
    pullback=lambda y, p, c: (np.round(y, 8) * np.round(1 - y, 8) * c,),
    pushforward=lambda y, p, t: np.round(y, 8) * np.round(1 - y, 8) * t[0],
)
sigmoids.wrong("square", "power", pullback=lambda y, p, c: (y**2 * c,))
