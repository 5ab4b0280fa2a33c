"""The HTML report: one page that needs nothing else, readable on light and dark screens and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from rulebook import __version__
from rulebook.reporting.outcome import HELD, SKIPPED, TOLD, UNCHECKED, WRONG, Outcome, Run
from rulebook.reporting.plot import ladder_plot
from rulebook.reporting.text import verdict
from rulebook.testing.report import Finding, Note

__all__ = ["html"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5c6675; --paper: #ffffff; --card: #f5f6f8; --line: #d5dae1;
  --bad: #b3261e; --good: #1b6e3c; --warn: #8a5a00; --curve: #1f5fbf; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --dim: #9aa5b4; --paper: #14181f; --card: #1d232c; --line: #37404d;
    --bad: #ff8a80; --good: #7fd6a0; --warn: #f2c063; --curve: #8ab8ff; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0 0 .4rem; }
h2, h3, code { overflow-wrap: anywhere; } .dim { color: var(--dim); } h2 .dim { font-size: .85rem; font-weight: normal; }
code, pre, td.name { font-family: ui-monospace, monospace; font-size: .92em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
a { color: inherit; } summary { cursor: pointer; color: var(--dim); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); } th { color: var(--dim); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.ok { color: var(--good); } td.wrong { color: var(--bad); font-weight: 600; } td.unchecked { color: var(--warn); font-weight: 600; }
td.skipped { color: var(--dim); }
.card { background: var(--card); border-left: 4px solid var(--bad); padding: .8rem 1rem; margin: .8rem 0; }
.card.undecided { border-color: var(--warn); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .9rem; margin: 0; } dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
details dl, details ul { margin: .3rem 0 .8rem; }
figure { margin: .8rem 0 0; } figcaption { color: var(--dim); font-size: .9em; max-width: 46rem; }
.plot { max-width: 100%; height: auto; } .plot text { fill: var(--dim); font: 12px system-ui, sans-serif; }
.plot .power { font-size: 9px; } .plot .grid { stroke: var(--line); } .plot .curve { fill: none; stroke: var(--curve); stroke-width: 2; }
.plot .point { fill: var(--curve); } .plot .level { stroke-width: 1.5; stroke-dasharray: 5 4; }
.plot .level0 { stroke: var(--bad); } .plot .level1 { stroke: var(--warn); }
"""
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
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _table(run: Run) -> str:
    head = "".join(_cell("th", escape(name), "number" if 2 <= i <= 6 else "") for i, name in enumerate(_HEADER))
    rows = "\n".join(_row(i, o) for i, o in enumerate(run.outcomes))
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'


def _row(number: int, outcome: Outcome) -> str:
    report = outcome.report
    name = f'<a href="#p{number}">{escape(outcome.name)}</a>'
    kinds = ", ".join(dict.fromkeys(outcome.rules.values()))
    numbers = (len(report.held), report.points, report.left_out, len(report.findings), f"{report.seconds:.2f}")
    cells = [_cell("td", name, "name"), _cell("td", escape(kinds)), *(_cell("td", str(n), "number") for n in numbers)]
    return f"<tr>{''.join(cells)}{_cell('td', _WORDS[outcome.status], outcome.status)}</tr>"


def _cell(tag: str, content: str, kind: str = "") -> str:
    return f'<{tag} class="{kind}">{content}</{tag}>' if kind else f"<{tag}>{content}</{tag}>"


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
