"""The bridge to dual numbers: rules on one and many tangents, nested, counted; captured values; host code."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual.errors import DroppedTangentError

X = np.array([0.3, 0.5, 1.2])
W = np.array([2.0, 0.5, 1.5])
KINDS = ["frule", "pushforward", "scalar_rule", "rrule", "pullback"]
HOSTS = [False, True]


class Wave:
    """sin(x) * w by one kind of rule, and a counter of what ran."""

    def __init__(self, kind="pushforward", host=False, primal_host=False):
        self.ran = ran = Counter()

        def count(what, *values):
            if host or (what == "primal" and primal_host):
                assert not any(
                    rb.trees.flatten(values)[0] and type(v) not in (np.ndarray, np.float64, float) for v in rb.trees.flatten(values)[0]
                )
            ran[what] += 1

        @rb.primitive(name="wave", host=primal_host)
        def wave(x, w):
            count("primal", x, w)
            return np.sin(x) * w

        def y_dot(primals, tangents):
            count("rule", primals, tangents)
            (x, w), (x_dot, w_dot) = primals, tangents
            return np.cos(x) * w * x_dot + np.sin(x) * w_dot

        def x_bars(primals, y_bar):
            count("rule", primals, y_bar)
            x, w = primals
            return y_bar * w * np.cos(x), rb.thunk(lambda: y_bar * np.sin(x))

        def given(*values):
            return np.sin(values[0]) * values[1] if host else wave(*values)

        rules = {
            "frule": lambda primals, tangents: (given(*primals), y_dot(primals, tangents)),
            "pushforward": lambda y, primals, tangents: y_dot(primals, tangents),
            "scalar_rule": lambda y, x, w: (count("rule"), (np.cos(x) * w, np.sin(x)))[1],
            "rrule": lambda x, w: (given(x, w), lambda y_bar: x_bars((x, w), y_bar)),
            "pullback": lambda y, primals, y_bar: x_bars(primals, y_bar),
        }
        getattr(rb, kind)(wave, host=host)(rules[kind])
        self.wave = wave


TRANSFORMS = {
    "jvp": lambda f: rb.jvp(f, (X, W), (W, X), engine="dual"),
    "jvp of one": lambda f: rb.jvp(lambda x: f(x, W), (X,), (W,), engine="dual"),
    "number": lambda f: rb.derivative(lambda x: f(x, 2.0), engine="dual")(0.4),
    "number and array": lambda f: rb.jacobian(lambda w: f(X, w * np.ones(3)), engine="dual")(0.4),
    "jacobian": lambda f: rb.jacobian(lambda x: f(x, x[::-1]), engine="dual")(X),
    "grad": lambda f: rb.grad(lambda x, w: (f(x, w) ** 2).sum(), engine="dual", argnums=(0, 1))(X, W),
    "vjp": lambda f: rb.vjp(f, X, W, engine="dual")[1](W),
}
SECOND = {
    "hessian": lambda f: rb.hessian(lambda x: (f(x, x[::-1]) ** 2).sum(), engine="dual")(X),
    "third": lambda f: rb.jacobian(rb.jacobian(rb.jacobian(lambda x: f(x, x[::-1]), engine="dual"), engine="dual"), engine="dual")(X),
    "jvp of grad": lambda f: rb.jvp(rb.grad(lambda x: (f(x, x) ** 2).sum(), engine="dual"), (X,), (W,), engine="dual"),
    "mixed calls": lambda f: rb.derivative(lambda x: x * rb.derivative(lambda w: f(x, w) * f(w, x), engine="dual")(0.7), engine="dual")(
        0.4
    ),
    "jacobian of jvp": lambda f: rb.jacobian(lambda w: rb.jvp(lambda x: f(x, w), (X,), (W,), engine="dual")[1], engine="dual")(W),
}


def native(x, w):
    return np.sin(x) * w


def close(got, expected, rtol=1e-12):
    for a, b in zip(rb.trees.flatten(got)[0], rb.trees.flatten(expected)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13)
        assert np.shape(a) == np.shape(b)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_first_order(transform, kind, host):
    run = TRANSFORMS[transform]
    close(run(Wave(kind, host).wave), run(native))
    close(run(Wave(kind, host, primal_host=True).wave), run(native))


@pytest.mark.parametrize("primal_host", HOSTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transform", SECOND)
def test_higher_orders(transform, kind, primal_host):
    run = SECOND[transform]
    close(run(Wave(kind, primal_host=primal_host).wave), run(native), 1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_rule_has_no_second_order(kind):
    with pytest.raises(rb.HigherOrderError, match=rf"{kind} of wave \(engine dual\), which is host code"):
        SECOND["hessian"](Wave(kind, host=True).wave)
    close(TRANSFORMS["jacobian"](Wave(kind, host=True).wave), TRANSFORMS["jacobian"](native))


@pytest.mark.parametrize("kind", KINDS)
def test_the_primal_and_the_rule_run_once_for_all_tangents(kind):
    for run in (
        lambda f: rb.jacobian(lambda x: f(x, W), engine="dual")(X),
        lambda f: rb.value_and_grad(lambda x: f(x, W).sum(), engine="dual")(X),
        lambda f: rb.jvp(f, (X, W), (W, X), engine="dual"),
    ):
        made = Wave(kind)
        run(made.wave)
        assert made.ran == {"primal": 1, "rule": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_rule_runs_once_for_each_tangent(kind):
    made = Wave(kind, host=True)
    rb.jacobian(lambda x: made.wave(x, W), engine="dual")(X)
    assert made.ran["rule"] == 3  # tangents, or for a reverse rule elements of y
    assert made.ran["primal"] == (0 if kind in ("frule", "rrule") else 1)


# -- rules that cannot take all tangents at once -------------------------------------------------------


def _skips_zeros(x_dot):
    return rb.ZeroTangent() if not np.any(x_dot) else None


def _compares(x_dot):
    return rb.ZeroTangent() if (x_dot == 0).all() else None


def _early(check):
    def rule(y, primals, tangents):
        zero = check(tangents[0])
        return 100 * np.cos(primals[0]) * tangents[0] if zero is None else zero

    return rule


def _scales(y, primals, tangents):
    """Linear as a whole, of parts that are not."""
    size = np.linalg.norm(tangents[0])
    return 100 * np.cos(primals[0]) * (tangents[0] / size) * size


def _iterates(y, primals, tangents):
    """Richardson's iteration on the tangent, until the residual is small."""
    x_dot, t = 100 * np.cos(primals[0]) * tangents[0], np.zeros_like(tangents[0])
    for _ in range(200):
        t = t + 0.5 * (x_dot - t)
        if np.max(np.abs(x_dot - t)) < 1e-13:
            break
    return t


