"""The tables of rules: NumPy function object -> the function that runs it on dual numbers.

Keyed by the object, not the name: np.outer and np.linalg.outer are two functions.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["CREATORS", "FUNCTIONS", "METHODS", "UFUNCS", "rule", "ufunc_rule"]

F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., Any]

UFUNCS: dict[Any, Rule] = {}  # ufunc -> rule for a plain call
CREATORS: dict[Any, Rule] = {}  # what takes like=, which the rule gets first -> rule
METHODS: dict[tuple[Any, str], Rule] = {}  # (ufunc, "reduce") -> rule
FUNCTIONS: dict[Any, Rule] = {}  # what dispatches by __array_function__ -> rule


def rule(*functions: Any) -> Callable[[F], F]:
    """Register the rule of array functions; None stands for one that this NumPy does not have."""

    def register(fn: F) -> F:
        FUNCTIONS.update({function: fn for function in functions if function is not None})
        return fn

    return register


def ufunc_rule(*ufuncs: Any) -> Callable[[F], F]:
    """Register the rule of ufuncs for a plain call."""

    def register(fn: F) -> F:
        UFUNCS.update(dict.fromkeys(ufuncs, fn))
        return fn

    return register


def find_ufunc(ufunc: Any) -> Rule | None:
    """The rule of a ufunc; those of scipy.special are loaded when one of them is met."""
    found = UFUNCS.get(ufunc)
    if found is None and "scipy.special" in sys.modules and "rulebook.dual.special" not in sys.modules:
        importlib.import_module("rulebook.dual.special")
        found = UFUNCS.get(ufunc)
    return found
