"""Where the right rules come from: the benchmark's own, and the right entries of the checker's corpus."""

from __future__ import annotations

import functools

from benchmarks.mutation.subject import Subject
from benchmarks.mutation.subjects import own

__all__ = ["corpus", "subjects"]


def corpus() -> list[Subject]:
    """The right rules of the checker's corpus; none where the tests are not at hand.

    Entries that leave an accuracy undeclared are as inaccurate as their siblings that declare it.
    """
    try:
        from tests.checker_corpus import entries
    except ImportError:
        return []
    right = [e for e in entries() if e.right]
    declared: dict[str, float] = {}
    for e in right:
        family = e.id.partition("/")[0]
        declared[family] = max(declared.get(family, 0.0), e.make.parts().get("accuracy") or 0.0)
    return [Subject(f"corpus.{e.id}", e.make.parts, declared[e.id.partition("/")[0]]) for e in right]


@functools.cache
def subjects() -> tuple[Subject, ...]:
    """All right rules."""
    return (*own(), *corpus())