def _largest(y, primals, tangents):
    i = np.argmax(np.abs(tangents[0]))
    return 100 * np.cos(primals[0]) * tangents[0] / tangents[0][i] * tangents[0][i]


def _signs(y, primals, tangents):
    return 100 * np.cos(primals[0]) * np.sign(tangents[0]) * np.abs(tangents[0])


def _floats(y, primals, tangents):
    import math

    return np.array([100 * math.cos(a) * float(b) for a, b in zip(primals[0], tangents[0], strict=True)])


def _buffers(y, primals, tangents):
    t = np.empty(3)
    t[:] = 100 * np.cos(primals[0]) * tangents[0]
    return t


RULES = {f.__name__.strip("_"): f for f in (_scales, _iterates, _largest, _signs, _floats, _buffers)}
RULES |= {f.__name__.strip("_"): _early(f) for f in (_skips_zeros, _compares)}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_looks_at_its_tangents(name):
    f = rb.primitive(lambda x: np.sin(x), name="f")
    rb.pushforward(f)(RULES[name])
    x_dots = np.array([[1.0, 2.0, -3.0], [0.5, -1.0, 0.1], [0.1, 0.2, 0.3]])
    found = rb.jacobian(lambda s: f(X + s @ x_dots), engine="dual")(np.zeros(3))
    np.testing.assert_allclose(found, (100 * np.cos(X) * x_dots).T, rtol=1e-12)


