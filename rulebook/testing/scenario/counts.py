"""How often each operator calls the function, as data: no more than the engine needs, no less than what it gives tells."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from rulebook.testing.scenario.model import OPERATORS, Scenario
from rulebook.testing.scenario.ways import EngineName

__all__ = ["CALLS", "Calls", "calls_of"]


@dataclass(frozen=True)
class Calls:
    """Calls of the function, as Python code: a program that an engine compiled runs without.

    Attributes:
        engine: its name; of two engines the pair.
        operators: for which this holds.
        plain: in a call of the operator; None where it may be any number.
        prepare: in the preparation.
        prepared: in a call of what was prepared.
        why: it is no less.
        tags: of the scenarios, all of which they have.
        names: the names of the scenarios, as a pattern of fnmatch.
    """

    engine: EngineName
    operators: tuple[str, ...]
    plain: int | None
    prepare: int | None
    prepared: int | None
    why: str = ""
    tags: frozenset[str] = frozenset()
    names: str = "*"

    def covers(self, engine: EngineName, scenario: Scenario) -> bool:
        """Whether it speaks of this engine and scenario."""
        known = engine == self.engine and scenario.operator in self.operators and self.tags <= scenario.tags
        return known and fnmatch.fnmatchcase(scenario.name, self.names)


_AT_EXAMPLE = "a preparation runs the operator at its example, so that what fails fails there"
_EACH = "forward mode runs the function for each direction"
_PATTERN = "to find a pattern, the function runs at other points too, as often as that takes"
_PLANNED = "a preparation knows the sizes, and goes by the columns where they are fewer, each a run"

CALLS: tuple[Calls, ...] = (
    Calls("autograd", ("jvp",), 4, 4, 4, f"{_EACH}: four", frozenset({"batch"})),
    Calls("autograd", ("jacobian",), 4, 4, 4, f"{_EACH}: two numbers by their real and imaginary parts", frozenset({"complex"})),
    Calls("autograd", ("jacobian",), 1, 1, 3, f"{_PLANNED}: three", names="outer-jacobian"),
    Calls("autograd", ("jacobian",), 1, 1, 2, f"{_PLANNED}: two", names="several-jacobian"),
    *(Calls(engine, OPERATORS, None, None, 1, _PATTERN, frozenset({"sparse"})) for engine in ("dual", "torch", "autograd")),
    Calls("jax", OPERATORS, None, None, 0, _PATTERN, frozenset({"sparse"})),
    Calls("dual", OPERATORS, 1, 1, 1, _AT_EXAMPLE),
    Calls("torch", OPERATORS, 1, 1, 1, _AT_EXAMPLE),
    Calls("autograd", OPERATORS, 1, 1, 1, _AT_EXAMPLE),
    Calls("jax", OPERATORS, 1, 1, 0, "the preparation traces the function, and what it compiles does not call it again"),
)


def calls_of(engine: EngineName, scenario: Scenario, declared: Sequence[Calls]) -> Calls | None:
    """The first entry that speaks of this engine and scenario; None where nothing is declared."""
    return next((each for each in declared if each.covers(engine, scenario)), None)
