"""scipy.optimize by rules: the derivatives of every solver in every engine and mode, of first and second order."""

from __future__ import annotations

import pytest

from tests.rules.engines import ENGINES, differentiate
from tests.rules.optimize_cases import AT, PROBLEMS

pytest.importorskip("scipy")

JAX = (("f", "rj", "rrj"), ("r", "rj", "frj"))  # the problems take turns
MODES = {
    "torch": ("f", "r", "b", "fr", "rf", "bb"),
    "autograd": ("f", "r", "rr"),
    "dual": ("f", "r", "ff", "rf"),
}
# What another method of SciPy finds is the same solution, with the same rules.
METHODS = ("lm", "broyden1", "halley", "L-BFGS-B", "trust-constr", "Nelder-Mead", "trust-exact")
MODES_OF_METHODS = {"jax": ("rj",), "torch": ("r", "bb"), "autograd": ("r", "rr"), "dual": ("f", "rf")}


def _runs():
    for number, problem in enumerate(PROBLEMS):
        modes = MODES_OF_METHODS if any(method in problem.name for method in METHODS) else {**MODES, "jax": JAX[number % 2]}
        for engine in ENGINES:
            yield from (pytest.param(problem, engine, mode, id=f"{problem.name}-{engine}-{mode}") for mode in modes[engine])


@pytest.mark.parametrize(("problem", "engine", "mode"), list(_runs()))
def test_derivatives_are_the_closed_form(problem, engine, mode):
    expected = problem.values[len(mode.replace("j", ""))]
    assert differentiate(engine, problem.g, mode, AT) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_on_numpy_it_is_the_solver(problem):
    assert float(problem.g(AT)) == pytest.approx(problem.values[0], rel=1e-9)
