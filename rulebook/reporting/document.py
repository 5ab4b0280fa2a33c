"""The JSON format.  Its schema is told in docs/manual/checking.md; `schema` counts changes that readers would notice."""

from __future__ import annotations

from typing import Any

from rulebook import __version__
from rulebook.markup.data import dump
from rulebook.places import Place
from rulebook.reporting.outcome import HELD, SKIPPED, UNCHECKED, WRONG, Outcome, Run

__all__ = ["SCHEMA", "as_json"]

SCHEMA = 1


def as_json(run: Run) -> str:
    """The report as one JSON object."""
    asked = {"targets": list(run.targets), "engines": None if run.engines is None else list(run.engines), "without": dict(run.without)}
    totals = {word: run.count(word) for word in (HELD, WRONG, UNCHECKED, SKIPPED)}
    return dump(
        {
            "schema": SCHEMA,
            "rulebook": __version__,
            "command": "check",
            **asked,
            "seed": run.seed,
            "seeds": run.seeds,
            "strict": run.strict,
            "status": run.status,
            "seconds": run.seconds,
            "totals": totals,
            "laws": dict(run.laws),
            "primitives": [_primitive(o) for o in run.outcomes],
        }
    )


def _primitive(outcome: Outcome) -> dict[str, Any]:
    report = outcome.report.to_dict()
    for finding in report["findings"]:
        finding["place"] = _place(outcome.place_of(finding["rule"]))
    kept = {key: report[key] for key in ("points", "left_out", "seconds", "held", "findings", "notes")}
    return {
        "name": outcome.name,
        "status": outcome.status,
        "rules": dict(outcome.rules),
        "place": _place(outcome.places.get("")),
        "problem": outcome.problem,
        **kept,
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"file": place.file, "line": place.line}
