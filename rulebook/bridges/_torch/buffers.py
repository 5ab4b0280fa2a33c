"""Buffers of torch tensors: each write makes a new tensor.

A tensor written in place would fail in backward passes ("modified by an inplace operation"), in vmap and in torch.func.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges._torch import private, values
from rulebook.buffers import keys
from rulebook.buffers.arithmetic import TAUGHT, Arithmetic, recorded_call, recorded_operation
from rulebook.buffers.cells import Cells
from rulebook.buffers.errors import EscapedBufferError
from rulebook.engines import constant
from rulebook.tangents import ShapeDtype

__all__ = ["CELLS"]


class TorchCells(Cells):
    """Tensors, which are never written to in place."""

    dispatches = False

    def empty(self, prototype: ShapeDtype, actives: tuple[Any, ...]) -> Any:
        """NaN everywhere, at the cost of one number, in the precision and on the device of the tensors among the actives."""
        if torch.compiler.is_dynamo_compiling():
            _teach_recorder()
        tensors = [x for x in actives if isinstance(x, Tensor)]
        dtype = _promoted([x.dtype for x in tensors if values.has_tangent(x)], prototype)
        if not dtype.is_complex and (prototype.dtype.kind == "c" or any(isinstance(x, complex) for x in actives)):
            dtype = dtype.to_complex()
        return torch.full((), torch.nan, dtype=dtype, device=tensors[0].device).expand(prototype.shape)

    def adopt(self, array: Any, value: Any) -> Any:
        """A copy, on the device of the value."""
        return values.asarray(array, value)

    def taken(self, value: Any) -> Any:
        """An array as a tensor where torch.compile records, as it cannot tell the dtype of arrays."""
        return torch.as_tensor(value) if torch.compiler.is_dynamo_compiling() and isinstance(value, np.ndarray) else value

    def fill(self, array: Any, value: Any, *, own: bool = False) -> Any:
        """A copy of the value, broadcast; an own one of the same kind is taken as it is."""
        own = own or not isinstance(value, Tensor)
        value = values.asarray(value, array).to(array.dtype)
        if value.shape == array.shape:
            return value if own else value.clone()
        return value.expand(array.shape).clone()

    def write(self, array: Any, key: Any, value: Any) -> Any:
        """A copy with the value put in."""
        value = values.asarray(value, array).to(array.dtype)
        if type(key) is int or (type(key) is tuple and all(type(k) is int for k in key)):
            return _with_element(array, key if type(key) is tuple else (key,), value)
        if _is_mask(key, array) and not value.ndim:
            return torch.where(key, value, array)
        at = _positions(key, array)
        return array.reshape(-1).index_put((at.reshape(-1),), value.expand(at.shape).reshape(-1)).reshape(array.shape)

    def read(self, array: Any, key: Any) -> Any:
        """A copy of the elements: nobody can write to the buffer through it."""
        if torch.compiler.is_dynamo_compiling():
            _teach_recorder()
        return array[key].clone() if _is_basic(key) else array.reshape(-1)[_positions(key, array)]

    def versioned(self, found: Any) -> tuple[Any, int] | None:
        """What was read, and its version; not while Python code is recorded."""
        if torch.compiler.is_dynamo_compiling() or found.is_inference():
            return None
        return found, found._version

    def check(self, array: Any) -> None:
        """Refuse a value of a level of torch.func that has ended: those of gradients go on without their derivative."""
        if torch.compiler.is_dynamo_compiling() or not private.is_wrapped(array):
            return
        running = private.peek()
        if private.is_dead(array) or private.level_of(array) > (0 if running is None else running.level()):
            raise EscapedBufferError(
                "A buffer (engine torch).",
                "a buffer made, written and frozen inside one function that torch.func transforms",
                "values of a transformation that has ended",
                "call DiffCache.get, or make the rb.Buffer, inside the function, and return rb.freeze(b) from it",
            )

    def seal(self, array: Any) -> Any:
        """The tensor."""
        return array


@constant
def _teach_recorder() -> None:
    """Make torch.compile take buffers as operands; where a release of torch differs, they are refused."""
    with contextlib.suppress(ImportError, AttributeError):
        private.record_on(Arithmetic, recorded_call, recorded_operation)
        TAUGHT.add("torch")


def _promoted(floating: list[Any], prototype: ShapeDtype) -> Any:
    if not floating:
        return values.dtype_of(np.dtype(prototype.dtype))
    dtype = floating[0]
    for other in floating[1:]:
        dtype = torch.promote_types(dtype, other)
    return dtype


def _with_element(array: Tensor, at: tuple[int, ...], value: Tensor) -> Tensor:
    """A copy with an element, or all behind it, put in; a fifth of what index_put and its derivative cost."""
    if not at:
        return value.expand(array.shape)
    return array.select_scatter(_with_element(array[at[0]], at[1:], value), 0, at[0])


def _is_mask(key: Any, array: Tensor) -> bool:
    """Whether a key is a traced mask, of which nobody knows how many elements it names."""
    return isinstance(key, Tensor) and key.dtype is torch.bool and key.shape == array.shape


def _is_fixed(key: Any) -> bool:
    """Whether a key is made of whole numbers and slices."""
    parts = key if type(key) is tuple else (key,)
    return all(k is None or k is ... or type(k) is int or type(k) is slice for k in parts)


def _is_basic(key: Any) -> bool:
    """Whether torch, which has no negative steps, takes the key."""
    parts = key if type(key) is tuple else (key,)
    return _is_fixed(key) and all(type(k) is not slice or k.step is None or k.step > 0 for k in parts)


def _positions(key: Any, array: Tensor) -> Tensor:
    """The elements that a key names, as indices into the flattened tensor."""
    if torch.compiler.is_dynamo_compiling():
        if _is_fixed(key):
            shape, at = _listed(tuple(array.shape), key)
            return torch.tensor(at, dtype=torch.int64, device=array.device).reshape(shape)
    elif keys.fixed(key) is not None:
        found = np.arange(array.numel()).reshape(tuple(array.shape))[key]
        return torch.from_numpy(np.array(found)).to(array.device)
    at = torch.arange(array.numel(), device=array.device).reshape(array.shape)
    parts = key if type(key) is tuple else (key,)
    if not any(isinstance(k, Tensor) and not k.ndim for k in parts):
        return at[key]
    # A traced number would be asked for its value; an array of one number is not.
    shape = keys.place(tuple(0 if isinstance(k, Tensor) and not k.ndim else k for k in parts), tuple(array.shape))
    return at[tuple(k.reshape(1) if isinstance(k, Tensor) and not k.ndim else k for k in parts)].reshape(shape)


@constant
def _listed(shape: tuple[int, ...], key: Any) -> tuple[tuple[int, ...], list[int]]:
    """The same with plain numbers, which a recorder takes as constants."""
    found = np.arange(int(np.prod(shape, dtype=np.intp))).reshape(shape)[key]
    return found.shape, found.reshape(-1).tolist()


CELLS = TorchCells()
