"""What the conformance suite leaves out runs elsewhere in it."""

from __future__ import annotations

import collections

import pytest

from tests.conformance import implicit_cases, model
from tests.conformance.left_out import COMPILED_ANEW, IN_FULL, LEFT_OUT, cells, left_out
from tests.conformance.test_conformance import ENGINES
from tests.conformance.test_host import CELLS, PARTS, hosted

HOST_CELLS = [(hosted(case, PARTS[parts]), rules) for case, parts, rules in (cell.values for cell in CELLS)]
_KIND = {"forward jacobian": "jvp", "reverse jacobian": "vjp"}


def _kind(transform: model.Transform) -> str:
    quantity = transform.quantity.removeprefix("batch ")
    return _KIND.get(quantity, quantity)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_transformation_runs_with_each_set_of_rules(engine: str) -> None:
    every = {(t.name, rules) for t, _, rules in cells(engine)}
    run = {(t.name, rules) for t, case, rules in cells(engine) if not left_out(engine, t, case, rules)}
    assert run == every


@pytest.mark.parametrize("engine", ENGINES)
def test_every_transformation_runs_with_host_code(engine: str) -> None:
    """With host code in each part, with each set of rules, and each in a third of the cases at the least."""
    every, run = collections.defaultdict(set), collections.defaultdict(set)
    for t, case, rules in cells(engine, HOST_CELLS):
        for found in (every, run) if not left_out(engine, t, case, rules) else (every,):
            found[t.name, "parts", case.host].add("some")
            found[t.name, "rules", rules].add("some")
            found[t.name, "cases", rules == "both"].add(case.name)
    for key, names in every.items():
        assert 3 * len(run[key]) >= len(names), key


@pytest.mark.parametrize("engine", ENGINES)
def test_every_transformation_runs_in_every_case(engine: str) -> None:
    every = {(t.name, case.name) for t, case, _ in cells(engine)}
    run = {(t.name, case.name) for t, case, rules in cells(engine) if not left_out(engine, t, case, rules)}
    assert {case for _, case in every - run} <= {case.name for case in implicit_cases.CASES} - IN_FULL


@pytest.mark.parametrize("engine", ENGINES)
def test_every_case_has_its_value_and_every_kind_of_derivative(engine: str) -> None:
    found = [(_kind(t), case.name, rules, left_out(engine, t, case, rules)) for t, case, rules in cells(engine)]
    key = lambda kind, case, rules: (kind, case, rules if kind != "value" else "any")
    missing = {key(*cell) for *cell, _ in found} - {key(*cell) for *cell, out in found if not out}
    assert {case for _, case, _ in missing} <= implicit_cases.NOT_COMPILED


def test_each_group_leaves_out_something_and_names_what_there_is() -> None:
    pytest.importorskip("jax")
    for group in LEFT_OUT:
        assert any(group.covers(*cell) for cell in [*cells(group.engine), *cells(group.engine, HOST_CELLS)]), group.why
    names = {t.name for t in model.load("jax").TRANSFORMS}
    assert names >= {*COMPILED_ANEW, *COMPILED_ANEW.values()} and not COMPILED_ANEW.keys() & set(COMPILED_ANEW.values())
    assert {case.name for case in implicit_cases.CASES} >= IN_FULL | implicit_cases.NOT_COMPILED
