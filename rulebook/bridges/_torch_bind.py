"""The torch function of one form: the fast way for plain tensors, the general way for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rulebook.bridges import _torch_fast
from rulebook.bridges import _torch_private as private
from rulebook.bridges._torch_levels import call_op
from rulebook.bridges._torch_ops import RuleOp
from rulebook.bridges._torch_values import leaves_as_tensors
from rulebook.normal import NormalForm
from rulebook.trees import LEAF, Structure

__all__ = ["bind_form"]


def bind_form(form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of a form, differentiated by its rules."""
    op = RuleOp(form, call_op)
    general = _general(op)
    rule = form.reverse
    if rule is None or rule.host or form.primitive.host:
        return general
    return _torch_fast.make(op, general)


class _Traced:
    """The function as one node of a graph that torch.compile records, with the structure of its last result."""

    def __init__(self, op: RuleOp) -> None:
        self.structure: Structure = LEAF

        def flat(*leaves: Any) -> Any:
            with private.in_graph():
                ys, self.structure = call_op(op, leaves_as_tensors(leaves))
            return ys[0] if self.structure is LEAF else tuple(ys)

        # Dynamo records the call as it is, so that the rules run when the graph is differentiated, under torch.func too;
        # an autograd.Function that dynamo traces into is ignored there (https://github.com/pytorch/pytorch/issues/193279).
        self.flat = torch.compiler.allow_in_graph(flat)
        self.last = torch.compiler.assume_constant_result(lambda: self.structure)


def _general(op: RuleOp) -> Callable[..., Any]:
    traced = _Traced(op)
    flat, last = traced.flat, traced.last

    def general(*leaves: Any) -> Any:
        if torch.compiler.is_dynamo_compiling():
            out = flat(*leaves)
            return out if isinstance(out, Tensor) else last().unflatten(iter(out))
        ys, structure = call_op(op, leaves_as_tensors(leaves))
        return ys[0] if structure is LEAF else structure.unflatten(iter(ys))

    return general
