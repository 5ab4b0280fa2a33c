"""Elementwise functions: one factor per argument, t_y = sum of factor * t_x.

The factors are written with NumPy on primals of the topmost tag, which may be duals themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.errors import counts_differ, unsupported
from rulebook.dual.identity import add_diagonal, is_identity
from rulebook.dual.parts import check_kind, join, primal, tag_of, tangent
from rulebook.dual.registry import UFUNCS
from rulebook.dual.scalar import Dual, dual, number

__all__ = ["binary", "combine", "unary"]

Factor = Callable[..., Any]


def combine(tag: int, y: Any, terms: list[tuple[Any, Any]]) -> Any:
    """The dual of y whose tangent is the sum of factor * tangent.

    Args:
        tag: of the tangents.
        y: the primal.
        terms: (factor, operand); a factor is a number or an array of its own that broadcasts to y, or None for 1.
    """
    kind = type(y)
    if (kind is np.ndarray or kind is DualArray) and y.ndim:
        aligned = _aligned(tag, y, terms)
        if aligned is not None:
            return aligned
        shape = y.shape
    else:
        check_kind(y)
        if all(type(x) is Dual for _, x in terms):
            return dual(number(y), number(sum(x.t if f is None else number(f) * x.t for f, x in terms)), tag)
        shape = ()
    total = _sum(tag, len(shape), terms)
    if total.shape[1:] != shape:
        total = np.broadcast_to(total, (total.shape[0], *shape))
    return join(y, total, tag)


def _aligned(tag: int, y: Any, terms: list[tuple[Any, Any]]) -> DualArray | None:
    """The same where all of one or two operands have the shape of y: by coefficients alone where they have one base."""
    shape = y.shape
    scaled = []
    for factor, x in terms:
        if type(x) is not DualArray or x.p.shape != shape or len(terms) > 2:
            return None
        c, base = x.parts()
        scaled.append((factor if c is None else c if factor is None else c * factor, base))
    c, base = scaled[0]
    if len(scaled) == 1:
        return DualArray(y, c, base, tag)
    f, other = scaled[1]
    if other is base:
        return DualArray(y, (1.0 if c is None else c) + (1.0 if f is None else f), base, tag)
    if is_identity(base):
        c, base, f, other = f, other, c, base
    t = base if c is None else c * base
    if c is not None and is_identity(other) and add_diagonal(t, f):
        return DualArray(y, None, t, tag)
    return DualArray(y, None, _accumulate(t, other if f is None else f * other, c is not None, f is not None)[0], tag)


def _sum(tag: int, ndim: int, terms: list[tuple[Any, Any]]) -> Any:
    """The sum of factor * tangent, formed."""
    total: Any = None
    fresh = False
    for factor, x in terms:
        if type(x) is DualArray and x.p.ndim == ndim:
            c, t = x.parts()
            factor = factor if c is None else c if factor is None else c * factor  # first, as both are of the primal's size
        else:
            t = tangent(x, tag, ndim)
        if factor is not None:
            t = factor * t
        total, fresh = (t, factor is not None) if total is None else _accumulate(total, t, fresh, factor is not None)
    return total


def _accumulate(total: Any, t: Any, fresh: bool, t_fresh: bool) -> tuple[Any, bool]:
    """total + t, in place where one is a temporary: above 128 KiB new memory costs a page fault per 4 KiB."""
    if type(total) is np.ndarray and type(t) is np.ndarray and total.shape == t.shape and total.dtype == t.dtype and (fresh or t_fresh):
        return np.add(total, t, out=total if fresh else t), True
    if total.shape[0] != t.shape[0]:
        raise counts_differ(total.shape[0], t.shape[0])
    return total + t, True


def unary(ufunc: Any, factor: Factor) -> None:
    """Register a function of one argument: factor(x, y) is its derivative."""

    def apply(x: Any) -> Any:
        p = x.p
        y = ufunc(p)
        f = factor(p, y)
        if type(x) is Dual:
            return dual(number(y), number(f) * x.t, x.tag)
        if y.ndim:
            c, b = x.parts()
            return DualArray(y, f if c is None else c * f, b, x.tag)
        return combine(x.tag, y, [(f, x)])

    UFUNCS[ufunc] = apply


def binary(ufunc: Any, first: Factor, second: Factor) -> None:
    """Register a function of two arguments: first(a, b, y) and second(a, b, y) are its partial derivatives, None for 1."""

    def apply(x: Any, z: Any) -> Any:
        tag = max(tag_of(x), tag_of(z))
        a, b = operand(x, tag), operand(z, tag)
        y = ufunc(a, b)
        terms = [(f(a, b, y), v) for f, v in ((first, x), (second, z)) if tag_of(v) == tag]
        return combine(tag, y, terms)

    UFUNCS[ufunc] = apply


def operand(x: Any, tag: int) -> Any:
    """The primal of an operand; lists as arrays, integers among arrays in floating point."""
    if type(x) is DualArray:
        return x.p if x.tag == tag else x
    if type(x) is list or type(x) is tuple:
        x = np.asarray(x)
    if type(x) is np.ndarray and x.dtype.kind in "iubOmM":
        if x.dtype.kind == "O":
            raise unsupported("An operation with a dual", "an array of objects", "gather it with np.stack(list(x)), or .astype(float)")
        _no_time(x)
        return x.astype(np.result_type(x.dtype, np.float16))  # exact, and promotes as the integers do
    check_kind(x)
    if isinstance(x, (np.timedelta64, np.datetime64)):
        _no_time(x)
    p = primal(x, tag)
    if p is not x and type(p) is float:  # a Python float would take the precision of a float32 operand
        return np.float64(p)
    return p


def _no_time(x: Any) -> None:
    """Refuse times, which are whole numbers of a unit and so have no tangents."""
    if x.dtype.kind in "mM":
        raise unsupported("An operation with a dual", f"times ({x.dtype})", "divide by a unit first, as in t / np.timedelta64(1, 's')")


def _complex(y: Any) -> bool:
    """Whether a value is complex: on a branch cut the derivative is on the side that the value is on."""
    return type(y) is complex or (type(y) is not float and y.dtype.kind == "c")


def _inside(y: Any, factor: Any) -> Any:
    """A derivative, which is NaN where the function is not defined."""
    if type(y) is float:
        return factor if y == y else np.nan
    outside = np.isnan(y)
    return np.where(outside, np.nan, factor) if np.any(outside) else factor


_LN2, _LN10 = float(np.log(2.0)), float(np.log(10.0))

unary(np.sin, lambda x, y: np.cos(x))
unary(np.cos, lambda x, y: -np.sin(x))
unary(np.tan, lambda x, y: 1 + y * y)
unary(np.arcsin, lambda x, y: 1 / (np.cos(y) if _complex(y) else np.sqrt(1 - x * x)))
unary(np.arccos, lambda x, y: -1 / (np.sin(y) if _complex(y) else np.sqrt(1 - x * x)))
unary(np.arctan, lambda x, y: 1 / (1 + x * x))
unary(np.sinh, lambda x, y: np.cosh(x))
unary(np.cosh, lambda x, y: np.sinh(x))
unary(np.tanh, lambda x, y: 1 - y * y)
unary(np.arcsinh, lambda x, y: 1 / (np.cosh(y) if _complex(y) else np.sqrt(x * x + 1)))
unary(np.arccosh, lambda x, y: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)))
unary(np.arctanh, lambda x, y: _inside(y, 1 / (1 - x * x)))
unary(np.exp, lambda x, y: +y)  # a copy: coefficients are never memory that can be written to
unary(np.exp2, lambda x, y: y * _LN2)
unary(np.expm1, lambda x, y: y + 1)
unary(np.log, lambda x, y: _inside(y, np.reciprocal(x)))
unary(np.log2, lambda x, y: _inside(y, np.reciprocal(x * _LN2)))
unary(np.log10, lambda x, y: _inside(y, np.reciprocal(x * _LN10)))
unary(np.log1p, lambda x, y: _inside(y, np.reciprocal(1 + x)))
unary(np.sqrt, lambda x, y: np.true_divide(0.5, y))
unary(np.cbrt, lambda x, y: np.reciprocal(3 * y * y))
unary(np.square, lambda x, y: 2 * x)
unary(np.reciprocal, lambda x, y: -y * y)
unary(np.negative, lambda x, y: -1.0)
unary(np.deg2rad, lambda x, y: np.pi / 180)
unary(np.radians, lambda x, y: np.pi / 180)
unary(np.rad2deg, lambda x, y: 180 / np.pi)
unary(np.degrees, lambda x, y: 180 / np.pi)
