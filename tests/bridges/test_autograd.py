"""The autograd bridge: every operator and nesting, against autograd's own derivative of the same math."""

import itertools
import warnings

import numpy as np
import pytest

autograd = pytest.importorskip("autograd")

import autograd.numpy as anp  # noqa: E402
from autograd import elementwise_grad, grad, hessian, jacobian, make_hvp, make_jvp, make_vjp, value_and_grad  # noqa: E402

import rulebook as rb  # noqa: E402

X = np.array([0.3, 0.5, 1.2])


class Wave:
    """sin(x) * w with chosen rules, and counters of what ran."""

    def __init__(self, kinds=("frule", "rrule"), marker=1.0):
        self.ran = {"primal": 0, "x": 0, "w": 0}
        ran = self.ran

        @rb.primitive(name="wave")
        def wave(x, w):
            ran["primal"] += 1
            return rb.xp(x, w).sin(x) * w

        def y_dot(primals, tangents):
            (x, w), (x_dot, w_dot) = primals, tangents
            xp = rb.xp(x, w, x_dot, w_dot)
            return marker * (xp.cos(x) * w * x_dot + xp.sin(x) * w_dot)

        def x_bars(primals, y_bar):
            x, w = primals
            xp = rb.xp(x, w, y_bar)

            def of_x():
                ran["x"] += 1
                return marker * rb.project(x, y_bar * w * xp.cos(x))

            def of_w():
                ran["w"] += 1
                return marker * rb.project(w, y_bar * xp.sin(x))

            return rb.thunk(of_x), rb.thunk(of_w)

        if "frule" in kinds:
            rb.frule(wave)(lambda primals, tangents: (wave(*primals), y_dot(primals, tangents)))
        if "pushforward" in kinds:
            rb.pushforward(wave)(lambda y, primals, tangents: y_dot(primals, tangents))
        if "rrule" in kinds:
            rb.rrule(wave)(lambda x, w: (wave(x, w), lambda y_bar: x_bars((x, w), y_bar)))
        if "pullback" in kinds:
            rb.pullback(wave)(lambda y, primals, y_bar: x_bars(primals, y_bar))
        self.wave = wave


def native(x, w):
    return anp.sin(x) * w


TRANSFORMS = {
    "grad": lambda f: grad(lambda x: anp.sum(f(x, 2.0) ** 2))(X),
    "grad of w": lambda f: grad(lambda w: anp.sum(f(X, w) ** 2))(2.0),
    "grad of both": lambda f: grad(lambda x: anp.sum(f(x, x) ** 2))(X),
    "value_and_grad": lambda f: value_and_grad(lambda x: anp.sum(f(x, 2.0)))(X),
    "elementwise_grad": lambda f: elementwise_grad(lambda x: f(x, 2.0))(X),
    "third": lambda f: elementwise_grad(elementwise_grad(elementwise_grad(lambda x: f(x, x))))(X),
    "jacobian": lambda f: jacobian(lambda x: f(x, 2.0))(X),
    "hessian": lambda f: hessian(lambda x: anp.sum(f(x, x[::-1]) ** 2))(X),
    "hvp": lambda f: make_hvp(lambda x: anp.sum(f(x, x) ** 2))(X)[0](X),
    "make_jvp": lambda f: make_jvp(lambda x: f(x, x))(X)(X**2),
    "jvp of grad": lambda f: make_jvp(grad(lambda x: anp.sum(f(x, x) ** 2)))(X)(X**2),
    "grad of jvp": lambda f: grad(lambda x: anp.sum(make_jvp(lambda x: f(x, x) ** 2)(x)(X)[1]))(X),
    "jvp of jvp": lambda f: make_jvp(lambda x: make_jvp(lambda x: f(x, x) ** 2)(x)(X)[1])(X)(X**2),
    "jvp of jvp of grad": lambda f: make_jvp(lambda x: make_jvp(grad(lambda x: anp.sum(f(x, x) ** 2)))(x)(X)[1])(X)(X**2),
    "mixed levels": lambda f: grad(lambda x: x * grad(lambda w: f(x, w) * f(w, x))(0.7))(0.4),
    "keyword": lambda f: grad(lambda w: anp.sum(f(X, w=w)))(2.0),
}


