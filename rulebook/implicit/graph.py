"""Objects and functions with what they hold, searched for values and copied with others in their places."""

from __future__ import annotations

import copy
import functools
import types
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rulebook.captures import children, is_plain, is_sealed, slots

__all__ = ["Graph", "Remade"]

_MAX_DEPTH = 8


class Remade(ABC):
    """What is looked into, and made again of other functions: a solver that another solver captured."""

    @abstractmethod
    def parts(self) -> tuple[Any, ...]:
        """The functions that it is made of."""

    @abstractmethod
    def remade(self, parts: tuple[Any, ...]) -> Any:
        """The same of other functions."""


class Graph:
    """What some functions lead to.

    Args:
        roots: the functions.
        wanted: tells a value that is searched for.
        refused: the error for an object which leads to such a value and cannot be copied.

    Attributes:
        values: what was found, each once.
        paths: the name of each, as `params['w']`.
    """

    def __init__(self, roots: Sequence[Any], wanted: Callable[[Any], bool], refused: Callable[[Any], Exception]) -> None:
        self._roots = roots
        self._refused = refused
        self._places: dict[int, int] = {}  # id of a value -> its number
        self._leads: dict[int, bool] = {}  # id of an object -> whether it leads to one
        self._holders: dict[int, list[int]] = {}  # id of an object -> those of what holds it
        self._keep: list[Any] = []  # so that ids stay what they are
        self.values: list[Any] = []
        self.paths: list[str] = []
        self._search(wanted)
        self._mark_leads()

    def _search(self, wanted: Callable[[Any], bool]) -> None:
        """Note what is wanted, and who holds what; by the shortest paths first."""
        todo = deque((root, "", 0) for root in self._roots)
        self._leads.update((id(root), False) for root in self._roots)
        while todo:
            value, path, depth = todo.popleft()
            self._keep.append(value)
            if wanted(value):
                self._places[id(value)] = len(self.values)
                self.values.append(value)
                self.paths.append(path.removeprefix("."))
                continue
            for name, child in children(value.parts() if isinstance(value, Remade) else value) if depth < _MAX_DEPTH else ():
                if is_plain(child) or (is_sealed(child) and not isinstance(child, Remade)):
                    continue
                self._holders.setdefault(id(child), []).append(id(value))
                if id(child) not in self._leads:
                    self._leads[id(child)] = False
                    todo.append((child, path + (name if name.startswith("[") else f".{name}"), depth + 1))

    def _mark_leads(self) -> None:
        """Mark all that leads to what was found; objects may hold each other in circles."""
        todo = list(self._places)
        while todo:
            key = todo.pop()
            if not self._leads[key]:
                self._leads[key] = True
                todo += self._holders.get(key, [])

    def copy(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The functions with other values in the places of those that were found."""
        made: dict[int, Any] = {}
        return tuple(self._copy(root, values, made) for root in self._roots)

    def _copy(self, value: Any, values: Sequence[Any], made: dict[int, Any]) -> Any:
        key = id(value)
        if key in self._places:
            return values[self._places[key]]
        if not self._leads.get(key):
            return value
        if key not in made:
            make = lambda child: self._copy(child, values, made)
            made[key] = value
            made[key] = self._function(value, make, made) if isinstance(value, types.FunctionType) else self._replaced(value, make, made)
        return made[key]

    def _replaced(self, value: Any, make: Callable[[Any], Any], made: dict[int, Any]) -> Any:
        if isinstance(value, Remade):
            return value.remade(tuple(map(make, value.parts())))
        if isinstance(value, types.MethodType):
            return types.MethodType(make(value.__func__), make(value.__self__))
        if isinstance(value, functools.partial):
            return functools.partial(make(value.func), *map(make, value.args), **{k: make(v) for k, v in value.keywords.items()})
        if isinstance(value, tuple) and hasattr(type(value), "_fields"):
            return type(value)(*map(make, value))
        if isinstance(value, (list, tuple, set, frozenset)):
            return type(value)(map(make, value))
        if isinstance(value, dict):
            changed = made[id(value)] = copy.copy(value)
            changed.update({k: make(v) for k, v in value.items()})
            return changed
        if isinstance(value, types.MappingProxyType):
            return types.MappingProxyType({k: make(v) for k, v in value.items()})
        return self._object(value, make, made)

    def _object(self, value: Any, make: Callable[[Any], Any], made: dict[int, Any]) -> Any:
        if callable(value) and hasattr(value, "__wrapped__"):  # compiled code, which would run what it was made of
            raise self._refused(value)
        changed = made[id(value)] = copy.copy(value)  # what it holds may lead back to it
        for name, item in slots(value):
            object.__setattr__(changed, name, make(item))
        getattr(changed, "__dict__", {}).update({k: make(v) for k, v in getattr(value, "__dict__", {}).items()})
        return changed

    def _function(self, fn: types.FunctionType, make: Callable[[Any], Any], made: dict[int, Any]) -> Any:
        cells = tuple(c if self._stays(c) else types.CellType() for c in fn.__closure__ or ())
        globals_ = dict(fn.__globals__) if self._leading_globals(fn) else fn.__globals__
        changed = types.FunctionType(fn.__code__, globals_, fn.__name__, None, cells)
        made[id(fn)] = changed  # what it captured may lead back to it
        globals_.update({name: make(fn.__globals__[name]) for name in self._leading_globals(fn)})
        for new, old in zip(cells, fn.__closure__ or (), strict=True):
            if new is not old:
                new.cell_contents = make(old.cell_contents)
        changed.__defaults__ = None if fn.__defaults__ is None else tuple(map(make, fn.__defaults__))
        changed.__kwdefaults__ = None if fn.__kwdefaults__ is None else {k: make(v) for k, v in fn.__kwdefaults__.items()}
        changed.__dict__.update({k: make(v) for k, v in fn.__dict__.items()})
        changed.__qualname__, changed.__module__ = fn.__qualname__, fn.__module__
        return changed

    def _leading_globals(self, fn: types.FunctionType) -> list[str]:
        """The globals that a function reads and that lead to what was found."""
        return [name for name, v in children(fn) if self._leads.get(id(v)) and fn.__globals__.get(name) is v]

    def _stays(self, cell: types.CellType) -> bool:
        """Whether a cell leads to nothing that was found, so that functions go on sharing it."""
        try:
            key = id(cell.cell_contents)
        except ValueError:  # it is still empty
            return True
        return key not in self._places and not self._leads.get(key)
