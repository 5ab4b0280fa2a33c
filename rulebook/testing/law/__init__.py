"""The laws: every module here is imported, and every subclass of Law found in it is checked."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from rulebook.testing.law.base import Law

__all__ = ["Law", "laws"]


@cache
def laws() -> tuple[Law, ...]:
    """Every law, the cheap ones and those that explain the others first.

    Example:
        >>> from rulebook.testing import laws
        >>> "duality" in [law.id for law in laws()]
        True
    """
    found: list[type[Law]] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        members = vars(importlib.import_module(f"{__name__}.{module}")).values()
        found += [c for c in members if isinstance(c, type) and issubclass(c, Law) and c.__module__.endswith(f".{module}") and c is not Law]
    return tuple(sorted((c() for c in found), key=lambda law: (law.often == "deep", law.order)))
