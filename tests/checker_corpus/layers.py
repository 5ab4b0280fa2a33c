"""A layer with weights, and a smoother with options: state that outlives a call."""

import functools

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


def layer(w, x):
    return np.tanh(w @ x)


def layer_cases(rng):
    n, m = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    return rng.standard_normal((n, m)), rng.standard_normal(m)


def layer_push(w, x, y, w_dot, x_dot):
    return (1 - y**2) * (w_dot @ x + w @ x_dot)


def layer_pull(w, x, y, c):
    z_bar = (1 - y**2) * c
    return np.outer(z_bar, x), w.T @ z_bar


class Right:
    """Keeps nothing between calls; the wrong ones below change one method each."""

    def __init__(self):
        self.store = {}
        self.calls = 0

    def forward(self, p, t):
        y = layer(*p)
        return y, layer_push(*p, y, *t)

    def reverse(self, w, x):
        y = layer(w, x)
        return y, lambda c: layer_pull(w, x, y, c)

    def parts(self):
        return {"frule": lambda p, t: self.forward(p, t), "rrule": lambda w, x: self.reverse(w, x)}


class WeightsOnce(Right):
    def reverse(self, w, x):
        kept = self.store.setdefault(w.shape, w.copy())
        y = layer(w, x)
        return y, lambda c: layer_pull(kept, x, y, c)


class WeightsOnceForward(Right):
    def forward(self, p, t):
        kept = self.store.setdefault(p[0].shape, p[0].copy())
        y = layer(*p)
        return y, layer_push(kept, p[1], y, *t)


class OutputOnce(Right):
    def forward(self, p, t):
        y = self.store.setdefault((p[0].shape, np.sign(p[1]).tobytes()), layer(*p))
        return y.copy(), layer_push(*p, y, *t)


class LatestOutput(Right):
    def reverse(self, w, x):
        self.store["y"] = y = layer(w, x)
        return y, lambda c: layer_pull(w, x, self.store["y"] if self.store["y"].shape == y.shape else y, c)


class FromForward(Right):
    def forward(self, p, t):
        y = layer(*p)
        self.store["y"] = y
        return y, layer_push(*p, y, *t)

    def reverse(self, w, x):
        y = layer(w, x)
        used = self.store.get("y", y)
        return y, lambda c: layer_pull(w, x, used if used.shape == y.shape else y, c)


class FirstIsRight(Right):
    def reverse(self, w, x):
        y = layer(w, x)

        def pull(c):
            self.calls += 1
            z_bar = c * (1 - y**2) if self.calls == 1 else c
            return np.outer(z_bar, x), w.T @ z_bar

        return y, pull


class FirstForwardIsRight(Right):
    def forward(self, p, t):
        y = layer(*p)
        self.calls += 1
        return y, layer_push(*p, y, *t) * (1.0 if self.calls == 1 else 0.5)


class SumsWeights(Right):
    def reverse(self, w, x):
        y = layer(w, x)
        total = self.store.setdefault(w.shape, np.zeros_like(w))

        def pull(c):
            w_bar, x_bar = layer_pull(w, x, y, c)
            total[...] += w_bar
            return total.copy(), x_bar

        return y, pull


class SharedBuffers(Right):
    def reverse(self, w, x):
        y = layer(w, x)
        slope = self.store.setdefault(y.shape, np.zeros_like(y))
        slope[...] = 1 - y**2

        def pull(c):
            return np.outer(slope * c, x), w.T @ (slope * c)

        return y, pull


class SharedResult(Right):
    def reverse(self, w, x):
        y = layer(w, x)
        out = self.store.setdefault(w.shape, np.zeros_like(w))

        def pull(c):
            w_bar, x_bar = layer_pull(w, x, y, c)
            out[...] = w_bar
            return out, x_bar

        return y, pull


class SharedTangent(Right):
    def forward(self, p, t):
        y = layer(*p)
        out = self.store.setdefault(y.shape, np.zeros_like(y))
        out[...] = layer_push(*p, y, *t)
        return y, out


