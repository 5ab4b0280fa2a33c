"""docs/manual/scipy.md: its example runs, and its table names every function there is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rulebook.rules import integrate, optimize

PAGE = (Path(__file__).parents[2] / "docs/manual/scipy.md").read_text(encoding="utf-8")


def test_the_example(capsys):
    pytest.importorskip("jax")
    pytest.importorskip("scipy")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope = {}
    exec(compile(code, "docs/manual/scipy.md", "exec"), scope)
    a, y = scope["a"], scope["y"]
    matrix = a.T @ a + 2 * np.eye(3)
    w = np.linalg.solve(matrix, a.T @ y)
    value, slope = map(float, re.findall(r"-?\d+\.\d+(?:e-?\d+)?", capsys.readouterr().out))
    assert value == pytest.approx(w.sum(), rel=1e-6)
    assert slope == pytest.approx(-np.linalg.solve(matrix, w).sum(), rel=1e-6)


def test_the_table_names_every_function():
    functions = {n for module in (optimize, integrate) for n in module.__all__ if n.islower()}
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert functions == {n for row in rows for n in re.findall(r"`(\w+)\(", row)}
