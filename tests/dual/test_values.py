"""Dual and DualArray as values: comparisons, conversions, attributes, printing, operators of rulebook on them."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import seed
from rulebook.dual.elementwise import combine
from rulebook.dual.tags import new_tag
from tests.dual.tools import push

V = np.array([0.1, 0.2, 0.3])


def _array(k=2, x=V):
    return seed(x, np.arange(1.0, k * x.size + 1).reshape(k, *x.shape), new_tag())


def _number(x=0.5):
    return seed(x, np.ones(1), new_tag())


def test_indexing_gives_numbers():
    x = _array()
    assert type(x[0]) is Dual and type(x[0].p) is float
    np.testing.assert_array_equal(x[1].t, [2.0, 5.0])
    assert type(_array(k=1)[0].t) is float
    assert [type(v) for v in x] == [Dual] * 3 and len(x) == 3
    assert type(x.sum()) is Dual and type(x[:1]) is DualArray and type(x.tolist()[0]) is Dual
    assert type(np.array([x[0]], like=x)) is DualArray
    assert x.item(1) == 0.2 and x[:1].item() == 0.1 and x[0].item() == 0.1
    with pytest.raises(ValueError, match="size 1"):
        x.item()


def test_attributes():
    x, s = _array(x=np.ones((2, 3))), _number()
    assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.float64, 2)
    assert (s.shape, s.ndim, s.size, s.dtype) == ((), 0, 1, np.float64)
    assert (np.shape(x), np.ndim(s), np.size(x), np.result_type(x, np.float32)) == ((2, 3), 0, 6, np.float64)
    assert _number(1j).dtype == np.complex128 and _number(np.float32(1)).dtype == np.float32
    assert np.iscomplexobj(_number(1j)) and not np.iscomplexobj(x)
    assert s[()] is s and s[...] is s and s[None].shape == (1,) and s[..., None].shape == (1,) and s.reshape(1, 1).shape == (1, 1)


def test_comparisons_are_of_primals():
    x, s = _array(), _number()
    for found in (x > 0.15, x > 0.15, x >= np.full(3, 0.15)):
        assert type(found) is np.ndarray and found.tolist() == [False, True, True]
    assert (s > 0.1) is True or bool(s > 0.1)
    assert s == 0.5 and s != 0.4 and 0.4 < s <= 0.5 and (s == _number()) and 0.2 in x and 0.7 not in x
    assert np.array_equal(x, V) and np.allclose(x, V) and np.isfinite(x).all() and np.argmax(x) == 2 and x.argmin() == 0
    assert np.floor(x).tolist() == [0, 0, 0] and np.sign(x).tolist() == [1, 1, 1] and np.round(x, 1).tolist() == V.tolist()
    assert np.nonzero(x)[0].tolist() == [0, 1, 2] and np.argsort(-x).tolist() == [2, 1, 0] and np.logical_not(x).tolist() == [False] * 3


def test_printing():
    assert repr(_number()) == "Dual(0.5, tangent=1.0)"
    assert repr(_array(k=1)) == "DualArray(array([0.1, 0.2, 0.3]), tangent=array([[1., 2., 3.]]))"
    assert f"{_number():.3f}" == "0.500" and str(_number()) == repr(_number())
    assert "DualArray" in str(_array()) and "DualArray" in f"{_array()}"


def test_single_precision_is_kept():
    x = V.astype(np.float32)
    ts = np.ones((2, 3), np.float32)
    fns = [
        lambda x: np.sin(x) * 2.0 + x**2 / 3 - np.exp(-x),
        lambda x: x.sum(),
        lambda x: x @ x,
        lambda x: np.where(x > 0, x, 0.0),
        lambda x: x[0] * x,
        lambda x: np.linalg.solve(np.eye(3, dtype=np.float32), x),
        lambda x: np.maximum(x, 0.0),
        lambda x: np.tanh(x[0]) * 2,
        lambda x: np.stack([x[0], x[1]]),
    ]
    for fn in fns:
        (y,), (t,) = push(fn, (x,), (ts,))
        assert y.dtype == t.dtype == np.asarray(fn(x)).dtype == np.float32
    assert rb.grad(lambda x: (x * x).sum(), engine="dual")(x).dtype == np.float32
    assert rb.derivative(lambda x: x * x, engine="dual")(np.float32(2)).dtype == np.float32


def test_a_number_does_not_take_the_precision_of_an_array():
    """As an element of a float64 array does not."""
    x = np.ones(3, np.float32)
    (y,), _ = push(lambda s: s * x, (np.float64(0.1),), (np.ones(1),))
    assert y.dtype == np.float64


def test_objects():
    """Arrays of objects hold duals, and are gathered where they are returned."""

    def fn(x):
        b = np.empty(3, dtype=object)
        for i in range(3):
            b[i] = x[i] ** 2
        return b * 2

    np.testing.assert_allclose(rb.jacobian(fn, engine="dual")(V), np.diag(4 * V), rtol=1e-15)


def test_stop_gradient():
    _, t = rb.jvp(lambda x: rb.stop_gradient(x) * x, (V,), (np.ones(3),), engine="dual")
    np.testing.assert_array_equal(t, V)
    inner = lambda x: rb.derivative(lambda y: rb.stop_gradient(x * y) * y, engine="dual")(2.0)
    assert rb.derivative(inner, engine="dual")(3.0) == 0.0


def test_trees():
    def fn(d, pair):
        return {"a": d["w"] * pair[0], "b": [d["w"].sum(), 3, np.arange(2)]}

    d, pair = {"w": V, "n": 4}, (2.0, None)
    y, t = rb.jvp(fn, (d, pair), ({"w": np.ones(3), "n": None}, (1.0, None)), engine="dual")
    np.testing.assert_allclose(t["a"], 2.0 + V)
    assert t["b"][0] == 3.0 and t["b"][1] is None and t["b"][2] is None and y["b"][1] == 3
    y, pull = rb.vjp(fn, d, pair, engine="dual")
    d_bar, pair_bar = pull({"a": np.ones(3), "b": [1.0, None, None]})
    np.testing.assert_allclose(d_bar["w"], np.full(3, 3.0))
    assert d_bar["n"] is None and np.isclose(pair_bar[0], V.sum()) and pair_bar[1] is None


def test_jacobians():
    x = np.arange(1.0, 7).reshape(2, 3)
    found = rb.jacobian(lambda x: np.stack([x.sum(0), x[0] * x[1]]), engine="dual")(x)
    assert found.shape == (2, 3, 2, 3)
    np.testing.assert_array_equal(found[1, 2], [[0, 0, 6], [0, 0, 3]])
    assert rb.jacobian(lambda x: 3.0 * x, engine="dual")(2.0).shape == ()
    assert rb.jacobian(lambda x: np.zeros(2), engine="dual")(V).tolist() == np.zeros((2, 3)).tolist()
    assert rb.jacobian(lambda x: x, engine="dual")(np.zeros((0, 2))).shape == (0, 2, 0, 2)


_A = np.random.default_rng(4).normal(size=(3, 3))
FROM_IDENTITY = {
    "matrix @ x": lambda x: _A @ x,
    "x @ matrix": lambda x: x @ _A,
    "scaled": lambda x: _A @ (np.sin(x) * x),
    "scaled, left": lambda x: np.cos(x) @ _A,
    "single matrix": lambda x: _A.astype(np.float32) @ x,
    "wide": lambda x: np.concatenate([_A, _A]) @ x,
    "sum with x": lambda x: np.tanh(_A @ x) * x + x[::-1] ** 2,
    "x first": lambda x: x + _A @ x,
    "x - product": lambda x: x - np.sin(_A @ x),
    "x itself": lambda x: x,
    "written to": lambda x: _written(x),
    "complex matrix": lambda x: (1j * _A) @ x,
    "number": lambda x: x @ x,
}


def _written(x):
    y = x * 1.0
    z = _A @ x
    x[0] = 2.0
    z[1] = x[2]
    return y + z * x


@pytest.mark.parametrize("name", FROM_IDENTITY)
def test_the_identity_is_like_any_tangents(name):
    fn = FROM_IDENTITY[name]
    _, (t,) = push(fn, (V,), (np.eye(3),))
    found = rb.jacobian(fn, engine="dual")(V)
    np.testing.assert_allclose(found, np.moveaxis(t, 0, -1), rtol=1e-14, atol=1e-15)
    found[...] = 0.0  # the caller's own
    np.testing.assert_allclose(rb.jacobian(fn, engine="dual")(V), np.moveaxis(t, 0, -1), rtol=1e-14, atol=1e-15)
    inner = lambda x: rb.jacobian(fn, engine="dual")(x)
    (_,), (second,) = push(lambda x: push(fn, (x,), (np.eye(3),))[1][0], (V,), (np.eye(3),))
    np.testing.assert_allclose(rb.jacobian(inner, engine="dual")(V), np.moveaxis(second, (0, 1), (-1, -2)), rtol=1e-12, atol=1e-14)


def test_complex_jacobians():
    z = np.array([1 + 1j, 2 - 1j])
    np.testing.assert_allclose(rb.jacobian(lambda z: z**2, engine="dual")(z), np.diag(2 * z))
    with pytest.raises(rb.RuleOutputError, match="holomorphic"):
        rb.jacobian(np.conj, engine="dual")(z)
    with pytest.raises(rb.RuleSignatureError, match="floating-point"):
        rb.jacobian(lambda x: x, engine="dual")(np.arange(3))
    both = rb.jacobian(lambda x: (x, 2 * x), engine="dual")(V)
    np.testing.assert_array_equal(both, (np.eye(3), 2 * np.eye(3)))


def test_chunks(monkeypatch):
    from rulebook.dual import drivers

    calls = []
    fn = lambda x: (calls.append(1), np.tanh(x) * x[::-1])[1]
    whole = rb.jacobian(fn, engine="dual")(V)
    assert len(calls) == 1
    monkeypatch.setattr(drivers, "_CHUNK_BYTES", 48)
    np.testing.assert_array_equal(rb.jacobian(fn, engine="dual")(V), whole)
    assert len(calls) == 3


def test_chunks_of_several_arguments(monkeypatch):
    from rulebook.dual import drivers

    calls = []
    z, n, x = np.array([1 + 2j, 0.5j]), np.arange(2), np.array([[0.5, 2.0]], np.float32)
    fn = lambda z, n, x: (calls.append(1), {"a": np.conj(z) * z * x + n, "b": x.sum() * 2, "c": n})[1]
    bars = {"a": np.array([[1 - 1j, 2.0 + 1j]]), "b": np.float32(3), "c": None}
    whole = rb.vjp(fn, z, n, x, engine="dual")[1](bars)
    assert len(calls) == 1
    for size in (1, 100, 150, 300):
        monkeypatch.setattr(drivers, "_CHUNK_BYTES", size)
        found = rb.vjp(fn, z, n, x, engine="dual")[1](bars)
        assert found[1] is None and found[2].dtype == np.float32
        np.testing.assert_array_equal(found[0], whole[0])
        np.testing.assert_array_equal(found[2], whole[2])
    assert len(calls) > 8


def test_pullbacks_of_complex_values():
    z, w = np.array([1 + 2j, 0.5j]), np.array([1 - 1j, 2.0 + 1j])
    _, pull = rb.vjp(lambda z: np.conj(z) * z**2 + z.real, z, engine="dual")
    dots = np.array([0.3 + 1j, -1j])
    _, y_dot = rb.jvp(lambda z: np.conj(z) * z**2 + z.real, (z,), (dots,), engine="dual")
    np.testing.assert_allclose(np.vdot(w, y_dot).real, np.vdot(pull(w)[0], dots).real, rtol=1e-14)


def test_the_leading_axis_is_not_an_axis_of_the_data():
    """k equal to a length, with operands of fewer axes on either side."""
    a = np.arange(9.0).reshape(3, 3)
    ts = np.eye(3)
    for fn in (
        lambda v: a * v,
        lambda v: v * a,
        lambda v: a + v,
        lambda v: np.where(a > 4, v, 0.0),
        lambda v: np.maximum(a, v + 4),
        lambda v: v / (1 + a),
        lambda v: a - v,
        lambda v: v[:, None] * a,
    ):
        _, (t,) = push(fn, (V,), (ts,))
        expected = np.stack([(fn(V + 1e-6 * e) - fn(V - 1e-6 * e)) / 2e-6 for e in ts])
        np.testing.assert_allclose(t, expected, atol=1e-8)


def test_np_float64_on_the_left():
    """np.float64.__mul__ calls the ufunc, which must not call it back."""
    s, x = _number(), _array()
    for left in (np.float64(2), np.float32(2), np.int64(2), np.array(2.0), True, 2, 2 + 0j):
        assert (left * s).t == 2 * s.t or left is True
        assert (left - s).t == -s.t and (left + s).t == s.t
        np.testing.assert_array_equal((left * x).tangent, complex(left).real * x.tangent)
    assert type(np.ones(2) * s) is DualArray and type(s * np.ones(2)) is DualArray and (np.ones(2) * s).shape == (2,)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_divide_and_overflow_as_numpys_do():
    zero, big = _number(0.0), _number(1e200)
    for y in (1 / zero, 1.0 / zero, np.float64(1) / zero, _number() / 0.0, _number() / 0, zero**-1, big**2, big**2.0, np.exp(big)):
        assert np.isinf(y)
    assert np.isnan(zero / zero) and np.isnan(zero / 0.0)
    x = seed(np.array([0.0, 2.0]), np.eye(2), new_tag())
    inverse = [np.where(v != 0, 1 / np.where(v != 0, v, 1.0), 0.0) for v in x]
    assert inverse[0] == 0 and inverse[0].t.tolist() == [0, 0] and inverse[1].t.tolist() == [0, -0.25]


def test_factors_that_are_true_or_false():
    x = np.array([0.3, 0.7], dtype=np.float32)
    for factor, exact in ((np.True_, [1, 1]), (np.False_, [0, 0]), (np.array([True, False]), [1, 0])):
        for f in (lambda x, b=factor: b * x, lambda x, b=factor: x * b):
            y, y_dot = rb.jvp(lambda x, f=f: np.negative(f(x)), (x,), (np.ones_like(x),), engine="dual")
            assert np.negative(y_dot).tolist() == exact
            assert y.dtype == f(x).dtype


def test_signs_and_missing_values():
    """fmod is not remainder, fmax is not maximum."""
    for x in (-5.3, 5.3):
        for fn in (np.fmod, np.remainder):
            (y,), (t,) = push(lambda v, fn=fn: fn(v[0], v[1]), (np.array([x, 2.0]),), (np.eye(2),))
            assert y == fn(x, 2.0)
            np.testing.assert_array_equal(t, [1.0, -(x - y) / 2.0])
    (y,), (t,) = push(lambda v: np.fmax(v, np.array([1.0, np.nan, 3.0])), (np.array([np.nan, 2.0, 5.0]),), (np.eye(3),))
    np.testing.assert_array_equal(y, [1.0, 2.0, 5.0])
    np.testing.assert_array_equal(t, np.diag([0.0, 1.0, 1.0]))
    (y,), (t,) = push(lambda h: np.heaviside(np.array([-1.0, 0.0, 1.0]), h), (np.float64(0.5),), (np.ones(1),))
    np.testing.assert_array_equal(y, [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(t, [[0.0, 1.0, 0.0]])
    (y,), _ = push(lambda x: np.float_power(x, 2), (V.astype(np.float32),), (np.ones((1, 3), np.float32),))
    assert y.dtype == np.float64


def test_a_sum_of_three_terms():
    """More operands than an operator has."""
    tag = new_tag()
    x = [seed(np.ones(2), np.full((1, 2), t), tag) for t in (1.0, 10.0, 100.0)]
    for shape in ((2,), (3, 2)):
        y = combine(tag, np.ones(shape), [(2.0, v) for v in x])
        np.testing.assert_array_equal(y.tangent, np.full((1, *shape), 222.0))
