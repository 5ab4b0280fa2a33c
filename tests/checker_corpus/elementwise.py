"""Elementwise functions: signs, branches, edges of domains, kinks, selects."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


def shapes(rng):
    return [(), (1,), (4,), (2, 3), (3, 1)][rng.integers(5)]


def one_real(rng):
    return (rng.standard_normal(shapes(rng)) * 10.0 ** rng.integers(-2, 2),)


# x |x|: a kink of the second order only


def signed_square(x):
    return x * np.abs(x)


signed = Family(
    "signed_square",
    "smooth, but its formula has a kink",
    f=signed_square,
    cases=one_real,
    pushforward=lambda y, primals, tangents: 2 * np.abs(primals[0]) * tangents[0],
    pullback=lambda y, primals, y_bar: (2 * np.abs(primals[0]) * y_bar,),
)
signed.right("forward_only", pullback=None).right("reverse_only", pushforward=None)
signed.wrong("no_abs_forward", "wrong branch", "wrong for negative x", pushforward=lambda y, p, t: 2 * p[0] * t[0])
signed.wrong("no_abs_reverse", "wrong branch", "wrong for negative x", pullback=lambda y, p, y_bar: (2 * p[0] * y_bar,))
signed.wrong(
    "half_both",
    "factor",
    "both directions alike",
    pushforward=lambda y, p, t: np.abs(p[0]) * t[0],
    pullback=lambda y, p, y_bar: (np.abs(p[0]) * y_bar,),
)
signed.wrong("abs_cotangent", "nonlinear", pullback=lambda y, p, y_bar: (2 * np.abs(p[0] * y_bar),))
signed.wrong("sign_of_cotangent", "nonlinear", pullback=lambda y, p, y_bar: (2 * np.abs(p[0]) * np.abs(y_bar) * np.sign(p[0]),))
signed.wrong("offset", "affine", "adds 1e-8", pullback=lambda y, p, y_bar: (2 * np.abs(p[0]) * y_bar + 1e-8,))
signed.wrong("offset_forward", "affine", pushforward=lambda y, p, t: 2 * np.abs(p[0]) * t[0] + 1e-6)


# softplus with its two branches


def softplus(x, *, beta=1.0, threshold=20.0):
    z = beta * x
    return np.where(z > threshold, x, np.log1p(np.exp(np.minimum(z, threshold))) / beta)


def softplus_slope(x, beta, threshold):
    z = beta * x
    return np.where(z > threshold, 1.0, 1 / (1 + np.exp(-np.minimum(z, threshold))))


def softplus_cases(rng):
    wide = 600.0 if rng.random() < 0.1 else 3.0
    return rb.case(rng.standard_normal(shapes(rng)) * wide, beta=float(rng.choice([0.5, 1.0, 2.0])))


soft = Family(
    "softplus",
    "a branch for large values, statics with defaults",
    f=softplus,
    cases=softplus_cases,
    frule=lambda primals, tangents, *, beta, threshold: (
        softplus(primals[0], beta=beta, threshold=threshold),
        softplus_slope(primals[0], beta, threshold) * tangents[0],
    ),
    rrule=lambda x, *, beta, threshold: (
        softplus(x, beta=beta, threshold=threshold),
        lambda y_bar: (softplus_slope(x, beta, threshold) * y_bar,),
    ),
)
soft.wrong(
    "ignores_beta",
    "static",
    rrule=lambda x, *, beta, threshold: (
        softplus(x, beta=beta, threshold=threshold),
        lambda y_bar: (softplus_slope(x, 1.0, threshold) * y_bar,),
    ),
)
soft.wrong(
    "beta_in_primal",
    "static",
    "the rule's primal uses the default",
    frule=lambda primals, tangents, *, beta, threshold: (softplus(primals[0]), softplus_slope(primals[0], beta, threshold) * tangents[0]),
)
soft.wrong(
    "zero_when_large",
    "wrong branch",
    "zero slope beyond the threshold, in both directions",
    frule=lambda primals, tangents, *, beta, threshold: (
        softplus(primals[0], beta=beta, threshold=threshold),
        np.where(beta * primals[0] > threshold, 0.0, softplus_slope(primals[0], beta, threshold)) * tangents[0],
    ),
    rrule=lambda x, *, beta, threshold: (
        softplus(x, beta=beta, threshold=threshold),
        lambda y_bar: (np.where(beta * x > threshold, 0.0, softplus_slope(x, beta, threshold)) * y_bar,),
    ),
)
soft.wrong(
    "overflow",
    "nan",
    "exp overflows for large x: inf / inf",
    rrule=lambda x, *, beta, threshold: (
        softplus(x, beta=beta, threshold=threshold),
        lambda y_bar: (np.exp(beta * x) / (1 + np.exp(beta * x)) * y_bar,),
    ),
)

# log of the absolute value, and its edge


def log_abs(x):
    return np.log(np.abs(x))


def away_from_zero(rng):
    shape = shapes(rng)
    return (rng.choice([-1.0, 1.0], shape) * 10.0 ** rng.uniform(-8, 8, shape),)


logs = Family(
    "log_abs",
    "twelve magnitudes and more, both signs",
    f=log_abs,
    cases=away_from_zero,
    pushforward=lambda y, primals, tangents: tangents[0] / primals[0],
    pullback=lambda y, primals, y_bar: (y_bar / primals[0],),
)
logs.wrong(
    "abs_in_slope", "wrong branch", pushforward=lambda y, p, t: t[0] / np.abs(p[0]), pullback=lambda y, p, y_bar: (y_bar / np.abs(p[0]),)
)
logs.wrong("guarded", "small beside large", "adds an epsilon to the denominator", pullback=lambda y, p, y_bar: (y_bar / (p[0] + 1e-10),))
logs.wrong("guarded_forward", "constant", "adds an epsilon to the denominator", pushforward=lambda y, p, t: t[0] / (p[0] + 1e-12))
logs.wrong("clipped", "wrong branch", "slope clipped at 1e6", pullback=lambda y, p, y_bar: (y_bar * np.clip(1 / p[0], -1e6, 1e6),))

# arcsin up to its edges


def arcsin(x):
    return np.arcsin(x)


def inside_unit(rng):
    x = rng.uniform(-1, 1, shapes(rng))
    return (np.where(rng.random(x.shape) < 0.1, np.sign(x) * (1 - 10.0 ** rng.uniform(-6, -2, x.shape)), x),)


arcs = Family(
    "arcsin",
    "slopes without bound near the ends of the domain",
    f=arcsin,
    cases=inside_unit,
    pushforward=lambda y, primals, tangents: tangents[0] / np.sqrt((1 - primals[0]) * (1 + primals[0])),
    pullback=lambda y, primals, y_bar: (y_bar / np.sqrt((1 - primals[0]) * (1 + primals[0])),),
)
arcs.right("given_output", "uses the output", pullback=lambda y, p, y_bar: (y_bar / np.sqrt((1 - p[0]) * (1 + p[0])) + 0 * y,))
arcs.wrong("arccos", "sign", "the slope of arccos", pushforward=lambda y, p, t: -t[0] / np.sqrt(1 - p[0] ** 2))
arcs.wrong("arctan", "wrong branch", "1/(1+x^2)", pullback=lambda y, p, y_bar: (y_bar / (1 + p[0] ** 2),))
arcs.wrong("no_root", "power", pullback=lambda y, p, y_bar: (y_bar / (1 - p[0] ** 2),))
arcs.wrong("epsilon", "constant", "1e-7 under the root", pushforward=lambda y, p, t: t[0] / np.sqrt(1 - p[0] ** 2 + 1e-7))
arcs.wrong(
    "epsilon_both",
    "both alike",
    "1e-5 under the root in both directions",
    pushforward=lambda y, p, t: t[0] / np.sqrt(1 - p[0] ** 2 + 1e-5),
    pullback=lambda y, p, y_bar: (y_bar / np.sqrt(1 - p[0] ** 2 + 1e-5),),
)

# relu and leaky relu: a kink


def leaky(x, *, slope=0.1):
    return np.where(x > 0, x, slope * x)


leak = Family(
    "leaky_relu",
    "a kink at zero, and zeros among the points",
    f=leaky,
    cases=lambda rng: rb.case(np.round(rng.standard_normal(shapes(rng)), 1), slope=float(rng.choice([0.0, 0.1, 0.3]))),
    pushforward=lambda y, primals, tangents, *, slope: np.where(primals[0] > 0, tangents[0], slope * tangents[0]),
    pullback=lambda y, primals, y_bar, *, slope: (np.where(primals[0] > 0, y_bar, slope * y_bar),),
)
leak.right(
    "other_side",
    "the other slope at the kink",
    pullback=lambda y, p, y_bar, *, slope: (np.where(p[0] >= 0, 1.0, slope) * y_bar,),
    pushforward=None,
)
leak.wrong(
    "by_output_sign",
    "wrong branch",
    "selects by the sign of the cotangent",
    pullback=lambda y, p, y_bar, *, slope: (np.where(y_bar > 0, 1.0, slope) * y_bar,),
)
leak.wrong("default_slope", "static", pullback=lambda y, p, y_bar, *, slope: (np.where(p[0] > 0, 1.0, 0.1) * y_bar,))
leak.wrong(
    "default_slope_both",
    "static",
    "both directions use the default",
    pullback=lambda y, p, y_bar, *, slope=0.1: (np.where(p[0] > 0, 1.0, 0.1) * y_bar,),
    pushforward=lambda y, p, t, *, slope: np.where(p[0] > 0, 1.0, 0.1) * t[0],
)
leak.wrong(
    "zero_for_small",
    "threshold",
    "cotangents below 1e-6 are cut",
    pullback=lambda y, p, y_bar, *, slope: (np.where(np.abs(y_bar) < 1e-6, 0.0, np.where(p[0] > 0, 1.0, slope) * y_bar),),
)

# clip with bounds that take part


def clip(x, low, high):
    return np.minimum(np.maximum(x, low), high)


def clip_cases(rng):
    low = rng.uniform(-1, 0)
    return rng.standard_normal((2, 5)), np.float64(low), np.float64(low + rng.uniform(0.5, 2))


def clip_push(y, primals, tangents):
    x, low, high = primals
    return np.where(np.maximum(x, low) > high, tangents[2], np.where(x < low, tangents[1], tangents[0]))


def clip_pull(y, primals, y_bar):
    x, low, high = primals
    above = np.maximum(x, low) > high
    below = ~above & (x < low)
    return y_bar * ~(above | below), np.sum(y_bar * below), np.sum(y_bar * above)


clips = Family("clip", "two kinks; 0-d bounds with sums", f=clip, cases=clip_cases, pushforward=clip_push, pullback=clip_pull)
clips.wrong("no_bounds", "missing cotangent", "None for the bounds", pullback=lambda y, p, y_bar: (clip_pull(y, p, y_bar)[0], None, None))
clips.wrong("swapped_bounds", "swapped", pullback=lambda y, p, y_bar: tuple(clip_pull(y, p, y_bar)[i] for i in (0, 2, 1)))
clips.wrong(
    "unsummed",
    "broadcast sum",
    "bounds get the first entry instead of the sum",
    pullback=lambda y, p, y_bar: (clip_pull(y, p, y_bar)[0], (y_bar * (p[0] < p[1]))[0, 0], clip_pull(y, p, y_bar)[2]),
)
clips.wrong(
    "mean",
    "broadcast sum",
    "a mean instead of a sum",
    pullback=lambda y, p, y_bar: (clip_pull(y, p, y_bar)[0], np.mean(y_bar * (p[0] < p[1])), clip_pull(y, p, y_bar)[2]),
)
clips.wrong("all_inside", "wrong branch", "tangents pass outside the bounds too", pushforward=lambda y, p, t: t[0] + np.zeros_like(y))

# sinc with its removable singularity: a select with a division by zero beside it


def sinc(x):
    with np.errstate(all="ignore"):
        return np.where(x == 0, 1.0, np.sin(x) / x)


def sinc_slope(x):
    with np.errstate(all="ignore"):
        series = -x / 3 + x**3 / 30 - x**5 / 840 + x**7 / 45360
        return np.where(np.abs(x) < 0.1, series, (x * np.cos(x) - np.sin(x)) / x**2)


def around_zero(rng):
    x = rng.standard_normal(shapes(rng)) * 10.0 ** rng.integers(-6, 2)
    return (np.where(rng.random(x.shape) < 0.1, 0.0, x),)


sincs = Family(
    "sinc",
    "0/0 in the branch not taken; a series near zero",
    f=sinc,
    cases=around_zero,
    pushforward=lambda y, primals, tangents: sinc_slope(primals[0]) * tangents[0],
    pullback=lambda y, primals, y_bar: (sinc_slope(primals[0]) * y_bar,),
)


def sinc_naive(x):
    with np.errstate(all="ignore"):
        return (x * np.cos(x) - np.sin(x)) / x**2


def sinc_short(x):
    with np.errstate(all="ignore"):
        return np.where(np.abs(x) < 0.1, -x / 3, (x * np.cos(x) - np.sin(x)) / x**2)


sincs.wrong("naive", "nan", "NaN at zero", pullback=lambda y, p, y_bar: (sinc_naive(p[0]) * y_bar,))
sincs.wrong("naive_forward", "nan", "NaN at zero, forward only", pushforward=lambda y, p, t: sinc_naive(p[0]) * t[0], pullback=None)
sincs.wrong("one_at_zero", "wrong branch", "slope 1 at zero", pushforward=lambda y, p, t: np.where(p[0] == 0, 1.0, sinc_slope(p[0])) * t[0])
sincs.wrong("short_series", "constant", "the series is too short", pullback=lambda y, p, y_bar: (sinc_short(p[0]) * y_bar,))
sincs.wrong(
    "short_series_both",
    "both alike",
    "the series is too short, in both directions",
    pushforward=lambda y, p, t: sinc_short(p[0]) * t[0],
    pullback=lambda y, p, y_bar: (sinc_short(p[0]) * y_bar,),
)
sincs.right(
    "warns",
    "the rules divide by zero with a RuntimeWarning",
    pullback=lambda y, p, y_bar: (np.where(p[0] == 0, 0.0, sinc_slope(p[0]) + 0 * np.nan_to_num(1 / p[0], posinf=0, neginf=0)) * y_bar,),
)

# piecewise constant


def stairs(x):
    return np.floor(x) + 0.5


steps = Family(
    "stairs",
    "piecewise constant: all derivatives are zero",
    f=stairs,
    cases=one_real,
    pushforward=lambda y, primals, tangents: np.zeros_like(y),
    pullback=lambda y, primals, y_bar: (rb.ZeroTangent(),),
)
steps.right("none", "None and ZeroTangent", pushforward=lambda y, p, t: rb.ZeroTangent(), pullback=lambda y, p, y_bar: (None,))
steps.wrong(
    "straight_through",
    "both alike",
    "passes tangents as if it were the identity",
    pushforward=lambda y, p, t: t[0],
    pullback=lambda y, p, y_bar: (y_bar,),
)
steps.wrong("straight_forward", "wrong branch", pushforward=lambda y, p, t: t[0])
steps.wrong("not_a_tuple", "structure", "a bare None", pullback=lambda y, p, y_bar: None)
