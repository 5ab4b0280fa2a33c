"""The HTML report: one page that needs nothing else, readable on light and dark screens and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from rulebook import __version__
from rulebook.markup.page import cell, page
from rulebook.reporting.outcome import HELD, SKIPPED, TOLD, UNCHECKED, WRONG, Outcome, Run
from rulebook.reporting.plot import ladder_plot
from rulebook.reporting.text import verdict
from rulebook.testing.report import Finding, Note

__all__ = ["html"]

_HEADER = ("primitive", "rules", "laws held", "points", "left out", "findings", "seconds", "outcome")
_WORDS = {HELD: "ok", WRONG: "wrong", UNCHECKED: "not checked", SKIPPED: "skipped"}
_CAPTION = (
    "How far differences of the function are from the expected value, by the size of their step: where they close in on it, as the step "
    "falls and until rounding takes over, the expected value can be trusted."
)


def html(run: Run) -> str:
    """The report as a page of HTML."""
    title = f"rulebook check {' '.join(run.targets)}".strip()
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    body = [f"<h1>{escape(title)}</h1>", f'<p class="dim">{escape(verdict(run))} · {now} · rulebook {__version__}</p>', _table(run)]
    body += [part for i, outcome in enumerate(run.outcomes) for part in _section(i, outcome, run)]
    return page(title, body)


def _table(run: Run) -> str:
    head = "".join(cell("th", escape(name), "number" if 2 <= i <= 6 else "") for i, name in enumerate(_HEADER))
    rows = "\n".join(_row(i, o) for i, o in enumerate(run.outcomes))
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'


def _row(number: int, outcome: Outcome) -> str:
    report = outcome.report
    name = f'<a href="#p{number}">{escape(outcome.name)}</a>'
    kinds = ", ".join(dict.fromkeys(outcome.rules.values()))
    numbers = (len(report.held), report.points, report.left_out, len(report.findings), f"{report.seconds:.2f}")
    cells = [cell("td", name, "name"), cell("td", escape(kinds)), *(cell("td", str(n), "number") for n in numbers)]
    return f"<tr>{''.join(cells)}{cell('td', _WORDS[outcome.status], outcome.status)}</tr>"


def _section(number: int, outcome: Outcome, run: Run) -> Iterator[str]:
    """Everything about one primitive."""
    place = outcome.places.get("")
    where = f' <span class="dim">{escape(str(place))}</span>' if place else ""
    yield f'<h2 id="p{number}"><code>{escape(outcome.name)}</code>{where}</h2>'
    if outcome.problem:
        yield f'<div class="card undecided"><pre>{escape(outcome.problem)}</pre></div>'
    for failure in outcome.failures:
        yield _finding(failure) if isinstance(failure, Finding) else _undecided(failure)
    if outcome.remarks:
        items = "".join(f"<li>{escape(str(note))}</li>" for note in outcome.remarks)
        open_ = " open" if any(note.kind in TOLD for note in outcome.remarks) else ""
        yield f"<details{open_}><summary>{_counted(len(outcome.remarks), 'note')}</summary><ul>{items}</ul></details>"
    if outcome.report.held:
        rows = "".join(f"<dt><code>{escape(law)}</code></dt><dd>{_law(law, n, run)}</dd>" for law, n in outcome.report.held.items())
        yield f"<details><summary>{_counted(len(outcome.report.held), 'law')} held</summary><dl>{rows}</dl></details>"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _law(law: str, count: int, run: Run) -> str:
    title = run.laws.get(law, "")
    return f'{escape(title)} <span class="dim">at {_counted(count, "point")}</span>'


def _finding(finding: Finding) -> str:
    got = finding.got + (f" ({finding.looks_like})" if finding.looks_like else "")
    expected = finding.expected + ("" if finding.estimate is None else f" ± {finding.estimate:.1e}")
    rows = {
        "Where": finding.where,
        "Expected": expected,
        "Got": got,
        "Do": finding.do,
        "At": finding.case,
        "Call": finding.call,
        "Again": finding.reproduce,
    }
    terms = "".join(f"<dt>{name}</dt><dd><code>{escape(value)}</code></dd>" for name, value in rows.items() if value)
    title = f"{finding.rule}, law {finding.law!r}: {finding.title}"
    return f'<div class="card"><h3>{escape(title)}</h3><dl>{terms}</dl>{_figure(finding)}</div>'


def _figure(finding: Finding) -> str:
    picture = ladder_plot(finding.ladder, {"error of the rule": _gap(finding), "estimated error of the expected value": finding.estimate})
    return f"<figure>{picture}<figcaption>{_CAPTION}</figcaption></figure>" if picture else ""


def _gap(finding: Finding) -> float | None:
    """How far the rule is from the expected value, where both are single numbers."""
    try:
        return abs(complex(finding.got) - complex(finding.expected))
    except ValueError:
        return None


def _undecided(note: Note) -> str:
    return f'<div class="card undecided"><pre>{escape(str(note))}</pre></div>'
