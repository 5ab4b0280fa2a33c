"""Central differences: how exact they are, and where they are refused."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb

FUNCTIONS = {
    "exp": (np.exp, np.exp),
    "log near its end": (np.log, lambda x: 1 / x),
    "steep": (lambda x: np.exp(30 * x), lambda x: 30 * np.exp(30 * x)),
    "wavy": (lambda x: np.sin(40 * x), lambda x: 40 * np.cos(40 * x)),
    "constant": (lambda x: x * 0 + 1.0, lambda x: x * 0),
    "large beside its slope": (lambda x: 1e4 + np.sin(x), np.cos),
    "root of a small number": (lambda x: np.sqrt(x * 1e-8), lambda x: 0.5e-4 / np.sqrt(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes_agree_with_those_by_hand(name):
    f, slope = FUNCTIONS[name]
    x = np.array([0.01, 0.8, 3.0])
    primitive = rb.differentiate_with(f, "differences")
    (gradient,) = rb.vjp(primitive, x, engine="autograd")[1](np.ones(3))
    np.testing.assert_allclose(gradient, slope(x), rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(rb.jvp(primitive, (x,), (np.ones(3),), engine="dual")[1], slope(x), rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize(
    "f, x",
    [
        (lambda x: np.where(x > 0.5, 1.0, 0.0), np.array([0.5])),
        (lambda x: np.sin(x) + np.random.default_rng(int(1e9 * abs(x[0]))).normal() * 1e-3, np.array([0.5])),
        (np.log, np.array([-1.0])),
    ],
    ids=["jump", "noise", "outside"],
)
def test_what_does_not_settle_is_refused(f, x):
    primitive = rb.differentiate_with(f, "differences")
    message = r"(?s)central differences settle.*estimated error.*write the function for an engine"
    with np.errstate(all="ignore"), pytest.raises(rb.RuleMissingError, match=message):
        rb.jvp(primitive, (x,), (np.ones_like(x),), engine="dual")


def test_single_precision_is_differentiated_in_double():
    x = np.array([0.5, 1.5], np.float32)
    y, y_dot = rb.jvp(rb.differentiate_with(lambda x: np.sin(x) * x, "differences"), (x,), (np.ones(2, np.float32),), engine="dual")
    assert y.dtype == y_dot.dtype == np.float32
    np.testing.assert_allclose(y_dot, np.cos(x) * x + np.sin(x), rtol=3e-7)


def test_code_of_single_precision_has_what_its_precision_allows():
    f = lambda x: np.sin(np.asarray(x, np.float32)) * 2
    y_dot = rb.jvp(rb.differentiate_with(f, "differences"), (np.array([0.5, 1.5]),), (np.ones(2),), engine="dual")[1]
    np.testing.assert_allclose(y_dot, 2 * np.cos([0.5, 1.5]), rtol=5e-3)


def test_the_function_runs_once_for_its_value():
    points = []

    def f(x):
        points.append(np.array(x))
        return x**2

    x = np.array([0.5, 1.5])
    _, pullback = rb.vjp(rb.differentiate_with(f, "differences"), x, engine="autograd")
    assert len(points) == 1
    np.testing.assert_allclose(pullback(np.ones(2))[0], 2 * x, rtol=1e-9)
    n = len(points)
    pullback(np.array([1.0, -1.0]))
    assert len(points) == n  # the Jacobian is kept
