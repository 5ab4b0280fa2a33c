"""Values of many magnitudes in one array, rare regions, and explicit cases at which a bug hides."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# twelve orders of magnitude each way


def rate(k, x):
    return k * x / (1 + x)


def wide(rng):
    n = 6
    return 10.0 ** rng.uniform(-12, 12, n), 10.0 ** rng.uniform(-3, 3, n)


def rate_push(y, p, t):
    return p[1] / (1 + p[1]) * t[0] + p[0] / (1 + p[1]) ** 2 * t[1]


def rate_pull(y, p, c):
    return p[1] / (1 + p[1]) * c, p[0] / (1 + p[1]) ** 2 * c


def small_doubled(a):
    return np.where(np.abs(a) < 1e-6 * np.max(np.abs(a)), 2 * a, a)


def small_lost(a):
    return np.where(np.abs(a) < 1e-9 * np.max(np.abs(a)), 0.0, a)


rates = Family("rates", "1e-12 to 1e12 in one array", f=rate, cases=wide, pushforward=rate_push, pullback=rate_pull)
rates.wrong(
    "small_lost",
    "small beside large",
    "entries small beside the largest are cut",
    pullback=lambda y, p, c: (small_lost(rate_pull(y, p, c)[0] * p[0]) / p[0], small_lost(rate_pull(y, p, c)[1])),
)
rates.wrong("small_doubled", "small beside large", pullback=lambda y, p, c: (rate_pull(y, p, c)[0], small_doubled(rate_pull(y, p, c)[1])))
rates.wrong("small_doubled_forward", "small beside large", pushforward=lambda y, p, t: small_doubled(rate_push(y, p, t)))
rates.wrong(
    "smallest_sign",
    "one element",
    "the sign of the smallest entry's cotangent",
    pullback=lambda y, p, c: (np.where(p[0] == p[0].min(), -1, 1) * rate_pull(y, p, c)[0], rate_pull(y, p, c)[1]),
)
rates.wrong(
    "added", "affine", "1e-10 added to every cotangent", pullback=lambda y, p, c: (rate_pull(y, p, c)[0], rate_pull(y, p, c)[1] + 1e-10)
)
rates.wrong("power", "power", pullback=lambda y, p, c: (rate_pull(y, p, c)[0], p[0] / (1 + p[1]) * c))

# two results of other magnitude


def energies(x):
    return {"total": 1e12 * np.sum(x**2), "shift": 1e-9 * np.sum(np.sin(x))}


def energies_pull(y, p, c):
    return (2e12 * p[0] * c["total"] + 1e-9 * np.cos(p[0]) * c["shift"],)


def energies_push(y, p, t):
    return {"total": 2e12 * np.sum(p[0] * t[0]), "shift": 1e-9 * np.sum(np.cos(p[0]) * t[0])}


scaled = Family(
    "two_scales",
    "results of 1e12 and 1e-9",
    f=energies,
    cases=lambda rng: (rng.standard_normal(3),),
    pushforward=energies_push,
    pullback=energies_pull,
)
scaled.wrong(
    "small_dropped", "dropped term", "the small result's cotangent is dropped", pullback=lambda y, p, c: (2e12 * p[0] * c["total"],)
)
scaled.wrong(
    "small_dropped_both",
    "dropped term",
    pullback=lambda y, p, c: (2e12 * p[0] * c["total"],),
    pushforward=lambda y, p, t: {**energies_push(y, p, t), "shift": np.float64(0.0)},
)
scaled.wrong("small_sign", "sign", pullback=lambda y, p, c: (2e12 * p[0] * c["total"] - 1e-9 * np.cos(p[0]) * c["shift"],))
scaled.wrong(
    "small_factor_forward", "factor", pushforward=lambda y, p, t: {**energies_push(y, p, t), "shift": 2e-9 * np.sum(np.cos(p[0]) * t[0])}
)
scaled.wrong("missing_result", "structure", pushforward=lambda y, p, t: {"total": 2e12 * np.sum(p[0] * t[0])})

# a rare region: the far tail of a function in pieces


def huber(r, *, delta=1.0):
    a = np.abs(r)
    return np.where(
        a <= delta,
        r**2 / 2,
        np.where(
            a <= 20 * delta, delta * (a - delta / 2), delta * 20 * delta * np.log(np.maximum(a, 1e-300) / (20 * delta)) + 19.5 * delta**2
        ),
    )


def huber_slope(r, delta):
    a = np.abs(r)
    return np.where(a <= delta, r, np.where(a <= 20 * delta, delta * np.sign(r), 20 * delta**2 / np.where(a == 0, 1, a) * np.sign(r)))


def outliers(rng):
    r = rng.standard_normal(3)
    if rng.random() < 0.05:
        r[rng.integers(3)] *= 100
    return rb.case(r, delta=float(rng.choice([0.5, 1.0])))


def huber_rules(slope):
    return {
        "pushforward": lambda y, p, t, *, delta: slope(p[0], delta) * t[0],
        "pullback": lambda y, p, c, *, delta: (slope(p[0], delta) * c,),
    }


hubers = Family("huber", "three pieces, the third met in one draw of twenty", f=huber, cases=outliers, **huber_rules(huber_slope))


def no_tail(r, delta):
    return np.where(np.abs(r) <= delta, r, delta * np.sign(r))


def tail_sign(r, delta):
    return np.where(np.abs(r) > 20 * delta, np.abs(huber_slope(r, delta)), huber_slope(r, delta))


hubers.wrong("no_tail", "wrong branch", "rare; in both", **huber_rules(no_tail))
hubers.wrong("no_tail_reverse", "wrong branch", "rare", pullback=huber_rules(no_tail)["pullback"])
hubers.wrong("no_tail_forward", "wrong branch", "rare", pushforward=huber_rules(no_tail)["pushforward"])
hubers.wrong(
    "tail_sign",
    "wrong branch",
    "rare: large negative values",
    vary=lambda rng: rb.case(rng.standard_normal(3) * 40, delta=1.0),
    seen=False,
    **huber_rules(tail_sign),
)
hubers.wrong("delta", "static", **huber_rules(lambda r, delta: huber_slope(r, 1.0)))
hubers.wrong("quadratic", "wrong branch", "the quadratic's slope everywhere", pullback=huber_rules(lambda r, delta: r)["pullback"])
hubers.wrong(
    "nan_tail",
    "nan",
    "rare: NaN for large values",
    pullback=huber_rules(lambda r, delta: huber_slope(r, delta) * np.where(np.abs(r) > 20 * delta, np.nan, 1.0))["pullback"],
)
hubers.wrong(
    "raises_in_tail",
    "raises",
    "rare: raises for large values",
    pullback=huber_rules(lambda r, delta: huber_slope(r, delta) if np.all(np.abs(r) < 20) else r[99])["pullback"],
)

# explicit cases at which a bug does not show: signs, sizes, magnitudes, options


def cubic(x):
    return np.abs(x) ** 3


cubics = Family(
    "cubic",
    "explicit: positive values only",
    f=cubic,
    cases=[rb.case(np.array([1.0, 2.0, 0.5]))],
    pushforward=lambda y, p, t: 3 * p[0] * np.abs(p[0]) * t[0],
    pullback=lambda y, p, c: (3 * p[0] * np.abs(p[0]) * c,),
)
cubics.wrong("positive", "wrong branch", "right for positive values", pullback=lambda y, p, c: (3 * p[0] ** 2 * c,), seen=False)
cubics.wrong(
    "positive_both",
    "wrong branch",
    "right for positive values",
    pullback=lambda y, p, c: (3 * p[0] ** 2 * c,),
    pushforward=lambda y, p, t: 3 * p[0] ** 2 * t[0],
    seen=False,
)
cubics.wrong(
    "positive_alone",
    "wrong branch",
    "right for positive values",
    pullback=None,
    pushforward=lambda y, p, t: 3 * p[0] ** 2 * t[0],
    seen=False,
)


def symmetric_form(a, x):
    return x @ a @ x


forms = Family(
    "form",
    "explicit: a symmetric matrix",
    f=symmetric_form,
    cases=[rb.case(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -1.0]))],
    pushforward=lambda y, p, t: p[1] @ t[0] @ p[1] + t[1] @ (p[0] + p[0].T) @ p[1],
    pullback=lambda y, p, c: (c * np.outer(p[1], p[1]), c * (p[0] + p[0].T) @ p[1]),
)


def general_forms(rng):
    return rng.standard_normal((2, 2)), rng.standard_normal(2)


forms.wrong(
    "symmetric",
    "transpose",
    "right for symmetric matrices",
    pullback=lambda y, p, c: (c * np.outer(p[1], p[1]), 2 * c * p[0] @ p[1]),
    seen=False,
    vary=general_forms,
)
forms.wrong(
    "symmetric_forward",
    "transpose",
    "right for symmetric matrices",
    pushforward=lambda y, p, t: p[1] @ t[0] @ p[1] + 2 * t[1] @ p[0] @ p[1],
    seen=False,
    vary=general_forms,
)
forms.wrong("half", "factor", pullback=lambda y, p, c: (c * np.outer(p[1], p[1]), c * p[0] @ p[1]))


def bounded(x, *, saturate=False):
    return np.tanh(x) if saturate else np.arctan(x)


def bounded_slope(x, saturate):
    return 1 - np.tanh(x) ** 2 if saturate else 1 / (1 + x**2)


options = Family(
    "option",
    "explicit: the option at its default",
    f=bounded,
    cases=[rb.case(np.array([0.3, -1.2]))],
    pushforward=lambda y, p, t, *, saturate: bounded_slope(p[0], saturate) * t[0],
    pullback=lambda y, p, c, *, saturate: (bounded_slope(p[0], saturate) * c,),
)


def any_option(rng):
    return rb.case(rng.standard_normal(2), saturate=bool(rng.integers(2)))


options.wrong("ignored", "static", pullback=lambda y, p, c, *, saturate: (bounded_slope(p[0], False) * c,), seen=False, vary=any_option)
options.wrong(
    "ignored_both",
    "static",
    pullback=lambda y, p, c, *, saturate: (bounded_slope(p[0], False) * c,),
    pushforward=lambda y, p, t, *, saturate: bounded_slope(p[0], False) * t[0],
    seen=False,
    vary=any_option,
)
options.wrong("swapped", "swapped", "the options exchanged", pullback=lambda y, p, c, *, saturate: (bounded_slope(p[0], not saturate) * c,))


def root_sum(x):
    return np.sqrt(1 + np.sum(x**2))


plain = Family(
    "hypotenuse",
    "explicit: one vector",
    f=root_sum,
    cases=[rb.case(np.array([0.5, -0.25, 1.0]))],
    frule=lambda p, t: (root_sum(p[0]), np.sum(p[0] * t[0]) / root_sum(p[0])),
    rrule=lambda x: (root_sum(x), lambda c: (x / root_sum(x) * c,)),
)
plain.wrong(
    "three_only",
    "one element",
    "the loop runs over three entries",
    rrule=lambda x: (root_sum(x), lambda c: (np.concatenate((x[:3], np.zeros(max(x.size - 3, 0)))) / root_sum(x) * c,)),
    seen=False,
    vary=lambda rng: (rng.standard_normal(int(rng.integers(1, 7))),),
)
plain.wrong(
    "saturated",
    "wrong branch",
    "slope 1 for large values",
    rrule=lambda x: (root_sum(x), lambda c: (np.where(np.abs(x) > 3, np.sign(x), x / root_sum(x)) * c,)),
    seen=False,
)
plain.wrong(
    "tiny",
    "small beside large",
    "entries below 1e-3 count as zero",
    rrule=lambda x: (root_sum(x), lambda c: (np.where(np.abs(x) < 1e-3, 0.0, x) / root_sum(x) * c,)),
    seen=False,
)
plain.wrong("no_root", "power", frule=lambda p, t: (root_sum(p[0]), np.sum(p[0] * t[0])))
plain.wrong("column", "shape", rrule=lambda x: (root_sum(x), lambda c: (x[:, None] / root_sum(x) * c,)))

# scalar explicit case: numbers


def well(x, depth):
    return -depth / (1 + x**2)


wells = Family(
    "well",
    "explicit: two numbers",
    f=well,
    cases=[rb.case(0.7, 1.0), rb.case(-1.1, 1.0)],
    pushforward=lambda y, p, t: 2 * p[1] * p[0] / (1 + p[0] ** 2) ** 2 * t[0] - t[1] / (1 + p[0] ** 2),
    pullback=lambda y, p, c: (2 * p[1] * p[0] / (1 + p[0] ** 2) ** 2 * c, -c / (1 + p[0] ** 2)),
)
wells.wrong(
    "unit_depth",
    "dropped term",
    "right for depth 1",
    pullback=lambda y, p, c: (2 * p[0] / (1 + p[0] ** 2) ** 2 * c, -c / (1 + p[0] ** 2)),
    seen=False,
)
wells.wrong(
    "depth_squared",
    "power",
    "right for depth 1",
    pushforward=lambda y, p, t: 2 * p[1] ** 2 * p[0] / (1 + p[0] ** 2) ** 2 * t[0] - t[1] / (1 + p[0] ** 2),
    seen=False,
)
wells.wrong(
    "shape", "shape", "(1,) for ()", pullback=lambda y, p, c: (2 * p[1] * p[0] / (1 + p[0] ** 2) ** 2 * c, np.array([-c / (1 + p[0] ** 2)]))
)
wells.wrong("power", "power", pullback=lambda y, p, c: (2 * p[1] * p[0] / (1 + p[0] ** 2) * c, -c / (1 + p[0] ** 2)))
