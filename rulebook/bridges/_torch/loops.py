"""Loops on torch values, which run in Python; under vmap all examples go on until the last has stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rulebook import trees
from rulebook.bridges._torch import private, values
from rulebook.errors import RuleSignatureError

__all__ = ["number", "put", "while_loop"]


def while_loop(go_on: Callable[[Any], Any], body: Callable[[Any], Any], state: Any) -> Any:
    """See Engine."""
    while True:
        flag = go_on(state)
        plain = _unwrapped(flag)
        if not _any(plain):
            return state
        new = body(state)
        state = _where(flag, new, state) if isinstance(plain, Tensor) and plain.ndim else new


def number(value: Any) -> Any:
    """See Engine."""
    if not isinstance(value, Tensor) or private.is_wrapped(value) or private.is_tracing() or values.is_active(value):
        return value
    return value.item()


def _unwrapped(flag: Any) -> Any:
    while isinstance(flag, Tensor) and private.is_wrapped(flag):
        flag = private.unwrap(flag)
    return flag


def _any(flag: Any) -> bool:
    """Whether one example goes on."""
    if isinstance(flag, Tensor) and private.is_tracing():
        raise RuleSignatureError(
            "a loop of rulebook (engine torch) in a program that is recorded.",
            "a number of rounds that does not depend on values",
            "a loop that stops when it has converged",
            "pass linear_solver='dense', or leave the call outside of the compiled function",
        )
    return bool(flag.any()) if isinstance(flag, Tensor) else bool(flag)


def _where(flag: Tensor, new: Any, old: Any) -> Any:
    leaves, structure = trees.flatten(new)
    return structure.unflatten(iter([torch.where(flag, a, b) for a, b in zip(leaves, trees.leaves_of(old), strict=True)]))


def put(array: Tensor, k: Tensor, row: Tensor) -> Tensor:
    """See Engine."""
    if any(isinstance(x, Tensor) and private.is_wrapped(x) for x in (array, k, row)):
        numbers = torch.arange(array.shape[0], dtype=k.dtype, device=k.device)
        return torch.where((numbers == k).unsqueeze(-1), row, array)
    array[int(k)] = row
    return array
