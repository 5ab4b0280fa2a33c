"""odeint by SciPy's methods: solutions and derivatives against those in closed form."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit import NotConvergedError
from rulebook.implicit.ode import odeint
from tests.implicit.ode_problems import logistic, logistic_of, logistic_solution, weighted
from tests.rules.engines import ENGINES, differentiate

linalg = pytest.importorskip("scipy.linalg")

METHODS = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")
MODES = {
    "jax": ("f", "r", "rj", "rr", "fr", "rf", "ff", "frj"),
    "torch": ("f", "r", "b", "bb", "rr", "fr", "rf", "ff"),
    "autograd": ("f", "r", "rr"),
    "dual": ("f", "r", "ff", "fr"),
}
A = np.array([[-0.5, 2.0], [-1.5, -0.3]])


def linear(y, t, a):
    return a @ y


@pytest.mark.parametrize("method", METHODS)
def test_solutions_of_a_linear_equation(method):
    t = np.array([0.0, 0.5, 2.0])
    y0 = np.array([1.0, -1.0])
    found = odeint(linear, y0, t, A, method=method, rtol=1e-7, atol=1e-9)
    expected = np.stack([linalg.expm(A * s) @ y0 for s in t])
    np.testing.assert_allclose(found, expected, atol=3e-5)
    assert np.array_equal(found[0], y0)
    back = odeint(linear, expected[-1], -t, -A, method=method, rtol=1e-7, atol=1e-9)  # time runs the other way
    np.testing.assert_allclose(back[-1], linalg.expm(A * 2.0) @ expected[-1], atol=3e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ENGINES[:1])
def test_derivatives_of_a_linear_equation(engine, method):
    """By the derivative of expm in each direction: the block matrix of Van Loan (1978)."""
    t, y0, y_bar = np.array([0.0, 0.5, 2.0]), np.array([1.0, -1.0]), np.array([[0.0, 0.0], [0.3, -0.2], [1.0, 0.5]])
    run = lambda y0, a: odeint(linear, y0, t, a, method=method, rtol=1e-7, atol=1e-9)
    _, pullback = rb.vjp(run, y0, A, engine=engine)
    y0_bar, a_bar = pullback(y_bar)
    expected = sum(linalg.expm(A * s).T @ b for s, b in zip(t, y_bar, strict=True))
    np.testing.assert_allclose(y0_bar, expected, atol=1e-4)
    a_dot = np.array([[0.2, -0.1], [0.4, 0.3]])
    y_dot = np.stack([linalg.expm_frechet(A * s, a_dot * s, compute_expm=False) @ y0 for s in t])
    np.testing.assert_allclose(np.vdot(a_bar, a_dot), np.vdot(y_bar, y_dot), atol=1e-4)
    np.testing.assert_allclose(rb.jvp(lambda a: run(y0, a), (A,), (a_dot,), engine=engine)[1], y_dot, atol=1e-4)


@pytest.mark.parametrize(("engine", "mode"), [(e, m) for e in ENGINES for m in MODES[e]])
def test_every_nesting_of_the_modes(engine, mode):
    """In the start, each of the times, and both parameters at once."""
    solve = lambda x: weighted(odeint(logistic, *logistic_of(x), method="DOP853", rtol=1e-9, atol=1e-11))
    exact = lambda x: weighted(logistic_solution(*logistic_of(x)))
    letters = mode.replace("j", "").replace("b", "r")
    assert differentiate(engine, solve, mode, 0.2) == pytest.approx(differentiate("dual", exact, letters, 0.2), rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_derivative_by_a_time_is_the_field(engine):
    t = np.array([0.0, 0.6, 1.0])
    y = odeint(logistic, 0.5, t, 1.3, 2.0)
    t_bar = rb.grad(lambda t: weighted(odeint(logistic, 0.5, t, 1.3, 2.0)), engine=engine)(t)
    expected = np.array([0.3, -1.2, 0.7]) * logistic(y, t, 1.3, 2.0)
    expected[0] = -expected[1:].sum() - 0.0  # the equation does not know what time it is
    np.testing.assert_allclose(t_bar, expected, rtol=1e-6)


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_the_adjoint_of_a_stiff_equation_is_stable(method):
    """Integrated backwards, this state would grow by exp(1000)."""
    field = lambda y, t, k, w: -k * (y - rb.xp(t, w).cos(w * t))
    run = lambda k, w: odeint(field, 0.0, np.array([0.0, 1.0]), k, w, method=method, rtol=1e-8, atol=1e-10)[-1]
    exact = lambda k, w: (k * k * rb.xp(w).cos(w) + k * w * rb.xp(w).sin(w)) / (k * k + w * w)
    found = rb.grad(run, engine=ENGINES[0], argnums=(0, 1))(1000.0, 3.0)
    np.testing.assert_allclose(found, rb.grad(exact, engine="dual", argnums=(0, 1))(1000.0, 3.0), rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_tolerances_are_relative_to_tangents_and_cotangents(size):
    run = lambda r: odeint(logistic, 0.5, np.array([0.0, 1.0]), r, 2.0)[-1]
    exact = rb.derivative(lambda r: logistic_solution(0.5, np.array([0.0, 1.0]), r, 2.0)[-1], engine="dual")(1.3)
    assert rb.grad(lambda r: size * run(r), engine=ENGINES[0])(1.3) == pytest.approx(size * exact, rel=1e-6)
    assert rb.jvp(run, (1.3,), (size,), engine=ENGINES[0])[1] == pytest.approx(size * exact, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_containers_complex_numbers_and_dtypes(engine):
    """y' = (i w) y with a radius beside it, in single precision."""

    def field(y, t, params):
        return {"phase": 1j * params["w"] * y["phase"], "radius": -params["n"] * y["radius"]}

    y0 = {"phase": np.array([1.0 + 0.5j], np.complex64), "radius": np.float32(2.0)}

    def loss(w):
        found = odeint(field, y0, np.array([0.0, 0.5]), {"w": w, "n": 2})
        xp = rb.xp(w)
        return xp.sum(xp.abs(found["phase"][-1] - 0.5) ** 2) + found["radius"][-1]

    y = odeint(field, y0, np.array([0.0, 0.5]), {"w": 2.0, "n": 2})
    assert y["phase"].dtype == np.complex64 and y["radius"].dtype == np.float32
    np.testing.assert_allclose(y["radius"], [2.0, 2.0 * np.exp(-1.0)], rtol=1e-6)
    turn = 1.0 + 0.5j
    last = turn * np.exp(1j)
    assert rb.grad(loss, engine=engine)(2.0) == pytest.approx(2 * ((last - 0.5).conj() * last * 0.5j).real, rel=1e-5)


