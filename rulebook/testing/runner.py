"""Checking: points are drawn, every law is checked at them, and what comes of it is reported."""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rulebook.errors import RuleSignatureError
from rulebook.testing.diagnosis import describe
from rulebook.testing.glance import Look, look
from rulebook.testing.law import Law, laws
from rulebook.testing.law.form import signature_problem
from rulebook.testing.outside import stands
from rulebook.testing.plan import Plan
from rulebook.testing.points import Point
from rulebook.testing.probe import Probe
from rulebook.testing.report import Finding, Note, Report
from rulebook.testing.subject import Subject
from rulebook.testing.trial import Trial
from rulebook.testing.verdicts import Broken, Inconclusive, Iterates, LeftOut, short

__all__ = ["Options", "check"]

_SOME = 32  # one point in so many gets the laws that take more calls
_FIRST = ("runs", "form", "no-tangent")  # where one of these is broken, the others cannot be checked
_OTHERS = 6
_PATIENCE = 1.0  # seconds, after which a slow function is checked at fewer points
_FEW, _FEW_DEEP = 16, 24
_ENOUGH = 3  # points at which a rule must have been checked, or a third of those there are


@dataclass(frozen=True)
class Options:
    """How to check.

    Attributes:
        seed: of the points and directions.
        strict: whether what noise hides counts as a failure.
        budget: seconds after which the points that are left are not checked, and reported.
        without: law id -> why it is switched off.
        only: the ids of the laws to check; all by default.
        case: the number of the one case to check; all by default.
    """

    seed: int = 0
    strict: bool = False
    budget: float = 10.0
    without: Mapping[str, str] = field(default_factory=dict)
    only: Sequence[str] = ()
    case: int | None = None

    def laws(self) -> frozenset[str]:
        """The ids of the laws that these options leave.

        Raises:
            RuleSignatureError: there is no law of a name.
        """
        known = [law.id for law in laws()]
        for name in (*self.without, *self.only):
            if name not in known:
                raise RuleSignatureError("rulebook.testing.", f"a law among {', '.join(known)}", repr(name), "name a law that there is")
        return frozenset(name for name in known if name not in self.without and (not self.only or name in self.only))


def check(subject: Subject, options: Options) -> Report:
    """Check every law at every point; stop at the first point where one does not hold."""
    report = Report(subject.name, seed=options.seed, strict=options.strict)
    began = time.perf_counter()
    for law, why in options.without.items():
        report.note(Note("switched off", why, law=law))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _Run(subject, options, report, began).run()
    report.seconds = time.perf_counter() - began
    return report


