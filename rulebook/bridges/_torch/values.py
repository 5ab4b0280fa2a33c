"""Single torch values: how numbers come in and go out, and which of them are being differentiated."""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rulebook.bridges._torch import private
from rulebook.engine import TracedValueError
from rulebook.errors import ResultSpecError
from rulebook.tangents import ShapeDtype

__all__ = [
    "asarray",
    "dtype_of",
    "from_array",
    "from_host",
    "has_tangent",
    "is_active",
    "is_concrete",
    "is_linked",
    "is_native",
    "is_traced",
    "leaves_as_tensors",
    "spec",
    "tangent_of",
    "to_array",
    "to_arrays",
    "to_native",
    "to_numpy",
]

_PLAIN_DISPATCH = Tensor.__torch_dispatch__


def has_tangent(x: Any) -> bool:
    """Whether a tensor is real or complex floating."""
    return x.dtype.is_floating_point or x.dtype.is_complex  # type: ignore[no-any-return]


def asarray(value: Any, like: Any = None) -> Tensor:
    """A number or NumPy array as a tensor that shares no memory with it, on the device of `like`.

    A Python number takes the floating dtype of `like`, so that float32 stays float32; without one it
    is float64 or complex128, as in NumPy.  NumPy values keep their dtype.
    """
    if isinstance(value, Tensor):
        return value
    device = None if like is None else like.device
    kind = type(value)
    if kind is float or kind is complex:
        dtype = torch.float64 if like is None or not has_tangent(like) else like.dtype
        if kind is complex:
            dtype = dtype.to_complex()
        return torch.tensor(value, dtype=dtype, device=device)
    if isinstance(value, np.ndarray):
        value = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
        return torch.from_numpy(value) if device is None else torch.from_numpy(value).to(device)
    if isinstance(value, np.generic):
        return torch.from_numpy(np.array(value)).to(device)
    return torch.tensor(value, device=device)


def leaves_as_tensors(leaves: tuple[Any, ...]) -> list[Tensor]:
    """Every leaf as a tensor; Python numbers take the floating dtype of the tensors among them."""
    tensors = [x for x in leaves if isinstance(x, Tensor)]
    if len(tensors) == len(leaves):
        return list(leaves)
    like = _common(tensors)
    return [x if isinstance(x, Tensor) else asarray(x, like) for x in leaves]


def _common(tensors: list[Tensor]) -> Tensor | None:
    floating = [x for x in tensors if has_tangent(x)]
    if not floating:
        return None
    widest = floating[0]
    for x in floating[1:]:
        if torch.promote_types(widest.dtype, x.dtype) != widest.dtype:
            widest = x
    return widest