def test_a_field_of_host_code_with_rules():
    """Its own rules are used, not its code."""
    calls = [0]

    @rb.primitive(host=True, result=lambda y, t, k: y)
    def decay(y, t, k):
        return np.asarray(-float(k) * np.asarray(y))

    @rb.pushforward(decay, host=True)
    def _(rate, primals, tangents):
        calls[0] += 1
        y, _, k = primals
        return -tangents[2] * y - k * tangents[0]

    run = lambda k: odeint(decay, np.array([2.0]), np.array([0.0, 1.0]), k)[-1].sum()
    for engine in ENGINES:
        calls[0] = 0
        assert rb.grad(run, engine=engine)(0.7) == pytest.approx(-2 * np.exp(-0.7), rel=1e-6)
        assert calls[0] > 0


def test_batches_are_solved_one_by_one():
    jax = pytest.importorskip("jax")
    rates = np.array([0.5, 1.3, 2.0])
    t = np.array([0.0, 1.0])
    run = lambda r: odeint(logistic, 0.5, t, r, 2.0)[-1]
    found = jax.jit(jax.vmap(jax.value_and_grad(run)))(rates)
    for i, r in enumerate(rates):
        assert found[0][i] == pytest.approx(logistic_solution(0.5, t, r, 2.0)[-1], rel=1e-6)
        exact = rb.derivative(lambda r: logistic_solution(0.5, t, r, 2.0)[-1], engine="dual")(r)
        assert found[1][i] == pytest.approx(exact, rel=1e-6)


def test_no_solution():
    with pytest.raises(
        NotConvergedError,
        match=r"(?s)rb.implicit.odeint, method='RK45'\..*from t = 0 to 2.*SciPy stopped near 1: Required step.*Do: pass a method",
    ):
        odeint(lambda y, t: y * y, 1.0, np.array([0.0, 2.0]))


def test_without_scipy(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(rb.EngineMissingError, match=r"(?s)method='RK45'.*'scipy'.*pip install scipy, or pass method='rk4'"):
        odeint(logistic, 0.5, np.array([0.0, 1.0]), 1.0, 2.0)
