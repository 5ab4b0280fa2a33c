"""The core: what importing rulebook costs beside importing NumPy, in fresh processes."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Row, row, table


def rows() -> list[Row]:
    """The one comparison."""
    run = lambda module: lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return [row("core", "import rulebook, against import numpy", run("rulebook"), run("numpy"), 1.3, rounds=41, seconds=0.0)]


if __name__ == "__main__":
    print(table(rows()))
