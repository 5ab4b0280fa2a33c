"""`rulebook.compat.jax`: JAX's own decorators with both modes, in every engine.

The rules carry markers: the forward rule gives 100 times the derivative, the reverse rule 10 times, so that each result
tells which of them ran.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp

import rulebook as rb
from rulebook.compat.jax import custom_jvp, custom_vjp, primitive_from

FORWARD, REVERSE = 100.0, 10.0
KINDS = {"custom_jvp": custom_jvp, "custom_vjp": custom_vjp}
X = 0.7
COS, SIN = np.cos(X), np.sin(X)


def make(kind: str, rules: str, calls: list[str] | None = None, **options: Any) -> Any:
    """sin, with rules that count their calls."""
    note = (lambda what: None) if calls is None else calls.append

    @functools.partial(KINDS[kind], **options)
    def f(x):
        """The sine."""
        note("primal")
        return jnp.sin(x)

    def jvp(primals, tangents):
        note("jvp")
        return f(*primals), FORWARD * jnp.cos(primals[0]) * tangents[0]

    def fwd(x):
        note("fwd")
        return f(x), x

    def bwd(x, y_bar):
        note("bwd")
        return (REVERSE * jnp.cos(x) * y_bar,)

    if "forward" in rules:
        f.defjvp(jvp)
    if "reverse" in rules:
        f.defvjp(fwd, bwd)
    return f


ALL = [(kind, rules) for kind in KINDS for rules in ("forward", "reverse", "forward and reverse")]
every = pytest.mark.parametrize(("kind", "rules"), ALL, ids=[f"{k}-{r.replace(' ', '-')}" for k, r in ALL])
kinds = pytest.mark.parametrize("kind", KINDS)


def marks(rules: str) -> tuple[float, float]:
    """The markers of forward mode and of reverse mode; what is not written is derived from the other."""
    return FORWARD if "forward" in rules else REVERSE, REVERSE if "reverse" in rules else FORWARD


# JAX


@every
def test_modes_of_jax(kind, rules):
    f = make(kind, rules)
    forward, reverse = marks(rules)
    for g in (f, jax.jit(f), jax.checkpoint(f)):
        np.testing.assert_allclose(jax.grad(g)(X), reverse * COS, rtol=1e-6)
        np.testing.assert_allclose(jax.jit(jax.value_and_grad(g))(X), (SIN, reverse * COS), rtol=1e-6)
        if rules == "reverse":
            with pytest.raises(TypeError, match=r"can't apply forward-mode autodiff \(jvp\) to a custom_vjp function"):
                jax.jvp(g, (X,), (1.0,))
        else:
            np.testing.assert_allclose(jax.jvp(g, (X,), (1.0,)), (SIN, forward * COS), rtol=1e-6)
            np.testing.assert_allclose(jax.jit(jax.jacfwd(g))(X), forward * COS, rtol=1e-6)


@every
def test_vmap_and_loops(kind, rules):
    f = make(kind, rules)
    _, reverse = marks(rules)
    xs = jnp.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(jax.vmap(f)(xs), np.sin(xs), rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(xs), reverse * np.cos(xs), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda xs: jax.vmap(f)(xs).sum())(xs), reverse * np.cos(xs), rtol=1e-6)
    loop = lambda x: jax.lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0]
    np.testing.assert_allclose(jax.jit(jax.grad(loop))(X), reverse**2 * COS * np.cos(SIN), rtol=1e-6)


@kinds
def test_vmap_with_both_rules_in_forward_mode(kind):
    f = make(kind, "forward and reverse")
    xs = jnp.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(jax.jvp(jax.vmap(f), (xs,), (xs,))[1], FORWARD * np.cos(xs) * xs, rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(jax.vmap(f))(xs), np.diag(FORWARD * np.cos(xs)), rtol=1e-6)
    np.testing.assert_allclose(jax.jacrev(jax.vmap(f))(xs), np.diag(REVERSE * np.cos(xs)), rtol=1e-6)


@kinds
def test_higher_orders_differentiate_the_rule_that_ran(kind):
    f = make(kind, "forward and reverse")
    for g in (f, jax.jit(f)):
        np.testing.assert_allclose(jax.grad(jax.grad(g))(X), -REVERSE * SIN, rtol=1e-6)
        np.testing.assert_allclose(jax.jacfwd(jax.grad(g))(X), -REVERSE * SIN, rtol=1e-6)
        np.testing.assert_allclose(jax.grad(lambda x, g=g: jax.jvp(g, (x,), (1.0,))[1])(X), -FORWARD * SIN, rtol=1e-6)


@kinds
def test_y_stays_linked_at_higher_orders(kind):
    """A rule that uses its own function meets the rules again."""
    f = KINDS[kind](jnp.exp)
    f.defjvp(lambda primals, tangents: (f(*primals), FORWARD * f(*primals) * tangents[0]))

    def fwd(x):
        y = f(x)
        return y, y

    f.defvjp(fwd, lambda y, y_bar: (REVERSE * y * y_bar,))
    np.testing.assert_allclose(jax.grad(jax.grad(f))(X), REVERSE**2 * np.exp(X), rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(jax.jacfwd(f))(X), FORWARD**2 * np.exp(X), rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(jax.grad(f))(X), REVERSE * FORWARD * np.exp(X), rtol=1e-6)


@kinds
@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda f: f(X), ["primal"]),
        (lambda f: jax.jvp(f, (X,), (1.0,)), ["jvp", "primal"]),
        (lambda f: jax.grad(f)(X), ["fwd", "primal", "bwd"]),
        (lambda f: jax.jacfwd(f)(X), ["jvp", "primal"]),
        (lambda f: jax.vmap(jax.grad(f))(jnp.ones(2)), ["fwd", "primal", "bwd"]),
    ],
    ids=["call", "jvp", "grad", "jacfwd", "vmap of grad"],
)
def test_each_runs_once(kind, run, expected):
    calls: list[str] = []
    run(make(kind, "forward and reverse", calls))
    assert calls == expected


@kinds
def test_with_one_kind_of_rule_the_program_is_that_of_jax(kind):
    def program(decorator: Any) -> str:
        f = decorator(jnp.sin)
        if kind == "custom_jvp":
            f.defjvp(lambda primals, tangents: (jnp.sin(*primals), jnp.cos(*primals) * tangents[0]))
        else:
            f.defvjp(lambda x: (jnp.sin(x), x), lambda x, y_bar: (jnp.cos(x) * y_bar,))
        return f"{jax.make_jaxpr(f)(X)} {jax.make_jaxpr(jax.grad(f))(X)}"

    assert program(KINDS[kind]) == program(getattr(jax, kind))


@kinds
def test_with_both_rules_the_compiled_program_is_that_of_jax(kind):
    both, jvp, vjp = KINDS[kind](jnp.sin), jax.custom_jvp(jnp.sin), jax.custom_vjp(jnp.sin)
    for f in (both, jvp):
        f.defjvp(lambda primals, tangents: (jnp.sin(*primals), FORWARD * jnp.cos(*primals) * tangents[0]))
    for f in (both, vjp):
        f.defvjp(lambda x: (jnp.sin(x), x), lambda x, y_bar: (REVERSE * jnp.cos(x) * y_bar,))
    text = lambda fn: jax.jit(lambda x: fn(x)).lower(jnp.ones(3)).as_text()
    assert text(jax.grad(lambda x: both(x).sum())) == text(jax.grad(lambda x: vjp(x).sum()))
    assert text(lambda x: jax.jvp(both, (x,), (x,))) == text(lambda x: jax.jvp(jvp, (x,), (x,)))


@kinds
def test_it_is_an_object_of_the_class_of_jax(kind):
    f = make(kind, "forward")
    assert isinstance(f, getattr(jax, kind))
    assert f.__name__ == "f" and f.__doc__ == "The sine." and f.__wrapped__ is f.fun


@kinds
def test_containers_integers_and_none(kind):
    """Every pytree that JAX knows, as argument and as result."""

    @KINDS[kind]
    def f(box, nothing, n):
        return {"y": Box(jnp.sin(box.value), box.label), "n": n + 1}

    @f.defjvp
    def _(primals, tangents):
        (box, _, n), (box_dot, _, n_dot) = primals, tangents
        assert n_dot.dtype == jax.dtypes.float0
        return f(box, None, n), {"y": Box(FORWARD * jnp.cos(box.value) * box_dot.value, box.label), "n": n_dot}

    def bwd(box, y_bar):
        assert y_bar["n"].dtype == jax.dtypes.float0
        return Box(REVERSE * jnp.cos(box.value) * y_bar["y"].value, box.label), None, None

    f.defvjp(lambda box, nothing, n: (f(box, nothing, n), box), bwd)
    g = lambda x: f(Box(x, "label"), None, 3)["y"].value
    for h in (g, jax.jit(g)):
        np.testing.assert_allclose(jax.grad(h)(X), REVERSE * COS, rtol=1e-6)
        np.testing.assert_allclose(jax.jvp(h, (X,), (1.0,))[1], FORWARD * COS, rtol=1e-6)
    assert jax.jit(lambda x: f(Box(x, "label"), None, 3)["n"])(X) == 4


@jax.tree_util.register_pytree_node_class
class Box:
    """A container that JAX knows and rulebook does not."""

    def __init__(self, value: Any, label: str) -> None:
        self.value, self.label = value, label

    def tree_flatten(self):
        return [self.value], self.label

    @classmethod
    def tree_unflatten(cls, label, values):
        return cls(values[0], label)


@kinds
def test_complex_numbers_in_the_pairing_of_jax(kind):
    f = KINDS[kind](lambda z: z * z)
    f.defjvp(lambda primals, tangents: (f(*primals), FORWARD * 2 * primals[0] * tangents[0]))
    f.defvjp(lambda z: (f(z), z), lambda z, y_bar: (REVERSE * 2 * z * y_bar,))
    z = 1.0 + 2.0j
    plain = jax.grad(lambda z: (z * z).real)(z)
    np.testing.assert_allclose(jax.grad(lambda z: f(z).real)(z), REVERSE * plain, rtol=1e-6)
    np.testing.assert_allclose(jax.jvp(f, (z,), (1.0j,))[1], FORWARD * 2 * z * 1.0j, rtol=1e-6)


@kinds
def test_plain_numbers_from_rules_and_as_cotangents(kind):
    """JAX hands them on as they are; a rule may give them too."""
    f = KINDS[kind](lambda x: 2.0 * x)
    f.defjvp(lambda primals, tangents: (f(*primals), FORWARD * tangents[0]))

    def bwd(_, y_bar):
        assert y_bar.shape == ()
        return (REVERSE,)

    f.defvjp(lambda x: (f(x), None), bwd)
    (x_bar,) = jax.vjp(f, X)[1](1.0)
    assert isinstance(x_bar, jax.Array)
    assert x_bar == REVERSE
    f.defjvp(lambda primals, tangents: (3.0, FORWARD))
    assert jax.jvp(f, (X,), (1.0,)) == (3.0, FORWARD)


@kinds
@pytest.mark.parametrize("how", ["nondiff_argnums", "nondiff_argnames"])
def test_arguments_that_are_not_differentiated(kind, how):
    @functools.partial(KINDS[kind], **{how: (0, 2) if how == "nondiff_argnums" else ("fn", "n")})
    def f(fn, x, n=2):
        return fn(x) * n

    f.defjvp(lambda fn, n, primals, tangents: (f(fn, *primals, n), FORWARD * n * tangents[0]))
    f.defvjp(lambda fn, x, n: (f(fn, x, n), None), lambda fn, n, residuals, y_bar: (REVERSE * n * y_bar,))
    np.testing.assert_allclose(jax.grad(lambda x: f(jnp.sin, x, n=3))(X), REVERSE * 3)
    np.testing.assert_allclose(jax.jvp(lambda x: f(jnp.sin, x), (X,), (1.0,)), (2 * SIN, FORWARD * 2), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.grad(lambda x: f(jnp.sin, x, [3][0])))(X), REVERSE * 3)


def test_static_arguments_that_change_between_calls():
    @functools.partial(custom_vjp, nondiff_argnums=(1,))
    def f(x, factors):
        return x * factors[0]

    f.defjvp(lambda factors, primals, tangents: (f(*primals, factors), FORWARD * factors[0] * tangents[0]))
    f.defvjp(lambda x, factors: (f(x, factors), None), lambda factors, _, y_bar: (REVERSE * factors[0] * y_bar,))
    factors = [2.0]
    assert jax.grad(lambda x: f(x, factors))(1.0) == REVERSE * 2.0
    factors[0] = 3.0
    assert jax.grad(lambda x: f(x, factors))(1.0) == REVERSE * 3.0


@kinds
def test_one_function_for_each_argument(kind):
    f = KINDS[kind](lambda x, y: x * y)
    f.defjvps(None, lambda y_dot, out, x, y: FORWARD * x * y_dot)
    f.defvjp(lambda x, y: (f(x, y), (x, y)), lambda xy, out_bar: (REVERSE * xy[1] * out_bar, REVERSE * xy[0] * out_bar))
    assert jax.jvp(f, (2.0, 3.0), (1.0, 1.0)) == (6.0, FORWARD * 2.0)
    assert jax.grad(f, argnums=(0, 1))(2.0, 3.0) == (REVERSE * 3.0, REVERSE * 2.0)


@kinds
def test_symbolic_zeros(kind):
    f = KINDS[kind](lambda x, y: x * y)
    zero = jax.custom_derivatives.SymbolicZero
    seen: list[bool] = []

    @functools.partial(f.defjvp, symbolic_zeros=True)
    def _(primals, tangents):
        seen.append(type(tangents[1]) is zero)
        return f(*primals), FORWARD * primals[1] * tangents[0]

    def fwd(x, y):
        return f(x.value, y.value), (x.value, y.value)

    f.defvjp(fwd, lambda xy, y_bar: (REVERSE * xy[1] * y_bar, REVERSE * xy[0] * y_bar), symbolic_zeros=True)
    assert jax.jvp(lambda x: f(x, 3.0), (2.0,), (1.0,))[1] == FORWARD * 3.0
    assert seen == [True]
    assert jax.grad(lambda x: f(x, 3.0))(2.0) == REVERSE * 3.0


@kinds
def test_rules_may_be_defined_again(kind):
    f = make(kind, "forward and reverse")
    assert jax.grad(f)(0.0) == REVERSE
    f.defvjp(lambda x: (f(x), None), lambda _, y_bar: (2.0 * y_bar,))
    f.defjvp(lambda primals, tangents: (f(*primals), 3.0 * tangents[0]))
    assert jax.grad(f)(0.0) == 2.0
    assert jax.jvp(f, (0.0,), (1.0,))[1] == 3.0
    assert rb.grad(f.primitive, engine="dual")(0.0) == 3.0


def test_keys_and_options_of_remat():
    @custom_vjp
    def noisy(key, x):
        return x * jax.random.normal(key, x.shape)

    def fwd(key, x):
        noise = jax.random.normal(key, x.shape)
        return x * noise, noise

    noisy.defvjp(fwd, lambda noise, y_bar: (None, REVERSE * noise * y_bar), optimize_remat=True)
    noisy.defjvp(lambda primals, tangents: (noisy(*primals), FORWARD * noisy(primals[0], tangents[1])))
    key, x = jax.random.key(0), jnp.ones(2)
    noise = noisy(key, x)
    np.testing.assert_allclose(jax.grad(lambda x: noisy(key, x).sum())(x), REVERSE * noise, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda x: jax.jvp(functools.partial(noisy, key), (x,), (x,))[1])(x), FORWARD * noise, rtol=1e-6)


# the missing direction


@kinds
def test_forward_mode_is_derived_on_request(kind):
    f = make(kind, "reverse", derive=True)
    for g in (f, jax.jit(f)):
        np.testing.assert_allclose(jax.jvp(g, (X,), (1.0,)), (SIN, REVERSE * COS), rtol=1e-6)
        np.testing.assert_allclose(jax.jacfwd(jax.jacfwd(g))(X), -REVERSE * SIN, rtol=1e-6)
        np.testing.assert_allclose(jax.grad(g)(X), REVERSE * COS, rtol=1e-6)


def test_what_is_not_linear_is_not_transposed():
    """A gradient that is clipped has no forward mode."""
    clipped = custom_vjp(lambda x: x, derive=True)
    clipped.defvjp(lambda x: (x, None), lambda _, y_bar: (jnp.clip(y_bar, -1.0, 1.0),))
    assert jax.grad(lambda x: 5.0 * clipped(x))(1.0) == 1.0
    with pytest.raises(NotImplementedError, match="Transpose rule"):
        jax.jvp(clipped, (1.0,), (5.0,))


# other engines


def maker(engine: str) -> Callable[[Any], Any]:
    """What makes a value of the engine."""
    if engine == "torch":
        torch = pytest.importorskip("torch")
        return lambda x: torch.tensor(x, dtype=torch.float64)
    if engine != "dual":
        pytest.importorskip(engine)
    return np.float64


@every
@pytest.mark.parametrize("engine", ["torch", "autograd", "dual"])
def test_other_engines(kind, rules, engine):
    value = maker(engine)
    forward, reverse = marks(rules)
    calls: list[str] = []
    f = make(kind, rules, calls)
    y, y_dot = rb.jvp(f, (value(X),), (value(1.0),), engine=engine)
    np.testing.assert_allclose([float(y), float(y_dot)], [SIN, forward * COS], rtol=1e-14)
    calls.clear()
    y, pull = rb.vjp(f, value(X), engine=engine)
    mode = forward if engine == "dual" else reverse  # dual numbers have forward mode alone
    np.testing.assert_allclose([float(y), float(pull(value(1.0))[0])], [SIN, mode * COS], rtol=1e-14)
    assert calls.count("primal") == 1
    hidden = "jvp" if engine == "dual" else "bwd"
    assert calls.count(hidden) <= 1


@every
def test_torch_itself(kind, rules):
    torch = pytest.importorskip("torch")
    forward, reverse = marks(rules)
    f = make(kind, rules)
    x = torch.tensor([X, 0.1], requires_grad=True)
    y = f(x)
    assert y.dtype == torch.float32
    y.sum().backward()
    np.testing.assert_allclose(x.grad, reverse * np.cos([X, 0.1]), rtol=1e-6)
    xs = torch.tensor([X, 0.1], dtype=torch.float64)
    torch.testing.assert_close(torch.func.jvp(f, (xs,), (torch.ones_like(xs),))[1], forward * torch.cos(xs))
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(f))(xs), reverse * torch.cos(xs))


@every
@pytest.mark.parametrize("engine", ["torch", "autograd"])
def test_second_order_in_other_engines(kind, rules, engine):
    f, x = make(kind, rules), maker(engine)(X)
    first = rb.grad(f, engine=engine)
    np.testing.assert_allclose(float(first(x)), marks(rules)[1] * COS, rtol=1e-12)
    np.testing.assert_allclose(float(rb.grad(first, engine=engine)(x)), -marks(rules)[1] * SIN, rtol=1e-12)


@kinds
def test_forward_over_forward_with_a_reverse_rule_alone(kind):
    """The rule calls its function, which then needs both modes as well."""
    f = make(kind, "reverse")
    np.testing.assert_allclose(rb.second_derivative(f, engine="dual")(X), -REVERSE * SIN, rtol=1e-12)
    with pytest.raises(TypeError, match="can't apply forward-mode autodiff"):
        jax.jvp(f, (X,), (1.0,))


@kinds
def test_complex_numbers_in_torch(kind):
    torch = pytest.importorskip("torch")
    f = KINDS[kind](lambda z: z * z)
    f.defjvp(lambda primals, tangents: (f(*primals), FORWARD * 2 * primals[0] * tangents[0]))
    f.defvjp(lambda z: (f(z), z), lambda z, y_bar: (REVERSE * 2 * z * y_bar,))
    z = torch.tensor(1.0 + 2.0j, dtype=torch.complex128, requires_grad=True)
    f(z).real.backward()
    w = z.detach().clone().requires_grad_()
    (w * w).real.backward()
    torch.testing.assert_close(z.grad, REVERSE * w.grad)


@kinds
def test_options_by_name_in_other_engines(kind):
    torch = pytest.importorskip("torch")

    @functools.partial(KINDS[kind], nondiff_argnums=(0, 2))
    def f(fn, x, n=2):
        return {"y": fn(x["a"]) * n}

    f.defjvp(lambda fn, n, primals, tangents: (f(fn, *primals, n), {"y": FORWARD * n * tangents[0]["a"]}))
    x = torch.tensor(X, requires_grad=True)
    f(jnp.sin, {"a": x}, n=3)["y"].backward()
    assert x.grad == FORWARD * 3
    assert rb.rules(f.primitive).name.endswith("f")
    np.testing.assert_allclose(rb.bind(f.primitive, "torch")({"a": x}, fn=jnp.sin)["y"].detach(), 2 * SIN, rtol=1e-6)


@kinds
def test_numpy_values_go_to_jax(kind):
    assert isinstance(make(kind, "forward")(np.float32(X)), jax.Array)


# existing functions of JAX


@pytest.mark.parametrize("rules", ["forward", "reverse"])
def test_existing_functions(rules):
    torch = pytest.importorskip("torch")
    if rules == "forward":
        f: Any = jax.custom_jvp(jnp.sin)
        f.defjvp(lambda primals, tangents: (f(*primals), FORWARD * jnp.cos(*primals) * tangents[0]))
    else:
        f = jax.custom_vjp(jnp.sin)
        f.defvjp(lambda x: (f(x), x), lambda x, y_bar: (REVERSE * jnp.cos(x) * y_bar,))
    forward, reverse = marks(rules)
    p = primitive_from(f, name=f"existing_{rules}")
    assert p.name == f"existing_{rules}"
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    p(x).backward()
    np.testing.assert_allclose(x.grad, reverse * COS, rtol=1e-14)
    np.testing.assert_allclose(rb.grad(p, engine="dual")(X), forward * COS, rtol=1e-14)
    np.testing.assert_allclose(jax.grad(p)(X), reverse * COS, rtol=1e-6)
    np.testing.assert_allclose(jax.jvp(p, (X,), (1.0,))[1], forward * COS, rtol=1e-6)


def test_a_function_of_jax_itself():
    torch = pytest.importorskip("torch")
    relu = primitive_from(jax.nn.relu)
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    relu(x).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 0.0, 1.0])


def test_the_checker_finds_a_wrong_rule():
    from rulebook.testing import check_rules

    f = custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (f(*primals), jnp.cos(*primals) * tangents[0]))
    check_rules(f.primitive, X)
    with pytest.raises(rb.RuleCheckError, match="times 100"):
        check_rules(make("custom_jvp", "forward").primitive, X)


def test_own_functions_have_one_primitive():
    f = make("custom_jvp", "forward")
    assert primitive_from(f) is f.primitive


# bad input


@kinds
def test_no_rule_at_all(kind):
    f = KINDS[kind](jnp.sin)
    what = "JVP" if kind == "custom_jvp" else "VJP"
    with pytest.raises(AttributeError, match=f"No {what} defined for {kind} function sin"):
        f(1.0)


def test_functions_without_rules_are_refused():
    with pytest.raises(rb.RuleSignatureError, match=r"primitive_from of sin.(\n|.)*Do: use rb.differentiate_with\(sin, 'jax'\)"):
        primitive_from(np.sin)
    with pytest.raises(rb.RuleMissingError, match=r"primitive_from of (\n|.)*Do: call its defvjp first"):
        primitive_from(jax.custom_vjp(lambda x: x))


@kinds
def test_keywords_that_jax_refuses(kind):
    f = make(kind, "forward and reverse")
    with pytest.raises(TypeError, match=f"The input arguments to the {kind}-decorated function f could not be resolved"):
        f(X, wrong=1.0)


@kinds
def test_values_of_two_engines(kind):
    torch = pytest.importorskip("torch")
    f = KINDS[kind](lambda x, y: x * y)
    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
    with pytest.raises(rb.MixedEnginesError, match="values of jax and torch"):
        f(jnp.ones(2), torch.ones(2))


@kinds
def test_a_tracer_among_options(kind):
    f = KINDS[kind](lambda n, x: n * x, nondiff_argnums=(0,))
    f.defjvp(lambda n, primals, tangents: (f(n, *primals), n * tangents[0]))
    f.defvjp(lambda n, x: (f(n, x), None), lambda n, _, y_bar: (n * y_bar,))
    with pytest.raises(jax.errors.UnexpectedTracerError, match="nondiff_argnums"):
        jax.jit(jax.grad(f, argnums=1))(2.0, X)


@kinds
def test_captured_values_are_refused_with_both_rules(kind):
    def outer(theta):
        f = KINDS[kind](lambda x: theta * x)
        f.defjvp(lambda primals, tangents: (f(*primals), theta * tangents[0]))
        f.defvjp(lambda x: (f(x), None), lambda _, y_bar: (theta * y_bar,))
        return jax.grad(f)(X)

    with pytest.raises(rb.RuleSignatureError, match=r"Do: pass .*theta as a positional argument"):
        jax.grad(outer)(2.0)


@kinds
@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda f: jax.grad(f)(X), "Custom VJP bwd rule must produce an output with the same container"),
        (lambda f: jax.jvp(f, (X,), (1.0,)), "Custom JVP rule must produce primal and tangent outputs with corresponding shapes"),
    ],
    ids=["reverse", "forward"],
)
def test_wrong_results_of_rules_as_in_jax(kind, run, message):
    f = KINDS[kind](lambda x: x)
    f.defjvp(lambda primals, tangents: (f(*primals), jnp.reshape(tangents[0], (1,))))
    f.defvjp(lambda x: (x, None), lambda _, y_bar: (y_bar, y_bar))
    with pytest.raises(TypeError, match=message):
        run(f)


def test_compiled_by_torch():
    torch = pytest.importorskip("torch")
    f = make("custom_jvp", "forward and reverse")
    x = torch.tensor([X, 0.1], requires_grad=True)
    torch.compile(lambda x: f(x).sum(), backend="aot_eager", fullgraph=True)(x).backward()
    np.testing.assert_allclose(x.grad, REVERSE * np.cos([X, 0.1]), rtol=1e-6)
