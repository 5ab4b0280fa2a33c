"""Frequency responses of filters, differentiable in the coefficients and the frequencies."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along

__all__ = ["freqs", "freqz", "freqz_sos", "freqz_zpk", "sosfreqz"]


def _complex(x: Any) -> Any:
    """An array as complex numbers, by a product: every engine differentiates it."""
    return x if _along.is_complex(x) else x * _along.numbers(x, 1.0 + 0.0j)


def _with(worN: Any, *values: Any) -> Sequence[Any]:
    """Floating arrays of one engine, the frequencies the last of them where they are one."""
    return _along.floats(*values, worN) if _are_places(worN) else [*_along.floats(*values), worN]


def _are_places(worN: Any) -> bool:
    return hasattr(worN, "shape") or isinstance(worN, (list, tuple))


def _grid(like: Any, worN: Any, whole: bool, fs: float, include_nyquist: bool) -> tuple[Any, Any]:
    """The frequencies in the units of fs, and in radians per sample."""
    if worN is None:
        worN = 512
    if not _are_places(worN):
        n = operator.index(worN)
        last = fs if whole else fs / 2
        w = _along.numbers(like, np.linspace(0, last, n, endpoint=include_nyquist and not whole))
    else:
        w = _along.floating(worN)
    return w, w * (2 * np.pi / fs)


def _polynomial(c: Any, turn: Any) -> Any:
    """sum_k c_k turn^k by Horner's rule."""
    value = c[c.shape[0] - 1] + 0 * turn
    for k in reversed(range(c.shape[0] - 1)):
        value = value * turn + c[k]
    return value


def _turn(radians: Any) -> Any:
    """exp(-i w)."""
    xp = rb.xp(radians)
    return xp.exp(_complex(radians) * _along.numbers(radians, -1.0j))


def freqz(
    b: Any,
    a: Any = 1,
    worN: Any = 512,
    whole: bool = False,
    plot: Any = None,
    fs: float = 2 * np.pi,
    include_nyquist: bool = False,
) -> tuple[Any, Any]:
    """The frequency response of a digital filter.

    Args:
        b: numerator, array of shape (M,) or a number.
        a: denominator, array of shape (N,) or a number.
        worN: how many frequencies, or the frequencies.
        whole: up to the rate of the samples and not its half.
        plot: None.
        fs: rate of the samples.
        include_nyquist: with the last frequency.

    Returns:
        (w, h): the frequencies and the complex response.

    Example:
        >>> freqz(np.array([0.5, 0.5]), worN=np.array([0.0, np.pi / 2]))[1].round(12)
        array([1. +0.j , 0.5-0.5j])
    """
    b, a, worN = _with(worN, b, a)
    b, a = (_along.rank_up(c, 1) for c in (b, a))
    if b.ndim > 1 or a.ndim > 1:
        raise NotImplementedError("rulebook.rules.signal.freqz takes coefficients of one filter, of shape (n,); map over the others.")
    w, radians = _grid(b, worN, whole, fs, include_nyquist)
    turn = _turn(radians)
    return w, _polynomial(_complex(b), turn) / _polynomial(_complex(a), turn)


def freqz_zpk(z: Any, p: Any, k: Any, worN: Any = 512, whole: bool = False, fs: float = 2 * np.pi) -> tuple[Any, Any]:
    """The frequency response of a digital filter given by zeros, poles and gain.

    Args:
        z: zeros, array of shape (M,).
        p: poles, array of shape (N,).
        k: gain.
        worN, whole, fs: as in `freqz`.

    Returns:
        (w, h).

    Example:
        >>> freqz_zpk(np.array([-1.0]), np.zeros(0), 0.5, worN=np.array([0.0]))[1]
        array([1.+0.j])
    """
    z, p, k, worN = _with(worN, z, p, k)
    w, radians = _grid(_along.rank_up(k, 1), worN, whole, fs, False)
    turn = 1.0 / _turn(radians)
    value = _complex(k) + 0 * turn
    for i in range(z.shape[0]):
        value = value * (turn - z[i])
    for i in range(p.shape[0]):
        value = value / (turn - p[i])
    return w, value


def freqz_sos(sos: Any, worN: Any = 512, whole: bool = False, fs: float = 2 * np.pi) -> tuple[Any, Any]:
    """The frequency response of a cascade of filters of second order.

    Args:
        sos: array of shape (sections, 6).
        worN, whole, fs: as in `freqz`.

    Returns:
        (w, h).

    Example:
        >>> freqz_sos(np.array([[0.5, 0.5, 0.0, 1.0, 0.0, 0.0]]), worN=np.array([0.0]))[1]
        array([1.+0.j])
    """
    sos, worN = _with(worN, sos)
    w, h = freqz(sos[0, :3], sos[0, 3:], worN, whole, fs=fs)
    for i in range(1, sos.shape[0]):
        h = h * freqz(sos[i, :3], sos[i, 3:], worN, whole, fs=fs)[1]
    return w, h


sosfreqz = freqz_sos  # the older name


def freqs(b: Any, a: Any, worN: Any, plot: Any = None) -> tuple[Any, Any]:
    """The frequency response of an analogue filter.

    Args:
        b: numerator, array of shape (M,), the highest power first.
        a: denominator, array of shape (N,).
        worN: the frequencies, an array.
        plot: None.

    Returns:
        (w, h).

    Example:
        >>> freqs(np.array([1.0]), np.array([1.0, 1.0]), np.array([1.0]))[1]
        array([0.5-0.5j])
    """
    if not _are_places(worN):
        raise NotImplementedError("rulebook.rules.signal.freqs chooses no frequencies: SciPy's depend on the roots; pass an array as worN.")
    b, a, w = (_along.rank_up(v, 1) for v in _along.floats(b, a, worN))
    s = _complex(w) * _along.numbers(w, 1.0j)
    return w, _polynomial(_along.flipped(_complex(b)), s) / _polynomial(_along.flipped(_complex(a)), s)
