"""Linear functions of a signal: smoothing, trends, the analytic signal."""

from __future__ import annotations

import importlib
import itertools
import operator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules.fft import _functions as fft
from rulebook.rules.signal._convolution import convolved

__all__ = ["detrend", "detrended", "hilbert", "savgol_filter"]


def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Any:
    """The filter of Savitzky and Golay, a polynomial fitted to each window, linear in the signal.

    Args:
        x: array.
        window_length, polyorder, deriv, delta: of the polynomials.
        axis: along which it is filtered.
        mode: "interp", "mirror", "nearest", "wrap" or "constant": what is beyond the ends.
        cval: a number for "constant".

    Example:
        >>> savgol_filter(np.arange(6.0) ** 2, 3, 2).round(12)
        array([ 0.,  1.,  4.,  9., 16., 25.])
    """
    if mode not in ("mirror", "constant", "nearest", "interp", "wrap"):
        raise ValueError("mode must be 'mirror', 'constant', 'nearest' 'wrap' or 'interp'.")
    scipy_signal = importlib.import_module("scipy.signal")
    x = _along.axis_last(_along.floating(x), axis)
    weights = _along.numbers(x, scipy_signal.savgol_coeffs(window_length, polyorder, deriv=deriv, delta=delta))
    weights = _along.rank_up(weights, x.ndim)
    if mode != "interp":
        return _along.axis_back(convolved(_beyond(x, window_length, mode, cval), weights, ndim=1, mode="valid"), axis)
    if window_length > x.shape[-1]:
        raise ValueError("If mode is 'interp', window_length must be less than or equal to the size of x.")
    inside = convolved(x, weights, ndim=1, mode="valid")
    fit = scipy_signal.savgol_filter(np.eye(window_length), window_length, polyorder, deriv, delta, axis=0)  # one window as a matrix
    half = window_length // 2
    left = x[..., :window_length] @ _along.numbers(x, fit[:half].T)
    right = x[..., x.shape[-1] - window_length :] @ _along.numbers(x, fit[window_length - half :].T)
    if window_length % 2 == 0:
        inside = inside[..., 1:]
    return _along.axis_back(_along.joined([left, inside, right]), axis)


def _beyond(x: Any, length: int, mode: str, cval: Any) -> Any:
    """The signal with what a window needs beyond its ends."""
    n, after = x.shape[-1], length // 2
    before = length - 1 - after
    if mode == "constant":
        left, right = (_along.zeros(x, (*x.shape[:-1], k)) + cval for k in (before, after))
        return _along.joined([left, x, right])
    where = np.arange(-before, n + after)
    if mode == "nearest":
        where = np.clip(where, 0, n - 1)
    elif mode == "wrap":
        where = where % n
    else:
        where = np.abs((where + n - 1) % (2 * n - 2) - (n - 1)) if n > 1 else np.zeros_like(where)
    return x[..., rb.xp(x).asarray(where)]


def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False) -> Any:
    """A signal without its mean or its straight line, between breakpoints; linear in the signal.

    Args:
        data: array.
        axis: along which it is.
        type: "linear" or "constant".
        bp: breakpoints.
        overwrite_data: nothing is overwritten.

    Example:
        >>> detrend(np.array([1.0, 2.0, 3.0]), type="constant").round(12)
        array([-1.,  0.,  1.])
    """
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    x = _along.axis_last(_along.floating(data), axis)
    n = x.shape[-1]
    if type in ("constant", "c"):
        return _along.axis_back(detrended(x, "constant"), axis)
    ends = np.sort(np.unique(np.concatenate([[0], np.atleast_1d(bp), [n]])))
    if np.any(ends > n):
        raise ValueError("Breakpoints must be less than length of data along given axis.")
    parts = [detrended(_along.cut(x, int(i), int(j)), "linear") for i, j in itertools.pairwise(ends)]
    return _along.axis_back(_along.joined(parts), axis)


def detrended(x: Any, type: str) -> Any:
    """The last axis without its mean or straight line: less its projection on an orthonormal basis of them."""
    n = x.shape[-1]
    line = [np.ones(n)] if type == "constant" else [np.ones(n), np.arange(n)]
    basis = _along.numbers(x, np.linalg.qr(np.stack(line, axis=-1))[0])
    if _along.is_complex(x):
        basis = basis * _along.numbers(x, 1.0 + 0.0j)
    return x - (x @ basis) @ rb.xp(basis).swapaxes(basis, -1, -2)


def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """The analytic signal: no negative frequencies, the same real part.

    Args:
        x: array, real.
        N: how many samples, as many as x has by default.
        axis: along which it is.

    Example:
        >>> hilbert(np.array([1.0, 0.0, -1.0, 0.0])).round(12)
        array([ 1.+0.j,  0.+1.j, -1.+0.j,  0.-1.j])
    """
    x = _along.axis_last(_along.floating(x), axis)
    if _along.is_complex(x):
        raise ValueError("x must be real.")
    n = x.shape[-1] if N is None else operator.index(N)
    if n <= 0:
        raise ValueError("N must be positive.")
    weights = np.zeros(n)
    weights[0] = 1.0
    weights[1 : (n + 1) // 2] = 2.0
    if n % 2 == 0:
        weights[n // 2] = 1.0
    return _along.axis_back(fft.ifft(fft.fft(x, n) * _along.numbers(x, weights)), axis)
