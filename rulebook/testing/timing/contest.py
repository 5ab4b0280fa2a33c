"""One scenario in several engines, measured by turns."""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

from rulebook.errors import RulebookError
from rulebook.testing.scenario.model import Point, Scenario
from rulebook.testing.scenario.ways import PLAIN, PREPARED, Counted, EngineName, Way, caller, shown
from rulebook.testing.timing.measure import Thunk, Times, interleaved, peak
from rulebook.testing.timing.rows import Row

__all__ = ["Contest", "Entry"]

_ON_NUMPY = frozenset({"autograd", "dual"})  # engines whose arrays are NumPy's, so that tracemalloc sees them
_PRIMAL = "primal"


@dataclass
class Entry:
    """One engine in one way.

    Attributes:
        row: what is known so far.
        call: the operator; None where it fails.
        derivative: that it gave.
    """

    row: Row
    call: Way | None = None
    derivative: Any = field(default=None, repr=False)


class Contest:
    """A scenario, which every engine runs.

    Args:
        scenario: what to measure.
        operators: has the operators as attributes, as the module rulebook has.

    Attributes:
        entries: one for each engine and way, in the order in which they were entered.
    """

    def __init__(self, scenario: Scenario, operators: Any) -> None:
        self.scenario = scenario
        self.operators = operators
        self.entries: list[Entry] = []
        point = scenario.point
        self._point = replace(point, constants=scenario.constants) if point.constants is None else point

    def enter(self, engine: EngineName, prepared: bool) -> None:
        """Run the scenario once in an engine, which compiles what is compiled; a failure is told in its row."""
        row = Row(shown(engine), self.scenario.name, self.scenario.operator, prepared)
        entry = Entry(row)
        self.entries.append(entry)
        counted = Counted(self.scenario.f)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                began = time.perf_counter()
                call = caller(self.operators, self.scenario, counted.f, engine, PREPARED if prepared else PLAIN)
                taken = time.perf_counter() - began
                entry.derivative = call(self._point).derivative
                counted.take()
                call(self._point)
            except Exception as error:
                entry.row = replace(row, error=_one_line(error))
                return
            entry.row = replace(row, calls=counted.take(), preparation=taken if prepared else None)
            entry.call = call
            if _is_seen(engine):
                entry.row = replace(entry.row, memory=peak(self._thunk(entry.call)))

    def measure(self, seconds: float) -> list[Row]:
        """The rows, after timing what works for about so many seconds."""
        thunks: dict[Any, Thunk] = {i: self._thunk(e.call) for i, e in enumerate(self.entries) if e.call is not None}
        if not thunks:
            return [entry.row for entry in self.entries]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            times = interleaved({**self._primal(), **thunks}, seconds)
        primal = times.pop(_PRIMAL, None)
        return [_timed(entry.row, times.get(i), primal) for i, entry in enumerate(self.entries)]

    def _thunk(self, call: Way) -> Thunk:
        point: Point = self._point
        return lambda: call(point)

    def _primal(self) -> dict[Any, Thunk]:
        """The function on NumPy arrays, if it takes them."""
        scenario, point = self.scenario, self._point
        constants: Any = point.constants
        named = dict(constants) if hasattr(constants, "keys") else {}
        rest = (*(() if named else constants), *copy.deepcopy(tuple(scenario.caches)))
        try:
            scenario.on_numpy(point)
        except Exception:
            return {}
        return {_PRIMAL: lambda: scenario.f(*point.args, *rest, **named)}


def _is_seen(engine: EngineName) -> bool:
    return {engine} <= _ON_NUMPY if isinstance(engine, str) else set(engine) <= _ON_NUMPY


def _timed(row: Row, times: Times | None, primal: Times | None) -> Row:
    if times is None:
        return row
    ratio = None if primal is None else times.median / primal.median
    return replace(row, time=times.median, spread=times.spread, samples=times.rounds * times.repeats, ratio=ratio)


def _one_line(error: Exception) -> str:
    """The type and the first line of an error; of the project's own errors everything that they say."""
    text = str(error).strip()
    said = " ".join(text.split()) if isinstance(error, RulebookError) else text.partition("\n")[0]
    return f"{type(error).__name__}: {said}".rstrip(": ")
