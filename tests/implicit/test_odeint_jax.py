"""odeint in JAX: compiled programs, what they store, and batches."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit.ode import odeint
from tests.implicit.ode_problems import PREY, logistic, logistic_solution, predator_prey

jax = pytest.importorskip("jax")


def loss(y0, t, rates, **options):
    return (odeint(predator_prey, y0, t, rates, **options)[1:] ** 2).sum()


def test_the_program_does_not_grow_with_the_steps():
    def size(steps, order):
        fn = lambda rates: loss(PREY[0], PREY[1], rates, method="rk4", steps=steps)
        for _ in range(order):
            fn = lambda rates, fn=fn: jax.grad(fn)(rates).sum()
        return str(jax.make_jaxpr(fn)(PREY[2])).count(" = ")

    for order in (0, 1, 2):
        assert size(3, order) == size(300, order)


def test_only_states_are_stored():
    """A scan that JAX differentiates stores what each of the four stages left."""
    n, steps = 50, 400
    matrix, y0 = np.random.default_rng(0).normal(size=(n, n)) / n, np.ones(n)
    field = lambda y, t, a: rb.xp(a).tanh(a @ y)

    def plain(y0, a):
        h = 1.0 / steps

        def step(y, _):
            k1 = field(y, 0.0, a)
            k2 = field(y + h / 2 * k1, 0.0, a)
            k3 = field(y + h / 2 * k2, 0.0, a)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + field(y + h * k3, 0.0, a)), None

        return jax.lax.scan(step, y0, None, length=steps)[0]

    ours = lambda y0, a: odeint(field, y0, np.array([0.0, 1.0]), a, method="rk4", steps=steps)[-1]

    def memory(run):
        compiled = jax.jit(jax.grad(lambda y0, a: run(y0, a).sum(), argnums=(0, 1))).lower(y0, matrix).compile()
        return compiled.memory_analysis().temp_size_in_bytes / (8 * n * steps)

    assert memory(ours) < 4.5  # in states; a scan keeps the stages as well
    assert memory(plain) > 8


@pytest.mark.parametrize("method", ["rk4", "RK45"])
def test_batches_of_gradients(method):
    if method == "RK45":
        pytest.importorskip("scipy")
    options = {"method": method, **({"steps": 4} if method == "rk4" else {})}
    grad = jax.grad(lambda y0, rates: loss(y0, PREY[1], rates, **options), argnums=(0, 1))
    starts = PREY[0] * np.array([[1.0], [1.2], [0.7]])
    found = jax.jit(jax.vmap(grad, in_axes=(0, None)))(starts, PREY[2])
    for i, y0 in enumerate(starts):
        for x_bar, expected in zip(found, grad(y0, PREY[2]), strict=True):
            np.testing.assert_allclose(x_bar[i], expected, rtol=1e-6 if method == "RK45" else 1e-12)


def test_hessians_under_jit():
    pytest.importorskip("scipy")
    run = lambda p: odeint(logistic, 0.5, np.array([0.0, 1.0]), p[0], p[1], rtol=1e-9, atol=1e-10)[-1]
    exact = lambda p: logistic_solution(0.5, np.array([0.0, 1.0]), p[0], p[1])[-1]
    p = np.array([1.3, 2.0])
    np.testing.assert_allclose(jax.jit(jax.hessian(run))(p), jax.hessian(exact)(p), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(jax.jit(jax.jacrev(jax.jacfwd(run)))(p), jax.hessian(exact)(p), rtol=1e-5, atol=1e-7)


def test_outside_of_jit_the_steps_are_compiled_once():
    """For a field that reads nothing that could change: its code does not run again."""
    t, y0 = np.array([0.0, 1.0]), jax.numpy.asarray(PREY[0])
    run = lambda y: odeint(predator_prey, y, t, PREY[2], method="rk4", steps=7)[-1].sum()
    first = jax.grad(run)(y0)
    before, jax.lax.scan = jax.lax.scan, None  # what tracing the steps would call
    try:
        np.testing.assert_array_equal(jax.grad(run)(y0), first)
    finally:
        jax.lax.scan = before
