"""The primitives behind SciPy's solvers keep every law of the checker."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.rules import _procedures, integrate, optimize
from rulebook.testing import check_rules
from tests.rules.optimize_cases import bowl, cubic, residuals, square, step, system

pytest.importorskip("scipy")
TIGHT = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}
POINT = np.array([1.2, 0.9])

CALLS = {
    "root": (lambda: optimize.root(system, POINT, args=(2.0,), tol=1e-14), (POINT, np.array(2.0))),
    "brentq": (lambda: optimize.brentq(cubic, 0.0, 5.0, args=(2.0,)), (np.array(0.0), np.array(5.0), np.array(2.0))),
    "brentq of arrays": (lambda: optimize.brentq(cubic, [0.0, 0.0], 5.0, args=(2.0,)), (np.zeros(2), np.full(2, 5.0), POINT)),
    "newton": (lambda: optimize.newton(cubic, 1.0, args=(2.0,), tol=1e-13), (np.array(1.0), np.array(2.0))),
    "newton of arrays": (lambda: optimize.newton(cubic, POINT, args=(2.0,), tol=1e-13, on_failure="raise"), (POINT, np.array([2.0, 3.0]))),
    "newton, complex": (lambda: optimize.newton(square, 1.0 + 1.0j, args=(2.0,), tol=1e-13), (np.array(1.0 + 1.0j), np.array(2.0 + 0.5j))),
    "fixed_point": (lambda: optimize.fixed_point(step, POINT, args=(2.0,), xtol=1e-13), (POINT, np.array(2.0))),
    "minimize": (lambda: optimize.minimize(bowl, POINT, args=(2.0,)), (POINT, np.array(2.0))),
    "least_squares": (lambda: optimize.least_squares(residuals, [1.0], args=(2.0,), **TIGHT), (np.ones(1), np.array(2.0))),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_rules_of_a_solver(name):
    call, args = CALLS[name]
    _procedures._kept.clear()
    call()
    (primitive,) = _procedures._kept.values()
    report = check_rules(primitive, *args, seed=0)
    assert report.ok


def test_the_rules_of_an_integral():
    _procedures._kept.clear()
    rb.grad(lambda c: integrate.quad(lambda x, c, n: c * x**2 + n, 0.2, 2.0, args=(c, 3))[0], engine="dual")(np.array(1.5))
    (integral,) = _procedures._kept.values()
    report = check_rules(integral.primitive, np.array(0.2), np.array(2.0), (np.array(1.5),), (3,), seed=0, raise_=False)
    assert len(report.held) > 5
    assert all("y[1]" in str(finding) for finding in report.findings)  # the estimate of the error has no derivative
