"""scipy.integrate by rules: the derivatives of integrals in every engine and mode, of first and second order."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.rules import integrate
from tests.rules.engines import ENGINES, differentiate

pytest.importorskip("scipy")

T = 1.5
MODES = {
    "jax": ("f", "r", "rj", "frj", "rrj"),
    "torch": ("f", "r", "b", "rf", "fr", "bb"),
    "autograd": ("f", "r", "rr"),
    "dual": ("f", "r", "ff", "rf"),
}


def decay(x, rate):
    return rb.xp(x, rate).exp(-rate * x)


def power(x, n):
    xp = rb.xp(x, n)
    return xp.exp((n - 1.5) * xp.log(x))


def over(x, c):
    return c / x


def weighted(x, p, names):
    xp = rb.xp(x, p["w"])
    return xp.sum(p["w"] * xp.asarray([1.0, 2.0, 3.0]) * x ** len(names)) * p["t"]


def _captured(t):
    return integrate.quad(lambda x: t * t * x, 0.0, 1.0)[0]


def _outside(t):
    return integrate.quad(weighted, 0.0, t, ({"w": rb.xp(t).stack([t, t, t]), "t": 1.0}, "ab"))[0]


# Functions of a number, and what they, their first and their second derivatives are at T.
PROBLEMS = {
    "to infinity": (lambda t: integrate.quad(decay, 0.0, np.inf, t)[0], (1 / T, -1 / T**2, 2 / T**3)),
    "limits": (lambda t: integrate.quad(over, t, t * t, (1.0,))[0], (np.log(T), 1 / T, -1 / T**2)),
    "limits and argument": (
        lambda t: integrate.quad(over, t, t * t, args=(t,))[0],
        (T * np.log(T), np.log(T) + 1, 1 / T),
    ),
    "singular": (lambda t: integrate.quad(power, 0.0, 1.0, (t,))[0], (1 / (T - 0.5), -((T - 0.5) ** -2), 2 * (T - 0.5) ** -3)),
    "backwards": (lambda t: integrate.quad(over, 3.0, t, (t,))[0], (T * np.log(T / 3), np.log(T / 3) + 1, 1 / T)),
    "container": (_outside, (2 * T**4, 8 * T**3, 24 * T**2)),
    "captured": (_captured, (T * T / 2, T, 1.0)),
}


@pytest.mark.parametrize(("engine", "mode"), [(engine, mode) for engine in ENGINES for mode in MODES[engine]])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_derivatives_are_the_closed_form(problem, engine, mode):
    g, values = PROBLEMS[problem]
    assert differentiate(engine, g, mode, T) == pytest.approx(values[len(mode.replace("j", ""))], rel=1e-7)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_on_numpy_it_is_the_integral(problem):
    g, values = PROBLEMS[problem]
    assert float(g(T)) == pytest.approx(values[0], rel=1e-9)
