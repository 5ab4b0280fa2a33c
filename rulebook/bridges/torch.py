"""The bridge to PyTorch: one rule pair under autograd, forward mode, torch.func, torch.compile and torch.export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges._torch import (
    gradients as _torch_gradients,
    host as _torch_host,
    inner as _torch_inner,
    loops as _torch_loops,
    many as _torch_many,
    operators as _torch_operators,
    private as _torch_private,
    values as _torch_values,
)
from rulebook.bridges._torch.bind import bind_form
from rulebook.bridges._torch.buffers import CELLS
from rulebook.engine import Engine
from rulebook.host import HostCall
from rulebook.normal import NormalForm
from rulebook.tangents import ShapeDtype

__all__ = ["TorchEngine", "engine"]

# How torch says that NumPy code asked a traced tensor for its numbers.
_TRACED = (
    "Can't call numpy() on Tensor that requires grad",
    "Cannot access data pointer of Tensor",
    ".numpy() is not supported for tensor subclasses",
    "It looks like you're calling .item() on a Tensor",
    "can't convert meta device type tensor to numpy",
    "Cannot access storage of",
)


class TorchEngine(Engine):
    """What rulebook needs to know about torch."""

    name = "torch"
    reverses = True
    keeps_marks = True
    writes = True

    def owns(self, kind: type) -> bool:
        """Whether values of this type are tensors."""
        return issubclass(kind, Tensor)

    def bind(self, form: NormalForm) -> Callable[..., Any]:
        """The function of the leaves of `form`, differentiated by the rules."""
        return bind_form(form)

    def asarray(self, value: Any, like: Any = None) -> Any:
        """A number or NumPy array as a tensor on the device of `like`."""
        return _torch_values.asarray(value, like)

    def zeros_like(self, value: Any) -> Any:
        """Zeros of the shape, dtype and device of a tensor."""
        return torch.zeros_like(value)

    def has_tangent(self, value: Any) -> bool:
        """Whether a tensor is real or complex floating."""
        if isinstance(value, Tensor):
            return _torch_values.has_tangent(value)
        return isinstance(value, (float, complex)) or getattr(getattr(value, "dtype", None), "kind", "") in ("f", "c")

    def is_number(self, value: Any) -> bool:
        """Whether a value is a tensor of one real number."""
        return type(value) is Tensor and value.dtype.is_floating_point and not value.ndim

    def cast(self, value: Any, like: Any) -> Any:
        """A tensor in the dtype of another; its real part where that is real."""
        if value.dtype.is_complex and not like.dtype.is_complex:
            value = value.real
        return value.to(like.dtype)

    def is_complex(self, value: Any) -> bool:
        """Whether a tensor is complex."""
        return value.dtype.is_complex if isinstance(value, Tensor) else isinstance(value, complex)

    def conj(self, value: Any) -> Any:
        """The complex conjugate."""
        return value.conj()

    def broadcast(self, value: Any, like: Any) -> Any:
        """A tensor repeated to the shape of another."""
        return value.expand(like.shape)

    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """The sum over axes, which stay with length one."""
        return value.sum(dim=axes, keepdim=True) if axes else value

    def to_numpy(self, value: Any) -> Any:
        """A tensor as a read-only NumPy array."""
        return _torch_values.to_numpy(value)

    def from_numpy(self, array: Any, like: Any) -> Any:
        """An array as a tensor with memory of its own, on the device of `like`."""
        return _torch_values.from_array(array, torch.device("cpu") if like is None else like.device, alone=False)

    def from_host(self, arrays: list[Any], like: Any) -> list[Any]:
        """What host code returned as tensors, without a copy where nobody else holds an array."""
        return _torch_values.from_host(arrays, torch.device("cpu") if like is None else like.device)

    def spec(self, value: Any) -> ShapeDtype:
        """The shape and NumPy dtype of a tensor."""
        return _torch_values.spec(value)

    def is_concrete(self, values: Sequence[Any]) -> bool:
        """Plain tensors outside of every transformation."""
        return _torch_values.is_concrete(values)

    def concrete(self, values: Sequence[Any]) -> list[Any] | None:
        """Values as read-only NumPy arrays; None where one is traced: inside of torch.func a plain one beside it cannot be read either."""
        return super().concrete(values) if self.is_concrete(values) else None

    def adopt(self, value: Any, fresh: bool) -> Any:
        """A tensor with memory of its own: nobody would expect a change of it to change anything else."""
        return torch.from_dlpack(value).clone()

    def is_marked(self, value: Any) -> bool:
        """Whether it requires grad, or is being differentiated."""
        return value.requires_grad or _torch_values.is_active(value)

    def host_call(self, call: HostCall, operands: Sequence[Any], like: Any = None) -> list[Any]:
        """Run host code on tensors, whatever transforms or traces them."""
        return _torch_host.host_call(call, operands, like)

    def stop_gradient(self, value: Any) -> Any:
        """The tensor, cut from what it was computed from."""
        if not value.requires_grad and _torch_private.is_legacy_batched(value):  # of is_grads_batched: torch cannot detach it
            return value
        return value.detach()

    def is_active(self, value: Any) -> bool:
        """Whether a derivative may be flowing through a tensor."""
        return _torch_values.is_active(value)

    def is_linked(self, value: Any) -> bool:
        """Whether any level of torch.func, or plain autograd, records the tensor."""
        return _torch_values.is_linked(value)

    def is_traced_error(self, error: Exception) -> bool:
        """Whether NumPy code met a tensor without concrete numbers."""
        return isinstance(error, (RuntimeError, NotImplementedError)) and any(text in str(error) for text in _TRACED)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Tensors that are made are ordinary ones: under torch.func's transformations and `torch.inference_mode` too."""
        with _torch_private.outside(), torch.inference_mode(False):
            yield

    def is_recording(self) -> bool:
        """Whether torch.compile or a strict torch.export records Python code."""
        return torch.compiler.is_dynamo_compiling()

    def jvp(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """`fn(*primals)` and its derivative along the tangents."""
        return _torch_operators.jvp(fn, primals, tangents)

    def vjp(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """`fn(*primals)` and its pullback."""
        return _torch_operators.vjp(fn, primals)

    def jvp_many(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """torch.func.vmap of the tangents alone, so that the primal runs once."""
        return _torch_many.jvp_many(fn, primals, tangents)

    def value_and_grad(self, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """By plain autograd, where nothing else is at work."""
        return _torch_gradients.value_and_grad(fn, xs) if _torch_gradients.is_plain() else super().value_and_grad(fn, xs)

    def jvp_at(self, fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """torch.func.jvp, with little around it."""
        return _torch_gradients.jvp(fn, xs, tangents)

    def vjp_at(self, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """By plain autograd, where nothing else is at work."""
        return _torch_gradients.vjp(fn, xs) if _torch_gradients.is_plain() else self.vjp(fn, xs)

    def hvp(self, fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...], many: bool) -> tuple[Any, ...]:
        """By plain autograd, where nothing else is at work."""
        if not _torch_gradients.is_plain():
            return super().hvp(fn, xs, tangents, many)
        return _torch_gradients.hvp(fn, xs, tangents, self.each if many else None)

    def compiled_function(self, fn: Callable[..., Any], how: Any, where: str) -> Callable[..., Any]:
        """torch.compile of the function, whose graph plain autograd differentiates."""
        return _torch_gradients.compiled(fn, how, where)

    def each(self, fn: Callable[..., Any], xs: Sequence[Any]) -> Any:
        """torch.func.vmap."""
        return _torch_many.each(fn, xs)

    def eye(self, n: int, like: Any) -> Any:
        """The identity matrix in the dtype and on the device of a tensor."""
        return torch.eye(n, dtype=like.dtype, device=like.device)

    def work_array(self, like: Any, xs: tuple[Any, ...]) -> Any:
        """A tensor that takes the values of xs at every level of torch.func."""
        return _torch_many.work_array(like, xs)

    def version(self, value: Any) -> int:
        """What torch counts."""
        return 0 if value.is_inference() else value._version

    def number(self, value: Any) -> Any:
        """A number of Python, where the tensor has one at hand: a comparison of two costs a tenth of that of tensors."""
        return _torch_loops.number(value)

    def while_loop(self, go_on: Callable[[Any], Any], body: Callable[[Any], Any], state: Any) -> Any:
        """In Python; under vmap until all examples have stopped."""
        return _torch_loops.while_loop(go_on, body, state)

    def put(self, array: Any, k: Any, row: Any) -> Any:
        """In place; a copy under vmap, where k may differ from example to example."""
        return _torch_loops.put(array, k, row)

    def cells(self) -> Any:
        """How buffers hold arrays of this engine."""
        return CELLS

    def namespace(self) -> Any:
        """The array namespace with NumPy's names."""
        from rulebook.bridges._torch.namespace import NAMESPACE

        return NAMESPACE

    def vmap(self, fn: Callable[..., tuple[Any, ...]], axes: Sequence[int | None]) -> Callable[..., tuple[Any, ...]]:
        """torch.func.vmap."""
        return torch.func.vmap(fn, tuple(axes))

    def sparse_matrix(self, data: Any, rows: Any, cols: Any, shape: tuple[int, int], like: Any) -> Any:
        """A coalesced torch.sparse_coo tensor."""
        where, values = torch.from_numpy(np.stack([rows, cols])), torch.from_numpy(np.array(data))
        return torch.sparse_coo_tensor(where, values, shape, device=like.device, is_coalesced=True, check_invariants=True)

    def inner(self) -> Any:
        """What runs a function of tensors for another engine."""
        return _torch_inner.TorchInner(self)


engine = TorchEngine()
