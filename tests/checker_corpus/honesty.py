"""Kinds of zero, derivatives not written, thunks, rules that raise; size zero and no axes."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# a derivative that is not written, and says so


def damped(x, order, rate):
    return np.exp(-rate * x) * np.cos(order * x)


def damped_cases(rng):
    return rng.standard_normal(3), rng.uniform(0.5, 2.5), rng.uniform(0.1, 1)


def damped_parts(x, order, rate):
    e = np.exp(-rate * x)
    return -rate * e * np.cos(order * x) - order * e * np.sin(order * x), -x * e * np.cos(order * x)


MISSING = rb.NotImplementedTangent("the order")


def pull_with(order_bar):
    return lambda y, p, c: (damped_parts(*p)[0] * c, order_bar, np.sum(damped_parts(*p)[1] * c))


honest = Family("not_written", "NotImplementedTangent for one argument", f=damped, cases=damped_cases, pullback=pull_with(MISSING))
honest.right(
    "thunk_beside",
    "a thunk beside it",
    pullback=lambda y, p, c: (rb.thunk(lambda: damped_parts(*p)[0] * c), MISSING, rb.thunk(lambda: np.sum(damped_parts(*p)[1] * c))),
)
honest.wrong("none", "not honest", pullback=pull_with(None))
honest.wrong("zero_tangent", "not honest", pullback=pull_with(rb.ZeroTangent()))
honest.wrong("no_tangent", "not honest", pullback=pull_with(rb.NoTangent()))
honest.wrong("zeros", "not honest", pullback=lambda y, p, c: (damped_parts(*p)[0] * c, 0.0 * np.sum(c), np.sum(damped_parts(*p)[1] * c)))
honest.wrong(
    "sign_beside",
    "sign",
    "a wrong sign beside it",
    pullback=lambda y, p, c: (damped_parts(*p)[0] * c, MISSING, -np.sum(damped_parts(*p)[1] * c)),
)
honest.wrong("term_beside", "dropped term", pullback=lambda y, p, c: (-p[2] * y * c, MISSING, np.sum(damped_parts(*p)[1] * c)))


def ignoring(y, p, t):
    x_part, rate_part = damped_parts(*p)
    return x_part * t[0] + rate_part * t[2]


def full_push(y, p, t):
    return ignoring(y, p, t) - p[0] * np.exp(-p[2] * p[0]) * np.sin(p[1] * p[0]) * t[1]


forth = Family("damped", "forward only", f=damped, cases=damped_cases, pushforward=full_push)
forth.wrong("order_ignored", "not honest", "the tangent of one argument is ignored", pushforward=ignoring)
forth.wrong("order_sign", "sign", pushforward=lambda y, p, t: 2 * ignoring(y, p, t) - full_push(y, p, t))

# arguments of no influence


def second(x, y):
    return y * 2.0


idle = Family(
    "no_influence",
    "one argument does not matter",
    f=second,
    cases=lambda rng: (rng.standard_normal(3), rng.standard_normal(3)),
    pushforward=lambda y, p, t: 2.0 * t[1],
    pullback=lambda y, p, c: (rb.ZeroTangent(), 2.0 * c),
)
idle.right("zeros", "zeros in full", pullback=lambda y, p, c: (np.zeros_like(p[0]), 2.0 * c))
idle.wrong("given", "swapped", "cotangents exchanged", pullback=lambda y, p, c: (2.0 * c, None))
idle.wrong("to_both", "swapped", pullback=lambda y, p, c: (2.0 * c, 2.0 * c))
idle.wrong("order", "swapped", pushforward=lambda y, p, t: 2.0 * t[0])
idle.wrong("both_alike", "both alike", pushforward=lambda y, p, t: 2.0 * (t[0] + t[1]), pullback=lambda y, p, c: (2.0 * c, 2.0 * c))

# thunks


def distance(a, b):
    return np.sqrt(np.sum((a - b) ** 2))


def distance_rules(kind=""):
    def rrule(a, b):
        y = distance(a, b)
        memo = {}

        def pull(c):
            def work():
                if kind == "once":
                    memo.setdefault("u", (a - b) / y * c)
                    return memo["u"]
                return (a - b) / y * c

            if kind == "raises":
                return rb.thunk(lambda: work()), rb.thunk(lambda: np.negative(work) * 1.0)
            if kind == "nested":
                return rb.thunk(work), rb.thunk(lambda: (-work(),))
            if kind == "sign":
                return rb.thunk(work), rb.thunk(work)
            return rb.thunk(work), rb.thunk(lambda: -work())

        return y, pull

    return {"rrule": rrule}


lazy = Family(
    "thunks",
    "both cotangents on demand",
    build=distance_rules,
    f=distance,
    cases=lambda rng: (rng.standard_normal(3), rng.standard_normal(3)),
)
lazy.wrong("memo", "works once", "a memo keeps the first cotangent", kind="once")
lazy.wrong("raises", "raises", "one thunk raises", kind="raises")
lazy.wrong("tuple", "structure", "a thunk gives a tuple", kind="nested")
lazy.wrong("sign", "sign", kind="sign")

# rules that raise where the function does not


def cut(x, *, mode="soft"):
    return np.where(x > 1, 1 + np.log(np.maximum(x, 1)), x) if mode == "soft" else np.minimum(x, 1.0)


def cut_slope(x, mode):
    return np.where(x > 1, 1 / np.maximum(x, 1) if mode == "soft" else 0.0, 1.0)


def strict_slope(x, mode):
    if mode == "hard":
        raise NotImplementedError("mode")
    return cut_slope(x, mode)


def empty_slope(x, mode):
    if x.size and np.max(x) > 3:
        raise ValueError("too large")
    return cut_slope(x, mode)


cuts = Family(
    "cut",
    "two modes, any size",
    f=cut,
    cases=lambda rng: rb.case(rng.standard_normal(int(rng.integers(0, 4))) * 2, mode=["soft", "hard"][rng.integers(2)]),
    pushforward=lambda y, p, t, *, mode: cut_slope(p[0], mode) * t[0],
    pullback=lambda y, p, c, *, mode: (cut_slope(p[0], mode) * c,),
)
cuts.wrong("one_mode", "raises", "knows one mode only", pullback=lambda y, p, c, *, mode: (strict_slope(p[0], mode) * c,))
cuts.wrong("large", "raises", "raises for large values", pushforward=lambda y, p, t, *, mode: empty_slope(p[0], mode) * t[0])
cuts.wrong("no_static", "raises", "the static is not among the rule's parameters", pullback=lambda y, p, c: (cut_slope(p[0], "soft") * c,))
cuts.wrong("empty", "raises", "raises for no elements", pullback=lambda y, p, c, *, mode: (cut_slope(p[0], mode) * c + 0 * np.max(p[0]),))
cuts.wrong("ignores_mode", "static", pullback=lambda y, p, c, *, mode: (cut_slope(p[0], "soft") * c,))

# 0-d, size one, size zero


def energy(x):
    return np.sum(x**2) / 2


def any_shape(rng):
    return (rng.standard_normal([(), (1,), (1, 1), (0,), (2, 0), (3,), (2, 3)][rng.integers(7)]),)


sizes = Family(
    "energy",
    "every shape, a number as result",
    f=energy,
    cases=any_shape,
    frule=lambda p, t: (energy(p[0]), np.sum(p[0] * t[0])),
    rrule=lambda x: (energy(x), lambda c: (x * c,)),
)
sizes.wrong("flattened", "shape", "a flat cotangent", rrule=lambda x: (energy(x), lambda c: (np.ravel(x) * c,)))
sizes.wrong("at_least_1d", "shape", "(1,) for ()", rrule=lambda x: (energy(x), lambda c: (np.atleast_1d(x) * c,)))
sizes.wrong("squeezed", "shape", "axes of size one are lost", rrule=lambda x: (energy(x), lambda c: (np.squeeze(x) * c,)))
sizes.wrong("unsummed", "shape", "the tangent is not summed", frule=lambda p, t: (energy(p[0]), p[0] * t[0]))
sizes.wrong(
    "last_axis", "shape", "summed over the last axis only", frule=lambda p, t: (energy(p[0]), np.sum(np.atleast_1d(p[0] * t[0]), axis=-1))
)
sizes.wrong("mean", "factor", rrule=lambda x: (energy(x), lambda c: (x * c / max(np.size(x), 1),)))
sizes.wrong(
    "twice", "factor", rrule=lambda x: (energy(x), lambda c: (2 * x * c,)), frule=lambda p, t: (energy(p[0]), 2 * np.sum(p[0] * t[0]))
)
sizes.wrong("no_pair", "structure", "the tangent without the primal", frule=lambda p, t: np.sum(p[0] * t[0]))
sizes.wrong("complex", "dtype", "a complex tangent", frule=lambda p, t: (energy(p[0]), np.sum(p[0] * t[0]) + 0j))
sizes.wrong("dot_of_abs", "wrong branch", rrule=lambda x: (energy(x), lambda c: (np.abs(x) * c,)))

# integers that act as numbers


def binomial_power(x, n):
    return (1 + x) ** n


counts = Family(
    "integer_power",
    "an integer argument, negative and zero too",
    f=binomial_power,
    cases=lambda rng: (rng.uniform(-0.9, 2, 3), int(rng.integers(-2, 4))),
    pushforward=lambda y, p, t: p[1] * (1 + p[0]) ** (p[1] - 1) * t[0],
    pullback=lambda y, p, c: (p[1] * (1 + p[0]) ** (p[1] - 1) * c, None),
)
counts.wrong(
    "integer",
    "integer cotangent",
    "the derivative by a real exponent",
    pullback=lambda y, p, c: (p[1] * (1 + p[0]) ** (p[1] - 1) * c, np.sum(np.log1p(p[0]) * y * c)),
)
counts.wrong(
    "abs_n", "wrong branch", "wrong for negative powers", pullback=lambda y, p, c: (abs(p[1]) * (1 + p[0]) ** (p[1] - 1) * c, None)
)
counts.wrong("same_power", "power", pushforward=lambda y, p, t: p[1] * y * t[0])
counts.wrong(
    "from_output",
    "nan",
    "0 * inf at n = 0 near the pole",
    pullback=lambda y, p, c: ((p[1] * y / (1 + p[0]) if p[1] else y * np.nan) * c, None),
)
