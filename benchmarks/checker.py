"""`python -m benchmarks.checker`: how many wrong rules of the collections the checker catches, and how many right ones it refuses."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CORPORA = {"a": "tests.checker_corpus", "b": "tests.checker_corpus_b"}


@dataclass(frozen=True)
class Job:
    """One entry with one seed."""

    corpus: str
    id: str
    seed: int
    undeclared: bool


@dataclass(frozen=True)
class Outcome:
    """What the checker said of an entry.

    Attributes:
        corpus, id, seed: which.
        right: whether the rule is right.
        bug: the class of what is wrong with it.
        ok: whether the checker passed it.
        seconds: how long it took.
        laws: those it found broken.
        text: the first finding.
        raised: an error of the checker itself.
    """

    corpus: str
    id: str
    seed: int
    right: bool
    bug: str
    ok: bool
    seconds: float
    laws: list[str] = field(default_factory=list)
    text: str = ""
    raised: str = ""

    @property
    def miss(self) -> bool:
        """Whether the checker is wrong about it."""
        return self.ok is not self.right or bool(self.raised)


@cache
def _entries(corpus: str) -> dict[str, Any]:
    import importlib

    return {entry.id: entry for entry in importlib.import_module(CORPORA[corpus]).entries()}


def examine(job: Job) -> Outcome:
    """Check one entry."""
    from rulebook.testing import check_rules

    entry = _entries(job.corpus)[job.id]
    rule = entry.make()
    if job.undeclared:
        rule.primitive.accuracy = None
    known = (job.corpus, job.id, job.seed, entry.right, entry.bug)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of awkward functions
            report = check_rules(rule, seed=job.seed, raise_=False)
    except Exception as error:
        return Outcome(*known, False, time.perf_counter() - start, raised=f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    text = str(report.findings[0]) if report.findings else ""
    return Outcome(*known, report.ok, seconds, [finding.law for finding in report.findings], text)


class Summary:
    """The numbers of a run, and what the checker was wrong about."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = outcomes
        self.right = [o for o in outcomes if o.right]
        self.wrong = [o for o in outcomes if not o.right]
        self.misses = [o for o in outcomes if o.miss]

    def numbers(self) -> dict[str, Any]:
        """What a run is judged by."""
        caught, refused = [o for o in self.wrong if not o.ok], [o for o in self.right if not o.ok]
        return {
            "right": len(self.right),
            "wrong": len(self.wrong),
            "caught": len(caught),
            "caught, %": 100 * len(caught) / len(self.wrong) if self.wrong else float("nan"),
            "refused": len(refused),
            "refused, %": 100 * len(refused) / len(self.right) if self.right else float("nan"),
            "checker raised": sum(bool(o.raised) for o in self.outcomes),
            "median seconds, right": _median(o.seconds for o in self.right),
            "median seconds, wrong": _median(o.seconds for o in self.wrong),
            "most seconds": max((o.seconds for o in self.outcomes), default=float("nan")),
        }

    def by_bug(self) -> list[tuple[str, int, int]]:
        """(class of bug, entries, missed), the most missed first."""
        every = Counter(o.bug for o in self.wrong)
        missed = Counter(o.bug for o in self.wrong if o.ok)
        return sorted(((bug, n, missed[bug]) for bug, n in every.items()), key=lambda row: (-row[2], row[0]))

    def text(self) -> str:
        """All of it, for a terminal."""
        lines = [f"{name:24} {value:.5g}" if isinstance(value, float) else f"{name:24} {value}" for name, value in self.numbers().items()]
        lines += ["", f"{'bug':24} {'entries':>8} {'missed':>7}"]
        lines += [f"{bug:24} {n:8} {missed:7}" for bug, n, missed in self.by_bug()]
        for o in self.misses:
            what = "raised" if o.raised else "refused" if o.right else f"missed, {o.bug}"
            lines.append(f"\n{what}: {o.corpus} {o.id}, seed {o.seed}\n  {o.raised or o.text}".rstrip())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {"numbers": self.numbers(), "bugs": self.by_bug(), "outcomes": [asdict(o) for o in self.outcomes]}


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.median(found) if found else float("nan")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checker", description=__doc__)
    parser.add_argument("--corpus", choices=("a", "b", "all"), default="all", help="which collection")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="check every entry with the seeds 0 to N - 1")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--undeclared", action="store_true", help="without accuracy=: the checker has to find out")
    parser.add_argument("--only", default="", metavar="TEXT", help="entries whose id contains it")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth entry")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome there")
    return parser


def run(jobs: Sequence[Job], workers: int) -> list[Outcome]:
    """The outcomes, in order."""
    if workers == 1:
        return [examine(job) for job in jobs]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        found = []
        for outcome in pool.imap(examine, jobs, chunksize=8):
            found.append(outcome)
            if outcome.miss:
                print(f"{len(found)} of {len(jobs)}: {outcome.corpus} {outcome.id}", file=sys.stderr)
        return found


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and write what was asked for; 1 where the checker was wrong about an entry."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the workers
    chosen = list(CORPORA) if options.corpus == "all" else [options.corpus]
    ids = [(corpus, id) for corpus in chosen for id in list(_entries(corpus))[:: options.every] if options.only in id]
    jobs = [Job(corpus, id, seed, options.undeclared) for seed in range(options.seeds) for corpus, id in ids]
    summary = Summary(run(jobs, options.workers))
    print(summary.text())
    if options.json is not None:
        options.json.write_text(json.dumps(summary.to_dict(), indent=1) + "\n")
    return int(bool(summary.misses))


if __name__ == "__main__":
    raise SystemExit(main())
