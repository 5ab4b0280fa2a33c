"""Operators of containers, with constants and with work arrays."""

import dataclasses

import numpy as np
import pytest

import rulebook as rb
from tests.operators.subjects import ENGINES, WAVE, WRITES, call, close, diagonal, first, product, second

pytestmark = pytest.mark.parametrize("prepared", [False, True], ids=["", "prepared"])
each_engine = pytest.mark.parametrize("engine", ENGINES)
each_writing_engine = pytest.mark.parametrize("engine", WRITES)
X, W = np.array([0.3, 0.6, 0.9]), np.array([2.0, 3.0, 5.0])


@rb.register_dataclass
@dataclasses.dataclass
class Pair:
    """Two values."""

    a: object
    b: object


def parts(p):
    """A dict of a dict."""
    return {"s": product(p["a"]) * p["b"][0], "t": (p["a"] ** 2,)}


HERE, THERE = {"a": X, "b": (2.0, None)}, {"a": W, "b": (0.5, None)}


@each_engine
def test_jacobian_of_containers(engine, prepared):
    value = np.sin(X) * X
    expected = {
        "s": {"a": diagonal(2 * first(X)), "b": (value, None)},
        "t": ({"a": diagonal(2 * X), "b": (np.zeros(3), None)},),
    }
    close(call(rb.jacobian, parts, (THERE,), (HERE,), prepared, engine=engine), expected)


@each_engine
def test_hessian_of_containers(engine, prepared):
    fn = lambda p: rb.xp(p["a"]).sum(product(p["a"])) * p["b"][0] ** 2
    got = call(rb.hessian, fn, (THERE,), (HERE,), prepared, engine=engine)
    cross = 4 * first(X)
    expected = {
        "a": {"a": diagonal(4 * second(X)), "b": (cross, None)},
        "b": ({"a": cross, "b": (np.array(2 * np.sum(np.sin(X) * X)), None)}, None),
    }
    close(got, expected)


@each_engine
def test_hvp_of_containers(engine, prepared):
    fn = lambda p: rb.xp(p["a"]).sum(product(p["a"])) * p["b"][0] ** 2
    v = {"a": W, "b": (0.5, None)}
    got = call(rb.hvp, fn, ((THERE,), v), ((HERE,), v), prepared, engine=engine)
    expected = {"a": 4 * second(X) * W + 4 * first(X) * 0.5, "b": (np.sum(4 * first(X) * W) + 2 * np.sum(np.sin(X) * X) * 0.5, None)}
    close(got, expected)


@each_engine
def test_gradient_of_a_dataclass(engine, prepared):
    fn = lambda p: rb.xp(p.a).sum(product(p.a) * p.b)
    close(call(rb.grad, fn, (Pair(W, 1.0),), (Pair(X, 2.0),), prepared, engine=engine), Pair(2 * first(X), np.sum(np.sin(X) * X)))


@each_engine
def test_keys_keep_their_order(engine, prepared):
    seen = []

    def fn(p):
        seen.append(list(p))
        return {"z": p["z"] * p["a"], "a": p["a"]}

    y, _ = call(rb.vjp, fn, ({"z": W, "a": W},), ({"z": X, "a": W},), prepared, engine=engine)
    assert list(y) == ["z", "a"]
    assert all(keys == ["z", "a"] for keys in seen)


# -- constants ---------------------------------------------------------------------------------------------------


def scaled(x, c, n):
    """n times the marker's product times c."""
    return rb.xp(x).sum(product(x) * c) * n


@each_engine
def test_constants(engine, prepared):
    close(call(rb.grad, scaled, (W,), (X,), prepared, engine=engine, constants=(W, 3)), 3 * first(X) * W)
    close(call(rb.grad, scaled, (W,), (X,), prepared, engine=engine, constants={"n": 3, "c": W}), 3 * first(X) * W)
    close(call(rb.hessian, scaled, (W,), (X,), prepared, engine=engine, constants=(W, 3)), diagonal(3 * second(X) * W))
    close(call(rb.hvp, scaled, ((W,), X), ((X,), X), prepared, engine=engine, constants=(W, 3)), 3 * second(X) * W * X)
    _, pull = call(rb.vjp, lambda x, c: product(x) * c["w"], (W,), (X,), prepared, engine=engine, constants=({"w": W},))
    close(pull(np.ones(3)), (first(X) * W,))


@each_engine
def test_constants_of_a_prepared_operator_may_change(engine, prepared):
    gradient = rb.prepare(rb.grad, scaled, W, engine=engine, constants=(W, 3))
    close(gradient(X, constants=(2 * W, 3)), 6 * first(X) * W)
    close(gradient(X), 3 * first(X) * W)
    with pytest.raises(rb.PreparationError, match=r"(?s)constants\[0\]: shape \(3,\).*Got: constants\[0\]: shape \(2,\)"):
        gradient(X, constants=(np.ones(2), 3))
    with pytest.raises(rb.PreparationError, match=r"(?s)constants\[1\]: 3\nGot: constants\[1\]: 4"):
        gradient(X, constants=(W, 4))
    pulled = rb.prepare(rb.vjp, lambda x, c: product(x) * c, W, engine=engine, constants=(W,))
    close(pulled(X, constants=(3 * W,))[1](np.ones(3)), (3 * first(X) * W,))
    moved = rb.prepare(rb.jvp, lambda x, c: product(x) * c, (W,), (W,), engine=engine, constants=(W,))
    close(moved((X,), (X,), constants=(3 * W,))[1], 3 * first(X) * W * X)


