"""Where the right rules come from: the benchmark's own, and the right entries of the checker's corpus."""

from __future__ import annotations

import functools

from benchmarks.mutation.subject import Subject
from benchmarks.mutation.subjects import own

__all__ = ["corpus", "subjects"]


def corpus() -> list[Subject]:
    """The right rules of the checker's corpus; none where the tests are not at hand."""
    try:
        from tests.checker_corpus import entries
    except ImportError:
        return []
    return [Subject(f"corpus.{e.id}", e.make.parts) for e in entries() if e.right]


@functools.cache
def subjects() -> tuple[Subject, ...]:
    """All right rules."""
    return (*own(), *corpus())
