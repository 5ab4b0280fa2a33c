"""Whether a function could read a tensor from outside its arguments.

A captured tensor that requires grad is found by running the rule on detached arguments with grad
mode on: the result then requires grad.  That costs 0.5 us per argument, so it is left out for
functions that read nothing but modules of array code, functions, classes and strings.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from rulebook.captures import reads
from rulebook.namespace import Namespace

__all__ = ["may_alias", "may_capture"]

_ARRAY_CODE = frozenset(("torch", "numpy", "scipy", "rulebook", "jax", *sys.stdlib_module_names))
_SAFE = (str, bytes, type, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, Namespace)
_ALIASING = frozenset(("detach", "data", "stop_gradient", "from_dlpack", "to_dlpack", "untyped_storage", "set_", "from_blob", "getattr"))
_MAX_DEPTH = 6


def may_capture(fn: Callable[..., Any]) -> bool:
    """Whether fn may read a tensor past its arguments: yes, unless all that it reads is known to hold none."""
    return not _is_safe(fn, 0, set())


def _is_safe(value: Any, depth: int, seen: set[int]) -> bool:
    if isinstance(value, _SAFE) or id(value) in seen:
        return True
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] in _ARRAY_CODE
    if depth > _MAX_DEPTH:
        return False
    seen.add(id(value))
    if getattr(type(value), "_rulebook_primitive", False):
        value = value.fn
    if isinstance(value, functools.partial):
        return not value.args and not value.keywords and _is_safe(value.func, depth + 1, seen)
    if not isinstance(value, types.FunctionType):
        return False
    if _is_library(value):
        return True
    return all(_is_plain_default(name, v) or _is_safe(v, depth + 1, seen) for name, v in reads(value))


def may_alias(fn: Callable[..., Any]) -> bool:
    """Whether a tensor that fn makes may share memory in a way that its count of users does not show, as a detached one does."""
    return may_capture(fn) or (isinstance(fn, types.FunctionType) and _mentions_alias(fn, set()))


def _mentions_alias(fn: types.FunctionType, seen: set[int]) -> bool:
    seen.add(id(fn))
    if not _ALIASING.isdisjoint(_code_names(fn.__code__)):
        return True
    called = [v for _, v in reads(fn) if isinstance(v, types.FunctionType) and id(v) not in seen]
    return any(_mentions_alias(v, seen) for v in called if not _is_library(v))


def _code_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _code_names(const)


def _is_library(fn: types.FunctionType) -> bool:
    return (fn.__module__ or "").partition(".")[0] in ("torch", "rulebook", "numpy", "scipy")


def _is_plain_default(name: str, value: Any) -> bool:
    # A number in a default cannot be bound to a tensor later; one in a global or a cell can.
    return name.startswith("default ") and isinstance(value, (int, float, complex, type(None)))
