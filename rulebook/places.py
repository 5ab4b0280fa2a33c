"""Where functions and rules are written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rulebook import forms
from rulebook.primitive import Primitive

__all__ = ["Place", "place_of", "places_of", "written_rules"]


@dataclass(frozen=True)
class Place:
    """Where a function is written.

    Attributes:
        file: its path.
        line: the first line, from 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        """File and line, from the current folder where it is below that."""
        here = os.getcwd() + os.sep
        return f"{self.file.removeprefix(here)}:{self.line}"


def place_of(fn: Callable[..., Any]) -> Place | None:
    """Where a function is written; None where there is no Python text.

    Example:
        >>> place_of(place_of).line > 1
        True
    """
    while (inner := getattr(fn, "__wrapped__", None) or getattr(fn, "func", None)) is not None:
        fn = inner
    method: Any = type(fn).__call__  # of an object that can be called
    code = getattr(fn, "__code__", None) or getattr(method, "__code__", None)
    return None if code is None else Place(code.co_filename, code.co_firstlineno)


def written_rules(p: Primitive) -> list[forms.Rule]:
    """The rules that somebody wrote for a primitive; those that rulebook makes, as for `rb.non_differentiable`, have no place to go to."""
    rules = [rule for rule in (p.forward, p.reverse) if rule is not None]
    return [rule for rule in rules if not _is_ours(getattr(rule.fn, "__module__", None) or "")]


def _is_ours(module: str) -> bool:
    return module.startswith("rulebook.") and not module.startswith("rulebook.rules")


def places_of(p: Primitive) -> dict[str, Place]:
    """Where a primitive (under "") and its rules (under their kinds) are written."""
    parts = [("", p.fn), *((rule.kind, rule.fn) for rule in written_rules(p))]
    return {kind: place for kind, fn in parts if (place := place_of(fn)) is not None}
