"""The example of the orbit: the model is that of two bodies, the fit finds the published elements, and the engines agree."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

import rulebook as rb
from rulebook.testing import check_rules
from tests.rules.engines import staged

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/gallery/orbit.md").read_text(encoding="utf-8")
ENGINES = [e for e in ("jax", "torch", "autograd", "dual") if e == "dual" or importlib.util.find_spec(e)]
ELEMENTS = np.array([380.5, 2451.7, 0.74, -0.05, 101.0, 46244.0])


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("kepler_orbit", ROOT / "examples/kepler_orbit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _differences(f, x, h):
    """Central differences of fourth order: an array with the axis of x last."""
    steps = [[f(x + n * s * e) for n in (-2, -1, 1, 2)] for s, e in zip(h, np.eye(len(x)), strict=True)]
    return np.stack([(a - 8 * b + 8 * c - d) / (12 * s) for s, (a, b, c, d) in zip(h, steps, strict=True)], axis=-1)


def test_there_are_48_observations_in_order(example):
    assert example.OBSERVED.shape == (48, 3)
    assert (np.diff(example.TIMES) > 0).all() and (example.ERRORS < 3).all() and np.ptp(example.VELOCITIES) < 210


def test_the_velocity_is_that_of_two_bodies(example):
    """The orbit by integrating Newton's law of motion from the periastron, projected on the line of sight."""
    from scipy.integrate import solve_ivp

    period, periastron, e, argument, amplitude, system = ELEMENTS
    mu = (2 * np.pi / period) ** 2  # of an orbit with the semi-major axis 1
    start = [1 - e, 0.0, 0.0, np.sqrt(mu * (1 + e) / (1 - e))]
    times = np.linspace(0.0, period, 9)
    motion = solve_ivp(
        lambda t, s: [*s[2:], *(-mu * s[:2] / np.hypot(*s[:2]) ** 3)], (0, period), start, "DOP853", times, rtol=1e-12, atol=1e-14
    )
    along = np.sin(argument) * motion.y[2] + np.cos(argument) * motion.y[3]
    expected = system + amplitude * np.sqrt(1 - e**2) / (2 * np.pi / period) * along
    np.testing.assert_allclose(example.velocity(ELEMENTS, periastron + times), expected, atol=1e-7)


def test_the_rules_keep_the_laws(example):
    def case(rng):
        mean = rng.uniform(-6, 6, 4)
        return mean, mean, rng.uniform(0.1, 0.8)

    example.eccentric_anomaly.case(case)
    check_rules(example.eccentric_anomaly)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_jacobian_is_that_of_differences(example, engine):
    jacobian = staged(engine, rb.jacobian(example.misfit, engine=engine))(ELEMENTS)
    expected = _differences(example.misfit, ELEMENTS, [1e-2, 1e-2, 1e-5, 1e-4, 1e-1, 1e-1])
    np.testing.assert_allclose(jacobian / np.abs(expected).max(axis=0), expected / np.abs(expected).max(axis=0), atol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_second_derivatives_go_through_the_solver(example, engine):
    def chi_square(elements):
        return rb.xp(elements).sum(example.misfit(elements) ** 2)

    hessian = staged(engine, rb.hessian(chi_square, engine=engine))(ELEMENTS)
    expected = _differences(rb.grad(chi_square, engine="dual"), ELEMENTS, [1e-2, 1e-2, 1e-5, 1e-4, 1e-1, 1e-1])
    scale = np.sqrt(np.abs(np.diag(expected)))
    np.testing.assert_allclose(hessian / np.outer(scale, scale), expected / np.outer(scale, scale), atol=1e-6)


@pytest.fixture(scope="module")
def orbits(example):
    return functools.cache(example.fit)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_the_same_orbit(orbits, engine):
    found, first = orbits(engine), orbits("dual")
    np.testing.assert_allclose(found.elements, first.elements, rtol=1e-10)
    np.testing.assert_allclose(found.jacobian, first.jacobian, atol=1e-12 * np.abs(first.jacobian).max())
    np.testing.assert_allclose(found.mass, first.mass, rtol=1e-9)
    assert found.evaluations == first.evaluations


def test_the_elements_are_the_published_ones(example, orbits):
    """Each is as near to the published one as its last digit, and the deviations are the published ones, where they are given."""
    found = orbits("dual")
    for value, deviation, text in zip(found.elements, found.deviations, example.PUBLISHED, strict=True):
        published, _, error = text.partition(" +- ")
        assert value == pytest.approx(float(published), abs=0.005 if float(published) < 1e4 else 0.5)
        assert not error or deviation == pytest.approx(float(error), rel=0.2)
    assert found.mass[0] == pytest.approx(1.99, abs=0.005)


def test_the_fit_is_the_least(example, orbits):
    misfit, jacobian = example.misfit(orbits("dual").elements), rb.jacobian(example.misfit, engine="dual")(orbits("dual").elements)
    assert np.abs(misfit @ jacobian / np.linalg.norm(jacobian, axis=0)).max() < 1e-6
    assert orbits("dual").chi_square == pytest.approx(misfit @ misfit) and misfit @ misfit < 2 * (48 - 6)


def test_the_table(example, capsys):
    example.main(["--engines", "dual"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["dual", "68.5377058", "1.989550017"]
    assert "\n".join(lines[3:]) in PAGE


def test_the_plot(example, orbits, tmp_path):
    pytest.importorskip("matplotlib")
    example.plot(orbits("dual"), str(tmp_path / "orbit.svg"))
    assert (tmp_path / "orbit.svg").read_text().startswith("<?xml")
