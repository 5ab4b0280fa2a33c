"""Tangents and cotangents of a caller, as the engine's values of the shapes and dtypes they have to have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RulebookError, RuleSignatureError

__all__ = ["directions"]


def directions(
    use: Engine, like: list[Any], structure: trees.Structure, given: Any, where: str, what: str, batch: bool = False
) -> list[Any]:
    """One array per leaf, in the dtype of the leaf: zeros where none is given, None where the leaf has no tangent.

    Args:
        use: the engine.
        like: the leaves.
        structure: theirs.
        given: a tree of that structure, in which any part may be a zero.
        where: the operator, for messages.
        what: how messages call it: a tangent or a cotangent.
        batch: whether each has one more leading axis, of the same length.
    """

    if structure is trees.LEAF and not batch and _fits(like[0], given):
        return [given]

    def fail(path: str, expected: str, got: str) -> RulebookError:
        return RuleSignatureError(f"{where}, {path}.", expected, got, f"pass a {what} of the structure and shape of what it belongs to")

    found = trees.flatten_like(structure, given, fail, what)
    if not batch and all(map(_fits, like, found)):
        return found
    paths = trees.leaf_paths(structure, what)
    lead = _lead(use, like, found, paths, fail) if batch else ()
    return [_leaf(use, x, t, lead, path, fail) for x, t, path in zip(like, found, paths, strict=True)]


def _fits(x: Any, t: Any) -> bool:
    return type(t) is type(x) and hasattr(x, "dtype") and bool(t.dtype == x.dtype) and bool(t.shape == x.shape)


def _moves(use: Engine, x: Any) -> bool:
    return hasattr(x, "dtype") and use.has_tangent(x)


def _lead(use: Engine, like: list[Any], found: list[Any], paths: list[str], fail: Callable[..., RulebookError]) -> tuple[int]:
    """The length of the leading axis that all have."""
    shapes = {p: tuple(use.asarray(t, x).shape) for x, t, p in zip(like, found, paths, strict=True) if t is not None and _moves(use, x)}
    lengths = {shape[0] for shape in shapes.values() if shape}
    if len(lengths) != 1 or () in shapes.values():
        raise fail(", ".join(paths), "one more leading axis, of one length for all", f"shapes {list(shapes.values())}")
    return (lengths.pop(),)


def _leaf(use: Engine, x: Any, t: Any, lead: tuple[int, ...], path: str, fail: Callable[..., RulebookError]) -> Any:
    if not _moves(use, x):
        return None
    shape = (*lead, *x.shape)
    if t is None:
        return use.zeros_like(x) if not lead else use.cast(use.asarray(np.zeros(shape), x), x)
    t = use.asarray(t, x)
    if tuple(t.shape) != shape:
        raise fail(path, f"shape {shape}", f"shape {tuple(t.shape)}")
    return t if t.dtype == x.dtype else use.cast(t, x)
