"""The same for real arrays and numbers below which no trace is left: what the general way checks, in place.

One call costs what a hand-written `primitive` with `defvjp` and `defjvp` costs; the general way costs two to three times that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.code import plain_primal, refuse_captured
from rulebook.bridges._autograd.general import Run, wanted_pull
from rulebook.bridges._autograd.results import box_gradients, box_tangents
from rulebook.bridges._autograd.trace import ARRAY, BOXES, JVPNode, VJPNode
from rulebook.errors import RulebookError
from rulebook.forms import Forward, Pullback, Reverse
from rulebook.normal import NormalForm
from rulebook.tangents import Thunk
from rulebook.trees import LEAF, Structure

__all__ = ["FastForward", "FastReverse", "bind_start"]

_NUMBERS = values.NUMBERS
_new_gradient_node = VJPNode.__new__
_new_tangent_node = JVPNode.__new__

Start = Callable[[tuple[Any, ...]], tuple[Any, Callable[[Any], Any]]]


class FastReverse:
    """The reverse rule of one form, run directly; `general` takes what it cannot."""

    def __init__(self, form: NormalForm, rule: Reverse, general: Run) -> None:
        self.form = form
        self.rule = rule
        self.general = general
        self.start = bind_start(form, rule, plain_primal(form))

    def __call__(self, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        """The result in a box of the trace."""
        for i in at:
            if leaves[i].dtype.kind != "f":  # complex ones are conjugated, integers need a look
                return self.general(leaves, at, nodes, top)
        y, pull = self.start(tuple(leaves))
        if type(y) not in _NUMBERS or y.dtype.kind != "f":
            return self._tree(y, pull, leaves, at, nodes, top)
        node = _new_gradient_node(VJPNode)
        node.parents = nodes
        node.vjp = functools.partial(self.pull, y, pull, leaves, at, top)
        return ARRAY(y, top, node)

    def pull(self, y: Any, pull: Callable[[Any], Any], leaves: list[Any], at: list[int], top: int, y_bar: Any) -> list[Any]:
        """The cotangents of the arguments `at`."""
        if type(y_bar) not in _NUMBERS or y_bar.dtype is not y.dtype or y_bar.shape != y.shape:
            y_bar = values.fit(self.form, "y_bar", y_bar, y)
            if type(y_bar) in BOXES:
                return wanted_pull(self.form, self._leaf_pull([y], LEAF, pull, leaves), leaves, at, top)([y_bar])
        try:
            cotangents = pull(y_bar)
            if type(cotangents) is not tuple or len(cotangents) != len(leaves):
                cotangents = self.form.arity(cotangents, len(leaves), self.rule, "cotangent")
            found = []
            for i in at:
                c, x = cotangents[i], leaves[i]
                if type(c) is Thunk:
                    c = c.fn()
                if type(c) not in _NUMBERS or c.dtype is not x.dtype or c.shape != x.shape:
                    c = self._checked(c, i, leaves, top)
                found.append(c)
        except RulebookError:
            raise
        except Exception as error:
            raise self.form.explain(error, self.rule.kind) from error.__cause__
        return found

    def _checked(self, c: Any, i: int, leaves: list[Any], top: int) -> Any:
        """One cotangent that is not simply an array like its primal."""
        alone: list[Any] = [None] * len(leaves)
        alone[i] = c
        c = self.form.fit_cotangents(self.rule, leaves, tuple(alone))[i]
        refuse_captured(self.form, [c], top, self.rule)
        return values.zeros_like(leaves[i]) if c is None else c

    def _leaf_pull(self, ys: list[Any], structure: Structure, pull: Any, leaves: list[Any]) -> Callable[..., list[Any]]:
        """The author's pullback on leaves, as the general way has it."""

        def pull_leaves(y_bars: list[Any], wanted: list[bool]) -> list[Any]:
            y_bar = self.form.cotangent_tree(self.rule, ys, structure, y_bars)
            return self.form.fit_cotangents(self.rule, leaves, self.form.run(self.rule, pull, y_bar), wanted)

        return pull_leaves

    def _tree(self, y: Any, pull: Any, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        """A result that is no real array."""
        ys, structure = self.form.flatten_result(y, self.rule.kind)
        refuse_captured(self.form, ys, top, self.rule)
        pull_leaves = self._leaf_pull(ys, structure, pull, leaves)
        return box_gradients(self.form, ys, structure, wanted_pull(self.form, pull_leaves, leaves, at, top), nodes, top)


def bind_start(form: NormalForm, rule: Reverse, primal: Callable[[tuple[Any, ...]], Any]) -> Start:
    """(y, pull) of concrete arguments as the author wrote them."""
    if type(rule) is Pullback:  # two calls less than by rule.start: 0.5 us of 5
        bind_pull = functools.partial(functools.partial, rule.fn, **form.statics)

        def given_output(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
            y = primal(args)
            return y, bind_pull(y, args)

        return given_output

    def start(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
        try:
            y, pull = rule.start(form, primal, args)
        except RulebookError:
            raise
        except Exception as error:
            raise form.explain(error, rule.kind) from error.__cause__
        return y, pull

    return start


class FastForward:
    """The forward rule of one form, run directly; `general` takes what it cannot."""

    def __init__(self, form: NormalForm, rule: Forward, general: Run) -> None:
        self.form = form
        self.rule = rule
        self.general = general
        self.primal = plain_primal(form)
        self.materialise = not rule.symbolic_zeros

    def __call__(self, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        """The result in a box of the trace."""
        dots: list[Any] = [None] * len(leaves)
        for i, node in zip(at, nodes, strict=True):
            x, x_dot = leaves[i], node.g
            if type(x_dot) not in _NUMBERS or x_dot.dtype is not x.dtype or x_dot.shape != x.shape or x.dtype.kind != "f":
                x_dot = values.tangent(self.form, i, x_dot, x)
                if type(x_dot) in BOXES:
                    return self.general(leaves, at, nodes, top)
            dots[i] = x_dot
        if self.materialise and len(at) < len(leaves):
            for i, x in enumerate(leaves):
                if dots[i] is None and x.dtype.kind in "fc":
                    dots[i] = np.zeros(x.shape, x.dtype)
        y, y_dot = self._joint(tuple(leaves), tuple(dots))
        return self._box(y, y_dot, top)

    def _joint(self, args: tuple[Any, ...], dots: tuple[Any, ...]) -> Any:
        try:
            return self.rule.joint(self.form, self.primal, args, dots)
        except RulebookError:
            raise
        except Exception as error:
            raise self.form.explain(error, self.rule.kind) from error.__cause__

    def _box(self, y: Any, y_dot: Any, top: int) -> Any:
        if type(y) in _NUMBERS and type(y_dot) in _NUMBERS and y_dot.dtype is y.dtype and y_dot.shape == y.shape and y.dtype.kind == "f":
            node = _new_tangent_node(JVPNode)
            node.g = y_dot
            return ARRAY(y, top, node)
        ys, structure = self.form.flatten_result(y, self.rule.kind)
        y_dots = self.form.fit_tangents(self.rule, ys, structure, y_dot)
        refuse_captured(self.form, [*ys, *y_dots], top, self.rule)
        return box_tangents(ys, y_dots, structure, top)
