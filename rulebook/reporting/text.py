"""The text format: a table with one line per primitive, then every finding in full."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rulebook.markup.text import columns
from rulebook.reporting.outcome import HELD, SKIPPED, TOLD, UNCHECKED, WRONG, Outcome, Run

__all__ = ["table", "text", "verdict"]

_HEADER = ("primitive", "rules", "laws held", "points", "left out", "findings", "seconds", "")
_WORDS = {HELD: "ok", WRONG: "WRONG", UNCHECKED: "NOT CHECKED", SKIPPED: "skipped"}


def text(run: Run) -> str:
    """The report as text."""
    parts = [table(run)]
    parts += [block for o in run.outcomes if (block := _block(o))]
    remarks = list(_remarks(run))
    if remarks:
        parts.append("\n".join(remarks))
    return "\n\n".join([*parts, verdict(run) + _hidden(run)]) + "\n"


def _block(outcome: Outcome) -> str:
    """What is wrong with one primitive, under its name and place."""
    told = [outcome.problem] if outcome.problem and outcome.status == UNCHECKED else [str(failure) for failure in outcome.failures]
    place = outcome.places.get("")
    head = outcome.name + (f"  {place}" if place else "")
    return "\n".join([head, *(textwrap.indent(each, "  ") for each in told)]) if told else ""


def table(run: Run) -> str:
    """One line per primitive."""
    return columns([_HEADER, *map(_row, run.outcomes)], right=range(2, 7))


def _row(outcome: Outcome) -> tuple[str, ...]:
    report = outcome.report
    kinds = ", ".join(dict.fromkeys(outcome.rules.values())) or "-"
    counts = (len(report.held), report.points, report.left_out, len(report.findings))
    numbers = ["-"] * 5 if outcome.problem else [*map(str, counts), f"{report.seconds:.2f}"]
    return outcome.name, kinds, *numbers, _WORDS[outcome.status]


def _remarks(run: Run) -> Iterator[str]:
    """What was left out is always told; the other notes are for those who ask."""
    for outcome in run.outcomes:
        if outcome.problem and outcome.status == SKIPPED:
            yield f"skipped: {' '.join(outcome.problem.splitlines())}"
        for note in outcome.remarks:
            if run.verbose or note.kind in TOLD:
                yield f"{outcome.name}: {note}"


def verdict(run: Run) -> str:
    """All outcomes in one line."""
    n = len(run.outcomes)
    counts = [f"{run.count(HELD)} hold", f"{run.count(WRONG)} wrong"]
    counts += [f"{k} {word}" for k, word in ((run.count(UNCHECKED), "not checked"), (run.count(SKIPPED), "skipped")) if k]
    seeds = f"seed {run.seed}" if run.seeds == 1 else f"seeds {run.seed} to {run.seed + run.seeds - 1}"
    nothing = "" if run.count(HELD) + run.count(WRONG) else "; nothing was checked"
    return f"{n} {'primitive' if n == 1 else 'primitives'}: {', '.join(counts)} ({seeds}, {run.seconds:.1f} s){nothing}"


def _hidden(run: Run) -> str:
    """That there are more notes."""
    n = 0 if run.verbose else sum(note.kind not in TOLD for o in run.outcomes for note in o.remarks)
    return f"\n{n} {'note' if n == 1 else 'notes'}, shown with -v" if n else ""
