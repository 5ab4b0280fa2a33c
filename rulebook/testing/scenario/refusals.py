"""What the engines refuse, as data: each entry is tested to be refused, so that it goes when the gap does."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from rulebook.errors import PreparationError, RulebookError
from rulebook.testing.scenario.model import Scenario
from rulebook.testing.scenario.ways import PLAIN, PREPARED, EngineName, shown

__all__ = ["REFUSALS", "Refusal", "is_declared", "refusal_of"]

_CACHES = "its arrays cannot be written to"

_FIXED = "the gradient of the inner engine is prepared with the constants in it; others need another preparation"
_NO_FORWARD = "the package has no forward rule for it"
_OVERWRITTEN = "reverse mode keeps what was read from an array, and refuses when that is overwritten"


@dataclass(frozen=True)
class Refusal:
    """A derivative that an engine does not give, and says so.

    Attributes:
        engine: its name, "outer over inner" of two, as a pattern of fnmatch.
        error: the type of the error.
        message: a part of its text, or of that of the error that it comes from.
        why: what the engine lacks.
        tags: of the scenarios, all of which they have.
        names: the names of the scenarios, as a pattern of fnmatch.
        ways: "plain", "prepared".
        later: whether it is refused only at the second point, with its constants.
    """

    engine: str
    error: type[Exception]
    message: str
    why: str
    tags: frozenset[str] = frozenset()
    names: str = "*"
    ways: tuple[str, ...] = (PLAIN, PREPARED)
    later: bool = False

    def covers(self, engine: EngineName, scenario: Scenario) -> bool:
        """Whether it speaks of this engine and scenario."""
        meant = fnmatch.fnmatchcase(shown(engine), self.engine) and fnmatch.fnmatchcase(scenario.name, self.names)
        return meant and self.tags <= scenario.tags


REFUSALS: tuple[Refusal, ...] = (
    *(
        Refusal(engine, RulebookError, "caches", _CACHES, frozenset({"cache"}))
        for engine in ("jax", "autograd", "* over jax", "* over autograd")
    ),
    *(
        Refusal("torch", RuntimeError, "modified by an inplace operation", _OVERWRITTEN, frozenset({"overwritten", operator}))
        for operator in ("vjp", "value_and_grad", "jacobian", "hessian")
    ),
    Refusal("* over torch", RuntimeError, "modified by an inplace operation", _OVERWRITTEN, frozenset({"overwritten"})),
    Refusal("* over *", PreparationError, "constants", _FIXED, frozenset({"constant"}), ways=(PREPARED,), later=True),
    Refusal("autograd", NotImplementedError, "JVP of slogdet", _NO_FORWARD, names="logdet-jvp"),
    Refusal("dual over autograd", NotImplementedError, "JVP of slogdet", _NO_FORWARD, names="logdet-hessian"),
)


def is_declared(error: BaseException, refusal: Refusal) -> bool:
    """Whether an error is the one that is declared."""
    said = f"{error}\n{error.__cause__ or ''}"
    return isinstance(error, refusal.error) and refusal.message in said


def refusal_of(engine: EngineName, scenario: Scenario, way: str, declared: Sequence[Refusal]) -> Refusal | None:
    """The first entry that speaks of this engine, scenario and way; None where it has to work."""
    return next((each for each in declared if way in each.ways and each.covers(engine, scenario)), None)
