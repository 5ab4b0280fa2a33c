"""The `ctx` of an imported Function: what its forward keeps for backward and jvp, and what of that can be differentiated again."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from rulebook.errors import RuleSignatureError

__all__ = ["Context"]

_OWN = frozenset(
    ("function", "needs_input_grad", "forward_mode", "to_save", "saved_for_forward", "materialize_grads", "non_differentiable")
)
_CONSTANTS = (
    str,
    bytes,
    bool,
    int,
    complex,
    type(None),
    type,
    torch.Size,
    torch.dtype,
    torch.device,
    torch.layout,
    types.FunctionType,
    slice,
)


class Context(FunctionCtx):
    """What a Function is handed as `ctx`.

    Args:
        function: the name of the Function, for messages.
        needs: whether the gradient of each argument is needed.
    """

    def __init__(self, function: str, needs: tuple[bool, ...]) -> None:
        self.function = function
        self.needs_input_grad = needs
        self.forward_mode = False  # whether jvp is running
        self.to_save: tuple[Any, ...] = ()
        self.saved_for_forward: tuple[Any, ...] | None = None
        self.materialize_grads = True
        self.non_differentiable: tuple[Any, ...] = ()

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved, for jvp what was saved for it."""
        return self.saved_for_forward if self.forward_mode and self.saved_for_forward is not None else self.to_save

    def mark_dirty(self, *args: Any) -> NoReturn:
        """Refuse: a primitive never changes its arguments."""
        raise RuleSignatureError(
            f"{self.function}, ctx.mark_dirty.",
            "a forward that leaves its arguments as they are",
            "one that changes an argument in place",
            "clone the argument, change the clone and return it",
        )

    def _attributes(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in _OWN}

    def relink(self, places: Mapping[int, Any]) -> None:
        """Put other tensors in the places of arguments and results, which are told by their ids."""
        self.to_save = tuple(_mapped(t, places) for t in self.to_save)
        if self.saved_for_forward is not None:
            self.saved_for_forward = tuple(_mapped(t, places) for t in self.saved_for_forward)
        self.__dict__.update({k: _mapped(v, places) for k, v in self._attributes().items()})

    def intermediate(self, known: set[int], statics: list[Any], floats: bool) -> str | None:
        """The name of a kept value that is neither argument nor result nor constant: its own derivative is out of reach.

        Args:
            known: the ids of arguments and results.
            statics: the constants among the arguments.
            floats: whether numbers of Python may have been read from tensors.
        """
        saved = [("save_for_backward", t) for t in self.to_save] + [("save_for_forward", t) for t in self.saved_for_forward or ()]
        for name, value in [*saved, *((f"ctx.{k}", v) for k, v in self._attributes().items())]:
            for leaf in _leaves(value):
                if id(leaf) not in known and not any(leaf is s for s in statics) and _may_move(leaf, floats):
                    return name
        return None


def _mapped(value: Any, places: Mapping[int, Any]) -> Any:
    if isinstance(value, Tensor):
        return places.get(id(value), value)
    if type(value) in (tuple, list):
        return type(value)(_mapped(v, places) for v in value)
    return {k: _mapped(v, places) for k, v in value.items()} if type(value) is dict else value


def _leaves(value: Any) -> Iterator[Any]:
    if type(value) in (tuple, list, dict):
        for v in value.values() if type(value) is dict else value:
            yield from _leaves(v)
    else:
        yield value


def _may_move(value: Any, floats: bool) -> bool:
    """Whether a kept value may depend on the arguments in a way that has a derivative."""
    if isinstance(value, Tensor):
        return value.dtype.is_floating_point or value.dtype.is_complex
    if isinstance(value, (float, complex)):
        return floats
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind not in "biu"
    return not isinstance(value, _CONSTANTS)
