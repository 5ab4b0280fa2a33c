"""Images: sampling, filters, colour, resizing, warping."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def bilinear(image, points):
    """Values between the pixels; points (n, 2) as row and column, outside clamped to the border."""
    n, m = image.shape
    r, c = np.clip(points[:, 0], 0, n - 1), np.clip(points[:, 1], 0, m - 1)
    i, j = np.minimum(r.astype(int), n - 2), np.minimum(c.astype(int), m - 2)
    a, b = r - i, c - j
    return (1 - a) * ((1 - b) * image[i, j] + b * image[i, j + 1]) + a * ((1 - b) * image[i + 1, j] + b * image[i + 1, j + 1])


@family.add(
    "bilinear",
    wrong={
        "repeats": ("repeated indices", "two points in one pixel: only the last one's cotangent arrives"),
        "swapped": ("arguments swapped", "row and column weights change places in the points' cotangent"),
        "border": ("rare region", "points beyond the border still move"),
        "corner": ("dropped term", "the fourth neighbour is left out of the image's cotangent"),
    },
)
def _bilinear(v):
    def pullback(y, primals, g):
        image, points = primals
        n, m = image.shape
        r, c = np.clip(points[:, 0], 0, n - 1), np.clip(points[:, 1], 0, m - 1)
        i, j = np.minimum(r.astype(int), n - 2), np.minimum(c.astype(int), m - 2)
        a, b = r - i, c - j
        bar = np.zeros_like(image)
        weights = {(0, 0): (1 - a) * (1 - b), (0, 1): (1 - a) * b, (1, 0): a * (1 - b), (1, 1): a * b}
        for (di, dj), w in weights.items():
            if v == "corner" and di and dj:
                continue
            if v == "repeats":
                bar[i + di, j + dj] += g * w
            else:
                np.add.at(bar, (i + di, j + dj), g * w)
        dr = (1 - b) * (image[i + 1, j] - image[i, j]) + b * (image[i + 1, j + 1] - image[i, j + 1])
        dc = (1 - a) * (image[i, j + 1] - image[i, j]) + a * (image[i + 1, j + 1] - image[i + 1, j])
        moved = np.stack([dc, dr] if v == "swapped" else [dr, dc], axis=1)
        inside = (points > 0) & (points < [n - 1, m - 1])
        return bar, g[:, None] * (moved if v == "border" else np.where(inside, moved, 0.0))

    def cases(rng):
        n, m = rng.integers(2, 5, 2)
        points = rng.uniform(0.05, 0.95, (rng.integers(1, 5), 2)) * [n - 1, m - 1]
        if rng.random() < 0.1:
            points[0, rng.integers(2)] = -0.4
        return rng.normal(size=(n, m)), points

    return {"f": bilinear, "pullback": pullback, "cases": [cases]}


def srgb(linear):
    """The transfer curve from linear light, with its straight part near black."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)


@family.add(
    "srgb",
    wrong={
        "dark": ("rare region", "the power's slope in the straight part too"),
        "gamma": ("below the noise", "1 / 2.4 written as 0.4166666"),
        "plain": ("wrong rule", "the slope of a plain gamma of 2.2"),
    },
)
def _srgb(v):
    def slope(x):
        e = 0.4166666 if v == "gamma" else 1 / 2.4
        with np.errstate(divide="ignore"):
            curve = 1.055 * e * np.abs(x) ** (e - 1)
            if v == "plain":
                curve = x ** (1 / 2.2 - 1) / 2.2
        return curve if v == "dark" else np.where(x <= 0.0031308, 12.92, curve)

    def pushforward(y, primals, tangents):
        return slope(primals[0]) * tangents[0]

    def pullback(y, primals, g):
        return (slope(primals[0]) * g,)

    def cases(rng):
        x = rng.uniform(0.01, 1, (2, rng.integers(1, 4)))
        if rng.random() < 0.12:
            x[0, 0] = rng.uniform(1e-4, 0.003)
        return (x,)

    both = {} if v == "dark" else {"pushforward": pushforward}
    return {"f": srgb, "pullback": pullback, "cases": [cases], **both}