def close(got, expected):
    got, expected = rb.trees.flatten(got)[0], rb.trees.flatten(expected)[0]
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "kinds", [("frule", "rrule"), ("pushforward", "pullback"), ("pushforward",), ("pullback",), ("frule",), ("rrule",)], ids="+".join
)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_agree_with_autograds_own(transform, kinds):
    run = TRANSFORMS[transform]
    close(run(Wave(kinds).wave), run(native))


def test_each_direction_runs_its_own_rule():
    wave = Wave(("pushforward",), marker=100.0).wave
    rb.pullback(wave)(lambda y, primals, y_bar: (7.0 * y_bar, None))
    np.testing.assert_allclose(make_jvp(lambda x: wave(x, 1.0))(0.3)(1.0)[1], 100 * np.cos(0.3))
    np.testing.assert_allclose(grad(lambda x: wave(x, 1.0))(0.3), 7.0)


@pytest.mark.parametrize("kinds", [("frule", "rrule"), ("pushforward", "pullback"), ("pullback",), ("pushforward",)], ids="+".join)
def test_primal_runs_once_and_only_requested_cotangents_are_computed(kinds):
    made = Wave(kinds)
    value_and_grad(lambda x: anp.sum(made.wave(x, 2.0)))(X)
    assert made.ran["primal"] == 1
    if "rrule" in kinds or "pullback" in kinds:
        assert (made.ran["x"], made.ran["w"]) == (1, 0)
    made.ran["primal"] = 0
    make_jvp(lambda x: made.wave(x, 2.0))(X)(X)
    assert made.ran["primal"] == 1
    made.ran["primal"] = 0
    jacobian(lambda x: made.wave(x, 2.0))(X)
    assert made.ran["primal"] == 1


def test_a_pullback_may_be_called_again():
    pull, _ = make_vjp(lambda x: Wave().wave(x, 2.0))(X)
    np.testing.assert_array_equal(pull(np.ones(3)), pull(np.ones(3)))
    np.testing.assert_allclose(pull(3 * np.ones(3)), 3 * pull(np.ones(3)))


def test_perturbations_are_not_confused():
    times = rb.primitive(lambda x, y: x * y, name="times")
    rb.scalar_rule(times)(lambda z, x, y: (y, x))
    for d in (grad, lambda f: lambda x: make_jvp(f)(x)(1.0)[1]):
        assert d(lambda x: x * d(lambda y: x + y)(1.0))(1.0) == 1
        assert d(lambda x: times(x, d(lambda y: times(x, y))(2.0)))(1.0) == 2
        assert d(lambda x: times(x, d(lambda y: times(times(x, y), y))(x)))(3.0) == 54
        assert d(d(lambda x: times(times(x, x), x)))(2.0) == 12


DERIVATIVES = {"grad": grad, "jvp": lambda f: lambda x: make_jvp(f)(x)(1.0)[1]}


@pytest.mark.parametrize("kinds", [("frule", "rrule"), ("pushforward", "pullback"), ("pullback",)], ids="+".join)
def test_every_nesting_to_depth_four(kinds):
    wave = Wave(kinds).wave
    f, expected = lambda x: wave(x, wave(x, x)), lambda x: native(x, native(x, x))
    for depth in range(1, 5):
        expected = grad(expected)
        for names in itertools.product(DERIVATIVES, repeat=depth):
            nested = f
            for name in names:
                nested = DERIVATIVES[name](nested)
            np.testing.assert_allclose(nested(0.7), expected(0.7), rtol=1e-12, err_msg=" of ".join(reversed(names)))


# -- containers, integers, None -------------------------------------------------------------------


