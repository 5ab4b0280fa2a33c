"""Values of an engine that a function reads past its arguments, taken out so that they can be arguments.

A residual or a solver that closes over what is being differentiated would have it as a constant.  `find` collects such values from
closures, defaults, bound methods, partial functions, containers and attributes, and `rebuild` makes the same functions of
other values: copies of what leads to them, and nothing else.
"""

from __future__ import annotations

import copy
import functools
import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from rulebook.captures import children, is_plain, is_sealed, slots
from rulebook.engines import CONTAINER, NUMPY, OPAQUE, kind_of, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.trees import leaves_of

__all__ = ["Captured", "Remade", "find", "refuse_hidden"]

_MAX_DEPTH = 8


class Remade(ABC):
    """What is looked into, and made again of other functions: a solver that another solver captured."""

    @abstractmethod
    def parts(self) -> tuple[Any, ...]:
        """The functions that it is made of."""

    @abstractmethod
    def remade(self, parts: tuple[Any, ...]) -> Any:
        """The same of other functions."""


class Captured:
    """The captured values of some functions.

    Args:
        roots: the functions.
        name: of the primitive, for messages.

    Attributes:
        values: what was found, each once.
        paths: the name of each, as `params['w']`.
    """

    _rulebook_sealed = True

    def __init__(self, roots: tuple[Any, ...], name: str) -> None:
        self._name = name
        self._roots = roots
        self._places: dict[int, int] = {}  # id of a value -> its number
        self._leads: dict[int, bool] = {}  # id of an object -> whether it leads to one
        self.values: list[Any] = []
        self.paths: list[str] = []
        self._keep: list[Any] = []  # so that ids stay what they are
        for root in roots:
            self._search(root, "", 0)

    def _search(self, value: Any, path: str, depth: int) -> bool:
        key = id(value)
        if key in self._leads:
            return self._leads[key]
        if is_plain(value) or depth > _MAX_DEPTH or (is_sealed(value) and not isinstance(value, Remade)):
            return False
        self._keep.append(value)
        self._leads[key] = False  # what is met again on the way down leads nowhere new
        if _is_active(value):
            self._places[key] = len(self.values)
            self.values.append(value)
            self.paths.append(path.removeprefix("."))
            found = True
        else:
            found = False
            for name, child in children(value.parts() if isinstance(value, Remade) else value):
                step = name if name.startswith("[") else f".{name}"
                found = self._search(child, path + step, depth + 1) or found
        self._leads[key] = found
        return found

    def rebuild(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The functions with other values in the places of those that were found."""
        made: dict[int, Any] = {}
        return tuple(self._copy(root, values, made) for root in self._roots)

    def _copy(self, value: Any, values: tuple[Any, ...], made: dict[int, Any]) -> Any:
        key = id(value)
        if key in self._places:
            return values[self._places[key]]
        if not self._leads.get(key):
            return value
        if key not in made:
            make = lambda child: self._copy(child, values, made)
            made[key] = value
            made[key] = self._function(value, make, made) if isinstance(value, types.FunctionType) else self._replaced(value, make)
        return made[key]

    def _replaced(self, value: Any, make: Callable[[Any], Any]) -> Any:
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
            changed = copy.copy(value)
            changed.update({k: make(v) for k, v in value.items()})
            return changed
        if isinstance(value, types.MappingProxyType):
            return types.MappingProxyType({k: make(v) for k, v in value.items()})
        return self._object(value, make)

    def _object(self, value: Any, make: Callable[[Any], Any]) -> Any:
        if callable(value) and hasattr(value, "__wrapped__"):  # compiled code, which would run what it was made of
            raise self._refused(value)
        changed = copy.copy(value)
        for name, item in slots(value):
            object.__setattr__(changed, name, make(item))
        getattr(changed, "__dict__", {}).update({k: make(v) for k, v in getattr(value, "__dict__", {}).items()})
        return changed

    def _function(self, fn: types.FunctionType, make: Callable[[Any], Any], made: dict[int, Any]) -> Any:
        names = {name for name, _ in children(fn)} & set(fn.__globals__)
        own = set(fn.__code__.co_freevars)
        for name in names - own:
            if self._leads.get(id(fn.__globals__[name])):
                raise self._refused(fn.__globals__[name], name)
        cells = tuple(c if self._stays(c) else types.CellType() for c in fn.__closure__ or ())
        changed = types.FunctionType(fn.__code__, fn.__globals__, fn.__name__, None, cells)
        made[id(fn)] = changed  # what it captured may lead back to it
        for new, old in zip(cells, fn.__closure__ or (), strict=True):
            if new is not old:
                new.cell_contents = make(old.cell_contents)
        changed.__defaults__ = None if fn.__defaults__ is None else tuple(map(make, fn.__defaults__))
        changed.__kwdefaults__ = None if fn.__kwdefaults__ is None else {k: make(v) for k, v in fn.__kwdefaults__.items()}
        changed.__dict__.update({k: make(v) for k, v in fn.__dict__.items()})
        changed.__qualname__, changed.__module__ = fn.__qualname__, fn.__module__
        return changed

    def _stays(self, cell: types.CellType) -> bool:
        """Whether a cell leads to nothing that was found, so that functions go on sharing it."""
        try:
            key = id(cell.cell_contents)
        except ValueError:  # it is still empty
            return True
        return key not in self._places and not self._leads.get(key)

    def refused_in_record(self) -> RuleSignatureError:
        """The error while a program is recorded: there a tensor of the program cannot be told from one outside."""
        return RuleSignatureError(
            f"{self._name}, the captured variable {self.paths[0]}.",
            "values that are differentiated among the positional arguments only, where a program is recorded",
            f"{self.paths[0]}, captured by the solver or its equation",
            f"pass {self.paths[0]} as a positional argument",
        )

    def _refused(self, value: Any, name: str = "") -> RuleSignatureError:
        lead = name or (f"{type(value).__name__} that leads to {self.paths[0]}" if self.paths else "")
        return RuleSignatureError(
            f"{self._name}, the captured variable {lead}.",
            "captured values in closures, defaults, methods, partial functions, containers or attributes",
            "one that is reached in another way, so that its derivative would be lost",
            f"pass {name or self.paths[0]} as a positional argument",
        )


def _is_active(value: Any) -> bool:
    kind = kind_of(type(value))
    return kind not in (NUMPY, CONTAINER, OPAQUE) and load_engine(kind).is_active(value)


def find(roots: tuple[Any, ...], name: str) -> Captured | None:
    """The captured values of some functions that may be differentiated; None where there are none."""
    found = Captured(roots, name)
    return found if found.values else None


def refuse_hidden(value: Any, name: str, what: str) -> None:
    """Refuse what a function of values that are cut from all derivatives gave, where it is being differentiated all the same.

    Raises:
        RuleSignatureError: the function captured a value in a way that `find` does not see.
    """
    for leaf in leaves_of(value):
        kind = kind_of(type(leaf))
        if kind not in (NUMPY, CONTAINER, OPAQUE) and load_engine(kind).is_linked(leaf):
            raise RuleSignatureError(
                f"{name}, its {what}.",
                "captured values in closures, defaults, methods, partial functions, containers or attributes",
                f"a value of {kind} that is captured in another way, so that its derivative would be lost",
                "pass it as a positional argument",
            )
