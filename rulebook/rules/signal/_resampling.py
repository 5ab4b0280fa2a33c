"""Changing the sampling rate: polyphase filters as a bilinear primitive, and resampling by them or by the FFT."""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules._drawn import drawn
from rulebook.rules._stacked import stacked
from rulebook.rules.fft import _functions as fft
from rulebook.rules.signal._recursion import sosfilt
from rulebook.rules.signal._twice import sosfiltfilt

__all__ = ["decimate", "polyphase", "resample", "resample_poly", "upfirdn"]


def _result(h: Any, x: Any, *, size: int, **_: Any) -> Any:
    return rb.ShapeDtype((*np.broadcast_shapes(h.shape[:-1], x.shape[:-1]), size), np.result_type(h.dtype, x.dtype))


@rb.primitive(
    host=True,
    vectorized=True,
    result=_result,
    cases=[
        drawn(((5,), (4,)), up=3, down=2, offset=0, size=6),
        drawn(((3,), (4,)), (complex, float), up=1, down=2, offset=-1, size=3),
        drawn(((1, 4), (2, 3)), up=2, down=1, offset=3, size=5),
        drawn(((2, 2), (1, 3)), (np.float32, np.float32), up=2, down=3, offset=1, size=2),
    ],
)
def polyphase(h: Any, x: Any, *, up: int, down: int, offset: int, size: int) -> Any:
    """A signal with up - 1 zeros between its samples, filtered, each down-th sample of it: y_n = sum_k h_(n down + offset - k up) x_k.

    Args:
        h: array of shape (..., L), the filter.
        x: array with as many axes, of shape (..., K); the leading axes broadcast.
        up, down: whole numbers above zero.
        offset: where the result begins.
        size: its length N.

    Returns:
        An array of shape (..., N).

    Derivation:
        Bilinear.  With h'_m = conj(h_(L - 1 - m)), x_bar_k = sum_n conj(h_(n down + offset - k up)) y_bar_n =
        sum_n h'_(k up + (L - 1 - offset) - n down) y_bar_n: the filter h' with up and down exchanged.  With g_m = conj(x_k) at
        m = (K - 1 - k) up and zero elsewhere, h_bar_j = sum_n g_(j + (K - 1) up - offset - n down) y_bar_n is one as well, with down = 1.
        See P. P. Vaidyanathan, Multirate Systems and Filter Banks (1993), section 4.3, on transposed polyphase structures.

    Example:
        >>> polyphase(np.array([1.0, 1.0]), np.array([1.0, 2.0]), up=2, down=1, offset=0, size=4)
        array([1., 1., 2., 2.])
    """
    h, x = np.asarray(h), np.asarray(x)
    made = _result(h, x, size=size)
    y = np.zeros(made.shape, made.dtype)
    if not y.size or not h.size or not x.size:
        return y
    skip = max(-(-offset // down), 0)
    front = skip * down - offset
    h = np.concatenate([np.zeros((*h.shape[:-1], front), h.dtype), h], axis=-1)
    many = h.size != h.shape[-1]
    rows = np.broadcast_to(h, (*made.shape[:-1], h.shape[-1])) if many else None
    x = np.broadcast_to(x, (*made.shape[:-1], x.shape[-1])) if many else x.reshape((*made.shape[:-1], x.shape[-1]))
    for i in np.ndindex(*made.shape[:-1]) if many else [()]:
        found = _upfirdn(rows[i] if rows is not None else h.ravel(), x[i], up, down)[..., skip : skip + size]
        y[i][..., : found.shape[-1]] = found
    return y


def _upfirdn(h: Any, x: Any, up: int, down: int) -> Any:
    return importlib.import_module("scipy.signal").upfirdn(h, x, up, down)


@rb.pushforward(polyphase, symbolic_zeros=True)
def _push(y: Any, primals: Any, tangents: Any, **static: Any) -> Any:
    (h, x), (h_dot, x_dot) = primals, tangents
    terms = [polyphase(a, b, **static) for a, b in ((h_dot, x), (h, x_dot)) if a is not None and b is not None]
    return sum(terms[1:], terms[0]) if terms else None


@rb.pullback(polyphase)
def _(y: Any, primals: Any, y_bar: Any, *, up: int, down: int, offset: int, size: int) -> Any:
    h, x = primals
    taps, samples = h.shape[-1], x.shape[-1]
    reverse: Callable[[Any], Any] = lambda v: _along.flipped(rb.xp(v).conj(v))
    back = {"up": down, "down": up, "offset": taps - 1 - offset, "size": samples}
    over = {"up": down, "down": 1, "offset": (samples - 1) * up - offset, "size": taps}
    return (
        rb.thunk(lambda: rb.project(h, polyphase(_stuffed(reverse(x), up), y_bar, **over))),
        rb.thunk(lambda: rb.project(x, polyphase(reverse(h), y_bar, **back))),
    )


def _stuffed(x: Any, up: int) -> Any:
    """up - 1 zeros between the samples."""
    if up == 1:
        return x
    xp = rb.xp(x)
    wide = xp.concatenate([x[..., None], _along.zeros(x, (*x.shape, up - 1))], axis=-1)
    return xp.reshape(wide, (*x.shape[:-1], x.shape[-1] * up))[..., : (x.shape[-1] - 1) * up + 1]


stacked(polyphase, _push)


# -- the names of scipy.signal -----------------------------------------------------------------------------


@_along.together("h", "x")
def upfirdn(h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant", cval: float = 0) -> Any:
    """A signal with zeros put in, filtered, and thinned out, differentiable in filter and signal.

    Args:
        h: array of shape (L,).
        x: array.
        up, down: whole numbers.
        axis: along which it is filtered.
        mode: "constant" with cval = 0 only.
        cval: zero.

    Example:
        >>> upfirdn(np.array([1.0, 1.0]), np.array([1.0, 2.0]), up=2)
        array([1., 1., 2., 2.])
    """
    if mode not in ("constant", None) or cval != 0:
        raise NotImplementedError("rulebook.rules.signal.upfirdn extends a signal by zeros only; extend x before the call.")
    h, x = _along.floating(h), _along.axis_last(_along.floating(x), axis)
    up, down = operator.index(up), operator.index(down)
    if h.ndim != 1 or not h.shape[0]:
        raise ValueError("h must be 1-D with non-zero length")
    if up < 1 or down < 1:
        raise ValueError("Both up and down must be >= 1")
    n = ((x.shape[-1] - 1) * up + h.shape[0] - 1) // down + 1
    return _along.axis_back(polyphase(_along.rank_up(h, x.ndim), x, up=up, down=down, offset=0, size=n), axis)


@_along.together("x", "window")
def resample_poly(
    x: Any, up: int, down: int, axis: int = 0, window: Any = ("kaiser", 5.0), padtype: str = "constant", cval: Any = None
) -> Any:
    """A signal at up / down of its rate, by a polyphase filter, differentiable in the signal and in the coefficients of a filter.

    Args:
        x: array.
        up, down: whole numbers.
        axis: along which it is resampled.
        window: a window by name, or the coefficients of the filter.
        padtype: "constant" (zeros) only.
        cval: zero.

    Example:
        >>> resample_poly(np.ones(4), 1, 2).shape
        (2,)
    """
    if padtype != "constant" or cval not in (None, 0):
        raise NotImplementedError("rulebook.rules.signal.resample_poly extends a signal by zeros only; extend x before the call.")
    up, down = operator.index(up), operator.index(down)
    if up < 1 or down < 1:
        raise ValueError("up and down must be >= 1")
    x = _along.axis_last(_along.floating(x), axis)
    common = math.gcd(up, down)
    up, down = up // common, down // common
    if up == down == 1:
        return _along.axis_back(x, axis)
    h = _resampling_filter(x, window, max(up, down)) * up
    half = (h.shape[0] - 1) // 2
    size = -(-x.shape[-1] * up // down)
    y = polyphase(_along.rank_up(h, x.ndim), x, up=up, down=down, offset=half, size=size)
    return _along.axis_back(y, axis)


def _resampling_filter(x: Any, window: Any, most: int) -> Any:
    if not isinstance(window, (str, tuple)):
        return _along.floating(window)
    taps = importlib.import_module("scipy.signal").firwin(2 * 10 * most + 1, 1.0 / most, window=window)
    return _along.numbers(x, taps)


def decimate(x: Any, q: int, n: int | None = None, ftype: Any = "iir", axis: int = -1, zero_phase: bool = True) -> Any:
    """A signal at 1 / q of its rate, behind a filter against aliasing.

    Args:
        x: array.
        q: whole number.
        n: order of the filter.
        ftype: "iir" or "fir".
        axis: along which it is decimated.
        zero_phase: no delay.

    Example:
        >>> decimate(np.ones(60), 3).shape
        (20,)
    """
    scipy_signal = importlib.import_module("scipy.signal")
    q = operator.index(q)
    x = _along.floating(x)
    if ftype == "fir":
        half = 10 * q if n is None else operator.index(n) / 2
        taps = _along.numbers(x, scipy_signal.firwin(int(2 * half) + 1, 1.0 / q, window="hamming"))
        if zero_phase:
            return resample_poly(x, 1, q, axis=axis, window=taps)
        size = -(-x.shape[axis] // q)
        return _along.cut(upfirdn(taps, x, 1, q, axis), 0, size, axis)
    if ftype != "iir":
        raise NotImplementedError(f"rulebook.rules.signal.decimate takes ftype 'iir' or 'fir', and not {ftype!r}; filter before the call.")
    sos = scipy_signal.cheby1(8 if n is None else operator.index(n), 0.05, 0.8 / q, output="sos").astype(_along.real_dtype(x))
    y = sosfiltfilt(sos, x, axis) if zero_phase else sosfilt(sos, x, axis)
    return _along.cut(y, None, None, axis, q)


@_along.together("x", "t", "window")
def resample(x: Any, num: int, t: Any = None, axis: int = 0, window: Any = None, domain: str = "time") -> Any:
    """A signal with another number of samples, by the FFT.

    Args:
        x: array, the signal; for domain "freq" its spectrum.
        num: how many samples.
        t: the times of the samples, evenly spaced; then the result is a pair with those of the new ones.
        axis: along which it is resampled.
        window: what the spectrum is multiplied with: an array, a function of the frequencies, or a window by name.
        domain: "time" or "freq".

    Example:
        >>> resample(np.array([1.0, 0.0, -1.0, 0.0]), 2).round(12)
        array([ 1., -1.])
    """
    if domain not in ("time", "freq"):
        raise ValueError(f"domain has to be 'time' or 'freq', and is {domain!r}.")
    x = _along.axis_last(_along.floating(x), axis)
    num, have = operator.index(num), x.shape[-1]
    real = domain == "time" and not _along.is_complex(x)
    spectrum = x if domain == "freq" else fft.rfft(x) if real else fft.fft(x)
    if window is not None:
        weights = _spectral_window(x, window, have)
        if real:  # the mean over both signs of the frequency, as it is for a complex signal
            weights = _along.joined([weights[:1], (weights[1:] + _along.flipped(weights[1:])) / 2])
        spectrum = spectrum * weights[: spectrum.shape[-1]]
    bins = (_real_bins if real else _complex_bins)(spectrum, min(num, have), num, have)
    y = _along.axis_back(bins * (num / have), axis)
    return y if t is None else (y, t[0] + (t[1] - t[0]) * (have / num) * _along.numbers(y, np.arange(num)))


def _spectral_window(x: Any, window: Any, n: int) -> Any:
    if isinstance(window, (str, tuple, float)):
        return _along.numbers(x, np.fft.fftshift(importlib.import_module("scipy.signal").get_window(window, n)))
    if callable(window):
        return window(_along.numbers(x, np.fft.fftfreq(n)))
    return _along.array(window)


def _real_bins(spectrum: Any, common: int, num: int, have: int) -> Any:
    """The bins that both lengths have; the middle one stands for two in the longer signal."""
    spectrum = _along.fitted(spectrum, common // 2 + 1)
    if common % 2 == 0 and num != have:
        weights = np.ones(common // 2 + 1)
        weights[-1] = 2.0 if num < have else 0.5
        spectrum = spectrum * _along.numbers(spectrum, weights)
    return fft.irfft(spectrum, num)


def _complex_bins(spectrum: Any, common: int, num: int, have: int) -> Any:
    half = common // 2
    low, high = spectrum[..., : half + 1], spectrum[..., spectrum.shape[-1] - (common - half - 1) :]
    if common - half - 1 == 0:
        high = spectrum[..., :0]
    if common % 2 == 0 and num != have:
        middle = spectrum[..., half : half + 1]
        if num < have:
            middle = middle + spectrum[..., have - half : have - half + 1]
            low = _along.joined([low[..., :half], middle])
        else:
            low, high = _along.joined([low[..., :half], middle * 0.5]), _along.joined([middle * 0.5, high])
    gap = num - low.shape[-1] - high.shape[-1]
    return fft.ifft(_along.joined([low, _along.zeros(spectrum, (*spectrum.shape[:-1], gap)), high]))
