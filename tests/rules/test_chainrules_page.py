"""The page that maps ChainRules.jl's functions to ours: every counterpart is there, with both directions."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path

import pytest

import rulebook as rb
from rulebook.primitive import Primitive

pytest.importorskip("scipy")

PAGE = (Path(__file__).parents[2] / "docs/reference/chainrules.md").read_text()
ROWS = [row.split(" | ") for row in PAGE.splitlines() if row.startswith("| `")]
NAMES = sorted({name for row in ROWS for name in re.findall(r"`([^`]+)`", row[1])})
COLUMNS = {"sparse.csr_array", "sparse.find", "sparse.diags_array"}  # functions that rearrange a tree of arrays: nothing to differentiate


def _found(path):
    module, _, rest = path.partition(".")
    return functools.reduce(getattr, rest.split("."), importlib.import_module(f"rulebook.rules.{module}"))


def test_each_function_has_one_counterpart():
    for theirs, ours in ROWS:
        if "`" in theirs and ", ..." not in theirs and "of matrices" not in theirs:
            assert len(re.findall(r"`[^`]+`", theirs)) == len(re.findall(r"`[^`]+`", ours)), theirs


@pytest.mark.parametrize("name", [n for n in NAMES if n not in COLUMNS])
def test_a_counterpart_has_both_directions(name):
    found = _found(name)
    if not isinstance(found, Primitive):  # a function of primitives, with an interface like NumPy's
        assert callable(found)
        return
    known = rb.rules(found)
    assert known.forward
    assert known.reverse


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_constructor_is_there(name):
    assert callable(_found(name))
