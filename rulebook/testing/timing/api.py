"""The function that people call to measure engines."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rulebook.engines import engine_names, is_installed, load_engine
from rulebook.testing.scenario.collection import scenarios as every_scenario
from rulebook.testing.scenario.model import Scenario
from rulebook.testing.scenario.ways import EngineName
from rulebook.testing.timing.contest import Contest
from rulebook.testing.timing.rows import Row
from rulebook.testing.timing.table import Table

__all__ = ["benchmark", "installed"]


def benchmark(
    engines: Sequence[EngineName] | None = None,
    scenarios: Iterable[Scenario] | None = None,
    *,
    seconds: float = 0.2,
    prepared: Sequence[bool] = (False, True),
    operators: Any = None,
    done: Callable[[str], None] | None = None,
) -> Table:
    """Measure engines against each other: time, calls of the function, memory.

    Everything is measured from NumPy arguments to NumPy results, by turns, after a first call that compiles what is compiled.
    Whether the results are right is for `check_engine` to say.

    Args:
        engines: names, or for second derivatives pairs (outer, inner); all that are installed by default.
        scenarios: all that come with rulebook by default.
        seconds: about how long to time one scenario, all engines together.
        prepared: which ways: as it is, prepared.
        operators: has the operators as attributes; the module `rulebook` by default.
        done: told the name of each scenario that is ready.

    Returns:
        A Table with a row for each engine, scenario and way; what fails is a row with its error.

    Raises:
        EngineMissingError: an engine that is named is not installed.

    Example:
        >>> from rulebook.testing import benchmark, scenarios
        >>> table = benchmark(["dual"], scenarios({"grad", "zero-d"}), seconds=0.01)
        >>> [(row.engine, row.prepared, row.calls) for row in table.rows]
        [('dual', False, 1), ('dual', True, 1)]
    """
    chosen = installed() if engines is None else list(engines)
    for engine in chosen:
        for name in (engine,) if isinstance(engine, str) else engine:
            load_engine(name)
    where = importlib.import_module("rulebook") if operators is None else operators
    rows: list[Row] = []
    for scenario in every_scenario() if scenarios is None else scenarios:
        contest = Contest(scenario, where)
        for engine in chosen:
            for each in prepared:
                contest.enter(engine, each)
        rows += contest.measure(seconds)
        if done is not None:
            done(scenario.name)
    return Table(tuple(rows))


def installed() -> list[EngineName]:
    """The engines that are installed."""
    return [name for name in engine_names() if is_installed(name)]
