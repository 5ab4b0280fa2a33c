"""The figures of docs/benchmarks.md, from the JSON files of benchmarks/published: a table and a plot of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]
PIECES = Path(__file__).parents[1] / "build" / "figures"
_MACHINE = ("ms", "ours_us", "hand_us")  # times of one machine; ratios are what is published
_NAMES = {"ratio": "time / time of the counterpart", "target": "aimed at"}
_MOST = 40  # rows of a plot
_STYLE = {"svg.hashsalt": "rulebook", "font.size": 8, "savefig.transparent": True}


def write_page(published: Path, folder: Path) -> None:
    """Write a piece for each file to build/figures, and its plot beside the page."""
    PIECES.mkdir(parents=True, exist_ok=True)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for file in sorted(published.glob("*.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        rows, lines = found["rows"], []
        if "case" in rows[0]:
            for name, part in parts(rows).items():
                figure = f"figures/{file.stem}{name and '-'}{name}.svg"
                plot(part, folder / figure)
                lines += [f"![The ratios of the table below, on a logarithmic axis]({figure})", ""]
                lines += ['??? note "The figures of the plot"', "", *(f"    {line}" for line in table(part)), ""]
        else:
            lines = list(by_problem(rows))
        (PIECES / f"{file.stem}.md").write_text("\n".join([*lines, "", about(found), ""]), encoding="utf-8")


def parts(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows that are plotted together: those of an engine where all would be too many."""
    if len(rows) <= _MOST:
        return {"": rows}
    return {engine: [r for r in rows if r["engine"] == engine] for engine in dict.fromkeys(r["engine"] for r in rows)}


def about(found: dict[str, Any]) -> str:
    """The command, the day and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"Measured by `{found['command']}` on {found['date']}: {versions}."


def table(rows: list[Row]) -> list[str]:
    """Rows as lines of Markdown; what all rows lack, and what holds for one machine alone, has no column."""
    columns = [c for c in dict.fromkeys(c for r in rows for c in r) if c not in _MACHINE and any(r.get(c) is not None for r in rows)]
    if len({r.get("engine") for r in rows}) == 1:
        columns = [c for c in columns if c != "engine"]
    head = [_NAMES.get(c, c) for c in columns]
    lines = [head, ["---" if isinstance(rows[0].get(c), str) else "--:" for c in columns]]
    return [f"| {' | '.join(line)} |" for line in [*lines, *([cell(r.get(c)) for c in columns] for r in rows)]]


def by_problem(rows: list[Row]) -> list[str]:
    """One table for each problem, folded."""
    lines: list[str] = []
    for problem in dict.fromkeys(r["problem"] for r in rows):
        chosen = [{k: v for k, v in r.items() if k not in ("problem", "accurate")} for r in rows if r["problem"] == problem]
        lines += [f'??? note "{problem}"', "", *(f"    {line}" for line in table(chosen)), ""]
    return lines


def cell(value: Any) -> str:
    """A value in three figures."""
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return "" if value is None else str(value)


def plot(rows: list[Row], file: Path) -> None:
    """A point for each ratio, left of the line where rulebook is faster; narrow, so that it is read on a phone as well."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 0.19 * len(rows) + 0.7), layout="constrained")
        axes = figure.subplots()
        engines = list(dict.fromkeys(r["engine"] for r in rows))
        for y, r in enumerate(rows):
            colour = f"C{engines.index(r['engine'])}"
            axes.plot([1, r["ratio"]], [y, y], color=colour, linewidth=1.5)
            axes.plot(r["ratio"], y, "o", color=colour, markersize=4)
        several = len(engines) > 1
        axes.set_yticks(range(len(rows)), [f"{r['engine']}: {r['case']}" if several else r["case"] for r in rows], fontsize=6.5)
        axes.axvline(1.0, color="#444", linewidth=0.8)
        axes.set(xscale="log", xlabel=_NAMES["ratio"], ylim=(len(rows) - 0.4, -0.6))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.tick_params(axis="x", top=True, labeltop=True)
        axes.grid(axis="x", alpha=0.3)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        figure.savefig(file, metadata={"Date": None})