def median3(x):
    """The median of three neighbours, the ends kept."""
    w = np.stack([x[:-2], x[1:-1], x[2:]])
    return np.concatenate([x[:1], np.sort(w, axis=0)[1], x[-1:]])


@family.add(
    "median",
    wrong={
        "centre": ("wrong rule", "the cotangent goes to the centre, whoever was the median"),
        "ends": ("only one element", "the last element's own cotangent is lost"),
        "assign": ("repeated indices", "an element that is the median twice gets one cotangent"),
    },
    right=("", "forward"),
)
def _median(v):
    def where(x):
        w = np.stack([x[:-2], x[1:-1], x[2:]])
        middle = np.full(len(x) - 2, 1) if v == "centre" else np.argsort(w, axis=0, kind="stable")[1]
        return np.concatenate([[0], np.arange(len(x) - 2) + middle, [len(x) - 1]])

    def pushforward(y, primals, tangents):
        return tangents[0][where(primals[0])]

    def pullback(y, primals, g):
        out, index = np.zeros_like(primals[0]), where(primals[0])
        if v == "assign":
            out[index] = g
        else:
            np.add.at(out, index, g)
        if v == "ends":
            out[-1] -= g[-1]
        return (out,)

    cases = [rb.case(np.array([0.3, -1.0, 2.0, 0.5, 0.9, -0.2]))]
    vary = lambda rng: (rng.normal(size=rng.integers(3, 8)),)
    return {"f": median3, "cases": cases, "_vary": vary, **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback})}


def box_blur(x, *, radius=1):
    """A moving mean through cumulative sums; the window shrinks at the ends."""
    n = x.shape[-1]
    total = np.concatenate([np.zeros_like(x[..., :1]), np.cumsum(x, axis=-1)], axis=-1)
    hi = np.minimum(np.arange(n) + radius + 1, n)
    lo = np.maximum(np.arange(n) - radius, 0)
    return (total[..., hi] - total[..., lo]) / (hi - lo)


@family.add(
    "box-blur",
    wrong={
        "self-adjoint": ("rare region", "the filter is taken as its own transpose: right away from the ends only"),
        "radius": ("static ignored", "radius one"),
        "long": ("rare region", "long signals take a shortcut that divides by the full window at the ends too"),
    },
    right=("", "forward"),
)
def _box_blur(v):
    def pushforward(y, primals, tangents, *, radius):
        return box_blur(tangents[0], radius=radius)

    def pullback(y, primals, g, *, radius):
        n = g.shape[-1]
        r = 1 if v == "radius" else radius
        if v == "self-adjoint":
            return (box_blur(g, radius=r),)
        hi, lo = np.minimum(np.arange(n) + r + 1, n), np.maximum(np.arange(n) - r, 0)
        length = hi - lo
        if v == "long" and n > 60:
            length = np.full(n, 2 * r + 1)
        share = g / length
        out = np.zeros_like(g)
        for k in range(n):
            out[..., lo[k] : hi[k]] += share[..., k : k + 1]
        return (out,)

    def cases(rng):
        n = int(rng.choice([3, 6, 11])) if rng.random() > 0.06 else 64
        shape = (n,) if rng.random() < 0.6 else (2, n)
        return rb.case(rng.normal(size=shape), radius=int(rng.integers(1, 4)))

    return {"f": box_blur, "cases": [cases], **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback})}


def total_variation(u, *, eps=1e-3):
    dx, dy = np.diff(u, axis=1)[:-1], np.diff(u, axis=0)[:, :-1]
    return np.sum(np.sqrt(dx * dx + dy * dy + eps * eps))


