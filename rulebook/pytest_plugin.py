"""Rules as tests: one item per primitive, case and law.

An item is called `rulebook://TARGET::primitive::case0::law`; pytest takes that back, or the first parts of it, as an argument.
`_rulebook_pytest` beside the package, which pytest finds, has the options and loads this module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from rulebook.checking import Plan, known_laws, need_laws, problem_of, reports_of
from rulebook.engines import load_engine
from rulebook.errors import RulebookError, RuleCheckError
from rulebook.places import Place, places_of
from rulebook.primitive import Primitive
from rulebook.reporting.outcome import Outcome, merged
from rulebook.targets import TargetError, TargetImportError, find
from rulebook.testing.report import Report

__all__ = ["Rules"]

_PREFIX = "rulebook://"
POINTS = "points"  # the item that says whether there are points to check the laws at
_Path = tuple[str, ...]


class Rules:
    """The plugin.

    Args:
        config: pytest's.
        nodes: targets, or parts of them as `TARGET::primitive::case0::law`.
    """

    def __init__(self, config: pytest.Config, nodes: Sequence[str]) -> None:
        here = os.fspath(config.invocation_params.dir)
        if here not in sys.path:
            sys.path.insert(0, here)  # modules are found as by `python -m pytest`
        self._paths = [tuple(node.split("::")) for node in nodes]
        self.plan = _plan(config)
        self.taken: set[int] = set()  # primitives that an earlier target has

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Put the targets beside the test files."""
        report: Any = yield
        if isinstance(collector, pytest.Session) and report.passed:
            for text in dict.fromkeys(path[0] for path in self._paths):
                below = [path[1:] for path in self._paths if path[0] == text]
                report.result.append(TargetNode.from_parent(collector, name=text, nodeid=_PREFIX + text, rules=self, below=below))
        return report  # type: ignore[no-any-return]


def _plan(config: pytest.Config) -> Plan:
    """How to check, by the options."""
    without: dict[str, str] = {}
    for line in config.getini("rulebook_without"):
        law, _, reason = map(str.strip, line.partition("="))
        if not law or not reason:
            raise pytest.UsageError(f"rulebook_without: {line!r} is not LAW=REASON")
        without[law] = reason
    engines = _engines(config.getoption("--rulebook-engines"))
    try:
        need_laws([law for law in without if law not in known_laws(engines=True)], "rulebook_without")
    except RulebookError as error:
        raise pytest.UsageError(str(error)) from None
    if config.getoption("--rulebook-seed") < 0:
        raise pytest.UsageError("--rulebook-seed: a seed is one of 0, 1, 2, ...")
    seed, strict = config.getoption("--rulebook-seed"), config.getoption("--rulebook-strict")
    return Plan(seed=seed, strict=strict, without=without, engines=engines)


def _engines(text: str | None) -> list[str] | None:
    """The engines that are checked as well: none by default, every one that is installed for "all"."""
    if text is None or text.strip() == "all":
        return None if text is None else []
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        for name in names:
            load_engine(name)
    except RulebookError as error:
        raise pytest.UsageError(f"--rulebook-engines: {error}") from None
    return names


class _Node(pytest.Collector):
    """What has items below it, of which some may have been asked for by name."""

    def __init__(self, *, rules: Rules, below: Sequence[_Path], **kw: Any) -> None:
        super().__init__(**kw)
        self.rules = rules
        self.below = below

    def wanted(self, names: Iterable[str]) -> Iterator[tuple[str, list[_Path]]]:
        """The names that were asked for, each with what was asked for below it; all where nothing was."""
        names = list(names)
        everything = not self.below or () in self.below
        for path in self.below:
            if path and path[0] not in names:
                raise self.CollectError(f"not found: {self.nodeid}::{path[0]}\n(there is {', '.join(names)})")
        for name in names:
            below = [path[1:] for path in self.below if path[:1] == (name,)]
            if below or everything:
                yield name, [()] if everything else below


class TargetNode(_Node):
    """A target."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Its primitives, and the modules that could not be looked into."""
        try:
            target = find(self.name)
        except (TargetError, TargetImportError) as error:
            raise self.CollectError(str(error)) from None
        named = {path[0] for path in self.below if path}
        primitives = {name: p for name, p in target.primitives.items() if name in named or id(p) not in self.rules.taken}
        self.rules.taken.update(map(id, primitives.values()))
        unimported = {u.module: f"not imported: {u.why}" for u in target.unimported}
        for name, below in self.wanted([*primitives, *unimported]):
            if name in primitives:
                yield PrimitiveNode.from_parent(
                    self, name=name, rules=self.rules, below=below, p=primitives[name], explicit=target.explicit
                )
            else:
                skipped = not self.rules.plan.strict
                yield ProblemItem.from_parent(self, name=name, place=None, problem=unimported[name], skipped=skipped)


