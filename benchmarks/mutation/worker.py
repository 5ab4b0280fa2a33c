"""What one worker process does with a mutant: ask the oracle, then the checker, and say after each what came out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.oracle import CHANGED, FAINT, Oracle
from benchmarks.mutation.rights import subjects
from benchmarks.mutation.subject import Subject

__all__ = ["RIGHT", "UNDECIDED", "UNUSABLE", "Original", "examine", "work"]

RIGHT = "right"
UNDECIDED = "undecided"  # the oracle itself failed
UNUSABLE = "no function"  # it does not compile, or not into one function

Say = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Original:
    """A right rule, to be checked as it is."""

    subject: str
    form: str = ""


def work(pipe: Connection, points: int, seed: int, check_all: bool) -> None:
    """Take mutants from the pipe until None comes."""
    warnings.simplefilter("ignore")
    _limit_memory()
    known = {s.name: s for s in subjects()}
    oracles: dict[tuple[str, str], Oracle] = {}
    pipe.send(("ready", 0, {}))
    while (job := pipe.recv()) is not None:
        number, mutant = job
        if isinstance(mutant, Original):
            pipe.send(("done", number, {"kind": RIGHT, **check(known[mutant.subject], None, seed)}))
            continue
        key = (mutant.subject, mutant.form)
        if key not in oracles:
            oracles = {key: Oracle(known[mutant.subject], mutant.form, points, seed)}
        say = lambda stage, found, number=number: pipe.send((stage, number, found))
        examine(known[mutant.subject], mutant, oracles[key], seed, check_all, say)


def examine(subject: Subject, mutant: Mutant, oracle: Oracle, seed: int, check_all: bool, say: Say) -> None:
    """Judge a mutant; check it if it does something else than the original, or always with check_all."""
    try:
        candidate = mutant.function(oracle.parts)
    except Exception as error:
        say("done", {"kind": UNUSABLE, "where": f"{type(error).__name__}: {error}"})
        return
    try:
        verdict = oracle.judge(candidate)
    except Exception as error:
        say("done", {"kind": UNDECIDED, "where": f"{type(error).__name__}: {error}"})
        return
    found: dict[str, Any] = {"kind": verdict.kind, "where": verdict.where}
    say("judged", found)
    if verdict.kind in (CHANGED, FAINT) or check_all:
        found |= check(subject, mutant, seed)
    say("done", found)


def check(subject: Subject, mutant: Mutant | None, seed: int) -> dict[str, Any]:
    """What the checker says of a mutant, or of the right rule itself: the laws broken, and the time taken."""
    from rulebook.testing import check_rules

    parts = subject.parts()
    rule = parts.to_check() if mutant is None else parts.to_check(mutant.form, mutant.function(parts))
    start = time.perf_counter()
    try:
        report = check_rules(rule, seed=seed, raise_=False)
    except Exception as error:
        return {"killed": True, "laws": [], "seconds": time.perf_counter() - start, "raised": f"{type(error).__name__}: {error}"}
    seconds = time.perf_counter() - start
    text = "\n".join(str(f) for f in report.findings)
    return {"killed": not report.ok, "laws": [f.law for f in report.findings], "seconds": seconds, "text": text[:2000]}


def _limit_memory() -> None:
    """Mutants may ask for absurd arrays: make that an error instead of a swapping machine."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
