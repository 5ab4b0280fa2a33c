"""`rulebook.compat.autograd`: rules in autograd's spelling on every engine.

The rules carry markers: vjps give 10 times the derivative and jvps 100 times, so that each result tells which of them ran.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from itertools import product

import numpy as np
import pytest

pytest.importorskip("autograd")

import autograd
import autograd.numpy as anp
from autograd.extend import primitive as autograd_primitive
from autograd.test_util import check_grads

import rulebook as rb
from rulebook.compat.autograd import (
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    imported,
    notrace_primitive,
    primitive,
    vspace,
)

REVERSE, FORWARD = 10.0, 100.0
X, Y = 0.7, 1.3
ENGINES = ["autograd", "dual", *(name for name in ("jax", "torch") if find_spec(name))]
every_engine = pytest.mark.parametrize("engine", ENGINES)
every_rules = pytest.mark.parametrize("rules", ["vjp", "jvp", "vjp jvp"])


def make(rules, calls=None):
    """sin(x) * y ** n."""

    @primitive
    def f(x, y, n=2):
        """A product."""
        if calls is not None:
            calls.append("primal")
        return np.sin(x) * y**n

    if "vjp" in rules:
        defvjp(
            f,
            lambda ans, x, y, n=2: lambda g: REVERSE * g * anp.cos(x) * y**n,
            lambda ans, x, y, **options: lambda g: REVERSE * g * anp.sin(x) * options["n"] * y ** (options["n"] - 1),
        )
    if "jvp" in rules:
        defjvp(
            f,
            lambda g, ans, x, y, n=2: FORWARD * g * anp.cos(x) * y**n,
            lambda g, ans, x, y, n=2: FORWARD * g * anp.sin(x) * n * y ** (n - 1),
        )
    return f


def forward_marker(rules):
    return FORWARD if "jvp" in rules else REVERSE


def reverse_marker(rules, engine):
    """With more tangents than results, as here, dual numbers run the reverse rule of host code."""
    return REVERSE if "vjp" in rules else forward_marker(rules)


def partials(n=2):
    return np.array([np.cos(X) * Y**n, np.sin(X) * n * Y ** (n - 1)])


# -- which rule runs -----------------------------------------------------------------------------------


@every_engine
@every_rules
def test_each_mode_runs_its_rule(engine, rules):
    f = make(rules)
    value = lambda x, y: f(x, y, n=3)
    assert f.__name__ == "f" and f.__doc__ == "A product."
    np.testing.assert_allclose(rb.jvp(value, (X, Y), (1.0, 0.0), engine=engine)[1], forward_marker(rules) * partials(3)[0])
    np.testing.assert_allclose(rb.jvp(value, (X, Y), (1.0, 2.0), engine=engine)[1], forward_marker(rules) * partials(3) @ [1, 2])
    np.testing.assert_allclose(rb.grad(value, argnums=(0, 1), engine=engine)(X, Y), reverse_marker(rules, engine) * partials(3))


@every_engine
@every_rules
@pytest.mark.parametrize("operator", ["jvp", "vjp"])
def test_the_function_runs_once(engine, rules, operator):
    calls = []
    f, x = make(rules, calls), np.array(X)
    value = lambda x: f(x, Y, n=2)
    for _ in range(2):  # an engine may look at a first call to learn what the result is
        calls.clear()
        if operator == "jvp":
            rb.jvp(value, (x,), (np.ones(()),), engine=engine)
        else:
            rb.vjp(value, x, engine=engine)[1](np.ones(()))
    assert len(calls) == 1


@every_engine
@every_rules
def test_second_derivatives(engine, rules):
    f = make(rules)
    found = rb.hessian(lambda x: f(x, Y, n=2), engine=engine)(X)
    marker = abs(found / (np.sin(X) * Y**2))
    assert any(np.isclose(marker, m) for m in (FORWARD, REVERSE))
    np.testing.assert_allclose(found, -marker * np.sin(X) * Y**2)


def test_third_derivatives():
    @primitive
    def exponential(x):
        return np.exp(x)

    defvjp(exponential, lambda ans, x: lambda g: g * ans)
    np.testing.assert_allclose(autograd.grad(autograd.grad(autograd.grad(exponential)))(X), np.exp(X))
    check_grads(exponential, modes=["fwd", "rev"], order=3)(X)


# -- autograd's own functions -----------------------------------------------------------------------------


@every_rules
def test_autograds_own_functions(rules):
    f = make(rules)
    value = lambda x, y: f(x, y, n=2)
    np.testing.assert_allclose(autograd.grad(value, (0, 1))(X, Y), reverse_marker(rules, "autograd") * partials())
    np.testing.assert_allclose(autograd.make_jvp(value)(X, Y)(1.0)[1], forward_marker(rules) * partials()[0])
    np.testing.assert_allclose(
        autograd.jacobian(lambda x: f(x, Y, n=2))(np.array([X, 0.1])), reverse_marker(rules, "autograd") * Y**2 * np.diag(np.cos([X, 0.1]))
    )
    assert autograd.value_and_grad(value)(X, Y)[0] == value(X, Y)


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_transformations(engine):
    pytest.importorskip(engine)
    f, points = make("vjp jvp"), np.array([X, 0.1, 1.3])
    value = lambda x: f(x, Y, n=2)
    expected = np.cos(points) * Y**2
    if engine == "jax":
        import jax

        compiled = jax.jit(jax.grad(value))
        np.testing.assert_allclose([compiled(x) for x in points], REVERSE * expected)
        np.testing.assert_allclose(jax.jit(jax.vmap(value))(points), np.sin(points) * Y**2)
        np.testing.assert_allclose(jax.vmap(jax.grad(value))(points), REVERSE * expected)
        np.testing.assert_allclose(jax.jacfwd(value)(points), FORWARD * np.diag(expected), atol=1e-12)
        np.testing.assert_allclose(jax.hessian(value)(X), -REVERSE * np.sin(X) * Y**2, rtol=1e-6)
    else:
        import torch

        x = torch.tensor(points, requires_grad=True)
        np.testing.assert_allclose(torch.autograd.grad(value(x).sum(), x)[0], REVERSE * expected)
        np.testing.assert_allclose(torch.func.vmap(torch.func.grad(value))(x.detach()), REVERSE * expected)
        np.testing.assert_allclose(torch.func.jacfwd(value)(x.detach()), FORWARD * np.diag(expected), atol=1e-12)
        compiled = torch.compile(value, backend="aot_eager", fullgraph=True)
        for shift in (0.0, 0.5):
            y = (x.detach() + shift).requires_grad_()
            np.testing.assert_allclose(torch.autograd.grad(compiled(y).sum(), y)[0], REVERSE * np.cos(points + shift) * Y**2)


# -- every spelling of a rule ---------------------------------------------------------------------------


def product_rules(f, spelling):
    """The rules of x * y, in one spelling."""
    other = lambda argnum, args: args[1 - argnum]
    match spelling:
        case "defvjp":
            defvjp(f, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x)
        case "defvjp argnums":
            defvjp(f, lambda ans, x, y: lambda g: g * x, lambda ans, x, y: lambda g: g * y, argnums=(1, 0))
        case "defvjp_argnum":
            defvjp_argnum(f, lambda argnum, ans, args, kwargs: lambda g: g * other(argnum, args))
        case "defvjp_argnums":
            defvjp_argnums(f, lambda argnums, ans, args, kwargs: lambda g: [g * other(i, args) for i in argnums])
        case "defjvp":
            defjvp(f, lambda g, ans, x, y: g * y, lambda g, ans, x, y: x * g)
        case "defjvp same":
            defjvp(f, "same", "same")
        case "defjvp_argnum":
            defjvp_argnum(f, lambda argnum, g, ans, args, kwargs: g * other(argnum, args))
        case "defjvp_argnums":
            defjvp_argnums(f, lambda argnums, gs, ans, args, kwargs: sum(g * other(i, args) for i, g in zip(argnums, gs, strict=True)))
        case "def_linear":
            def_linear(f)


REVERSES = ["defvjp", "defvjp argnums", "defvjp_argnum", "defvjp_argnums"]
FORWARDS = ["defjvp", "defjvp same", "defjvp_argnum", "defjvp_argnums", "def_linear"]


@every_engine
@pytest.mark.parametrize("spelling", [*REVERSES, *FORWARDS])
def test_spellings(engine, spelling):
    f = primitive(lambda x, y: x * y)
    product_rules(f, spelling)
    dots, a = np.array([0.5, -2.0]), np.array([1.0, 2.0])
    np.testing.assert_allclose(rb.jvp(f, (a, a + 1), (dots, 3 * dots), engine=engine)[1], dots * (a + 1) + 3 * dots * a)
    if spelling in REVERSES:
        np.testing.assert_allclose(rb.vjp(f, a, a + 1, engine=engine)[1](dots), [dots * (a + 1), dots * a])


@every_engine
def test_none_is_zero(engine):
    f = primitive(lambda x, y: x * y)
    defvjp(f, None, lambda ans, x, y: lambda g: g * x)
    defjvp(f, lambda g, ans, x, y: g * y, None)
    np.testing.assert_allclose(rb.grad(f, argnums=(0, 1), engine=engine)(X, Y), [0, X])
    np.testing.assert_allclose(rb.jvp(f, (X, Y), (1.0, 1.0), engine=engine)[1], Y)


@every_engine
def test_notrace(engine):
    f = notrace_primitive(np.floor)
    assert rb.grad(lambda x: f(x) * x, engine=engine)(2.5) == 2


# -- arguments ------------------------------------------------------------------------------------------


@every_engine
def test_arguments_arrive_as_they_are_passed(engine):
    seen = []

    @primitive
    def total(x, axis, scale, mode=None, weights=None, sizes=()):
        assert type(axis) is int and type(scale) is float and type(sizes) is list
        return np.sum(x * weights, axis) * scale

    def maker(ans, x, axis, scale, **options):
        seen.append((axis, scale, *(options[k] for k in ("mode", "sizes"))))
        return lambda g: scale * anp.expand_dims(g, axis) * options["weights"] * anp.ones_like(x)

    defvjp(total, maker, None, None)
    x, weights = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0])
    value = lambda x: total(x, 1, 0.5, mode="sum", weights=weights, sizes=[1, 2])
    y_bar = np.array([1.0, -1.0])
    for _ in range(2):
        y, pull = rb.vjp(value, x, engine=engine)
        np.testing.assert_allclose(y, 0.5 * (x * weights).sum(1))
        np.testing.assert_allclose(pull(y_bar)[0], 0.5 * np.outer(y_bar, weights))
    assert set(map(str, seen)) == {str((1, 0.5, "sum", [1, 2]))}


@every_engine
def test_containers(engine):
    @primitive
    def dot(pair):
        return np.dot(pair[0], pair[1])

    defvjp(dot, lambda ans, pair: lambda g: (g * pair[1], g * pair[0]))
    a, b = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    np.testing.assert_allclose(rb.grad(lambda a, b: dot((a, b)), argnums=(0, 1), engine=engine)(a, b), (b, a))


@every_engine
def test_several_results(engine):
    @primitive
    def both(x):
        return np.sin(x), np.cos(x)

    defvjp(both, lambda ans, x: lambda g: g[0] * ans[1] - g[1] * ans[0])
    (s, c), pull = rb.vjp(both, X, engine=engine)
    np.testing.assert_allclose([s, c], [np.sin(X), np.cos(X)])
    np.testing.assert_allclose(pull((np.array(2.0), np.array(3.0)))[0], 2 * np.cos(X) - 3 * np.sin(X))


COMPLEX = {
    "square": (lambda z: z**2, lambda ans, z: lambda g: 2 * z * g, lambda z, t: 2 * z * t),
    "conjugate": (np.conj, lambda ans, z: lambda g: anp.conj(g), lambda z, t: np.conj(t)),
    "real part": (np.real, lambda ans, z: lambda g: g + 0j, lambda z, t: np.real(t)),
    "modulus": (
        np.abs,
        lambda ans, z: lambda g: g * anp.conj(z) / ans,
        lambda z, t: np.real(np.conj(z) * t) / np.abs(z),
    ),
}


@every_engine
@pytest.mark.parametrize("function", COMPLEX)
def test_complex_numbers(engine, function):
    """The vjps are autograd's, which pairs without conjugation; rulebook pairs with it."""
    fn, maker, push = COMPLEX[function]
    f = primitive(fn)
    defvjp(f, maker)
    z, t = np.array(1 + 2j), np.array(0.3 - 0.7j)
    y, pull = rb.vjp(f, z, engine=engine)
    np.testing.assert_allclose(rb.jvp(f, (z,), (t,), engine=engine)[1], push(z, t))
    y_bar = np.array(2.0) if y.dtype.kind == "f" else np.array(2 - 1j)
    (z_bar,) = pull(y_bar)
    np.testing.assert_allclose(np.real(np.conj(z_bar) * t), np.real(np.conj(y_bar) * push(z, t)))
    same = getattr(anp, {"square": "square", "conjugate": "conj", "real part": "real", "modulus": "abs"}[function])
    if function != "square":
        vjp = autograd.make_vjp(same)(z)[0]
        np.testing.assert_allclose(autograd.make_vjp(f)(z)[0](np.conj(y_bar)), vjp(np.conj(y_bar)))


