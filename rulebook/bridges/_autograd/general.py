"""Any call below a trace: containers, older traces, derived directions, complex numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.code import linked_primal, refuse_captured, refuse_reached, runner
from rulebook.bridges._autograd.results import box_gradients, box_tangents
from rulebook.bridges._autograd.trace import BOXES, above, new_box
from rulebook.normal import NormalForm

__all__ = ["Run", "bind_forward", "bind_reverse", "wanted_pull"]

# (values below the trace, positions of the boxes, their nodes, number of the trace) -> the result in boxes of the trace
Run = Callable[[list[Any], list[int], list[Any], int], Any]


class _Deriving(threading.local):
    """The trace of the call whose forward rule this thread is transposing."""

    top: int | None = None


def bind_reverse(form: NormalForm) -> Run:
    """How a reverse trace runs the primitive."""
    primal = linked_primal(form)
    rule = form.reverse or form.forward
    run = runner(form, rule)
    deriving = _Deriving()

    def derive(leaves: list[Any], top: int) -> Any:
        before, deriving.top = deriving.top, top
        try:
            return above(top, run, form.start, leaves, primal)
        finally:
            deriving.top = before

    def reverse(leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        values.check_integers(form, leaves, at, nodes)
        if form.reverse is None and form.forward is not None:
            if deriving.top is not None and top > deriving.top:
                return _native(form, leaves, at, nodes, top)
            ys, structure, pull = derive(leaves, top)
        else:
            ys, structure, pull = run(form.start, leaves, primal)
        refuse_captured(form, ys, top, rule)
        return box_gradients(form, ys, structure, wanted_pull(form, pull, leaves, at, top), nodes, top)

    return reverse


def _native(form: NormalForm, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
    """The function's own body on boxes: a forward rule that is being transposed called its function on tangents.

    The reverse rule of that call would be this same transpose.
    """
    if form.primitive.host:
        raise form.missing("reverse")
    boxed = list(leaves)
    for i, node in zip(at, nodes, strict=True):
        boxed[i] = new_box(leaves[i], top, node)
    return runner(form, form.forward)(form.evaluate, form.args(boxed))


def wanted_pull(
    form: NormalForm, pull: Callable[..., list[Any]], leaves: Sequence[Any], at: list[int], top: int
) -> Callable[[list[Any]], list[Any]]:
    """A pullback of leaves in autograd's convention, for the arguments `at` alone; zeros are arrays."""
    wanted = [i in at for i in range(len(leaves))]
    rule = form.reverse or form.forward
    run = runner(form, rule)

    def pull_wanted(y_bars: list[Any]) -> list[Any]:
        traced = any(type(c) in BOXES for c in y_bars)
        if traced:  # a box that the rule captured could not be told from those that y_bar brings
            refuse_reached(form, top, rule)
        found = run(pull, [None if c is None else values.conj(c) for c in y_bars], wanted)
        if not traced:
            refuse_captured(form, found, top, rule)
        return [values.zeros_like(leaves[i]) if found[i] is None else values.conj(found[i]) for i in at]

    return pull_wanted


def bind_forward(form: NormalForm) -> Run:
    """How a forward trace runs the primitive."""
    primal = linked_primal(form)
    rule = form.forward or form.reverse
    run = runner(form, rule)

    def forward(leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        dots: list[Any] = [None] * form.n
        for i, node in zip(at, nodes, strict=True):
            dots[i] = values.tangent(form, i, node.g, leaves[i])
        ys, y_dots, structure = run(form.joint, leaves, dots, primal)
        refuse_captured(form, [*ys, *y_dots], top, rule)
        return box_tangents(ys, y_dots, structure, top)

    return forward
