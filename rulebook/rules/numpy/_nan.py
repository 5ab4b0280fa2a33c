"""Reductions that leave out NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cumulative import cumprod, cumsum, prod
from rulebook.rules.numpy._reductions import Axis, max, min, sum

__all__ = [
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


def _numbers(a: Any, fill: float) -> Any:
    """The elements, with another in the place of NaN."""
    xp = rb.xp(a)
    return xp.where(xp.isnan(a), fill, a)


def _found(a: Any, axis: Axis, keepdims: bool) -> Any:
    """How many elements are numbers."""
    xp = rb.xp(a)
    return xp.sum(xp.where(xp.isnan(a), 0.0, 1.0), axis=axis, keepdims=keepdims)


def nansum(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum of what is a number."""
    return sum(_numbers(a, 0.0), axis=axis, keepdims=keepdims)


def nanprod(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The product of what is a number."""
    return prod(_numbers(a, 1.0), axis=axis, keepdims=keepdims)


def nanmean(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean of what is a number."""
    return nansum(a, axis, keepdims) / _found(a, axis, keepdims)


def nanvar(a: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance of what is a number."""
    xp = rb.xp(a)
    centred = xp.abs(_numbers(a - nanmean(a, axis, True), 0.0)) ** 2
    return sum(centred, axis=axis, keepdims=keepdims) / (_found(a, axis, keepdims) - ddof)


def nanstd(a: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The standard deviation of what is a number."""
    xp = rb.xp(a)
    square = nanvar(a, axis, ddof, keepdims)
    return xp.where(square == 0, 0.0, xp.sqrt(xp.where(square == 0, 1.0, square)))


def nanmax(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest of what is a number."""
    return max(_numbers(a, -np.inf), axis=axis, keepdims=keepdims)


def nanmin(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest of what is a number."""
    return min(_numbers(a, np.inf), axis=axis, keepdims=keepdims)


def nancumsum(a: Any, axis: int | None = None) -> Any:
    """Running sums of what is a number."""
    return cumsum(_numbers(a, 0.0), axis=axis)


def nancumprod(a: Any, axis: int | None = None) -> Any:
    """Running products of what is a number."""
    return cumprod(_numbers(a, 1.0), axis=axis)
