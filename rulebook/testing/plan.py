"""Which points are checked, in which order, and how deeply."""

from __future__ import annotations

from collections.abc import Iterator

from rulebook.testing.points import Point, Source, by_novelty
from rulebook.testing.subject import Subject
from rulebook.testing.variations import varied
from rulebook.testing.verdicts import Broken, short

__all__ = ["Plan"]

_LOOKED_AT = 64  # of which the remarkable ones are chosen
_POINTS = 192  # shared by the cases
_DEEP = 6


class Plan:
    """The points of a subject.

    Args:
        subject: what is checked.
        seed: of the points.
        case: the number of the one case to take; all by default.
    """

    def __init__(self, subject: Subject, seed: int, case: int | None) -> None:
        self.subject = subject
        cases = list(enumerate(subject.cases))
        chosen = cases if case is None else [c for c in cases if c[0] == case]
        self.sources = [Source(i, c, subject.signature, seed) for i, c in chosen]
        self._seed = seed
        self._drawn: list[Point] = []
        self._problem = (
            self._draw()
            if self.sources
            else Broken(
                "points", None, "a case to check at", "none", do="pass arguments, or give cases=[rb.case(...)] or a function of a generator"
            )
        )

    def problem(self) -> Broken | None:
        """What is wrong with the cases."""
        return self._problem

    def _draw(self) -> Broken | None:
        each = max(16, _POINTS // len(self.sources))
        for source in self.sources:
            for k in range(each if source.drawn else 1):
                try:
                    self._drawn.append(source.point(k))
                except Exception as error:
                    return Broken(
                        "points",
                        None,
                        "a case that gives the arguments of a call",
                        f"case {source.index}: {type(error).__name__}: {short(error, 200)}",
                        do="return a tuple of arguments or rb.case(...)",
                    )
        return None

    def points(self) -> Iterator[tuple[Point, bool]]:
        """(point, whether it is checked deeply): a few remarkable ones first, then the others, then variations of fixed cases."""
        chosen = by_novelty(self._drawn[:_LOOKED_AT], _DEEP)
        for i in chosen[:3]:
            yield self._drawn[i], True
        rest = set(range(len(self._drawn))) - set(chosen)
        for i in sorted(rest):
            yield self._drawn[i], False
        for i in chosen[3:]:
            yield self._drawn[i], True
        yield from varied(self._drawn, self.sources, self.subject, self._seed)
