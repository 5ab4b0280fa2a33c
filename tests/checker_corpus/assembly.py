"""Segment sums, scatter, distances, likelihoods, polynomials, sampling of images: sums into places."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# sums into segments


def segment_sum(x, labels, *, n=4):
    out = np.zeros(n)
    np.add.at(out, labels, x)
    return out


segments = Family(
    "segment_sum",
    "repeated labels; some segments empty",
    f=segment_sum,
    cases=lambda rng: (lambda m: rb.case(rng.standard_normal(m), rng.integers(0, 4, m), n=int(rng.integers(4, 6))))(
        int(rng.integers(0, 9))
    ),
    frule=lambda p, t, *, n: (segment_sum(*p, n=n), segment_sum(t[0], p[1], n=n)),
    rrule=lambda x, labels, *, n: (segment_sum(x, labels, n=n), lambda c: (c[labels], None)),
)
segments.wrong(
    "once",
    "accumulates",
    "repeated labels count once",
    frule=lambda p, t, *, n: (segment_sum(*p, n=n), (lambda out: (out.__setitem__(p[1], t[0]), out)[1])(np.zeros(n))),
)
segments.wrong(
    "mean",
    "factor",
    "divided by the size of the segment",
    rrule=lambda x, labels, *, n: (
        segment_sum(x, labels, n=n),
        lambda c: ((c / np.maximum(np.bincount(labels, minlength=n), 1))[labels], None),
    ),
)
segments.wrong(
    "by_order",
    "swapped",
    "by position, not by label",
    rrule=lambda x, labels, *, n: (segment_sum(x, labels, n=n), lambda c: (np.resize(c, x.shape), None)),
)
segments.wrong("four", "static", "four segments always", frule=lambda p, t, *, n: (segment_sum(*p, n=n), segment_sum(t[0], p[1])))
segments.wrong(
    "labels", "integer cotangent", rrule=lambda x, labels, *, n: (segment_sum(x, labels, n=n), lambda c: (c[labels], c[labels] * x))
)

# values set at places


def place(x, index, v):
    out = x.copy()
    out[index] = v
    return out


def place_pull(y, p, c):
    x_bar = c.copy()
    x_bar[p[1]] = 0.0
    return x_bar, None, c[p[1]]


def place_push(y, p, t):
    out = t[0].copy()
    out[p[1]] = t[2]
    return out


places = Family(
    "place",
    "values overwritten at distinct places",
    f=place,
    cases=lambda rng: (rng.standard_normal(5), rng.permutation(5)[:2], rng.standard_normal(2)),
    pushforward=place_push,
    pullback=place_pull,
)
places.wrong("not_cut", "dropped term", "the overwritten values keep their cotangent", pullback=lambda y, p, c: (c.copy(), None, c[p[1]]))
places.wrong(
    "added",
    "dropped term",
    "tangents are added",
    pushforward=lambda y, p, t: (lambda out: (np.add.at(out, p[1], t[2]), out)[1])(t[0].copy()),
)
places.wrong(
    "in_place",
    "mutates",
    "zeroes in the cotangent itself",
    pullback=lambda y, p, c: (lambda v: (c.__setitem__(p[1], 0.0), (c, None, v))[1])(c[p[1]].copy()),
)
places.wrong("sorted", "swapped", "indices sorted", pullback=lambda y, p, c: (place_pull(y, p, c)[0], None, c[np.sort(p[1])]))
places.wrong("x_in_place", "mutates", "the tangent is overwritten", pushforward=lambda y, p, t: (t[0].__setitem__(p[1], t[2]), t[0])[1])

# pairwise distances: a zero diagonal


def distances(x):
    d = x[:, None] - x[None]
    return np.sqrt(np.sum(d**2, -1))


def units(y, x):
    d = x[:, None] - x[None]
    return d / np.where(y == 0, 1.0, y)[..., None]


def distances_pull(y, p, c):
    u = units(y, p[0])
    return (np.sum(u * (c + c.T)[..., None], axis=1),)


pairs = Family(
    "distances",
    "the diagonal is zero and has no slope",
    f=lambda x: distances(x) + 0.0,
    cases=lambda rng: (rng.standard_normal((int(rng.integers(1, 5)), 2)),),
    pushforward=lambda y, p, t: np.sum(units(y, p[0]) * (t[0][:, None] - t[0][None]), -1),
    pullback=distances_pull,
)
pairs.wrong(
    "rows_only",
    "dropped term",
    "the second of each pair is held",
    pullback=lambda y, p, c: (np.sum(units(y, p[0]) * c[..., None], axis=1),),
)
pairs.wrong(
    "twice", "factor", "right for symmetric cotangents", pullback=lambda y, p, c: (2 * np.sum(units(y, p[0]) * c[..., None], axis=1),)
)
pairs.wrong(
    "diagonal",
    "nan",
    "0/0 on the diagonal",
    pullback=lambda y, p, c: (np.sum((p[0][:, None] - p[0][None]) / y[..., None] * (c + c.T)[..., None], axis=1),),
)
pairs.wrong(
    "softened",
    "constant",
    "1e-6 under the root in the slope",
    pushforward=lambda y, p, t: np.sum((p[0][:, None] - p[0][None]) / np.sqrt(y**2 + 1e-6)[..., None] * (t[0][:, None] - t[0][None]), -1),
)
pairs.wrong("sign", "sign", pullback=lambda y, p, c: (np.sum(units(y, p[0]) * (c - c.T)[..., None], axis=1),))

# the likelihood of a normal distribution


def likelihood(x, mean, cov):
    r = x - mean
    return -0.5 * (r @ np.linalg.solve(cov, r) + np.linalg.slogdet(cov)[1] + x.size * np.log(2 * np.pi))


def likelihood_parts(x, mean, cov):
    s = np.linalg.solve(cov, x - mean)
    inv = np.linalg.inv(cov)
    return -s, s, 0.5 * (np.outer(s, s) - inv)


def cov_symmetric(i, t):
    return (t + t.T) / 2 if i == 2 else t


def likelihood_cases(rng):
    n = int(rng.integers(1, 4))
    a = rng.standard_normal((n, n))
    return rng.standard_normal(n), rng.standard_normal(n), a @ a.T + np.eye(n)


normals = Family(
    "likelihood",
    "a symmetric covariance as the third argument",
    f=likelihood,
    cases=likelihood_cases,
    tangent_space=cov_symmetric,
    pushforward=lambda y, p, t: sum(np.sum(g * d) for g, d in zip(likelihood_parts(*p), t, strict=True)),
    pullback=lambda y, p, c: tuple(g * c for g in likelihood_parts(*p)),
)


def changed(partials):
    return {
        "pushforward": lambda y, p, t: sum(np.sum(g * d) for g, d in zip(partials(*p), t, strict=True)),
        "pullback": lambda y, p, c: tuple(g * c for g in partials(*p)),
    }


normals.wrong(
    "no_determinant",
    "dropped term",
    **changed(lambda x, m, v: (*likelihood_parts(x, m, v)[:2], 0.5 * np.outer(*[likelihood_parts(x, m, v)[1]] * 2))),
)
normals.wrong(
    "no_quadratic", "dropped term", pullback=changed(lambda x, m, v: (*likelihood_parts(x, m, v)[:2], -0.5 * np.linalg.inv(v)))["pullback"]
)
normals.wrong(
    "mean_sign",
    "sign",
    pullback=changed(lambda x, m, v: (likelihood_parts(x, m, v)[0], likelihood_parts(x, m, v)[0], likelihood_parts(x, m, v)[2]))[
        "pullback"
    ],
)
normals.wrong(
    "lower",
    "off space",
    "lower triangle of the covariance",
    pullback=changed(
        lambda x, m, v: (*likelihood_parts(x, m, v)[:2], (lambda g: np.tril(g) + np.tril(g, -1))(likelihood_parts(x, m, v)[2]))
    )["pullback"],
)
normals.wrong("no_half", "factor", **changed(lambda x, m, v: (*likelihood_parts(x, m, v)[:2], 2 * likelihood_parts(x, m, v)[2])))

# a polynomial with its coefficients


def horner(c, x):
    y = np.zeros_like(x)
    for a in c:
        y = y * x + a
    return y


def vandermonde(c, x):
    return x[..., None] ** np.arange(c.size - 1, -1, -1)


def poly_slope(c, x):
    return horner(c[:-1] * np.arange(c.size - 1, 0, -1), x) if c.size > 1 else np.zeros_like(x)


polys = Family(
    "polynomial",
    "coefficients from the highest; constants too",
    f=horner,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 6))), rng.standard_normal(3)),
    pushforward=lambda y, p, t: vandermonde(*p) @ t[0] + poly_slope(*p) * t[1],
    pullback=lambda y, p, c: (vandermonde(*p).T @ c, poly_slope(*p) * c),
)
polys.wrong("ascending", "swapped", pullback=lambda y, p, c: ((vandermonde(*p).T @ c)[::-1].copy(), poly_slope(*p) * c))
polys.wrong(
    "slope_ascending",
    "swapped",
    pushforward=lambda y, p, t: (
        vandermonde(*p) @ t[0] + (horner(p[0][:-1] * np.arange(1, p[0].size), p[1]) if p[0].size > 1 else 0.0) * t[1]
    ),
)
polys.wrong(
    "no_powers",
    "dropped term",
    "the factors of the derivative are missing",
    pullback=lambda y, p, c: (vandermonde(*p).T @ c, horner(p[0][:-1], p[1]) * c),
)
polys.wrong(
    "constant_term",
    "one element",
    "the constant term has no cotangent",
    pullback=lambda y, p, c: (np.append((vandermonde(*p).T @ c)[:-1], 0.0), poly_slope(*p) * c),
)
polys.wrong(
    "constant_term_both",
    "one element",
    pullback=lambda y, p, c: (np.append((vandermonde(*p).T @ c)[:-1], 0.0), poly_slope(*p) * c),
    pushforward=lambda y, p, t: vandermonde(*p) @ np.append(t[0][:-1], 0.0) + poly_slope(*p) * t[1],
)

# bilinear samples of an image


def bilinear(image, u, v):
    i = np.clip(np.floor(u).astype(int), 0, image.shape[0] - 2)
    j = np.clip(np.floor(v).astype(int), 0, image.shape[1] - 2)
    a, b = u - i, v - j
    return (1 - a) * ((1 - b) * image[i, j] + b * image[i, j + 1]) + a * ((1 - b) * image[i + 1, j] + b * image[i + 1, j + 1])


def corners(image, u, v):
    i = np.clip(np.floor(u).astype(int), 0, image.shape[0] - 2)
    j = np.clip(np.floor(v).astype(int), 0, image.shape[1] - 2)
    a, b = u - i, v - j
    by_u = (1 - b) * (image[i + 1, j] - image[i, j]) + b * (image[i + 1, j + 1] - image[i, j + 1])
    by_v = (1 - a) * (image[i, j + 1] - image[i, j]) + a * (image[i + 1, j + 1] - image[i + 1, j])
    return [((i, j), (1 - a) * (1 - b)), ((i, j + 1), (1 - a) * b), ((i + 1, j), a * (1 - b)), ((i + 1, j + 1), a * b)], by_u, by_v


def bilinear_pull(y, p, c, skip=None, once=False, swap=False):
    weights, by_u, by_v = corners(*p)
    image_bar = np.zeros_like(p[0])
    for k, (place, w) in enumerate(weights):
        if k == skip:
            continue
        if once:
            image_bar[place] += w * c
        else:
            np.add.at(image_bar, place, w * c)
    return (image_bar, by_v * c, by_u * c) if swap else (image_bar, by_u * c, by_v * c)


def bilinear_push(y, p, t):
    weights, by_u, by_v = corners(*p)
    return sum(w * t[0][place] for place, w in weights) + by_u * t[1] + by_v * t[2]


images = Family(
    "bilinear",
    "many samples of one cell",
    f=bilinear,
    cases=lambda rng: (rng.standard_normal((3, 4)), rng.uniform(0, 2, 6), rng.uniform(0, 3, 6)),
    pushforward=bilinear_push,
    pullback=bilinear_pull,
)
images.wrong("once", "accumulates", "samples of one cell count once", pullback=lambda y, p, c: bilinear_pull(y, p, c, once=True))
images.wrong("three_corners", "dropped term", pullback=lambda y, p, c: bilinear_pull(y, p, c, skip=3))
images.wrong("axes_swapped", "swapped", pullback=lambda y, p, c: bilinear_pull(y, p, c, swap=True))
images.wrong(
    "nearest",
    "dropped term",
    "the slope of the nearest row",
    pushforward=lambda y, p, t: (
        sum(w * t[0][place] for place, w in corners(*p)[0]) + corners(p[0], p[1], np.floor(p[2]))[1] * t[1] + corners(*p)[2] * t[2]
    ),
)
images.wrong("held", "missing cotangent", "the image is held", pullback=lambda y, p, c: (None, *bilinear_pull(y, p, c)[1:]))
