"""Which points are checked, in which order, and how deeply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rulebook.testing.extremes import Extremes
from rulebook.testing.points import Point, Source, by_novelty
from rulebook.testing.subject import Subject
from rulebook.testing.variations import varied
from rulebook.testing.verdicts import Broken, short

__all__ = ["Plan"]

_LOOKED_AT = 32  # of which the remarkable ones are chosen
_POINTS = 128  # shared by the cases
_RARE = 128  # more points that are drawn, for what is outstanding among them
_DEEP = 4
_OWN = frozenset({"seed", "raise_", "strict", "budget", "without", "only", "case", "engines"})  # what a check takes for itself


def _instead(required: Iterable[str]) -> str:
    """What to do about a case that is no call."""
    taken = next((name for name in required if name in _OWN), None)
    if taken is None:
        return "return a tuple of arguments or rb.case(...)"
    return f"give the call as cases=[rb.case(..., {taken}=...)], for {taken}= here is an option of the check"


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
        self._each = max(16, _POINTS // max(1, len(self.sources)))
        self._first: list[Point] = []  # drawn at once, so that the remarkable ones among them can come first

    def problem(self) -> Broken | None:
        """What is wrong with the cases."""
        if not self.sources:
            do = "pass arguments, or give cases=[rb.case(...)] or a function of a generator"
            return Broken("points", None, "a case to check at", "none", do=do)
        try:
            for source in self.sources:
                few = min(self._each, max(4, _LOOKED_AT // len(self.sources))) if source.drawn else 1
                self._first += [self._point(source, k) for k in range(few)]
        except Broken as broken:
            return broken
        return None

    @staticmethod
    def _point(source: Source, k: int) -> Point:
        try:
            return source.point(k)
        except Exception as error:
            got = f"case {source.index}: {type(error).__name__}: {short(error, 200)}"
            do = _instead(source.signature.required_statics)
            raise Broken("points", None, "a case that gives the arguments of a call", got, do=do) from error

    def points(self) -> Iterator[tuple[Point, bool]]:
        """(point, whether it is checked deeply): a few remarkable ones first, then the others, then variations of fixed cases.

        Raises:
            Broken: a case fails to give the arguments of a call.
        """
        chosen = by_novelty(self._first, _DEEP)
        extremes = {source.index: Extremes() for source in self.sources}
        for point in self._first:
            extremes[point.source].met(point)
        for i in chosen[:3]:
            yield self._first[i], True
        for i in sorted(set(range(len(self._first))) - set(chosen)):
            yield self._first[i], False
        for source in self.sources:
            taken = sum(p.source == source.index for p in self._first)
            for k in range(taken, self._each if source.drawn else 1):
                yield extremes[source.index].met(self._point(source, k)), False
        for source in self.sources:
            rare = range(self._each, self._each + _RARE // len(self.sources)) if source.drawn else ()
            for point in extremes[source.index].outstanding(self._point(source, k) for k in rare):
                yield point, False
        for i in chosen[3:]:
            yield self._first[i], True
        yield from varied(self._first, self.sources, self.subject, self._seed)
