"""The JUnit XML format: a suite per primitive, a test per law.

Valid against the schemas that are in use, that of Apache Ant and that of the Jenkins xUnit plugin: every attribute and
element that the former needs, none that the latter does not know, and at most one outcome in a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rulebook.reporting.outcome import UNCHECKED, Outcome, Run
from rulebook.testing.report import Finding, Note

__all__ = ["junit"]

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold
_WHOLE = "check"  # the name of the test of a primitive whose laws did not run


def junit(run: Run) -> str:
    """The report as JUnit XML."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    root = Element("testsuites")
    for number, outcome in enumerate(run.outcomes):
        _suite(root, number, outcome, run, now)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, number: int, outcome: Outcome, run: Run, now: str) -> None:
    suite = SubElement(root, "testsuite", name=outcome.name, package="rulebook", id=str(number), timestamp=now, hostname="localhost")
    properties = SubElement(suite, "properties")
    for name, value in (("seed", run.seed), ("seeds", run.seeds), ("points", outcome.report.points), ("left out", outcome.report.left_out)):
        SubElement(properties, "property", name=name, value=str(value))
    counts = {"failure": 0, "error": 0, "skipped": 0}
    tests = list(_tests(outcome))
    for i, (law, kind, message, details) in enumerate(tests):
        # A law has no time of its own: they share the points.
        time = f"{outcome.report.seconds if i == 0 else 0.0:.6f}"
        test = SubElement(suite, "testcase", name=law, classname=outcome.name, time=time)
        if kind:
            counts[kind] += 1
            _result(test, kind, message, details)
    SubElement(suite, "system-out").text = _clean("\n".join(map(str, outcome.remarks)))
    SubElement(suite, "system-err")
    numbers = (len(tests), counts["failure"], counts["error"], counts["skipped"])
    suite.attrib.update(zip(("tests", "failures", "errors", "skipped"), map(str, numbers), strict=True))
    suite.set("time", f"{outcome.report.seconds:.6f}")


def _result(test: Element, kind: str, message: str, details: str) -> None:
    attributes = {"message": _clean(message)}
    if kind != "skipped":
        attributes["type"] = "RuleCheckError" if kind == "failure" else "RulebookError"
    SubElement(test, kind, attributes).text = _clean(details)


def _tests(outcome: Outcome) -> Iterator[tuple[str, str, str, str]]:
    """(law, "" or the kind of its result, one line, the whole text)."""
    if outcome.problem:
        kind = "error" if outcome.status == UNCHECKED else "skipped"
        yield _WHOLE, kind, outcome.problem.partition("\n")[0], outcome.problem
        return
    failures: dict[str, list[Finding | Note]] = {}
    for failure in outcome.failures:
        failures.setdefault(failure.law or _WHOLE, []).append(failure)
    for law, found in failures.items():
        yield law, "failure", _headline(found[0]), "\n\n".join(map(str, found))
    for law in outcome.report.held:
        if law not in failures:
            yield law, "", "", ""
    left: dict[str, list[Note]] = {}
    for note in outcome.remarks:
        if note.law and note.law not in failures and note.law not in outcome.report.held:
            left.setdefault(note.law, []).append(note)
    for law, notes in left.items():
        yield law, "skipped", str(notes[0]), "\n".join(map(str, notes))
    if not (failures or left or outcome.report.held):
        yield _WHOLE, "skipped", "no law ran", ""


def _headline(failure: Finding | Note) -> str:
    """A failure in one line."""
    return str(failure).partition("\n")[0]


def _clean(text: str) -> str:
    return _NO_XML.sub("?", text)
