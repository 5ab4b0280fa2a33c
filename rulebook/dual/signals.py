"""Convolution, correlation and covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import each, lift
from rulebook.dual.parts import is_dual
from rulebook.dual.products import bilinear
from rulebook.dual.registry import rule

__all__: list[str] = []


def _row(x: Any) -> Any:
    return np.reshape(lift(x), (-1,)) if np.ndim(x) == 0 or not is_dual(x) else x


def _along(function: Any, a: Any, v: Any, mode: Any) -> Any:
    y = function(np.zeros(len(a)), np.zeros(len(v)), mode)

    def on_left(t: Any, q: Any) -> Any:
        return each(lambda row: function(row, q, mode), t, y)

    def on_right(p: Any, t: Any) -> Any:
        return each(lambda row: function(p, row, mode), t, y)

    return bilinear(lambda p, q: function(p, q, mode), a, v, on_left, on_right)


@rule(np.convolve)
def _convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    return _along(np.convolve, _row(a), _row(v), mode)


@rule(np.correlate)
def _correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    return _along(np.correlate, _row(a), _row(v), mode)


@rule(np.cov)
def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    x = _rows(lift(m), rowvar)
    if y is not None:
        x = np.concatenate([x, _rows(lift(y), rowvar)])
    x = x * 1.0 if dtype is None else x.astype(dtype)
    w = None
    for weights in (fweights, aweights):
        if weights is not None:
            w = lift(weights) * 1.0 if w is None else w * lift(weights)
    ddof = (0 if bias else 1) if ddof is None else ddof
    total = x.shape[1] if w is None else np.sum(w)
    if np.any(np.equal(total, 0)) and w is not None:
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    mean = np.mean(x, axis=1, keepdims=True) if w is None else np.sum(x * w, axis=1, keepdims=True) / total
    unweighted = w is None or ddof == 0 or aweights is None
    freedom = total - ddof if unweighted else total - ddof * np.sum(w * lift(aweights)) / total
    x = x - mean
    right = np.conjugate(np.transpose(x if w is None else x * w))
    return np.squeeze(np.matmul(x, right) * np.true_divide(1, freedom))


def _rows(x: Any, rowvar: bool) -> Any:
    x = np.atleast_2d(x)
    return x if rowvar or x.shape[0] == 1 else np.transpose(x)


@rule(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    d = np.sqrt(np.real(np.diagonal(c)))
    r = c / d[:, None] / d[None, :]
    if r.dtype.kind == "c":
        return np.clip(r.real, -1, 1) + 1j * np.clip(r.imag, -1, 1)
    return np.where(np.abs(r) > 1, np.sign(r), r)
