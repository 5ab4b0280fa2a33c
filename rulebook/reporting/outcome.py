"""What a run of checks gave: one outcome per primitive, in the order of the targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rulebook.places import Place
from rulebook.testing.report import Finding, Note, Report

__all__ = ["HELD", "SKIPPED", "TOLD", "UNCHECKED", "UNDECIDED", "WRONG", "Outcome", "Run", "merged"]

HELD = "ok"
WRONG = "wrong"
UNCHECKED = "unchecked"  # it should have been checked and could not be
SKIPPED = "skipped"  # there is nothing to check
UNDECIDED = ("inconclusive", "unchecked")  # the notes that fail a strict check
TOLD = ("switched off", "unchecked")  # the notes that are told without being asked for: something was left out


@dataclass
class Outcome:
    """One primitive and what its check gave.

    Attributes:
        name: of the primitive.
        report: what was found; empty where the check did not run.
        rules: direction -> kind of the rule, for each that is written.
        places: kind of rule -> where it is written; "" is the primitive itself.
        problem: why the check did not run, in the four parts of a message, or "".
        skipped: the problem is that there is nothing to check, and no mistake.
    """

    name: str
    report: Report
    rules: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    problem: str = ""
    skipped: bool = False

    @property
    def status(self) -> str:
        """HELD, WRONG, UNCHECKED or SKIPPED."""
        if self.problem:
            return SKIPPED if self.skipped and not self.report.strict else UNCHECKED
        return HELD if self.report.ok else WRONG

    def place_of(self, rule: str) -> Place | None:
        """Where the rule that a finding names, as `rrule of kepler`, is written; else the primitive."""
        return self.places.get(rule.partition(" ")[0]) or self.places.get("")

    @property
    def failures(self) -> list[Finding | Note]:
        """What makes the outcome WRONG: the findings and, in a strict check, what was not decided."""
        undecided = [n for n in self.report.notes if n.kind in UNDECIDED] if self.report.strict else []
        return [*self.report.findings, *undecided]

    @property
    def remarks(self) -> list[Note]:
        """The notes that are no failures."""
        failures = self.failures
        return [n for n in self.report.notes if n not in failures]


@dataclass
class Run:
    """All outcomes of one command.

    Attributes:
        outcomes: in the order of the targets.
        laws: id -> title of every law there is.
        targets, engines, without: what was asked for.
        seed, seeds: the first seed and how many.
        strict: whether what was not decided counts as a failure.
        seconds: how long it took.
        verbose: whether text shows every note.
    """

    outcomes: list[Outcome]
    laws: Mapping[str, str] = field(default_factory=dict)
    targets: Sequence[str] = ()
    engines: Sequence[str] | None = None
    without: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    seeds: int = 1
    strict: bool = False
    seconds: float = 0.0
    verbose: bool = False

    @property
    def status(self) -> int:
        """The exit status: 1 if a rule is wrong, else 2 if one could not be checked or nothing was, else 0."""
        found = {o.status for o in self.outcomes}
        return 1 if WRONG in found else 2 if UNCHECKED in found or HELD not in found else 0

    def count(self, status: str) -> int:
        """How many outcomes have a status."""
        return sum(o.status == status for o in self.outcomes)


def merged(reports: Sequence[Report]) -> Report:
    """Several reports of one function, of other seeds or engines, as one.

    Args:
        reports: at least one; name, seed and strictness are those of the first.

    Returns:
        A report with the findings that differ in rule, law and place, all notes, and sums of the counts.

    Example:
        >>> merged([Report("f", points=3, seconds=0.1), Report("f", points=4, seconds=0.2)]).points
        7
    """
    first = reports[0]
    whole = Report(first.name, seed=first.seed, strict=any(r.strict for r in reports))
    known: set[tuple[str, str, str]] = set()
    for report in reports:
        for finding in report.findings:
            key = (finding.rule, finding.law, finding.argument)
            if key not in known:
                whole.findings.append(finding)
                known.add(key)
        for note in report.notes:
            whole.note(dataclasses.replace(note))
        whole.held.update(report.held)
        whole.points += report.points
        whole.left_out += report.left_out
        whole.seconds += report.seconds
    return whole
