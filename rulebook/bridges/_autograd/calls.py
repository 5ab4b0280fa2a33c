"""A primitive called on boxes: the newest trace is peeled, the rule runs on what is below, the result is boxed.

The values below may be boxes of older traces.  Then the rule's code is traced by those, and the
primal it evaluates is this primitive again, so that y stays linked to its arguments at every order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.fast import FastForward, FastReverse
from rulebook.bridges._autograd.fasthost import HostForward, HostReverse
from rulebook.bridges._autograd.general import Run, bind_forward, bind_reverse
from rulebook.bridges._autograd.trace import BOXES, VJPNode, depth
from rulebook.namespace import run_inside
from rulebook.normal import NormalForm

__all__ = ["bind"]


def bind(form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of `form` that autograd differentiates by the rules."""
    reverse, forward = bind_reverse(form), bind_forward(form)
    fast_reverse, fast_forward = _fast_reverse(form, reverse), _fast_forward(form, forward)
    primal = functools.partial(run_inside, None, form.primal) if form.primitive.host else form.primal

    def run(below: list[Any], at: list[int], nodes: list[Any], top: int, concrete: bool) -> Any:
        if top < 0:
            ys, structure = primal(below)
            return structure.unflatten(iter(ys))
        if type(nodes[0]) is VJPNode:
            return (fast_reverse if concrete else reverse)(below, at, nodes, top)
        return (fast_forward if concrete else forward)(below, at, nodes, top)

    return _peeling(run)


def _fast_reverse(form: NormalForm, general: Run) -> Run:
    rule = form.reverse
    if not form.flat or rule is None:
        return general
    return FastReverse(form, rule, general) if form.host is None else HostReverse(form, rule, general, form.host)


def _fast_forward(form: NormalForm, general: Run) -> Run:
    rule = form.forward
    if not form.flat or rule is None:
        return general
    return FastForward(form, rule, general) if form.host is None else HostForward(form, rule, general, form.host)


def _peeling(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run` of the values below the newest trace, the positions and nodes of its boxes, its number, and whether all is concrete."""
    numbers = values.NUMBERS

    def call(*leaves: Any) -> Any:
        top, concrete = -1, True
        below: list[Any] = []
        at: list[int] = []
        nodes: list[Any] = []
        for x in leaves:
            kind = type(x)
            if kind in BOXES:
                if x._trace != top:
                    if top >= 0:
                        return run(*_peel_newest(leaves), False)
                    top = x._trace
                at.append(len(below))
                nodes.append(x._node)
                x = x._value
                kind = type(x)
            if kind is float:
                x = np.float64(x)
            elif kind not in numbers:
                x = values.as_value(x)
                concrete = concrete and type(x) not in BOXES
            below.append(x)
        return run(below, at, nodes, top, concrete)

    return call


def _peel_newest(leaves: tuple[Any, ...]) -> tuple[list[Any], list[int], list[Any], int]:
    """The same where there are boxes of several traces."""
    top = max(map(depth, leaves))
    at = [i for i, x in enumerate(leaves) if depth(x) == top]
    below = [values.as_value(x._value if i in at else x) for i, x in enumerate(leaves)]
    return below, at, [leaves[i]._node for i in at], top
