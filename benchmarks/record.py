"""What was measured, as JSON: the rows, with the command, the date and the versions that they hold for.

Runs write to benchmarks/results/, which is not kept.  Those that are published are written to benchmarks/published/ by `--json`, and
the page of figures of the documentation is made of them.
"""

from __future__ import annotations

import datetime
import json
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["ENGINES", "RESULTS", "versions", "write"]

RESULTS = Path(__file__).parent / "results"
ENGINES = ("numpy", "jax", "torch", "autograd")


def versions(packages: Iterable[str] = ENGINES) -> dict[str, str]:
    """The versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write(file: Path, command: str, rows: list[dict[str, Any]], packages: Iterable[str] = ENGINES) -> None:
    """Write rows that a command has measured today."""
    file.parent.mkdir(parents=True, exist_ok=True)
    about = {"command": command, "date": datetime.date.today().isoformat(), "versions": versions(packages)}
    file.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"written to {file}", file=sys.stderr)
