"""Right but awkward rules, and wrong ones with one realistic bug each: what the rule checker is measured on."""

from __future__ import annotations

import importlib
import pkgutil

from tests.checker_corpus.model import Entry, Family

__all__ = ["Entry", "entries"]

_NOT_FAMILIES = ("model", "oracle", "protocol", "conftest")


def entries() -> list[Entry]:
    """Every entry of every family module whose imports are installed."""
    found: list[Entry] = []
    for info in pkgutil.iter_modules(__path__):
        if info.name in _NOT_FAMILIES:
            continue
        try:
            module = importlib.import_module(f"{__name__}.{info.name}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ("tests", "rulebook", "numpy"):
                raise
            continue  # a family of a package that is not installed
        found += [entry for family in vars(module).values() if isinstance(family, Family) for entry in family.entries]
    return found
