"""The numbers: kill rate, false alarms, times; and the table of survivors."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.mutation.oracle import CHANGED, EQUIVALENT, FAINT, HIDDEN
from benchmarks.mutation.pool import Outcome
from benchmarks.mutation.worker import UNDECIDED, UNUSABLE, Original

__all__ = ["Summary"]


class Summary:
    """The outcome of one run."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.rights = [o for o in outcomes if isinstance(o.job, Original)]
        self.outcomes = [o for o in outcomes if not isinstance(o.job, Original)]

    @property
    def refused(self) -> list[Outcome]:
        """Right rules that the checker does not pass."""
        return [o for o in self.rights if o.killed or o.out_of_time]

    @property
    def changed(self) -> list[Outcome]:
        """The mutants that count."""
        return [o for o in self.outcomes if o.kind == CHANGED and not o.out_of_time]

    @property
    def survivors(self) -> list[Outcome]:
        """Those that the checker passed."""
        return [o for o in self.changed if not o.killed]

    @property
    def kill_rate(self) -> float:
        """Of the mutants that count, without those that looped."""
        return 1 - len(self.survivors) / len(self.changed) if self.changed else float("nan")

    @property
    def refused_equivalents(self) -> list[Outcome]:
        """Where oracle and checker disagree the other way."""
        return [o for o in self.outcomes if o.kind in (EQUIVALENT, HIDDEN) and o.killed]

    def numbers(self) -> dict[str, Any]:
        """What a run is judged by."""
        killed = [o.seconds for o in self.changed if o.killed]
        right = [r.seconds for r in self.rights]
        return {
            "mutants": len(self.outcomes),
            "changed": len(self.changed),
            "killed": len(self.changed) - len(self.survivors),
            "kill rate": self.kill_rate,
            "equivalent": sum(o.kind == EQUIVALENT for o in self.outcomes),
            "changed by less than 1e-12": sum(o.kind == FAINT for o in self.outcomes),
            "of these killed": sum(o.kind == FAINT and bool(o.killed) for o in self.outcomes),
            "hidden by the accuracy": sum(o.kind == HIDDEN for o in self.outcomes),
            "no function": sum(o.kind == UNUSABLE for o in self.outcomes),
            "undecided": sum(o.kind == UNDECIDED for o in self.outcomes),
            "endless": sum(o.out_of_time == "oracle" for o in self.outcomes),
            "out of time in the checker": sum(o.out_of_time == "checker" for o in self.outcomes),
            "checker raised": sum(bool(o.raised) for o in self.outcomes),
            "equivalent but refused": len(self.refused_equivalents),
            "right rules": len(self.rights),
            "right rules refused": len(self.refused),
            "median seconds, right": statistics.median(right) if right else float("nan"),
            "median seconds, killed": statistics.median(killed) if killed else float("nan"),
        }

    def by_operator(self) -> list[tuple[str, int, int]]:
        """(operator, mutants that count, survivors)."""
        every = Counter(o.mutant.operator for o in self.changed)
        alive = Counter(o.mutant.operator for o in self.survivors)
        return [(name, n, alive[name]) for name, n in every.most_common()]

    def text(self) -> str:
        """All of it, for a terminal."""
        lines = [f"{name:28} {value:.5g}" if isinstance(value, float) else f"{name:28} {value}" for name, value in self.numbers().items()]
        lines += ["", f"{'operator':32} {'counted':>8} {'alive':>6}"]
        lines += [f"{name:32} {n:8} {alive:6}" for name, n, alive in self.by_operator()]
        for title, chosen in (("survivor", self.survivors), ("equivalent but refused", self.refused_equivalents)):
            lines += [
                f"\n{title}: {o.mutant.form} of {o.mutant.subject}, {o.mutant.operator}\n{o.mutant.diff}\n  {o.where or o.text}"
                for o in chosen
            ]
        lines += [
            f"\nundecided: {o.mutant.form} of {o.mutant.subject}\n{o.mutant.diff}\n  {o.where}"
            for o in self.outcomes
            if o.kind == UNDECIDED
        ]
        lines += [f"\nright rule refused: {o.job.subject}\n{o.text or o.raised or o.where}" for o in self.refused]
        lines += [
            f"\nchecker raised: {o.mutant.form} of {o.mutant.subject}\n{o.mutant.diff}\n  {o.raised}" for o in self.outcomes if o.raised
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "numbers": self.numbers(),
            "operators": self.by_operator(),
            "rights": [{**vars(o), "job": o.job.subject} for o in self.rights],
            "outcomes": [
                {**{k: v for k, v in vars(o).items() if k != "job"}, "diff": o.mutant.diff, "operator": o.mutant.operator}
                | {"subject": o.mutant.subject, "form": o.mutant.form, "source": o.mutant.source}
                for o in self.outcomes
            ],
        }