class SharedPrimal(Right):
    def forward(self, p, t):
        y = self.store.setdefault((len(p[0]),), np.zeros(len(p[0])))
        y[...] = layer(*p)
        return y, layer_push(*p, y, *t)


class Iterator(Right):
    def reverse(self, w, x):
        y = layer(w, x)
        factors = iter([1 - y**2])
        return y, lambda c: layer_pull_with(next(factors), w, x, c)


def layer_pull_with(slope, w, x, c):
    return np.outer(slope * c, x), w.T @ (slope * c)


class SlopeInPlace(Right):
    def reverse(self, w, x):
        y = layer(w, x)
        slope = 1 - y**2

        def pull(c):
            np.multiply(slope, c, out=slope)
            return np.outer(slope, x), w.T @ slope

        return y, pull


class OutputInPlace(Right):
    def reverse(self, w, x):
        y = layer(w, x)

        def pull(c):
            np.subtract(1, y**2, out=y)  # y is also what the caller holds
            return layer_pull_with(y, w, x, c)

        return y, pull


class CotangentInPlace(Right):
    def reverse(self, w, x):
        y = layer(w, x)

        def pull(c):
            c *= 1 - y**2
            return np.outer(c, x), w.T @ c

        return y, pull


class TangentInPlace(Right):
    def forward(self, p, t):
        y = layer(*p)
        y_dot = t[0] @ p[1] + p[0] @ t[1]
        t[1][...] = 0.0
        return y, (1 - y**2) * y_dot


class WeightsInPlace(Right):
    def reverse(self, w, x):
        y = layer(w, x)

        def pull(c):
            w_bar, x_bar = layer_pull(w, x, y, c)
            w[...] -= 0.1 * w_bar
            return w_bar, x_bar

        return y, pull


class LateThunks(Right):
    def reverse(self, w, x):
        y = layer(w, x)

        def pull(c):
            found = []
            for v in layer_pull(w, x, y, c):
                found.append(rb.thunk(lambda: v))
            return tuple(found)

        return y, pull


class CountsCalls(Right):
    def reverse(self, w, x):
        y = layer(w, x)

        def pull(c):
            self.calls += 1
            w_bar, x_bar = layer_pull(w, x, y, c)
            return w_bar, x_bar / self.calls

        return y, pull


layers = Family("layer", "an object behind the rules", build=lambda kind=Right: kind().parts(), f=layer, cases=layer_cases)
for suffix, bug, kind in [
    ("weights_once", "stale", WeightsOnce),
    ("weights_once_forward", "stale", WeightsOnceForward),
    ("output_once", "stale", OutputOnce),
    ("latest_output", "stale", LatestOutput),
    ("from_forward", "stale", FromForward),
    ("first_is_right", "first call", FirstIsRight),
    ("first_forward_is_right", "first call", FirstForwardIsRight),
    ("sums_weights", "accumulates", SumsWeights),
    ("shared_slope", "workspace", SharedBuffers),
    ("shared_result", "alias", SharedResult),
    ("shared_tangent", "alias", SharedTangent),
    ("shared_primal", "alias", SharedPrimal),
    ("iterator", "works once", Iterator),
    ("slope_in_place", "works once", SlopeInPlace),
    ("output_in_place", "works once", OutputInPlace),
    ("cotangent_in_place", "mutates", CotangentInPlace),
    ("tangent_in_place", "mutates", TangentInPlace),
    ("weights_in_place", "mutates", WeightsInPlace),
    ("late_thunks", "closure", LateThunks),
    ("counts_calls", "accumulates", CountsCalls),
]:
    layers.wrong(suffix, bug, kind=kind)

# a memo by functools, keyed by too little


def smooth(x, *, width=1.0):
    i = np.arange(x.size)
    return np.exp(-(((i[:, None] - i) / width) ** 2)) @ x


