"""Host code on dual numbers: primal and rules host or traceable, each on its own; counted, marked, nested; memory."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import numpy as np
import pytest

import rulebook as rb
from tests.host_model import Made, Spec, W, X, linear_map, native, specs

Z = np.concatenate([X, W])
T, U, C = (np.random.default_rng(n).normal(size=size) for n, size in enumerate((6, 6, 3)))

jvp, vjp = partial(rb.jvp, engine="dual"), partial(rb.vjp, engine="dual")
grad, jacobian, hessian = (partial(op, engine="dual") for op in (rb.grad, rb.jacobian, rb.hessian))


def of_z(f):
    """The function of one vector, and a linear loss of it: the mark of a derivative is then that of the innermost rule."""
    g = lambda z: f(z[:3], z[3:])
    return g, lambda z: np.sum(C * g(z))


def along(loss):
    return lambda z: jvp(loss, (z,), (T,))[1]


# name -> (the order; what it does).  Dual numbers have a forward mode alone.
TRANSFORMS = {
    "jvp": (1, lambda f: jvp(of_z(f)[0], (Z,), (T,))[1]),
    "jvp of one": (1, lambda f: jvp(f, (X, W), (T[:3], None))[1]),
    "vjp": (1, lambda f: np.stack(vjp(f, X, W)[1](C))),
    "grad": (1, lambda f: grad(of_z(f)[1])(Z)),
    "jacobian": (1, lambda f: jacobian(of_z(f)[0])(Z)),
    "derivative": (1, lambda f: rb.derivative(f, engine="dual")(0.3, 0.7)),
    "hessian": (2, lambda f: hessian(of_z(f)[1])(Z)),
    "jvp of grad": (2, lambda f: jvp(grad(of_z(f)[1]), (Z,), (T,))[1]),
    "grad of jvp": (2, lambda f: grad(along(of_z(f)[1]))(Z)),
    "jvp of jvp": (2, lambda f: jvp(along(of_z(f)[1]), (Z,), (U,))[1]),
    "third": (3, lambda f: jacobian(hessian(of_z(f)[1]))(Z)),
    "third, along": (3, lambda f: jvp(lambda z: jvp(along(of_z(f)[1]), (z,), (U,))[1], (Z,), (T,))[1]),
}


@pytest.fixture(scope="module")
def expected():
    return {name: run(native) for name, (_, run) in TRANSFORMS.items()}


@pytest.mark.parametrize("spec", list(specs()), ids=str)
def test_every_cell_is_right_or_raises(spec, expected):
    made = Made(spec)
    for name, (order, run) in TRANSFORMS.items():
        if order > 1 and spec.is_host("forward"):
            with pytest.raises(rb.HigherOrderError, match=r"of f \(engine dual\), which is host code"):
                run(made.f)
            continue
        np.testing.assert_allclose(run(made.f), spec.mark("forward") * expected[name], rtol=1e-10, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("host", [False, True])
def test_partials_are_a_rule(host, expected):
    f = rb.primitive(lambda x, w: np.asarray(native(x, w)), host=True, name="f")
    rb.scalar_rule(f, host=host)(lambda y, x, w: ((np.cos(x) + 0.5) * w * 10.0, (np.sin(x) + 0.5 * x) * 10.0))
    for name, (order, run) in TRANSFORMS.items():
        if order > 1 and host:
            with pytest.raises(rb.HigherOrderError, match=r"scalar_rule of f \(engine dual\), which is host code"):
                run(f)
        else:
            np.testing.assert_allclose(run(f), 10.0 * expected[name], rtol=1e-10, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", ["pushforward", "pullback", "scalar_rule"])
def test_a_rule_that_uses_y_keeps_it_linked_at_every_order(kind):
    """exp, whose derivative is its own value: a y cut from x would lose every order but the first."""
    f = rb.primitive(lambda x: np.exp(x), host=True, name="f")
    rules = {
        "pushforward": lambda y, primals, dots: y * dots[0],
        "pullback": lambda y, primals, bar: (y * bar,),
        "scalar_rule": lambda y, x: y,
    }
    getattr(rb, kind)(f)(rules[kind])
    third = lambda f: jacobian(hessian(lambda x: np.sum(C * f(x))))(X)
    np.testing.assert_allclose(third(f), third(np.exp), rtol=1e-12)
    along = lambda f: jvp(lambda x: jvp(lambda x: jvp(f, (x,), (W,))[1], (x,), (X,))[1], (X,), (C,))[1]
    np.testing.assert_allclose(along(f), along(np.exp), rtol=1e-12)


def test_without_rules_the_error_says_what_to_write():
    f = rb.primitive(lambda x: x * 2, host=True, name="f")
    for run in (lambda: jacobian(f)(X), lambda: jvp(f, (X,), (X,))):
        with pytest.raises(rb.RuleMissingError, match=r"f \(engine dual\)"):
            run()
    np.testing.assert_array_equal(f(X), X * 2)


def test_a_linear_host_function_is_differentiable_to_every_order():
    """By itself and its transpose; nonlinear around it, so that no order vanishes."""
    f, native_map, ran = linear_map()
    around = lambda f: lambda z: f(np.sin(z[:3]) * z[3:], W) ** 3
    loss = lambda g: lambda z: np.sum(C * g(z))
    for run in (
        lambda g: jacobian(g)(Z),
        lambda g: jvp(g, (Z,), (T,))[1],
        lambda g: vjp(g, Z)[1](C),
        lambda g: hessian(loss(g))(Z),
        lambda g: jvp(grad(loss(g)), (Z,), (T,))[1],
        lambda g: jacobian(hessian(loss(g)))(Z),
    ):
        np.testing.assert_allclose(run(around(f)), run(around(native_map)), rtol=1e-10, atol=1e-10)
    assert ran["map"] and not ran["transpose"]
    with pytest.raises(rb.RuleMissingError, match=r"f \(engine dual\), w"):
        grad(lambda w: np.sum(f(X, w)))(W)


# -- how often ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("primal", ["host", "traceable"])
def test_all_tangents_of_a_host_pushforward_solve_the_primal_once(primal):
    made = Made(Spec(primal, "pushforward", None, True, False))
    jacobian(of_z(made.f)[0])(Z)
    assert made.ran == {"primal": 1, "push": 6}


def test_all_tangents_of_a_traceable_pushforward_are_one_call():
    made = Made(Spec("host", "pushforward", None, False, False))
    jacobian(of_z(made.f)[0])(Z)
    assert made.ran == {"primal": 1, "push": 1}


@pytest.mark.parametrize("kind", ["rrule", "pullback"])
@pytest.mark.parametrize("primal", ["host", "traceable"])
def test_a_host_reverse_rule_is_swept_over_the_results_and_solves_the_primal_once(kind, primal):
    made = Made(Spec(primal, None, kind, False, True))
    jacobian(of_z(made.f)[0])(Z)
    assert made.ran == {"primal": 1, "pull": 3}


@pytest.mark.parametrize("kind", ["frule", "pushforward"])
@pytest.mark.parametrize("host", [False, True])
def test_one_tangent_solves_the_primal_once(kind, host):
    made = Made(Spec("host", kind, None, host, False))
    jvp(of_z(made.f)[0], (Z,), (T,))
    assert made.ran == {"primal": 1, "push": 1}


@pytest.mark.parametrize("kind", ["pushforward", "frule", "rrule", "pullback"])
def test_all_tangents_run_on_threads(kind):
    """Two at once, or the barrier breaks; in the order and with the error of the serial loop."""
    both = threading.Barrier(2, timeout=20)
    fails = []

    def times_two(v):
        both.wait()
        if fails and v[2]:
            raise ZeroDivisionError("third")
        return v * 2

    f = rb.primitive(lambda x: x * 2, host=True, name="f")
    rules = {
        "pushforward": lambda y, primals, dots: times_two(dots[0]),
        "frule": lambda primals, dots: (primals[0] * 2, times_two(dots[0])),
        "rrule": lambda x: (x * 2, lambda bar: (times_two(bar),)),
        "pullback": lambda y, primals, bar: (times_two(bar),),
    }
    getattr(rb, kind)(f, host=True)(rules[kind])
    with rb.config(host_threads=2):
        np.testing.assert_array_equal(jacobian(f)(np.ones(4)), 2 * np.eye(4))
        fails.append(True)
        with pytest.raises(ZeroDivisionError, match="third") as found:
            jacobian(f)(np.ones(4))
    assert "In example 2 of a batch." in found.value.__notes__


def test_nothing_is_done_for_an_argument_that_is_constant():
    ran = []
    f = rb.primitive(lambda x, w: x * w, host=True, name="f")

    @rb.rrule(f, host=True)
    def _(x, w):
        thunk = lambda name, value: rb.thunk(lambda: (ran.append(name), value)[1])
        return x * w, lambda bar: (thunk("x", bar * w), thunk("w", bar * x))

    np.testing.assert_array_equal(jacobian(lambda x: f(x, W))(X), np.diag(W))
    assert ran == ["x"] * 3


def test_a_rule_that_takes_none_gets_it_for_what_is_zero():
    got = []
    f = rb.primitive(lambda x, w: (x * w, x + w), host=True, name="f")

    @rb.pullback(f, host=True, symbolic_zeros=True)
    def _(y, primals, bars):
        got.append([b is not None for b in bars])
        zero = np.zeros(3)
        p, s = (zero if b is None else b for b in bars)
        return p * primals[1] + s, p * primals[0] + s

    np.testing.assert_allclose(jacobian(lambda x: f(x, W)[0] + f(x, W)[1])(X), np.diag(W + 1))
    assert got == ([[True, False]] * 3 + [[False, True]] * 3) * 2

    g = rb.primitive(lambda x, w: x * w, host=True, name="g")

    @rb.pushforward(g, host=True, symbolic_zeros=True)
    def _(y, primals, dots):
        assert dots[1] is None
        return dots[0] * primals[1]

    np.testing.assert_allclose(jacobian(lambda x: g(x, W))(X), np.diag(W))


# -- memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pushforward", "frule", "pullback", "rrule"])
@pytest.mark.parametrize("host", [False, True])
def test_a_buffer_that_is_written_again_changes_no_result(kind, host):
    buffer = np.zeros(3)

    def into(value):
        buffer[...] = value
        return buffer

    f = rb.primitive(lambda x: into(x**2), host=True, name="f")
    square, keep = (lambda x: into(x**2), into) if host else (f, lambda x: x)
    rules = {
        "pushforward": lambda y, primals, dots: keep(2 * primals[0] * dots[0]),
        "frule": lambda primals, dots: (square(*primals), keep(2 * primals[0] * dots[0])),
        "pullback": lambda y, primals, bar: (keep(2 * primals[0] * bar),),
        "rrule": lambda x: (square(x), lambda bar: (keep(2 * x * bar),)),
    }
    if kind == "frule" and host:  # y and y_dot are one buffer: no rule could mean that
        rules["frule"] = lambda primals, dots: (primals[0] ** 2, keep(2 * primals[0] * dots[0]))
    getattr(rb, kind)(f, host=host)(rules[kind])
    chain = lambda f: lambda x: np.sin(f(x)) * f(f(x + 1.0))
    for run in (lambda g: jacobian(g)(X), lambda g: jvp(g, (X,), (W,)), lambda g: vjp(g, X)[1](W)):
        for got, want in zip(rb.trees.leaves_of(run(chain(f))), rb.trees.leaves_of(run(chain(np.square))), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_function_that_returns_its_argument_shares_no_memory_with_it():
    f = rb.primitive(lambda x: x, host=True, name="f")
    rb.pushforward(f, host=True)(lambda y, primals, dots: dots[0])
    x, t = X.copy(), W.copy()

    def change(x):
        y = f(x)
        y += 1.0
        return x, y

    (kept, y), (kept_dot, y_dot) = jvp(change, (x,), (t,))
    np.testing.assert_array_equal([kept, y, kept_dot, y_dot], [X, X + 1, W, W])
    np.testing.assert_array_equal([x, t], [X, W])


def test_what_an_rrule_keeps_is_freed_with_the_derivative():
    class Factor:
        pass

    kept = []
    f = rb.primitive(lambda x: x * 2, host=True, name="f")

    @rb.rrule(f, host=True)
    def _(x):
        factor = Factor()
        kept.append(weakref.ref(factor))
        return x * 2, lambda bar: (bar * 2, factor)[:1]

    jacobian(f)(X)
    gc.collect()
    assert len(kept) == 1 and kept[0]() is None


# -- what comes in, what goes wrong -----------------------------------------------------------------------------


def test_an_exception_in_a_rule_arrives_as_itself_and_the_next_call_is_right():
    f = rb.primitive(lambda x: x * 2, host=True, name="f")
    fails = [True]

    def push(y, primals, dots):
        if fails and fails.pop():
            raise ZeroDivisionError("once")
        return dots[0] * 2

    rb.pushforward(f, host=True)(push)
    with pytest.raises(ZeroDivisionError, match="once") as found:
        jacobian(f)(X)
    assert "Raised in the pushforward of f, engine dual." in found.value.__notes__
    np.testing.assert_array_equal(jacobian(f)(X), 2 * np.eye(3))


def test_complex_host_code():
    f = rb.primitive(lambda z: z**2 * np.conj(z), host=True, name="f")
    z, t = np.array([0.3 + 0.4j, -1.2 + 0.1j]), np.array([1.0 - 1j, 0.2j])
    want = jvp(lambda z: z**2 * np.conj(z), (z,), (t,))[1]
    rb.pullback(f, host=True)(lambda y, primals, bar: (2 * np.abs(primals[0]) ** 2 * bar + primals[0] ** 2 * np.conj(bar),))
    np.testing.assert_allclose(jvp(f, (z,), (t,))[1], want, rtol=1e-12)
    rb.pushforward(f, host=True)(lambda y, primals, dots: 2 * np.abs(primals[0]) ** 2 * dots[0] + primals[0] ** 2 * np.conj(dots[0]))
    np.testing.assert_allclose(jvp(f, (z,), (t,))[1], want, rtol=1e-12)


def test_nested_calls_in_other_arguments_are_first_order():
    """Each argument is differentiated once, in nested calls: host rules suffice where the inner result does not depend on the outer."""
    made = Made(Spec())
    slope = lambda x: rb.derivative(lambda w: np.sum(made.f(x, w * np.ones(3))), engine="dual")(0.5)
    np.testing.assert_allclose(grad(lambda x: np.sum(x) * slope(X))(X), 100 * np.full(3, np.sum(np.sin(X) + 0.5 * X)))
    with pytest.raises(rb.HigherOrderError, match="pushforward of f"):
        grad(slope)(X)


def test_containers_statics_and_strings():
    def fn(params, mode, *, power):
        assert mode == "sum"
        return {"y": params["w"] ** power, "n": 3}

    f = rb.primitive(fn, host=True, name="f")
    rb.pushforward(f, host=True)(lambda y, p, d, *, power: {"y": power * p[0]["w"] ** (power - 1) * d[0]["w"], "n": None})
    np.testing.assert_allclose(jacobian(lambda w: f({"w": w, "unused": [X]}, "sum", power=3)["y"])(X), np.diag(3 * X**2))
