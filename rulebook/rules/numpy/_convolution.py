"""Convolution and correlation of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._along import flipped
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._einsum import leibniz
from rulebook.rules.numpy._rearranging import gather, scatter
from rulebook.rules.numpy._support import stands

__all__ = [
    "convolve",
    "correlate",
]


@stands(np.convolve)
@rb.primitive(
    name="rulebook.rules.numpy.convolve",
    cases=[normal((4,), (2,)), normal((2,), (3,), mode="valid"), normal((4,), (3,), mode="same"), complex_normal((3,), (2,), mode="valid")],
    native={"jax": "convolve"},
)
def convolve(a: Any, v: Any, *, mode: str = "full") -> Any:
    """The convolution of two vectors: c_k = sum_n a_(k-n) v_n."""
    if type(a) is np.ndarray and type(v) is np.ndarray:
        return np.convolve(a, v, mode)  # type: ignore[call-overload]  # one of three
    a, v = (a, v) if a.shape[0] >= v.shape[0] else (v, a)
    at = _shifts(a, v, mode)
    return gather(a, np.ravel(at)).reshape(at.shape) @ v


def _shifts(a: Any, v: Any, mode: str) -> Any:
    """The number of the entry of a, the longer, that entry n of v meets in entry k of the result; 0 beyond its ends."""
    m, n = a.shape[0], v.shape[0]
    start, length = {"full": (0, m + n - 1), "same": ((n - 1) // 2, m), "valid": (n - 1, m - n + 1)}[mode]
    at = np.arange(start, start + length)[:, None] - np.arange(n)
    return np.where((at >= 0) & (at < m), at + 1, 0)


@rb.pushforward(convolve, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, mode: str) -> Any:
    return leibniz(lambda a, v: convolve(a, v, mode=mode), primals, tangents)


@rb.pullback(convolve)
def _(y: Any, primals: Any, y_bar: Any, *, mode: str) -> Any:
    first = primals[0].shape[0] >= primals[1].shape[0]
    a, v = primals if first else primals[::-1]
    at = _shifts(a, v, mode)
    xp = rb.xp(y_bar, *primals)
    met = y_bar[:, None] * xp.conj(v)
    bars = (
        rb.thunk(lambda: scatter(xp.reshape(met, (-1,)), np.ravel(at), size=a.shape[0])),
        rb.thunk(lambda: y_bar @ xp.conj(xp.reshape(gather(a, np.ravel(at)), at.shape))),
    )
    return bars if first else bars[::-1]


@stands(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Products of a vector with another, conjugated, at every shift: c_k = sum_n a_(n+k) conj(v_n).

    Example:
        >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]))
        array([2., 3.])
    """
    if a.shape[0] < v.shape[0]:
        return _reversed(correlate(v, a, mode))
    return convolve(a, _reversed(v), mode=mode)


def _reversed(x: Any) -> Any:
    """A vector from its end, conjugated."""
    return rb.xp(x).conj(flipped(x))
