"""One check of engines in progress: points, engines, laws, and what comes of them."""

from __future__ import annotations

import contextlib
import copy
import importlib
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from rulebook import forms
from rulebook.engine import Engine
from rulebook.primitive import Primitive
from rulebook.testing.engine_law import EngineLaw
from rulebook.testing.engine_law.clones import as_host, clone
from rulebook.testing.engine_law.setting import Refused, Setting
from rulebook.testing.law.form import signature_problem
from rulebook.testing.plan import Plan
from rulebook.testing.points import Point
from rulebook.testing.probe import Probe
from rulebook.testing.report import Finding, Note, Report
from rulebook.testing.subject import Subject
from rulebook.testing.trial import Trial
from rulebook.testing.verdicts import Broken, Inconclusive, Iterates, LeftOut, short

__all__ = ["EngineRun"]

T = TypeVar("T")

_TAKEN_FOR_HOST = "the code of the Rule cannot be traced and is taken for host code; write it with rb.xp or mark it host=True"
_NOWHERE = "at no point do the function and its rules run on NumPy arrays; see check_rules"
_POINTS = 3
_LOOKED_AT = 8  # points, of which those are taken at which the function and its rules run


@contextlib.contextmanager
def _double_precision(engine: str) -> Iterator[None]:
    """Double precision in JAX, whose default would round every result."""
    if engine != "jax":
        yield
        return
    config = importlib.import_module("jax").config
    before = {name: config.read(name) for name in ("jax_enable_x64", "jax_disable_most_optimizations")}
    for name in before:  # the programs are small and run once: optimising them takes longer than it saves
        config.update(name, True)
    try:
        yield
    finally:
        for name, value in before.items():
            config.update(name, value)


