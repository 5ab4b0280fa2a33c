"""The example of the penalties: the fits satisfy their equations, the gradients are those of differences, and the engines agree."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

import rulebook as rb

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/gallery/diabetes.md").read_text(encoding="utf-8")
ENGINES = [e for e in ("jax", "torch", "autograd", "dual") if e == "dual" or importlib.util.find_spec(e)]
LOGS = {"ridge": np.array([3.5, 6.3, 5.7]), "elastic net": np.array([1.0, -2.0])}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("diabetes_hyperparameters", ROOT / "examples/diabetes_hyperparameters.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def differences(example):
    """The gradient of the error, by central differences of fourth order that fit anew each time; the step crosses no kink."""
    h = 1e-4

    def of(model):
        ends = [
            [float(example.error(LOGS[model] + n * h * e, example.MODELS[model][0])) for n in (-2, -1, 1, 2)]
            for e in np.eye(len(LOGS[model]))
        ]
        return np.array([(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in ends])

    return {model: of(model) for model in LOGS}


def test_the_variables_are_those_of_the_paper(example):
    """Ten measurements, 45 products and nine squares of 442 patients."""
    assert example.KIND.sum(axis=0).tolist() == [10, 45, 9]
    for split in example.SPLITS:
        assert len(split.y) + len(split.other_y) == 442 and 110 <= len(split.y) <= 111
        np.testing.assert_allclose(split.x.std(axis=0), 1.0)
        np.testing.assert_allclose([*split.x.mean(axis=0), split.y.mean()], 0.0, atol=1e-12)


def test_ridge_solves_the_normal_equations(example):
    split = example.SPLITS[0]
    w = example.ridge(np.zeros(64), LOGS["ridge"], split.x, split.y)
    expected = np.linalg.solve(split.x.T @ split.x + np.diag(example.KIND @ np.exp(LOGS["ridge"])), split.x.T @ split.y)
    np.testing.assert_allclose(w, expected, rtol=1e-9, atol=1e-9)


def test_the_elastic_net_stays_where_it_is(example):
    split = example.SPLITS[0]
    w = example.elastic_net(np.zeros(64), LOGS["elastic net"], split.x, split.y)
    assert 5 < np.count_nonzero(w) < 60
    np.testing.assert_allclose(example.proximal_gradient_step(w, LOGS["elastic net"], split.x, split.y), w, atol=1e-8)


@pytest.mark.parametrize("model", LOGS)
@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "jax"])  # its gradients are those of dual numbers in a test below
def test_the_gradient_is_that_of_differences(example, differences, engine, model):
    fit = example.MODELS[model][0]
    value, gradient = rb.value_and_grad(example.error, engine=engine)(LOGS[model], fit)
    assert value == pytest.approx(float(example.error(LOGS[model], fit)), rel=1e-12)
    np.testing.assert_allclose(gradient, differences[model], rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def tuned(example):
    return functools.cache(example.tune)


@pytest.mark.parametrize("model", LOGS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_the_same_penalties_with_one_fit_for_each_split(tuned, engine, model):
    found, first = tuned(engine, model), tuned("dual", model)
    assert found.fits == 4 * found.evaluations
    np.testing.assert_allclose(found.gradient, first.gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.logs, first.logs, atol=1e-7)
    expected = {"ridge": [15.6498, 498.6312, 340.3976], "elastic net": [4.5611, 0.0461]}[model]
    np.testing.assert_allclose(np.exp(found.logs), expected, rtol=1e-3)


@pytest.mark.parametrize("model", LOGS)
def test_the_error_is_least_there(example, tuned, model):
    found, fit = tuned("dual", model), example.MODELS[model][0]
    around = [float(example.error(found.logs + d * e, fit)) for e in np.eye(len(found.logs)) for d in (-0.05, 0.05)]
    assert found.after < min(around) and found.after < found.before


def test_three_penalties_are_better_than_one(example, tuned):
    one = min(float(example.error(np.full(3, log), example.ridge)) for log in np.linspace(2.0, 7.0, 21))
    assert one == pytest.approx(3499.0, abs=1.0) and f"{one:.0f}" in PAGE
    assert tuned("dual", "ridge").after == pytest.approx(3117.03, abs=0.01)


def test_the_table(example, capsys):
    example.main(["--engines", "dual"])
    lines = capsys.readouterr().out.splitlines()
    for line in (lines[1], lines[4]):
        assert line in PAGE


def test_the_plot(example, tuned, tmp_path):
    pytest.importorskip("matplotlib")
    example.plot({model: tuned("dual", model) for model in LOGS}, str(tmp_path / "penalties.svg"))
    assert (tmp_path / "penalties.svg").read_text().startswith("<?xml")
