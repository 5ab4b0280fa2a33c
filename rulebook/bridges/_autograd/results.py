"""The result of a primitive put into boxes of the trace that was peeled.

One array becomes one box.  A tuple, list or dict becomes one box of the whole container, as
autograd's own primitives give it, so that `make_vjp` and `make_jvp` of a function that returns it
see its trace.  Other containers hold boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from autograd.tracer import getval

from rulebook import trees
from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.trace import gradient_node, new_box, tangent_node
from rulebook.errors import RuleOutputError
from rulebook.trees import LEAF, Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["box_gradients", "box_tangents"]

Pull = Callable[[list[Any]], list[Any]]


def _is_boxable(structure: Structure) -> bool:
    """Whether autograd has a box for every container in a structure."""
    return structure is LEAF or (structure.kind in (tuple, list, dict) and all(map(_is_boxable, structure.children)))


def _tree(structure: Structure, leaves: Sequence[Any]) -> Any:
    return structure.unflatten(iter(leaves))


def _in_container(y: Any) -> Any:
    """A value as autograd takes it in a container: it has no vector space for NumPy's integer scalars, but one for arrays of integers."""
    return y if values.has_tangent(y) else np.asarray(getval(y))  # what has no derivative needs no box of a lower trace either


def box_gradients(form: NormalForm, ys: Sequence[Any], structure: Structure, pull: Pull, nodes: Sequence[Any], top: int) -> Any:
    """The result of a reverse rule; `pull` gives the cotangents of `nodes` for those of the leaves of y."""
    moving = [o for o, y in enumerate(ys) if values.has_tangent(y)]
    if not moving:
        return _tree(structure, ys)
    boxable = _is_boxable(structure)
    inner = structure if boxable else trees.flatten(tuple(moving))[1]
    held = list(range(len(ys))) if boxable else moving

    def fail(path: str, expected: str, got: str) -> RuleOutputError:
        return form.output_error(path, expected, got, "cotangent of y", "give autograd a cotangent of the structure of y")

    def vjp(y_bar: Any) -> list[Any]:
        y_bars: list[Any] = [None] * len(ys)
        for o, c in zip(held, trees.flatten_like(inner, y_bar, fail, "y_bar"), strict=True):
            if c is not None and values.has_tangent(ys[o]) and not values.is_unused(c, len(held)):
                y_bars[o] = values.fit(form, "y_bar", c, ys[o])
        return pull(y_bars)

    box = new_box(_tree(inner, [_in_container(ys[o]) for o in held]), top, gradient_node(tuple(nodes), vjp))
    if boxable:
        return box
    leaves = list(ys)
    for k, o in enumerate(moving):
        leaves[o] = box[k]
    return _tree(structure, leaves)


def box_tangents(ys: Sequence[Any], y_dots: Sequence[Any], structure: Structure, top: int) -> Any:
    """The result of a forward rule."""
    if not any(values.has_tangent(y) for y in ys):
        return _tree(structure, ys)
    full = [values.zeros_like(y) if t is None else t for y, t in zip(ys, y_dots, strict=True)]
    if _is_boxable(structure):
        return new_box(_tree(structure, [_in_container(y) for y in ys]), top, tangent_node(_tree(structure, full)))
    return _tree(structure, [new_box(y, top, tangent_node(t)) if values.has_tangent(y) else y for y, t in zip(ys, full, strict=True)])
