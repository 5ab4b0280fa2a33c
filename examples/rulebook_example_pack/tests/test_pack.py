"""The pack as it is installed: found by itself, its rule right, its engine exact or refusing what is declared here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import rulebook as rb
from rulebook.engines import engine_names, load_engine
from rulebook.errors import RulebookError
from rulebook.testing import check_engine, check_engines, check_rules
from rulebook.testing.scenario.counts import CALLS as KNOWN
from rulebook.testing.scenario.refusals import Refusal

REFUSALS = [Refusal("tape", RulebookError, "caches", "a TapeArray cannot be written to", frozenset({"cache"}))]
CALLS = [replace(each, engine="tape") for each in KNOWN if each.engine == "autograd"]  # both go forward one direction at a time


def test_the_pack_is_found() -> None:
    assert "tape" in engine_names()
    assert "rulebook_example_pack.friction.friction_factor" in [p.name for p in rb.primitives()]


def test_the_rule_is_right_in_the_engine_of_the_pack_and_in_duals() -> None:
    friction_factor = next(p for p in rb.primitives() if p.name.endswith(".friction_factor"))
    check_rules(friction_factor)
    check_engines(friction_factor, engines=["tape", "dual"])
    # Moody's chart, at a Reynolds number of 1e5 and a roughness of 1e-4 of the diameter
    assert friction_factor(1e5, 1e-4) == pytest.approx(0.0185, abs=1e-4)


def test_the_engine_gives_every_derivative_that_it_does_not_refuse() -> None:
    report = check_engine("tape", refusals=REFUSALS, calls=CALLS)
    assert report.ok and report.held["derivative"] > 300 and report.held["refusal"] == 24


def test_derivatives_of_derivatives_and_other_engines() -> None:
    f = lambda x: (np.sin(x) * x[0]).sum()
    x = np.array([0.5, 1.0, -2.0])
    expected = rb.hessian(f, engine="dual")(x)
    np.testing.assert_allclose(rb.hessian(f, engine="tape")(x), expected)
    np.testing.assert_allclose(rb.hessian(f, engine=("dual", "tape"))(x), expected)
    np.testing.assert_allclose(rb.hessian(f, engine=("tape", "dual"))(x), expected)


def test_what_would_lose_the_derivative_raises() -> None:
    with pytest.raises(TypeError, match=r"a write into a TapeArray: use np\.where or np\.stack"):
        rb.grad(lambda x: x.__setitem__(0, 1.0), engine="tape")(np.ones(2))
    with pytest.raises(TypeError, match=r"a TapeArray where NumPy needs numbers"):
        rb.grad(lambda x: np.asarray(x).sum(), engine="tape")(np.ones(2))
    with pytest.raises(TypeError, match=r"np\.histogram of a TapeArray"):
        rb.grad(lambda x: np.histogram(x)[0].sum(), engine="tape")(np.ones(2))


def test_protocol() -> None:
    assert load_engine("tape").protocol == 1