def test_a_rule_that_calls_primitives_on_its_tangents():
    calls = Counter()
    solve = rb.primitive(lambda a, b: np.linalg.solve(a, b), name="solve")

    @rb.pushforward(solve)
    def _(x, primals, tangents):
        return solve(primals[0], tangents[1] - tangents[0] @ x)

    scale = rb.primitive(lambda x, a: (calls.update(["scale"]), a * x)[1], name="scale")
    rb.transpose(scale)(lambda y_bar, x, a: (a * y_bar,))
    f = rb.primitive(lambda b: np.linalg.solve(A, b), name="f")
    rb.pushforward(f)(lambda y, p, t: solve(A, t[0]))
    g = rb.primitive(lambda b: 3 * b, name="g")
    rb.pushforward(g)(lambda y, p, t: scale(t[0], 3.0))
    A = np.diag([2.0, 3.0, 4.0]) + 0.5
    np.testing.assert_allclose(rb.jacobian(f, engine="dual")(X), np.linalg.inv(A))
    np.testing.assert_allclose(
        rb.jacobian(lambda a: solve(a, X), engine="dual")(A), rb.jacobian(lambda a: np.linalg.solve(a, X), engine="dual")(A)
    )
    np.testing.assert_allclose(
        rb.hessian(lambda x: (solve(A + np.outer(x, x), x) ** 2).sum(), engine="dual")(X),
        rb.hessian(lambda x: (np.linalg.solve(A + np.outer(x, x), x) ** 2).sum(), engine="dual")(X),
        rtol=1e-10,
    )
    np.testing.assert_allclose(rb.jacobian(g, engine="dual")(X), 3 * np.eye(3))
    assert calls["scale"] == 1  # for all three tangents


def test_rules_that_differentiate():
    f = rb.primitive(lambda x: np.sin(x) * x, name="f")
    rb.pushforward(f)(lambda y, p, t: 100 * rb.jvp(lambda x: np.sin(x) * x, p, t)[1])
    g = rb.primitive(lambda x: np.sin(x) * x, name="g")
    rb.pullback(g)(lambda y, p, y_bar: (100 * rb.vjp(lambda x: np.sin(x) * x, *p)[1](y_bar)[0],))
    for fn in (f, g):
        np.testing.assert_allclose(rb.jacobian(fn, engine="dual")(X), 100 * np.diag(np.cos(X) * X + np.sin(X)), rtol=1e-12)
        slope = 100 * (2 * np.cos(X) - np.sin(X) * X)
        np.testing.assert_allclose(rb.hessian(lambda x: fn(x).sum(), engine="dual")(X), np.diag(slope), rtol=1e-12)


def test_scipy_in_an_unmarked_rule():
    """Works, once for each tangent; at second order the error names the function."""
    linalg = pytest.importorskip("scipy.linalg")
    f = rb.primitive(lambda b: np.linalg.solve(A, b) * b, name="f")
    A = np.diag([2.0, 3.0, 4.0]) + 0.5
    rb.pushforward(f)(lambda y, p, t: linalg.solve(A, t[0]) * p[0] + linalg.solve(A, p[0]) * t[0])
    expected = rb.jacobian(lambda b: np.linalg.solve(A, b) * b, engine="dual")(X)
    np.testing.assert_allclose(rb.jacobian(f, engine="dual")(X), expected)
    with pytest.raises(rb.RulebookError, match=r"(?s)of f \(engine dual\).*write it with rb.xp, or mark it host=True"):
        rb.hessian(lambda x: f(x).sum(), engine="dual")(X)


# -- captured values -----------------------------------------------------------------------------------