class PrimitiveNode(_Node):
    """A primitive."""

    def __init__(self, *, p: Primitive, explicit: bool, **kw: Any) -> None:
        super().__init__(**kw)
        self.p = p
        self._explicit = explicit

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Its cases."""
        problem = problem_of(self.name, self.p)
        if problem:
            skipped = not self.p.forward and not self.p.reverse and not self._explicit
            yield ProblemItem.from_parent(self, name="check", place=places_of(self.p).get(""), problem=problem, skipped=skipped)
            return
        numbers = {f"case{i}": i for i in range(len(self.p.cases))}
        for name, below in self.wanted(numbers):
            yield CaseNode.from_parent(self, name=name, rules=self.rules, below=below, p=self.p, number=numbers[name])


class CaseNode(_Node):
    """A case of a primitive: its items share one check."""

    def __init__(self, *, p: Primitive, number: int, **kw: Any) -> None:
        super().__init__(**kw)
        self.laws = known_laws(self.rules.plan.engines is not None)
        self._p = p
        self._number = number
        self._whole: Report | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """Its laws."""
        place = places_of(self._p).get("")
        for name, _ in self.wanted([POINTS, *self.laws]):
            yield LawItem.from_parent(self, name=name, place=place)

    def selected(self) -> list[str]:
        """The items that are going to run."""
        return [item.name for item in self.session.items if item.parent is self]

    def report(self, name: str) -> Report:
        """What there is to say about one item: from the check of all laws, where that reached it, else from a check of its own.

        All laws are checked even for one item: laws draw their directions in turn, and an item has to fail alone as it failed among others.
        A check ends at the first point where a law does not hold; the other laws have then seen too few points.
        """
        if self._whole is None:
            self._whole = self._check(())
        findings = {finding.law for finding in self._whole.findings}
        return self._whole if name == POINTS or not findings or name in findings else self._check([name])

    def _check(self, laws: Sequence[str]) -> Report:
        return merged(reports_of(self._p, self.rules.plan, self.rules.plan.seed, case=self._number, only=list(laws)))


class _RuleItem(pytest.Item):
    """An item whose failure is a message, without the frames of the checker."""

    def __init__(self, *, place: Place | None, **kw: Any) -> None:
        super().__init__(**kw)
        self.add_marker("rulebook")
        self._place = place

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The message alone; the traceback of anything unexpected."""
        return str(excinfo.value) if isinstance(excinfo.value, RulebookError) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Where the primitive is written, and a heading; one that ends like the node id would have its dots turned to colons."""
        heading = f"{self.nodeid} "
        return (self.path, None, heading) if self._place is None else (self._place.file, self._place.line - 1, heading)


class ProblemItem(_RuleItem):
    """What cannot be checked."""

    def __init__(self, *, problem: str, skipped: bool, **kw: Any) -> None:
        super().__init__(**kw)
        self._problem = problem
        self._skipped = skipped

    def runtest(self) -> None:
        """Say why."""
        if self._skipped:
            pytest.skip(" ".join(self._problem.splitlines()))
        raise RulebookError(self._problem)


class LawItem(_RuleItem):
    """One law for one case of one primitive."""

    parent: CaseNode

    def runtest(self) -> None:
        """Check it.

        Raises:
            RuleCheckError: it does not hold.
        """
        plan = self.parent.rules.plan
        if self.name in plan.without:
            pytest.skip(f"switched off: {plan.without[self.name]}")
        report = self.parent.report(self.name)
        notes = [str(note) for note in report.notes if note.law in (self.name, "")]
        if notes:
            self.add_report_section("call", "rulebook notes", "\n".join(notes))
        failures = [str(f) for f in Outcome(self.name, report).failures if self._answers_for(f.law)]
        if failures:
            raise RuleCheckError("\n".join(failures))
        if self.name != POINTS and self.name not in report.held:
            pytest.skip("; ".join(notes) or f"see {self.parent.nodeid}::{POINTS}")

    def _answers_for(self, law: str) -> bool:
        """Whether a failure is this item's: its own law, or what belongs to no law where nobody else tells it."""
        if law in self.parent.laws:
            return law == self.name
        return self.name == POINTS or POINTS not in self.parent.selected()
