"""What in the code of a Function keeps torch from differentiating it: told by the names that the code reads."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

import torch
from torch.autograd.function import Function, once_differentiable

from rulebook.library import is_library_code
from rulebook.reads import reads

__all__ = ["is_once", "mentions", "reads_float", "unknown"]

# What takes numbers out of tensors, so that torch cannot differentiate the code that calls it.
_CUTS = frozenset(
    (
        *("detach", "detach_", "data", "numpy", "item", "tolist", "data_ptr", "untyped_storage"),
        *("no_grad", "inference_mode", "set_grad_enabled", "_set_grad_enabled", "from_numpy", "from_dlpack", "to_dlpack"),
    )
)
_PYTHON = frozenset(("torch", "numpy", *sys.stdlib_module_names))  # whose compiled functions torch sees into, or which refuse its tensors
_KNOWN = (
    *(types.FunctionType, types.ModuleType, types.BuiltinFunctionType, types.MethodDescriptorType, type),
    *(str, bytes, int, float, complex, type(None), tuple, list, dict, frozenset, slice),
    *(torch.Tensor, torch.dtype, torch.device, torch.Size),
)
_MAX_DEPTH = 6


def is_once(fn: Any) -> bool:
    """Whether a staticmethod is what `once_differentiable` made."""
    return getattr(getattr(fn, "__code__", None), "co_filename", "") == _ONCE


_ONCE = once_differentiable.__code__.co_filename


def mentions(fn: Any, depth: int = 0) -> set[str]:
    """What a function, and those that it calls, names among what takes numbers out of tensors."""
    fn = _plain(fn)
    if fn is None or depth > _MAX_DEPTH:
        return set()
    names = {name for code in _codes(fn.__code__) for name in code.co_names}
    found = names & _CUTS
    for name, value in reads(fn):
        if _is_foreign(value):
            found.add(name)
        for called in _called(value, names):
            if called is not fn:
                found |= mentions(called, depth + 1)
    return found


def unknown(fn: Any, depth: int = 0) -> str | None:
    """The name of an object that a function, or one that it calls, reads and that may run anything; None where there is none."""
    fn = _plain(fn)
    if fn is None or depth > _MAX_DEPTH:
        return None
    names = {name for code in _codes(fn.__code__) for name in code.co_names}
    for name, value in reads(fn):
        if not isinstance(value, _KNOWN):
            return name
        for called in _called(value, names):
            found = unknown(called, depth + 1) if called is not fn else None
            if found is not None:
                return found
    return None


def _plain(fn: Any) -> types.FunctionType | None:
    """A function of Python that is no library's."""
    fn = inspect.unwrap(getattr(fn, "__func__", fn)) if callable(fn) else fn
    return fn if isinstance(fn, types.FunctionType) and not is_library_code(fn) else None


def _called(value: Any, names: set[str]) -> list[Any]:
    """The functions that a function may call by a value that it reads: the value, or what it names of a class or a module."""
    if isinstance(value, types.FunctionType):
        return [value]
    if isinstance(value, type) or (isinstance(value, types.ModuleType) and not _is_python(value.__name__)):
        return [getattr(value, name) for name in sorted(names) if name in vars(value)]
    return []


def _is_foreign(value: Any) -> bool:
    """Whether something is compiled code that torch does not know: an extension module, a function of one, a kernel."""
    if isinstance(value, types.ModuleType):
        return not _is_python(value.__name__) and str(getattr(value, "__file__", "")).endswith((".so", ".pyd"))
    if isinstance(value, types.BuiltinFunctionType):
        return not _is_python(value.__module__ or getattr(value.__self__, "__name__", "builtins"))
    return (type(value).__module__ or "").partition(".")[0] in ("triton", "numba", "cupy")


def _is_python(module: str) -> bool:
    return module.partition(".")[0] in _PYTHON


def _codes(code: types.CodeType) -> list[types.CodeType]:
    return [code, *(inner for const in code.co_consts if isinstance(const, types.CodeType) for inner in _codes(const))]


def reads_float(function: type[Function]) -> bool:
    """Whether forward may make numbers of Python of tensors by `float`."""
    return any("float" in code.co_names for code in _codes(inspect.unwrap(function.forward).__code__))
