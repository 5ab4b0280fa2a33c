"""Derivatives of a function by the library's modes against differences, to second order."""

from __future__ import annotations

import numpy as np

import rulebook as rb


def real(y):
    """A result as real numbers."""
    y = np.asarray(y)
    return np.concatenate([y.real.ravel(), y.imag.ravel()]) if np.iscomplexobj(y) else y.ravel()


def difference(f, h=1e-3):
    """f'(0) of a function of a number, of sixth order."""
    return sum(c * (f(k * h) - f(-k * h)) for k, c in ((1, 45), (2, -9), (3, 1))) / (60 * h)


def directional(fn, *args, rtol=1e-6):
    """Forward in duals and autograd, reverse in autograd, and second order both ways, along one direction."""
    rng = np.random.default_rng(1)
    t = tuple(rng.normal(size=a.shape) for a in args)
    at = lambda h: tuple(a + h * v for a, v in zip(args, t, strict=True))
    expected = difference(lambda h: real(fn(*at(h))))
    scale = rtol * (1 + np.abs(expected).max(initial=0))
    for engine in ("dual", "autograd"):
        y, y_dot = rb.jvp(fn, args, t, engine=engine)
        np.testing.assert_allclose(real(y), real(fn(*args)), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(real(y_dot), expected, atol=scale, rtol=0)
    y, pull = rb.vjp(fn, *args, engine="autograd")
    y_bar = rng.normal(size=np.shape(y))
    found = sum(np.sum(bar * v) for bar, v in zip(pull(y_bar), t, strict=True))
    np.testing.assert_allclose(found, np.sum(y_bar.ravel() * expected), atol=10 * scale, rtol=0)
    second = difference(lambda h: real(rb.jvp(fn, at(h), t, engine="dual")[1]))
    scale = 10 * rtol * (1 + np.abs(second).max(initial=0))
    for engine in ("dual", "autograd"):
        slope = lambda *x, engine=engine: rb.jvp(fn, x, t, engine=engine)[1]
        np.testing.assert_allclose(real(rb.jvp(slope, args, t, engine=engine)[1]), second, atol=scale, rtol=0)