class _Run:
    """One check in progress."""

    def __init__(self, subject: Subject, options: Options, report: Report, began: float) -> None:
        self.subject = subject
        self.options = options
        self.report = report
        self.deadline = began + options.budget
        patience = min(_PATIENCE, options.budget / 2)
        self.maybe_slow, self.slow = began + patience, time.process_time() + patience
        self.wanted = options.laws()
        self.settled: set[str] = set()  # laws that nobody asked for and that do not hold
        self.quick = [law.id for law in laws() if law.quick and law.id in self.wanted]
        self.reasons: dict[str, int] = {}  # why points were left out
        self.tried = self.told = 0  # points that the author declared, and those of them where something could be told

    def run(self) -> None:
        """Go through the points."""
        for rule in self.subject.rules:
            wrong = signature_problem(self.subject, rule)
            if wrong is not None:
                self._found(wrong, None)
                return
        self.plan = plan = Plan(self.subject, self.options.seed, self.options.case)
        broken = plan.problem()
        if broken is not None:
            self._found(broken, None)
            return
        try:
            self._points(plan)
        except Broken as problem:  # of a case that fails at a later draw
            self._found(problem, None)

    def _points(self, plan: Plan) -> None:
        left = spared = 0
        for number, (point, deep) in enumerate(plan.points()):
            if time.perf_counter() > self.deadline:
                left += 1
                continue
            if self._slow() and self.report.points >= (_FEW_DEEP if deep else _FEW):
                spared += 1
                continue
            self.tried += point.declared
            self._point(point, number, deep)
            if self.report.findings:
                return
        if spared:
            self.report.note(Note("shortened", f"the function is slow: {spared} of {spared + self.tried} points were spared"))
        if left:
            self.report.note(Note("unchecked", f"{left} points, as the budget of {self.options.budget:g} s ran out"))
        self._demand_points()

    def _slow(self) -> bool:
        """Whether the check takes long.  The processor's clock, which other programs do not slow down, costs more than a point to read."""
        return time.perf_counter() > self.maybe_slow and time.process_time() > self.slow

    def _others(self) -> Iterator[Trial]:
        """The function at a few of the points."""
        for point, _ in itertools.islice(self.plan.points(), _OTHERS):
            with contextlib.suppress(LeftOut):
                yield Trial(self.subject, point)

    def _point(self, point: Point, number: int, deep: bool) -> None:
        """Look at one point: quickly at most, with every law where that is due or something is not plain."""
        try:
            trial = Trial(self.subject, point)
            if trial.outputs.n and not (trial.finite.any() if point.declared else trial.finite.all()):
                raise LeftOut("the result is not finite")
            due = number % _SOME == 0
            seen = Look.DEEPER if deep else Look.CLOSER if due else look(trial, point.rng)
        except LeftOut as reason:
            self._leave_out(point, str(reason))
            return
        self.report.points += 1
        self.told += point.declared
        if seen is Look.PLAIN:
            self.report.held.update(self.quick)
            return
        self._laws(Probe(trial, point.rng, seen is Look.DEEPER, self._others), due)

    def _laws(self, probe: Probe, due: bool) -> None:
        """Check every law at a point; those that are not wanted run until they break, so that the same random numbers meet each."""
        counted = True
        for law in laws():
            if law.id in self.settled or not (probe.deep or law.often == "every" or (law.often == "some" and due)):
                continue
            try:
                probe = self._check(law, probe)
            except Broken as broken:
                if self._ends(broken, probe, due):
                    return
            except Inconclusive as reason:
                self._note(Note("inconclusive", str(reason), law=law.id))
            except LeftOut as reason:
                if counted:
                    self._leave_out(probe.trial.point, str(reason))
                    self.report.points -= 1
                    self.told -= probe.trial.point.declared
                    counted = False
            else:
                self.report.held.update([law.id] if law.id in self.wanted else [])
        self._unimplemented(probe.trial)

    def _ends(self, broken: Broken, probe: Probe, due: bool) -> bool:
        """Deal with a law that is broken; whether the others cannot be checked at this point any more."""
        if broken.law in self.wanted or broken.law == "points":
            return self._closer(broken, probe, due) or self._judge(broken, probe)
        if probe.trial.point.declared:  # nobody asked: not to be confirmed, nor seen again
            self.settled.add(broken.law)
        return broken.law in _FIRST

    def _closer(self, broken: Broken, probe: Probe, due: bool) -> bool:
        """Look again at single elements where the verdict names none; whether that found something to report."""
        if probe.deep or broken.element is not None:
            return False
        self._laws(Probe(probe.trial, probe.rng, True, self._others), due)
        return bool(self.report.findings)

    def _unimplemented(self, trial: Trial) -> None:
        for rule, why in trial.reasons.items():
            self.report.note(Note("not implemented", why, f"{rule.kind} of {self.subject.name}"))

    def _judge(self, broken: Broken, probe: Probe) -> bool:
        """Report what is broken; whether the other laws cannot be checked at this point any more."""
        point = probe.trial.point
        if not point.declared and not stands(broken, probe, self._again_at(broken.law)):
            self._note(Note("outside", f"does not hold at {point.origin}, outside the declared cases", law=broken.law))
            return True
        self._found(broken, probe)
        return broken.law in _FIRST

    def _note(self, note: Note) -> None:
        if note.law in self.wanted:
            self.report.note(note)

    def _check(self, law: Law, probe: Probe) -> Probe:
        """Check a law, once more where the function turns out to be less accurate than was known; gives the probe to go on with."""
        try:
            self._guarded(law, probe)
        except Iterates:
            text = (
                f"the function seems to iterate, to about {self.subject.accuracy:.0e} of its size, and less is not told: declare accuracy="
            )
            self.report.note(Note("inconclusive", text))
            probe = Probe(probe.trial, probe.rng, probe.deep, self._others)
            self._guarded(law, probe)
        return probe

    @staticmethod
    def _guarded(law: Law, probe: Probe) -> None:
        """Check a law; what odd rules return must end in a finding, and a mistake of the checker be loud."""
        try:
            law.check(probe)
        except (Broken, Inconclusive, Iterates, LeftOut):
            raise
        except Exception as error:
            got = f"{type(error).__name__}: {short(error, 200)}"
            do = "if the rule is right, report this with it: it is a mistake of rulebook.testing"
            raise Broken(law.id, None, "results that can be compared", got, do=do) from error

    def _leave_out(self, point: Point, why: str) -> None:
        if point.declared:
            self.report.left_out += 1
            self.reasons[why] = self.reasons.get(why, 0) + 1

    @staticmethod
    def _again_at(id: str) -> Callable[[Probe], None]:
        """Checks one law at another point."""
        chosen = [law for law in laws() if law.id == id]

        def again(probe: Probe) -> None:
            for law in chosen:
                law.check(probe)

        return again

    def _demand_points(self) -> None:
        for why, count in self.reasons.items():
            self.report.note(Note("left out", why, count=count))
        enough = min(_ENOUGH, max(1, self.tried // 3))
        if self.told < enough and self.tried and not self.report.findings:
            reasons = "; ".join(self.reasons) or "time ran out"
            self._found(
                Broken(
                    "points",
                    None,
                    f"at least {enough} points where the function is defined and differentiable",
                    f"{self.told} of {self.tried} ({reasons})",
                    do="give cases inside the domain of the function, away from kinks",
                ),
                None,
            )

    def _found(self, broken: Broken, probe: Probe | None) -> None:
        law = next((law for law in laws() if law.id == broken.law), None)
        rule = broken.rule.kind if broken.rule is not None else "function"
        name = f"{rule} of {self.subject.name}" if broken.rule is not None else f"the function {self.subject.name}"
        if any(f.rule == name and f.law == broken.law for f in self.report.findings):
            return
        point = None if probe is None else probe.trial.point
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
                looks_like=describe(broken, probe) if probe is not None else "",
                estimate=broken.estimate,
                case="" if point is None else point.origin,
                call="" if point is None else self._call(point),
                seed=self.options.seed,
                reproduce=self._reproduced(broken),
                ladder=broken.ladder,
            )
        )

    def _call(self, point: Point) -> str:
        parts = [short(a) for a in point.args] + [f"{k}={short(v)}" for k, v in point.statics.items()]
        return f"{self.subject.short}({', '.join(parts)})"

    def _reproduced(self, broken: Broken) -> str:
        name = self.subject.short if self.subject.short.isidentifier() else "f"
        only = "" if broken.law == "points" else f", only=[{broken.law!r}]"
        case = "" if self.options.case is None else f", case={self.options.case}"
        return f"rulebook.testing.check_rules({name}{self.subject.given}, seed={self.options.seed}{only}{case})"
