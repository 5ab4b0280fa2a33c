"""Where a derivative is wrong, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rulebook.testing.spaces import Array

if TYPE_CHECKING:
    from rulebook.testing.likeness import Block

__all__ = ["place", "said", "which"]


def place(block: Block, content: str) -> str:
    """At how many elements a block is wrong, which they are, and what stands there; nothing where all are wrong."""
    whole = block.whole
    sides = [(whole.inputs, block.columns, block.into, 0, 1), (whole.outputs, block.rows, block.out, 1, 0)]
    if block.forward:
        sides.reverse()
    for axis, part, leaf, along, which_values in sides:
        at = axis.at[part]
        space = axis.space.slices[leaf]
        wrong = np.zeros(space.stop - space.start, bool)
        wrong[at[block.bad.any(axis=along)] - space.start] = True
        if wrong.all():
            continue
        shape = axis.space.shapes[leaf]
        values = block.values[which_values][space]
        return said(
            content, int(wrong.sum()), wrong.size, axis.name(leaf), which(wrong.reshape(shape), values.reshape(shape), axis.name(leaf))
        )
    return ""


def said(content: str, k: int, n: int, name: str, where: str) -> str:
    """How many elements of an array are wrong, where, and what they are."""
    there = f"{k} of {n} elements of {name}" + (f" ({where})" if where else "")
    if content.startswith("zero"):
        return f"{content}: at {there}"
    return f"right except at {there}" + (f": {content} there" if content else "")


def which(wrong: Array, values: Array, name: str) -> str:
    """Which elements of an array are wrong, where there is a short word for it."""
    if wrong.sum() == 1 and wrong.ndim:
        flat = wrong.reshape(-1)
        return "the first" if flat[0] else "the last" if flat[-1] else ""
    return _pattern(wrong) or _by_value(wrong.reshape(-1), values.reshape(-1), name)


def _pattern(wrong: Array) -> str:
    if wrong.ndim < 2:
        return ""
    if wrong.ndim == 2 and wrong.shape[0] == wrong.shape[1]:
        rows, columns = np.indices(wrong.shape)
        triangles = {
            "the diagonal": rows == columns,
            "all but the diagonal": rows != columns,
            "above the diagonal": rows < columns,
            "below the diagonal": rows > columns,
            "on and above the diagonal": rows <= columns,
            "on and below the diagonal": rows >= columns,
        }
        for name, mask in triangles.items():
            if (wrong == mask).all():
                return name
    for axis, n in enumerate(wrong.shape):
        for j, name in ((0, "first"), (n - 1, "last")):
            if n > 1 and np.take(wrong, j, axis).all() and not np.delete(wrong, j, axis).any():
                return f"the {name} along axis {axis}"
    return ""


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
