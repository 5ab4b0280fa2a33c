"""Where the modules of other libraries hold functions that the mode replaces, and putting others there for a time.

A module holds NumPy as `np`, as `from numpy import asarray`, in the cells of its decorators, and
by imports inside its functions.  NumPy itself, the engines and this package keep the originals.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Places"]

_OWN = frozenset(
    ("_pytest", "_rulebook_pytest", "autograd", "builtins", "importlib", "jax", "jaxlib", "math", "numpy", "pytest", "rulebook", "torch")
)
_LIKE_OTHERS = "numpy.polynomial"  # which does not dispatch
_ABSENT: Any = object()


def _is_other(name: str) -> bool:
    """Whether a module is a library's, or the author's, in which the mode replaces."""
    return name.partition(".")[0] not in _OWN or f"{name}.".startswith(f"{_LIKE_OTHERS}.")


class _Slot:
    """A name of a namespace or class, or a cell, what it holds, and what is to stand there."""

    __slots__ = ("new", "old", "place")

    def __init__(self, place: Any, old: Any, new: Any) -> None:
        self.place = place
        self.old = old
        self.new = new

    def _read(self) -> Any:
        if isinstance(self.place, types.CellType):
            return self.place.cell_contents
        namespace, name = self.place
        return (vars(namespace) if isinstance(namespace, type) else namespace).get(name, _ABSENT)

    def put(self, value: Any, instead_of: Any) -> None:
        """Write a value, unless somebody else wrote another one meanwhile."""
        if self._read() is not instead_of:
            return
        if isinstance(self.place, types.CellType):
            self.place.cell_contents = value
            return
        namespace, name = self.place
        if isinstance(namespace, type):
            setattr(namespace, name, value)
        elif value is _ABSENT:
            del namespace[name]
        else:
            namespace[name] = value


class Places:
    """The places of some functions and modules.

    Args:
        table: what is replaced, and what stands in its place.
        builtin: name of a builtin -> what stands for it, and in which namespaces.
    """

    def __init__(self, table: list[tuple[Any, Any]], builtin: dict[str, tuple[Any, Callable[[dict[str, Any]], bool]]]) -> None:
        self._kept = table  # so that ids stay what they are
        self._table = {id(old): new for old, new in table}
        self._originals = {id(new): old for old, new in table}
        self._builtin = builtin
        self._known: dict[int, tuple[int, list[_Slot]]] = {}  # id of a namespace -> its length when it was searched, what was found
        self._slots: list[_Slot] = []
        self._before: frozenset[str] = frozenset()
        self._import: Any = None

    def replace(self) -> None:
        """Put the others there."""
        self._slots = [slot for namespace in _namespaces() for slot in self._found(namespace)]
        self._before = frozenset(sys.modules)
        for slot in self._slots:
            slot.put(slot.new, instead_of=slot.old)
        self._import = builtins.__import__
        builtins.__import__ = self._importing

    def restore(self) -> None:
        """Put everything back, also what modules that were imported in between hold."""
        if builtins.__import__ == self._importing:
            builtins.__import__ = self._import
        for slot in self._slots:
            slot.put(slot.old, instead_of=slot.new)
        for name in sys.modules.keys() - self._before:
            namespace = getattr(sys.modules.get(name), "__dict__", {})
            for key, value in list(namespace.items()):
                if id(value) in self._originals:
                    namespace[key] = self._originals[id(value)]

    def _importing(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        """As `__import__`; what functions of other libraries import is replaced, what modules import as they are loaded is not."""
        found = self._import(name, globals, locals, fromlist, level)
        inside = globals is not None and locals is not globals and _is_other(globals.get("__name__", "rulebook"))
        return self._table.get(id(found), found) if inside else found

    def _found(self, namespace: dict[str, Any]) -> list[_Slot]:
        """The slots of a namespace: those of the last time, unless its length has changed."""
        length, found = self._known.get(id(namespace), (-1, []))
        if length != len(namespace):
            found = [_Slot((namespace, key), v, self._table[id(v)]) for key, v in list(namespace.items()) if id(v) in self._table]
            found += [_Slot(place, v, staticmethod(self._table[id(v)])) for place, v in _members(namespace) if id(v) in self._table]
            found += [_Slot(cell, v, self._table[id(v)]) for cell, v in _cells(namespace) if id(v) in self._table]
            for name, (new, wanted) in self._builtin.items():
                if name not in namespace and wanted(namespace):
                    found.append(_Slot((namespace, name), _ABSENT, new))
            self._known[id(namespace)] = len(namespace), found
        return found


def _namespaces() -> Iterator[dict[str, Any]]:
    """The namespaces of other libraries' modules that are written in Python, and of the program's."""
    modules: list[tuple[str, Any]] = list(sys.modules.items())  # anything may stand there
    for name, module in modules:
        written = name == "__main__" or (getattr(module, "__file__", None) or "").endswith(".py")
        if written and isinstance(module, types.ModuleType) and _is_other(name):
            yield module.__dict__


def _cells(namespace: dict[str, Any]) -> Iterator[tuple[types.CellType, Any]]:
    """The cells of a namespace's functions, and what they hold."""
    for fn in list(namespace.values()):
        if isinstance(fn, types.FunctionType) and fn.__closure__ and _is_other(fn.__globals__.get("__name__", "")):
            for cell in fn.__closure__:
                try:
                    yield cell, cell.cell_contents
                except ValueError:  # it is still empty
                    continue


def _members(namespace: dict[str, Any]) -> Iterator[tuple[tuple[type, str], Any]]:
    """The compiled functions that a module's classes hold, which are no methods."""
    for cls in list(namespace.values()):
        if isinstance(cls, type) and cls.__module__ == namespace.get("__name__"):
            for name, member in list(vars(cls).items()):
                if isinstance(member, types.BuiltinFunctionType):
                    yield (cls, name), member
