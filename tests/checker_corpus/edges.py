"""NaN and infinity among the arguments, selects, ends of domains, two-argument kinks; spaces of other kinds."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# a mean that leaves NaN out


def nanmean(x):
    return np.nansum(x) / np.sum(~np.isnan(x))


def with_gaps(rng):
    x = rng.standard_normal(5)
    x[rng.random(5) < 0.3] = np.nan
    x[0] = rng.standard_normal()
    return (x,)


def present(x):
    return ~np.isnan(x) / np.sum(~np.isnan(x))


gaps = Family(
    "nanmean",
    "NaN among the values",
    f=nanmean,
    cases=with_gaps,
    pushforward=lambda y, p, t: np.sum(present(p[0]) * t[0]),
    pullback=lambda y, p, c: (present(p[0]) * c,),
)
gaps.wrong("all", "wrong branch", "divides by the number of all values", pullback=lambda y, p, c: (~np.isnan(p[0]) * c / p[0].size,))
gaps.wrong(
    "spread", "wrong branch", "gaps get a cotangent too", pullback=lambda y, p, c: (np.ones(p[0].size) * c / np.sum(~np.isnan(p[0])),)
)
gaps.wrong("nan_times_zero", "nan", "NaN times zero", pullback=lambda y, p, c: (present(p[0]) * c + 0 * p[0],))
gaps.wrong("sum", "factor", pushforward=lambda y, p, t: np.sum(~np.isnan(p[0]) * t[0]))

# logaddexp with minus infinity


def either(a, b):
    return np.logaddexp(a, b)


def share(a, b):
    with np.errstate(all="ignore"):
        return np.where(np.isneginf(a), 0.0, np.where(np.isneginf(b), 1.0, 1 / (1 + np.exp(np.clip(b - a, -700, 700)))))


def log_probabilities(rng):
    a, b = rng.standard_normal(4) * 5, rng.standard_normal(4) * 5
    a[rng.integers(4)] = -np.inf if rng.random() < 0.5 else 100.0
    return a, b


sums = Family(
    "logaddexp",
    "probability zero: minus infinity as argument",
    f=either,
    cases=log_probabilities,
    pushforward=lambda y, p, t: share(*p) * t[0] + share(*p[::-1]) * t[1],
    pullback=lambda y, p, c: (share(*p) * c, share(*p[::-1]) * c),
)
sums.wrong(
    "half",
    "wrong branch",
    "one half where b - a is not finite",
    pullback=lambda y, p, c: (np.where(np.isfinite(p[1] - p[0]), share(*p), 0.5) * c, share(*p[::-1]) * c),
)
sums.wrong("nan", "nan", pullback=lambda y, p, c: (share(*p) * c + 0 * p[0], share(*p[::-1]) * c))
sums.wrong("swapped", "swapped", pullback=lambda y, p, c: (share(*p[::-1]) * c, share(*p) * c))
sums.wrong("hard", "wrong branch", "the larger takes all", pushforward=lambda y, p, t: np.where(p[0] > p[1], t[0], t[1]))

# a safe square root


def safe_sqrt(x):
    with np.errstate(all="ignore"):
        return np.where(x > 0, np.sqrt(np.abs(x)), 0.0)


def safe_slope(x):
    return np.where(x > 0, 0.5 / np.sqrt(np.where(x > 0, x, 1.0)), 0.0)


roots = Family(
    "safe_sqrt",
    "zero for negative arguments; unbounded slope beside",
    f=safe_sqrt,
    cases=lambda rng: (rng.standard_normal(4) * 10.0 ** rng.integers(-4, 3),),
    pushforward=lambda y, p, t: safe_slope(p[0]) * t[0],
    pullback=lambda y, p, c: (safe_slope(p[0]) * c,),
)
roots.right(
    "warns",
    "divides by zero in the branch not taken, with a warning",
    pullback=lambda y, p, c: (np.where(p[0] > 0, 0.5 / np.sqrt(np.maximum(p[0], 0.0)), 0.0) * c,),
)
roots.wrong("nan_branch", "nan", "zero times infinity", pullback=lambda y, p, c: ((p[0] > 0) * (0.5 / y) * c,))
roots.wrong(
    "abs",
    "wrong branch",
    "no zero for negative arguments",
    pullback=lambda y, p, c: (0.5 / np.sqrt(np.abs(p[0])) * c,),
    pushforward=lambda y, p, t: 0.5 / np.sqrt(np.abs(p[0])) * t[0],
)
roots.wrong("inverse", "power", pushforward=lambda y, p, t: safe_slope(p[0]) ** 2 * t[0])

# the larger of two


def larger(a, b):
    return np.maximum(a, b)


maxima = Family(
    "maximum",
    "two arguments; broadcasting",
    f=larger,
    cases=lambda rng: (rng.standard_normal((2, 3)), rng.standard_normal([(3,), (2, 1), (2, 3)][rng.integers(3)])),
    frule=lambda p, t: (larger(*p), np.where(p[0] > p[1], t[0], t[1])),
    rrule=lambda a, b: (larger(a, b), lambda c: (np.where(a > b, c, 0.0), rb.project(b, np.where(a > b, 0.0, c)))),
)
maxima.wrong("minimum", "swapped", "the smaller of two", frule=lambda p, t: (larger(*p), np.where(p[0] < p[1], t[0], t[1])))
maxima.wrong("of_tangents", "nonlinear", frule=lambda p, t: (larger(*p), np.maximum(t[0], t[1])))
maxima.wrong("both", "wrong branch", "both get the cotangent", rrule=lambda a, b: (larger(a, b), lambda c: (c, rb.project(b, c))))
maxima.wrong("halved", "factor", "half to each", rrule=lambda a, b: (larger(a, b), lambda c: (c / 2, rb.project(b, c / 2))))
maxima.wrong(
    "primal_first",
    "primal",
    "the rule's primal is a where it should be b",
    frule=lambda p, t: (np.where(p[0] > p[1] - 0.1, p[0], p[1]), np.where(p[0] > p[1], t[0], t[1])),
)

# powers with both arguments; the base up to zero


def power(x, a):
    return x**a


def power_cases(rng):
    return 10.0 ** rng.uniform(-6, 2, 3), rng.uniform(0.5, 3)


powers = Family(
    "power",
    "small bases",
    f=power,
    cases=power_cases,
    pushforward=lambda y, p, t: p[1] * p[0] ** (p[1] - 1) * t[0] + y * np.log(p[0]) * t[1],
    pullback=lambda y, p, c: (p[1] * p[0] ** (p[1] - 1) * c, np.sum(y * np.log(p[0]) * c)),
)
powers.wrong(
    "log10", "constant", "the decimal logarithm", pullback=lambda y, p, c: (p[1] * p[0] ** (p[1] - 1) * c, np.sum(y * np.log10(p[0]) * c))
)
powers.wrong("same_exponent", "power", pushforward=lambda y, p, t: p[1] * y * t[0] + y * np.log(p[0]) * t[1])
powers.wrong("exponent_held", "missing cotangent", pullback=lambda y, p, c: (p[1] * p[0] ** (p[1] - 1) * c, None))
powers.wrong(
    "clipped_log",
    "wrong branch",
    "the logarithm is clipped at 1e-4",
    pullback=lambda y, p, c: (p[1] * p[0] ** (p[1] - 1) * c, np.sum(y * np.log(np.maximum(p[0], 1e-4)) * c)),
)

# diagonal and trace-free matrices, sums that are zero


def deviator(i, t):
    return t - np.trace(t) / t.shape[0] * np.eye(t.shape[0])


def second_invariant(s):
    return np.sum(s**2) / 2 + s[0, 0] * np.trace(s)


deviators = Family(
    "trace_free",
    "matrices without trace; the formula holds there only",
    f=second_invariant,
    cases=lambda rng: (deviator(0, rng.standard_normal((3, 3))),),
    tangent_space=deviator,
    pushforward=lambda y, p, t: np.sum(p[0] * t[0]),
    pullback=lambda y, p, c: (p[0] * c,),
)
deviators.wrong("with_trace", "off space", pullback=lambda y, p, c: (p[0] * c + c * np.eye(3),))
deviators.wrong("transposed", "transpose", pullback=lambda y, p, c: (p[0].T * c,))
deviators.wrong("half", "factor", pushforward=lambda y, p, t: np.sum(p[0] * t[0]) / 2)
deviators.wrong("diagonal_lost", "dropped term", pullback=lambda y, p, c: (deviator(0, p[0] - np.diag(np.diag(p[0]))) * c,))

PATTERN = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1]], float)


def masked(i, t):
    return t * PATTERN if i == 0 else t


def apply_pattern(a, x):
    return np.tanh(a @ x)


patterns = Family(
    "pattern",
    "a fixed sparsity pattern",
    f=apply_pattern,
    cases=lambda rng: (PATTERN * rng.standard_normal((4, 4)), rng.standard_normal(4)),
    tangent_space=masked,
    pushforward=lambda y, p, t: (1 - y**2) * (t[0] @ p[1] + p[0] @ t[1]),
    pullback=lambda y, p, c: (PATTERN * np.outer((1 - y**2) * c, p[1]), p[0].T @ ((1 - y**2) * c)),
)
patterns.wrong("full", "off space", pullback=lambda y, p, c: (np.outer((1 - y**2) * c, p[1]), p[0].T @ ((1 - y**2) * c)))
patterns.wrong(
    "transposed_pattern",
    "transpose",
    pullback=lambda y, p, c: (PATTERN.T * PATTERN * np.outer((1 - y**2) * c, p[1]), p[0].T @ ((1 - y**2) * c)),
)
patterns.wrong("no_slope", "dropped term", pushforward=lambda y, p, t: t[0] @ p[1] + p[0] @ t[1])
patterns.wrong("x_transposed", "transpose", pullback=lambda y, p, c: (PATTERN * np.outer((1 - y**2) * c, p[1]), p[0] @ ((1 - y**2) * c)))

# complex64


def phase(z):
    return z / np.abs(z)


def phase_map(z, t):
    u = z / np.abs(z)
    return (t - u * np.real(np.conj(u) * t)) / np.abs(z)


phases = Family(
    "phase",
    "complex64 and complex128; self-adjoint",
    f=phase,
    cases=lambda rng: ((rng.standard_normal(3) + 1j * rng.standard_normal(3)).astype([np.complex64, np.complex128][rng.integers(2)]),),
    pushforward=lambda y, p, t: phase_map(p[0], t[0]),
    pullback=lambda y, p, c: (phase_map(p[0], c),),
)
phases.wrong("wide", "dtype", "complex128 always", pushforward=lambda y, p, t: phase_map(p[0], t[0]).astype(np.complex128))
phases.wrong("holomorphic", "conj", "as if z/|z| were holomorphic", pullback=lambda y, p, c: (c / (2 * np.abs(p[0])),))
phases.wrong("no_conj", "conj", pullback=lambda y, p, c: ((c - y * np.real(y * c)) / np.abs(p[0]),))
phases.wrong("plus", "sign", pushforward=lambda y, p, t: (t[0] + y * np.real(np.conj(y) * t[0])) / np.abs(p[0]))


# projection onto a simplex


def simplex(x):
    u = np.sort(x)[::-1]
    shift = (np.cumsum(u) - 1) / np.arange(1, x.size + 1)
    k = np.nonzero(u > shift)[0][-1]
    return np.maximum(x - shift[k], 0.0)


def on_support(y, t):
    active = y > 0
    return active * (t - np.sum(active * t) / np.sum(active))


balls = Family(
    "simplex",
    "an active set; self-adjoint",
    f=simplex,
    cases=lambda rng: (rng.standard_normal(5) * rng.choice([0.3, 1.0]),),
    pushforward=lambda y, p, t: on_support(y, t[0]),
    pullback=lambda y, p, c: (on_support(y, c),),
)
balls.wrong("mask_only", "dropped term", pullback=lambda y, p, c: ((y > 0) * c,))
balls.wrong(
    "whole_mean",
    "wrong branch",
    "the mean over all entries",
    pullback=lambda y, p, c: ((y > 0) * (c - c.mean()),),
    pushforward=lambda y, p, t: (y > 0) * (t[0] - t[0].mean()),
)
balls.wrong(
    "sign_of_x",
    "wrong branch",
    "support from the sign of x",
    pushforward=lambda y, p, t: on_support(p[0], t[0]) if np.any(p[0] > 0) else on_support(y, t[0]),
)
