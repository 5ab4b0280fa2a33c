"""How far a command has come: a bar on a terminal where rich is installed, nothing elsewhere."""

from __future__ import annotations

import importlib.util
import sys
from types import TracebackType
from typing import Any

__all__ = ["Progress"]


class Progress:
    """A bar on the standard error.

    Args:
        total: how many steps there are.
    """

    def __init__(self, total: int) -> None:
        self._bar: Any = None
        if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
            import rich.console  # noqa: PLC0415 (an extra)
            import rich.progress  # noqa: PLC0415 (an extra)

            columns = (rich.progress.BarColumn(), rich.progress.MofNCompleteColumn(), rich.progress.TextColumn("{task.description}"))
            self._bar = rich.progress.Progress(*columns, console=rich.console.Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, done: str) -> None:
        """One step is done."""
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=done)
