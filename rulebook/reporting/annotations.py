"""The GitHub format: workflow commands that mark the line of a rule in the changes, then the table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rulebook.places import Place
from rulebook.reporting.outcome import TOLD, UNCHECKED, Outcome, Run
from rulebook.reporting.text import table, verdict
from rulebook.testing.report import Finding, Note

__all__ = ["github"]


def github(run: Run) -> str:
    """The report as annotations of a GitHub workflow.

    Files are told from the root of the repository: `GITHUB_WORKSPACE`, or the current folder.
    """
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    lines = [line for outcome in run.outcomes for line in _annotations(outcome, root)]
    return "\n".join([*lines, table(run), "", verdict(run)]) + "\n"


def _annotations(outcome: Outcome, root: Path) -> Iterator[str]:
    if outcome.problem:
        level = "error" if outcome.status == UNCHECKED else "notice"
        yield _command(level, outcome.places.get(""), root, f"{outcome.name} was not checked", outcome.problem)
    for failure in outcome.failures:
        yield _command("error", outcome.place_of(failure.rule), root, _title(outcome, failure), str(failure))
    for note in outcome.remarks:
        if note.kind in TOLD:
            level = "notice" if note.kind == "switched off" else "warning"
            yield _command(level, outcome.place_of(note.rule), root, _title(outcome, note), str(note))


def _title(outcome: Outcome, about: Finding | Note) -> str:
    which = about.rule or outcome.name
    return f"{which}, law {about.law}" if about.law else which


def _command(level: str, place: Place | None, root: Path, title: str, message: str) -> str:
    where = {} if place is None else {"file": _relative(place.file, root), "line": str(place.line)}
    properties = ",".join(f"{key}={_property(value)}" for key, value in {**where, "title": title}.items())
    return f"::{level} {properties}::{_data(message)}"


def _relative(file: str, root: Path) -> str:
    """A path as GitHub knows it; one outside the repository stays as it is."""
    try:
        return Path(file).resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
