"""docs/manual/scipy.md: its table names every function there is."""

from __future__ import annotations

import re
from pathlib import Path

from rulebook.rules import integrate, optimize

PAGE = (Path(__file__).parents[2] / "docs/manual/scipy.md").read_text(encoding="utf-8")


def test_the_table_names_every_function():
    functions = {n for module in (optimize, integrate) for n in module.__all__ if n.islower()}
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert functions == {n for row in rows for n in re.findall(r"`(\w+)\(", row)}
