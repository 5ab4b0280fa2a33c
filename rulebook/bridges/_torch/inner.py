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
from rulebook.bridges._torch.graph import reaches_beyond
from rulebook.bridges._torch.operators import Flat, pullback_of, record, transpose_of
from rulebook.bridges._torch.values import asarray, dtype_of, has_tangent, is_native, spec
from rulebook.crossing.inner import CapturedError, Fn, Inner, Pull, WrongResultError, a_kind
from rulebook.engine import Engine
from rulebook.engines import NUMPY, OPAQUE, kind_of
from rulebook.tangents import ShapeDtype

__all__ = ["TorchInner"]

_LARGE = 1 << 18  # bytes from which on borrowing memory is cheaper than copying it
_NOTHING = contextlib.nullcontext()
_DL_CPU = 1  # kDLCPU of DLPack
_WRITES = ("a leaf Variable that requires grad", "a view of a leaf Variable that requires grad")


class TorchInner(Inner):
    """Functions of tensors on other engines' numbers."""

    def takes(self, outer: Engine, values: Sequence[Any]) -> bool:
        """JAX arrays."""
        return outer.name == "jax"

    def take(self, value: Any, borrow: bool = False) -> Any:
        """A tensor with memory of its own; borrowed, one that torch refuses to write to."""
        borrow = borrow and private.peek() is None
        kind = kind_of(type(value))
        if kind == NUMPY:
            return _from_numpy(value, borrow) if isinstance(value, np.ndarray) else asarray(value)
        if kind in (self.name, OPAQUE):
            return value
        if _is_on_cpu(value):
            return _from_numpy(np.asarray(value), borrow)
        made = torch.from_dlpack(value)
        return _borrowed(value) if borrow and has_tangent(made) else made.clone()

    def changed(self, values: Sequence[Any], originals: Sequence[Any] | None) -> bool:
        """Whether a tensor has another version than when it was made, or differs from what it was copied from."""
        if any(isinstance(x, Tensor) and x._version > 0 for x in values):
            return True
        pairs = zip(values, originals or (), strict=originals is not None)
        return any(isinstance(x, Tensor) and not _same(x, self.take(o)) for x, o in pairs)

    def give(self, held: list[Any], k: int, outer: Engine | None) -> tuple[Any, bool]:
        """The numbers of a tensor; on another device, the tensor."""
        if not isinstance(held[k], Tensor):
            return self._number(held, k, outer)
        fresh = _is_fresh(held, k)
        value = held[k]
        if value.requires_grad or private.is_wrapped(value):
            raise _captured()
        if outer is not None and not value.is_cpu:
            return value.resolve_conj().resolve_neg().contiguous(), fresh
        if value.dtype is torch.bfloat16:
            return _bfloat16(value), False
        return value.numpy(force=True), fresh

    def _number(self, held: list[Any], k: int, outer: Engine | None) -> tuple[Any, bool]:
        value = held[k]
        if isinstance(value, (float, complex, np.inexact)) or (isinstance(value, np.ndarray) and value.dtype.kind in "fc"):
            raise WrongResultError("tensors, so that they can be differentiated", a_kind(value), "compute the result with torch")
        return super().give(held, k, outer)

    def is_write(self, error: Exception) -> bool:
        """Whether torch refused a write to an argument."""
        return isinstance(error, RuntimeError) and any(text in str(error) for text in _WRITES)

    def needs_copy(self, error: Exception) -> bool:
        """Whether the function does what torch refuses where something is recorded."""
        return isinstance(error, _DroppedError) or (isinstance(error, RuntimeError) and "require" in str(error) and "grad" in str(error))

    def primal(self, fn: Fn, primals: tuple[Any, ...]) -> Any:
        """The function itself; with borrowed arguments torch records, so that it sees to them, and keeps nothing."""
        borrowed = [x for x in trees.leaves_of(primals) if isinstance(x, Tensor) and x.requires_grad]
        if not borrowed:
            return fn(*primals)
        with torch.autograd.graph.saved_tensors_hooks(_drop, _gone):
            ys, structure = trees.flatten(fn(*primals))
        if reaches_beyond([y for y in ys if isinstance(y, Tensor)], borrowed):
            raise _captured()
        return structure.unflatten(iter([y.detach() if isinstance(y, Tensor) else y for y in ys]))

    def settings(self, leaves: Sequence[Any]) -> contextlib.AbstractContextManager[Any]:
        """Grad mode on: a result then tells whether the function captured a tensor that requires grad."""
        return _NOTHING if torch.is_grad_enabled() else torch.enable_grad()

    def start(self, fn: Fn, primals: tuple[Any, ...]) -> tuple[Any, Pull]:
        """By a graph of plain autograd."""
        if private.peek() is not None or private.forward_mode():
            return super().start(fn, primals)
        flat = Flat(fn, primals)
        aliases, ys, fixed = record(flat, flat.values())
        if reaches_beyond(ys, aliases):
            raise _captured()
        values = tuple(y.detach() for y in ys)
        return flat.result(values, fixed), pullback_of(flat, values, transpose_of(ys, aliases))

    def infer(self, fn: Fn, args: tuple[Any, ...]) -> Any:
        """On fake tensors; on numbers made up where the function looks at numbers."""
        leaves, structure = trees.flatten(args)
        try:
            with FakeTensorMode(allow_non_fake_inputs=True):
                values = [torch.empty(x.shape, dtype=_dtype(x.dtype)) if isinstance(x, ShapeDtype) else x for x in leaves]
                ys, out = trees.flatten(fn(*structure.unflatten(iter(values))))
        except Exception:
            return super().infer(fn, args)
        return out.unflatten(iter([_spec(y) for y in ys]))


