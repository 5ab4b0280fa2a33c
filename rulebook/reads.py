"""What a function reads from outside its arguments, and whether that is still what it was."""

from __future__ import annotations

import dis
import functools
import operator
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from rulebook.library import is_library, is_library_code, is_library_type, wrapped_by

__all__ = ["Reads", "global_names", "reads", "same_array"]

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_CONSTANTS = (str, bytes, int, float, complex, type(None), np.generic, np.dtype)
_IMPURE_BUILTINS = frozenset(("print", "input", "open", "exec", "eval", "globals", "locals", "setattr", "next", "iter"))
_RULES = ("forward", "reverse", "batch")
_MAX_CALLS = 32
_NOTHING = object()

Contents = Callable[[Any], "np.ndarray[Any, Any] | None"]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those of the functions defined in it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _codes(const)


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> frozenset[str]:
    """The globals and attributes that code names."""
    return frozenset(name for inner in _codes(code) for name in inner.co_names)


@functools.lru_cache(maxsize=4096)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """The globals and builtins that code reads."""
    found = (op.argval for inner in _codes(code) for op in dis.get_instructions(inner) if op.opname in _LOADS)
    return tuple(dict.fromkeys(found))


def reads(fn: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The name and present value of everything that a Python function reads from outside."""
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # the cell is still empty
            continue
    namespace = fn.__globals__
    for name in global_names(fn.__code__):
        if name in namespace:
            yield name, namespace[name]
    for i, value in enumerate(fn.__defaults__ or ()):
        yield f"default {i}", value
    yield from (fn.__kwdefaults__ or {}).items()


@functools.lru_cache(maxsize=4096)
def _writes_outside(code: types.CodeType) -> bool:
    """Whether code assigns to a global or to a variable of an enclosing function."""
    own = set(code.co_cellvars) | set(code.co_varnames)
    for op in dis.get_instructions(code):
        if op.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") or (op.opname in ("STORE_DEREF", "DELETE_DEREF") and op.argval not in own):
            return True
    return any(_writes_outside(c) for c in code.co_consts if isinstance(c, types.CodeType))


class Reads:
    """What a function reads from outside, if it is nothing but constants and functions like it.

    What such a function gave holds for the same arguments as long as it is `unchanged()`: it can be compiled once and run many times.

    Args:
        fn: the function, or a tuple of functions and values.
        contents: gives the numbers of an array that may be written to, None for anything else.  With it, arrays, lists and dicts
            count as constants whose contents are compared, and host code is looked into.  Without it they make the function
            impure, and host code, which a compiled program calls anew, is passed by.
    """

    def __init__(self, fn: Any, contents: Contents | None = None) -> None:
        self._contents = contents
        self._globals: dict[tuple[int, str], tuple[dict[str, Any], str, Any]] = {}
        self._held: list[tuple[Callable[[], Any], Any]] = []
        self._items: list[tuple[Callable[[], Iterable[Any]], Sequence[Any]]] = []
        self._arrays: list[tuple[Any, np.ndarray[Any, Any]]] = []
        self._seen: dict[int, Any] = {}  # by id, and kept so that no other object gets it
        self.pure = self._is_pure(fn, 0)

    def unchanged(self) -> bool:
        """Whether every name still stands for what it stood for, and holds what it held."""
        for namespace, name, value in self._globals.values():  # at every call of what is compiled
            if namespace.get(name, _NOTHING) is not value:
                return False
        for get, value in self._held:
            if get() is not value:
                return False
        same = (_same_items(list(get()), kept) for get, kept in self._items)
        return not (self._items or self._arrays) or (all(same) and all(self._same_numbers(*pair) for pair in self._arrays))

    def _same_numbers(self, array: Any, kept: np.ndarray[Any, Any]) -> bool:
        now = None if self._contents is None else self._contents(array)
        return now is not None and same_array(now, kept)

    def _all_pure(self, values: Iterable[Any], depth: int) -> bool:
        return all(self._is_pure(value, depth) for value in values)

    def _is_pure(self, value: Any, depth: int) -> bool:
        if isinstance(value, _CONSTANTS) or id(value) in self._seen:
            return True
        if isinstance(value, type):
            return is_library_type(value)
        self._seen[id(value)] = value
        if isinstance(value, types.FunctionType) and not is_library_code(value):
            return depth < _MAX_CALLS and self._is_pure_function(value, depth + 1)
        if getattr(type(value), "_rulebook_primitive", False):
            return self._is_pure_primitive(value, depth)
        if isinstance(value, functools.partial):
            self._note_items(value.keywords)
        parts = _parts(value)
        if parts is not None:
            return self._all_pure(parts, depth)
        return self._contents is not None and self._is_known(value, self._contents, depth)

    def _is_pure_primitive(self, value: Any, depth: int) -> bool:
        rules = [getattr(value, name) for name in _RULES]
        self._held += [(functools.partial(getattr, value, name), rule) for name, rule in zip(_RULES, rules, strict=True)]
        skips_host = self._contents is None
        run = [part.fn for part in (value, *rules) if part is not None and not (skips_host and part.host)]
        return self._all_pure((*run, *getattr(value, "native", {}).values()), depth)

    def _is_pure_function(self, fn: types.FunctionType, depth: int) -> bool:
        if fn.__dict__.keys() - {"__wrapped__"}:  # attributes, which may be assigned to
            return False
        names = _names(fn.__code__)
        if not names.isdisjoint(_IMPURE_BUILTINS) or _writes_outside(fn.__code__):
            return False
        cells = [(functools.partial(_content, cell), _content(cell)) for cell in fn.__closure__ or ()]
        if any(value is _NOTHING for _, value in cells):
            return False
        self._held += cells
        if fn.__defaults__ is not None:
            self._held.append((functools.partial(getattr, fn, "__defaults__"), fn.__defaults__))
        if fn.__kwdefaults__ is not None:
            self._note_items(fn.__kwdefaults__)
        namespace = fn.__globals__
        for name in global_names(fn.__code__):
            self._globals[id(namespace), name] = namespace, name, namespace.get(name, _NOTHING)
        values = [value for _, value in reads(fn)]
        draws = "random" in names and any(value is np for value in values)
        return not draws and self._all_pure(values, depth)

    def _is_known(self, value: Any, contents: Contents, depth: int) -> bool:
        """Whether a value is one that may change, but whose contents can be compared."""
        if type(value) is list or type(value) is dict:
            self._note_items(value)
            return self._all_pure(value.values() if type(value) is dict else value, depth)
        if hasattr(type(value), "_rulebook_holds"):
            return self._all_pure(value._rulebook_holds(), depth)
        array = contents(value)
        if array is not None:
            self._arrays.append((value, np.array(array)))
        return array is not None

    def _note_items(self, value: Any) -> None:
        get = (lambda: [*value, *value.values()]) if isinstance(value, dict) else (lambda: value)
        self._items.append((get, list(get())))


def _parts(value: Any) -> Iterable[Any] | None:
    """What a value that does not change by itself runs or holds; None for any other value."""
    if type(value) is tuple or type(value) is frozenset or (isinstance(value, tuple) and hasattr(type(value), "_fields")):
        return value
    if isinstance(value, functools.partial):
        return value.func, *value.args, *value.keywords.values()
    if hasattr(type(value), "_rulebook_reads"):
        return tuple(value._rulebook_reads())
    return wrapped_by(value) if is_library(value) else None


def _same_items(now: Sequence[Any], kept: Sequence[Any]) -> bool:
    return len(now) == len(kept) and all(map(operator.is_, now, kept))


def same_array(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays have the same dtype, shape and numbers."""
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _content(cell: types.CellType) -> Any:
    """What a cell of a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return _NOTHING
