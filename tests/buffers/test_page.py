"""The code of docs/manual/buffers.md runs, and gives what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = (Path(__file__).parents[2] / "docs/manual/buffers.md").read_text(encoding="utf-8")


def test_the_code_runs() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    A, u = names["A"], names["u"]
    np.testing.assert_allclose(names["foo"](u), u + A @ u)
    slope = names["rb"].derivative(names["claytonsample"], engine="dual")(0.3, 0.7)
    step = 1e-6
    differences = (names["claytonsample"](0.3 + step, 0.7) - names["claytonsample"](0.3 - step, 0.7)) / (2 * step)
    np.testing.assert_allclose(slope, differences, rtol=1e-8)