def tower():
    @rb.primitive(name="tower")
    def tower(p, k, note):
        return {"a": p["u"] * p["v"][0], "b": (p["v"][0] ** 2 * k, 3)}

    @rb.pullback(tower)
    def _(y, primals, y_bar):
        p, k, note = primals
        assert type(p) is dict and type(p["v"]) is list and type(y) is dict and type(y_bar) is dict and note is None
        assert y_bar["b"][1] is None
        v_bar = y_bar["a"] * p["u"] + 2 * k * p["v"][0] * y_bar["b"][0]
        return {"u": y_bar["a"] * p["v"][0], "v": [v_bar]}, None, None

    @rb.pushforward(tower)
    def _(y, primals, tangents):
        (p, k, _), (d, k_dot, note_dot) = primals, tangents
        assert k_dot is None and note_dot is None and type(d["v"]) is list
        v, v_dot = p["v"][0], d["v"][0]
        return {"a": d["u"] * v + p["u"] * v_dot, "b": (2 * k * v * v_dot, None)}

    return tower


def native_tower(p, k, note):
    return {"a": p["u"] * p["v"][0], "b": (p["v"][0] ** 2 * k, 3)}


CONTAINER_TRANSFORMS = {
    "grad of a dict": lambda f: grad(lambda p: (lambda y: y["a"] * y["b"][0])(f(p, 2, None)))({"u": 2.0, "v": [3.0]}),
    "box inside plain containers": lambda f: grad(lambda v: (lambda y: y["a"] * y["b"][0])(f({"u": 2.0, "v": [v]}, 2, None)))(3.0),
    "second": lambda f: grad(grad(lambda v: (lambda y: y["a"] * y["b"][0])(f({"u": v, "v": [v]}, 2, None))))(3.0),
    "jvp": lambda f: make_jvp(lambda v: (lambda y: y["a"] * y["b"][0])(f({"u": v, "v": [v]}, 2, None)))(3.0)(1.0),
    "jvp of grad": lambda f: make_jvp(grad(lambda v: (lambda y: y["a"] * y["b"][0])(f({"u": v, "v": [v]}, 2, None))))(3.0)(1.0),
    "nested list": lambda f: grad(lambda vs: f({"u": vs[0], "v": [vs[1]]}, 2, None)["a"] * vs[0])([2.0, 3.0]),
}


@pytest.mark.parametrize("transform", CONTAINER_TRANSFORMS)
def test_containers(transform):
    run = CONTAINER_TRANSFORMS[transform]
    close(run(tower()), run(native_tower))


def test_a_container_result_keeps_its_trace():
    p = {"u": 2.0, "v": [3.0]}
    pull, y = make_vjp(tower())(p, 2, None)
    close(y, {"a": 6.0, "b": (18.0, 3)})
    close(pull({"a": 1.0, "b": (1.0, np.asarray(0))}), {"u": 3.0, "v": [14.0]})
    y, y_dot = make_jvp(tower())(p, 2, None)({"u": 1.0, "v": [1.0]})
    close(y_dot, {"a": 5.0, "b": (12.0, 0)})


def test_a_result_with_none_or_a_namedtuple_holds_boxes():
    @rb.primitive(name="pair")
    def pair(x):
        return (x**2, None, 4)

    rb.pullback(pair)(lambda y, primals, y_bar: (2 * primals[0] * y_bar[0],))
    rb.pushforward(pair)(lambda y, primals, tangents: (2 * primals[0] * tangents[0], None, None))
    assert grad(lambda x: pair(x)[0] * pair(x)[2])(3.0) == 24
    assert make_jvp(lambda x: pair(x)[0])(3.0)(1.0)[1] == 6
    assert grad(grad(lambda x: pair(x)[0]))(3.0) == 2


def test_an_integer_result_is_no_box():
    @rb.primitive(name="count")
    def count(x):
        return np.asarray(3)

    rb.pullback(count)(lambda y, primals, y_bar: (None,))
    rb.pushforward(count)(lambda y, primals, tangents: None)
    kinds = []
    grad(lambda x: (kinds.append(type(count(x))), x)[1])(1.0)
    make_jvp(lambda x: (kinds.append(type(count(x))), x)[1])(1.0)(1.0)
    assert kinds == [np.ndarray, np.ndarray]


@pytest.mark.parametrize("operator", [lambda f: grad(f), lambda f: lambda x: make_jvp(f)(x)(np.ones(2))], ids=["grad", "jvp"])
def test_a_derivative_by_integers_is_refused(operator):
    with pytest.raises(rb.RuleSignatureError, match=r"argument x.\nExpected: floating-point numbers .*\nGot: int64\nDo: pass x as floats"):
        operator(lambda x: anp.sum(Wave().wave(x, 2.0)))(np.array([1, 2]))


