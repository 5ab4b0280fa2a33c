"""Rules with memory: memos, scratch buffers, residuals, views, and what goes wrong with them."""

import numpy as np

from tests.checker_corpus.model import Family


def vectors(rng):
    return (rng.standard_normal(4),)


def swish(x):
    return x / (1 + np.exp(-x))


def slope(x):
    s = 1 / (1 + np.exp(-x))
    return s * (1 + x * (1 - s))


# a memo of the slope, keyed by the bytes of x

KEYS = {
    "bytes": lambda x: (x.shape, x.tobytes()),
    "shape": lambda x: x.shape,
    "sum": lambda x: np.round(x.sum(), 1),
    "first": lambda x: np.sign(np.ravel(x)[0]),
    "rounded": lambda x: np.sign(x).tobytes(),
}


def memoised(key="bytes", forward=True, reverse=True):
    memo = {}

    def recall(x, use):
        if not use:
            return slope(x)
        return memo.setdefault(KEYS[key](x), slope(x))

    return {
        "frule": lambda p, t: (swish(p[0]), recall(p[0], forward) * t[0]),
        "rrule": lambda x: (swish(x), lambda c: (recall(x, reverse) * c,)),
    }


memos = Family("memo", "a memo keyed by the bytes of the argument", build=memoised, f=swish, cases=vectors)
memos.wrong("shape", "stale", "keyed by shape", key="shape")
memos.wrong("shape_reverse", "stale", "keyed by shape, reverse only", key="shape", forward=False)
memos.wrong("sum", "stale", "keyed by the rounded sum", key="sum")
memos.wrong("first_entry", "stale", "keyed by the first entry's sign", key="first", reverse=False)
memos.wrong("signs", "stale", "keyed by the signs", key="rounded")

# one object whose residual is set by the primal


def stateful(where="closure"):
    store = {}

    def frule(p, t):
        store["x"] = p[0].copy()
        return swish(p[0]), slope(p[0]) * t[0]

    def rrule(x):
        store["x"] = kept = x.copy()
        if where == "closure":
            return swish(x), lambda c: (slope(kept) * c,)
        if where == "last":
            return swish(x), lambda c: (slope(store["x"]) * c,)
        store.setdefault("first", x.copy())
        used = store["first"] if store["first"].shape == x.shape else x
        return swish(x), lambda c: (slope(used) * c,)

    return {"frule": frule, "rrule": rrule}


stores = Family("residual", "a residual beside the one in the closure", build=stateful, f=swish, cases=vectors)
stores.wrong("last_call", "stale", "the pullback uses the residual of the latest call", where="last")
stores.wrong("first_call", "first call", "the residual of the first call stays", where="first")

# scratch buffers


def scratch(kind="copy"):
    buffer = np.zeros(8)

    def work(x):
        b = buffer[: x.size].reshape(x.shape)
        b[...] = slope(x)
        return b

    def rrule(x):
        if kind == "residual":
            kept = work(x)
            return swish(x), lambda c: (kept * c,)
        if kind == "primal":
            y = buffer[: x.size].reshape(x.shape)
            y[...] = swish(x)
            kept = slope(x)
            return y, lambda c: (kept * c,)
        if kind == "cotangent":
            kept = slope(x)

            def pull(c):
                b = buffer[: x.size].reshape(x.shape)
                b[...] = kept * c
                return (b,)

            return swish(x), pull
        return swish(x), lambda c: (work(x) * c,)

    def frule(p, t):
        if kind == "tangent":
            b = work(p[0])
            b *= t[0]
            return swish(p[0]), b
        return swish(p[0]), work(p[0]) * t[0]

    return {"frule": frule, "rrule": rrule}


