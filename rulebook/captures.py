"""What a function reads from outside its arguments: closure cells, defaults, globals, what objects hold.

Used to refuse a value that is being differentiated but reaches a rule past its arguments, where
its derivative would silently be zero, and to tell functions that depend on their arguments alone.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["Reads", "children", "find_captured", "is_plain", "is_sealed", "may_capture", "reads", "slots"]

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
    if _is_library_code(value):
        return False
    if not isinstance(value, types.FunctionType):
        return True
    return bool(value.__closure__) or any(_may_capture(v, seen) for _, v in reads(value))


_PURE_ROOTS = (
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "math",
    "cmath",
    "operator",
    "functools",
    "itertools",
    "collections",
    "typing",
    "rulebook",
    "builtins",
)
_IMMUTABLE_ROOTS = ("jax", "jaxlib")  # types whose instances do not change: arrays, jitted functions
_IMMUTABLE = ("rulebook.tangents", "rulebook.namespace")
_IMPURE_BUILTINS = ("print", "input", "open", "exec", "eval", "globals", "locals", "setattr", "next", "iter")


class Reads:
    """What a function reads from outside, if it is nothing but constants and functions like it.

    A function of this kind can be compiled once and run many times, as long as `unchanged()`.

    Args:
        fn: the function.
    """

    def __init__(self, fn: Any) -> None:
        self._entries: list[tuple[Callable[[], Any], Any]] = []
        self._seen: set[int] = set()
        self.pure = self._is_pure(fn, 0)

    def unchanged(self) -> bool:
        """Whether every name still stands for what it stood for."""
        return all(get() is value for get, value in self._entries)

    def _is_pure(self, value: Any, depth: int) -> bool:
        if isinstance(value, (str, bytes, int, float, complex, type(None), np.generic, np.dtype)) or id(value) in self._seen:
            return True
        if isinstance(value, type):  # the attributes of a user's class may be assigned to
            return value.__module__.partition(".")[0] in _PURE_ROOTS
        if getattr(type(value), "_rulebook_primitive", False):
            self._entries += [(functools.partial(getattr, value, rule), getattr(value, rule)) for rule in ("forward", "reverse", "batch")]
            return True
        if _is_library(value):
            return True
        self._seen.add(id(value))
        if hasattr(type(value), "_rulebook_reads"):
            return all(self._is_pure(v, depth) for v in value._rulebook_reads())
        if isinstance(value, tuple):
            return all(self._is_pure(v, depth) for v in value)
        if isinstance(value, functools.partial):
            return all(self._is_pure(v, depth) for v in (value.func, *value.args, *value.keywords.values()))
        return isinstance(value, types.FunctionType) and depth < _MAX_DEPTH and self._is_pure_function(value, depth + 1)

    def _is_pure_function(self, fn: types.FunctionType, depth: int) -> bool:
        names = _names(fn.__code__)
        if fn.__dict__.keys() - {"__wrapped__"}:  # so may those of a function
            return False
        if any(name in _IMPURE_BUILTINS for name in names) or _writes_outside(fn.__code__):
            return False
        for cell in fn.__closure__ or ():
            if not _is_filled(cell):
                return False
            self._entries.append((functools.partial(getattr, cell, "cell_contents"), cell.cell_contents))
        namespace = fn.__globals__
        self._entries += [(functools.partial(namespace.get, name), namespace[name]) for name in names if name in namespace]
        values = [value for _, value in reads(fn)]
        if "random" in names and any(value is np for value in values):
            return False
        return all(self._is_pure(value, depth) for value in values)


def _is_library(value: Any) -> bool:
    """Whether a value is code of a library whose functions depend on their arguments alone, or an immutable value of one."""
    module = type(value).__module__
    return _is_library_code(value) or module in _IMMUTABLE or module.partition(".")[0] in _IMMUTABLE_ROOTS


def _is_library_code(value: Any) -> bool:
    """Whether a value is a module or function of such a library."""
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] in _PURE_ROOTS
    if not isinstance(value, (types.FunctionType, types.BuiltinFunctionType, np.ufunc)):
        return False
    module = getattr(value, "__module__", None) or "numpy"
    if getattr(value, "__closure__", None) and module.startswith("rulebook."):
        return False  # what it closes over is the author's
    return module.partition(".")[0] in _PURE_ROOTS


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _writes_outside(code: types.CodeType) -> bool:
    """Whether code assigns to a global or to a variable of an enclosing function."""
    own = set(code.co_cellvars) | set(code.co_varnames)
    for op in dis.get_instructions(code):
        if op.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") or (op.opname in ("STORE_DEREF", "DELETE_DEREF") and op.argval not in own):
            return True
    return any(_writes_outside(c) for c in code.co_consts if isinstance(c, types.CodeType))