def test_integers_computed_from_the_input_are_constants():
    wave = Wave().wave
    close(grad(lambda x: anp.sum(wave(X, x.astype(int)) * x))(np.array([1.5, 2.5, 3.5])), np.sin(X) * np.array([1, 2, 3]))


def test_numpy_values_beside_boxes_have_shape_and_dtype():
    seen = []
    f = rb.primitive(lambda x, k, s: x * k * s, name="f")

    @rb.pullback(f)
    def _(y, primals, y_bar):
        seen.extend((np.shape(p), p.dtype.kind) for p in (*primals, y, y_bar))
        _, k, s = primals
        return y_bar * k * s, None, None

    assert grad(f)(2.0, 3, 4.0) == 12
    assert seen == [((), "f"), ((), "i"), ((), "f"), ((), "f"), ((), "f")]


# -- dtypes ------------------------------------------------------------------------------------------


def mul():
    f = rb.primitive(lambda x, y: x * y, name="mul")
    rb.pullback(f)(lambda z, primals, z_bar: (z_bar * rb.xp(*primals).conj(primals[1]), z_bar * rb.xp(*primals).conj(primals[0])))
    rb.pushforward(f)(lambda z, primals, tangents: tangents[0] * primals[1] + primals[0] * tangents[1])
    return f


Z = np.array([0.3 + 1j, 2 - 0.5j])
COMPLEX = {
    "grad": lambda f: grad(lambda z: anp.real(anp.sum(f(z, z) * (1 + 2j))))(Z),
    "real argument": lambda f: grad(lambda x: anp.imag(anp.sum(f(x, Z) ** 2)))(np.array([1.0, 2.0])),
    "jvp": lambda f: make_jvp(lambda z: f(z, Z))(Z)(Z * 1j),
    "second": lambda f: grad(lambda z: anp.imag(anp.sum(grad(lambda z: anp.real(anp.sum(f(f(z, z), Z))))(z))))(Z),
    "jvp of grad": lambda f: make_jvp(grad(lambda z: anp.real(anp.sum(f(f(z, z), Z)))))(Z)(Z * 1j),
}


@pytest.mark.parametrize("transform", COMPLEX)
def test_complex_numbers_follow_autograds_convention(transform):
    run = COMPLEX[transform]
    close(run(mul()), run(lambda x, y: x * y))


def test_float32_stays():
    x = X.astype(np.float32)
    wave = Wave(("pushforward", "pullback")).wave
    w = np.float32(2)
    assert grad(lambda x: anp.sum(wave(x, w)))(x).dtype == np.float32
    assert [v.dtype for v in make_jvp(lambda x: wave(x, w))(x)(x)] == [np.float32, np.float32]
    assert hessian(lambda x: anp.sum(wave(x, w) ** 2))(x).dtype == np.float32
    y, pull = rb.vjp(wave, x, w, engine="autograd")
    assert [v.dtype for v in (y, *pull(x))] == [np.float32] * 3


def test_empty_and_zero_dimensional_arrays():
    wave = Wave(("pushforward", "pullback")).wave
    assert grad(lambda x: anp.sum(wave(x, 2.0)))(np.zeros((0, 3))).shape == (0, 3)
    np.testing.assert_allclose(grad(lambda x: wave(x, 2.0))(np.array(0.3)), 2 * np.cos(0.3))


# -- host code -----------------------------------------------------------------------------------------


def host_cube(host_rules=True, kinds=("forward", "reverse")):
    @rb.primitive(host=True, name="cube")
    def cube(x):
        assert type(x) in (np.ndarray, np.float64)
        return np.asarray(x) ** 3

    if "forward" in kinds:
        rb.pushforward(cube, host=host_rules)(lambda y, primals, tangents: 3 * primals[0] ** 2 * tangents[0])
    if "reverse" in kinds:
        rb.pullback(cube, host=host_rules)(lambda y, primals, y_bar: (3 * primals[0] ** 2 * y_bar,))
    return cube


