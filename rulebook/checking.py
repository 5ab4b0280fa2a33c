"""Checking one primitive as the command line and the pytest plugin ask for it: whatever happens becomes an outcome."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rulebook import forms, testing
from rulebook.errors import RulebookError
from rulebook.places import places_of
from rulebook.primitive import Primitive
from rulebook.reporting.outcome import Outcome, merged
from rulebook.testing.report import Report

__all__ = ["Plan", "UnknownLawError", "check_primitive", "known_laws", "need_laws", "problem_of", "reports_of"]


_WRITE = "write one with @rb.frule, @rb.rrule, @rb.pushforward, @rb.pullback or @rb.scalar_rule"


class UnknownLawError(RulebookError, LookupError):
    """A law is named that there is not."""


@dataclass(frozen=True)
class Plan:
    """How to check.

    Attributes:
        seed, seeds: the first seed and how many.
        strict: whether what cannot be decided is a failure.
        budget: seconds for one primitive and seed; the checker's own by default.
        only: the laws to check; all by default.
        without: law -> why it is switched off.
        engines: also check that these use the rules; () for all that are installed, None for none.
        explicit: primitives that are asked for by name, so that having nothing to check is a mistake.
    """

    seed: int = 0
    seeds: int = 1
    strict: bool = False
    budget: float | None = None
    only: Sequence[str] = ()
    without: Mapping[str, str] = field(default_factory=dict)
    engines: Sequence[str] | None = None
    explicit: frozenset[str] = frozenset()


def known_laws(engines: bool = False) -> dict[str, str]:
    """The laws that are checked, id -> title: those of rules, and those of engines where they are asked for."""
    of_engines = {law.id: law.title for law in testing.engine_laws()} if engines else {}
    return {law.id: law.title for law in testing.laws()} | of_engines


def need_laws(names: Sequence[str], where: str, engines: bool = False) -> None:
    """Refuse what is no law that is checked.

    Raises:
        UnknownLawError: one of the names is no law, or one of engines while no engine is checked.
    """
    known = known_laws(engines)
    for name in names:
        if name not in known and name in known_laws(engines=True):
            raise UnknownLawError(f"{where}, law {name!r}.", "a law of rules", "one of engines", "check engines as well: --engines")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise UnknownLawError(f"{where}, law {name!r}.", f"one of {', '.join(known)}", repr(name), f"write {near[0]}, if that is meant")


def check_primitive(name: str, p: Primitive, plan: Plan) -> Outcome:
    """The outcome of one primitive.

    Args:
        name: what the outcome is called.
        p: the primitive.
        plan: how to check.
    """
    rules = {d: rule.kind for d, rule in ((forms.FORWARD, p.forward), (forms.REVERSE, p.reverse)) if rule is not None}
    outcome = Outcome(name, Report(name, seed=plan.seed, strict=plan.strict), rules, places_of(p))
    outcome.problem = problem_of(name, p)
    outcome.skipped = not rules and name not in plan.explicit
    if not outcome.problem:
        _run(outcome, p, plan)
    return outcome


def problem_of(name: str, p: Primitive) -> str:
    """Why a primitive cannot be checked, in the four parts of a message, or ""."""
    if p.forward is None and p.reverse is None:
        return _problem(name, "a rule", "none", _WRITE)
    if not p.cases:
        return _problem(name, "example calls", "none", "give some: @rb.primitive(cases=[rb.case(...)]), or @f.case")
    return ""


def _problem(name: str, expected: str, got: str, do: str) -> str:
    return str(RulebookError(f"check of {name}.", expected, got, do))


def _run(outcome: Outcome, p: Primitive, plan: Plan) -> None:
    """Check, and tell of whatever comes out instead of a report."""
    try:
        outcome.report = merged([r for i in range(plan.seeds) for r in reports_of(p, plan, plan.seed + i)])
    except RulebookError as error:
        outcome.problem = str(error)
    except Exception as error:  # a checker that fails is no reason to lose the others' outcomes
        told = "".join(traceback.format_exception(error)).rstrip()
        outcome.problem = _problem(outcome.name, "a report", type(error).__name__, f"tell the developers of rulebook:\n{told}")


def reports_of(p: Primitive, plan: Plan, seed: int, **more: Any) -> list[Report]:
    """What the checker says about one primitive: one report of its rules and, if asked for, one of its engines.

    Args:
        p: the primitive.
        plan: how to check; its seeds are the caller's business.
        seed: that of the points.
        more: further options of the checker, as `case=`.
    """
    options: dict[str, Any] = {"seed": seed, "raise_": False, "strict": plan.strict, **more}
    if plan.budget is not None:
        options["budget"] = plan.budget
    only = list(options.pop("only", plan.only))
    of_rules = known_laws()
    reports = []
    if not only or any(law in of_rules for law in only):
        without = {law: why for law, why in plan.without.items() if law in of_rules}
        reports.append(testing.check_rules(p, without=without, only=[law for law in only if law in of_rules], **options))
    if plan.engines is not None and (not only or any(law not in of_rules for law in only)):
        engines = list(plan.engines) or None
        reports.append(testing.check_engines(p, engines=engines, without=dict(plan.without), only=only, **options))
    return reports
