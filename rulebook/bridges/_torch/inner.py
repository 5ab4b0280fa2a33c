"""torch as the engine that runs a function for another engine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from rulebook import trees
from rulebook.bridges._torch import private
from rulebook.bridges._torch.operators import Flat, pullback_of, record, transpose_of
from rulebook.bridges._torch.values import asarray, dtype_of, spec
from rulebook.crossing.inner import Fn, Inner, Pull, WrongResultError, a_kind
from rulebook.tangents import ShapeDtype

__all__ = ["TorchInner"]

_WRITES = ("a leaf Variable that requires grad", "a view of a leaf Variable that requires grad", "Inplace update to inference tensor")


class TorchInner(Inner):
    """Functions of tensors on other engines' numbers."""

    def take(self, value: Any, like: Any = None) -> Any:
        """A tensor with memory of its own."""
        if isinstance(value, np.ndarray) and value.dtype.name == "bfloat16":
            return torch.from_numpy(np.array(value).view(np.int16)).view(torch.bfloat16)
        return asarray(value, like) if isinstance(value, (np.ndarray, np.generic, int, float, complex)) else value

    def give(self, value: Any) -> Any:
        """The numbers of a tensor."""
        if isinstance(value, Tensor):
            if value.requires_grad or private.is_wrapped(value):
                raise _captured()
            if value.dtype is torch.bfloat16:
                return _bfloat16(value)
            return value.numpy(force=True)
        if isinstance(value, (float, complex, np.inexact)) or (isinstance(value, np.ndarray) and value.dtype.kind in "fc"):
            raise WrongResultError("tensors, so that they can be differentiated", a_kind(value), "compute the result with torch")
        return super().give(value)

    def is_write(self, error: Exception) -> bool:
        """Whether torch refused a write to an argument."""
        return isinstance(error, RuntimeError) and any(text in str(error) for text in _WRITES)

    def has_written(self, values: Sequence[Any]) -> bool:
        """Whether a tensor has another version than when it was made."""
        return any(isinstance(x, Tensor) and x._version > 0 for x in values)

    def settings(self, leaves: Sequence[Any]) -> contextlib.AbstractContextManager[Any]:
        """Grad mode on: a result then tells whether the function captured a tensor that requires grad."""
        return torch.enable_grad()

    def start(self, fn: Fn, primals: tuple[Any, ...]) -> tuple[Any, Pull]:
        """By a graph of plain autograd."""
        if private.peek() is not None or private.forward_mode():
            return super().start(fn, primals)
        flat = Flat(fn, primals)
        aliases, ys, fixed = record(flat, flat.values())
        if _reached(ys) - set(map(id, aliases)):
            raise _captured()
        values = tuple(y.detach() for y in ys)
        return flat.result(values, fixed), pullback_of(flat, values, transpose_of(ys, aliases))

    def infer(self, fn: Fn, args: tuple[Any, ...]) -> Any:
        """On fake tensors; on numbers made up where the function looks at numbers."""
        leaves, structure = trees.flatten(args)
        try:
            with FakeTensorMode(allow_non_fake_inputs=True):
                values = [torch.empty(x.shape, dtype=dtype_of(x.dtype)) if isinstance(x, ShapeDtype) else x for x in leaves]
                ys, out = trees.flatten(fn(*structure.unflatten(iter(values))))
        except Exception:
            return super().infer(fn, args)
        return out.unflatten(iter([spec(y) if isinstance(y, Tensor) else ShapeDtype(np.shape(y), np.asarray(y).dtype) for y in ys]))


def _reached(ys: Sequence[Tensor]) -> set[int]:
    """The leaves of the graphs of tensors, by id."""
    found: set[int] = set()
    seen: set[Any] = set()
    stack = [y.grad_fn for y in ys]
    found.update(id(y) for y in ys if y.requires_grad and y.grad_fn is None)
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found.add(id(leaf))
        stack += [before for before, _ in node.next_functions]
    return found


def _captured() -> WrongResultError:
    return WrongResultError(
        "a result of the arguments alone",
        "one that depends on a tensor that requires grad and is no argument, whose derivative would be lost",
        "pass it as an argument (a module's parameters by torch.func.functional_call), or let it be constant by requires_grad_(False)",
    )


def _bfloat16(value: Tensor) -> Any:
    """A tensor of bfloat16 in NumPy: the dtype of ml_dtypes where JAX has brought it, else float32."""
    dtypes = sys.modules.get("ml_dtypes")
    if dtypes is None:
        return value.float().numpy(force=True)
    return value.view(torch.int16).numpy(force=True).view(dtypes.bfloat16)
