"""Derivatives of derivatives: each call has its own tag."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual.errors import DroppedTangentError
from tests.dual.tools import check


def D(fn):
    return rb.derivative(fn, engine="dual")


def test_perturbation_confusion():
    """The four tests of which other dual numbers get one to four wrong."""
    assert D(lambda x: x * D(lambda y: x + y)(1.0))(1.0) == 1
    assert D(lambda x: x * D(lambda y: x * y)(2.0))(1.0) == 2
    assert D(lambda x: x * D(lambda y: x * y * y)(x))(3.0) == 54
    assert D(D(lambda x: x**3))(2.0) == 12


def _gradient(fn):
    return rb.grad(fn, engine="dual")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_perturbation_confusion_of_arrays(n):
    """The same with n tangents at once, in both calls."""
    x = np.arange(1.0, n + 1)
    first = _gradient(lambda x: (x * _gradient(lambda y: (x + y).sum())(np.ones(n))).sum())(x)
    np.testing.assert_array_equal(first, np.ones(n))
    second = _gradient(lambda x: (x * _gradient(lambda y: (x * y).sum())(2 * x)).sum())(x)
    np.testing.assert_array_equal(second, 2 * x)
    third = _gradient(lambda x: (x * _gradient(lambda y: (x * y * y).sum())(x)).sum())(x)
    np.testing.assert_array_equal(third, 6 * x**2)
    np.testing.assert_array_equal(rb.hessian(lambda x: (x**3).sum(), engine="dual")(x), np.diag(6 * x))


def test_numbers_and_arrays_of_different_calls_mix():
    """A number of one call times an array of another is no constant for either."""
    v = np.array([1.0, 2.0, 3.0])

    def outer(s):
        return rb.jvp(lambda x: s * x * x + np.sin(s) * x[0] + x[1] * (x * s), (v,), (np.ones(3),), engine="dual")[1]

    expected = 2 * v + np.cos(0.5) + v + v[1]
    np.testing.assert_allclose(D(outer)(0.5), expected, rtol=1e-14)

    def inner_number(x):
        return rb.jvp(lambda s: s * s * x + x * s, (0.5,), (1.0,), engine="dual")[1]

    np.testing.assert_allclose(rb.jacobian(inner_number, engine="dual")(v), 2 * np.eye(3), rtol=1e-14)


def test_high_orders():
    fn = lambda x: np.exp(0.5 * x) * np.sin(x)
    f, order, value = fn, 5, 0.3
    for _ in range(order):
        f = D(f)
    z = 0.5 + 1j  # the n-th derivative of Im exp(z x) is Im z**n exp(z x)
    np.testing.assert_allclose(f(value), (z**order * np.exp(z * value)).imag, rtol=1e-12)


def test_derivative_calls_in_results_of_outer_values():
    check(lambda x: rb.jvp(lambda y: np.tanh(y) * x[::-1], (x,), (np.cos(x),), engine="dual"), np.array([0.1, 0.2, 0.3]))
    check(lambda x: rb.vjp(lambda y: np.outer(np.sin(y), x), x, engine="dual")[1](np.ones((3, 3)) * x[0]), np.array([0.1, 0.2, 0.3]))
    check(lambda x: rb.jacobian(lambda y: y**2 * x[0], engine="dual")(x), np.array([0.1, 0.2, 0.3]))


def test_a_value_that_outlived_its_call_is_refused():
    kept = []

    def inner(y):
        kept.append(y * 1.0)
        return y

    def outer(x):
        rb.jvp(inner, (x,), (np.ones(3),), engine="dual")
        return kept[0] * x

    with pytest.raises(DroppedTangentError, match="inner call that has ended"):
        rb.jvp(outer, (np.ones(3),), (np.ones(3),), engine="dual")


def test_threads():
    """Calls in other threads have tags of their own."""
    found = {}

    def work(i):
        fn = lambda x: x * D(lambda y: x * y * y)(x)
        found[i] = [D(fn)(float(i)) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(1, 4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(np.all(np.equal(found[i], 6 * i**2)) for i in range(1, 4))


def test_a_failed_call_leaves_nothing_behind():
    fn = lambda x: x * D(lambda y: x + y)(1.0)
    with pytest.raises(ZeroDivisionError):
        D(lambda x: 1 / 0)(1.0)
    assert D(fn)(1.0) == 1