# -- rules that autograd has ----------------------------------------------------------------------------


def test_the_rules_of_autograds_functions():
    """The same results as autograd's, and forward mode where autograd has none."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 3)) + 3 * np.eye(3), rng.standard_normal(3)
    for fun, args in [
        (anp.linalg.solve, (a, b)),
        (anp.sort, (b,)),
        (anp.linalg.inv, (a,)),
        (anp.maximum, (b, b[::-1].copy())),
        (anp.tanh, (b,)),
    ]:
        f = imported(fun)
        np.testing.assert_allclose(f(*args), fun(*args))
        n = len(args) - 1
        y_bar = np.ones_like(fun(*args))
        expected = autograd.make_vjp(fun, n)(*args)[0](y_bar)
        tangent = rng.standard_normal(np.shape(args[n]))
        for engine in ENGINES:
            value = lambda x, f=f, args=args, n=n: f(*args[:n], x)
            np.testing.assert_allclose(rb.vjp(value, args[n], engine=engine)[1](y_bar)[0], expected)
            y_dot = rb.jvp(value, (args[n],), (tangent,), engine=engine)[1]
            np.testing.assert_allclose(np.sum(y_bar * y_dot), np.sum(expected * tangent))


def test_an_own_primitive_of_autograd():
    @autograd_primitive
    def cube(x):
        return x**3

    autograd.extend.defvjp(cube, lambda ans, x: lambda g: REVERSE * 3 * x**2 * g)
    f = imported(cube)
    for engine in ENGINES:
        np.testing.assert_allclose(rb.grad(f, engine=engine)(2.0), REVERSE * 12)
        np.testing.assert_allclose(rb.derivative(f, engine=engine)(2.0), REVERSE * 12)


# -- what is refused --------------------------------------------------------------------------------------


def in_plain_numbers():
    f = primitive(np.exp)
    defvjp(f, lambda ans, x: lambda g: g * math.exp(x))  # NumPy's ufuncs would pass: autograd has them dispatch
    return f


def in_numpys_arrays():
    f = primitive(lambda x: np.sum(np.sin(x)))
    defvjp(f, lambda ans, x: lambda g: g * np.where(x > 0, np.cos(x), np.cos(x)))
    return f


def without_rules():
    return primitive(np.exp)


def for_one_argument():
    f = primitive(np.multiply)
    defvjp(f, lambda ans, x, y: lambda g: g * y)
    defjvp(f, lambda g, ans, x, y: g * y)
    return f


def linear():
    f = primitive(lambda x: 2 * x)
    def_linear(f)
    return f


def wrong_shape():
    f = primitive(np.sum)
    defvjp(f, lambda ans, x: lambda g: g)
    return f


second = lambda f, engine: rb.hessian(f, engine=engine)(X)
first = lambda f, engine: rb.grad(f, engine=engine)(X)
forward = lambda f, engine: rb.derivative(f, engine=engine)(X)
second_of_vector = lambda f, engine: rb.hessian(f, engine=engine)(np.ones(3))
of_second = lambda f, engine: rb.grad(lambda y: f(X, y), engine=engine)(Y)
of_second_forward = lambda f, engine: rb.derivative(lambda y: f(X, y), engine=engine)(Y)
of_keyword = lambda f, engine: rb.grad(lambda n: f(np.array(X), np.array(Y), n=n), engine=engine)(2.0)
of_vector = lambda f, engine: rb.grad(f, engine=engine)(np.ones(3))

GAPS = {  # function, what is asked for, error, message, engines that do it all the same
    "a rule in plain numbers, twice": (in_plain_numbers, second, rb.HigherOrderError, "write the rule with autograd.numpy", ()),
    "a rule of NumPy's, twice": (in_numpys_arrays, second_of_vector, rb.HigherOrderError, "write the rule with autograd.numpy", ()),
    "no rule, reverse": (without_rules, first, NotImplementedError, "exp", ()),
    "no rule, forward": (without_rules, forward, NotImplementedError, "exp", ()),
    "no vjp of an argument": (for_one_argument, of_second, rb.RuleMissingError, r"argument 1\.\nExpected: a [vj]+p", ()),
    "no jvp of an argument": (for_one_argument, of_second_forward, rb.RuleMissingError, r"argument 1\.\nExpected: a jvp", ()),
    "a keyword": (lambda: make("vjp jvp"), of_keyword, NotImplementedError, "by keyword", ()),
    "def_linear, reverse": (linear, first, rb.RuleMissingError, "a reverse rule\nGot: a forward rule only", ("dual",)),
    "a cotangent of a wrong shape": (wrong_shape, of_vector, rb.RuleOutputError, r"shape \(3,\)", ()),
}


@pytest.mark.parametrize(("gap", "engine"), list(product(GAPS, ENGINES)))
def test_gaps(gap, engine):
    make_one, ask, error, message, able = GAPS[gap]
    if engine in able:
        np.testing.assert_allclose(ask(make_one(), engine), 2.0)
        return
    with pytest.raises(error, match=message):
        ask(make_one(), engine)


def test_a_rule_in_plain_numbers_has_the_first_order():
    f = in_plain_numbers()
    for engine in ENGINES:
        np.testing.assert_allclose(rb.grad(f, engine=engine)(X), np.exp(X))
        np.testing.assert_allclose(rb.derivative(f, engine=engine)(X), np.exp(X))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: defvjp(np.sin, lambda ans, x: lambda g: g), "defvjp of sin"),
        (lambda: defvjp(primitive(np.sin), 3), r"defvjp of .*sin, argument 0\.\nExpected: a maker of a vjp, or None\nGot: 3"),
        (lambda: defjvp(primitive(np.sin), "similar"), r"defjvp of .*sin, argument 0\.\nExpected: a jvp, \"same\" or None\nGot: 'similar'"),
        (lambda: imported(np.sin), "sin, which is none"),
        (lambda: imported(autograd_primitive(lambda x: x)), "which has none"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(rb.RuleSignatureError, match=message):
        call()


def test_names_of_autograd_extend():
    assert vspace(np.ones(3)).size == 3
