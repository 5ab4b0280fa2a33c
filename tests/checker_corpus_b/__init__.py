"""A second collection of right and wrong rules, written without knowledge of the checker, to judge it by.

Each family module has a `family`, with functions of one field, right rules of them, and siblings with one realistic bug each.
`python -m tests.checker_corpus_b.oracle` verifies every entry by other means than the checker's.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

from tests.checker_corpus_b.model import Entry

_NOT_FAMILIES = ("model", "oracle", "oracle_trees", "exact")


def entries() -> list[Entry]:
    """All entries; the modules whose names begin with scipy_ only where SciPy is installed."""
    found: list[Entry] = []
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if info.name in _NOT_FAMILIES or (info.name.startswith("scipy_") and importlib.util.find_spec("scipy") is None):
            continue
        found += importlib.import_module(f"{__name__}.{info.name}").family.entries
    return found
