"""The scenarios that come with rulebook, chosen by their tags."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterable
from functools import cache

from rulebook.errors import RuleSignatureError
from rulebook.testing.scenario import library
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]


@cache
def _every() -> tuple[Scenario, ...]:
    modules = sorted(m.name for m in pkgutil.iter_modules(library.__path__))
    return tuple(s for name in modules for s in importlib.import_module(f"{library.__name__}.{name}").scenarios())


def scenarios(tags: Iterable[str] = (), *, without: Collection[str] = ()) -> list[Scenario]:
    """The scenarios that come with rulebook.

    Args:
        tags: those that a scenario must have, all of them; the name of its operator is one.
        without: those that it must not have, any of them.

    Returns:
        A list, in an order that stays the same.

    Raises:
        RuleSignatureError: no scenario has such a tag.

    Example:
        >>> from rulebook.testing import scenarios
        >>> len(scenarios()) > 60
        True
        >>> scenarios({"complex", "grad"})
        [Scenario(complex-size-grad, grad)]
    """
    asked = frozenset([tags] if isinstance(tags, str) else tags)
    barred = frozenset([without] if isinstance(without, str) else without)
    known = frozenset(tag for s in _every() for tag in s.tags)
    unknown = sorted((asked | barred) - known)
    if unknown:
        raise RuleSignatureError("scenarios, tags.", f"among {', '.join(sorted(known))}", ", ".join(unknown), "name tags that there are")
    return [s for s in _every() if asked <= s.tags and not barred & s.tags]