def test_host_rules_run_on_concrete_values():
    cube = host_cube()
    close(grad(lambda x: anp.sum(cube(x)))(X), 3 * X**2)
    close(make_jvp(cube)(X)(X)[1], 3 * X**3)


@pytest.mark.parametrize("transform", ["hessian", "jvp of grad", "grad of jvp", "third"])
def test_higher_orders_of_host_rules_are_refused(transform):
    cube = host_cube()
    with pytest.raises(rb.HigherOrderError, match=r"(pullback|pushforward) of cube \(engine autograd\), which is host code"):
        TRANSFORMS[transform](lambda x, w: cube(x))


@pytest.mark.parametrize("transform", ["hessian", "jvp of grad", "grad of jvp", "jvp of jvp", "third"])
def test_a_host_primal_with_traceable_rules_has_every_order(transform):
    cube = host_cube(host_rules=False)
    run = TRANSFORMS[transform]
    close(run(lambda x, w: cube(x)), run(lambda x, w: x**3))


def test_the_missing_direction_of_a_host_rule_is_swept():
    close(grad(lambda x: anp.sum(host_cube(kinds=("forward",))(x)))(X), 3 * X**2)
    close(make_jvp(host_cube(kinds=("reverse",)))(X)(X)[1], 3 * X**3)


# -- errors ---------------------------------------------------------------------------------------------


def with_pullback(rule, fn=lambda x: x * 2.0):
    f = rb.primitive(fn, name="f")
    rb.pullback(f)(rule)
    return f


