"""A scenario as calls: the operator as it is, and prepared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rulebook.testing.scenario.comparing import changed
from rulebook.testing.scenario.model import UNKNOWN, Point, Scenario

__all__ = ["PLAIN", "PREPARED", "Counted", "EngineName", "Outcome", "Way", "caller", "shown"]

EngineName: TypeAlias = str | tuple[str, str]
PLAIN, PREPARED = "plain", "prepared"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an operator gave.

    Attributes:
        value: of the function; UNKNOWN where the operator does not give it.
        derivative: the rest.
    """

    value: Any
    derivative: Any


Way: TypeAlias = Callable[[Point], Outcome]


class Counted:
    """A function that counts its calls.

    Attributes:
        f: to be called in place of the function.
        calls: how often that happened.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.calls = 0

        def counted(*args: Any, **named: Any) -> Any:
            self.calls += 1
            return fn(*args, **named)

        self.f = functools.update_wrapper(counted, fn)

    def take(self) -> int:
        """How many calls there were since the last time that this was asked."""
        calls, self.calls = self.calls, 0
        return calls


def shown(engine: EngineName) -> str:
    """The name of an engine, or of a pair of them.

    Example:
        >>> shown(("jax", "dual"))
        'jax over dual'
    """
    return engine if isinstance(engine, str) else " over ".join(engine)


def options_of(scenario: Scenario, constants: Any) -> dict[str, Any]:
    """The options of the operator, without those that have their defaults."""
    found: dict[str, Any] = {}
    if scenario.argnums is not None:
        found["argnums"] = scenario.argnums
    if scenario.batch:
        found["batch"] = True
    if constants:
        found["constants"] = constants
    if scenario.caches:
        found["caches"] = tuple(scenario.caches)
    if scenario.sparsity is not None:
        found["sparsity"] = scenario.sparsity
    return found


def caller(operators: Any, scenario: Scenario, f: Callable[..., Any], engine: EngineName, way: str) -> Way:
    """What calls the operator of a scenario at a point.

    Args:
        operators: has the operators as attributes, as the module rulebook has.
        scenario: which operator, with which options.
        f: the function to pass.
        engine: of the operator.
        way: "plain", or "prepared" at the first point of the scenario.
    """
    return _prepared(operators, scenario, f, engine) if way == PREPARED else _plain(operators, scenario, f, engine)


def _plain(operators: Any, scenario: Scenario, f: Callable[..., Any], engine: EngineName) -> Way:
    operator = getattr(operators, scenario.operator)

    def call(point: Point) -> Outcome:
        options = {"engine": engine, **options_of(scenario, point.constants)}
        if scenario.operator in ("jvp", "hvp"):
            return _outcome(scenario, point, operator(f, point.args, point.tangents, **options))
        if scenario.operator == "vjp":
            return _outcome(scenario, point, operator(f, *point.args, **options))
        return _outcome(scenario, point, operator(f, **options)(*point.args))

    return call


def _prepared(operators: Any, scenario: Scenario, f: Callable[..., Any], engine: EngineName) -> Way:
    first = scenario.point
    options = {"engine": engine, **options_of(scenario, scenario.constants)}
    ready = operators.prepare(getattr(operators, scenario.operator), f, *_passed(scenario, first), **options)

    def call(point: Point) -> Outcome:
        given = {} if _same(point.constants, scenario.constants) else {"constants": point.constants}
        return _outcome(scenario, point, ready(*_passed(scenario, point), **given))

    return call


def _same(constants: Any, prepared: Any) -> bool:
    """Whether the constants are those of the preparation, which need not be passed again."""
    plain = [dict(each) if isinstance(each, Mapping) else tuple(each) for each in (constants, prepared)]
    return constants is prepared or not changed(plain[0], plain[1], "")


def _passed(scenario: Scenario, point: Point) -> tuple[Any, ...]:
    """What is passed to a prepared operator."""
    return (point.args, point.tangents) if scenario.operator in ("jvp", "hvp") else point.args


def _outcome(scenario: Scenario, point: Point, given: Any) -> Outcome:
    if scenario.operator in ("jvp", "value_and_grad"):
        value, derivative = given
        return Outcome(value, derivative)
    if scenario.operator == "vjp":
        value, pullback = given
        return Outcome(value, pullback(point.tangents))
    return Outcome(UNKNOWN, given)
