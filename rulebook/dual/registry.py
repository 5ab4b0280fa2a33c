"""The tables of rules: NumPy function object -> the function that runs it on dual numbers.

Keyed by the object, not the name: np.outer and np.linalg.outer are two functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rulebook.native import standing_for

__all__ = ["CREATORS", "DEFERRED", "FUNCTIONS", "METHODS", "STEPS", "UFUNCS", "find", "rule", "ufunc_rule"]

F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., Any]

UFUNCS: dict[Any, Rule] = {}  # ufunc -> rule for a plain call
STEPS: set[Any] = set()  # ufuncs of the primals alone, which take their options themselves
CREATORS: dict[Any, Rule] = {}  # what takes like=, which the rule gets first -> rule
METHODS: dict[tuple[Any, str], Rule] = {}  # (ufunc, "reduce") -> rule
FUNCTIONS: dict[Any, Rule] = {}  # what dispatches by __array_function__ -> rule
DEFERRED: set[type] = set()  # types, of buffers, that hold duals: NumPy's functions are theirs, operators read them by x[...]


def rule(*functions: Any) -> Callable[[F], F]:
    """Register the rule of array functions; None stands for one that this NumPy does not have."""

    def register(fn: F) -> F:
        FUNCTIONS.update({function: fn for function in functions if function is not None})
        return fn

    return register


def ufunc_rule(*ufuncs: Any) -> Callable[[F], F]:
    """Register the rule of ufuncs for a plain call; None stands for one that this NumPy does not have."""

    def register(fn: F) -> F:
        UFUNCS.update({ufunc: fn for ufunc in ufuncs if ufunc is not None})
        return fn

    return register


def find(table: dict[Any, Rule], function: Any) -> Rule | None:
    """The rule of a function; those of the rule library are loaded when one of them is met."""
    found = table.get(function)
    if found is None:
        stands = standing_for(function)  # may load a module that fills the tables
        found = table.get(function) or stands
    return found
