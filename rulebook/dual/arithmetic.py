"""The arithmetic ufuncs, which the operators of dual arrays call directly.

`x + y` through a ufunc and back would cost 1 us more than the sum itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.elementwise import combine, operand
from rulebook.dual.parts import peel, tag_of
from rulebook.dual.registry import UFUNCS, ufunc_rule
from rulebook.dual.scalar import Dual

__all__: list[str] = []


def _scale(x: DualArray, factor: Any, y: Any) -> Any:
    """x scaled by a constant, y being the primal."""
    if y.shape != x.p.shape or not y.ndim:
        return combine(x.tag, y, [(factor, x)])
    c, b = x.parts()
    if c is not None:
        return DualArray(y, c * factor, b, x.tag)
    if type(factor) is np.bool_:  # which NumPy neither copies by + nor negates
        factor = float(factor)
    plain = type(factor) is float or type(factor) is int
    return DualArray(y, factor if plain else +factor, b, x.tag)  # a copy: the array may be written to later


def _shift(x: DualArray, y: Any) -> Any:
    """x with a constant added, y being the primal."""
    if y.shape != x.p.shape or not y.ndim:
        return combine(x.tag, y, [(None, x)])
    c, b = x.parts()
    return DualArray(y, c, b, x.tag)


def _alike(x: Any, z: Any) -> bool:
    """Whether both are arrays of one derivative call: the common case, decided in one step."""
    return type(x) is DualArray and type(z) is DualArray and x.tag == z.tag


@ufunc_rule(np.add)
def _add(x: Any, z: Any) -> Any:
    if _alike(x, z):
        return combine(x.tag, np.add(x.p, z.p), [(None, x), (None, z)])
    tag = max(tag_of(x), tag_of(z))
    y = np.add(operand(x, tag), operand(z, tag))
    if tag_of(z) != tag:
        return _shift(x, y) if type(x) is DualArray else combine(tag, y, [(None, x)])
    if tag_of(x) != tag:
        return _shift(z, y) if type(z) is DualArray else combine(tag, y, [(None, z)])
    return combine(tag, y, [(None, x), (None, z)])


@ufunc_rule(np.subtract)
def _subtract(x: Any, z: Any) -> Any:
    if _alike(x, z):
        return combine(x.tag, np.subtract(x.p, z.p), [(None, x), (-1.0, z)])
    tag = max(tag_of(x), tag_of(z))
    y = np.subtract(operand(x, tag), operand(z, tag))
    if tag_of(z) != tag:
        return _shift(x, y) if type(x) is DualArray else combine(tag, y, [(None, x)])
    if tag_of(x) != tag:
        return combine(tag, y, [(-1.0, z)])
    return combine(tag, y, [(None, x), (-1.0, z)])


@ufunc_rule(np.multiply)
def _multiply(x: Any, z: Any) -> Any:
    if _alike(x, z):
        a, b = x.p, z.p
        return _scale(x, 2.0 * a, np.square(a)) if x is z else combine(x.tag, np.multiply(a, b), [(b, x), (a, z)])
    tag = max(tag_of(x), tag_of(z))
    a, b = operand(x, tag), operand(z, tag)
    y = np.multiply(a, b)
    if tag_of(z) != tag:
        return _scale(x, b, y) if type(x) is DualArray else combine(tag, y, [(b, x)])
    if tag_of(x) != tag:
        return _scale(z, a, y) if type(z) is DualArray else combine(tag, y, [(a, z)])
    return combine(tag, y, [(b, x), (a, z)])


@ufunc_rule(np.true_divide)
def _divide(x: Any, z: Any) -> Any:
    tag = max(tag_of(x), tag_of(z))
    a, b = operand(x, tag), operand(z, tag)
    y = np.true_divide(a, b)
    if tag_of(z) != tag and type(b) in (int, float) and b:  # a number of Python's takes the precision of x
        return combine(tag, y, [(1.0 / b, x)])
    r = np.true_divide(1.0, b)
    if tag_of(z) != tag:
        return combine(tag, y, [(r, x)])
    if tag_of(x) != tag:
        return combine(tag, y, [(-y * r, z)])
    return combine(tag, y, [(r, x), (-y * r, z)])


@ufunc_rule(np.positive)
def _positive(x: Any) -> Any:
    return combine(x.tag, np.positive(x.p), [(None, x)])


@ufunc_rule(np.float_power)
def _float_power(x: Any, n: Any) -> Any:
    return _power(*(v.astype(np.result_type(v.dtype, np.float64)) if hasattr(v, "astype") else v for v in (x, n)))


@ufunc_rule(np.power)
def _power(x: Any, n: Any) -> Any:
    if type(n) is int or type(n) is float:
        return _fixed_power(x, n)
    tag = max(tag_of(x), tag_of(n))
    if tag_of(n) != tag and _is_number(n):
        return _fixed_power(x, n)
    a, b = operand(x, tag), operand(n, tag)
    y = np.power(a, b)
    terms = []
    if tag_of(x) == tag:
        # 0 at a zero exponent, where 0 * x**-1 would be NaN at x = 0
        zero = b == 0
        terms.append((np.where(zero, 0.0, b * np.power(a, np.where(zero, 1.0, b - 1))), x))
    if tag_of(n) == tag:
        terms.append((y * (np.log(np.where(a == 0, 1.0, a)) if type(a) is not float or a <= 0 else math.log(a)), n))
    return combine(tag, y, terms)


def _is_number(n: Any) -> bool:
    return isinstance(n, (int, float, complex, np.number)) and not isinstance(n, Dual)


def _fixed_power(x: Any, n: Any) -> Any:
    p = x.p
    if n == 2:
        return combine(x.tag, np.square(p), [(2 * p, x)])
    y = np.power(p, n)
    factor = 0.0 if n == 0 else 1.0 if n == 1 else n * np.power(p, n - 1)
    return combine(x.tag, y, [(factor, x)])


_REAL = {"e": np.float16, "f": np.float32, "F": np.float32}


def _choose(ufunc: Any) -> None:
    """The larger or smaller; where both are the result, the mean of both derivatives, as in JAX and PyTorch."""

    @ufunc_rule(ufunc)
    def apply(x: Any, z: Any) -> Any:
        tag = max(tag_of(x), tag_of(z))
        a, b = operand(x, tag), operand(z, tag)
        y = ufunc(a, b)
        first, second = np.equal(a, y), np.equal(b, y)
        share = np.where(first, np.where(second, 0.5, 1.0), np.where(second, 0.0, np.nan))
        if share.ndim and y.dtype.char in "efF":  # in the precision of y
            share = share.astype(_REAL[y.dtype.char])
        return combine(tag, y, [(f, v) for f, v in ((share, x), (1.0 - share, z)) if tag_of(v) == tag])


for _ufunc in (np.maximum, np.minimum, np.fmax, np.fmin):
    _choose(_ufunc)


def _choose_known(ufunc: Any) -> None:
    """The same, where the other one is the result in place of NaN, whose tangent then does not matter."""
    apply = UFUNCS[ufunc]

    @ufunc_rule(ufunc)
    def known(x: Any, z: Any) -> Any:
        first, second = np.isnan(x), np.isnan(z)
        if not np.any(first) and not np.any(second):
            return apply(x, z)
        return apply(np.where(first, z, x), np.where(second, x, z))


_choose_known(np.fmax)
_choose_known(np.fmin)


@ufunc_rule(np.arctan2)
def _arctan2(x: Any, z: Any) -> Any:
    tag = max(tag_of(x), tag_of(z))
    a, b = operand(x, tag), operand(z, tag)
    r = np.true_divide(1.0, a * a + b * b)
    terms = [(f, v) for f, v in ((b * r, x), (-a * r, z)) if tag_of(v) == tag]
    return combine(tag, np.arctan2(a, b), terms)


@ufunc_rule(np.hypot)
def _hypot(x: Any, z: Any) -> Any:
    tag = max(tag_of(x), tag_of(z))
    a, b = operand(x, tag), operand(z, tag)
    y = np.hypot(a, b)
    safe = np.where(np.equal(y, 0), 1.0, y)  # the norm of zero: derivative zero
    return combine(tag, y, [(np.true_divide(v, safe), w) for v, w in ((a, x), (b, z)) if tag_of(w) == tag])


def _log_add(name: Any, exp: Any) -> None:
    @ufunc_rule(name)
    def rule(x: Any, z: Any) -> Any:
        tag = max(tag_of(x), tag_of(z))
        a, b = operand(x, tag), operand(z, tag)
        y = name(a, b)
        return combine(tag, y, [(exp(v - y), w) for v, w in ((a, x), (b, z)) if tag_of(w) == tag])


_log_add(np.logaddexp, np.exp)
_log_add(np.logaddexp2, np.exp2)


def _modulo(ufunc: Any, quotient: Any) -> None:
    @ufunc_rule(ufunc)
    def apply(x: Any, z: Any) -> Any:
        tag = max(tag_of(x), tag_of(z))
        a, b = operand(x, tag), operand(z, tag)
        y = ufunc(a, b)
        unknown = np.isnan(y)
        terms: list[tuple[Any, Any]] = []
        if tag_of(x) == tag:
            terms.append((np.where(unknown, np.nan, 1.0) if np.any(unknown) else None, x))
        if tag_of(z) == tag:
            terms.append((-quotient(a, b), z))
        return combine(tag, y, terms)


_modulo(np.remainder, np.floor_divide)
_modulo(np.fmod, lambda a, b: np.trunc(np.true_divide(a, b)))


@ufunc_rule(np.heaviside)
def _heaviside(x: Any, at_zero: Any) -> Any:
    return np.where(np.equal(x, 0), at_zero, np.heaviside(peel(x), 0.0))


@ufunc_rule(np.copysign)
def _copysign(x: Any, z: Any) -> Any:
    tag = max(tag_of(x), tag_of(z))
    a, b = operand(x, tag), operand(z, tag)
    y = np.copysign(a, b)
    if tag_of(x) != tag:
        return y
    return combine(tag, y, [(np.sign(a) * np.copysign(1.0, b), x)])
