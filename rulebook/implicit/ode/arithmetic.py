"""Arithmetic on trees of arrays that have one structure, and objects that are equal by what they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees

__all__ = ["Keyed", "added", "beginning", "end", "largest", "mapped"]


class Keyed:
    """An object that stands for its parts, so that it can be a static: made of the same, it is the same."""

    def __init__(self, *key: Any) -> None:
        self._key = key

    def __hash__(self) -> int:
        return hash((type(self), self._key))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and type(other) is type(self) and self._key == other._key

    def _rulebook_reads(self) -> tuple[Any, ...]:
        """What its code reads beside its arguments, so that an engine knows whether it can compile it once."""
        return self._key


def mapped(fn: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """fn of the leaves of trees, as a tree."""
    leaves, structure = trees.flatten(tree)
    columns = [trees.leaves_of(other) for other in others]
    return structure.unflatten(iter([fn(*some) for some in zip(leaves, *columns, strict=True)]))


def added(a: Any, b: Any) -> Any:
    """a + b."""
    return mapped(lambda x, y: x + y, a, b)


def beginning(tree: Any) -> Any:
    """All but the last of the first axis."""
    return mapped(lambda x: x[:-1], tree)


def end(tree: Any) -> Any:
    """The last of the first axis."""
    return mapped(lambda x: x[-1], tree)


def largest(xp: Any, tree: Any) -> Any:
    """The largest absolute value among all leaves; 1 where all are zero, so that it can be divided by."""
    found = None
    for x in trees.leaves_of(tree):
        if all(x.shape):
            size = xp.max(xp.abs(x))
            found = size if found is None else xp.maximum(found, size)
    return 1.0 if found is None else xp.where(found > 0, found, xp.ones_like(found))
