"""One scenario in one engine: every way to call it, and what must hold for each."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rulebook.errors import PreparationError
from rulebook.testing.report import Finding, Report
from rulebook.testing.scenario.comparing import Difference, changed, difference, shared
from rulebook.testing.scenario.counts import Calls, calls_of
from rulebook.testing.scenario.misuse import misfits
from rulebook.testing.scenario.model import UNKNOWN, Point, Scenario
from rulebook.testing.scenario.refusals import Refusal, is_declared, refusal_of
from rulebook.testing.scenario.ways import PLAIN, PREPARED, Counted, EngineName, Outcome, Way, caller, shown

__all__ = ["LAWS", "Setting", "Trial"]

LAWS = {
    "runs": "the engine gives the derivative, or its refusal is declared",
    "value": "the value is that of the function",
    "derivative": "the derivative is the exact one",
    "form": "results have the structure, shapes and dtypes that are documented, as NumPy arrays",
    "intact": "arguments, tangents and constants are what they were",
    "memory": "results lie in memory of their own",
    "calls": "the function is called as often as is declared",
    "mismatch": "what does not fit the preparation raises PreparationError",
    "refusal": "what is refused raises the declared error",
    "gap": "a declared gap is one",
}


@dataclass(frozen=True)
class Setting:
    """What is checked, and by what.

    Attributes:
        engine: its name, or (outer, inner).
        operators: has the operators as attributes, as the module rulebook has.
        ways: "plain", "prepared".
        refusals, calls: what is declared.
    """

    engine: EngineName
    operators: Any
    ways: tuple[str, ...]
    refusals: Sequence[Refusal]
    calls: Sequence[Calls]


class _Broken(Exception):
    """A law does not hold."""

    def __init__(self, law: str, difference: Difference, do: str) -> None:
        super().__init__(law)
        self.law, self.difference, self.do = law, difference, do


class Trial:
    """A scenario in a setting; what is found goes into a report.

    Args:
        scenario: the scenario.
        setting: where.
        report: gets findings, and counts what held.
    """

    def __init__(self, scenario: Scenario, setting: Setting, report: Report) -> None:
        self.scenario = scenario
        self.setting = setting
        self.report = report
        self._calls = calls_of(setting.engine, scenario, setting.calls)

    def run(self) -> None:
        """Check every way; a finding ends one way and not the others."""
        for way in self.setting.ways:
            refusal = refusal_of(self.setting.engine, self.scenario, way, self.setting.refusals)
            self.report.points += 1
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of the functions and of the engines
                    if refusal is None:
                        self._way(way)
                    else:
                        self._refused(way, refusal)
            except _Broken as broken:
                self._found(broken, way)

    # -- what works --------------------------------------------------------------------------------

    def _way(self, way: str) -> None:
        counted = Counted(self.scenario.f)
        points = self.scenario.points
        call = self._caller(counted.f, way)
        self._count(counted, "prepare", way)
        for i in (0, 1, 0) if len(points) > 1 else (0, 0):
            self._call(call, points[i], "the first point" if i == 0 else "the second point")
            self._count(counted, "plain" if way == PLAIN else "prepared", way)
        if way == PREPARED:
            self._misfits(call, points[0])

    def _caller(self, f: Callable[..., Any], way: str) -> Way:
        try:
            return caller(self.setting.operators, self.scenario, f, self.setting.engine, way)
        except Exception as error:
            raise self._undeclared(error, "the preparation") from error

    def _call(self, call: Way, point: Point, where: str) -> None:
        before = point.args, point.tangents, point.constants
        given = copy.deepcopy(before)  # so that what writes to them harms no other call
        try:
            outcome = call(replace(point, args=given[0], tangents=given[1], constants=given[2]))
        except Exception as error:
            raise self._undeclared(error, where) from error
        self._intact(before, given, where)
        self._compare(outcome, point, where)
        self._own_memory(outcome, given, where)

    @staticmethod
    def _undeclared(error: Exception, where: str) -> _Broken:
        got = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        do = "mend the operator, or declare the refusal"
        return _Broken("runs", Difference("", where, None, "a derivative", got), do)

    def _intact(self, before: Any, after: Any, where: str) -> None:
        for what, a, b in zip(("args", "tangents", "constants"), before, after, strict=True):
            path = changed(a, b, what)
            if path:
                found = Difference("", f"{path} at {where}", None, "the value that was passed", "another one")
                raise _Broken("intact", found, "copy what is written to")
        self.report.held.update(["intact"])

    def _compare(self, outcome: Outcome, point: Point, where: str) -> None:
        if outcome.value is not UNKNOWN:
            self._equal("value", point.value, outcome.value, where)
        self._equal("derivative", point.expected, outcome.derivative, where, self.scenario.sparsity is not None)

    def _equal(self, law: str, expected: Any, got: Any, where: str, sparse: bool = False) -> None:
        wrong = difference(expected, got, self.scenario.tolerance, law, sparse)
        if wrong is not None:
            placed = Difference(wrong.law, f"{wrong.path} at {where}", wrong.element, wrong.expected, wrong.got)
            raise _Broken("form" if wrong.law == "form" else law, placed, "mend the operator, or the engine's rules")
        self.report.held.update([law, "form"])

    def _own_memory(self, outcome: Outcome, given: Any, where: str) -> None:
        path = shared((outcome.value, outcome.derivative), given, "result")
        if path:
            found = Difference("", f"{path} at {where}", None, "an array with memory of its own", "a view of what was passed")
            raise _Broken("memory", found, "copy the result")
        self.report.held.update(["memory"])

    def _count(self, counted: Counted, what: str, way: str) -> None:
        calls = counted.take()
        if self._calls is None or (what == "prepare" and way == PLAIN):
            return
        expected: int | None = getattr(self._calls, what)
        if expected is None:
            return
        if calls != expected:
            where = {"plain": "a call", "prepare": "the preparation", "prepared": "a call of what was prepared"}[what]
            found = Difference("", f"calls of the function in {where}", None, str(expected), str(calls))
            raise _Broken("calls", found, "call the function no more often than is needed, or declare why")
        self.report.held.update(["calls"])

    def _misfits(self, call: Way, point: Point) -> None:
        for what, other in misfits(point):
            try:
                call(other)
            except PreparationError:
                self.report.held.update(["mismatch"])
                continue
            except Exception as error:
                got = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            else:
                got = "a result"
            found = Difference("", f"another {what} than prepared", None, "PreparationError", got)
            raise _Broken("mismatch", found, "compare with the preparation before the call")

    # -- what is refused ---------------------------------------------------------------------------

    def _refused(self, way: str, refusal: Refusal) -> None:
        points = self.scenario.points
        try:
            call = caller(self.setting.operators, self.scenario, self.scenario.f, self.setting.engine, way)
            for point in points if refusal.later else points[:1]:
                call(point)
        except Exception as error:
            if is_declared(error, refusal):
                self.report.held.update(["refusal"])
                return
            expected = f"{refusal.error.__name__} with {refusal.message!r}"
            got = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            found = Difference("", "the refusal", None, expected, got)
            raise _Broken("refusal", found, "raise what is declared, or declare what is raised") from error
        found = Difference("", f"the declared gap ({refusal.why})", None, "an error", "a result")
        raise _Broken("gap", found, "remove the declaration")

    # -- telling -----------------------------------------------------------------------------------

    def _found(self, broken: _Broken, way: str) -> None:
        found, scenario = broken.difference, self.scenario
        self.report.findings.append(
            Finding(
                rule=f"rb.{scenario.operator} of scenario {scenario.name!r}, engine {shown(self.setting.engine)}, {way}",
                law=broken.law,
                title=LAWS[broken.law],
                expected=found.expected,
                got=found.got,
                do=broken.do,
                argument=found.path,
                element=found.element,
                reproduce=f"rulebook.testing.check_engine({self.setting.engine!r}, {_again(scenario)})",
            )
        )


def _again(scenario: Scenario) -> str:
    return f"[s for s in rulebook.testing.scenarios() if s.name == {scenario.name!r}]"


def ways_of(prepared: Iterable[bool]) -> tuple[str, ...]:
    """The ways that the option `prepared` asks for."""
    return tuple(PREPARED if each else PLAIN for each in prepared)