@family.add(
    "total-variation",
    wrong={
        "corner": ("one element", "the last row's cotangent is off by a row"),
        "eps": ("static ignored", "1e-3 in the rule"),
        "anisotropic": ("wrong rule", "the signs of the differences"),
        "axis": ("transpose", "the two difference images change places where the image is square"),
    },
)
def _total_variation(v):
    def pullback(y, primals, g, *, eps):
        u = primals[0]
        dx, dy = np.diff(u, axis=1)[:-1], np.diff(u, axis=0)[:, :-1]
        e = 1e-3 if v == "eps" else eps
        w = np.sqrt(dx * dx + dy * dy + e * e)
        px, py = (np.sign(dx), np.sign(dy)) if v == "anisotropic" else (dx / w, dy / w)
        if v == "axis" and u.shape[0] == u.shape[1]:
            px, py = py, px
        out = np.zeros_like(u)
        out[:-1, 1:] += px
        out[:-1, :-1] -= px + py
        if v == "corner":
            out[:-1, :-1] += py
        else:
            out[1:, :-1] += py
        return (g * out,)

    vary = lambda rng: rb.case(rng.normal(size=rng.integers(2, 5, 2)), eps=float(rng.choice([1e-3, 0.1])))
    image = np.array([[0.1, 0.9, 0.3], [0.5, -0.2, 0.8], [0.7, 0.4, 0.0]])
    cases = [rb.case(image), rb.case(image[:2] ** 2, eps=0.1)]
    return {"f": total_variation, "pullback": pullback, "cases": cases, "_vary": vary}


def homography(h, points):
    """Map rows of points (n, 2) by a 3 x 3 projective matrix."""
    p = points @ h[:, :2].T + h[:, 2]
    return p[:, :2] / p[:, 2:]


@family.add(
    "homography",
    wrong={
        "w": ("dropped term", "the matrix's last row gets no cotangent"),
        "affine": ("dropped term", "the points' cotangent ignores the denominator"),
        "points": ("transpose", "the upper left block is not transposed"),
    },
    right=("", "forward"),
)
def _homography(v):
    def pushforward(y, primals, tangents):
        h, x = primals
        p = x @ h[:, :2].T + h[:, 2]
        d = x @ tangents[0][:, :2].T + tangents[0][:, 2] + tangents[1] @ h[:, :2].T
        return (d[:, :2] - y * d[:, 2:]) / p[:, 2:]

    def pullback(y, primals, g):
        h, x = primals
        p = x @ h[:, :2].T + h[:, 2]
        top = g / p[:, 2:]
        last = -(top * y).sum(1, keepdims=True)
        bar = np.concatenate([top, 0 * last if v == "affine" else last], axis=1)
        h_bar = np.concatenate([np.concatenate([top, last], axis=1).T @ x, np.concatenate([top, last], axis=1).sum(0)[:, None]], axis=1)
        if v == "w":
            h_bar[2] = 0
        block = h[:, :2].copy()
        if v == "points":
            block[:2] = block[:2].T
        return h_bar, bar @ block

    def cases(rng):
        h = np.eye(3) + 0.3 * rng.normal(size=(3, 3))
        h[2] = [0.05 * rng.normal(), 0.05 * rng.normal(), 1.0]
        return h, rng.normal(size=(rng.integers(1, 5), 2))

    return {
        "f": homography,
        "cases": listed(cases, 2),
        "_vary": cases,
        **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback}),
    }


def convolve_fft(a, b):
    """Linear convolution through the FFT."""
    n = len(a) + len(b) - 1
    return np.fft.irfft(np.fft.rfft(a, n) * np.fft.rfft(b, n), n)


@family.add(
    "fft-convolution",
    wrong={
        "circular": ("rare region", "the correlation wraps around, for the transforms are not padded"),
        "conjugate": ("conjugate", "the second cotangent lacks the conjugate"),
        "single": ("below the noise", "the transforms are kept in complex64"),
    },
)
def _convolve(v):
    def rrule(a, b):
        n = len(a) + len(b) - 1
        kind = np.complex64 if v == "single" else complex
        fa, fb = np.fft.rfft(a, n).astype(kind), np.fft.rfft(b, n).astype(kind)

        def pullback(g):
            m = max(len(a), len(b)) if v == "circular" else n
            fg = np.fft.rfft(g[:m], m)
            ga, gb = (np.fft.rfft(a, m), np.fft.rfft(b, m)) if v == "circular" else (fa, fb)
            a_bar = np.fft.irfft(fg * gb.conj(), m)[: len(a)]
            return a_bar, np.fft.irfft(fg * (ga if v == "conjugate" else ga.conj()), m)[: len(b)]

        return convolve_fft(a, b), pullback

    def cases(rng):
        n, m = rng.integers(1, 6, 2)
        return rng.normal(size=n), rng.normal(size=m)

    return {"f": convolve_fft, "rrule": rrule, "cases": [cases]}
