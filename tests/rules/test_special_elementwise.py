"""The table entries that elementwise functions are made of."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import rulebook as rb
from rulebook.rules._elementwise import elementwise, several


def _scaled(x, y, *, power=1):
    return x * y**power


scaled = elementwise(
    _scaled,
    lambda xp, out, x, y, power: y**power,
    lambda xp, out, x, y, power: power * x * y ** (power - 1),
    name="scaled",
)
pair = several(
    lambda x, y: (np.asarray(x * y), np.asarray(np.sin(x) + 0 * y)),
    (lambda xp, out, x, y: y, lambda xp, out, x, y: x),
    (lambda xp, out, x, y: xp.cos(x), None),
    name="pair",
)
step = elementwise(np.floor, None, name="step")
half = elementwise(lambda n, x: x**n, "the power is an integer", lambda xp, y, n, x: n * half(n - 1, x), name="half")


triple = elementwise(
    lambda x, y, z: x * y + z,
    lambda xp, out, x, y, z: y,
    lambda xp, out, x, y, z: x,
    lambda xp, out, x, y, z: 1.0,
    name="triple",
)


def test_three_arguments_with_one_base_add_up_on_duals():
    x = np.array([1.0, 2.0])
    got = rb.jvp(lambda x: scaled(x, x, power=2) + triple(x, x, x), (x,), (np.ones(2),), engine="dual")[1]
    assert got.tolist() == (3 * x**2 + 2 * x + 1).tolist()


def test_options_are_static_and_orders_follow():
    f = lambda y: scaled(2.0, y, power=3)
    assert rb.derivative(rb.derivative(f, engine="dual"), engine="dual")(1.5) == 18.0
    assert rb.grad(lambda y: scaled(2.0, y, power=3), engine="autograd")(1.5) == 13.5


def test_several_results_have_their_own_rows():
    x, y = np.array([0.5, 1.0]), np.array([[2.0], [3.0]])
    for engine in ("dual", "autograd"):
        _, (first, second) = rb.jvp(pair, (x, y), (np.ones(2), np.zeros((2, 1))), engine=engine)
        assert first.tolist() == np.broadcast_to(y, (2, 2)).tolist()
        assert second == pytest.approx(np.broadcast_to(np.cos(x), (2, 2)))
    _, pullback = rb.vjp(pair, x, y, engine="autograd")
    x_bar, y_bar = pullback((np.ones((2, 2)), np.ones((2, 2))))
    assert x_bar == pytest.approx(5.0 + 2 * np.cos(x))
    assert y_bar == pytest.approx(np.full((2, 1), 1.5))


def test_a_zero_partial_gives_a_plain_value():
    assert rb.derivative(lambda x: step(x) * x, engine="dual")(2.5) == 2.0


def test_single_precision_stays_beside_integers():
    x = np.array([2.0, 3.0], np.float32)
    assert half(np.array([2, 2]), x).dtype == np.float32
    got = rb.jvp(lambda x: half(np.array([2, 2]), x), (x,), (np.ones(2, np.float32),), engine="dual")[1]
    assert got.dtype == np.float32
    assert got.tolist() == [4.0, 6.0]


def test_what_is_not_written_names_function_and_argument():
    with pytest.raises(rb.RuleMissingError, match=r"test_special_elementwise\.half, n\.\n.*\n.*the power is an integer"):
        rb.derivative(lambda n: half(n, 2.0), engine="dual")(1.5)


def test_a_batch_aligns_arguments_of_different_ranks():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        x, y = np.arange(3.0), np.arange(6.0).reshape(3, 2)
        got = jax.vmap(lambda x, y: scaled(x, y), in_axes=(0, None))(x, y)
    assert got.shape == (3, 3, 2)
    assert np.asarray(got).tolist() == (x[:, None, None] * y).tolist()


def test_plain_values_are_called_as_they_are():
    assert type(step(1.5)) is np.float64
    assert step(np.array([1.5])).tolist() == [1.0]
    assert scaled(y=2.0, x=3.0) == 6.0


def test_a_primitive_of_a_module_is_pickled():
    special = pytest.importorskip("rulebook.rules.special")
    assert pickle.loads(pickle.dumps(special.jv)) is special.jv
    assert special.jv.name == "rulebook.rules.special.jv"
    assert special.jv.signature.positional == ("v", "z")
