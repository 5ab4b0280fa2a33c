"""Stacks of matrices, einsum, differences, cumulative operations along axes, views and layouts."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


def turn(a):
    return np.swapaxes(a, -1, -2)


# matrix products with broadcast batches


def matmul(a, b):
    return a @ b


STACKS = [
    ((2, 3), (3, 2)),
    ((4, 2, 3), (3, 2)),
    ((2, 2, 2), (2, 2, 2)),
    ((1, 2, 2), (3, 2, 2)),
    ((3, 1, 2, 2), (2, 2, 2)),
    ((3, 3), (3, 3)),
]


def stack_cases(rng):
    a, b = STACKS[rng.integers(len(STACKS))]
    return rng.standard_normal(a), rng.standard_normal(b)


products = Family(
    "matmul",
    "batches that broadcast",
    f=matmul,
    cases=stack_cases,
    frule=lambda p, t: (p[0] @ p[1], t[0] @ p[1] + p[0] @ t[1]),
    rrule=lambda a, b: (a @ b, lambda c: (rb.project(a, c @ turn(b)), rb.project(b, turn(a) @ c))),
)


def all_axes_turned(a, b, c):
    turned = a.T if a.T.shape == turn(a).shape else turn(a)
    return rb.project(b, turned @ c)


products.wrong(
    "all_axes",
    "transpose",
    "transposes the batch axes too",
    rrule=lambda a, b: (a @ b, lambda c: (rb.project(a, c @ turn(b)), all_axes_turned(a, b, c))),
)
products.wrong("unsummed", "shape", "batches are not summed", rrule=lambda a, b: (a @ b, lambda c: (c @ turn(b), turn(a) @ c)))
products.wrong(
    "order",
    "transpose",
    "products in the other order",
    rrule=lambda a, b: (
        a @ b,
        lambda c: (
            rb.project(a, c @ turn(b)),
            rb.project(b, c @ turn(a)) if a.shape[-2:] == (b.shape[-1], b.shape[-1]) else rb.project(b, turn(a) @ c),
        ),
    ),
)
products.wrong(
    "commuted",
    "swapped",
    frule=lambda p, t: (p[0] @ p[1], t[0] @ p[1] + (t[1] @ p[0] if p[0].shape[-1] == p[0].shape[-2] else p[0] @ t[1])),
)
products.wrong(
    "batch_mean",
    "broadcast sum",
    "a mean over the batch",
    rrule=lambda a, b: (
        a @ b,
        lambda c: (
            rb.project(a, c @ turn(b)),
            rb.project(b, turn(a) @ c) / max(1, c.size // max(1, b.shape[-1] * a.shape[-2] * (b.size // (b.shape[-1] * b.shape[-2])))),
        ),
    ),
)

# batched inverse


def inverses(a):
    return np.linalg.inv(a)


stacks = Family(
    "batched_inv",
    "a stack of matrices",
    f=inverses,
    cases=lambda rng: (rng.standard_normal((int(rng.integers(1, 4)), 2, 2)) + 2 * np.eye(2),),
    pushforward=lambda y, p, t: -y @ t[0] @ y,
    pullback=lambda y, p, c: (-turn(y) @ c @ turn(y),),
)
stacks.wrong(
    "first_of_batch", "one element", "the first matrix of the batch for all", pullback=lambda y, p, c: (-turn(y[:1]) @ c @ turn(y[:1]),)
)
stacks.wrong("untransposed", "transpose", pullback=lambda y, p, c: (-y @ c @ y,))
stacks.wrong("first_forward", "one element", pushforward=lambda y, p, t: -y[:1] @ t[0] @ y)
stacks.wrong(
    "last_lost",
    "one element",
    "the last of the batch is lost",
    pullback=lambda y, p, c: (np.concatenate(((-turn(y) @ c @ turn(y))[:-1], np.zeros((1, 2, 2)))),),
)

# einsum with a repeated index


def trace_form(a, b):
    return np.einsum("ij,jk,ki->", a, b, a)


def trace_pull(y, p, c):
    a, b = p
    return c * (b @ a + a @ b).T, c * (a @ a).T


traces = Family(
    "trace_form",
    "one argument twice in a trace",
    f=trace_form,
    cases=lambda rng: (lambda n: (rng.standard_normal((n, n)), rng.standard_normal((n, n))))(int(rng.integers(1, 4))),
    pushforward=lambda y, p, t: np.trace(t[0] @ p[1] @ p[0]) + np.trace(p[0] @ t[1] @ p[0]) + np.trace(p[0] @ p[1] @ t[0]),
    pullback=trace_pull,
)
traces.wrong("untransposed", "transpose", pullback=lambda y, p, c: tuple(v.T for v in trace_pull(y, p, c)))
traces.wrong("once", "dropped term", pullback=lambda y, p, c: (c * (p[1] @ p[0]).T, trace_pull(y, p, c)[1]))
traces.wrong("doubled", "factor", "as if they commuted", pullback=lambda y, p, c: (2 * c * (p[1] @ p[0]).T, trace_pull(y, p, c)[1]))
traces.wrong(
    "doubled_both",
    "both alike",
    "as if they commuted",
    pullback=lambda y, p, c: (2 * c * (p[1] @ p[0]).T, trace_pull(y, p, c)[1]),
    pushforward=lambda y, p, t: 2 * np.trace(t[0] @ p[1] @ p[0]) + np.trace(p[0] @ t[1] @ p[0]),
)
traces.wrong("b_transposed", "transpose", pullback=lambda y, p, c: (trace_pull(y, p, c)[0], c * p[0] @ p[0]))

# differences along an axis


def diff(x, *, axis=-1):
    return np.diff(x, axis=axis)


def diff_pull(y, p, c, *, axis):
    ends = np.moveaxis(c, axis, -1)
    pad = np.zeros((*ends.shape[:-1], 1))
    return (np.moveaxis(np.concatenate((pad, ends), -1) - np.concatenate((ends, pad), -1), -1, axis),)


diffs = Family(
    "diff",
    "one fewer along the axis",
    f=diff,
    cases=lambda rng: rb.case(rng.standard_normal((3, 4)), axis=int(rng.integers(-2, 2))),
    pushforward=lambda y, p, t, *, axis: np.diff(t[0], axis=axis),
    pullback=diff_pull,
)
diffs.wrong("negative", "sign", pullback=lambda y, p, c, *, axis: (-diff_pull(y, p, c, axis=axis)[0],))
diffs.wrong(
    "first",
    "one element",
    "the first entry is zero",
    pullback=lambda y, p, c, *, axis: ((lambda g: g * (np.indices(g.shape)[axis] > 0))(diff_pull(y, p, c, axis=axis)[0]),),
)
diffs.wrong("shape", "shape", pullback=lambda y, p, c, *, axis: (np.diff(c, axis=axis, prepend=0.0),))
diffs.wrong(
    "axis_forward",
    "static",
    "the sizes agree only for the default",
    pushforward=lambda y, p, t, *, axis: (
        np.diff(t[0], axis=-1) if axis in (-1, 1) else np.diff(t[0], axis=0) * 1.0 + 0 * y if axis == 0 else np.zeros_like(y)
    ),
)

# cumulative products and maxima


def cumprod(x):
    return np.cumprod(x)


def cumprod_push(y, p, t):
    out, left, dot = [], 1.0, 0.0
    for x, d in zip(p[0], t[0], strict=True):
        left, dot = left * x, dot * x + left * d
        out.append(dot)
    return np.array(out)


def cumprod_pull(y, p, c):
    x = p[0]
    x_bar = np.zeros_like(x)
    carried = 0.0
    lefts = np.concatenate(([1.0], y[:-1]))
    for i in range(x.size - 1, -1, -1):
        carried = carried + c[i]
        x_bar[i] = lefts[i] * carried
        carried = carried * x[i]
    return (x_bar,)


def zeros_too(rng):
    x = rng.standard_normal(int(rng.integers(1, 6)))
    x[rng.integers(x.size)] *= rng.random() < 0.7
    return (x,)


runs = Family("cumprod", "zeros among the factors", f=cumprod, cases=zeros_too, pushforward=cumprod_push, pullback=cumprod_pull)


def by_quotient(y, p, c):
    return (np.flip(np.cumsum(np.flip(y * c))) / p[0],)


runs.wrong("quotient", "nan", "divides by the factors", pullback=by_quotient)
runs.wrong(
    "safe_quotient",
    "wrong branch",
    "zero where a factor is zero",
    pullback=lambda y, p, c: (np.where(p[0] == 0, 0.0, by_quotient(y, (np.where(p[0] == 0, 1.0, p[0]),), c)[0]),),
)
runs.wrong(
    "last_only",
    "dropped term",
    "as for the whole product",
    pullback=lambda y, p, c: (cumprod_pull(y, p, np.append(0 * c[:-1], c[-1:]))[0],),
)
runs.wrong("no_carry", "dropped term", pushforward=lambda y, p, t: np.concatenate(([1.0], y[:-1])) * t[0])


def cummax(x):
    return np.maximum.accumulate(x)


def leaders(x):
    return np.maximum.accumulate(np.where(x == np.maximum.accumulate(x), np.arange(x.size), 0))


peaks = Family(
    "cummax",
    "running maxima",
    f=cummax,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 8))),),
    frule=lambda p, t: (cummax(p[0]), t[0][leaders(p[0])]),
    rrule=lambda x: (cummax(x), lambda c: (np.bincount(leaders(x), weights=c, minlength=x.size),)),
)
peaks.wrong(
    "where_new",
    "dropped term",
    "where a new maximum stands only",
    rrule=lambda x: (cummax(x), lambda c: (np.where(x == cummax(x), c, 0.0),)),
)
peaks.wrong(
    "where_new_both",
    "dropped term",
    rrule=lambda x: (cummax(x), lambda c: (np.where(x == cummax(x), c, 0.0),)),
    frule=lambda p, t: (cummax(p[0]), np.where(p[0] == cummax(p[0]), t[0], 0.0)),
)
peaks.wrong("of_tangent", "nonlinear", frule=lambda p, t: (cummax(p[0]), np.maximum.accumulate(t[0])))

# reshaping and transposing, with layouts that are not contiguous


def fold(x, *, order="C"):
    return np.reshape(x, (-1, 2), order=order)


def layouts(rng):
    x = rng.standard_normal((4, 6))
    return rb.case(
        [x[:, ::2], x.T[:2], np.asfortranarray(x[:2]), np.broadcast_to(x[:1], (3, 6))][rng.integers(4)], order=["C", "F"][rng.integers(2)]
    )


folds = Family(
    "reshape",
    "slices, transposes, Fortran order, read-only arrays",
    f=fold,
    cases=layouts,
    pushforward=lambda y, p, t, *, order: np.reshape(t[0], (-1, 2), order=order),
    pullback=lambda y, p, c, *, order: (np.reshape(c, p[0].shape, order=order),),
)
folds.wrong("order", "static", pullback=lambda y, p, c, *, order: (np.reshape(c, p[0].shape),))
folds.wrong("order_forward", "static", pushforward=lambda y, p, t, *, order: np.reshape(t[0], (-1, 2)))
folds.wrong("transposed", "transpose", pullback=lambda y, p, c, *, order: (np.reshape(c.T, p[0].shape, order=order),))
folds.wrong("not_folded", "shape", pullback=lambda y, p, c, *, order: (c,))
