"""What the demonstration shows: progress, one table, one picture; plain text where rich is not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from rulebook.demo.fits import DIFFERENCES, Fit
from rulebook.demo.model import NAMES, data, parameters
from rulebook.demo.solver import populations

try:
    import rich.console
    import rich.progress
    import rich.table
except ModuleNotFoundError:
    _has_rich = False
else:
    _has_rich = True

__all__ = ["Progress", "disagreement", "plot", "print_table"]


def disagreement(gradient: Any, reference: Any) -> float:
    """The largest relative difference of an element.

    Example:
        >>> disagreement(np.array([1.0, 2.2]), np.array([1.0, 2.0])).__round__(3)
        0.1
    """
    return float(np.max(np.abs(np.asarray(gradient) / reference - 1)))


def _on_terminal(stream: TextIO) -> bool:
    return stream.isatty()


class Progress:
    """Which engine is at work and how many evaluations it has made: a bar on a terminal, else one line per engine.

    Args:
        stages: what will be done, in order.
    """

    def __init__(self, stages: Sequence[str]) -> None:
        self._stages = list(stages)
        self._done = 0
        self._evaluations = 0
        self._bar: Any = None
        if _has_rich and _on_terminal(sys.stderr):
            columns = (rich.progress.TextColumn("{task.description:32}"), rich.progress.BarColumn(), rich.progress.TimeElapsedColumn())
            self._bar = rich.progress.Progress(*columns, console=rich.console.Console(stderr=True), transient=True)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=len(self._stages))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self) -> None:
        """One evaluation more."""
        self._evaluations += 1
        if self._bar is not None:
            text = f"{self._stages[self._done]}: {self._evaluations} evaluations"
            # No fit says beforehand how long it takes; most take some thirty evaluations.
            self._bar.update(self._task, description=text, completed=self._done + self._evaluations / (self._evaluations + 15))

    def finish(self) -> None:
        """One stage more."""
        if self._bar is None:
            print(f"{self._stages[self._done]}: {self._evaluations} evaluations", file=sys.stderr)
        self._done += 1
        self._evaluations = 0


_LABELS = ("minimised by", "gradient off by", *NAMES, "primal solves", "forward solves", "adjoint solves", "seconds")


def _column(fit: Fit, reference: Any) -> list[str]:
    found = parameters(fit.logs)
    values = [f"{found[name]:.4f}" if found[name] < 1 else f"{found[name]:.2f}" for name in NAMES]
    counts = [str(fit.solves.get(kind, 0)) for kind in ("primal", "forward", "adjoint")]
    return [fit.method, f"{disagreement(fit.gradient, reference):.0e}", *values, *counts, f"{fit.seconds:.1f}"]


def print_table(fits: Sequence[Fit], reference: Any, missing: Sequence[str]) -> None:
    """One column per fit, which leaves room on a narrow terminal, then a line per engine that is not installed.

    Args:
        fits: in the order of the columns.
        reference: the gradient at the start that each is compared with.
        missing: engines that are not installed.
    """
    header = ["", *("differences" if fit.engine == DIFFERENCES else fit.engine for fit in fits)]
    columns = [_column(fit, reference) for fit in fits]
    rows = [list(row) for row in zip(_LABELS, *columns, strict=True)]
    title = "Lotka-Volterra fitted to lynx and hare: one rule pair, every engine"
    if _has_rich and _on_terminal(sys.stdout):
        table = rich.table.Table(title=title)
        for i, name in enumerate(header):
            table.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row, end_section=row[0] in ("gradient off by", NAMES[-1]))
        rich.console.Console().print(table)
    else:
        print(_plain_table(title, [header, *rows]))
    print("gradient off by: largest relative difference, at the start, from the gradient by a complex step.")
    for engine in missing:
        print(f"{engine}: not installed; pip install 'rulebook-ad[{engine}]'")


def _plain_table(title: str, lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return "\n".join([title, text[0], "-" * len(text[0]), *text[1:]])


def plot(fit: Fit, file: Path) -> None:
    """Draw the data and the fitted solution.

    Args:
        fit: whose parameters to draw.
        file: of a format that matplotlib can write.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    times, pelts = data()
    found = np.exp(fit.logs)
    fine = tuple(np.linspace(times[0], times[-1], 401))
    solution = populations(found[:4], found[4:6], times=fine)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for k, (name, colour) in enumerate((("hare", "tab:brown"), ("lynx", "tab:blue"))):
        axes.plot(1900 + np.array(times), pelts[:, k], "o", color=colour, label=f"{name}, pelts")
        axes.plot(1900 + np.array(fine), solution[:, k], color=colour, label=f"{name}, fit")
    axes.set(xlabel="year", ylabel="thousands", title="Hudson's Bay Company pelts and the fitted Lotka-Volterra model")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # years
    axes.legend()
    figure.savefig(file, dpi=150)