class EngineRun:
    """One check in progress."""

    def __init__(self, subject: Subject, report: Report, chosen: list[EngineLaw], deadline: float, promised: bool) -> None:
        self.subject = subject
        self.report = report
        self.laws = chosen
        self.deadline = deadline
        self.promised = promised
        self.primitives: dict[int, Primitive] = {}  # what is called, for each pair of rules
        self.hosted: set[tuple[str, int]] = set()  # engines in which what a Rule holds has to be host code

    def run(self, engines: Sequence[Engine], case: int | None) -> None:
        """Go through the points and engines."""
        plan = Plan(self.subject, self.report.seed, case)
        problem = plan.problem() or next(filter(None, (signature_problem(self.subject, rule) for rule in self.subject.rules)), None)
        if problem is not None:
            self._found(problem, "", None, None)
            return
        points = [point for point, _ in itertools.islice(plan.points(), _LOOKED_AT) if point.declared]
        for engine in engines:
            with _double_precision(engine.name):
                self._engine(engine, points)

    def _engine(self, engine: Engine, points: list[Point]) -> None:
        done = 0
        for point in points:
            if done == _POINTS:
                return
            if time.perf_counter() > self.deadline:
                self.report.note(Note("unchecked", f"points in {engine.name}, as the budget ran out"))
                return
            done += self._point(engine, point, first=not done)
        if not done:
            self.report.note(Note("left out", f"engine {engine.name}: {_NOWHERE}"))

    def _point(self, engine: Engine, point: Point, first: bool) -> bool:
        """Check the laws at a point; whether it counts."""
        for number, rules in enumerate(_pairs(self.subject)):
            subject = _with(self.subject, rules)
            try:
                probe = Probe(Trial(subject, point), point.rng, False)
                setting = self._setting(engine, probe, rules, number)
                self._try_rules(setting)
            except (LeftOut, Broken):  # check_rules tells
                return False
            for law in self.laws:
                if (not law.engines or engine.name in law.engines) and (first or law.everywhere):
                    setting = self._law(law, setting, number)
        self.report.points += 1
        return True

    @staticmethod
    def _try_rules(setting: Setting) -> None:
        """Run the rules on NumPy arrays once."""
        setting.forward.along(setting.probe.tangents[0])
        setting.reverse.along(setting.probe.cotangents[0])

    def _setting(self, engine: Engine, probe: Probe, rules: tuple[Any, Any], number: int) -> Setting:
        """What the laws are checked with; what a Rule holds is host code where the engine has turned out not to take it as it is."""
        if number not in self.primitives:
            p = self.subject.primitive
            self.primitives[number] = p if self.promised else clone(p, *rules)
        setting = Setting(engine, self.primitives[number], probe, rules, self.promised)
        return self._as_host(setting) if (engine.name, number) in self.hosted else setting

    @staticmethod
    def _as_host(setting: Setting) -> Setting:
        p = as_host(setting.primitive, setting.rules, setting.trial.y_tree())
        return Setting(setting.engine, p, setting.probe, setting.rules, setting.promised)

    def _law(self, law: EngineLaw, setting: Setting, number: int) -> Setting:
        """Check a law; gives the setting to go on with."""
        try:
            try:
                law.check(setting)
            except Iterates:
                law.check(setting)
        except Broken as broken:
            self._found(broken, setting.name, setting, law)
        except Refused as reason:
            if not self.promised and (setting.name, number) not in self.hosted:
                self.hosted.add((setting.name, number))
                self._refused(setting.name, _TAKEN_FOR_HOST)
                return self._law(law, self._as_host(setting), number)
            self._refused(setting.name, str(reason))
        except (Inconclusive, Iterates) as reason:
            self.report.note(Note("inconclusive", str(reason) or "the function is less accurate than was known", law=law.id))
        except LeftOut:
            pass
        else:
            self.report.held[law.id] += 1
        return setting

    def _refused(self, engine: str, why: str) -> None:
        self.report.note(Note("refused", f"{engine}: {why}"))

    def _found(self, broken: Broken, engine: str, setting: Setting | None, law: EngineLaw | None) -> None:
        what = f"{broken.rule.kind} of" if broken.rule is not None else "the function"
        name = f"{what} {self.subject.name}" + (f" in {engine}" if engine else "")
        if any(f.rule == name and (f.law == broken.law or f.got == broken.got) for f in self.report.findings):
            return
        point = None if setting is None else setting.trial.point
        self.report.findings.append(
            Finding(
                rule=name,
                law=broken.law,
                title=law.title if law is not None else "there are points to check at",
                expected=broken.expected,
                got=broken.got,
                do=broken.do or (law.mend if law is not None else ""),
                argument=broken.argument,
                element=broken.element,
                estimate=broken.estimate,
                case="" if point is None else f"{point.origin}, engine {engine}",
                call="" if point is None else self._call(point),
                seed=self.report.seed,
                reproduce=self._again(broken, engine),
            )
        )

    def _call(self, point: Point) -> str:
        parts = [short(a) for a in point.args] + [f"{k}={short(v)}" for k, v in point.statics.items()]
        return f"{self.subject.short}({', '.join(parts)})"

    def _again(self, broken: Broken, engine: str) -> str:
        engines = f", engines=[{engine!r}]" if engine else ""
        return f"rulebook.testing.check_engines({self.subject.short}{engines}, seed={self.report.seed}, only=[{broken.law!r}])"


def _pairs(subject: Subject) -> Iterator[tuple[forms.Forward | None, forms.Reverse | None]]:
    """The rules, one of each direction at a time."""
    for i in range(max(len(subject.forward), len(subject.reverse))):
        yield _nth(subject.forward, i), _nth(subject.reverse, i)


def _nth(rules: list[T], i: int) -> T | None:
    """The i-th rule, or the last one; None where there is none."""
    return rules[min(i, len(rules) - 1)] if rules else None


def _with(subject: Subject, rules: tuple[forms.Forward | None, forms.Reverse | None]) -> Subject:
    """The subject with one rule of each direction."""
    made = copy.copy(subject)
    made.forward, made.reverse = ([rule] if rule is not None else [] for rule in rules)  # type: ignore[assignment]
    return made