@each_engine
def test_a_write_into_a_constant(engine, prepared):
    def fn(x, c):
        c[0] = 1.0
        return rb.xp(x).sum(x * c)

    constant = W.copy()
    with pytest.raises(
        rb.FrozenBufferError, match=r"rb.grad of fn \(engine .*a constant.\nExpected: arguments and constants that fn only reads"
    ):
        call(rb.grad, fn, (X,), (X,), prepared, engine=engine, constants=(constant,))
    np.testing.assert_array_equal(constant, W)


@each_engine
def test_constants_that_are_neither_tuple_nor_dict(engine, prepared):
    with pytest.raises(
        rb.RuleSignatureError, match=r"constants.\nExpected: a tuple, or a dict of keywords\nGot: a ndarray\nDo: pass constants=\(value,\)"
    ):
        call(rb.grad, scaled, (X,), (X,), prepared, engine=engine, constants=W)


# -- work arrays -------------------------------------------------------------------------------------------------


def worked(x, w):
    """The marker's product by way of a work array."""
    w[...] = WAVE(x)
    w[0] = w[0] * 1.0
    return w * x


def worked_total(x, w):
    """Its sum."""
    return rb.xp(x).sum(worked(x, w))


@each_writing_engine
def test_caches(engine, prepared):
    cache = W.copy()
    options = {"engine": engine, "caches": (cache,)}
    close(call(rb.grad, worked_total, (W,), (X,), prepared, **options), first(X))
    close(call(rb.jvp, worked, ((W,), (X,)), ((X,), (W,)), prepared, **options)[1], first(X) * W)
    close(call(rb.vjp, worked, (W,), (X,), prepared, **options)[1](W), (first(X) * W,))
    close(call(rb.jacobian, worked, (W,), (X,), prepared, **options), diagonal(first(X)))
    close(call(rb.hessian, worked_total, (W,), (X,), prepared, **options), diagonal(second(X)))
    close(call(rb.hvp, worked_total, ((W,), X), ((X,), W), prepared, **options), second(X) * W)
    np.testing.assert_array_equal(cache, W)


@each_writing_engine
def test_caches_with_many_tangents(engine, prepared):
    many = np.random.default_rng(0).normal(size=(4, 3))
    got = call(rb.jvp, worked, ((W,), (many,)), ((X,), (many,)), prepared, engine=engine, caches=(W.copy(),), batch=True)
    close(got[1], first(X) * many)
    got = call(rb.hvp, worked_total, ((W,), many), ((X,), many), prepared, engine=engine, caches=(W.copy(),), batch=True)
    close(got, second(X) * many)


@each_writing_engine
def test_caches_of_other_shapes_and_dtypes(engine, prepared):
    def fn(x, c, counts, *, rows):
        counts[...] = 2
        rows["a"][0] = product(x)
        rows["a"][1] = x
        return rb.xp(x).sum(rows["a"][0] * rows["a"][1] * c)

    options = {"constants": (2.0,), "caches": (np.zeros(3, dtype=int),), "engine": engine}
    by_keyword = lambda x, c, counts: fn(x, c, counts, rows={"a": rb.xp(x).zeros_like(rb.xp(x).stack([x, x]))})
    close(call(rb.grad, by_keyword, (W,), (X,), prepared, **options), 2 * (first(X) * X + np.sin(X) * X))
    named = lambda x, work: fn(x, 2.0, np.zeros(3), rows=work)
    expected = 2 * (first(X) * X + np.sin(X) * X)
    close(call(rb.grad, named, (W,), (X,), prepared, engine=engine, caches={"work": {"a": np.zeros((2, 3))}}), expected)


@each_writing_engine
def test_what_is_read_before_it_is_written_is_nan(engine, prepared):
    fn = lambda x, w: rb.xp(x).sum(x * w)
    assert np.isnan(call(rb.value_and_grad, fn, (X,), (X,), prepared, engine=engine, caches=(W.copy(),))[0])


@pytest.mark.parametrize("engine", [e for e in ENGINES if e not in WRITES])
def test_caches_in_engines_without_writing(engine, prepared):
    with pytest.raises(
        rb.RuleSignatureError,
        match=rf"(?s)caches.\nExpected: no caches: arrays of {engine} cannot be written to.*Do: make new arrays in fn, or pass",
    ):
        call(rb.grad, worked_total, (W,), (X,), prepared, engine=engine, caches=(W,))
