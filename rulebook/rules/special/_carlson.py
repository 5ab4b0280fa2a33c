"""Carlson's integrals with any half-integer powers, which the derivatives of his symmetric forms are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb

__all__ = ["case", "integral"]

_STEP = 0.4  # of u = log(t): the integrand is analytic for |Im u| < pi, so the error of the rule is exp(-2 pi^2 / step) = 4e-22
_SPAN = 80.0  # past the outermost argument: exp(-80 / 2) = 4e-18
_BLOCK = 256


def integral(x: Any, y: Any, z: Any, p: Any, *, power: int, b: tuple[int, int, int, int]) -> Any:
    """The integral over t > 0 of t^power times the product of (t + z_j)^(-b_j / 2), by the trapezoidal rule in log(t).

    NaN where an argument with b_j > 0 is negative; infinite where it diverges.
    """
    args = np.broadcast_arrays(x, y, z, p)
    dtype = np.result_type(np.float64, *args)
    flat = [a.astype(dtype).ravel() for a in args]
    out = [_block([a[i : i + _BLOCK] for a in flat], power, b) for i in range(0, flat[0].size, _BLOCK)]
    return np.concatenate([*out, np.zeros(0, dtype)]).reshape(args[0].shape)[()]


def _block(z: list[Any], power: int, b: tuple[int, int, int, int]) -> Any:
    used = [(zj, bj) for zj, bj in zip(z, b, strict=True) if bj]
    sizes = np.array([np.abs(zj) for zj, _ in used])
    positive = np.where(sizes > 0, sizes, np.nan)
    with np.errstate(all="ignore"):
        least = np.nan_to_num(np.log(np.fmin.reduce(positive, axis=0)))
        most = np.nan_to_num(np.log(np.fmax.reduce(positive, axis=0)))
        nodes = np.arange(int((np.max(most - least, initial=0.0) + 2 * _SPAN) / _STEP) + 1) * _STEP - _SPAN
        t = np.exp(nodes + least[:, None])
        log_product = sum(-bj / 2 * np.log(t + zj[:, None]) for zj, bj in used)
        total = _STEP * np.sum(np.exp((power + 1) * np.log(t) + log_product), axis=1)
        at_zero = sum(np.where(zj == 0, bj / 2, 0.0) for zj, bj in used)
        total = np.where(at_zero >= power + 1, np.inf, total)
        bad = np.any([(zj.real < 0) & (zj.imag == 0) | np.isnan(zj) for zj, _ in used], axis=0)
        return np.where(bad, np.nan, total)


def case(rng: np.random.Generator, b: tuple[int, int, int, int]) -> Any:
    """An example call."""
    return rb.case(*rng.uniform(0.5, 2, (4, 2)), power=0, b=b)
