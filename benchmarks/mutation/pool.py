"""Runs mutants in worker processes with a limit of time each: a mutant may loop for ever."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.worker import Original, work

__all__ = ["Outcome", "run"]

START_LIMIT = 120.0  # seconds for a process to import and collect the right rules


@dataclass
class Outcome:
    """What became of a mutant, or of a right rule.

    Attributes:
        job: which; for a right rule as it is only the checker is asked.
        kind: what the oracle found; "" while it has not answered.
        where: what it saw.
        killed: what the checker found; None where it was not asked or did not answer.
        seconds: how long the checker took.
        laws: those it found broken.
        text: its findings.
        raised: an error of the checker itself.
        out_of_time: "oracle" or "checker" where the limit was reached there.
    """

    job: Mutant | Original
    kind: str = ""
    where: str = ""
    killed: bool | None = None
    seconds: float = 0.0
    laws: list[str] = field(default_factory=list)
    text: str = ""
    raised: str = ""
    out_of_time: str = ""

    @property
    def mutant(self) -> Mutant:
        """The mutant that it is about."""
        assert isinstance(self.job, Mutant)
        return self.job


class _Worker:
    """One process and what it is doing."""

    def __init__(self, options: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=work, args=(theirs, *options), daemon=True)
        self.process.start()
        theirs.close()
        self.number: int | None = None
        self.ready = False
        self.since = time.monotonic()

    def give(self, number: int, job: Mutant | Original) -> None:
        self.number, self.since = number, time.monotonic()
        self.pipe.send((number, job))

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class _Pool:
    """The workers and the queues; mutants of one rule function stay with one worker as long as there are some."""

    def __init__(self, jobs: Sequence[Mutant | Original], workers: int, limit: float, seconds: float, options: tuple[Any, ...]) -> None:
        self.outcomes = [Outcome(j) for j in jobs]
        self.limit = limit
        self.end = time.monotonic() + seconds
        self.options = options
        queues: dict[tuple[str, str], deque[int]] = {}
        for i, job in enumerate(jobs):
            queues.setdefault((job.subject, job.form), deque()).append(i)
        self.queues = deque(queues.values())
        self.workers = {_Worker(options): deque[int]() for _ in range(min(workers, max(1, len(queues))))}

    def next(self, worker: _Worker) -> bool:
        """Give a worker something to do; False if nothing is left."""
        if time.monotonic() > self.end:
            return False
        if not self.workers[worker]:
            if not self.queues:
                return False
            self.workers[worker] = self.queues.popleft()
        number = self.workers[worker].popleft()
        worker.give(number, self.outcomes[number].job)
        return True

    def replace(self, worker: _Worker) -> None:
        """A new process for one that hangs or has died; it goes on with what was left."""
        left = self.workers.pop(worker)
        worker.stop()
        self.workers[_Worker(self.options)] = left

    def finish(self, worker: _Worker) -> None:
        del self.workers[worker]
        worker.stop()

    def give_up(self, worker: _Worker, why: str) -> None:
        """The mutant that a worker hangs at, or died of, gets no further."""
        if worker.number is None:
            raise RuntimeError(f"a worker process {why} before its first mutant")
        outcome = self.outcomes[worker.number]
        outcome.out_of_time = "checker" if outcome.kind else "oracle"
        outcome.where = outcome.where or why
        self.replace(worker)

    def hear(self, worker: _Worker, done: Callable[[Outcome], None]) -> None:
        try:
            stage, number, found = worker.pipe.recv()
        except (EOFError, ConnectionError):
            self.give_up(worker, "died")
            return
        worker.since = time.monotonic()
        worker.ready = True
        if stage != "ready":
            for name, value in found.items():
                setattr(self.outcomes[number], name, value)
        if stage == "done":
            done(self.outcomes[number])
        if stage != "judged" and not self.next(worker):
            self.finish(worker)

    def watch(self) -> None:
        now = time.monotonic()
        for worker in list(self.workers):
            if now - worker.since > (self.limit if worker.ready else START_LIMIT):
                self.give_up(worker, "ran out of time")


def run(
    jobs: Sequence[Mutant | Original],
    *,
    workers: int = 2,
    limit: float = 40.0,
    seconds: float = math.inf,
    points: int = 300,
    seed: int = 0,
    check_all: bool = False,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """The outcomes of the mutants that were run, in their order.

    Args:
        mutants: what to run; those of one rule function next to each other.
        workers: how many processes.
        limit: seconds for the oracle, and again for the checker.
        seconds: after so many no further mutant is begun.
        points: of the oracle.
        seed: of the points of oracle and checker.
        check_all: check equivalent mutants too.
        done: called with each outcome.
    """
    if not jobs:
        return []
    pool = _Pool(jobs, workers, limit, seconds, (points, seed, check_all))
    try:
        while pool.workers:
            by_pipe = {worker.pipe: worker for worker in pool.workers}
            for pipe in wait(list(by_pipe), timeout=1.0):
                pool.hear(by_pipe[pipe], done)  # type: ignore[index]  # wait gives back what it was given
            pool.watch()
    finally:
        for worker in list(pool.workers):
            worker.stop()
    return [o for o in pool.outcomes if o.kind or o.out_of_time]
