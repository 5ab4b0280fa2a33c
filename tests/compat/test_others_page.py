"""The programs of docs/manual/compat_others.md run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("torch")
pytest.importorskip("autograd")
pytest.importorskip("scipy")

import rulebook as rb

PAGE = (Path(__file__).parents[2] / "docs/manual/compat_others.md").read_text(encoding="utf-8")


def test_the_programs_run(capsys):
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    for number, program in enumerate(programs):
        exec(compile(program, f"program {number} of the page", "exec"), names)
    assert len(programs) == 6 and capsys.readouterr().out.endswith("True True\n")
    np.testing.assert_allclose(names["a"].grad, 0.230110, rtol=1e-5)
    np.testing.assert_allclose(rb.grad(lambda x: names["cube"](x, 0.5), engine="jax")(2.0), 6)