def kernels(key="both"):
    @functools.lru_cache
    def kernel(n, width):
        i = np.arange(n)
        return np.exp(-(((i[:, None] - i) / width) ** 2))

    last = {}

    def look(n, width):
        if key == "size":
            return last.setdefault(n, kernel(n, width))
        if key == "integer":
            return last.setdefault((n, int(width)), kernel(n, width))
        return kernel(n, width)

    def pullback(y, p, c, *, width):
        k = look(c.size, width)
        if key == "changed":
            out = k.T @ c
            k[0, 0] += 1e-3
            return (out,)
        return (k.T @ c,)

    return {"pushforward": lambda y, p, t, *, width: look(t[0].size, width) @ t[0], "pullback": pullback}


smooths = Family(
    "smooth",
    "a memo of kernels, by size and width",
    build=kernels,
    f=smooth,
    cases=lambda rng: rb.case(rng.standard_normal(int(rng.integers(1, 4))), width=float(rng.choice([0.5, 1.0, 1.5]))),
)
smooths.wrong("by_size", "stale", "the static is not in the key", key="size")
smooths.wrong("by_integer", "stale", "the static is rounded in the key", key="integer")
smooths.wrong("changed", "mutates", "the memoised kernel is changed", key="changed")
smooths.wrong("squared", "power", pullback=lambda y, p, c, *, width: (smooth(smooth(c, width=width), width=width),))
smooths.wrong("default", "static", pushforward=lambda y, p, t, *, width: smooth(t[0]))

# cutting, offsets, absolute values in a linear function


def gather_sum(x, *, weights=(0.5, 1.0, -2.0)):
    return np.array([np.dot(weights, x), np.sum(x)])


def linear_rules(forth=lambda t: t, back=lambda c: c, spread=lambda x_bar: x_bar):
    return {
        "pushforward": lambda y, p, t, *, weights: gather_sum(forth(t[0]), weights=weights),
        "pullback": lambda y, p, c, *, weights: (spread(np.multiply(weights, back(c)[0]) + back(c)[1]),),
    }


linear = Family(
    "linear",
    "linear, with a tuple as static",
    f=gather_sum,
    cases=lambda rng: rb.case(rng.standard_normal(3), weights=tuple(rng.standard_normal(3).tolist())),
    **linear_rules(),
)
linear.wrong("cut_cotangent", "threshold", "below 1e-7", **linear_rules(back=lambda c: np.where(np.abs(c) < 1e-7, 0.0, c)))
linear.wrong("cut_result", "threshold", "below 1e-8", **linear_rules(spread=lambda x_bar: np.where(np.abs(x_bar) < 1e-8, 0.0, x_bar)))
linear.wrong("rounded", "threshold", "rounded to ten digits after the point", **linear_rules(spread=lambda x_bar: np.round(x_bar, 10)))
linear.wrong("offset", "affine", **linear_rules(spread=lambda x_bar: x_bar + 1e-12 + 1e-6))
linear.wrong("offset_forward", "affine", **linear_rules(forth=lambda t: t + 1e-9))
linear.wrong(
    "clipped",
    "nonlinear",
    "clipped at 5",
    **linear_rules(spread=lambda x_bar: np.clip(x_bar, -5, 5)),
    seen=False,
    vary=lambda rng: rb.case(rng.standard_normal(3), weights=(3.0, 10.0, -8.0)),
)
linear.wrong("normalised", "nonlinear", **linear_rules(spread=lambda x_bar: x_bar / max(1.0, np.sqrt(np.sum(x_bar**2)))))
linear.wrong("squared", "nonlinear", "a small square of the cotangent", **linear_rules(back=lambda c: c + 1e-4 * c**2))
linear.wrong("even", "nonlinear", "absolute values", **linear_rules(back=np.abs))
linear.wrong("default_weights", "static", pullback=lambda y, p, c, *, weights: (np.multiply((0.5, 1.0, -2.0), c[0]) + c[1],))
linear.wrong("tanh", "nonlinear", "saturates", **linear_rules(spread=lambda x_bar: 10 * np.tanh(x_bar / 10)))
