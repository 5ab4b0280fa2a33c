"""Every case, in every engine, with each set of rules, under every transformation: right, or refused as declared."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext

import numpy as np
import pytest

from tests.conformance import implicit_cases, left_out, model
from tests.conformance.cases import CASES

ENGINES = [name for name in model.engine_modules() if importlib.util.find_spec(model.package(name))]


def _cell(problem: model.Problem, transform: model.Transform, module: object, directions: frozenset[str]) -> str:
    """What is wrong with one cell, or nothing."""
    error = transform.refused(problem.case, directions)
    try:
        found = model.flat_result(transform.run(problem), module.to_numpy)  # type: ignore[attr-defined]
    except Exception as raised:
        if error is not None and isinstance(raised, error):
            return ""
        return f"raised {type(raised).__name__}: {str(raised)[:300]}"
    if error is not None and (transform.carries_host or not problem.case.host):  # what holds no host code in the end is right
        return f"declared to raise {error.__name__}, but gave a result"
    expected = problem.expected(transform.quantity)
    if found.shape != expected.shape:
        return f"{found.size} numbers, expected {expected.size}"
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    worst = float(np.abs(found - expected).max(initial=0.0)) / scale
    return "" if worst <= model.tolerance(problem, transform.order) else f"off by {worst:.1e} of {scale:.1e}"


def wrong_cells(engine: str, case: model.Case, rules: str) -> list[str]:
    """What is wrong with a case, under every transformation of an engine that is not left out."""
    module, directions = model.load(engine), model.DIRECTIONS[rules]
    with getattr(module, "setting", nullcontext)():
        problem = model.Problem(case, case.build(directions), seed=7)
        transforms = left_out.transforms(engine, case, rules)
        return [f"{t.name}: {text}" for t in transforms if (text := _cell(problem, t, module, directions))]


@pytest.mark.parametrize("rules", model.DIRECTIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_case(engine: str, case: model.Case, rules: str) -> None:
    wrong = wrong_cells(engine, case, rules)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("engine", "case"),
    [
        pytest.param(engine, case, id=f"{engine}-{case.name}")
        for engine in ENGINES
        for case in implicit_cases.CASES
        if engine != "jax" or case.name not in implicit_cases.NOT_COMPILED
    ],
)
def test_implicit(engine: str, case: model.Case) -> None:
    """A shortcut over a solver comes with both rules."""
    test_case(engine, case, "both")


def test_the_oracle_agrees_with_itself() -> None:
    """Forward and reverse rules of each case are transposes of each other."""
    for case in [*CASES, *implicit_cases.CASES]:
        problem = model.Problem(case, case.build(model.DIRECTIONS["both"]), seed=3)
        forward, reverse = problem.jacobian("forward"), problem.jacobian("reverse")
        np.testing.assert_allclose(forward, reverse, rtol=1e-5, atol=1e-6, err_msg=case.name)