def tangent_of(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """A tensor without its tangent, and the tangent that forward mode sees on it at the innermost level."""
    if private.is_batched(x):  # forward mode cannot enclose a vmap level: torch.autograd.forward_ad.make_dual raises there
        return x, None
    primal, x_dot = private.unpack_dual(x, level=0)
    return primal, x_dot


def is_active(x: Tensor) -> bool:
    """Whether a derivative may be flowing through a tensor: of reverse or forward mode, or of torch.func."""
    if private.is_wrapped(x):
        return True
    if x.requires_grad and torch.is_grad_enabled():
        return True
    return private.forward_mode() and tangent_of(x)[1] is not None


def is_linked(x: Tensor) -> bool:
    """Whether reverse or forward mode follows a tensor at any level of torch.func or below; being wrapped is not enough."""
    while True:
        if (x.requires_grad and torch.is_grad_enabled()) or (private.forward_mode() and tangent_of(x)[1] is not None):
            return True
        if not private.is_wrapped(x):
            return False
        x = private.unwrap(x)


def is_traced(x: Tensor) -> bool:
    """Whether a tensor outside of torch.func has no numbers of its own."""
    return x.device.type == "meta" or type(x).__torch_dispatch__ is not _PLAIN_DISPATCH


def to_numpy(x: Tensor) -> np.ndarray[Any, Any]:
    """A tensor as a read-only NumPy array; bfloat16, which NumPy lacks, as float32.

    Raises:
        TracedValueError: it is being traced or differentiated.
    """
    x = private.unwrap_dead(x)
    if private.is_tracing() or not _has_numbers(x):
        raise TracedValueError
    return to_array(x)


def is_concrete(xs: Sequence[Tensor]) -> bool:
    """Whether tensors have numbers, and nothing is differentiated, mapped or traced."""
    return not private.is_tracing() and all(_has_numbers(x) for x in xs)


def _has_numbers(x: Tensor) -> bool:
    x = private.unwrap_dead(x)
    return not (is_active(x) or private.is_legacy_batched(x) or is_traced(x))


def to_array(x: Tensor) -> np.ndarray[Any, Any]:
    """The numbers of a tensor that has some, read-only."""
    try:
        array: np.ndarray[Any, Any] = x.numpy()
    except (RuntimeError, TypeError):  # lazy conjugates, negatives, zeros, and what another device holds
        array = (x.float() if x.dtype is torch.bfloat16 else x).numpy(force=True)
    array.flags.writeable = False
    return array


def to_arrays(xs: Sequence[Tensor], copy: bool = False) -> list[np.ndarray[Any, Any]]:
    """The numbers of tensors that have some, read-only."""
    try:
        arrays = [x.numpy() for x in xs]
    except (RuntimeError, TypeError):
        arrays = [to_array(x) for x in xs]
    if copy:
        arrays = [a.copy() for a in arrays]
    for a in arrays:
        a.setflags(False)
    return arrays


_ONE = [np.empty(1)]
_ALONE = getrefcount(_ONE[0])  # of an array that one list holds and nothing else
_OWN, _CONTIGUOUS = 0x404, 0x405  # flags of NumPy: owns its memory, writeable, C-contiguous


def from_host(arrays: list[Any], device: torch.device, contiguous: bool = False) -> list[Tensor]:
    """What host code returned as tensors; the list has to be the caller's only reference to the arrays."""
    need = _CONTIGUOUS if contiguous else _OWN
    here = device == _CPU
    found = []
    for k in range(len(arrays)):
        alone = getrefcount(arrays[k]) == _ALONE and arrays[k].flags.num & need == need
        if alone and here and arrays[k].dtype in _DTYPES:  # as from_array would: one call less
            found.append(torch.from_numpy(arrays[k]))
        else:
            found.append(from_array(arrays[k], device, alone))
    return found


def from_array(array: np.ndarray[Any, Any], device: torch.device, alone: bool) -> Tensor:
    """An array as a tensor, which takes its memory over where nobody else has it.

    Args:
        array: what host code returned.
        device: where it goes.
        alone: whether it owns its memory, which is writeable, and nothing refers to it.

    Raises:
        ResultSpecError: torch has no such dtype.
    """
    made = torch.from_numpy(array if alone and array.dtype in _DTYPES else to_native(array))
    return made if device == _CPU else made.to(device)


def is_native(dtype: np.dtype[Any]) -> bool:
    """Whether torch has a dtype."""
    return dtype in _DTYPES


def to_native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy in memory as torch can use it.

    Raises:
        ResultSpecError: torch has no such dtype.
    """
    native = np.array(array, array.dtype.newbyteorder("="), order="C")
    dtype_of(native.dtype)
    return native


_CPU = torch.device("cpu")
_NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128")
_DTYPES = {np.dtype(name): getattr(torch, name) for name in (*_NAMES, "uint16", "uint32", "uint64")}
_NUMPY_DTYPES = {**{t: n for n, t in _DTYPES.items()}, torch.bfloat16: np.dtype("float32")}


def dtype_of(dtype: np.dtype[Any]) -> torch.dtype:
    """The same in torch.

    Raises:
        ResultSpecError: there is none.
    """
    found = _DTYPES.get(dtype)
    if found is None:
        raise ResultSpecError(
            "host code (engine torch), its result.", "a dtype that torch has", f"{dtype}", "convert the result in host code"
        )
    return found


def spec(x: Tensor) -> ShapeDtype:
    """The shape and NumPy dtype of a tensor, as host code sees it."""
    return ShapeDtype(x.shape, _NUMPY_DTYPES.get(x.dtype, np.void))
