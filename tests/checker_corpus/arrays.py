"""Arrays: stencils, sums that run, products with zeros, sorting, selections; one element of many."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# a stencil with boundaries


def laplace(u, *, periodic=False):
    if periodic:
        return np.roll(u, 1) + np.roll(u, -1) - 2 * u
    out = -2.0 * u
    out[1:] += u[:-1]
    out[:-1] += u[1:]
    return out


def stencil_cases(rng):
    return rb.case(rng.standard_normal(int(rng.integers(2, 40))), periodic=bool(rng.integers(2)))


stencils = Family(
    "laplace",
    "self-adjoint with either boundary",
    f=laplace,
    cases=stencil_cases,
    pushforward=lambda y, p, t, *, periodic: laplace(t[0], periodic=periodic),
    pullback=lambda y, p, c, *, periodic: (laplace(c, periodic=periodic),),
)
stencils.wrong("always_periodic", "static", pullback=lambda y, p, c, *, periodic: (laplace(c, periodic=True),))
stencils.wrong(
    "never_periodic", "static", pullback=lambda y, p, c, *, periodic: (laplace(c),), pushforward=lambda y, p, t, *, periodic: laplace(t[0])
)


def edged(u, periodic):
    out = laplace(u, periodic=periodic)
    out[-1] = out[-1] + (u[-1] if not periodic else 0)
    return out


stencils.wrong(
    "last_node", "one element", "another boundary condition at the last node", pullback=lambda y, p, c, *, periodic: (edged(c, periodic),)
)
stencils.wrong(
    "last_node_both",
    "one element",
    pullback=lambda y, p, c, *, periodic: (edged(c, periodic),),
    pushforward=lambda y, p, t, *, periodic: edged(t[0], periodic),
)

# upwind differences: not self-adjoint


def upwind(u, v):
    back = u - np.append(0.0, u[:-1])
    ahead = np.append(u[1:], 0.0) - u
    return np.where(v > 0, v * back, v * ahead)


def upwind_push(y, p, t):
    u, v = p
    slope = np.where(v > 0, u - np.append(0.0, u[:-1]), np.append(u[1:], 0.0) - u)
    return upwind(t[0], v) + slope * t[1]


def upwind_pull(y, p, c):
    u, v = p
    slope = np.where(v > 0, u - np.append(0.0, u[:-1]), np.append(u[1:], 0.0) - u)
    g, h = np.where(v > 0, v * c, 0.0), np.where(v > 0, 0.0, v * c)
    u_bar = g - h
    u_bar[:-1] -= g[1:]
    u_bar[1:] += h[:-1]
    return u_bar, slope * c


winds = Family(
    "upwind",
    "two branches, shifted either way",
    f=upwind,
    cases=lambda rng: (lambda n: (rng.standard_normal(n), rng.standard_normal(n)))(int(rng.integers(1, 8))),
    pushforward=upwind_push,
    pullback=upwind_pull,
)


def upwind_gather(y, p, c):
    return upwind(c, p[1]), upwind_pull(y, p, c)[1]


winds.wrong("same_direction", "transpose", "the stencil is not turned round", pullback=upwind_gather)
winds.wrong(
    "downwind_lost",
    "wrong branch",
    "the other wind's neighbours are forgotten",
    pullback=lambda y, p, c: (
        (lambda g: g - np.append(np.where(p[1] > 0, p[1] * c, 0)[1:], 0.0))(np.abs(p[1]) * c),
        upwind_pull(y, p, c)[1],
    ),
)
winds.wrong(
    "last_v",
    "one element",
    "the last velocity's cotangent is zero",
    pullback=lambda y, p, c: (upwind_pull(y, p, c)[0], np.append(upwind_pull(y, p, c)[1][:-1], 0.0)),
)

# running sums and products


def cumsum(x, *, axis=-1):
    return np.cumsum(x, axis=axis)


def flip_sum(c, axis):
    return np.flip(np.cumsum(np.flip(c, axis), axis=axis), axis)


sums = Family(
    "cumsum",
    "the adjoint runs the other way",
    f=cumsum,
    cases=lambda rng: rb.case(rng.standard_normal((3, 4)), axis=int(rng.integers(-2, 2))),
    pushforward=lambda y, p, t, *, axis: np.cumsum(t[0], axis=axis),
    pullback=lambda y, p, c, *, axis: (flip_sum(c, axis),),
)
sums.wrong("forth", "transpose", pullback=lambda y, p, c, *, axis: (np.cumsum(c, axis=axis),))
sums.wrong("exclusive", "one element", "each entry without its own", pullback=lambda y, p, c, *, axis: (flip_sum(c, axis) - c,))
sums.wrong("axis", "static", pullback=lambda y, p, c, *, axis: (flip_sum(c, -1),))


def prod(x):
    return np.prod(x)


def others(x):
    left = np.concatenate((np.ones(1, x.dtype), np.cumprod(x[:-1])))
    right = np.concatenate((np.cumprod(x[:0:-1])[::-1], np.ones(1, x.dtype)))
    return (left * right)[: x.size]


def with_zeros(rng):
    x = rng.standard_normal(int(rng.integers(1, 6)))
    for _ in range(rng.integers(0, 3)):
        x[rng.integers(x.size)] *= rng.random() < 0.5
    return (x,)


prods = Family(
    "prod",
    "zeros among the factors",
    f=prod,
    cases=with_zeros,
    pushforward=lambda y, p, t: np.sum(others(p[0]) * t[0]),
    pullback=lambda y, p, c: (others(p[0]) * c,),
)
prods.wrong("quotient", "nan", "y / x: NaN at zeros", pullback=lambda y, p, c: (y / p[0] * c,))
prods.wrong(
    "guarded",
    "wrong branch",
    "zero where an entry is zero",
    pullback=lambda y, p, c: (np.where(p[0] == 0, 0.0, y / np.where(p[0] == 0, 1.0, p[0])) * c,),
)
prods.wrong(
    "guarded_both",
    "wrong branch",
    "zero where an entry is zero, both",
    pullback=lambda y, p, c: (np.where(p[0] == 0, 0.0, y / np.where(p[0] == 0, 1.0, p[0])) * c,),
    pushforward=lambda y, p, t: np.sum(np.where(p[0] == 0, 0.0, y / np.where(p[0] == 0, 1.0, p[0])) * t[0]),
)
prods.wrong("nudged", "small beside large", "an epsilon in the denominator", pullback=lambda y, p, c: (y / (p[0] + 1e-9) * c,))

# sorting, order statistics


def sort(x):
    return np.sort(x)


def unsort(x, c):
    out = np.empty_like(c)
    out[np.argsort(x, kind="stable")] = c
    return out


sorts = Family(
    "sort",
    "a permutation that depends on the values",
    f=sort,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 7))),),
    pushforward=lambda y, p, t: t[0][np.argsort(p[0], kind="stable")],
    pullback=lambda y, p, c: (unsort(p[0], c),),
)
sorts.wrong("forth", "transpose", "the permutation, not its inverse", pullback=lambda y, p, c: (c[np.argsort(p[0])],))
sorts.wrong("sorted_tangent", "nonlinear", "sorts the tangent", pushforward=lambda y, p, t: np.sort(t[0]))
sorts.wrong("as_it_was", "dropped term", pullback=lambda y, p, c: (c.copy(),))


def median(x):
    return np.median(x)


def median_weights(x):
    order = np.argsort(x, kind="stable")
    w = np.zeros_like(x)
    w[order[(x.size - 1) // 2]] += 0.5
    w[order[x.size // 2]] += 0.5
    return w


medians = Family(
    "median",
    "odd and even numbers of values",
    f=median,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 8))),),
    frule=lambda p, t: (np.median(p[0]), np.sum(median_weights(p[0]) * t[0])),
    rrule=lambda x: (np.median(x), lambda c: (median_weights(x) * c,)),
)


def upper(x):
    w = np.zeros_like(x)
    w[np.argsort(x)[x.size // 2]] = 1.0
    return w


medians.wrong("odd_only", "wrong branch", "the upper of the two middle values", rrule=lambda x: (np.median(x), lambda c: (upper(x) * c,)))
medians.wrong(
    "odd_only_both",
    "wrong branch",
    rrule=lambda x: (np.median(x), lambda c: (upper(x) * c,)),
    frule=lambda p, t: (np.median(p[0]), np.sum(upper(p[0]) * t[0])),
)
medians.wrong("mean", "dropped term", "as if it were the mean", rrule=lambda x: (np.median(x), lambda c: (np.full_like(x, c / x.size),)))
medians.wrong(
    "unsorted",
    "swapped",
    "the middle of the unsorted values",
    frule=lambda p, t: (np.median(p[0]), (t[0][(p[0].size - 1) // 2] + t[0][p[0].size // 2]) / 2),
)


def top(x, *, axis=0):
    return np.max(x, axis=axis)


def is_top(x, axis):
    return np.indices(x.shape)[axis] == np.expand_dims(np.argmax(x, axis=axis), axis)


tops = Family(
    "max",
    "ties are cut by the first",
    f=top,
    cases=lambda rng: rb.case(rng.standard_normal((3, 3)), axis=int(rng.integers(2))),
    pushforward=lambda y, p, t, *, axis: np.sum(is_top(p[0], axis) * t[0], axis=axis),
    pullback=lambda y, p, c, *, axis: (is_top(p[0], axis) * np.expand_dims(c, axis),),
)
tops.wrong("axis", "static", "rows for columns", pullback=lambda y, p, c, *, axis: (is_top(p[0], 0) * np.expand_dims(c, 0),))
tops.wrong("largest_tangent", "nonlinear", pushforward=lambda y, p, t, *, axis: np.max(t[0], axis=axis))
tops.wrong(
    "absolute",
    "wrong branch",
    "the entry of largest size",
    pullback=lambda y, p, c, *, axis: (is_top(np.abs(p[0]), axis) * np.expand_dims(c, axis),),
)

# norms


def norm(x, *, order=2):
    return np.sum(np.abs(x) ** order) ** (1 / order)


def norm_slope(y, x, order):
    return np.sign(x) * np.abs(x) ** (order - 1) / y ** (order - 1)


norms = Family(
    "norm",
    "any order",
    f=norm,
    cases=lambda rng: rb.case(rng.standard_normal(4) * 10.0 ** rng.integers(-5, 5), order=float(rng.choice([1.0, 2.0, 3.0, 1.5]))),
    pushforward=lambda y, p, t, *, order: np.sum(norm_slope(y, p[0], order) * t[0]),
    pullback=lambda y, p, c, *, order: (norm_slope(y, p[0], order) * c,),
)
norms.wrong("two", "static", "the slope of order 2", pullback=lambda y, p, c, *, order: (p[0] / y * c,))
norms.wrong("no_sign", "wrong branch", pullback=lambda y, p, c, *, order: (np.abs(norm_slope(y, p[0], order)) * c,))
norms.wrong("smoothed", "constant", "1e-12 added to the norm", pullback=lambda y, p, c, *, order: (norm_slope(y + 1e-12, p[0], order) * c,))
norms.wrong("power", "power", pushforward=lambda y, p, t, *, order: np.sum(np.sign(p[0]) * np.abs(p[0]) ** (order - 1) / y**order * t[0]))
norms.wrong("shape", "shape", "(1,) for ()", pushforward=lambda y, p, t, *, order: np.sum(norm_slope(y, p[0], order) * t[0], keepdims=True))

# a thousand elements


def logistic(x, scale):
    return scale * np.tanh(x / scale)


def thousand(rng):
    return rng.standard_normal(1000), rng.uniform(0.5, 2.0, 1000)


def many_pull(y, p, c):
    u = y / p[1]
    return (1 - u**2) * c, (u - p[0] / p[1] * (1 - u**2)) * c


def last_dropped(a):
    a[-1] = 0.0
    return a


def chunked(a, size=256):
    out = np.zeros_like(a)
    for start in range(0, a.size - size, size):
        out[start : start + size] = a[start : start + size]
    return out


def one_swapped(a):
    a[[500, 501]] = a[[501, 500]]
    return a


many = Family(
    "thousand",
    "a thousand elements",
    f=logistic,
    cases=thousand,
    pushforward=lambda y, p, t: many_pull(y, p, t[0])[0] + many_pull(y, p, t[1])[1],
    pullback=many_pull,
)
many.wrong(
    "last",
    "one element",
    "the last cotangent is zero",
    pullback=lambda y, p, c: (last_dropped(many_pull(y, p, c)[0]), many_pull(y, p, c)[1]),
)
many.wrong(
    "rest_of_chunks",
    "one element",
    "what is left over from whole chunks is zero",
    pushforward=lambda y, p, t: chunked(many_pull(y, p, t[0])[0] + many_pull(y, p, t[1])[1]),
)
many.wrong("two_exchanged", "one element", pullback=lambda y, p, c: (many_pull(y, p, c)[0], one_swapped(many_pull(y, p, c)[1])))
many.wrong(
    "last_both",
    "one element",
    "the last is zero in both",
    pullback=lambda y, p, c: (last_dropped(many_pull(y, p, c)[0]), many_pull(y, p, c)[1]),
    pushforward=lambda y, p, t: last_dropped(many_pull(y, p, t[0])[0]) + many_pull(y, p, t[1])[1],
)
many.wrong("scale_part", "dropped term", pullback=lambda y, p, c: (many_pull(y, p, c)[0], y / p[1] * c))
