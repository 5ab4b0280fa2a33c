"""Elementwise functions of numpy that are no ufuncs, ufuncs with two results, and spaces of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rulebook.dual.elementwise import combine, operand
from rulebook.dual.lifting import lift, plain
from rulebook.dual.parts import is_dual, tag_of
from rulebook.dual.registry import rule, ufunc_rule

__all__: list[str] = []

_SINC = [(-1) ** n * 2 * n / math.factorial(2 * n + 1) for n in range(8, 0, -1)]


@rule(np.sinc)
def _sinc(x: Any) -> Any:
    """sinc' = (cos(pi x) - sinc(x)) / x; near zero, where that cancels, its series."""
    p = x.p
    small = np.less(np.abs(p), 0.2)
    far = np.where(small, 1.0, p)
    u = np.square(np.where(small, np.pi * p, 0.0))
    series: Any = 0.0
    for c in _SINC:
        series = series * u + c
    return combine(x.tag, np.sinc(p), [(np.where(small, series * (np.pi**2 * p), (np.cos(np.pi * far) - np.sinc(far)) / far), x)])


@rule(np.i0)
def _i0(x: Any) -> Any:
    from scipy.special import i1  # numpy has no Bessel function of order one

    return combine(x.tag, np.i0(x.p), [(i1(x.p), x)])


@rule(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if np.iscomplexobj(x):
        y = _nan_to_num(x.real, True, nan, posinf, neginf) + 1j * _nan_to_num(x.imag, True, nan, posinf, neginf)
    else:
        limits = np.finfo(x.dtype)
        y = np.where(np.isnan(x), nan, x)
        y = np.where(np.isposinf(plain(x, "np.nan_to_num()")), limits.max if posinf is None else posinf, y)
        y = np.where(np.isneginf(plain(x, "np.nan_to_num()")), limits.min if neginf is None else neginf, y).astype(x.dtype)
    if not copy and np.ndim(x):
        x[...] = y
        return x
    return y


@rule(np.real_if_close)
def _real_if_close(a: Any, tol: float = 100) -> Any:
    return np.real(a) if np.isrealobj(np.real_if_close(plain(a, "np.real_if_close()"), tol)) else a


@ufunc_rule(np.divmod)
def _divmod(x: Any, z: Any) -> Any:
    return np.floor_divide(x, z), np.remainder(x, z)


@ufunc_rule(np.modf)
def _modf(x: Any) -> Any:
    fraction, whole = np.modf(x.p)
    return combine(x.tag, fraction, [(None, x)]), whole


@ufunc_rule(np.frexp)
def _frexp(x: Any) -> Any:
    mantissa, exponent = np.frexp(x.p)
    bare = plain(exponent, "np.frexp()")
    return combine(x.tag, mantissa, [(np.ldexp(np.ones((), x.dtype), -bare), x)]), bare


@ufunc_rule(np.ldexp)
def _ldexp(x: Any, exponent: Any) -> Any:
    if is_dual(exponent):
        raise TypeError("ufunc 'ldexp' takes an integer exponent")
    return combine(x.tag, np.ldexp(x.p, exponent), [(np.ldexp(np.ones((), x.dtype), exponent), x)])


@ufunc_rule(np.nextafter)
def _nextafter(x: Any, z: Any) -> Any:
    """The number beside x: it moves with x."""
    tag = max(tag_of(x), tag_of(z))
    y = np.nextafter(operand(x, tag), operand(z, tag))
    return combine(tag, y, [(None, x)]) if tag_of(x) == tag else y


def _step(start: Any, stop: Any, num: int, endpoint: bool) -> tuple[Any, Any, Any, Any]:
    if int(num) < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = lift(start), lift(stop)
    n = int(num) - 1 if endpoint else int(num)
    dtype = np.zeros((), np.result_type(start, stop, 1.0)).real.dtype
    share = (np.arange(int(num)).astype(np.result_type(dtype, np.float64)) / max(n, 1)).astype(dtype)
    room = max(np.ndim(start), np.ndim(stop))
    return start, stop, np.reshape(share, (-1, *(1,) * room)), n


@rule(np.linspace)
def _linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    start, stop, share, n = _step(start, stop, num, endpoint)
    step = (stop - start) / n if n > 0 else (stop - start) * np.nan
    y = start + share * (stop - start)
    if endpoint and num > 1:  # the last is met exactly
        y = np.where(np.reshape(np.arange(num) == num - 1, share.shape), stop + 0 * start, y)
    y = np.moveaxis(y if dtype is None else y.astype(dtype), 0, axis)
    return (y, step) if retstep else y


@rule(np.logspace)
def _logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0) -> Any:
    start, stop, base = lift(start), lift(stop), lift(base)
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(start, stop, base)
    y = np.power(base, np.linspace(start, stop, num, endpoint))
    return np.moveaxis(y if dtype is None else y.astype(dtype), 0, axis)


@rule(np.geomspace)
def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    np.geomspace(plain(lift(start), "np.geomspace()"), plain(lift(stop), "np.geomspace()"), 1)  # raises NumPy's own errors
    start, stop, share, _ = _step(start, stop, num, endpoint)
    y = start * (stop / start) ** share
    if endpoint and num > 1:
        y = np.where(np.reshape(np.arange(num) == num - 1, share.shape), stop + 0 * start, y)
    return np.moveaxis(y if dtype is None else y.astype(dtype), 0, axis)
