"""The outcome of a benchmark: rows, and how they are shown."""

from __future__ import annotations

import importlib.util
import platform
import sys
import textwrap
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module, metadata
from typing import Any

from rulebook.errors import EngineMissingError
from rulebook.markup.data import dump
from rulebook.markup.text import columns, duration
from rulebook.testing.timing.rows import Row

__all__ = ["HEADER", "SCHEMA", "Table", "cells", "versions"]

SCHEMA = 1
HEADER = ("scenario", "operator", "engine", "prepared", "calls", "time", "spread", "/ primal", "memory", "preparation")
_PACKAGES = ("numpy", "jax", "torch", "autograd")
_WIDTH = 100  # characters of the caption
_MEANING = (
    "time: median of a call, NumPy to NumPy; spread: between its quartiles; / primal: in times of the function on NumPy arrays; memory: "
    "the most that a call holds of NumPy's arrays and Python's objects, - where an engine's own arrays are not seen"
)


def versions() -> dict[str, str]:
    """What was measured with: Python, the processor's kind, and the packages that are installed."""
    found = {"python": platform.python_version(), "machine": f"{platform.machine()}, {platform.system()}"}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Table:
    """Rows of a benchmark.

    Attributes:
        rows: one for each engine, scenario and way.
        versions: of what was measured with.

    Example:
        >>> from rulebook.testing import benchmark, scenarios
        >>> table = benchmark(["dual"], scenarios({"grad", "float32", "number-in"}), seconds=0.01, prepared=(False,))
        >>> table.rows[0].calls
        1
    """

    rows: tuple[Row, ...]
    versions: dict[str, str] = field(default_factory=versions)

    def __str__(self) -> str:
        """The table as text, what failed, and what the columns mean."""
        return f"{self.body()}\n\n{self.legend()}"

    def body(self) -> str:
        """The table as text, and what failed."""
        lines = [columns([HEADER, *map(cells, self.rows)], right=range(4, len(HEADER)))]
        failed = [f"{r.scenario}, {r.operator}, {r.engine}{', prepared' * r.prepared}: {r.error}" for r in self.rows if r.error]
        return "\n".join([*lines, *[""] * bool(failed), *failed])

    def legend(self) -> str:
        """The caption in lines."""
        return "\n".join(textwrap.wrap(self.caption(), _WIDTH))

    def caption(self) -> str:
        """What the columns mean, and with which versions they were measured."""
        packages = ", ".join(f"{name} {version}" for name, version in self.versions.items() if name != "machine")
        return f"{_MEANING} ({packages}; {self.versions.get('machine', '')})"

    def show(self) -> None:
        """Print the table: in colours on a terminal where rich is installed, else as text."""
        if not (sys.stdout.isatty() and importlib.util.find_spec("rich")):
            print(self)
            return
        import_module("rich.console").Console().print(self.__rich__())

    def __rich__(self) -> Any:
        """The table for rich; the fastest of each scenario stands out."""
        made = import_module("rich.table").Table(caption=self.caption(), caption_justify="left")
        for i, name in enumerate(HEADER):
            made.add_column(name, justify="right" if i >= 4 else "left")
        best = [id(row) for row in self.fastest().values()]
        for row in self.rows:
            style = "red" if row.error else "bold green" if id(row) in best else ""
            made.add_row(*cells(row), style=style)
        return made

    def fastest(self) -> dict[tuple[str, str], Row]:
        """(scenario, operator) -> the row with the least time, of those where something was measured."""
        best: dict[tuple[str, str], Row] = {}
        for row in self.rows:
            key = row.scenario, row.operator
            if row.time is not None and (key not in best or row.time < (best[key].time or 0.0)):
                best[key] = row
        return best

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts."""
        return {"schema": SCHEMA, "versions": self.versions, "rows": [asdict(row) for row in self.rows]}

    def to_json(self) -> str:
        """The same as JSON text."""
        return dump(self.to_dict())

    def to_frame(self) -> Any:
        """The rows as a pandas.DataFrame.

        Raises:
            EngineMissingError: pandas is not installed.
        """
        if importlib.util.find_spec("pandas") is None:
            raise EngineMissingError("Table.to_frame.", "the package 'pandas'", "it is not installed", "pip install pandas")
        return import_module("pandas").DataFrame([asdict(row) for row in self.rows], columns=[f.name for f in fields(Row)])

    def to_html(self, title: str = "rulebook benchmark") -> str:
        """One page with a plot and the table, which needs nothing else."""
        page: str = import_module("rulebook.testing.timing.page").table_page(self, title)
        return page


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    ratio = "-" if row.ratio is None else f"{row.ratio:.3g}"
    calls = "-" if row.calls is None else str(row.calls)
    time = row.error.partition(":")[0] if row.error else duration(row.time)
    how = "yes" if row.prepared else "no"
    rest = (calls, time, duration(row.spread), ratio, amount(row.memory), duration(row.preparation))
    return row.scenario, row.operator, row.engine, how, *rest


def amount(n: int | None) -> str:
    """A number of bytes with its unit.

    Example:
        >>> amount(12_345)
        '12.3 kB'
    """
    if n is None:
        return "-"
    factor, unit = next(((f, u) for f, u in ((1e-9, "GB"), (1e-6, "MB"), (1e-3, "kB")) if n * f >= 1), (1.0, "B"))
    return f"{n * factor:.3g} {unit}"
