"""What in the code of a Function keeps torch from differentiating it: told by the names that the code reads."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

from torch.autograd.function import Function, once_differentiable

from rulebook.library import is_library_code
from rulebook.reads import reads

__all__ = ["is_once", "mentions", "reads_float"]

# What takes numbers out of tensors, so that torch cannot differentiate the code that calls it.
_CUTS = frozenset(
    (
        *("detach", "detach_", "data", "numpy", "item", "tolist", "data_ptr", "untyped_storage"),
        *("no_grad", "inference_mode", "set_grad_enabled", "_set_grad_enabled", "from_numpy", "from_dlpack", "to_dlpack"),
    )
)
_PYTHON = frozenset(("torch", "numpy", *sys.stdlib_module_names))  # whose compiled functions torch sees into, or which refuse its tensors
_MAX_DEPTH = 6


def is_once(fn: Any) -> bool:
    """Whether a staticmethod is what `once_differentiable` made."""
    return getattr(getattr(fn, "__code__", None), "co_filename", "") == _ONCE


_ONCE = once_differentiable.__code__.co_filename


def mentions(fn: Any, depth: int = 0) -> set[str]:
    """What a function, and those that it calls, names among what takes numbers out of tensors."""
    fn = inspect.unwrap(fn) if callable(fn) else fn
    if not isinstance(fn, types.FunctionType) or depth > _MAX_DEPTH or is_library_code(fn):
        return set()
    found = {name for code in _codes(fn.__code__) for name in code.co_names if name in _CUTS}
    for name, value in reads(fn):
        if isinstance(value, types.FunctionType) and value is not fn:
            found |= mentions(value, depth + 1)
        elif _is_foreign(value):
            found.add(name)
    return found


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