def _captured(kind, place, a):
    """a * sin(x), where a is captured by the primal, and by the rule."""
    slope = lambda x, t: a * np.cos(x) * t
    f = rb.primitive(lambda x: a * np.sin(x), name="f")
    rules = {
        "frule": lambda p, t: (a * np.sin(p[0]), slope(p[0], t[0])),
        "pushforward": lambda y, p, t: slope(p[0], t[0]),
        "scalar_rule": lambda y, x: a * np.cos(x),
        "rrule": lambda x: (a * np.sin(x), lambda y_bar: (slope(x, y_bar),)),
        "pullback": lambda y, p, y_bar: (slope(p[0], y_bar),),
    }
    getattr(rb, kind)(f)(rules[kind])
    return f


@pytest.mark.parametrize("kind", KINDS)
def test_captured_values_flow(kind):
    """Of the same call, an outer one and an inner one, and beside arguments that do not move."""
    wave = lambda a: _captured(kind, "both", a)
    plain = lambda a: lambda x: a * np.sin(x)
    D = lambda fn: rb.derivative(fn, engine="dual")
    J = lambda fn: rb.jacobian(fn, engine="dual")
    programs = [
        lambda make: D(lambda a: make(a)(a * a))(0.7),
        lambda make: D(lambda a: make(a)(0.3))(0.7),
        lambda make: D(lambda a: D(lambda x: make(a)(x))(a))(0.7),
        lambda make: D(lambda x: D(lambda a: make(a)(x))(x * x))(0.7),
        lambda make: D(lambda x: D(lambda a: make(a * x)(x) * a)(x * x))(0.7),
        lambda make: J(lambda a: make(a)(a * a))(X),
        lambda make: J(lambda a: make(a[0])(X))(X),
        lambda make: J(lambda a: J(lambda x: make(a)(x))(a))(X),
        lambda make: J(lambda x: J(lambda a: make(a)(x))(x * x))(X),
        lambda make: J(lambda x: J(lambda a: make(a * x)(x) * a)(x * x))(X),
    ]
    for program in programs:
        close(program(wave), program(plain), 1e-11)


def test_a_captured_value_in_host_code_is_refused():
    def loss(a):
        f = rb.primitive(lambda x: np.asarray(a) * x, host=True, name="f")
        rb.pushforward(f)(lambda y, p, t: t[0])
        return f(a)

    with pytest.raises(rb.RulebookError):
        rb.derivative(loss, engine="dual")(2.0)


def test_a_captured_static_is_refused():
    f = rb.primitive(lambda x, *, a: a() * x, name="f")
    rb.pushforward(f)(lambda y, p, t, *, a: a() * t[0])
    with pytest.raises(rb.RuleSignatureError, match="static 'a'"):
        rb.derivative(lambda x: f(x, a=lambda: x), engine="dual")(2.0)


# -- the engine's other duties -------------------------------------------------------------------------


def test_rules_receive_values_with_shape_and_dtype():
    seen = []
    f = rb.primitive(lambda x, n: x * n, name="f")

    @rb.frule(f)
    def _(primals, tangents):
        seen.extend((v.shape, v.dtype.kind) for v in (*primals, tangents[0]))
        assert tangents[1] is None
        return primals[0] * primals[1], tangents[0] * primals[1]

    assert rb.derivative(lambda x: f(x, 3), engine="dual")(2.0) == 3.0
    assert rb.jacobian(lambda x: f(x[0], 3), engine="dual")(X).tolist() == [3.0, 0.0, 0.0]
    assert set(seen) == {((), "f"), ((), "i")}


def test_bind_and_plain_values():
    wave = Wave().wave
    bound = rb.bind(wave, "dual")
    np.testing.assert_allclose(bound(X, 2.0), 2 * np.sin(X))
    close(rb.jvp(bound, (X, W), (W, X), engine="dual"), rb.jvp(native, (X, W), (W, X), engine="dual"))


def test_containers_and_zero_tangents():
    f = rb.primitive(lambda d, k: {"a": d["u"] * d["v"][0], "b": (d["u"] * k, 3)}, name="f")

    @rb.pushforward(f)
    def _(y, primals, tangents):
        (d, _), (t, _) = primals, tangents
        assert y["b"][1] == 3
        return {"a": t["u"] * d["v"][0] + d["u"] * t["v"][0], "b": rb.ZeroTangent()}

    y, t = rb.jvp(lambda u: f({"u": u, "v": [W]}, 2), (X,), (W,), engine="dual")
    np.testing.assert_allclose(t["a"], W * W)
    np.testing.assert_array_equal(t["b"][0], 0.0)
    assert t["b"][1] is None and y["b"][1] == 3


