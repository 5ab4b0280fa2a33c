"""`rulebook.compat.agjax`: functions of autograd in JAX."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("autograd")

import autograd.numpy as anp
import jax
import jax.numpy as jnp
from autograd.extend import defjvp, defvjp, primitive

from rulebook.compat.agjax import experimental, wrap_for_jax

X = np.array([0.3, 0.7, 1.1], np.float32)


@primitive
def _marked(x):
    return np.sin(x)


defvjp(_marked, lambda y, x: lambda y_bar: 10.0 * np.cos(x) * y_bar)
defjvp(_marked, lambda x_dot, y, x: 100.0 * np.cos(x) * x_dot)


def fn(x, options):
    return anp.sum(anp.sin(x) * options["scale"])


def test_the_rules_of_autograd_run():
    f = wrap_for_jax(_marked)
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(X), 10.0 * np.cos(X), rtol=1e-6)
    np.testing.assert_allclose(jax.jvp(f, (X,), (X,))[1], 100.0 * np.cos(X) * X, rtol=1e-6)


def test_transformations():
    f = lambda x: wrapped(x, {"scale": 2.0})
    wrapped = wrap_for_jax(fn)
    for g in (f, jax.jit(f)):
        np.testing.assert_allclose(g(X), np.sum(np.sin(X)) * 2, rtol=1e-6)
        np.testing.assert_allclose(jax.grad(g)(X), 2 * np.cos(X), rtol=1e-6)
        np.testing.assert_allclose(jax.jit(jax.grad(g))(X), 2 * np.cos(X), rtol=1e-6)
        np.testing.assert_allclose(jax.hessian(g)(X), np.diag(-2 * np.sin(X)), rtol=1e-6)
        np.testing.assert_allclose(jax.vmap(jax.grad(g))(np.stack([X, X])), [2 * np.cos(X)] * 2, rtol=1e-6)
    found = jax.grad(wrapped, argnums=1)(X, {"scale": 2.0})
    np.testing.assert_allclose(found["scale"], np.sum(np.sin(X)), rtol=1e-6)


def test_the_function_runs_once():
    runs = []

    def counted(x):
        runs.append(type(x))
        return anp.sum(x**2), "label"

    f = wrap_for_jax(counted, nondiff_outputnums=1)
    for run in (f, lambda x: jax.grad(f, has_aux=True)(x), lambda x: jax.jvp(lambda x: f(x)[0], (x,), (x,))):
        runs.clear()
        run(jnp.asarray(X))
        assert len(runs) == 1


def test_arguments_and_outputs_that_are_not_differentiated():
    def scaled(x, power, label):
        return anp.sum(x**power), {"label": label, "power": power}, power * np.ones(2)

    f = wrap_for_jax(scaled, nondiff_argnums=(1, -1), nondiff_outputnums=(1, 2))
    y, info, ones = f(X, 3, "cube")
    assert isinstance(y, jax.Array)
    assert info == {"label": "cube", "power": 3}
    assert type(ones) is np.ndarray
    (y, (info, ones)), x_bar = jax.value_and_grad(lambda x: (f(x, 3, "cube")[0], f(x, 3, "cube")[1:]), has_aux=True)(jnp.asarray(X))
    np.testing.assert_allclose(x_bar, 3 * X**2, rtol=1e-6)
    assert info == {"label": "cube", "power": 3}
    np.testing.assert_array_equal(ones, [3.0, 3.0])


def test_an_option_that_changes_between_calls():
    f = wrap_for_jax(lambda x, factors: anp.sum(x) * factors[0], nondiff_argnums=1)
    factors = [2.0]
    assert f(1.0, factors) == 2.0
    factors[0] = 3.0
    assert jax.grad(f)(1.0, factors) == 3.0


def test_outputs_that_are_not_differentiated_belong_to_their_example():
    f = wrap_for_jax(lambda x: (anp.sum(x**2), 2 * x), nondiff_outputnums=1)
    rows = np.stack([X, 2 * X, 3 * X])
    for g in (jax.vmap(f), jax.jit(jax.vmap(f))):
        np.testing.assert_allclose(g(rows)[1], 2 * rows, rtol=1e-6)
    np.testing.assert_array_equal(jax.grad(lambda x: f(x)[1].sum())(jnp.asarray(X)), np.zeros(3))


def test_a_traced_option_is_not_differentiated():
    f = wrap_for_jax(lambda x, k: anp.sum(x * k), nondiff_argnums=1)
    assert jax.jit(jax.grad(f, argnums=1))(2.0, 3.0) == 0.0
    assert jax.jit(jax.grad(f))(2.0, 3.0) == 3.0


def test_complex_numbers():
    f = wrap_for_jax(lambda z: anp.abs(z) ** 2 + anp.real(z**3))
    z = np.complex64(0.3 + 0.4j)
    np.testing.assert_allclose(jax.grad(f)(z), jax.grad(lambda z: jnp.abs(z) ** 2 + jnp.real(z**3))(z), rtol=1e-6)


def test_declared_results():
    like = (jax.ShapeDtypeStruct((), np.float32), {"d": np.zeros(3, np.float32)})
    f = experimental.wrap_for_jax(lambda x, y: (anp.sum(x * y), {"d": x - y}), like, nondiff_argnums=1)
    np.testing.assert_allclose(jax.jit(f)(X, X)[0], np.sum(X * X), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.grad(lambda x: f(x, X)[0]))(X), X, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.jacrev(lambda x: f(x, X)[1]["d"]))(X), np.eye(3), rtol=1e-6)


@pytest.mark.parametrize("positions", [2, -3])
def test_positions_out_of_bounds(positions):
    with pytest.raises(ValueError, match=r"fn, nondiff_argnums\.(\n|.)*Found out of bounds(\n|.)*Do: name positions that there are"):
        wrap_for_jax(fn, nondiff_argnums=positions)(X, {"scale": 1.0})
    with pytest.raises(ValueError, match=r"nondiff_outputnums\.(\n|.)*Found out of bounds"):
        wrap_for_jax(lambda x: (x, x), nondiff_outputnums=positions)(1.0)


@pytest.mark.parametrize("positions", [(1, 1), (1, -1)])
def test_positions_twice(positions):
    with pytest.raises(ValueError, match=r"fn, nondiff_argnums\.(\n|.)*Found duplicate: 1"):
        wrap_for_jax(fn, nondiff_argnums=positions)(X, {"scale": 1.0})


def test_nothing_left_to_differentiate():
    f = wrap_for_jax(lambda x: (x, x), nondiff_outputnums=(0, 1))
    for run in (f, jax.grad(f)):
        with pytest.raises(ValueError, match="At least one differentiable output"):
            run(1.0)


def test_objects_in_a_traced_program():
    f = wrap_for_jax(lambda x: (x**2, "label"), nondiff_outputnums=1)
    with pytest.raises(ValueError, match=r"output 1, in a program that is traced\.(\n|.)*Do: call the function outside jit and vmap"):
        jax.jit(lambda x: f(x)[0])(1.0)
