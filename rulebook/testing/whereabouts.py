"""Where a derivative is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.testing.spaces import Array

if TYPE_CHECKING:
    from rulebook.testing.block import Block
    from rulebook.testing.matrices import Axis

__all__ = ["place", "said", "which"]


def place(block: Block, content: Callable[[Array], str]) -> str:
    """At how many elements a block is wrong, which they are, and what stands there.

    Args:
        block: of the matrices.
        content: what the entries of a mask are.
    """
    whole = block.whole
    alive = (block.expected != 0) | (block.got != 0)
    sides = [(whole.inputs, block.columns, block.into, 0), (whole.outputs, block.rows, block.out, 1)]
    for axis, part, leaf, along in sides[::-1] if block.forward else sides:
        wrong, lives = (_elements(axis, part, leaf, mask.any(axis=along)) for mask in (block.bad, alive))
        if (wrong | ~lives).all():
            continue
        name, shape = axis.name(leaf), axis.space.shapes[leaf]
        values = block.values[1 - along][axis.space.slices[leaf]]
        entire = alive & np.expand_dims(block.bad.any(axis=along), along)
        known = content(entire) if not (entire & ~block.bad).any() else ""
        places = which(wrong.reshape(shape), values.reshape(shape), name, lives.reshape(shape))
        return said(known, int(wrong.sum()), wrong.size, name, places)
    if block.bad.sum() < alive.sum():
        return _of_entries(content(block.bad), int(block.bad.sum()), int(alive.sum()))
    return ""


def _elements(axis: Axis, part: slice, leaf: int, coordinates: Any) -> Array:
    """Which elements of a leaf some coordinates belong to."""
    space = axis.space.slices[leaf]
    found = np.zeros(space.stop - space.start, bool)
    found[axis.at[part][coordinates] - space.start] = True
    return found


def _of_entries(content: str, k: int, n: int) -> str:
    there = f"{k} of {n} entries of the Jacobian"
    if content.startswith("zero"):
        return f"{content}: at {there}"
    return f"right except at {there}" + (f": {content} there" if content else "")


def said(content: str, k: int, n: int, name: str, where: str) -> str:
    """How many elements of an array are wrong, where, and what they are."""
    there = f"{k} of {n} elements of {name}" + (f" ({where})" if where else "")
    if content.startswith(("zero", "NaN")):
        return f"{content}: at {there}"
    return f"right except at {there}" + (f": {content} there" if content else "")


def which(wrong: Array, values: Array, name: str, alive: Array | None = None) -> str:
    """Which elements of an array are wrong, where there is a short word for it; those that are not alive cannot be."""
    alive = np.ones_like(wrong) if alive is None else alive
    if wrong.sum() == 1 and wrong.ndim == 1:
        return "the first" if wrong[0] else "the last" if wrong[-1] else ""
    return _pattern(wrong, alive) or _by_value(wrong[alive], values[alive], name)


def _pattern(wrong: Array, alive: Array) -> str:
    for name, mask in _masks(wrong.shape):
        if (wrong == (mask & alive)).all():
            return name
    return ""


def _masks(shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """Parts of an array that have a name."""
    if len(shape) < 2:
        return
    rows, columns = np.indices(shape)[-2:]
    if shape[-1] == shape[-2]:
        yield "the diagonal", rows == columns
        yield "all but the diagonal", rows != columns
        yield "above the diagonal", rows < columns
        yield "below the diagonal", rows > columns
    for axis, index in enumerate(np.indices(shape)):
        for j, name in ((0, "first"), (shape[axis] - 1, "last")):
            if shape[axis] > 1:
                yield f"the {name} along axis {axis}", index == j
                yield f"all but the {name} along axis {axis}", index != j


def _by_value(wrong: Array, x: Array, name: str) -> str:
    """A condition on the values that just the wrong elements meet."""
    if np.iscomplexobj(x) or min(wrong.sum(), (~wrong).sum()) < 1:
        return ""
    if wrong.sum() >= 2 and (wrong == (x < 0)).all():
        return f"where {name} < 0"
    if wrong.sum() >= 2 and (wrong == (x > 0)).all():
        return f"where {name} > 0"
    if min(wrong.sum(), (~wrong).sum()) < 2:
        return ""
    for text, v in ((f"|{name}|", np.abs(x)), (name, x)):
        if v[wrong].min() > v[~wrong].max():
            return f"where {text} > {v[~wrong].max():.3g}"
        if v[wrong].max() < v[~wrong].min():
            return f"where {text} < {v[~wrong].min():.3g}"
    return ""
