"""The missing direction of a primitive, derived from the one that is written.

A pushforward and a pullback are transposes of each other:  <y_bar, J x_dot> = <J* y_bar, x_dot>.
An engine that differentiates the author's (linear) code transposes it; one that cannot sweeps a basis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rulebook.sweep import pull_by_columns, push_by_rows
from rulebook.trees import Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["joint_from_reverse", "pull_from_forward", "push_from_reverse", "start_from_forward"]

Leaves = Sequence[Any]


def _moving(form: NormalForm, leaves: Leaves) -> list[int]:
    return [i for i, x in enumerate(leaves) if form.engine.has_tangent(x)]


def _full(n: int, at: list[int], values: Leaves) -> list[Any]:
    full: list[Any] = [None] * n
    for i, value in zip(at, values, strict=True):
        full[i] = value
    return full


def push_from_reverse(form: NormalForm, ys: Leaves, leaves: Leaves, tangents: Leaves, pull: Callable[..., list[Any]]) -> list[Any]:
    """The tangents of the leaves of y, by transposing their pullback."""
    if form.reverse is not None and form.reverse.host:
        return push_by_rows(form, ys, leaves, tangents, pull)
    ins = [i for i in _moving(form, leaves) if tangents[i] is not None]
    outs = _moving(form, ys)
    if not ins or not outs:
        return [None] * len(ys)

    def linear(*bars: Any) -> tuple[Any, ...]:
        found = pull(_full(len(ys), outs, bars), [i in ins for i in range(len(leaves))])
        return tuple(form.engine.zeros_like(leaves[i]) if found[i] is None else found[i] for i in ins)

    push = form.engine.transpose(linear, tuple(ys[o] for o in outs))
    return _full(len(ys), outs, push(tuple(tangents[i] for i in ins)))


def joint_from_reverse(form: NormalForm, leaves: Leaves, tangents: Leaves, primal: Any) -> tuple[list[Any], list[Any], Structure]:
    """What NormalForm.joint gives, from a reverse rule."""
    ys, structure, pull = form.start(leaves, primal)
    return ys, push_from_reverse(form, ys, leaves, tangents, pull), structure


def start_from_forward(form: NormalForm, leaves: Leaves, primal: Any) -> tuple[list[Any], Structure, Callable[..., list[Any]]]:
    """What NormalForm.start gives, from a forward rule; the primal runs once, beside the linear map."""
    if form.forward is not None and form.forward.host:
        ys, _, structure = form.joint(leaves, [None] * len(leaves), primal)
        return ys, structure, lambda cotangents, wanted=None: pull_by_columns(form, ys, structure, leaves, cotangents, wanted)
    ins = _moving(form, leaves)
    structures: list[Structure] = []
    kept: list[list[int]] = []

    def linear(*dots: Any) -> tuple[Any, ...]:
        ys, y_dots, structure = form.joint(leaves, _full(len(leaves), ins, dots), primal)
        structures.append(structure)
        moving = [o for o, t in enumerate(y_dots) if t is not None]
        kept.append(moving)
        return (*ys, *(y_dots[o] for o in moving))

    out, transposed = form.engine.vjp(linear, tuple(form.engine.zeros_like(leaves[i]) for i in ins))
    structure, moving = structures[0], kept[0]
    ys = list(out[: structure.n_leaves])

    def pull(cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
        bars = [form.materialise(ys[o], cotangents[o]) for o in moving]
        if not bars or not ins:
            return [None] * len(leaves)
        zeros = [form.engine.zeros_like(y) for y in ys]
        found = _full(len(leaves), ins, transposed((*zeros, *bars)))
        return [c if wanted is None or wanted[i] else None for i, c in enumerate(found)]

    return ys, structure, pull


def pull_from_forward(
    form: NormalForm, ys: Leaves, structure: Structure, leaves: Leaves, cotangents: Leaves, wanted: Sequence[bool] | None
) -> list[Any]:
    """What NormalForm.pull gives, from a forward rule."""
    if form.forward is not None and form.forward.host:
        return pull_by_columns(form, ys, structure, leaves, cotangents, wanted)
    return start_from_forward(form, leaves, None)[2](cotangents, wanted)
