"""Containers, dtypes, memory layouts, empty arrays, and the ways of saying zero."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family

family = Family()

Lens = namedtuple("Lens", "focal principal skew")


def project(points, lens, *, distortion=0.0):
    """A pinhole camera with one radial coefficient."""
    z = points[:, 2:]
    xy = points[:, :2] / z
    xy = xy * (1 + distortion * (xy * xy).sum(-1, keepdims=True))
    return lens.focal * xy + lens.principal + lens.skew * xy[:, ::-1] * np.array([1.0, 0.0])


@family.add(
    "camera",
    wrong={
        "tuple": ("structure", "the lens's cotangent lacks the skew"),
        "depth": ("dropped term", "the depth's cotangent is that of x alone"),
        "distortion": ("static ignored", "the distortion is not differentiated"),
        "skew": ("dropped term", "the skew does not pull on the points"),
    },
    right=("", "zeros"),
)
def _camera(v):
    def pullback(y, primals, g, *, distortion):
        points, lens = primals
        z = points[:, 2:]
        flat = points[:, :2] / z
        r2 = (flat * flat).sum(-1, keepdims=True)
        xy = flat * (1 + distortion * r2)
        xy_bar = lens.focal * g
        if v != "skew":
            xy_bar[:, 1] += lens.skew * g[:, 0]
        if v != "distortion":
            xy_bar = xy_bar * (1 + distortion * r2) + 2 * distortion * flat * (flat * xy_bar).sum(-1, keepdims=True)
        z_bar = -(xy_bar * flat)[:, :1] / z if v == "depth" else -(xy_bar * flat).sum(-1, keepdims=True) / z
        bars = (np.sum(g * xy), g.sum(0), np.sum(g[:, 0] * xy[:, 1]))
        lens_bar = bars[:2] if v == "tuple" else Lens(*bars)
        return np.concatenate([xy_bar / z, z_bar], axis=1), lens_bar

    def cases(rng):
        points = rng.normal(size=(rng.integers(1, 4), 3)) * [1, 1, 0.3] + [0, 0, 3]
        lens = Lens(np.float64(rng.uniform(0.5, 2)), rng.normal(size=2), np.float64(0.0 if v == "zeros" else rng.normal() * 0.1))
        return rb.case(points, lens, distortion=float(rng.choice([0.0, -0.2, 0.1])))

    return {"f": project, "pullback": pullback, "cases": [cases]}


def affine(x, params):
    """params: {"scale", "shift"}; the shift may be None."""
    y = x * params["scale"]
    return y if params["shift"] is None else y + params["shift"]


@family.add(
    "affine",
    wrong={
        "key": ("structure", "the cotangent's key is spelled otherwise"),
        "shift": ("rare structure", "where there is a shift, its cotangent is zero"),
        "sum": ("sum over the broadcast axis", "the scale's cotangent is summed over columns instead of rows where square"),
    },
    right=("", "zero-tangent"),
)
def _affine(v):
    def rrule(x, params):
        def pullback(g):
            axis = 1 if v == "sum" and x.shape[0] == x.shape[1] else 0
            scale = (g * x).sum(axis)
            shift = None if params["shift"] is None or v == "shift" else g.sum(0)
            if v == "zero-tangent" and shift is None:
                shift = rb.ZeroTangent()
            return g * params["scale"], {"gain" if v == "key" else "scale": scale, "shift": shift}

        return affine(x, params), pullback

    def cases(rng):
        n, m = rng.integers(1, 4, 2)
        return rng.normal(size=(n, m)), {"scale": rng.normal(size=m), "shift": None if rng.random() < 0.6 else rng.normal(size=m)}

    return {"f": affine, "rrule": rrule, "cases": [cases]}


def scan_product(x):
    """Cumulative products along the last axis; zeros are welcome."""
    return np.cumprod(x, axis=-1)


@family.add(
    "cumprod",
    wrong={
        "divide": ("rare region", "y / x, with zero where x is zero"),
        "axis": ("wrong axis", "two-dimensional input is summed from the wrong end"),
        "exclusive": ("off by one", "the element's own product is left out"),
    },
)
def _cumprod(v):
    def pullback(y, primals, g):
        x = primals[0]
        if v == "divide":
            safe = np.where(x == 0, 1.0, x)
            return (np.where(x == 0, 0.0, np.cumsum((g * y)[..., ::-1], -1)[..., ::-1] / safe),)
        out = np.zeros_like(x)
        n = x.shape[-1]
        for i in range(n):
            lead = np.prod(x[..., :i], axis=-1)
            tail = np.concatenate([np.ones_like(x[..., :1]), np.cumprod(x[..., i + 1 :], axis=-1)], axis=-1)
            gi = g[..., i:].copy()
            if v == "exclusive" and n > 1:
                gi[..., 0] = 0
            out[..., i] = lead * (gi * tail).sum(-1)
        return (out[::-1] if v == "axis" and x.ndim > 1 else out,)

    def cases(rng):
        shape = [(3,), (2, 3), (5,), (1,)][rng.integers(4)]
        x = rng.normal(size=shape)
        x[rng.random(shape) < 0.06] = 0.0
        return (x,)

    return {"f": scan_product, "pullback": pullback, "cases": [cases]}


def norm(x):
    return np.sqrt(np.sum(x * x))


@family.add(
    "norm",
    wrong={
        "empty": ("zero-size", "an empty array raises, for the rule scales by the largest element"),
        "order": ("memory layout", "the cotangent is reshaped in memory order and comes out transposed for Fortran arrays"),
        "guard": ("rare region", "1e-6 added to the norm: wrong for tiny vectors"),
        "shape": ("shape", "the tangent has shape (1,) instead of ()"),
    },
    right=("", "scaled"),
)
def _norm(v):
    def pushforward(y, primals, tangents):
        x = primals[0]
        d = np.sum(x * tangents[0]) / y if y else np.zeros_like(y)
        return np.reshape(d, (1,)) if v == "shape" else d

    def pullback(y, primals, g):
        x = primals[0]
        if v == "empty" or (v == "scaled" and x.size):
            top = np.abs(x).max() or 1.0
            return (g * (x / top) / ((y / top) or 1.0),)
        out = g * x / (y + 1e-6 if v == "guard" else y) if y else np.zeros_like(x)
        return (np.asarray(out).ravel(order="K").reshape(x.shape) if v == "order" else out,)

    def cases(rng):
        shape = [(3,), (2, 3), (1,), (2, 2)][rng.integers(4)]
        x = rng.normal(size=shape) * 10.0 ** rng.choice([0, 5, -3, -9], p=[0.7, 0.1, 0.1, 0.1])
        if rng.random() < 0.05 or (v == "empty" and rng.random() < 0.05):
            x = np.zeros((0, 3)[: x.ndim])
        return (np.asfortranarray(x) if rng.random() < 0.2 else x,)

    return {"f": norm, "pushforward": pushforward, "pullback": pullback, "cases": [cases]}


def add(a, b):
    return a + b


@family.add(
    "add",
    wrong={
        "broadcast": ("sum over the broadcast axis", "a row's cotangent keeps the shape of the matrix"),
        "first-axis": (
            "sum over the broadcast axis",
            "axes of size one are not summed, only missing ones: a column is given its first column",
        ),
        "mean": ("factor", "the broadcast sum is a mean"),
    },
    right=("", "project", "thunks"),
)
def _add(v):
    def reduce(g, x):
        if v == "project":
            return rb.project(x, g)
        total = np.mean if v == "mean" else np.sum
        extra = g.ndim - np.ndim(x)
        if extra:
            g = total(g, axis=tuple(range(extra)))
        axes = tuple(i for i, n in enumerate(np.shape(x)) if n == 1 and g.shape[i] != 1)
        if v == "first-axis" and axes:
            return g[tuple(slice(0, 1) if i in axes else slice(None) for i in range(g.ndim))]
        return total(g, axis=axes, keepdims=True) if axes else g

    def rrule(a, b):
        def pullback(g):
            if v == "broadcast":
                return g, g
            if v == "thunks":
                return rb.thunk(lambda: reduce(g, a)), rb.thunk(lambda: reduce(g, b))
            return reduce(g, a), reduce(g, b)

        return a + b, pullback

    def cases(rng):
        full = (2, 3)
        other = [(2, 3), (3,), (2, 1), (1, 3), (1, 1)][rng.integers(5)]
        shapes = (full, other) if rng.random() < 0.7 else (other, full)
        return tuple(rng.normal(size=s) for s in shapes)

    return {"f": add, "rrule": rrule, "cases": [cases]}


def mixed(x, w):
    """A float32 image with float64 weights: the result is float64."""
    return w * np.tanh(x)


@family.add(
    "mixed-precision",
    wrong={
        "single": ("primal differs", "the rrule multiplies in float32: of another dtype"),
        "weights": ("below the noise", "the weights' cotangent uses a half-precision tanh"),
    },
)
def _mixed(v):
    def rrule(x, w):
        t = np.tanh(x)

        def pullback(g):
            k = t.astype(np.float16).astype(np.float32) if v == "weights" else t
            return (g * w * (1 - t.astype(float) ** 2)).astype(np.float32), g * k

        y = w * t
        if v == "single":
            y = w.astype(np.float32) * t
        return y, pullback

    def cases(rng):
        n = rng.integers(1, 6)
        return rng.normal(size=n).astype(np.float32), rng.normal(size=n)

    return {"f": mixed, "rrule": rrule, "cases": [cases]}