def test_namespace():
    def fn(x):
        xp = rb.xp(x)
        assert xp.asarray(x) is x and type(xp.asarray([x[0], 1.0])) is type(x) and type(xp.asarray([1.0])) is np.ndarray
        assert xp.linalg.solve is np.linalg.solve and xp.fft.fft is np.fft.fft and xp.pi == np.pi
        with pytest.raises(NotImplementedError, match=r"xp\.nonsense has no counterpart in dual"):
            xp.nonsense  # noqa: B018
        return xp.sin(x)

    close(rb.jvp(fn, (X,), (W,), engine="dual"), (np.sin(X), np.cos(X) * W))


def test_to_numpy_and_activity():
    from rulebook.engine import TracedValueError
    from rulebook.engines import load_engine

    engine = load_engine("dual")

    def fn(x):
        assert engine.owns(type(x)) and engine.is_active(x) and engine.has_tangent(x) and not engine.is_complex(x)
        with pytest.raises(TracedValueError):
            engine.to_numpy(x)
        with pytest.raises(DroppedTangentError):
            np.asarray(x)
        return x

    rb.jvp(fn, (X,), (X,), engine="dual")
    assert not engine.to_numpy(X).flags.writeable and X.flags.writeable


def test_a_failing_rule_leaves_nothing_behind():
    fail = [True]
    f = rb.primitive(lambda x: np.sin(x), name="f")

    @rb.pushforward(f)
    def _(y, primals, tangents):
        if fail:
            raise KeyError("mine")
        return np.cos(primals[0]) * tangents[0]

    for run in (lambda: rb.jvp(f, (X,), (W,), engine="dual")[1], lambda: rb.jacobian(f, engine="dual")(X)):
        with pytest.raises(KeyError, match="mine") as caught:
            run()
        assert caught.value.__notes__ == ["Raised in the pushforward of f, engine dual."]
    fail.clear()
    np.testing.assert_allclose(rb.jacobian(f, engine="dual")(X), np.diag(np.cos(X)))


@pytest.mark.parametrize("k", [1, 3])
def test_a_rule_of_wrong_shape(k):
    f = rb.primitive(lambda x: np.sin(x), name="f")
    rb.pushforward(f)(lambda y, p, t: t[0][:2])
    with pytest.raises(
        rb.RuleOutputError, match=r"pushforward of f \(engine dual\), y_dot\.\nExpected: shape \(3,\), float64\nGot: shape \(2,\)"
    ):
        rb.jvp(f, (X,), (X,), engine="dual") if k == 1 else rb.jacobian(f, engine="dual")(X)


@pytest.mark.parametrize("k", [1, 3])
def test_a_result_that_is_an_argument(k):
    """A write into it reaches the result alone."""
    f = rb.primitive(lambda x: x, name="f")
    rb.pushforward(f)(lambda y, p, t: 2 * t[0])
    g = rb.primitive(lambda x: x[1:], name="g")
    rb.frule(g)(lambda p, t: (p[0][1:], t[0][1:]))

    def fn(s):
        x = s * X
        y, z = f(x), g(x)
        y[0] = 7.0
        z[0] = x[0]
        return np.concatenate([x, y, z])

    if k == 1:
        value, slope = rb.jvp(fn, (2.0,), (1.0,), engine="dual")
    else:
        value, slope = fn(2.0 * np.ones(())), rb.jacobian(lambda v: fn(v.sum()), engine="dual")(np.array([1.0, 0.5, 0.5]))[:, 0]
    expected = np.concatenate([X, 2 * X, X[1:]])
    expected[3], expected[6] = 0.0, X[0]
    np.testing.assert_allclose(slope, expected)
    assert np.shape(value) == (8,)
