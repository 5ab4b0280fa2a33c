"""Statics of many kinds, and a function that remembers."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# statics of many kinds


def blend(x, *, how=None, options=None, function=np.sin):
    scale = 1.0 if options is None else options["scale"]
    y = function(scale * x)
    return y if how is None else np.mean(y) if how == "mean" else y[:: how if isinstance(how, int) else 1]


def blend_slope(x, options, function):
    scale = 1.0 if options is None else options["scale"]
    return scale * (np.cos(scale * x) if function is np.sin else np.exp(scale * x))


def blend_push(y, p, t, *, how, options, function):
    d = blend_slope(p[0], options, function) * t[0]
    return d if how is None else np.mean(d) if how == "mean" else d[::how]


def blend_pull(y, p, c, *, how, options, function, slope=blend_slope, mean=True):
    spread = np.zeros_like(p[0])
    if how is None or how == "mean":
        spread += c / (p[0].size if how == "mean" and mean else 1)
    else:
        spread[::how] = c
    return (slope(p[0], options, function) * spread,)


def blend_cases(rng):
    how = [None, "mean", 2, 3][rng.integers(4)]
    options = None if rng.random() < 0.4 else {"scale": rng.uniform(0.5, 2)}
    return rb.case(rng.standard_normal(5), how=how, options=options, function=[np.sin, np.exp][rng.integers(2)])


blends = Family(
    "blend",
    "None, a string, a number, a dict and a function as statics",
    f=blend,
    cases=blend_cases,
    pushforward=blend_push,
    pullback=blend_pull,
)
blends.wrong(
    "scale_outside",
    "static",
    "the scale inside only",
    pullback=lambda y, p, c, **o: blend_pull(
        y, p, c, **o, slope=lambda x, options, function: blend_slope(x, options, function) / (1.0 if options is None else options["scale"])
    ),
)
blends.wrong(
    "sine_only",
    "static",
    pullback=lambda y, p, c, **o: blend_pull(y, p, c, **o, slope=lambda x, options, function: blend_slope(x, options, np.sin)),
)
blends.wrong("sum_for_mean", "factor", pullback=lambda y, p, c, **o: blend_pull(y, p, c, **o, mean=False))
blends.wrong(
    "none_options",
    "raises",
    "cannot take None",
    pushforward=lambda y, p, t, *, how, options, function: blend_push(
        y, p, t, how=how, options={"scale": options["scale"]}, function=function
    ),
)
blends.wrong(
    "pops",
    "mutates",
    "takes the scale out of the dict",
    pullback=lambda y, p, c, *, how, options, function: blend_pull(
        y, p, c, how=how, options=None if options is None else {"scale": options.pop("scale")}, function=function
    ),
)
blends.wrong(
    "stride_two",
    "static",
    "the stride is two",
    pullback=lambda y, p, c, *, how, **o: blend_pull(y, p, np.resize(c, 3) if how == 3 else c, how=2 if how == 3 else how, **o),
)

# a memoised function


def remembered():
    memo = {}

    def f(x):
        key = x.tobytes(), x.shape
        if key not in memo:
            memo[key] = np.arctan(x) * x
        return memo[key].copy()

    return {"f": f}


recalled = Family(
    "memoised",
    "the function itself is memoised",
    build=remembered,
    cases=lambda rng: (rng.standard_normal(3),),
    pushforward=lambda y, p, t: (np.arctan(p[0]) + p[0] / (1 + p[0] ** 2)) * t[0],
    pullback=lambda y, p, c: ((np.arctan(p[0]) + p[0] / (1 + p[0] ** 2)) * c,),
)
recalled.wrong(
    "y_in_place",
    "mutates",
    "the output is changed by the pullback",
    pullback=lambda y, p, c: ((np.arctan(p[0]) + np.divide(p[0], 1 + p[0] ** 2, out=y)) * c,),
)
recalled.wrong("one_term", "dropped term", pushforward=lambda y, p, t: np.arctan(p[0]) * t[0])
recalled.wrong(
    "by_y",
    "nan",
    "y/x: NaN at zero",
    pullback=lambda y, p, c: ((y / p[0] + p[0] / (1 + p[0] ** 2)) * c,),
    cases=lambda rng: (np.round(rng.standard_normal(3)),),
    of="with_zeros",
)
recalled.right("with_zeros", "zeros among the points", cases=lambda rng: (np.round(rng.standard_normal(3)),))
