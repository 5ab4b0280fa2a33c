"""Values of an engine that a function reads past its arguments, taken out so that they can be arguments.

A residual or a solver that closes over what is being differentiated would have it as a constant.  `find` collects such values from
closures, defaults, globals, bound methods, partial functions, containers and attributes, and `rebuild` makes the same functions of
other values: copies of what leads to them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook.engines import CONTAINER, NUMPY, OPAQUE, kind_of, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.implicit.graph import Graph, Remade
from rulebook.trees import leaves_of

__all__ = ["Captured", "Remade", "find", "refuse_active", "refuse_hidden"]


HOW = "captured values in closures, defaults, globals, methods, partial functions, containers or attributes"


class _Place:
    """Stands for a captured value in a copy of what leads to it; the value itself is an argument."""

    def __init__(self, number: int) -> None:
        self.number = number

    def _rulebook_reads(self) -> tuple[Any, ...]:
        return ()


class Captured:
    """The captured values of some functions, and the functions as they are now: what they hold may be changed later.

    Args:
        roots: the functions.
        name: of the primitive, for messages.
        wanted: tells what is taken out; by default what may be differentiated.

    Attributes:
        values: what was found, each once.
        paths: the name of each, as `params['w']`.
    """

    _rulebook_sealed = True

    def __init__(self, roots: tuple[Any, ...], name: str, wanted: Callable[[Any], bool] | None = None) -> None:
        self._name = name
        found = Graph(roots, wanted or _is_active, self._refused)
        self.values, self.paths = found.values, found.paths
        kept = found.copy([_Place(i) for i in range(len(self.values))])
        self._kept = kept
        self._template = Graph(kept, lambda value: isinstance(value, _Place), self._refused)

    def rebuild(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The functions with other values in the places of those that were found."""
        return self._template.copy([values[place.number] for place in self._template.values])

    def _rulebook_holds(self) -> tuple[Any, ...]:
        """What the functions read beside the captured values."""
        return self._kept

    def refused_in_record(self) -> RuleSignatureError:
        """The error while a program is recorded: there a tensor of the program cannot be told from one outside."""
        return RuleSignatureError(
            f"{self._name}, the captured variable {self.paths[0]}.",
            "values that are differentiated among the positional arguments only, where a program is recorded",
            f"{self.paths[0]}, captured by the solver or its equation",
            f"pass {self.paths[0]} as a positional argument",
        )

    def _refused(self, value: Any) -> RuleSignatureError:
        return RuleSignatureError(
            f"{self._name}, the captured variable {type(value).__name__} that leads to {self.paths[0]}.",
            HOW,
            "one that is reached in another way, so that its derivative would be lost",
            f"pass {self.paths[0]} as a positional argument",
        )


def _is_active(value: Any) -> bool:
    kind = kind_of(type(value))
    return kind not in (NUMPY, CONTAINER, OPAQUE) and load_engine(kind).is_active(value)


def find(roots: tuple[Any, ...], name: str) -> Captured | None:
    """The captured values of some functions that may be differentiated; None where there are none."""
    found = Captured(roots, name)
    return found if found.values else None


def refuse_active(value: Any, where: str) -> None:
    """Refuse an option that captured what is being differentiated.

    Raises:
        RuleSignatureError: it did.
    """
    found = find((value,), where)
    if found is not None:
        raise RuleSignatureError(
            where,
            "nothing that is being differentiated",
            f"{found.paths[0] or 'a value'}, which may be",
            "make it a positional parameter",
        )


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
                HOW,
                f"a value of {kind} that is captured in another way, so that its derivative would be lost",
                "pass it as a positional argument",
            )
