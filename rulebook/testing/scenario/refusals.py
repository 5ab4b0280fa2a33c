"""What the engines refuse, as data: each entry is tested to be refused, so that it goes when the gap does."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from rulebook.errors import RulebookError
from rulebook.testing.scenario.model import OPERATORS, Scenario
from rulebook.testing.scenario.ways import EngineName

__all__ = ["REFUSALS", "Refusal", "refusal_of"]

_CACHES = "its arrays cannot be written to"

_OVERWRITTEN = "reverse mode keeps what was read from an array, and refuses when that is overwritten"


@dataclass(frozen=True)
class Refusal:
    """A derivative that an engine does not give, and says so.

    Attributes:
        engine: its name; of two engines the pair.
        error: the type of the error.
        message: a part of its text.
        why: what the engine lacks.
        tags: of the scenarios, all of which they have.
        names: the names of the scenarios, as a pattern of fnmatch.
    """

    engine: EngineName
    error: type[Exception]
    message: str
    why: str
    tags: frozenset[str] = frozenset()
    names: str = "*"

    def covers(self, engine: EngineName, scenario: Scenario) -> bool:
        """Whether it speaks of this engine and scenario."""
        return engine == self.engine and self.tags <= scenario.tags and fnmatch.fnmatchcase(scenario.name, self.names)


REFUSALS: tuple[Refusal, ...] = (
    Refusal("jax", RulebookError, "caches", _CACHES, frozenset({"cache"})),
    Refusal("autograd", RulebookError, "caches", _CACHES, frozenset({"cache"})),
    *(
        Refusal("torch", RuntimeError, "modified by an inplace operation", _OVERWRITTEN, frozenset({"overwritten", operator}))
        for operator in OPERATORS
        if operator != "jvp"
    ),
)


def refusal_of(engine: EngineName, scenario: Scenario, declared: Sequence[Refusal]) -> Refusal | None:
    """The first entry that speaks of this engine and scenario; None where it has to work."""
    return next((each for each in declared if each.covers(engine, scenario)), None)
