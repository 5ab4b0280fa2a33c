"""A benchmark as a page of HTML: a plot of the times, and the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from rulebook.markup.axes import Scale, decades, log_scale, power_of_ten
from rulebook.markup.page import cell, page
from rulebook.testing.timing.rows import Row
from rulebook.testing.timing.table import HEADER, Table, cells

__all__ = ["body", "table_page", "time_plot"]

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE = 860, 250, 20, 34, 20
_COLOURS = ("#1f5fbf", "#c25a00", "#1b8a4b", "#a0347f", "#6b5bd2", "#8a6d00")  # told apart on light and on dark paper
_NUMBERS = 4  # the first column of numbers
_CAPTION = "Time of a call, NumPy to NumPy: hollow as it is, filled prepared. A point further left is faster; its text tells the numbers."


def table_page(table: Table, title: str) -> str:
    """The whole page."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return page(title, [f"<h1>{escape(title)}</h1>", f'<p class="dim">{now}</p>', *body(table)])


def body(table: Table) -> Iterator[str]:
    """Plot, table, what failed, and what the columns mean."""
    plot = time_plot(table.rows)
    if plot:
        yield f"<figure>{plot}<figcaption>{_CAPTION}</figcaption></figure>"
    head = "".join(cell("th", escape(name), "number" if i >= _NUMBERS else "") for i, name in enumerate(HEADER))
    best = {id(row) for row in table.fastest().values()}
    rows = "\n".join(_row(row, id(row) in best) for row in table.rows)
    yield f'<div class="wide"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'
    for row in table.rows:
        if row.error:
            how = "prepared" if row.prepared else "as it is"
            name = f"{row.operator} of {row.scenario}, {row.engine}, {how}"
            yield f'<div class="card undecided"><h3>{escape(name)}</h3><pre>{escape(row.error)}</pre></div>'
    yield f'<p class="dim">{escape(table.caption())}</p>'


def _row(row: Row, best: bool) -> str:
    texts = cells(row)
    kind = "name wrong" if row.error else "name ok" if best else "name"
    parts = [cell("td", escape(texts[0]), kind), *(cell("td", escape(t)) for t in texts[1:_NUMBERS])]
    return f"<tr>{''.join([*parts, *(cell('td', escape(t), 'number') for t in texts[_NUMBERS:])])}</tr>"


def time_plot(rows: Sequence[Row]) -> str:
    """A line for each scenario and operator, a point for each engine and way; "" where nothing was measured."""
    timed = [row for row in rows if row.time]
    if not timed:
        return ""
    lines = list(dict.fromkeys((row.scenario, row.operator) for row in timed))
    engines = list(dict.fromkeys(row.engine for row in timed))
    low, high = decades([row.time or 1.0 for row in timed])
    x = log_scale(low, high, _LEFT, _WIDTH - _RIGHT)
    height = _TOP + _LINE * (len(lines) + 2)
    parts = [*_legend(engines), *_grid(low, high, x, height), *(part for i, line in enumerate(lines) for part in _label(i, line))]
    parts += [_point(row, x(row.time or 1.0), _y(lines.index((row.scenario, row.operator))), _colour(engines, row.engine)) for row in timed]
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="time of a call">{"".join(parts)}</svg>'
    )


def _y(line: int) -> float:
    return _TOP + _LINE * (line + 0.5)


def _colour(engines: Sequence[str], engine: str) -> str:
    return _COLOURS[engines.index(engine) % len(_COLOURS)]


def _legend(engines: Sequence[str]) -> Iterator[str]:
    step = (_WIDTH - _LEFT - _RIGHT) / len(engines)
    for i, engine in enumerate(engines):
        at = _LEFT + i * step + 6
        yield f'<circle cx="{at:.1f}" cy="12" r="5" fill="{_colour(engines, engine)}"/>'
        yield f'<text x="{at + 10:.1f}" y="16">{escape(engine)}</text>'


def _grid(low: int, high: int, x: Scale, height: int) -> Iterator[str]:
    bottom = height - 1.5 * _LINE
    for power in range(low, high + 1):
        at = x(10.0**power)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom:.1f}"/>'
        yield f'<text x="{at:.1f}" y="{bottom + 15:.1f}" text-anchor="middle">{power_of_ten(power)}<tspan dy="5"> s</tspan></text>'


def _label(line: int, which: tuple[str, str]) -> Iterator[str]:
    scenario, operator = which
    text = scenario if scenario.endswith(operator) else f"{scenario}, {operator}"
    yield f'<text x="{_LEFT - 10}" y="{_y(line) + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(line):.1f}" y2="{_y(line):.1f}"/>'


def _point(row: Row, x: float, y: float, colour: str) -> str:
    how = "prepared" if row.prepared else "as it is"
    text = f"{row.engine}, {how}: {cells(row)[5]}" + (f", {row.ratio:.3g} times the function" if row.ratio else "")
    fill = colour if row.prepared else "none"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2" pointer-events="all">'
        f"<title>{escape(text)}</title></circle>"
    )
