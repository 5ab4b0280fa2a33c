"""Every engine gives the exact derivative of every scenario, plainly and prepared, or refuses it as is declared."""

from __future__ import annotations

import importlib.util
import itertools

import pytest

from rulebook.engines import engine_names
from rulebook.testing import check_engine, scenarios
from rulebook.testing.scenario.counts import CALLS
from rulebook.testing.scenario.refusals import REFUSALS
from rulebook.testing.scenario.ways import shown

INSTALLED = [name for name in engine_names() if name == "dual" or importlib.util.find_spec(name)]
PAIRS = list(itertools.permutations(INSTALLED, 2))
OF_PAIRS = (
    "logsumexp-hessian",
    "loop-second_derivative",
    "affine-hvp",
    "mixed-hvp-of-0-1",
    "filled-hessian",
    "marked-hessian",
    "energy-hessian",
)
SCENARIOS = scenarios()

if importlib.util.find_spec("scipy") is None:
    SCENARIOS = [s for s in SCENARIOS if not {"sparse", "solver"} & s.tags]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
@pytest.mark.parametrize("engine", INSTALLED)
def test_an_engine_gives_the_derivative(engine, scenario):
    report = check_engine(engine, [scenario])
    assert report.points == 2 and not report.left_out
    refused = report.held["refusal"]
    assert refused == 2 or {"derivative", "form", "intact", "memory"} <= set(report.held)


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name in OF_PAIRS], ids=lambda s: s.name)
@pytest.mark.parametrize("pair", PAIRS, ids=shown)
def test_a_pair_of_engines_gives_the_second_derivative(pair, scenario):
    assert check_engine(pair, [scenario]).points == 2


def test_the_scenarios_of_pairs_are_there():
    assert {s.name for s in SCENARIOS} >= set(OF_PAIRS)


def test_every_declaration_speaks_of_a_scenario_and_says_why():
    everywhere = [*engine_names(), *itertools.permutations(engine_names(), 2)]
    for each in REFUSALS:
        assert each.why and any(each.covers(name, s) for name in everywhere for s in scenarios()), each
    for each in CALLS:
        assert each.why and any(each.covers(each.engine, s) for s in scenarios()), each


def test_every_engine_counts_calls():
    assert {each.engine for each in CALLS if each.names == "*" and not each.tags} == set(engine_names())
