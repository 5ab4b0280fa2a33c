"""The costs of primitives as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rulebook.cli.timing import Row
from rulebook.markup.page import cell
from rulebook.markup.text import columns, duration

__all__ = ["as_html", "as_text"]

_HEADER = ("primitive", "case", "engine", "primal", "forward", "reverse", "reverse/primal", "calls forward", "calls reverse")


def as_text(rows: Sequence[Row], without: Sequence[str]) -> str:
    """The table, what was refused, and which primitives have no such case."""
    lines = [columns([_HEADER, *map(_cells, rows)], right=[1, *range(3, 9)])]
    refusals = list(_refusals(rows))
    lines += [""] * bool(refusals) + refusals
    lines += ["", f"no such case: {', '.join(without)}"] if without else []
    return "\n".join(lines) + "\n"


def as_html(rows: Sequence[Row], without: Sequence[str]) -> Iterator[str]:
    """The same as parts of a page."""
    head = "".join(cell("th", escape(name), "number" if i >= 3 else "") for i, name in enumerate(_HEADER))
    body = "\n".join(f"<tr>{''.join(map(_cell, _cells(row), range(len(_HEADER))))}</tr>" for row in rows)
    yield f'<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'
    yield from (f'<div class="card undecided"><pre>{escape(text)}</pre></div>' for text in _refusals(rows))
    if without:
        yield f'<p class="dim">no such case: {escape(", ".join(without))}</p>'


def _cell(text: str, column: int) -> str:
    return cell("td", escape(text), "number" if column >= 3 else "")


def _refusals(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for direction, why in row.refusals.items():
            yield f"{row.primitive}, case {row.case}, {row.engine}, {direction}: {why}"


def _cells(row: Row) -> tuple[str, ...]:
    times = [duration(row.primal)]
    times += ["refused" if d in row.refusals else duration(s) for d, s in (("forward", row.forward), ("reverse", row.reverse))]
    ratio = "-" if row.ratio is None else f"{row.ratio:.1f}"
    calls = ["-" if n is None else str(n) for n in (row.forward_calls, row.reverse_calls)]
    return row.primitive, str(row.case), row.engine, *times, ratio, *calls
