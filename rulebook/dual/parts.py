"""Duals taken apart and put together, one derivative call at a time.

Everything that a rule does, it does on primals and tangents of the topmost tag; both may be duals
of outer calls, on which NumPy's functions dispatch again.  That is all there is to nesting.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.errors import refuse_subclasses
from rulebook.dual.scalar import Dual, dual, number, stack

__all__ = ["check_kind", "depth", "expand", "is_dual", "join", "peel", "primal", "stack", "tag_of", "tangent", "top", "values"]


def is_dual(x: Any) -> bool:
    """Whether a value is a Dual or DualArray."""
    kind = type(x)
    return kind is DualArray or kind is Dual


def tag_of(x: Any) -> int:
    """The tag of a value; 0 for one without tangent."""
    kind = type(x)
    return x.tag if kind is DualArray or kind is Dual else 0


def values(x: Any) -> Iterable[Any]:
    """A value, or what nested lists and tuples hold."""
    if type(x) is list or type(x) is tuple:
        for item in x:
            yield from values(item)
    else:
        yield x


def top(*xs: Any) -> int:
    """The topmost tag of values and of lists of them."""
    return max((tag_of(v) for x in xs for v in values(x)), default=0)


def primal(x: Any, tag: int) -> Any:
    """The primal with respect to a tag; what does not have the tag is constant."""
    kind = type(x)
    return x.p if (kind is DualArray or kind is Dual) and x.tag == tag else x


def tangent(x: Any, tag: int, ndim: int | None = None) -> Any:
    """The tangents with respect to a tag, stacked: (k,) + shape; None for a constant.

    Args:
        ndim: make room for broadcasting to that many axes, behind the leading one.
    """
    kind = type(x)
    if kind is DualArray:
        if x.tag != tag:
            return None
        t = x.tangent
        return t if ndim is None else expand(t, x.ndim, ndim)
    if kind is Dual:
        if x.tag != tag:
            return None
        return stack(x.t) if ndim is None else expand(stack(x.t), 0, ndim)
    return None


def expand(t: Any, ndim: int, to: int) -> Any:
    """Stacked tangents with axes of length 1 behind the leading one, as broadcasting adds them to the primal.

    Without it the leading axis would meet an axis of the data.
    """
    if ndim >= to:
        return t
    shape = t.shape
    return np.reshape(t, (shape[0], *(1,) * (to - ndim), *shape[1:]))


def join(y: Any, t: Any, tag: int) -> Any:
    """The dual of a primal and its stacked tangents; a Dual where y has no axes."""
    if t is None:
        return y
    kind = type(y)
    if kind is np.ndarray or kind is DualArray:
        if y.ndim:
            return DualArray(y, None, t, tag)
        y = y[()] if kind is np.ndarray else dual(number(y.p[()]), _scalar_tangent(y.tangent), y.tag)
    check_kind(y)
    return dual(number(y), _scalar_tangent(t), tag)


def check_kind(y: Any) -> None:
    """Refuse np.matrix, masked arrays and other subclasses, whose operators mean something else.

    Raises:
        RuleMissingError: y is one.
    """
    if isinstance(y, np.ndarray) and type(y) is not np.ndarray:
        refuse_subclasses((type(y),))


def _scalar_tangent(t: Any) -> Any:
    """Stacked tangents (k,) as a Dual holds them."""
    return number(t[0]) if t.shape[0] == 1 else t


def peel(x: Any) -> Any:
    """The primal below all tags."""
    while type(x) is DualArray or type(x) is Dual:
        x = x.p
    return x


def depth(x: Any) -> int:
    """How many derivative calls a value belongs to."""
    found = 0
    while type(x) is DualArray or type(x) is Dual:
        x, found = x.p, found + 1
    return found
