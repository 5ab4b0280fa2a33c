"""What a function reads from outside its arguments: closure cells, defaults, globals, what objects hold.

Used to refuse a value that is being differentiated but reaches a rule past its arguments, where
its derivative would silently be zero, and to tell functions that depend on their arguments alone.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["find_captured", "reads"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, types.BuiltinFunctionType)
_MAX_DEPTH = 6


def _code_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _code_names(const)


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_code_names(code)))


def reads(fn: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The name and present value of everything that a Python function reads from outside."""
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # the cell is still empty
            continue
    namespace = fn.__globals__
    for name in _names(fn.__code__):
        if name in namespace:
            yield name, namespace[name]
    for i, value in enumerate(fn.__defaults__ or ()):
        yield f"default {i}", value
    yield from (fn.__kwdefaults__ or {}).items()


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.FunctionType):
        yield from reads(value)
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
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"[{key!r}]", item
    else:
        yield from getattr(value, "__dict__", {}).items()


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
        if depth < _MAX_DEPTH and not getattr(type(value), "_rulebook_primitive", False):
            stack += [(f"{path}{'' if name.startswith('[') else '.'}{name}", child, depth + 1) for name, child in _children(value)]
    return None
