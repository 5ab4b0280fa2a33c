"""Every ordered pair of engines: value, pushforward, pullback and second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rulebook as rb
from tests.crossing.pairs import BY_NAME, CASES, INNER, OUTER, agree, draw, leaves, namespace, pairing

pytest.importorskip("jax")
pytest.importorskip("torch")
pytest.importorskip("autograd")

PAIRS = [(outer, inner) for outer in OUTER for inner in INNER]


def _pull_agrees(case: Any, x_bars: Any, y_bar: Any) -> None:
    """The cotangents pair with tangents as the pushforward by hand does."""
    for seed in range(3):
        dots = draw(case.args, 10 + seed)
        expected = pairing(y_bar, case.push(case.args, dots)[1])
        assert pairing(x_bars, dots) == pytest.approx(expected, rel=1e-6 if case.dtype == "float64" else 2e-4, abs=1e-6)


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_numpy_arguments_give_numpy_results(case, inner):
    y = case.primitive(inner)(*case.args, **case.static)
    agree(y, case.push(case.args, draw(case.args, 0))[0], case.dtype)
    assert all(isinstance(leaf, (np.ndarray, np.generic)) for leaf in leaves(y))


@pytest.mark.parametrize("outer, inner", PAIRS)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_forward(case, outer, inner):
    f, dots = case.primitive(inner), draw(case.args, 1)
    y, y_dot = rb.jvp(lambda *args: f(*args, **case.static), case.args, dots, engine=outer)
    expected, expected_dot = case.push(case.args, dots)
    agree(y, expected, case.dtype)
    agree(y_dot, expected_dot, case.dtype)


@pytest.mark.parametrize("outer, inner", PAIRS)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_reverse(case, outer, inner):
    f = case.primitive(inner)
    y, pullback = rb.vjp(lambda *args: f(*args, **case.static), *case.args, engine=outer)
    expected = case.push(case.args, draw(case.args, 0))[0]
    agree(y, expected, case.dtype)
    y_bar = draw(expected, 2)
    x_bars = pullback(y_bar)
    _pull_agrees(case, x_bars, y_bar)
    assert [np.asarray(b).dtype for b in leaves(x_bars)] == [np.asarray(t).dtype for t in leaves(draw(case.args, 0))]


@pytest.mark.parametrize("outer, inner", PAIRS)
def test_hessian(outer, inner):
    case = BY_NAME["number"]
    (x,) = case.args
    found = rb.hessian(case.primitive(inner), engine=outer)(x)
    np.testing.assert_allclose(found, np.diag(6 * x), rtol=1e-6, atol=1e-6)


def _weighted(xp: Any) -> Any:
    return lambda x, a: xp.sum(xp.sin(x * a[0]) * a[1])


_ORDERS = ("forward over forward", "forward over reverse", "reverse over forward", "reverse over reverse")


@pytest.mark.parametrize(
    "outer, inner, order",
    [(o, i, order) for o, i in PAIRS for order in (_ORDERS[:1] if o == "dual" or i == "differences" else _ORDERS)],  # dual has one mode
)
def test_second_order_of_several_arguments(outer, inner, order):
    f = rb.differentiate_with(_weighted(namespace(inner)), inner)
    x, a, v, w = np.array([0.3, 0.8]), (np.array([1.5, -0.5]), np.array([2.0, 1.0])), np.array([1.0, -2.0]), np.array([0.5, 0.7])
    expected = float(np.sum(-np.sin(x * a[0]) * a[0] ** 2 * a[1] * v * w))
    along = lambda x, t: rb.jvp(lambda x: f(x, a), (x,), (t,), engine=outer)[1]
    gradient = lambda x: rb.vjp(lambda x: f(x, a), x, engine=outer)[1](1.0)[0]
    if order == "forward over forward":
        found = rb.jvp(lambda x: along(x, v), (x,), (w,), engine=outer)[1]
    elif order == "reverse over forward":
        found = rb.vjp(lambda x: along(x, v), x, engine=outer)[1](1.0)[0] @ w
    elif order == "forward over reverse":
        found = rb.jvp(gradient, (x,), (v,), engine=outer)[1] @ w
    else:
        found = rb.vjp(gradient, x, engine=outer)[1](v)[0] @ w
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("engine", OUTER)
def test_its_own_engine_calls_the_function_itself(engine):
    seen = []

    def f(x):
        seen.append(type(x))
        return x * x

    primitive = rb.differentiate_with(f, engine)
    _, y_dot = rb.jvp(primitive, (np.array([1.0, 2.0]),), (np.ones(2),), engine=engine)
    np.testing.assert_allclose(y_dot, [2.0, 4.0])
    assert seen and seen[0] is not np.ndarray
    assert rb.rules(primitive).native == (engine,)


@pytest.mark.parametrize("outer, inner", [(o, i) for o, i in PAIRS if o != i and i != "differences"])
def test_value_and_gradient_run_the_function_once(outer, inner):
    calls = []
    xp = namespace(inner)

    def f(x):
        calls.append(1)
        return xp.sum(xp.sin(x) ** 2)

    x = np.array([0.1, 0.2, 0.3])
    value, gradient = rb.value_and_grad(rb.differentiate_with(f, inner), engine=outer)(x)
    np.testing.assert_allclose(value, np.sum(np.sin(x) ** 2))
    np.testing.assert_allclose(gradient, np.sin(2 * x))
    assert len(calls) == 1


@pytest.mark.parametrize("outer, inner", PAIRS)
def test_marked_rules_inside_are_used(outer, inner):
    """A rule that is wrong on purpose, by a factor of 100, shows in both modes."""
    marked = rb.primitive(lambda x: x * 1.0, name="tests.marked")
    rb.frule(marked)(lambda primals, tangents: (primals[0] * 1.0, 100 * tangents[0]))
    rb.rrule(marked)(lambda x: (x * 1.0, lambda y_bar: (100 * y_bar,)))
    f = rb.differentiate_with(lambda x: marked(x) * 3.0, inner)
    x = np.array([1.0, 2.0])
    factor = 3.0 if inner == "differences" else 300.0  # differences look at the values alone
    np.testing.assert_allclose(rb.jvp(f, (x,), (np.ones(2),), engine=outer)[1], [factor, factor], rtol=1e-6)
    np.testing.assert_allclose(rb.vjp(f, x, engine=outer)[1](np.ones(2))[0], [factor, factor], rtol=1e-6)
