"""Axes of a primal as axes of its stacked tangents: the leading one comes before them."""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["lead", "lead_all"]


def lead(axis: Any, ndim: int) -> Any:
    """An axis (or several) counted behind the leading one."""
    if isinstance(axis, (tuple, list)):
        return tuple(lead(a, ndim) for a in axis)
    axis = operator.index(axis)
    return axis + 1 if axis >= 0 else axis + ndim + 1


def lead_all(axis: Any, ndim: int) -> Any:
    """The same, where None means all axes."""
    return tuple(range(1, ndim + 1)) if axis is None else lead(axis, ndim)
