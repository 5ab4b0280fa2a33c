"""References from an engine that one trusts, where there is no closed form."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

from rulebook.testing.scenario.model import Point, Scenario
from rulebook.testing.scenario.ways import PLAIN, EngineName, caller

__all__ = ["computed"]


def computed(scenario: Scenario, engine: EngineName = "dual") -> Scenario:
    """The scenario with what an engine gives as its exact derivatives, for the others to be compared with.

    Args:
        scenario: what it expects does not matter.
        engine: the engine to trust.

    Returns:
        A new scenario.

    Raises:
        EngineMissingError: the engine is not installed.

    Example:
        >>> import rulebook as rb
        >>> x = np.array([0.5, 1.0])
        >>> known = computed(Scenario("waves", "grad", lambda x: rb.xp(x).sum(rb.xp(x).sin(x)), (x,), expected=None))
        >>> bool(np.allclose(known.expected, np.cos(x)))
        True
    """
    call = caller(importlib.import_module("rulebook"), scenario, scenario.f, engine, PLAIN)

    def derivative(point: Point) -> Any:
        return call(point).derivative

    first, *rest = scenario.points
    again = None if scenario.again is None else replace(scenario.again, expected=derivative(rest[0]))
    return replace(scenario, expected=derivative(first), again=again)
