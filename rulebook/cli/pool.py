"""Checking on several processes, each of which imports the targets again; the outcomes come in the order of the targets."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from rulebook import plugins
from rulebook.checking import Plan, check_primitive
from rulebook.errors import RulebookError
from rulebook.primitive import Primitive
from rulebook.reporting.outcome import Outcome
from rulebook.targets import find_all
from rulebook.testing.report import Report

__all__ = ["check_all", "default_jobs"]

_FEW = 8  # primitives that are checked sooner than a second process has started and imported what it needs

_here: dict[str, Primitive] = {}  # in a process of the pool: the primitives by name


def default_jobs(n: int) -> int:
    """How many processes n primitives are worth."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cpus, n // _FEW))


def check_all(
    primitives: dict[str, Primitive], targets: Sequence[str], plan: Plan, jobs: int, done: Callable[[str], None]
) -> list[Outcome]:
    """The outcomes, in the order of the primitives.

    Args:
        primitives: by the names that the targets give them.
        targets: what a process has to import in order to find them.
        plan: how to check.
        jobs: how many processes; with one, everything happens in this one.
        done: told the name of each primitive that is ready.
    """
    if jobs == 1:
        outcomes = []
        for name, p in primitives.items():
            outcomes.append(check_primitive(name, p, plan))
            done(name)
        return outcomes
    ready: dict[str, Outcome] = {}
    try:
        _together(list(primitives), targets, plan, jobs, ready, done)
    except BrokenProcessPool:
        # One of them ended its process, as code in C can; which one shows when the others have processes of their own.
        for name in primitives:
            if name not in ready:
                ready[name] = _alone(name, targets, plan)
                done(name)
    return [ready[name] for name in primitives]


def _executor(targets: Sequence[str], jobs: int) -> ProcessPoolExecutor:
    # A forked process would share locks and threads that an engine has started.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_start, initargs=(tuple(targets),))


def _together(
    names: Sequence[str], targets: Sequence[str], plan: Plan, jobs: int, ready: dict[str, Outcome], done: Callable[[str], None]
) -> None:
    executor = _executor(targets, min(jobs, len(names)))
    try:
        futures: dict[Future[Outcome], str] = {executor.submit(_check, name, plan): name for name in names}
        for future in as_completed(futures):
            ready[futures[future]] = future.result()
            done(futures[future])
    finally:
        executor.shutdown(cancel_futures=True)


def _alone(name: str, targets: Sequence[str], plan: Plan) -> Outcome:
    with _executor(targets, 1) as executor:
        try:
            return executor.submit(_check, name, plan).result()
        except BrokenProcessPool:
            error = RulebookError(
                f"check of {name}.",
                "a report",
                "the process that checked it ended",
                "look for code that ends the process (a crash in compiled code, os._exit, too little memory) in the function or its rules",
            )
            return Outcome(name, Report(name, seed=plan.seed, strict=plan.strict), problem=str(error))


def _start(targets: tuple[str, ...]) -> None:
    """Begin a process of the pool: what its functions print must not mix with the report."""
    sys.stdout.flush()
    os.dup2(2, 1)
    plugins.report_by(lambda error: None)  # the first process has told of it
    for target in find_all(targets):
        _here.update(target.primitives)


def _check(name: str, plan: Plan) -> Outcome:
    return check_primitive(name, _here[name], plan)
