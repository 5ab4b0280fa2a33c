"""What a function reads from outside its arguments: closure cells, defaults, globals, what objects hold.

Used to refuse a value that is being differentiated but reaches a rule past its arguments, where
its derivative would silently be zero.
"""

from __future__ import annotations

import builtins
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rulebook.library import is_library_code
from rulebook.reads import Reads as Reads, global_names, reads

__all__ = ["Reads", "children", "find_captured", "is_plain", "is_sealed", "may_capture", "reads", "slots"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, types.BuiltinFunctionType)
_NUMBERS = (int, float, complex, np.generic)
_MAX_DEPTH = 6


def is_plain(value: Any) -> bool:
    """Whether a value is plain data, a class, a module or C code, and so holds nothing of an engine."""
    return isinstance(value, _PLAIN)


def is_sealed(value: Any) -> bool:
    """Whether an object of rulebook answers itself for what it holds: a primitive, or what takes captured values out."""
    return getattr(type(value), "_rulebook_primitive", False) or getattr(type(value), "_rulebook_sealed", False)


def children(value: Any) -> Iterator[tuple[str, Any]]:
    """What a function or an object holds, one level deep, by name."""
    if isinstance(value, types.FunctionType):
        yield from reads(value)
        yield from value.__dict__.items()
    elif isinstance(value, types.MethodType):
        yield "self", value.__self__
        yield from reads(value.__func__) if isinstance(value.__func__, types.FunctionType) else ()
    elif isinstance(value, functools.partial):
        yield "func", value.func
        for i, arg in enumerate(value.args):
            yield f"args[{i}]", arg
        yield from value.keywords.items()
    elif isinstance(value, (list, tuple, set, frozenset)):
        for i, item in enumerate(value):
            yield f"[{i}]", item
    elif isinstance(value, (dict, types.MappingProxyType)):
        for key, item in value.items():
            yield f"[{key!r}]", item
    else:
        yield from getattr(value, "__dict__", {}).items()
        yield from slots(value)


def slots(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that an object keeps in `__slots__`."""
    for kind in type(value).__mro__:
        names = kind.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if not name.startswith("__") and hasattr(value, name):
                yield name, getattr(value, name)


def find_captured(root: Any, is_active: Callable[[Any], bool]) -> str | None:
    """The path of the first value reached from `root` for which `is_active` holds; None if there is none.

    Args:
        root: a function or any object.
        is_active: tells a value that is being differentiated.
    """
    seen: set[int] = set()
    stack: list[tuple[str, Any, int]] = [("", root, 0)]
    while stack:
        path, value, depth = stack.pop()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        if is_active(value):
            return path.removeprefix(".")
        if depth < _MAX_DEPTH and not is_sealed(value):
            stack += [(f"{path}{'' if name.startswith('[') else '.'}{name}", child, depth + 1) for name, child in children(value)]
    return None


def may_capture(value: Any) -> bool:
    """Whether a function could hold a value of an engine: in a closure, a default, an object or a global, also of what it calls."""
    return _may_capture(value, set())


def _may_capture(value: Any, seen: set[int]) -> bool:
    if isinstance(value, (*_PLAIN, np.generic, np.dtype)) or id(value) in seen:
        return False
    seen.add(id(value))
    if is_sealed(value):
        return any(_may_capture(part, seen) for part in getattr(value, "parts", tuple)())
    if is_library_code(value):
        return False
    if not isinstance(value, types.FunctionType):
        return True
    return bool(value.__closure__) or _may_be_bound(value) or any(_may_capture(v, seen) for _, v in reads(value))


def _may_be_bound(fn: types.FunctionType) -> bool:
    """Whether a function reads a global that does not exist yet or is a number, and may be bound to a value of an engine later."""
    found = (fn.__globals__.get(name, getattr(builtins, name, None)) for name in global_names(fn.__code__))
    return any(value is None or (isinstance(value, _NUMBERS) and not isinstance(value, bool)) for value in found)