WRONG = {
    "shape": (
        lambda y, primals, y_bar: (np.sum(y_bar),),
        rb.RuleOutputError,
        r"cotangent of x.\nExpected: shape \(3,\), float64\nGot: shape \(\), float64",
    ),
    "arity": (lambda y, primals, y_bar: (y_bar, y_bar), rb.RuleOutputError, "Expected: a tuple of 1 cotangent, for x\nGot: a tuple of 2"),
    "none": (lambda y, primals, y_bar: None, rb.RuleOutputError, "Got: None"),
    "string": (lambda y, primals, y_bar: ("g",), rb.RuleOutputError, "Expected: an array of autograd\nGot: a str"),
    "objects": (lambda y, primals, y_bar: (np.array([1, None, 2]),), rb.RuleOutputError, "Expected: an array of autograd"),
    "not implemented": (lambda y, primals, y_bar: (rb.NotImplementedTangent("why"),), rb.RuleMissingError, "NotImplementedTangent: why"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_cotangents_are_refused(case):
    rule, error, message = WRONG[case]
    f = with_pullback(rule)
    with pytest.raises(error, match=message):
        grad(lambda x: anp.sum(f(x)))(X)
    close(grad(lambda x: anp.sum(Wave().wave(x, 2.0)))(X), 2 * np.cos(X))  # nothing stays behind


def test_a_wrong_tangent_is_refused():
    f = rb.primitive(lambda x: x * 2.0, name="f")
    rb.pushforward(f)(lambda y, primals, tangents: np.ones(2))
    with pytest.raises(rb.RuleOutputError, match=r"y_dot.\nExpected: shape \(3,\), float64\nGot: shape \(2,\)"):
        make_jvp(f)(X)(X)


@pytest.mark.parametrize("boxed", [False, True])
def test_a_vector_of_a_wrong_shape_is_refused(boxed):
    wave = Wave().wave
    shape = (
        (lambda g: anp.sum(make_vjp(lambda x: wave(x, 2.0))(X)[0](g))) if boxed else (lambda g: make_vjp(lambda x: wave(x, 2.0))(X)[0](g))
    )
    with pytest.raises(rb.RuleSignatureError, match=r"y_bar.\nExpected: shape \(3,\), float64\nGot: shape \(\), float64"):
        (grad(shape) if boxed else shape)(1.0)
    with pytest.raises(rb.RuleSignatureError, match=r"tangent of x.\nExpected: shape \(3,\)"):
        make_jvp(lambda x: wave(x, 2.0))(X)(np.ones(2))


def test_a_missing_rule_says_what_to_write():
    f = rb.primitive(lambda x: x * 2.0, name="f")
    with pytest.raises(rb.RuleMissingError, match=r"a reverse rule\nGot: no rule"):
        grad(f)(1.0)
    with pytest.raises(rb.RuleMissingError, match=r"a forward rule\nGot: no rule"):
        make_jvp(f)(1.0)(1.0)


def test_an_error_of_a_rule_names_the_rule():
    def rule(y, primals, y_bar):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match=r"mine") as caught:
        grad(with_pullback(rule))(1.0)
    assert caught.value.__notes__ == ["Raised in the pullback of f, engine autograd."]

    def primal(x):
        raise KeyError("inside")

    with pytest.raises(KeyError) as found:
        grad(with_pullback(rule, primal))(1.0)
    assert found.value.__notes__[0] == "Raised in the primal of f, engine autograd."


def test_numpy_code_in_a_rule_that_meets_a_box():
    f = with_pullback(lambda y, primals, y_bar: (2.0 * float(y_bar),))
    assert grad(f)(1.0) == 2
    with pytest.raises(rb.RuleSignatureError, match=r"write it with rb.xp, or mark it host=True"):
        grad(grad(lambda x: f(x) * x))(1.0)


def test_a_value_of_the_trace_that_the_code_captured_is_refused():
    def by(where):
        def loss(c):
            f = rb.primitive((lambda x: x * c) if where == "primal" else (lambda x: x * 2.0), name="f")
            rb.pullback(f)(lambda y, primals, y_bar: (y_bar * (c if where == "pullback" else 2.0),))
            rb.pushforward(f)(lambda y, primals, tangents: tangents[0] * (c if where == "pushforward" else 2.0))
            return f(c)

        return loss

    forward = lambda f: make_jvp(f)(3.0)(1.0)
    for where, run in (
        ("primal", lambda f: grad(f)(3.0)),
        ("primal", forward),
        ("pullback", lambda f: grad(f)(3.0)),
        ("pushforward", forward),
    ):
        with pytest.raises(rb.RuleSignatureError, match=rf"{where} of f \(engine autograd\), captured variable c"):
            run(by(where))


def test_a_captured_value_is_refused_when_the_pullback_is_differentiated():
    def outer(c):
        f = rb.primitive(lambda x: x * 2.0, name="f")
        rb.pullback(f)(lambda y, primals, y_bar: (y_bar * c,))
        return f(c)

    pull, _ = make_vjp(outer)(3.0)
    with pytest.raises(rb.RuleSignatureError, match=r"captured variable c"):
        grad(lambda g: pull(g))(1.0)


def test_a_captured_value_of_an_older_trace_flows():
    def f_of(c):
        f = rb.primitive(lambda x: x * c, name="f")
        rb.pullback(f)(lambda y, primals, y_bar: (y_bar * c,))
        rb.pushforward(f)(lambda y, primals, tangents: tangents[0] * c)
        return f

    assert grad(lambda c: grad(f_of(c))(2.0))(3.0) == 1
    assert grad(lambda c: make_jvp(f_of(c))(2.0)(1.0)[1] * c)(3.0) == 6
    assert grad(lambda c: f_of(c)(2.0))(3.0) == 2


def test_a_failed_call_leaves_no_trace_open():
    from autograd.tracer import trace_stack

    before = trace_stack.top
    f = with_pullback(lambda y, primals, y_bar: (None, None))
    for operator in (rb.grad, rb.jacobian):
        with pytest.raises(rb.RuleOutputError):
            operator(lambda x: rb.xp(x).sum(f(x)), engine="autograd")(X)
        with pytest.raises(ZeroDivisionError):
            operator(lambda x: 1 / 0, engine="autograd")(X)
    assert trace_stack.top == before


# -- the engine for the operators --------------------------------------------------------------------


def test_operators():
    wave = Wave().wave
    y, y_dot = rb.jvp(wave, (X, 2.0), (X, 1.0), engine="autograd")
    close((y, y_dot), (2 * np.sin(X), 2 * np.cos(X) * X + np.sin(X)))
    y, pull = rb.vjp(lambda p, k: wave(p["x"], p["w"]), {"x": X, "w": 2.0}, 3, engine="autograd")
    p_bar, k_bar = pull(X)
    close(p_bar, {"x": 2 * np.cos(X) * X, "w": np.sum(np.sin(X) * X)})
    assert k_bar is None
    close(rb.jacobian(wave, engine="autograd")(X, 2.0), np.diag(2 * np.cos(X)))
    close(rb.hessian(lambda x: rb.xp(x).sum(wave(x, 2.0)), engine="autograd")(X), np.diag(-2 * np.sin(X)))


def test_operators_of_a_constant_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(rb.grad(lambda x: np.float64(1.0), engine="autograd")(X), np.zeros(3))
        close(rb.jvp(lambda x: (np.ones(2), 1), (X,), (X,), engine="autograd")[1], (np.zeros(2), None))


def test_complex_pullbacks_follow_the_convention_of_rules():
    _, pull = rb.vjp(mul(), Z, Z[::-1], engine="autograd")
    close(pull(np.array([1j, 2.0])), (np.array([1j, 2.0]) * np.conj(Z[::-1]), np.array([1j, 2.0]) * np.conj(Z)))
    close(rb.jacobian(lambda z: z**2, engine="autograd")(Z), np.diag(2 * Z))
    close(rb.jacobian(lambda x: x * Z, engine="autograd")(X[:2]), np.diag(Z))
    with pytest.raises(rb.RuleOutputError, match=r"a holomorphic function of complex numbers"):
        rb.jacobian(lambda z: anp.real(z), engine="autograd")(Z)


def test_namespace():
    pytest.importorskip("scipy")
    a = np.array([[2.0, 0.3], [0.3, 1.0]])
    b = np.array([1.0, 2.0])

    def through_cholesky(a):
        xp = rb.xp(a)
        c = xp.linalg.cholesky(a)
        return xp.sum(xp.linalg.cho_solve((c, True), b))

    close(grad(through_cholesky)(a), grad(lambda a: anp.sum(anp.linalg.solve((a + a.T) / 2, b)))(a))

    def names(x):
        xp = rb.xp(x)
        assert xp.asarray(x) is x
        np.testing.assert_allclose(xp.special.gammaln(4.0), np.log(6.0))
        assert xp.fft.fft is autograd.numpy.fft.fft
        for module, name in ((xp.linalg, "lu_solve"), (xp.linalg, "expm"), (xp.special, "zeta_of_nothing"), (xp, "nothing")):
            with pytest.raises(NotImplementedError, match=f"{name} has no counterpart in autograd"):
                getattr(module, name)
        return xp.sum(xp.special.gammaln(x) + xp.concat([x, x])[0] + xp.asarray([x[0], 1.0])[0])

    close(grad(names)(X), grad(lambda x: anp.sum(autograd.scipy.special.gammaln(x)) + 6 * x[0])(X))


def test_a_copy_is_differentiable():
    double = grad(lambda x: rb.xp(x).sum(rb.xp(x).copy(x) * x))
    close(double(X), 2 * X)
    close(make_jvp(lambda x: rb.xp(x).copy(x))(X)(np.ones(3))[1], np.ones(3))


def test_bind_takes_plain_values():
    f = rb.bind(Wave().wave, "autograd")
    np.testing.assert_allclose(f(X, 2.0), 2 * np.sin(X))
    np.testing.assert_allclose(grad(lambda x: anp.sum(f(x, 2.0)))(X), 2 * np.cos(X))


def test_names_that_an_autograd_lacks_are_listed(monkeypatch):
    from rulebook.bridges._autograd import trace

    monkeypatch.setattr(trace, "_NEEDED", {"core": ("VJPNode", "no_such_name")})
    with pytest.raises(ImportError, match=r"lacks autograd.core.no_such_name, which rulebook needs"):
        trace._import_names()


# -- derived directions ---------------------------------------------------------------------------------


def test_a_forward_rule_that_calls_its_function_is_transposed():
    @rb.primitive(name="double")
    def double(x):
        return rb.xp(x).asarray(x) * 2.0

    rb.pushforward(double)(lambda y, primals, tangents: 100.0 * double(tangents[0]))
    assert grad(double)(3.0) == 200
    assert grad(lambda x: double(x) * grad(double)(x))(3.0) == 200 * 200


def test_a_host_function_that_its_forward_rule_calls_cannot_be_transposed():
    double = rb.primitive(lambda x: np.asarray(x) * 2.0, name="double", host=True)
    rb.pushforward(double)(lambda y, primals, tangents: double(tangents[0]))
    with pytest.raises(rb.RuleMissingError, match=r"Expected: a reverse rule\nGot: a forward rule only"):
        grad(double)(3.0)


def test_the_namespace_of_concrete_primals_serves_traced_tangents():
    f = rb.primitive(lambda z: rb.xp(z).real(z) ** 2, name="f")
    rb.pushforward(f)(lambda y, primals, tangents: 2 * rb.xp(*primals).real(primals[0]) * rb.xp(*primals).real(tangents[0]))
    np.testing.assert_allclose(grad(lambda z: f(z))(1.5 + 2j), 3.0)
    assert rb.xp(1.0).__name__ == "numpy"


def test_a_function_that_autograd_cannot_differentiate_again_is_named():
    solve = rb.primitive(lambda a, b: rb.xp(a, b).linalg.solve(a, b), name="solve")
    rb.pullback(solve)(lambda x, primals, x_bar: (None, rb.xp(*primals, x_bar).linalg.solve(primals[0].T, x_bar)))
    with pytest.raises(rb.RuleMissingError, match=r"Got: autograd: JVP of solve"):
        make_jvp(grad(lambda b: anp.sum(solve(np.eye(2), b) ** 2)))(np.ones(2))(np.ones(2))


@pytest.mark.parametrize("number", [3, np.int64(3), np.bool_(True), np.arange(2)], ids=["int", "NumPy int", "NumPy bool", "array"])
@pytest.mark.parametrize("boxed", [True, False], ids=["tuple", "with None"])
def test_integers_beside_an_array_in_a_result(number, boxed):
    end = () if boxed else (None,)
    f = rb.primitive(lambda x: (x * 2, number, *end), name="f")
    rb.rrule(f)(lambda x: ((x * 2, number, *end), lambda bar: (bar[0] * 2,)))
    rb.frule(f)(lambda primals, dots: ((primals[0] * 2, number, *end), (dots[0] * 2, None, *end)))
    y, pullback = rb.vjp(f, X, engine="autograd")
    np.testing.assert_array_equal(y[1], number)
    close(pullback((X, None, *end))[0], 2 * X)
    close(grad(lambda x: anp.sum(f(x)[0]))(X), np.full(3, 2.0))
    y, y_dot = rb.jvp(f, (X,), (X,), engine="autograd")
    np.testing.assert_array_equal(y[1], number)
    close(y_dot[0], 2 * X)


@pytest.mark.parametrize("kind", ["pullback", "rrule", "frule"])
def test_a_rule_may_return_what_a_primitive_gave(kind):
    """Below a trace that is a box of a tuple, which stands for the tuple."""
    f = rb.primitive(lambda x, w: x * w, name="f")
    swap = rb.primitive(lambda x, w, c: (w * c, x * c), name="swap")
    rb.frule(swap)(lambda p, d: (swap(*p), (d[1] * p[2] + p[1] * d[2], d[0] * p[2] + p[0] * d[2])))
    rb.rrule(swap)(lambda x, w, c: (swap(x, w, c), lambda b: (b[1] * c, b[0] * c, b[0] * w + b[1] * x)))
    both = rb.primitive(lambda x, w, t, u: (x * w, x * u + w * t), name="both")
    rb.rrule(both)(lambda x, w, t, u: (both(x, w, t, u), lambda b: (b[0] * w + b[1] * u, b[0] * x + b[1] * t, b[1] * w, b[1] * x)))
    rules = {
        "pullback": lambda y, p, bar: swap(*p, bar),
        "rrule": lambda x, w: (f(x, w), lambda bar: swap(x, w, bar)),
        "frule": lambda p, d: both(*p, *d),
    }
    getattr(rb, kind)(f)(rules[kind])
    loss = lambda f: lambda x: anp.sum(f(x, x[::-1]) ** 3)
    close(hessian(loss(f))(X), hessian(loss(lambda x, w: x * w))(X))
