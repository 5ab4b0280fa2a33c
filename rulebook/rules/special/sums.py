"""log-sum-exp and softmax: functions along the axes of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _along(rng: np.random.Generator) -> Any:
    return rb.case(rng.normal(size=(2, 3)), axis=1)


_CASES = [
    lambda rng: rb.case(rng.normal(size=4)),
    _along,
    lambda rng: rb.case(rng.normal(size=(2, 3)).astype(np.float32), axis=0),
]


def _shift(xp: Any, a: Any, axis: Any) -> Any:
    """The maximum along the axes, kept; 0 where it is infinite."""
    top = rb.stop_gradient(xp.max(a, axis=axis, keepdims=True))
    return xp.where(xp.isfinite(top), top, 0.0)


def _kept(xp: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    """A result with the summed axes as axes of length 1."""
    if keepdims:
        return y
    if axis is None:
        return xp.reshape(y, (1,) * a.ndim)
    axes = {k % a.ndim for k in (axis if isinstance(axis, tuple) else (axis,))}
    return xp.reshape(y, tuple(1 if k in axes else n for k, n in enumerate(a.shape)))


@rb.primitive(cases=[*_CASES, lambda rng: rb.case(rng.normal(size=3), rng.uniform(0.5, 2, 3), keepdims=True)])
def logsumexp(a: Any, b: Any = None, *, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(b exp(a))), without overflow.

    Args:
        a: an array.
        b: weights that broadcast to a, or None for 1.  Where the sum is negative the result is NaN.
        axis: an axis, a tuple of axes, or None for all.
        keepdims: whether the summed axes stay, with length 1.

    Derivation:
        With the weights p = exp(a - y): y_dot = sum(p (b a_dot + b_dot)), a_bar = b p y_bar, b_bar = p y_bar.

    Example:
        >>> logsumexp(np.log([1.0, 2.0, 5.0])).round(12) == np.log(8.0).round(12)
        np.True_
    """
    xp = rb.xp(a, b)
    a = xp.asarray(a)
    shift = _shift(xp, a, axis)
    terms = xp.exp(a - shift)
    y = xp.log(xp.sum(terms if b is None else b * terms, axis=axis, keepdims=True)) + shift
    return y if keepdims else xp.sum(y, axis=axis)


@rb.pushforward(logsumexp, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, axis: Any, keepdims: bool) -> Any:
    (a, b), (a_dot, b_dot) = primals, tangents
    xp = rb.xp(y, a, b)
    p = xp.exp(a - _kept(xp, y, a, axis, keepdims))
    moved = None if a_dot is None else a_dot if b is None else b * a_dot
    if b_dot is not None:
        moved = b_dot if moved is None else moved + b_dot
    return rb.ZeroTangent() if moved is None else xp.sum(p * moved, axis=axis, keepdims=keepdims)


@rb.pullback(logsumexp)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Any, keepdims: bool) -> Any:
    a, b = primals
    xp = rb.xp(y, a, b)
    p = xp.exp(a - _kept(xp, y, a, axis, keepdims)) * _kept(xp, y_bar, a, axis, keepdims)
    return p if b is None else b * p, None if b is None else rb.thunk(lambda: rb.project(b, p))


@rb.primitive(cases=_CASES)
def softmax(x: Any, *, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)).

    Args:
        x: an array.
        axis: an axis, a tuple of axes, or None for all.

    Derivation:
        y_dot = y (x_dot - sum(y x_dot)), x_bar = y (y_bar - sum(y y_bar)).

    Example:
        >>> softmax(np.log([1.0, 3.0])).round(12)
        array([0.25, 0.75])
    """
    xp = rb.xp(x)
    x = xp.asarray(x)
    terms = xp.exp(x - _shift(xp, x, axis))
    return terms / xp.sum(terms, axis=axis, keepdims=True)


def _softmax_map(y: Any, v: Any, axis: Any) -> Any:
    """The Jacobian, which is symmetric, on a tangent or a cotangent."""
    xp = rb.xp(y, v)
    return y * (v - xp.sum(y * v, axis=axis, keepdims=True))


@rb.pushforward(softmax)
def _(y: Any, primals: Any, tangents: Any, *, axis: Any) -> Any:
    return _softmax_map(y, tangents[0], axis)


@rb.pullback(softmax)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Any) -> Any:
    return (_softmax_map(y, y_bar, axis),)


@rb.primitive(cases=_CASES)
def log_softmax(x: Any, *, axis: Any = None) -> Any:
    """The logarithm of softmax, without underflow.

    Args:
        x: an array.
        axis: an axis, a tuple of axes, or None for all.

    Derivation:
        y_dot = x_dot - sum(exp(y) x_dot), x_bar = y_bar - exp(y) sum(y_bar).

    Example:
        >>> log_softmax(np.zeros(2)).round(6)
        array([-0.693147, -0.693147])
    """
    xp = rb.xp(x)
    x = xp.asarray(x)
    shifted = x - _shift(xp, x, axis)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


@rb.pushforward(log_softmax)
def _(y: Any, primals: Any, tangents: Any, *, axis: Any) -> Any:
    xp = rb.xp(y, *primals)
    return tangents[0] - xp.sum(xp.exp(y) * tangents[0], axis=axis, keepdims=True)


@rb.pullback(log_softmax)
def _(y: Any, primals: Any, y_bar: Any, *, axis: Any) -> Any:
    xp = rb.xp(y, *primals)
    return (y_bar - xp.exp(y) * xp.sum(y_bar, axis=axis, keepdims=True),)
