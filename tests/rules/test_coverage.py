"""The coverage table: what its calls find, and that the file is what they make."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def coverage():
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location("coverage_table", DOCS / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(coverage):
    return {row.name: row for group in coverage.groups().values() for row in group}


def test_nearly_all_functions_have_a_derivative(rows):
    kinds = [row.kind for row in rows.values()]
    assert len(kinds) == 398
    assert kinds.count("derivative") + kinds.count("zero") >= 360
    assert {row.name for row in rows.values() if row.kind in ("wrong", "lost")} == set()


def test_what_has_none_raises_a_clear_error(rows):
    assert all(row.on_duals.clear for row in rows.values() if row.kind == "error")


def test_no_other_function_is_wrong_or_loses_a_tangent(coverage, rows):
    for home in coverage.HOMES:
        found, _ = coverage.other_rows(home, set(rows))
        assert [row.cells() for row in found if row.kind in ("wrong", "lost")] == []


def test_the_page_is_what_the_script_makes(coverage):
    page = coverage.FILE.read_text()
    if coverage.versions() in page:  # others have other functions
        assert page == coverage.page(), "run python docs/coverage.py"


def test_a_tangent_that_is_lost_or_wrong_is_found(coverage):
    assert coverage.outcome(lambda v: v["x"] * 2).kind == "derivative"
    assert coverage.outcome(lambda v: 1.0).kind == "zero"
    assert coverage.outcome(lambda v: coverage.peel(v["x"])).kind == "lost"
    assert coverage.outcome(lambda v: coverage.peel(v["x"]) * v["x"]).kind == "wrong"
    assert coverage.outcome(lambda v: float(v["x"][0])).kind == "error"
