"""Checking that engines use the rules, and give by them what the rules give on NumPy arrays."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.engines import engine_names, load_engine
from rulebook.errors import EngineMissingError, RuleSignatureError
from rulebook.primitive import Case
from rulebook.testing.engine_law import EngineLaw, engine_laws
from rulebook.testing.engine_run import EngineRun
from rulebook.testing.law import laws
from rulebook.testing.report import Note, Report
from rulebook.testing.subject import Rule, Subject

__all__ = ["check_engines"]


def check_engines(
    f: Any,
    *args: Any,
    engines: Sequence[str] | None = None,
    seed: int = 0,
    raise_: bool = True,
    strict: bool = False,
    budget: float = 60.0,
    without: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    case: int | None = None,
    **static: Any,
) -> Report:
    """Check that engines use the rules of a function, and get by them what the rules give on NumPy arrays.

    Whether the rules are right is for `check_rules` to say.  What an engine refuses with an error that says why is a note.

    Args:
        f: a primitive, or a `rulebook.testing.Rule`, which is taken for host code in engines that it cannot be traced by.
        args: the primals of a call; without any, the cases of f are used.
        engines: their names; every one that is installed by default.
        seed: of the points and directions.
        raise_: raise what is found, instead of only returning it.
        strict: count what noise or time leaves undecided as a failure.
        budget: seconds; what is left then is reported as unchecked.
        without: law id -> reason: laws that are switched off.
        only: the ids of the only laws to check; those of `check_rules` are passed over.
        case: the number of the only case to use.
        static: the options of the call; one that has the name of a parameter here goes into an `rb.case`.

    Returns:
        A Report: `ok`, `findings`, `notes`.

    Raises:
        RuleCheckError: a law does not hold (unless `raise_=False`).
        EngineMissingError: an engine that is named is not installed.
        RuleMissingError: f has no rule.
        RuleSignatureError: f is neither, or a law does not exist.

    Example:
        >>> import rulebook as rb
        >>> from rulebook.testing import check_engines
        >>> @rb.primitive(cases=[lambda rng: (rng.normal(size=3),)])
        ... def square(x):
        ...     return x**2
        >>> @rb.scalar_rule(square)
        ... def _(y, x):
        ...     return 2 * x
        >>> check_engines(square, engines=["dual"]).ok
        True
    """
    subject = Subject(f)
    if args or static:
        subject.cases = [Case(args, static)]
    report = Report(subject.name, seed=seed, strict=strict)
    began = time.perf_counter()
    chosen = _laws(without or {}, only, report)
    loaded = _engines(engines, report) if chosen else []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = EngineRun(subject, report, chosen, began + budget, not isinstance(f, Rule))
        run.run(loaded, case)
    report.seconds = time.perf_counter() - began
    if raise_:
        report.raise_if_wrong()
    return report


def _laws(without: Mapping[str, str], only: Sequence[str], report: Report) -> list[EngineLaw]:
    """The laws that the options leave."""
    known = [law.id for law in engine_laws()]
    others = [law.id for law in laws()]
    for name in (*without, *only):
        if name not in known and name not in others:
            raise RuleSignatureError("rulebook.testing.", f"a law among {', '.join(known)}", repr(name), "name a law that there is")
    for law, why in without.items():
        if law in known:
            report.note(Note("switched off", why, law=law))
    return [law for law in engine_laws() if law.id not in without and (not only or law.id in only)]


def _engines(names: Sequence[str] | None, report: Report) -> list[Engine]:
    """The engines, loaded; one that is missing is a note unless it was asked for."""
    if names is not None:
        return [load_engine(name) for name in names]
    found = []
    for name in engine_names():
        try:
            found.append(load_engine(name))
        except EngineMissingError:
            report.note(Note("unavailable", f"engine {name} is not installed"))
    return found
