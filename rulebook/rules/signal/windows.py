"""Windows with a parameter, differentiable in it: those of scipy.signal.windows, in the precision of the parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along, special

__all__ = ["exponential", "gaussian", "general_cosine", "general_gaussian", "general_hamming", "kaiser", "tukey"]


def _made(M: int, sym: bool, like: Any, values: Any) -> Any:
    """A window of M points; one that is periodic is cut from the symmetric one with a point more."""
    size = M if sym or M < 2 else M + 1
    if M <= 1:
        return _along.numbers(like, np.ones(M))
    return values(size)[:M]


def _parameter(x: Any) -> Any:
    return _along.rank_up(_along.floating(x), 1) if not hasattr(x, "ndim") or x.ndim == 0 else _along.floating(x)


def gaussian(M: int, std: Any, sym: bool = True) -> Any:
    """The Gaussian window.

    Args:
        M: how many points.
        std: standard deviation.
        sym: symmetric, and not periodic.

    Example:
        >>> gaussian(3, 1.0).round(3)
        array([0.607, 1.   , 0.607])
    """
    return general_gaussian(M, 1.0, std, sym)


def general_gaussian(M: int, p: Any, sig: Any, sym: bool = True) -> Any:
    """exp(-|n / sig|^(2 p) / 2).

    Args:
        M: how many points.
        p: shape; 1 is a Gaussian, 1/2 a Laplace window.
        sig: standard deviation.
        sym: symmetric, and not periodic.

    Example:
        >>> general_gaussian(3, 1.0, 1.0).round(3)
        array([0.607, 1.   , 0.607])
    """
    p, sig = (_along.rank_up(v, 1) for v in _along.floats(p, sig))
    xp = rb.xp(p, sig)

    def values(size: int) -> Any:
        n = np.abs(np.arange(size) - (size - 1) / 2)
        middle = _along.numbers(sig, n == 0)
        # The exponent is zero in the middle for every p and sig; log 1 keeps its derivative finite there.
        power = xp.exp(2 * p * (_along.numbers(sig, np.log(np.where(n == 0, 1.0, n))) - xp.log(sig)))
        return xp.exp(-0.5 * power * (1 - middle))

    return _made(M, sym, sig, values)


def exponential(M: int, center: float | None = None, tau: Any = 1.0, sym: bool = True) -> Any:
    """exp(-|n - center| / tau).

    Args:
        M: how many points.
        center: the middle by default, and only there for a symmetric window.
        tau: decay.
        sym: symmetric, and not periodic.

    Example:
        >>> exponential(3, tau=1.0).round(3)
        array([0.368, 1.   , 0.368])
    """
    if sym and center is not None:
        raise ValueError("If sym==True, center must be None.")
    tau = _parameter(tau)
    middle: Callable[[int], float] = lambda size: (size - 1) / 2 if center is None else center
    return _made(M, sym, tau, lambda size: rb.xp(tau).exp(_along.numbers(tau, -np.abs(np.arange(size) - middle(size))) / tau))


def general_cosine(M: int, a: Any, sym: bool = True) -> Any:
    """sum_k a_k cos(k t), t from -pi to pi.

    Args:
        M: how many points.
        a: weights, array of shape (K,).
        sym: symmetric, and not periodic.

    Example:
        >>> general_cosine(3, np.array([0.5, 0.5]))
        array([0., 1., 0.])
    """
    a = _parameter(a)
    k = np.arange(a.shape[0])[:, None]
    return _made(M, sym, a, lambda size: a @ _along.numbers(a, np.cos(k * np.linspace(-np.pi, np.pi, size))))


def general_hamming(M: int, alpha: Any, sym: bool = True) -> Any:
    """alpha + (1 - alpha) cos(t), t from -pi to pi.

    Args:
        M: how many points.
        alpha: the constant.
        sym: symmetric, and not periodic.

    Example:
        >>> general_hamming(3, 0.5)
        array([0., 1., 0.])
    """
    alpha = _parameter(alpha)
    return general_cosine(M, _along.joined([alpha, 1.0 - alpha]), sym)


def kaiser(M: int, beta: Any, sym: bool = True) -> Any:
    """I0(beta sqrt(1 - u^2)) / I0(beta), u from -1 to 1.

    Args:
        M: how many points.
        beta: shape.
        sym: symmetric, and not periodic.

    Example:
        >>> kaiser(3, 1.0).round(3)
        array([0.79, 1.  , 0.79])
    """
    beta = _parameter(beta)
    bessel = getattr(special, "i0", None) or rb.xp(beta).special.i0

    def values(size: int) -> Any:
        half = (size - 1) / 2
        return bessel(beta * _along.numbers(beta, np.sqrt(1 - ((np.arange(size) - half) / half) ** 2))) / bessel(beta)

    return _made(M, sym, beta, values)


def tukey(M: int, alpha: Any = 0.5, sym: bool = True) -> Any:
    """A window with cosine flanks over a fraction alpha of it.

    Args:
        M: how many points.
        alpha: the fraction, above 0 and up to 1.
        sym: symmetric, and not periodic.

    Example:
        >>> tukey(5, 0.5)
        array([0., 1., 1., 1., 0.])
    """
    alpha = _parameter(alpha)
    xp = rb.xp(alpha)

    def values(size: int) -> Any:
        n = np.arange(size)
        edge = _along.numbers(alpha, np.minimum(n, size - 1 - n) * 2.0 / (size - 1)) / alpha  # 1 where the flank ends
        flank = edge < 1
        return xp.where(flank, 0.5 * (1 - xp.cos(np.pi * xp.where(flank, edge, 0 * edge + 1.0))), 0 * edge + 1.0)

    return _made(M, sym, alpha, values)
