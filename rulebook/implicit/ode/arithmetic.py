"""Arithmetic on trees of arrays that have one structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees

__all__ = ["added", "largest", "mapped", "scaled"]


def mapped(fn: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """fn of the leaves of trees, as a tree."""
    leaves, structure = trees.flatten(tree)
    columns = [trees.leaves_of(other) for other in others]
    return structure.unflatten(iter([fn(*some) for some in zip(leaves, *columns, strict=True)]))


def added(a: Any, b: Any) -> Any:
    """a + b."""
    return mapped(lambda x, y: x + y, a, b)


def scaled(tree: Any, factor: Any) -> Any:
    """A tree times a number."""
    return mapped(lambda x: x * factor, tree)


def largest(xp: Any, tree: Any) -> Any:
    """The largest absolute value among all leaves; 1 where all are zero, so that it can be divided by."""
    found = None
    for x in trees.leaves_of(tree):
        if all(x.shape):
            size = xp.max(xp.abs(x))
            found = size if found is None else xp.maximum(found, size)
    return 1.0 if found is None else xp.where(found > 0, found, xp.ones_like(found))
