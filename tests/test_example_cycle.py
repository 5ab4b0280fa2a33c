"""The example of the refrigerating machine: CoolProp's derivatives, a textbook's cycle, the balance of the tank, and one optimum."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

import rulebook as rb
from rulebook.testing import check_rules

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/gallery/cycle.md").read_text(encoding="utf-8")
ENGINES = [e for e in ("jax", "torch", "autograd", "dual") if e == "dual" or importlib.util.find_spec(e)]
MACHINE = np.array([255.0, 311.0, 7.0, 0.8, 0.45])


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("CoolProp")  # which takes seconds
    spec = importlib.util.spec_from_file_location("refrigeration_cycle", ROOT / "examples/refrigeration_cycle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def differences(example):
    steps = np.array([1e-2, 1e-2, 1e-2, 1e-4, 1e-4])
    ends = [[float(example.performance(MACHINE + n * h * e)) for n in (-2, -1, 1, 2)] for h, e in zip(steps, np.eye(5), strict=True)]
    return np.array([(a - 8 * b + 8 * c - d) / (12 * h) for h, (a, b, c, d) in zip(steps, ends, strict=True)])


@pytest.mark.parametrize(
    ("given", "wanted", "first", "second"),
    [(("P", "T"), "H", 2e5, 280.0), (("H", "P"), "S", 4.1e5, 2e5), (("P", "S"), "H", 5e5, 1780.0), (("H", "P"), "D", 4.1e5, 2e5)],
)
def test_the_rules_of_a_property(example, given, wanted, first, second):
    check_rules(example.prop, first, second, wanted=wanted, given=given, fluid="R134a")


@pytest.mark.parametrize(("given", "wanted", "x", "quality"), [("T", "P", 260.0, 1.0), ("P", "H", 2e5, 0.0)])
def test_the_rules_on_the_line_of_boiling(example, given, wanted, x, quality):
    check_rules(example.saturated, x, wanted=wanted, given=given, quality=quality, fluid="R134a")


def test_liquid_and_vapour_together_are_refused(example):
    """CoolProp gives a number there that is none: the temperature of boiling depends on the pressure alone."""
    import CoolProp

    state = CoolProp.AbstractState("HEOS", "R134a")
    state.update(CoolProp.HmassP_INPUTS, 3e5, 1e5)
    assert state.phase() == CoolProp.iphase_twophase
    assert abs(state.first_partial_deriv(CoolProp.iT, CoolProp.iHmass, CoolProp.iP)) > 1e-4
    with pytest.raises(ValueError, match=r"R134a .* is liquid and vapour together"):
        example.prop(3e5, 1e5, wanted="T", given=("H", "P"), fluid="R134a")
    with pytest.raises(ValueError, match="colder than its triple point"):
        example.saturated(150.0, wanted="P", given="T", quality=1.0, fluid="R134a")


def test_the_cycle_is_that_of_the_textbook(example):
    """Cengel and Boles, problem 11-66: -10 C, a tank at 450 kPa, 1.6 MPa, efficiency 0.86; their tables, their enthalpies in kJ/kg."""
    h1, h2, h4, h7, h9, vapour = 244.51, 263.76, 292.78, 68.81, 261.54, 0.3557
    condensing = float(example.saturated(1.6e6, wanted="T", given="P", quality=0.0, fluid="R134a"))
    found = example.cycle(np.log(4.5e5), np.array([263.15, condensing, 0.01, 0.86, 1.0]), "R134a")  # saturated: 0.01 K above boiling
    assert found.cold == pytest.approx(1e3 * (1 - vapour) * (h1 - h7), rel=1e-3)
    assert found.work == pytest.approx(1e3 * ((1 - vapour) * (h2 - h1) + h4 - h9), rel=1e-3)
    assert found.pressures[1:] == pytest.approx([450e3, 1600e3], rel=1e-10)


def test_the_tank_settles(example):
    settled = example.tank(np.asarray(12.0), MACHINE, fluid="R134a")
    assert float(example.balance(settled, MACHINE, fluid="R134a")) == pytest.approx(0, abs=1e-10)
    low, middle, high = example.cycle(settled, MACHINE, "R134a").pressures
    assert low < middle < high


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_is_that_of_differences(example, differences, engine):
    value, gradient = rb.value_and_grad(example.performance, engine=engine)(MACHINE)
    assert value == pytest.approx(float(example.performance(MACHINE)), rel=1e-12)
    np.testing.assert_allclose(gradient, differences, rtol=1e-6)


def test_second_order_raises(example):
    """The rules of the properties are host code."""
    with pytest.raises(rb.HigherOrderError, match=r"prop|saturated"):
        rb.hessian(example.performance, engine=ENGINES[0])(MACHINE)


@pytest.fixture(scope="module")
def found(example):
    return functools.cache(lambda engine: example.best(engine, "R134a"))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_the_same_machine(found, engine):
    best, first = found(engine), found("dual")
    np.testing.assert_allclose(best.gradient, first.gradient, rtol=1e-9)
    assert best.machine[4] == pytest.approx(first.machine[4], abs=1e-7)
    assert best.machine[4] == pytest.approx(0.43807, abs=1e-5)
    assert best.after == pytest.approx(2.66482, abs=1e-5)


def test_the_performance_is_best_there(example, found):
    best = found("dual")
    around = [float(example.performance(best.machine + d * np.eye(5)[4])) for d in (-0.02, 0.02)]
    assert best.after > max(around) and best.after > best.before > example.one_stage(example.MACHINE)
    assert rb.grad(example.performance, engine="dual")(best.machine)[4] == pytest.approx(0, abs=1e-8)


def test_the_table(example, capsys):
    example.main(["--engines", "dual", "--fluids", "R134a", "R717"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].rpartition(" ")[0] in PAGE
    assert all(line in PAGE for line in lines[3:])


def test_the_plot(example, found, tmp_path):
    pytest.importorskip("matplotlib")
    example.plot({"R134a": found("dual")}, str(tmp_path / "cycle.svg"))
    assert (tmp_path / "cycle.svg").read_text().startswith("<?xml")
