"""odeint by methods with a fixed step: the solution, and that every derivative is the exact one of the steps."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit.ode import odeint
from tests.implicit.ode_problems import ORDERS, PREY, logistic, logistic_of, logistic_solution, predator_prey, unrolled, weighted
from tests.rules.engines import ENGINES, differentiate

MODES = {"jax": ("f", "r", "j", "rr", "fr", "rf", "ff", "rfrj"), "torch": ("f", "r", "b", "bb", "rr", "fr", "rf", "ff", "frr")}


def modes():
    for engine in ENGINES:
        for mode in MODES.get(engine, ("f", "r", "ff", "fr", "rf", "rr")):
            yield pytest.param(engine, mode, id=f"{engine}-{mode}")


@pytest.mark.parametrize("method", ORDERS)
def test_the_steps_are_those_of_the_method(method):
    y0, t, rates = PREY
    found = odeint(predator_prey, y0, t, rates, method=method, steps=3)
    np.testing.assert_allclose(found, unrolled(method, 3, predator_prey, y0, t, rates), rtol=1e-14)
    assert np.array_equal(found[0], y0)


@pytest.mark.parametrize("method", ORDERS)
def test_the_order_of_convergence(method):
    t = np.array([0.0, 1.0, 1.5])
    exact = logistic_solution(0.5, t, 1.3, 2.0)
    errors = [abs(odeint(logistic, 0.5, t, 1.3, 2.0, method=method, steps=n) - exact).max() for n in (16, 32)]
    assert abs(np.log2(errors[0] / errors[1]) - ORDERS[method]) < 0.15


@pytest.mark.parametrize(("engine", "mode"), list(modes()))
def test_every_nesting_of_the_modes_gives_the_derivative_of_the_steps(engine, mode):
    solve = lambda x: weighted(odeint(logistic, *logistic_of(x), method="rk4", steps=2))
    plain = lambda x: weighted(unrolled("rk4", 2, logistic, *logistic_of(x)))
    letters = mode.replace("j", "").replace("b", "r")
    expected = differentiate("dual", plain, letters, 0.2)
    assert differentiate(engine, solve, mode, 0.2) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("engine", "method"), [*[(e, "rk4") for e in ENGINES], *zip(ENGINES, ORDERS, strict=False)])
def test_gradients_are_those_of_the_unrolled_loop(engine, method):
    weights = np.arange(8.0).reshape(4, 2) / 7

    def loss(run):
        return lambda *args: (rb.xp(*args).asarray(weights) * run(predator_prey, *args) ** 2).sum()

    solve = loss(lambda field, *args: odeint(field, *args, method=method, steps=3))
    plain = loss(lambda field, *args: unrolled(method, 3, field, *args))
    found = rb.grad(solve, engine=engine, argnums=(0, 1, 2))(*PREY)
    for x_bar, expected in zip(found, rb.grad(plain, engine=engine, argnums=(0, 1, 2))(*PREY), strict=True):
        np.testing.assert_allclose(x_bar, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_backwards_in_time(engine):
    y0, t, rates = PREY
    there = odeint(predator_prey, y0, t, rates, method="rk4", steps=200)[-1]
    np.testing.assert_allclose(odeint(predator_prey, there, t[::-1].copy(), rates, method="rk4", steps=200)[-1], y0, rtol=1e-9)
    of_start = lambda y: odeint(predator_prey, y, np.array([2.0, 1.1]), rates, method="rk4", steps=2)[-1].sum()
    plain = lambda y: unrolled("rk4", 2, predator_prey, y, np.array([2.0, 1.1]), rates)[-1].sum()
    np.testing.assert_allclose(rb.grad(of_start, engine=engine)(y0), rb.grad(plain, engine="dual")(y0), rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_containers_in_any_order_and_numbers(engine):
    def pendulum(y, t, body, gravity):
        xp = rb.xp(y, body, gravity)
        return {"speed": -gravity / body["length"][0] * xp.sin(y["angle"]), "angle": y["speed"] * 1.0}

    def energy(angle, gravity):
        xp = rb.xp(angle, gravity)
        found = odeint(
            pendulum, {"angle": angle, "speed": 0.0 * angle}, np.linspace(0, 1, 4), {"length": [2.0], "n": 3}, gravity, method="rk4"
        )
        assert list(found) == ["angle", "speed"]
        assert tuple(found["speed"].shape) == (4,)
        return xp.sum(found["angle"] ** 2) + xp.sum(found["speed"])

    def plain(angle, gravity):
        xp = rb.xp(angle, gravity)
        field = lambda y, t: xp.stack([y[1] * 1.0, -gravity / 2.0 * xp.sin(y[0])])
        found = unrolled("rk4", 1, field, xp.stack([angle, 0.0 * angle]), np.linspace(0, 1, 4))
        return xp.sum(found[:, 0] ** 2) + xp.sum(found[:, 1])

    found = rb.grad(energy, engine=engine, argnums=(0, 1))(1.1, 9.81)
    np.testing.assert_allclose(found, rb.grad(plain, engine="dual", argnums=(0, 1))(1.1, 9.81), rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_complex_states(engine):
    """y' = (i w) y has the solution y0 exp(i w t), and |y - target|^2 a known gradient."""
    t = np.array([0.0, 0.5])

    def loss(y0, w):
        found = odeint(lambda y, t, w: 1j * w * y, y0, t, w, method="rk4", steps=64)
        return rb.xp(found).sum(rb.xp(found).abs(found[-1] - 0.5) ** 2)

    y0, w = np.array([1.0 + 0.5j]), np.array([2.0])
    y0_bar, w_bar = rb.grad(loss, engine=engine, argnums=(0, 1))(y0, w)
    turn = np.exp(1j * w * 0.5)
    np.testing.assert_allclose(y0_bar, 2 * (y0 * turn - 0.5) * turn.conj(), rtol=1e-6)
    np.testing.assert_allclose(w_bar, 2 * ((y0 * turn - 0.5).conj() * y0 * turn * 0.5j).real, rtol=1e-6)
    assert w_bar.dtype == np.float64