def _dtype(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.bfloat16 if dtype.kind == "V" and dtype.name == "bfloat16" else dtype_of(dtype)


def _spec(y: Any) -> ShapeDtype:
    """What a result looks like in NumPy."""
    if not isinstance(y, Tensor):
        return ShapeDtype(np.shape(y), np.asarray(y).dtype)
    if y.dtype is torch.bfloat16:
        return ShapeDtype(y.shape, _bfloat16(torch.zeros(1, dtype=y.dtype)).dtype)
    return spec(y)


def _from_numpy(array: Any, borrow: bool) -> Tensor:
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(array).view(np.int16)).view(torch.bfloat16)
    # DLPack of torch ends the process at a negative stride.
    if borrow and array.nbytes >= _LARGE and array.flags.c_contiguous and array.dtype.kind in "fc" and is_native(array.dtype):
        return _borrowed(array)
    return torch.from_numpy(np.array(array)) if is_native(array.dtype) else asarray(array)


def _borrowed(value: Any) -> Tensor:
    """A tensor in somebody else's memory, which torch refuses to write to while grad mode is on, as it is a leaf that requires grad."""
    return torch.from_dlpack(value).requires_grad_()


class _DroppedError(RuntimeError):
    """The function differentiates something itself."""


def _drop(x: Tensor) -> None:
    """Nothing is kept for a backward pass that will not come."""


def _gone(x: None) -> Tensor:
    raise _DroppedError


def _is_on_cpu(value: Any) -> bool:
    try:
        return value.__dlpack_device__()[0] == _DL_CPU
    except Exception:  # an array over several devices
        return True


def _same(x: Tensor, o: Tensor) -> bool:
    return bool(((x == o) | ((x != x) & (o != o))).all())


def _owners(held: list[Any], k: int) -> tuple[int, int, int, int]:
    """How often a tensor and its memory are referred to, each from Python and from C++; no variable here refers to the tensor."""
    storage = held[k].untyped_storage()
    return sys.getrefcount(held[k]), held[k]._use_count(), sys.getrefcount(storage), private.storage_count(storage._cdata)


with private.outside():  # the bridge may be loaded inside a transformation
    _ALONE = _owners([torch.zeros(1)], 0)


def _is_fresh(held: list[Any], k: int) -> bool:
    """Whether nobody but a list refers to a tensor and its memory, which torch has allocated."""
    return _owners(held, k) == _ALONE and held[k].is_contiguous() and held[k].untyped_storage().resizable()


def _captured() -> CapturedError:
    return CapturedError(
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