buffers = Family("scratch", "a scratch buffer, used within one call", build=scratch, f=swish, cases=vectors)
buffers.wrong("residual", "workspace", "the residual is the shared buffer", kind="residual")
buffers.wrong("primal", "alias", "the primal returned is the shared buffer", kind="primal")
buffers.wrong("cotangent", "alias", "the cotangent returned is the shared buffer", kind="cotangent")
buffers.wrong("tangent", "alias", "the tangent returned is the shared buffer", kind="tangent")

# pullbacks that spend their residual


def spending(kind="keep"):
    def rrule(x):
        kept = [slope(x)]

        def pull(c):
            if kind == "pop":
                return (kept.pop() * c,)
            if kind == "scaled":
                kept[0] *= c
                return (kept[0].copy(),)
            if kind == "summed":
                total[...] += kept[0] * c
                return (total.copy(),)
            if kind == "cleared":
                out = kept[0] * c
                kept[0][...] = 0.0
                return (out,)
            if kind == "view":
                np.multiply(kept[0], c, out=total)
                return (total,)
            return (kept[0] * c,)

        total = np.zeros_like(x)
        return swish(x), pull

    return {"rrule": rrule, "pushforward": lambda y, p, t: slope(p[0]) * t[0]}


spent = Family("pull_again", "a pullback to be called many times", build=spending, f=swish, cases=vectors)
spent.wrong("pop", "works once", "the second call raises", kind="pop")
spent.wrong("scaled", "works once", "the residual is multiplied in place", kind="scaled")
spent.wrong("summed", "accumulates", "cotangents of all calls are added up", kind="summed")
spent.wrong("cleared", "works once", "the second call gives zeros", kind="cleared")
spent.wrong("scaled_reverse_only", "works once", kind="scaled", pushforward=None, of="reverse_only")
spent.right("reverse_only", pushforward=None)

# arguments changed in place


def normalise(x):
    return x / np.sqrt(np.sum(x**2))


def projected(x, t):
    n = np.sqrt(np.sum(x**2))
    u = x / n
    return (t - u * np.sum(u * t)) / n


def sloppy(kind=""):
    def frule(p, t):
        if kind == "tangent":
            t[0][...] = projected(p[0], t[0])
            return normalise(p[0]), t[0]
        if kind == "argument_forward":
            y, y_dot = normalise(p[0]), projected(p[0], t[0])
            p[0][...] = y
            return y, y_dot
        return normalise(p[0]), projected(p[0], t[0])

    def rrule(x):
        y = normalise(x)
        kept = x.copy()
        if kind == "argument":
            x /= np.sqrt(np.sum(x**2))
            return x.copy(), lambda c: (projected(kept, c),)

        def pull(c):
            if kind == "cotangent":
                c -= y * np.sum(y * c)
                return (c / np.sqrt(np.sum(kept**2)),)
            if kind == "argument_late":
                out = projected(kept, c)
                x[...] = 0.0
                return (out,)
            return (projected(kept, c),)

        return y, pull

    return {"frule": frule, "rrule": rrule}


norms = Family("normalise", "nothing is changed in place", build=sloppy, f=normalise, cases=vectors)
norms.wrong("x_in_place", "mutates", "rrule divides its argument in place", kind="argument")
norms.wrong("x_in_pullback", "mutates", "the pullback zeroes the argument", kind="argument_late")
norms.wrong("y_bar_in_place", "mutates", "the cotangent is changed", kind="cotangent")
norms.wrong("x_dot_in_place", "mutates", "the tangent is changed", kind="tangent")
norms.wrong("x_forward", "mutates", "frule normalises its argument", kind="argument_forward")
norms.wrong("no_projection", "dropped term", pushforward=lambda y, p, t: t[0] / np.sqrt(np.sum(p[0] ** 2)), frule=None)
norms.wrong("n_squared", "power", rrule=lambda x: (normalise(x), lambda c: (projected(x, c) / np.sqrt(np.sum(x**2)),)))

# a list as a static, changed by the rule


def stencil(x, *, weights=(1.0, 2.0)):
    return weights[0] * x + weights[1] * x**2


