"""Several arguments of other shapes: sums over broadcast axes, axis and keepdims, size-one axes."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

PAIRS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (4,)),
    ((2, 2), (2, 1)),
    ((3,), ()),
    ((1, 3), (3,)),
    ((3, 3), (3,)),
    ((0, 3), (3,)),
]


def pair_cases(rng):
    a, b = PAIRS[rng.integers(len(PAIRS))]
    return rng.standard_normal(a) * 10.0 ** rng.integers(-2, 3), rng.standard_normal(b)


# a product


def times(a, b):
    return a * b


product = Family(
    "times",
    "all ways to broadcast, zero-size too",
    f=times,
    cases=pair_cases,
    frule=lambda primals, tangents: (primals[0] * primals[1], tangents[0] * primals[1] + primals[0] * tangents[1]),
    rrule=lambda a, b: (a * b, lambda y_bar: (rb.project(a, y_bar * b), rb.project(b, y_bar * a))),
)
product.right(
    "pull", "given the output", rrule=None, pullback=lambda y, p, y_bar: (rb.project(p[0], y_bar * p[1]), rb.project(p[1], y_bar * p[0]))
)
product.right(
    "thunks",
    "computed on demand",
    rrule=lambda a, b: (a * b, lambda y_bar: (rb.thunk(lambda: rb.project(a, y_bar * b)), rb.thunk(lambda: rb.project(b, y_bar * a)))),
)
product.wrong("unsummed", "shape", "broadcast axes are not summed", rrule=lambda a, b: (a * b, lambda y_bar: (y_bar * b, y_bar * a)))
product.wrong(
    "swapped",
    "swapped",
    "the partials are exchanged",
    rrule=lambda a, b: (
        a * b,
        lambda y_bar: (rb.project(a, y_bar * a) if a.shape == b.shape else rb.project(a, y_bar * b), rb.project(b, y_bar * a)),
    ),
)
product.wrong("dropped", "dropped term", frule=lambda p, t: (p[0] * p[1], t[0] * p[1] + np.zeros_like(p[0] * p[1])))
product.wrong("same_cotangent", "swapped", rrule=lambda a, b: (a * b, lambda y_bar: (rb.project(a, y_bar * b), rb.project(b, y_bar * b))))


def mean_over_broadcast(x, y_bar):
    n = np.size(y_bar) / max(np.size(x), 1)
    return rb.project(x, y_bar) / (n if n else 1)


product.wrong(
    "averaged",
    "broadcast sum",
    "a mean over the broadcast axes",
    rrule=lambda a, b: (a * b, lambda y_bar: (mean_over_broadcast(a, y_bar * b), mean_over_broadcast(b, y_bar * a))),
)


def first_axis_only(x, c):
    while np.ndim(c) > np.ndim(x):
        c = c.sum(axis=0)
    return c if np.shape(c) == np.shape(x) else np.broadcast_to(c[:, :1] if x.shape[-1:] == (1,) else c[:1], x.shape)


product.wrong(
    "size_one_axes",
    "broadcast sum",
    "axes of size one are cut instead of summed",
    rrule=lambda a, b: (a * b, lambda y_bar: (first_axis_only(a, y_bar * b), first_axis_only(b, y_bar * a))),
)


def thunked_loop(a, b):
    def pull(y_bar):
        thunks = []
        for x, other in ((a, b), (b, a)):
            thunks.append(rb.thunk(lambda: rb.project(x, y_bar * other)))
        return tuple(thunks)

    return a * b, pull


product.wrong("late_binding", "closure", "both thunks see the last turn of the loop", rrule=thunked_loop)


# a row added to a square matrix: the sum over the wrong axis has the right shape


def add_row(a, row):
    return np.tanh(a + row)


def square_cases(rng):
    n = rng.integers(1, 5)
    return rng.standard_normal((n, n)), rng.standard_normal(n)


rows = Family(
    "add_row",
    "square, so that sums over either axis fit",
    f=add_row,
    cases=square_cases,
    pushforward=lambda y, primals, tangents: (1 - y**2) * (tangents[0] + tangents[1]),
    pullback=lambda y, primals, y_bar: ((1 - y**2) * y_bar, ((1 - y**2) * y_bar).sum(axis=0)),
)
rows.wrong("other_axis", "broadcast sum", pullback=lambda y, p, y_bar: ((1 - y**2) * y_bar, ((1 - y**2) * y_bar).sum(axis=1)))
rows.wrong("column_tangent", "transpose", pushforward=lambda y, p, t: (1 - y**2) * (t[0] + t[1][:, None]))
rows.wrong(
    "diagonal",
    "broadcast sum",
    "the diagonal instead of the sum",
    pullback=lambda y, p, y_bar: ((1 - y**2) * y_bar, np.diagonal((1 - y**2) * y_bar).copy()),
)
rows.wrong("transposed", "transpose", pullback=lambda y, p, y_bar: (((1 - y**2) * y_bar).T, ((1 - y**2) * y_bar).sum(axis=0)))
rows.wrong("slope_twice", "power", pullback=lambda y, p, y_bar: ((1 - y**2) * y_bar, ((1 - y**2) ** 2 * y_bar).sum(axis=0)))


# logsumexp with axis and keepdims


def logsumexp(x, *, axis=-1, keepdims=False):
    top = np.max(x, axis=axis, keepdims=True)
    y = top + np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True))
    return y if keepdims else np.squeeze(y, axis=axis if axis is not None else tuple(range(x.ndim)))


def weights(x, axis):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def spread(y_bar, axis, keepdims):
    if keepdims or axis is None:
        return y_bar
    return np.expand_dims(y_bar, axis)


def lse_cases(rng):
    x = rng.standard_normal((2, 3, 2)) * (600 if rng.random() < 0.2 else 2)
    return rb.case(x, axis=[0, 1, -1, None][rng.integers(4)], keepdims=bool(rng.integers(2)))


lse = Family(
    "logsumexp",
    "axis, keepdims, and values that overflow without care",
    f=logsumexp,
    cases=lse_cases,
    pushforward=lambda y, primals, tangents, *, axis, keepdims: np.sum(
        weights(primals[0], axis) * tangents[0], axis=axis, keepdims=keepdims
    ),
    pullback=lambda y, primals, y_bar, *, axis, keepdims: (weights(primals[0], axis) * spread(y_bar, axis, keepdims),),
)
lse.right("forward_only", pullback=None)
lse.wrong(
    "no_keepdims",
    "static",
    "keepdims is ignored in the tangent's shape",
    pushforward=lambda y, p, t, *, axis, keepdims: np.sum(weights(p[0], axis) * t[0], axis=axis),
)
lse.wrong(
    "last_axis",
    "static",
    "the default axis in the weights",
    pullback=lambda y, p, y_bar, *, axis, keepdims: (weights(p[0], -1) * spread(y_bar, axis, keepdims),),
)
lse.wrong(
    "naive_exp",
    "nan",
    "overflows",
    pullback=lambda y, p, y_bar, *, axis, keepdims: (
        np.exp(p[0]) / np.exp(p[0]).sum(axis=axis, keepdims=True) * spread(y_bar, axis, keepdims),
    ),
)
lse.wrong(
    "hard",
    "wrong branch",
    "the weights of a maximum where values are large",
    pushforward=lambda y, p, t, *, axis, keepdims: (
        np.sum(
            np.where(np.abs(p[0]) > 3, p[0] == p[0].max(axis=axis, keepdims=True), weights(p[0], axis)) * t[0],
            axis=axis,
            keepdims=keepdims,
        )
        + 0.0
    ),
)
lse.wrong(
    "not_normalised",
    "dropped term",
    pullback=lambda y, p, y_bar, *, axis, keepdims: (np.exp(p[0] - p[0].max(axis=axis, keepdims=True)) * spread(y_bar, axis, keepdims),),
)


# softmax


def softmax(x, *, axis=-1):
    return weights(x, axis)


def softmax_map(y, t, axis):
    return y * (t - np.sum(y * t, axis=axis, keepdims=True))


probs = Family(
    "softmax",
    "a singular Jacobian; self-adjoint",
    f=softmax,
    cases=lambda rng: rb.case(rng.standard_normal((3, 4)) * rng.choice([1.0, 8.0]), axis=int(rng.integers(-2, 2))),
    pushforward=lambda y, primals, tangents, *, axis: softmax_map(y, tangents[0], axis),
    pullback=lambda y, primals, y_bar, *, axis: (softmax_map(y, y_bar, axis),),
)
probs.wrong("diagonal_only", "dropped term", pullback=lambda y, p, y_bar, *, axis: (y * (1 - y) * y_bar,))
probs.wrong(
    "diagonal_both",
    "both alike",
    pullback=lambda y, p, y_bar, *, axis: (y * (1 - y) * y_bar,),
    pushforward=lambda y, p, t, *, axis: y * (1 - y) * t[0],
)
probs.wrong("last_axis", "static", pullback=lambda y, p, y_bar, *, axis: (softmax_map(y, y_bar, -1),))
probs.wrong("all_axes", "broadcast sum", pushforward=lambda y, p, t, *, axis: y * (t[0] - np.sum(y * t[0])))
probs.wrong("log_softmax", "power", pullback=lambda y, p, y_bar, *, axis: (y_bar - y * np.sum(y_bar, axis=axis, keepdims=True),))
probs.wrong(
    "no_y", "power", "y missing before the bracket", pushforward=lambda y, p, t, *, axis: t[0] - np.sum(y * t[0], axis=axis, keepdims=True)
)


# outer product and mean of it: an order of arguments


def outer(a, b):
    return np.outer(a, b)


outers = Family(
    "outer",
    "shapes differ, or happen to agree; explicit cases",
    f=outer,
    cases=[rb.case(np.array([1.0, -2.0, 0.5]), np.array([3.0, 0.0, 1.5])), rb.case(np.array([2.0]), np.array([1.0, -1.0]))],
    frule=lambda primals, tangents: (np.outer(*primals), np.outer(tangents[0], primals[1]) + np.outer(primals[0], tangents[1])),
    rrule=lambda a, b: (np.outer(a, b), lambda y_bar: (y_bar @ b, y_bar.T @ a)),
)
outers.wrong(
    "not_transposed",
    "transpose",
    rrule=lambda a, b: (np.outer(a, b), lambda y_bar: (y_bar @ b, (y_bar @ a if y_bar.shape[0] == y_bar.shape[1] else y_bar.T @ a))),
)
outers.wrong(
    "reversed",
    "swapped",
    frule=lambda p, t: (np.outer(*p), np.outer(t[0], p[1]) + (np.outer(t[1], p[0]) if p[0].size == p[1].size else np.outer(p[0], t[1]))),
)
outers.wrong("list", "structure", "a list of cotangents", rrule=lambda a, b: (np.outer(a, b), lambda y_bar: [y_bar @ b, y_bar.T @ a]))
outers.wrong("row", "shape", "(1, n) for (n,)", rrule=lambda a, b: (np.outer(a, b), lambda y_bar: (y_bar @ b, a[None, :] @ y_bar)))
outers.wrong("one_only", "structure", "one cotangent for two arguments", rrule=lambda a, b: (np.outer(a, b), lambda y_bar: (y_bar @ b,)))
