"""The torch function of one form: the fast way for plain tensors, the general way for everything else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rulebook.bridges._torch import fast as _torch_fast, fasthost as _torch_fasthost, private
from rulebook.bridges._torch.levels import call_op
from rulebook.bridges._torch.ops import RuleOp
from rulebook.bridges._torch.values import leaves_as_tensors
from rulebook.engines import constant
from rulebook.normal import NormalForm
from rulebook.trees import LEAF, Structure

__all__ = ["bind_form"]


def bind_form(form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of a form, differentiated by its rules."""
    op = RuleOp(form, call_op)
    general = _general(op)
    rule = form.reverse
    if rule is None or (rule.host and not form.primitive.host):
        return general
    if rule.host:
        return _torch_fasthost.make(op, general)
    return _torch_fast.make(op, general, _torch_fasthost.primal_of(form) if form.primitive.host else None)


class _Recorded:
    """The function while torch.compile records Python code."""

    def __init__(self, op: RuleOp) -> None:
        self.op = op
        self.structure: Structure = LEAF  # of the last result
        self.eager, self.run = _call, call_op

        def flat(*leaves: Any) -> Any:
            with private.in_graph():  # where a graph broke, it runs outside of one
                ys, self.structure = self.run(op, leaves_as_tensors(leaves))
            return ys[0] if self.structure is LEAF else tuple(ys)

        @constant
        def is_enclosed() -> bool:
            enclosed = private.record_as_is(flat)
            self.eager, self.run = private.unrecorded(_call), private.unrecorded(call_op)
            return enclosed

        self.flat, self.is_enclosed = flat, is_enclosed

    def call(self, leaves: tuple[Any, ...]) -> Any:
        """One node of the graph.

        Dynamo records the call as it is, so that the rules run when the graph is differentiated, under torch.func too;
        an autograd.Function that dynamo traces into is ignored there (https://github.com/pytorch/pytorch/issues/193279).
        A transformation around the whole recording would go past the rules: the call stays outside the graph.
        """
        if self.is_enclosed():
            return self.eager(self.op, leaves)
        out = self.flat(*leaves)
        return out if isinstance(out, Tensor) else self.structure.unflatten(iter(out))


def _call(op: RuleOp, leaves: tuple[Any, ...]) -> Any:
    ys, structure = call_op(op, leaves_as_tensors(leaves))
    return ys[0] if structure is LEAF else structure.unflatten(iter(ys))


def _general(op: RuleOp) -> Callable[..., Any]:
    recorded = _Recorded(op)

    def general(*leaves: Any) -> Any:
        if torch.compiler.is_dynamo_compiling():
            return recorded.call(leaves)
        if "torch._dynamo" in sys.modules:  # where a graph broke, torch.compile would try its luck with the frames of the bridge
            return private.unrecorded(_call)(op, leaves)
        return _call(op, leaves)

    return general
