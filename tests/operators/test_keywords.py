"""Keywords of a derivative go to the function as they are."""

import numpy as np
import pytest

import rulebook as rb
from tests.operators.subjects import ENGINES

X = np.array([1.0, 2.0])


def power(x, k=2, *, scale=1.0, name="a"):
    assert name in ("a", "b")
    return scale * rb.xp(x).sum(x**k)


@pytest.mark.parametrize("engine", ENGINES)
def test_keywords_reach_the_function(engine):
    np.testing.assert_allclose(rb.grad(power, engine=engine)(X, scale=2.0, name="b"), 4 * X)
    np.testing.assert_allclose(rb.value_and_grad(power, engine=engine)(X, k=3)[1], 3 * X**2)
    np.testing.assert_allclose(rb.jacobian(power, engine=engine)(X, scale=2.0), 4 * X)
    np.testing.assert_allclose(rb.derivative(power, engine=engine)(2.0, scale=3.0), 12.0)
    np.testing.assert_allclose(rb.second_derivative(power, engine=engine)(2.0, scale=3.0), 6.0)
    np.testing.assert_allclose(rb.hessian(power, engine=engine)(X, scale=3.0), 6 * np.eye(2))
    np.testing.assert_allclose(rb.hessian(power, engine=(engine, "dual"))(X, scale=3.0), 6 * np.eye(2))
    np.testing.assert_allclose(rb.hvp(power, engine=engine)(X, X, scale=3.0), 6 * X)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_call_has_its_own(engine):
    gradient = rb.grad(power, engine=engine)
    for scale in (2.0, 3.0):
        np.testing.assert_allclose(gradient(X, scale=scale), 2 * scale * X)
    np.testing.assert_allclose(gradient(X), 2 * X)


def test_one_that_the_function_does_not_take():
    with pytest.raises(TypeError, match=r"power\(\) got an unexpected keyword argument 'days'"):
        rb.grad(power, engine="dual")(X, days=1)


def vector(x, *, k):
    return x**k


def test_an_error_names_the_function():
    with pytest.raises(rb.RulebookError, match=r"rb\.grad of vector"):
        rb.grad(vector, engine="dual")(X, k=2)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_that_is_being_differentiated_is_no_constant(engine):
    total = lambda scale, x: rb.xp(scale).sum(rb.grad(power, engine=engine)(x, scale=scale))
    np.testing.assert_allclose(rb.derivative(total, engine=engine)(2.0, X), 6.0)
    np.testing.assert_allclose(rb.vjp(total, 2.0, X, engine=engine)[1](1.0)[0], 6.0)
