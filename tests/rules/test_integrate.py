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


# -- calls -----------------------------------------------------------------------------------------


def test_batches():
    rates = np.array([0.5, 1.0, 2.0])
    g = lambda rate: integrate.quad(decay, 0.0, np.inf, rate)[0]
    jax = pytest.importorskip("jax")
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(g)))(rates), -(rates**-2), rtol=1e-8)
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(torch.func.vmap(torch.func.grad(g))(torch.tensor(rates)), -(rates**-2), rtol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_array_and_a_complex_number_among_the_arguments(engine):
    w = np.array([1.0, -2.0, 0.5])
    wave = lambda x, w: rb.xp(x, w).sum(rb.xp(x, w).sin(w * x))
    found = rb.grad(lambda w: integrate.quad(wave, 0.0, 1.0, (w,))[0], engine=engine)(w)
    np.testing.assert_allclose(found, np.sin(w) / w - (1 - np.cos(w)) / w**2, rtol=1e-9)
    z = np.array(0.3 + 0.4j)
    power_of = lambda x, z: rb.xp(x, z).real(rb.xp(x, z).exp(z * x))
    loss = lambda z: integrate.quad(power_of, 0.0, 1.0, (z,))[0]
    h = 1e-6
    slopes = [(loss(z + d) - loss(z - d)) / (2 * h) for d in (h, 1j * h)]
    np.testing.assert_allclose(rb.grad(loss, engine=engine)(z), slopes[0] + 1j * slopes[1], rtol=1e-7)


@pytest.mark.parametrize("engine", ENGINES)
def test_float32_stays(engine):
    rate = np.array(2.0, np.float32)
    g = lambda rate: integrate.quad(decay, 0.0, np.inf, rate)[0]
    y, gradient = rb.value_and_grad(g, engine=engine)(rate)
    assert y.dtype == gradient.dtype == np.float32
    assert float(gradient) == pytest.approx(-0.25, rel=1e-6)


def test_small_cotangents_are_integrated_as_accurately_as_large_ones():
    spike = lambda x, w: rb.xp(x, w).exp(-(((x - 0.3) / w) ** 2))
    g = lambda w, size: size * integrate.quad(spike, 0.0, 1.0, (w,))[0]
    for engine in ENGINES:
        large, small = (float(rb.grad(lambda w, s=s: g(w, s), engine=engine)(np.array(2e-2))) for s in (1.0, 1e-12))
        assert large == pytest.approx(np.sqrt(np.pi), rel=1e-9)
        assert small / 1e-12 == pytest.approx(large, rel=1e-9)


def test_a_limit_that_is_infinite_in_a_compiled_program():
    jax = pytest.importorskip("jax")
    g = lambda b: integrate.quad(decay, 0.0, b, (1.0,))[0]
    assert float(jax.jit(jax.grad(g))(np.inf)) == 0
    assert float(jax.jit(jax.grad(g))(2.0)) == pytest.approx(np.exp(-2))


def test_the_integral_runs_once_for_value_and_gradient(monkeypatch):
    scipy_integrate = pytest.importorskip("scipy.integrate")
    runs, solver = [], scipy_integrate.quad
    monkeypatch.setattr(scipy_integrate, "quad", lambda *args, **options: runs.append(1) or solver(*args, **options))
    for engine in ENGINES:
        runs.clear()
        rb.value_and_grad(lambda b: integrate.quad(decay, 0.0, b, (1.0,))[0], engine=engine)(np.array(2.0))
        assert len(runs) == 1  # the derivative by a limit is no integral
        rb.value_and_grad(lambda r: integrate.quad(decay, 0.0, 2.0, (r,))[0], engine=engine)(np.array(2.0))
        assert len(runs) == 3  # that by an argument is one


def test_an_integral_that_diverges_is_reported():
    with pytest.warns(rb.implicit.NotConvergedWarning, match=r"quad of over.*\nExpected: an integral that converges\nGot: .*evaluations"):
        integrate.quad(over, 0.0, 1.0, (1.0,))
    with pytest.raises(rb.implicit.NotConvergedError, match="quad of over"):
        integrate.quad(over, 0.0, 1.0, (1.0,), on_failure="raise")


def test_bad_input():
    with pytest.raises(rb.RuleSignatureError, match=r"quad of decay, args\.\nExpected: 1 arguments .*\nGot: 0"):
        integrate.quad(decay, 0.0, 1.0)
    with pytest.raises(rb.RuleSignatureError, match=r"a and b\.\nExpected: numbers, shape \(\)\nGot: shapes \(\) and \(2,\)"):
        integrate.quad(decay, 0.0, [1.0, 2.0], 1.0)
    with pytest.raises(rb.RuleOutputError, match=r"its integrand\.\nExpected: one real number\nGot: shape \(\), complex128"):
        integrate.quad(lambda x: 1j * x, 0.0, 1.0)
    with pytest.raises(rb.RuleOutputError, match=r"its integrand\.\nExpected: one real number\nGot: shape \(2,\)"):
        integrate.quad(lambda x: np.array([x, x]), 0.0, 1.0)
    with pytest.raises(rb.RuleSignatureError, match="did you mean 'raise'"):
        integrate.quad(decay, 0.0, 1.0, 1.0, on_failure="rise")
    with pytest.raises(rb.RuleSignatureError, match=r"quad of decay, a\.\nExpected: real numbers"):
        integrate.quad(decay, 1j, 1.0, 1.0)
