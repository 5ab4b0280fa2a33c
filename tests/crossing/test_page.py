"""The examples of docs/manual/differentiate_with.md run, in order and together."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("torch")
pytest.importorskip("autograd")

PAGE = (Path(__file__).parents[2] / "docs/manual/differentiate_with.md").read_text(encoding="utf-8")


def test_the_examples_run(capsys):
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    assert capsys.readouterr().out.splitlines()[-1] == "['0.bias', '0.weight', '2.bias', '2.weight']"
    np.testing.assert_allclose(names["jax"].grad(names["blackbox"])(1.5), 3.0)