@pytest.mark.parametrize("engine", ENGINES)
def test_integers_and_flags_are_constants(engine):
    def power(y, t, n, rate, name):
        assert name == "decay"
        return -rate * y**n

    found = rb.grad(lambda r: odeint(power, 1.0, np.array([0.0, 1.0]), 2, r, "decay", method="rk4", steps=50)[-1], engine=engine)(0.7)
    assert found == pytest.approx(-1 / 1.7**2, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_results_keep_the_dtype_of_the_state(engine):
    y0 = np.array([0.5, 0.6], np.float32)
    t = np.array([0.0, 1.0])
    solve = lambda y: odeint(logistic, y, t, np.float32(1.3), np.float32(2.0), method="rk4", steps=4)
    y, pullback = rb.vjp(solve, y0, engine=engine)
    assert y.dtype == np.float32
    assert pullback(np.ones((2, 2), np.float32))[0].dtype == np.float32
    if engine != "autograd":  # which has no forward mode of a change of dtype, and says so
        assert rb.jvp(solve, (y0,), (y0,), engine=engine)[1].dtype == np.float32


def test_lists_of_times_and_integers():
    np.testing.assert_array_equal(
        odeint(logistic, 0.5, [0, 1, 2], 1.3, 2.0, method="rk4"), odeint(logistic, 0.5, np.array([0.0, 1.0, 2.0]), 1.3, 2.0, method="rk4")
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_one_pass_forwards_and_the_steps_again_backwards(engine):
    """How often the field is evaluated, where nothing is compiled: N s times forwards, as often again for the pullback."""
    if engine == "jax":
        pytest.importorskip("jax").config.update("jax_disable_jit", False)
    calls = [0]

    def counted(y, t, rate):
        calls[0] += 1
        return -rate * y

    t = np.array([0.0, 1.0, 2.0])
    odeint(counted, 1.0, t, 0.5, method="rk4", steps=5)
    assert calls[0] == 2 * 5 * 4
    calls[0] = 0
    rb.grad(lambda r: odeint(counted, 1.0, t, r, method="rk4", steps=5)[-1], engine=engine)(0.5)
    if engine == "dual":
        assert calls[0] == 2 * 5 * 4
    elif engine == "jax":  # traced, whatever the number of steps: each of the stages a few times
        assert calls[0] < 2 * 5 * 4
    else:
        assert calls[0] == 2 * 2 * 5 * 4
