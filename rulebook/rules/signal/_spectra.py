"""Spectral densities by averaged periodograms, after P. D. Welch (1967)."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules.fft import _functions as fft
from rulebook.rules.signal._smooth import detrended

__all__ = ["coherence", "csd", "periodogram", "welch"]


class _Plan(NamedTuple):
    """How a signal is cut into windows.

    Attributes:
        window: the weights of one, an array.
        step: from one window to the next.
        nfft: the length of the transform.
        onesided: whether negative frequencies are folded.
    """

    window: Any
    step: int
    nfft: int
    onesided: bool


def _plan(x: Any, window: Any, nperseg: int | None, noverlap: int | None, nfft: int | None, onesided: bool) -> _Plan:
    n = x.shape[-1]
    if isinstance(window, (str, tuple)):
        nperseg = min(256 if nperseg is None else int(nperseg), n)
        weights = _along.numbers(x, importlib.import_module("scipy.signal").get_window(window, nperseg))
    else:
        weights = _along.floating(window)
        if nperseg not in (None, weights.shape[0]):
            raise ValueError("value specified for nperseg is different from length of window")
        nperseg = int(weights.shape[0])
        if nperseg > n:
            raise ValueError("window is longer than input signal")
    noverlap = nperseg // 2 if noverlap is None else int(noverlap)
    nfft = nperseg if nfft is None else int(nfft)
    if noverlap >= nperseg or nfft < nperseg:
        raise ValueError("noverlap must be less than nperseg, and nfft greater than or equal to it.")
    return _Plan(weights, nperseg - noverlap, nfft, onesided)


def _windows(x: Any, plan: _Plan, detrend: Any) -> Any:
    """The transforms of the windows, of shape (..., windows, frequencies)."""
    size = plan.window.shape[0]
    count = (x.shape[-1] - size) // plan.step + 1
    where = plan.step * np.arange(count)[:, None] + np.arange(size)
    cut = x[..., rb.xp(x).asarray(where)]
    if callable(detrend):
        cut = detrend(cut)
    elif detrend:
        cut = detrended(cut, detrend)
    cut = cut * plan.window
    return fft.rfft(cut, plan.nfft) if plan.onesided else fft.fft(cut, plan.nfft)


@_along.together("x", "y", "window")
def csd(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """The cross spectral density of two signals, differentiable in both and in a window that is an array.

    Args:
        x, y: arrays of one shape.
        fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis: as in scipy.signal.csd.
        average: "mean" only.

    Returns:
        (f, Pxy).

    Example:
        >>> csd(np.array([1.0, -1.0] * 4), np.array([1.0, -1.0] * 4), nperseg=4)[1].real.round(12)
        array([0.        , 1.33333333, 2.66666667])
    """
    if average != "mean":
        raise NotImplementedError(f"rulebook.rules.signal averages periodograms by their mean, and not by {average!r}.")
    if scaling not in ("density", "spectrum"):
        raise ValueError(f"Unknown scaling: {scaling!r}")
    same = x is y
    x = _along.axis_last(_along.floating(x), axis)
    y = x if same else _along.axis_last(_along.floating(y), axis)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError("x and y have to be of one length; fill the shorter one with zeros.")
    real = not _along.is_complex(x) and not _along.is_complex(y)
    plan = _plan(x, window, nperseg, noverlap, nfft, return_onesided and real)
    first = _windows(x, plan, detrend)
    second = first if same else _windows(y, plan, detrend)
    xp = rb.xp(first, second)
    power = xp.real(first) ** 2 + xp.imag(first) ** 2 if same else xp.conj(first) * second
    total = fs * xp.sum(plan.window**2) if scaling == "density" else xp.sum(plan.window) ** 2
    density = xp.mean(power, axis=-2) / total
    if plan.onesided:
        density = density * _along.numbers(density, _doubled(plan.nfft))
    frequencies = np.fft.rfftfreq(plan.nfft, 1 / fs) if plan.onesided else np.fft.fftfreq(plan.nfft, 1 / fs)
    return frequencies, _along.axis_back(density, axis)


def _doubled(n: int) -> Any:
    """Two for the frequencies that stand for their negatives as well."""
    weights = np.full(n // 2 + 1, 2.0)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return weights


def welch(x: Any, fs: float = 1.0, window: Any = "hann", *args: Any, **options: Any) -> tuple[Any, Any]:
    """The power spectral density of a signal; the other arguments as in scipy.signal.welch, and `csd`.

    Args:
        x: array.
        fs: rate of the samples.
        window: a window by name, or an array.
        args, options: nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis.

    Returns:
        (f, Pxx).

    Example:
        >>> welch(np.array([1.0, -1.0] * 4), nperseg=4)[1].round(12)
        array([0.        , 1.33333333, 2.66666667])
    """
    return csd(x, x, fs, window, *args, **options)


@_along.together("x", "window")
def periodogram(
    x: Any,
    fs: float = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Any, Any]:
    """The power spectral density of a signal as one window.

    Args:
        x: array.
        fs, window, nfft, detrend, return_onesided, scaling, axis: as in scipy.signal.periodogram; nfft is no shorter than x.

    Returns:
        (f, Pxx).

    Example:
        >>> periodogram(np.array([1.0, -1.0, 1.0, -1.0]))[1].round(12)
        array([0., 0., 4.])
    """
    x = _along.floating(x)
    n = x.shape[axis]
    if nfft is not None and nfft < n:
        x, n = _along.cut(x, 0, int(nfft), axis), int(nfft)
    window = "boxcar" if window is None else window
    nperseg = n if isinstance(window, (str, tuple)) else None
    return csd(x, x, fs, window, nperseg, 0, nfft, detrend, return_onesided, scaling, axis)


@_along.together("x", "y", "window")
def coherence(x: Any, y: Any, fs: float = 1.0, window: Any = "hann", *args: Any, **options: Any) -> tuple[Any, Any]:
    """The magnitude squared coherence of two signals; the other arguments as in scipy.signal.coherence, and `csd`.

    Args:
        x, y: arrays of one shape.
        fs: rate of the samples.
        window: a window by name, or an array.
        args, options: nperseg, noverlap, nfft, detrend, axis.

    Returns:
        (f, Cxy).

    Example:
        >>> coherence(np.arange(8.0) ** 2, np.arange(8.0) ** 2, nperseg=4)[1].round(12)
        array([1., 1., 1.])
    """
    f, pxx = welch(x, fs, window, *args, **options)
    pyy = welch(y, fs, window, *args, **options)[1]
    pxy = csd(x, y, fs, window, *args, **options)[1]
    xp = rb.xp(pxx, pyy, pxy)
    return f, (xp.real(pxy) ** 2 + xp.imag(pxy) ** 2) / pxx / pyy
