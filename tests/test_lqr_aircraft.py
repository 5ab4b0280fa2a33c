"""The example that tunes the autopilot of a Boeing 747: the model is the published one, and the engines agree."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

import rulebook as rb

ROOT = Path(__file__).parents[1]
FILE = ROOT / "examples" / "lqr_aircraft.py"
ENGINES = [e for e in ("jax", "torch", "autograd", "dual") if e == "dual" or importlib.util.find_spec(e)]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_modes_are_the_published_ones(example):
    """Franklin, Powell and Emami-Naeini give the dutch roll at -0.033 +- 0.947i, the roll at -0.563, the spiral at -0.0073."""
    assert example.modes(np.zeros((2, 4))) == "-0.0073, -0.5627, -0.033 +- 0.947i (damping 0.03)"


def test_the_transfer_function_is_the_published_one(example):
    """From rudder to yaw rate: -0.475 (s + 0.498) (s + 0.012 +- 0.488i) over the modes."""
    s = np.array([0.3j, 1.0 + 1.0j, 5.0])
    zeros, poles = [-0.498, -0.012 + 0.488j, -0.012 - 0.488j], [-0.0073, -0.563, -0.033 + 0.947j, -0.033 - 0.947j]
    published = -0.475 * np.prod(s[:, None] - zeros, axis=1) / np.prod(s[:, None] - poles, axis=1)
    ours = [np.linalg.solve(z * np.eye(4) - example.A, example.B[:, 0])[1] for z in s]
    np.testing.assert_allclose(ours, published, rtol=5e-3)


def test_the_performance_is_the_integral(example):
    """J by the trapezoidal rule along the response to each state of the gust."""
    from scipy.linalg import expm

    k = example.gain(example.START)
    times = np.linspace(0.0, 60.0, 6001)
    step = expm(times[1] * (example.A - example.B @ k))
    states = [np.sqrt(example.GUST)]
    for _ in times[1:]:
        states.append(step @ states[-1])
    states = np.array(states)
    rate = times * (states[:, [0, 3]] ** 2).sum((1, 2)) + example.EFFORT * ((k @ states) ** 2).sum((1, 2))
    assert example.performance(k) == pytest.approx(np.trapezoid(rate, times), rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_is_that_of_differences(example, engine):
    logs = np.array([0.3, -0.2, 0.5, 0.1])
    value, gradient = rb.value_and_grad(example.loss, engine=engine)(logs)
    assert value == pytest.approx(example.loss(logs), rel=1e-12)
    h = 1e-3
    ends = [[example.loss(logs + n * h * e) for n in (-2, -1, 1, 2)] for e in np.eye(4)]
    fourth_order = [(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in ends]
    np.testing.assert_allclose(gradient, fourth_order, rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def tuned(example):
    return {engine: example.tune(engine) for engine in ENGINES}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_the_same_autopilot(tuned, engine):
    expected = [[7.20136, -6.29778, -2.47838, -2.09104], [-1.66219, 0.97194, 0.90134, 0.93594]]
    np.testing.assert_allclose(tuned[engine].gain, expected, atol=2e-5)
    np.testing.assert_allclose(tuned[engine].gradient, tuned["dual"].gradient, rtol=1e-9)
    np.testing.assert_allclose(tuned[engine].gain, tuned["dual"].gain, rtol=1e-7)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_evaluation_solves_each_equation_once_in_each_direction(tuned, engine):
    found = tuned[engine]
    each = 3 + 4 * 4 if engine == "dual" else 3 + 4  # forward, four unknowns; reverse
    assert found.riccati == found.evaluations
    assert found.lyapunov == each * found.evaluations


def test_the_table(example, capsys):
    example.main(["--engines", "dual"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["dual", "0.1127302"]
    page = (ROOT / "docs/gallery/lqr.md").read_text(encoding="utf-8")
    assert "\n".join(lines[3:]) in page
    assert "0.1611537 before, 0.1127302 after" in lines[-1]


def test_the_plot(example, tuned, tmp_path):
    pytest.importorskip("matplotlib")
    example.plot(tuned["dual"], str(tmp_path / "response.svg"))
    assert (tmp_path / "response.svg").read_text().startswith("<?xml")
