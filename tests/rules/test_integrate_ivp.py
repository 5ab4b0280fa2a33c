"""scipy.integrate.solve_ivp by rules: against closed forms in every engine and mode, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.rules import integrate
from tests.rules.engines import ENGINES, differentiate

scipy_integrate = pytest.importorskip("scipy.integrate")

T = 0.7
TIGHT = {"rtol": 1e-10, "atol": 1e-10}
MODES = {"jax": ("f", "r", "rj", "frj"), "torch": ("f", "r", "b", "fr"), "autograd": ("f", "r", "rr"), "dual": ("f", "r", "rf")}


def decay(t, y, rate):
    return -rate * y


def listed(t, y, rate):
    """A rotation, by a list of numbers."""
    return [rate * y[1], -rate * y[0]]


def solve(fun, span, y0, *args, **options):
    return integrate.solve_ivp(fun, span, y0, args=args, **TIGHT, **options).y


# Functions of a number, and what they, their first and their second derivatives are at T.
PROBLEMS = {
    "rate": (lambda r: solve(decay, (0.0, 2.0), [1.0], r)[0, -1], (np.exp(-2 * T), -2 * np.exp(-2 * T), 4 * np.exp(-2 * T))),
    "start": (lambda y: solve(decay, (0.0, 2.0), rb.xp(y).stack([y, y * y]), 1.0)[1, 1], tuple(np.exp(-2) * v for v in (T**2, 2 * T, 2))),
    "end": (lambda t: solve(decay, (0.0, t), [1.0], 1.0)[0, 1], (np.exp(-T), -np.exp(-T), np.exp(-T))),
    "beginning": (lambda t: solve(decay, (t, 2.0), 1.0, 1.0)[0, 1], (np.exp(T - 2), np.exp(T - 2), np.exp(T - 2))),
    "times": (lambda r: solve(listed, (0.0, 3.0), [0.0, 1.0], r, t_eval=[1.0, 3.0])[0].sum(), (
        np.sin(T) + np.sin(3 * T), np.cos(T) + 3 * np.cos(3 * T), -np.sin(T) - 9 * np.sin(3 * T))),
    "captured": (lambda r: solve(lambda t, y: -r * y, (0.0, 2.0), [1.0])[0, -1], (np.exp(-2 * T), -2 * np.exp(-2 * T), 4 * np.exp(-2 * T))),
}  # fmt: skip


@pytest.mark.parametrize(("engine", "mode"), [(engine, mode) for engine in ENGINES for mode in MODES[engine]])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_derivatives_are_the_closed_form(problem, engine, mode):
    g, values = PROBLEMS[problem]
    assert float(g(T)) == pytest.approx(values[0], rel=1e-7)
    assert differentiate(engine, g, mode, T) == pytest.approx(values[len(mode.replace("j", ""))], rel=1e-6)


@pytest.mark.parametrize("method", ["RK45", "DOP853", "Radau", "BDF", "LSODA"])
@pytest.mark.parametrize("t_eval", [[0.0, 1.0, 2.0], [0.5, 1.5]])
def test_the_solution_is_scipys(method, t_eval):
    theirs = scipy_integrate.solve_ivp(listed, (0.0, 2.0), [0.0, 1.0], method, t_eval, args=(1.0,))
    ours = integrate.solve_ivp(listed, (0.0, 2.0), [0.0, 1.0], method, t_eval, args=(1.0,))
    np.testing.assert_array_equal(ours.t, theirs.t)
    assert ours.y.shape == theirs.y.shape
    np.testing.assert_allclose(ours.y, [np.sin(ours.t), np.cos(ours.t)], atol=2e-2)


def test_backwards_in_time_and_complex():
    found = integrate.solve_ivp(lambda t, y: 1j * y, (1.0, 0.0), [1.0 + 0.0j], t_eval=[0.5, 0.0], **TIGHT)
    np.testing.assert_allclose(found.y[0], np.exp([-0.5j, -1.0j]), rtol=1e-8)


def test_a_derivative_by_the_times():
    times = np.array([0.5, 1.0, 1.5])
    for engine in ENGINES:
        found = rb.grad(lambda t: solve(decay, (0.0, 2.0), [1.0], 1.0, t_eval=t).sum(), engine=engine)(times)
        np.testing.assert_allclose(found, -np.exp(-times), rtol=1e-7)


def test_vmap():
    jax, torch = pytest.importorskip("jax"), pytest.importorskip("torch")
    rates = np.array([0.5, 1.0, 2.0])
    g = lambda r: solve(decay, (0.0, 1.0), [1.0], r)[0, 1]
    np.testing.assert_allclose(jax.vmap(jax.grad(g))(rates), -np.exp(-rates), rtol=1e-7)
    np.testing.assert_allclose(torch.func.vmap(torch.func.grad(g))(torch.tensor(rates)), -np.exp(-rates), rtol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integrate.solve_ivp(decay, (0, 1), [1.0], args=(1.0,), events=decay), r"events\.\nExpected: none: it is out of scope"),
        (lambda: integrate.solve_ivp(decay, (0, 1), [1.0], args=(1.0,), dense_output=True), r"dense_output\.\nExpected: none"),
        (lambda: integrate.solve_ivp(decay, (0, 1), [1.0]), r"solve_ivp of decay, args\."),
        (lambda: integrate.solve_ivp(decay, (0, 1), np.ones((1, 1)), args=1.0), r"y0\.\nExpected: an array of shape \(n,\)"),
        (lambda: integrate.solve_ivp(decay, (0, 1), [1.0], t_eval=[2.0], args=1.0), r"t_eval\.\nExpected: times from 0 to 1,.*\nGot: 2"),
        (lambda: integrate.solve_ivp(decay, (0, 1), [1.0], "RK54", args=1.0), r"method\.\nExpected: one of .*'RK45'.*\nGot: 'RK54'"),
        (
            lambda: rb.grad(lambda t: solve(decay, (0.0, 2.0), [1.0], 1.0, t_eval=t).sum(), engine="dual")(np.array([0.0, 1.0])),
            r"t_eval\.\nExpected: times after t_span\[0\]",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(rb.RuleSignatureError, match=message):
        call()
