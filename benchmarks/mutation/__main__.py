"""`python -m benchmarks.mutation`: how many small changes of right rules the checker finds, and how many right rules it refuses."""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import math
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.mutation.mutants import Mutant, changes, distinct
from benchmarks.mutation.pool import run
from benchmarks.mutation.report import Summary
from benchmarks.mutation.rights import subjects
from benchmarks.mutation.subject import Subject
from benchmarks.mutation.worker import Original


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("--limit", type=int, help="run so many mutants, drawn at random; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing, of the oracle's points and of the checker's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome there")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", metavar="TEXT", help="right rules whose name contains it")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no further mutant after so long")
    parser.add_argument("--points", type=int, default=300, help="of the oracle, for each mutant")
    parser.add_argument(
        "--check-all", action="store_true", help="check equivalent mutants too: where the checker refuses one, it or the oracle is wrong"
    )
    parser.add_argument("--what", choices=("all", "right", "mutants"), default="all", help="check right rules, mutants, or both")
    return parser


@contextmanager
def _progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar where rich is installed and somebody watches."""
    if importlib.util.find_spec("rich") is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _mutants(chosen: list[Subject], limit: int | None, seed: int) -> list[Mutant]:
    """Drawn from all changes of all rules, and put in any order, so that a run that is cut short has seen rules of all kinds."""
    rng = random.Random(seed)
    every = [change for s in chosen for change in changes(s)]
    rng.shuffle(every)
    made = list(itertools.islice(distinct(every), limit))
    order = {key: rng.random() for key in sorted({(m.subject, m.form) for m in made})}
    return sorted(made, key=lambda m: order[m.subject, m.form])  # those of one rule stay together


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and write what was asked for; 1 where a mutant survived or a right rule was refused."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the workers
    warnings.simplefilter("ignore")
    chosen = [s for s in subjects() if options.only in s.name]
    jobs: list[Mutant | Original] = [Original(s.name) for s in chosen if options.what != "mutants"]
    if options.what != "right":
        jobs += _mutants(chosen, options.limit, options.seed)
    with _progress(len(jobs), "checking") as advance:
        outcomes = run(
            jobs,
            workers=options.workers,
            seconds=options.seconds,
            points=options.points,
            seed=options.seed,
            check_all=options.check_all,
            done=lambda outcome: advance(),
        )
    summary = Summary(outcomes)
    print(summary.text())
    if options.json is not None:
        options.json.write_text(json.dumps(summary.to_dict(), indent=1) + "\n")
    return int(bool(summary.survivors or summary.refused))


if __name__ == "__main__":
    raise SystemExit(main())
