"""The torch function of one form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook.bridges._torch_levels import call_op
from rulebook.bridges._torch_ops import RuleOp
from rulebook.bridges._torch_values import leaves_as_tensors
from rulebook.normal import NormalForm

__all__ = ["bind_form"]


def bind_form(form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of a form, differentiated by its rules."""
    op = RuleOp(form, call_op)

    def call(*leaves: Any) -> Any:
        ys, structure = call_op(op, leaves_as_tensors(leaves))
        return structure.unflatten(iter(ys))

    return call
