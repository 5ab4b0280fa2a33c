"""Where the right rules come from: the benchmark's own, and the right entries of the checker's collections."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.mutation.subject import Subject
from benchmarks.mutation.subjects import own

__all__ = ["collected", "subjects"]


COLLECTIONS = {"corpus": "tests.checker_corpus", "b": "tests.checker_corpus_b"}


def _maker(entry: Any) -> Callable[[], dict[str, Any]]:
    """What gives the parts of a right entry, fresh at each call."""
    if hasattr(entry.make, "parts"):
        return entry.make.parts  # type: ignore[no-any-return]
    return lambda: {k: v for k, v in entry.build().items() if not k.startswith("_")}


def collected() -> list[Subject]:
    """The right rules of the checker's collections; none where the tests are not at hand.

    Entries that leave an accuracy undeclared are as inaccurate as their siblings that declare it.
    """
    found: list[Subject] = []
    for prefix, name in COLLECTIONS.items():
        try:
            entries = importlib.import_module(name).entries()
        except ImportError:
            continue
        makers = {e.id: _maker(e) for e in entries if e.right}
        declared: dict[str, float] = {}
        for key, make in makers.items():
            family = key.partition("/")[0]
            declared[family] = max(declared.get(family, 0.0), make().get("accuracy") or 0.0)
        found += [Subject(f"{prefix}.{key}", make, declared[key.partition("/")[0]]) for key, make in makers.items()]
    return found


@functools.cache
def subjects() -> tuple[Subject, ...]:
    """All right rules."""
    return (*own(), *collected())
