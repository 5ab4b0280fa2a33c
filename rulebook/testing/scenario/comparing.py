"""Whether what came is what was expected: structure, types, shapes, dtypes, and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.testing.scenario.exact import Array

__all__ = ["Difference", "changed", "difference", "shared"]

_ROUNDINGS = 500.0  # of the largest number, that a derivative of a few operations may be off by


@dataclass(frozen=True)
class Difference:
    """Where and how two trees differ.

    Attributes:
        law: "form" for structure, type, shape and dtype, "numbers" for the rest.
        path: of the leaf.
        element: of its array, or None.
        expected, got: as short text.
    """

    law: str
    path: str
    element: tuple[int, ...] | None
    expected: str
    got: str


def difference(expected: Any, got: Any, tolerance: float | None, name: str, sparse: bool = False) -> Difference | None:
    """The first difference of two trees of NumPy arrays; None where they agree.

    Args:
        expected: the exact one.
        got: what came.
        tolerance: relative to the largest number expected; by default what the dtype allows.
        name: of the tree, for the path.
        sparse: whether it has to be a sparse matrix with the entries that are not zero, and no other.
    """
    if sparse:
        wrong = _pattern(np.asarray(expected), got, name)
        if wrong is not None:
            return wrong
        got = got.toarray()
    leaves, structure = trees.flatten(expected)
    found, other = trees.flatten(got)
    if structure != other:
        return Difference("form", name, None, f"structure {structure!r}", f"structure {other!r}")
    every = [np.asarray(leaf) for leaf in leaves]
    scale = max((float(abs(a).max()) for a in every if a.size), default=0.0) or 1.0
    for path, a, b in zip(trees.leaf_paths(structure, name), every, found, strict=True):
        wrong = _form(a, b, path) or _numbers(a, np.asarray(b), path, scale, tolerance)
        if wrong is not None:
            return wrong
    return None


def _pattern(a: Array, b: Any, path: str) -> Difference | None:
    if not hasattr(b, "toarray"):
        return Difference("form", path, None, "a sparse matrix", f"a {type(b).__module__}.{type(b).__qualname__}")
    entries = int(np.count_nonzero(a))
    return None if b.nnz == entries else Difference("form", path, None, f"{entries} entries", f"{b.nnz} entries")


def _form(a: Array, b: Any, path: str) -> Difference | None:
    if not isinstance(b, np.ndarray | np.generic):
        return Difference("form", path, None, "a NumPy array", f"a {type(b).__module__}.{type(b).__qualname__}")
    if b.shape != a.shape:
        return Difference("form", path, None, f"shape {a.shape}", f"shape {b.shape}")
    if b.dtype != a.dtype:
        return Difference("form", path, None, f"dtype {a.dtype}", f"dtype {b.dtype}")
    return None


def _numbers(a: Array, b: Array, path: str, scale: float, tolerance: float | None) -> Difference | None:
    limit = scale * max(tolerance or 0.0, _ROUNDINGS * float(np.finfo(a.dtype).eps) if a.dtype.kind in "fc" else 0.0)
    with np.errstate(invalid="ignore"):
        gap = abs(a - b)
        good = (gap <= limit) | (a == b) | (np.isnan(a) & np.isnan(b))
    if good.all():
        return None
    at = np.unravel_index(int(np.argmax(np.where(good, -1.0, np.nan_to_num(gap, nan=np.inf)))), a.shape)
    return Difference("numbers", path, tuple(map(int, at)), repr(a[at].item()), repr(b[at].item()))


def changed(before: Any, after: Any, name: str) -> str:
    """The path of the first leaf that is not what it was, to the bit; "" where all are."""
    leaves, structure = trees.flatten(before)
    found, other = trees.flatten(after)
    if structure != other:
        return name
    for path, a, b in zip(trees.leaf_paths(structure, name), leaves, found, strict=True):
        x, y = np.asarray(a), np.asarray(b)
        if x.dtype != y.dtype or x.shape != y.shape or x.tobytes() != y.tobytes():
            return path
    return ""


def shared(result: Any, given: Any, name: str) -> str:
    """The path of the first leaf of a result that lies in the memory of what was given; "" where none does."""
    leaves, structure = trees.flatten(result)
    arrays = [leaf for leaf in trees.leaves_of(given) if isinstance(leaf, np.ndarray)]
    for path, leaf in zip(trees.leaf_paths(structure, name), leaves, strict=True):
        if isinstance(leaf, np.ndarray) and any(np.may_share_memory(leaf, a) for a in arrays):
            return path
    return ""
