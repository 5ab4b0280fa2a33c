"""The laws of engines: every module here is imported, and every subclass of EngineLaw found in it is checked."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from rulebook.testing.engine_law.base import EngineLaw

__all__ = ["EngineLaw", "engine_laws"]


@cache
def engine_laws() -> tuple[EngineLaw, ...]:
    """Every law that `check_engines` checks, those that explain the others first.

    Example:
        >>> from rulebook.testing import engine_laws
        >>> "engine-bridge" in [law.id for law in engine_laws()]
        True
    """
    found: list[type[EngineLaw]] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        members = vars(importlib.import_module(f"{__name__}.{module}")).values()
        found += [
            c
            for c in members
            if isinstance(c, type) and issubclass(c, EngineLaw) and c.__module__.endswith(f".{module}") and hasattr(c, "id")
        ]
    return tuple(sorted((c() for c in found), key=lambda law: law.order))
