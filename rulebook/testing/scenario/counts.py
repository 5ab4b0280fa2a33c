"""How often each operator calls the function, as data: no more than the engine needs, no less than what it gives tells."""

from __future__ import annotations

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
        plain: in a call of the operator.
        prepare: in the preparation.
        prepared: in a call of what was prepared.
        why: where it is more than one.
        tags: of the scenarios, all of which they have.
    """

    engine: EngineName
    operators: tuple[str, ...]
    plain: int
    prepare: int
    prepared: int
    why: str = ""
    tags: frozenset[str] = frozenset()


CALLS: tuple[Calls, ...] = (
    Calls("dual", OPERATORS, 1, 0, 1),
    Calls("torch", OPERATORS, 1, 0, 1),
    Calls("autograd", OPERATORS, 1, 0, 1),
    Calls("jax", OPERATORS, 1, 1, 0),
)


def calls_of(engine: EngineName, scenario: Scenario, declared: Sequence[Calls]) -> Calls | None:
    """The first entry that speaks of this engine and scenario; None where nothing is declared."""
    fitting = (c for c in declared if c.engine == engine and scenario.operator in c.operators and c.tags <= scenario.tags)
    return next(fitting, None)
