"""Programs that the outer engine traces, maps and compiles."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from tests.crossing.pairs import BY_NAME, INNER, agree, draw, namespace

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
pytest.importorskip("autograd")
jnp = jax.numpy
X = np.array([[0.3, -0.7], [1.2, 0.4], [0.9, 0.1]])
TRACED = [inner for inner in INNER if inner != "jax"]
OTHERS = [inner for inner in INNER if inner != "torch"]


def _energy(xp):
    return lambda x: xp.sum(xp.sin(x) ** 2)


@pytest.mark.parametrize("inner", TRACED)
@pytest.mark.parametrize("name", ["tree", "static", "complex", "integer"])
def test_jit_of_both_modes(name, inner):
    case = BY_NAME[name]
    f, dots = case.primitive(inner), draw(case.args, 1)
    push = jax.jit(lambda primals, tangents: rb.jvp(lambda *args: f(*args, **case.static), primals, tangents, engine="jax"))
    expected, expected_dot = case.push(case.args, dots)
    y, y_dot = push(case.args, dots)
    agree(y, expected, case.dtype)
    agree(y_dot, expected_dot, case.dtype)


@pytest.mark.parametrize("inner", TRACED)
def test_jax_transformations(inner):
    f, x = rb.differentiate_with(_energy(namespace(inner)), inner), jnp.asarray(X)
    gradient = jax.grad(f)
    np.testing.assert_allclose(jax.jit(gradient)(x[0]), np.sin(2 * X[0]), rtol=1e-7)
    np.testing.assert_allclose(jax.jit(jax.vmap(gradient))(x), np.sin(2 * X), rtol=1e-7)
    np.testing.assert_allclose(jax.vmap(jax.hessian(f))(x)[1], np.diag(2 * np.cos(2 * X[1])), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(jax.jacfwd(jax.vmap(gradient))(x)[0, :, 0], np.diag(2 * np.cos(2 * X[0])), rtol=1e-6, atol=1e-7)
    total = lambda x: jax.lax.scan(lambda c, row: (c + f(row), None), 0.0, x)[0]
    np.testing.assert_allclose(jax.jit(jax.grad(total))(x), np.sin(2 * X), rtol=1e-7)
    np.testing.assert_allclose(
        jax.grad(jax.checkpoint(lambda x: f(x) ** 2))(x[0]), 2 * np.sum(np.sin(X[0]) ** 2) * np.sin(2 * X[0]), rtol=1e-7
    )


@pytest.mark.parametrize("inner", TRACED)
def test_a_pullback_from_outside_in_a_compiled_program(inner):
    f = rb.differentiate_with(_energy(namespace(inner)), inner)
    _, pullback = jax.vjp(f, jnp.asarray(X[0]))
    np.testing.assert_allclose(jax.jit(pullback)(jnp.asarray(2.0))[0], 2 * np.sin(2 * X[0]), rtol=1e-7)
    np.testing.assert_allclose(jax.vmap(pullback)(jnp.arange(3.0))[0][2], 2 * np.sin(2 * X[0]), rtol=1e-7)


@pytest.mark.parametrize("inner", OTHERS)
def test_torch_transformations(inner):
    f, x = rb.differentiate_with(_energy(namespace(inner)), inner), torch.tensor(X)
    gradient = torch.func.grad(f)
    np.testing.assert_allclose(torch.func.vmap(gradient)(x), np.sin(2 * X), rtol=1e-7)
    np.testing.assert_allclose(torch.func.vmap(torch.func.hessian(f))(x)[1], np.diag(2 * np.cos(2 * X[1])), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(
        torch.func.jacfwd(torch.func.vmap(gradient))(x)[0, :, 0], np.diag(2 * np.cos(2 * X[0])), rtol=1e-6, atol=1e-7
    )
    leaf = x[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(f(leaf), leaf, create_graph=True)
    np.testing.assert_allclose(first.detach(), np.sin(2 * X[0]), rtol=1e-7)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    np.testing.assert_allclose(second, 2 * np.cos(2 * X[0]), rtol=1e-6)
    with torch.autograd.forward_ad.dual_level():
        y = f(torch.autograd.forward_ad.make_dual(x[0], torch.ones(2, dtype=x.dtype)))
        np.testing.assert_allclose(torch.autograd.forward_ad.unpack_dual(y).tangent, np.sin(2 * X[0]).sum(), rtol=1e-7)


@pytest.mark.parametrize("inner", ["jax", "dual"])
def test_torch_compile(inner):
    f = rb.differentiate_with(_energy(namespace(inner)), inner)
    compiled = torch.compile(lambda x: f(x * 2.0) * 3.0, backend="aot_eager", fullgraph=True)
    leaf = torch.tensor(X[0], requires_grad=True)
    compiled(leaf).backward()
    np.testing.assert_allclose(leaf.grad, 6 * np.sin(4 * X[0]), rtol=1e-7)


@pytest.mark.parametrize("inner", ["torch", "dual"])
def test_a_batch_is_one_call_of_a_vectorized_function(inner):
    xp, shapes = namespace(inner), []

    def f(x):
        shapes.append(tuple(x.shape))
        return xp.sin(x)

    x = jnp.asarray(X)
    np.testing.assert_allclose(jax.vmap(rb.differentiate_with(f, inner, vectorized=True))(x), np.sin(X))
    assert shapes == [(2,), (3, 2)] or shapes == [(3, 2)]  # the first for the shape of a result


def test_higher_orders_run_the_function_a_few_times():
    calls = []

    def f(t):
        calls.append(1)
        return torch.sum(torch.sin(t) ** 2)

    primitive, x = rb.differentiate_with(f, "torch"), jnp.asarray(X[0])
    jax.value_and_grad(primitive)(x)
    assert len(calls) == 1
    calls.clear()
    np.testing.assert_allclose(jax.jvp(jax.grad(primitive), (x,), (jnp.ones(2),))[1], 2 * np.cos(2 * X[0]))
    assert len(calls) <= 3  # the value, and the pushforward of the pullback
    calls.clear()
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jax.grad(jax.jit(primitive))))(x), np.diag(2 * np.cos(2 * X[0])), atol=1e-12)


def test_third_order():
    f = rb.differentiate_with(lambda t: torch.sum(t**4), "torch")
    x = X[0]
    expected = np.zeros((2, 2, 2))
    expected[[0, 1], [0, 1], [0, 1]] = 24 * x
    np.testing.assert_allclose(jax.jacfwd(jax.jacrev(jax.grad(f)))(jnp.asarray(x)), expected, rtol=1e-10)
    g = rb.differentiate_with(lambda a: jnp.sum(a**4), "jax")
    np.testing.assert_allclose(torch.func.jacfwd(torch.func.jacrev(torch.func.grad(g)))(torch.tensor(x)), expected, rtol=1e-10)