def reading(kind=""):
    def pullback(y, p, c, *, weights):
        if kind == "append":
            weights.append(0.0)
        if kind == "reverse":
            weights.reverse()
            out = weights[1] + 2 * weights[0] * p[0]
            return (out * c,)
        return ((weights[0] + 2 * weights[1] * p[0]) * c,)

    def pushforward(y, p, t, *, weights):
        if kind == "pop":
            last = weights.pop()
            return (weights[0] + 2 * last * p[0]) * t[0]
        return (weights[0] + 2 * weights[1] * p[0]) * t[0]

    return {"pullback": pullback, "pushforward": pushforward}


def weight_cases(rng):
    import rulebook as rb

    return rb.case(rng.standard_normal(3), weights=list(rng.standard_normal(2)))


lists = Family("list_static", "a list as a static", build=reading, f=stencil, cases=weight_cases)
lists.wrong("append", "mutates", "grows the static", kind="append")
lists.wrong("reverse", "mutates", "reverses the static", kind="reverse")
lists.wrong("pop", "mutates", "takes from the static", kind="pop")

# identity and views


def identity(x):
    return x


same = Family(
    "identity",
    "y is x, x_bar is y_bar, y_dot is x_dot",
    f=identity,
    cases=vectors,
    pushforward=lambda y, p, t: t[0],
    pullback=lambda y, p, c: (c,),
)
same.right("copied", pushforward=lambda y, p, t: t[0].copy())
same.wrong("halved", "factor", pullback=lambda y, p, c: (0.5 * c,))
same.wrong("absolute", "nonlinear", pullback=lambda y, p, c: (np.abs(c),))
same.wrong("normalised", "nonlinear", "gradient clipping to length 1", pullback=lambda y, p, c: (c / max(1.0, np.linalg.norm(c)),))
same.wrong("clipped", "nonlinear", "gradient clipping entry by entry", pullback=lambda y, p, c: (np.clip(c, -1, 1),))
same.wrong("tiny_cut", "threshold", "cotangents below 1e-8 are cut", pullback=lambda y, p, c: (np.where(np.abs(c) < 1e-8, 0.0, c),))
same.wrong("rounded", "precision", "through float32", pullback=lambda y, p, c: (c.astype(np.float32).astype(c.dtype),))


def middle(x):
    return x[1:-1]


views = Family(
    "middle",
    "a view as a result",
    f=middle,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(2, 6))),),
    pushforward=lambda y, p, t: t[0][1:-1],
    pullback=lambda y, p, c: (np.pad(c, 1),),
)
views.wrong("shifted", "one element", pullback=lambda y, p, c: (np.pad(c, (2, 0)),))
views.wrong(
    "edge", "one element", "the edges take the next value", pullback=lambda y, p, c: (np.pad(c, 1, mode="edge") if c.size else np.zeros(2),)
)
views.wrong("too_short", "shape", pullback=lambda y, p, c: (c,))


# a function of two calls: the loop's variable


def powers(x, y):
    return x**2 + y**3


def looped(kind="late"):
    def rrule(x, y):
        pulls = []
        for base, n in ((x, 2), (y, 3)):
            if kind == "bound":
                pulls.append(lambda c, base=base, n=n: n * base ** (n - 1) * c)
            else:
                pulls.append(lambda c: n * base ** (n - 1) * c)
        return powers(x, y), lambda c: tuple(pull(c) for pull in pulls)

    return {"rrule": rrule}


loops = Family(
    "loop",
    "pullbacks made in a loop",
    build=lambda kind="bound": looped(kind),
    f=powers,
    cases=lambda rng: (rng.standard_normal(3), rng.standard_normal(3)),
)
loops.wrong("late", "closure", "all pullbacks see the last turn", kind="late")
loops.wrong("power", "power", rrule=lambda x, y: (powers(x, y), lambda c: (2 * x * c, 3 * y**3 * c)))
