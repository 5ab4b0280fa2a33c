"""What JAX does with a primitive beyond the conformance cells: which rule runs, how often, and what is refused."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rulebook as rb

jax = pytest.importorskip("jax")
jnp = jax.numpy
FORWARD, REVERSE = 100.0, 1000.0
shard_map = getattr(jax, "shard_map", None)
if shard_map is None:  # before JAX 0.6
    from jax.experimental.shard_map import shard_map


def marked(rules: str) -> Any:
    """sin(x) w; its forward rule is 100 times the derivative, its reverse rule 1000 times."""

    @rb.primitive
    def sine(x, w):
        return rb.xp(x, w).sin(x) * w

    if "f" in rules:

        @rb.frule(sine)
        def _(primals, tangents):
            (x, w), (x_dot, w_dot) = primals, tangents
            xp = rb.xp(x, w)
            return xp.sin(x) * w, FORWARD * (xp.cos(x) * w * x_dot + xp.sin(x) * w_dot)

    if "r" in rules:

        @rb.rrule(sine)
        def _(x, w):
            xp = rb.xp(x, w)
            s = xp.sin(x)
            return s * w, lambda y_bar: (
                REVERSE * rb.project(x, xp.cos(x) * w * y_bar),
                rb.thunk(lambda: REVERSE * rb.project(w, s * y_bar)),
            )

    return sine


X = np.array([0.5, 1.0, 1.5])
W = np.array([2.0, 3.0, 4.0])
SLOPE = np.cos(X) * W
MODES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "grad": ("r", lambda f: jax.grad(lambda x: f(x, W).sum())(X)),
    "jit of grad": ("r", lambda f: jax.jit(jax.grad(lambda x: f(x, W).sum()))(X)),
    "grad of jit": ("r", lambda f: jax.grad(jax.jit(lambda x: f(x, W).sum()))(X)),
    "vjp": ("r", lambda f: jax.vjp(lambda x: f(x, W), X)[1](jnp.ones(3))[0]),
    "jacrev": ("r", lambda f: jnp.diag(jax.jacrev(lambda x: f(x, W))(X))),
    "grad of vmap": ("r", lambda f: jax.grad(lambda x: jax.vmap(f)(x, W).sum())(X)),
    "vmap of grad": ("r", lambda f: jax.vmap(jax.grad(f))(X, W)),
    "grad of scan": ("r", lambda f: jax.grad(lambda x: jax.lax.scan(lambda c, xw: (c + f(*xw), None), 0.0, (x, W))[0])(X)),
    "grad of checkpoint": ("r", lambda f: jax.grad(jax.checkpoint(lambda x: f(x, W).sum()))(X)),
    "transposed linearize": ("r", lambda f: jax.linear_transpose(jax.linearize(lambda x: f(x, W), X)[1], X)(jnp.ones(3))[0]),
    "jvp": ("f", lambda f: jax.jvp(lambda x: f(x, W), (X,), (jnp.ones(3),))[1]),
    "jit of jvp": ("f", lambda f: jax.jit(lambda x: jax.jvp(lambda x: f(x, W), (x,), (jnp.ones(3),))[1])(X)),
    "jvp of jit": ("f", lambda f: jax.jvp(jax.jit(lambda x: f(x, W)), (X,), (jnp.ones(3),))[1]),
    "linearize": ("f", lambda f: jax.linearize(lambda x: f(x, W), X)[1](jnp.ones(3))),
    "jacfwd": ("f", lambda f: jnp.diag(jax.jacfwd(lambda x: f(x, W))(X))),
    "jvp of vmap": ("f", lambda f: jax.jvp(lambda x: jax.vmap(f)(x, W), (X,), (jnp.ones(3),))[1]),
    "jvp of while_loop": (
        "f",
        lambda f: jax.jvp(lambda x: jax.lax.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, f(x, W)), (0, x))[1], (X,), (jnp.ones(3),))[
            1
        ],
    ),
}


@pytest.mark.parametrize("rules", ["f", "r", "fr"])
@pytest.mark.parametrize("mode", MODES)
def test_each_mode_runs_the_rule_of_its_direction(mode: str, rules: str) -> None:
    direction, run = MODES[mode]
    ran = direction if direction in rules else rules
    np.testing.assert_allclose(run(marked(rules)), {"f": FORWARD, "r": REVERSE}[ran] * SLOPE, rtol=1e-12)


def test_rules_that_disagree_meet_each_other_at_second_order() -> None:
    f = marked("fr")
    loss = lambda x: f(x, 2.0)
    second = -2 * math.sin(0.5)
    assert float(jax.jvp(jax.grad(loss), (0.5,), (1.0,))[1]) == pytest.approx(REVERSE * second)
    assert float(jax.grad(jax.grad(loss))(0.5)) == pytest.approx(REVERSE * second)
    assert float(jax.grad(lambda x: jax.jvp(loss, (x,), (1.0,))[1])(0.5)) == pytest.approx(FORWARD * second)
    assert float(jax.jvp(lambda x: jax.jvp(loss, (x,), (1.0,))[1], (0.5,), (1.0,))[1]) == pytest.approx(FORWARD * second)


def test_third_order_under_jit() -> None:
    f = marked("fr")
    third = jax.jit(jax.grad(jax.grad(jax.grad(lambda x: f(x, 2.0)))))
    third(0.1)
    assert float(third(0.5)) == pytest.approx(-2 * REVERSE * math.cos(0.5))


def _nest(kinds: tuple[str, ...], fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """fn: R -> R under transformations, the first innermost; vmap is over a batch of one that is taken off again."""
    for kind in kinds:
        if kind == "grad":
            fn = jax.grad(fn)
        elif kind == "jvp":
            fn = lambda x, fn=fn: jax.jvp(fn, (x,), (2.0 * jnp.ones_like(x),))[1]
        elif kind == "vmap":
            fn = lambda x, fn=fn: jax.vmap(fn)(jnp.stack([x, x]))[1]
        else:
            fn = jax.jit(fn)
    return fn


NESTS = sorted({tuple(np.random.default_rng(i).choice(["jvp", "grad", "vmap", "jit"], size=1 + i % 4)) for i in range(90)})


@pytest.mark.parametrize("rules", ["f", "r", "fr"])
def test_random_nestings_to_depth_four(rules: str) -> None:
    @rb.primitive
    def sine(x):
        return rb.xp(x).sin(x)

    if "f" in rules:
        rb.pushforward(sine)(lambda y, primals, tangents: 100 * rb.xp(*primals).cos(primals[0]) * tangents[0])
    if "r" in rules:
        rb.pullback(sine)(lambda y, primals, y_bar: (100 * rb.xp(*primals).cos(primals[0]) * y_bar,))
    for kinds in NESTS:
        order = sum(k in ("jvp", "grad") for k in kinds)
        expected = (100 if order else 1) * 2 ** kinds.count("jvp") * math.sin(0.7 + order * math.pi / 2)
        assert float(_nest(kinds, sine)(jnp.asarray(0.7))) == pytest.approx(expected, rel=1e-12), kinds


# -- how often ---------------------------------------------------------------------------------


def counted() -> tuple[Any, dict[str, int]]:
    """A primitive whose parts count their calls, which also keeps them from being compiled."""
    calls = {"primal": 0, "frule": 0, "rrule": 0, "pullback": 0, "thunk": 0}

    @rb.primitive
    def f(x, w):
        calls["primal"] += 1
        return jnp.sin(x) * w

    @rb.frule(f)
    def _(primals, tangents):
        calls["frule"] += 1
        (x, w), (x_dot, w_dot) = primals, tangents
        return f(x, w), jnp.cos(x) * w * x_dot + jnp.sin(x) * w_dot

    @rb.rrule(f)
    def _(x, w):
        calls["rrule"] += 1

        def second(y_bar):
            calls["thunk"] += 1
            return jnp.sin(x) * y_bar

        def pullback(y_bar):
            calls["pullback"] += 1
            return jnp.cos(x) * w * y_bar, rb.thunk(lambda: second(y_bar))

        return f(x, w), pullback

    return f, calls


def test_value_and_grad_evaluates_the_primal_once_and_only_what_is_asked_for() -> None:
    f, calls = counted()
    jax.value_and_grad(lambda x: f(x, W).sum())(X)
    assert calls == {"primal": 1, "frule": 0, "rrule": 1, "pullback": 1, "thunk": 0}


def test_jit_of_value_and_grad_traces_the_primal_once() -> None:
    f, calls = counted()
    both = jax.jit(jax.value_and_grad(lambda x: f(x, W).sum()))
    both(X)
    both(X + 1)
    assert calls == {"primal": 1, "frule": 0, "rrule": 1, "pullback": 1, "thunk": 0}


def test_a_forward_jacobian_evaluates_the_primal_once() -> None:
    f, calls = counted()
    jax.jacfwd(lambda x: f(x, W))(X)
    assert calls["primal"] == calls["frule"] == 1


def test_a_reverse_jacobian_evaluates_the_primal_once() -> None:
    f, calls = counted()
    jax.jacrev(lambda x: f(x, W))(X)
    assert calls["primal"] == calls["rrule"] == 1


def test_unneeded_inputs_cost_nothing_in_forward_mode() -> None:
    seen = []
    f = rb.primitive(lambda x, w: x * w)

    @rb.pushforward(f, symbolic_zeros=True)
    def _(y, primals, tangents):
        seen.append([t is None for t in tangents])
        return primals[1] * tangents[0]

    jax.jvp(lambda x: f(x, 3.0), (2.0,), (1.0,))
    assert seen == [[False, True]]


def _program(fn: Callable[..., Any], *args: Any) -> str:
    """The compiled program, its names replaced by their order of appearance."""
    text = jax.jit(fn).lower(*args).compile().as_text()
    text = re.sub(r", metadata=\{[^}]*\}", "", text)
    text = text[text.index("\n") :]
    text = re.sub(r"(?s)\n(FileNames|FunctionNames|FileLocations|StackFrames)\n.*?\n(?=\n|%|ENTRY)", "\n", text)
    names: dict[str, str] = {}
    return re.sub(r"%[\w.\-]+|\b[A-Za-z_]\w*\.\d+(?=:)", lambda m: names.setdefault(m.group(0), f"%{len(names)}"), text)


def test_the_compiled_program_is_the_hand_written_one() -> None:
    f = rb.primitive(lambda x, w: jnp.sin(x) * w)
    rb.frule(f)(lambda p, t: (jnp.sin(p[0]) * p[1], jnp.cos(p[0]) * p[1] * t[0] + jnp.sin(p[0]) * t[1]))

    @rb.rrule(f)
    def _(x, w):
        s = jnp.sin(x)
        return s * w, lambda y_bar: (jnp.cos(x) * w * y_bar, s * y_bar)

    raw = lambda x, w: jnp.sin(x) * w
    hand_vjp, hand_jvp = jax.custom_vjp(raw), jax.custom_jvp(raw)
    hand_vjp.defvjp(lambda x, w: (jnp.sin(x) * w, (x, w, jnp.sin(x))), lambda res, b: (jnp.cos(res[0]) * res[1] * b, res[2] * b))
    hand_jvp.defjvp(lambda p, t: (jnp.sin(p[0]) * p[1], jnp.cos(p[0]) * p[1] * t[0] + jnp.sin(p[0]) * t[1]))
    total = lambda f: lambda x, w: f(x, w).sum()
    for transform in (
        lambda f: jax.grad(total(f), (0, 1)),
        lambda f: jax.value_and_grad(total(f), (0, 1)),
        lambda f: jax.vmap(jax.grad(f, (0, 1))),
    ):
        assert _program(transform(f), X, W) == _program(transform(hand_vjp), X, W)
    forward = lambda f: lambda x, w: jax.jvp(f, (x, w), (w, x))
    assert _program(forward(f), X, W) == _program(forward(hand_jvp), X, W)


# -- compiled outside jit ------------------------------------------------------------------------

SCALE = 2.0


@rb.primitive
def scaled(x):
    return SCALE * jnp.sin(x)


@rb.scalar_rule(scaled)
def _(y, x):
    return SCALE * jnp.cos(x)


def test_a_global_that_changes_is_noticed_between_un_jitted_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    x = jnp.asarray(0.5)
    before = scaled(x), jax.grad(scaled)(x)
    monkeypatch.setitem(globals(), "SCALE", 6.0)
    after = scaled(x), jax.grad(scaled)(x)
    np.testing.assert_allclose(np.array(after) / np.array(before), 3.0)


def test_so_is_one_that_another_primitive_reads_inside_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    f = rb.primitive(jnp.sin)
    rb.pullback(f)(lambda y, p, y_bar: (scaled(p[0]) * y_bar,))
    x = jnp.asarray(0.5)
    before = jax.grad(f)(x), jax.grad(jax.grad(f))(x)
    monkeypatch.setitem(globals(), "SCALE", 6.0)
    after = jax.grad(f)(x), jax.grad(jax.grad(f))(x)
    np.testing.assert_allclose(np.array(after) / np.array(before), 3.0)


def test_so_is_one_that_a_custom_derivative_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = jax.custom_jvp(lambda x: SCALE * x)
    inner.defjvp(lambda primals, tangents: (inner(primals[0]), SCALE * tangents[0]))
    f = rb.primitive(jnp.sin)
    rb.pullback(f)(lambda y, p, y_bar: (inner(p[0]) * y_bar,))
    x = jnp.asarray(0.5)
    before = jax.grad(f)(x)
    monkeypatch.setitem(globals(), "SCALE", 6.0)
    np.testing.assert_allclose(jax.grad(f)(x) / before, 3.0)


def test_a_rule_that_branches_on_values_runs_un_jitted() -> None:
    f = rb.primitive(lambda x: x if x > 0 else -x)
    rb.scalar_rule(f)(lambda y, x: 1.0 if x > 0 else -1.0)
    assert [float(jax.grad(f)(v)) for v in (2.0, -2.0)] == [1.0, -1.0]
    with pytest.raises(jax.errors.TracerBoolConversionError, match="bool"):
        jax.jit(f)(1.0)


def test_plain_numpy_runs_un_jitted_and_is_named_under_jit() -> None:
    f = rb.primitive(lambda x: np.sin(np.asarray(x)), name="mylib.f")
    rb.scalar_rule(f)(lambda y, x: np.cos(np.asarray(x)))
    assert float(jax.grad(f)(0.5)) == pytest.approx(math.cos(0.5))
    with pytest.raises(
        rb.RuleSignatureError, match=r"primal of mylib\.f \(engine jax\)[\s\S]*write it with rb\.xp, or mark it host=True"
    ) as caught:
        jax.jit(f)(0.5)
    assert isinstance(caught.value.__cause__, jax.errors.TracerArrayConversionError)
    assert float(jax.grad(f)(0.5)) == pytest.approx(math.cos(0.5))


# -- captured values -----------------------------------------------------------------------------


def _capturing(x: Any, c: Any) -> Any:
    f = rb.primitive(lambda x: jnp.sin(x) * c)
    rb.frule(f)(lambda p, t: (jnp.sin(p[0]) * c, 100 * jnp.cos(p[0]) * c * t[0]))
    rb.pullback(f)(lambda y, p, b: (100 * jnp.cos(p[0]) * c * b,))
    return f(x)


_DX, _DC = 200 * math.cos(1.0), math.sin(1.0)
CAPTURES: dict[str, tuple[Callable[[], Any], float]] = {
    "grad": (lambda: jax.grad(_capturing)(1.0, 2.0), _DX),
    "grad of the captured": (lambda: jax.grad(_capturing, 1)(1.0, 2.0), _DC),
    "jvp of the captured": (lambda: jax.jvp(lambda c: _capturing(1.0, c), (2.0,), (1.0,))[1], _DC),
    "grad of both": (lambda: jax.grad(_capturing, (0, 1))(1.0, 2.0)[1], _DC),
    "jit of grad": (lambda: jax.jit(jax.grad(_capturing))(1.0, 2.0), _DX),
    "grad of jit": (lambda: jax.grad(jax.jit(_capturing))(1.0, 2.0), _DX),
    "grad of jit of the captured": (lambda: jax.grad(jax.jit(_capturing), 1)(1.0, 2.0), _DC),
    "jit of jvp": (lambda: jax.jit(lambda c: jax.jvp(lambda x: _capturing(x, c), (1.0,), (1.0,))[1])(2.0), _DX),
    "grad of grad": (lambda: jax.grad(lambda c: jax.grad(_capturing)(1.0, c))(2.0), _DX / 2),
    "vmap of the captured": (lambda: jax.vmap(lambda c: _capturing(1.0, c))(jnp.array([2.0]))[0], 2 * _DC),
    "vmap of grad": (lambda: jax.vmap(lambda c: jax.grad(_capturing)(1.0, c))(jnp.array([2.0]))[0], _DX),
    "grad of vmap": (lambda: jax.grad(lambda c: jax.vmap(lambda x: _capturing(x, c))(jnp.ones(1))[0])(2.0), _DC),
    "scan": (lambda: jax.grad(lambda c: jax.lax.scan(lambda a, x: (a + _capturing(x, c), None), 0.0, jnp.ones(1))[0])(2.0), _DC),
    "checkpoint": (lambda: jax.grad(jax.checkpoint(_capturing), 1)(1.0, 2.0), _DC),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_captured_traced_value_is_right_or_refused_by_name(name: str) -> None:
    run, expected = CAPTURES[name]
    try:
        found = run()
    except rb.RuleSignatureError as error:
        assert re.search(r"engine jax\), c\.[\s\S]*pass c as a positional argument", str(error))
    else:
        assert float(found) == pytest.approx(expected)


def test_jit_without_differentiation_takes_a_captured_value() -> None:
    assert float(jax.jit(_capturing)(1.0, 2.0)) == pytest.approx(2 * _DC)


# -- devices, precision, integers ------------------------------------------------------------------


def _mesh() -> Any:
    if len(jax.devices()) < 8:
        raise RuntimeError("eight host devices are needed: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    return jax.sharding.Mesh(np.array(jax.devices()[:8]), ("i",))


@pytest.mark.parametrize("rules", ["f", "r", "fr"])
def test_shard_map_on_eight_devices(rules: str) -> None:
    f, spec, none = marked(rules), jax.sharding.PartitionSpec("i"), jax.sharding.PartitionSpec()
    x = np.linspace(0.0, 1.0, 16)
    mapped = shard_map(f, mesh=_mesh(), in_specs=(spec, none), out_specs=spec)
    reverse = REVERSE if "r" in rules else FORWARD
    forward = FORWARD if "f" in rules else REVERSE
    np.testing.assert_allclose(jax.jit(mapped)(x, 2.0), 2 * np.sin(x))
    x_bar, w_bar = jax.jit(jax.grad(lambda x, w: mapped(x, w).sum(), (0, 1)))(x, 2.0)
    np.testing.assert_allclose(x_bar, reverse * 2 * np.cos(x))
    np.testing.assert_allclose(w_bar, reverse * np.sin(x).sum())
    y_dot = jax.jvp(lambda x: mapped(x, 2.0), (x,), (jnp.ones(16),))[1]
    np.testing.assert_allclose(y_dot, forward * 2 * np.cos(x))


def test_a_sharded_jit_moves_no_data() -> None:
    f = marked("fr")
    sharding = jax.sharding.NamedSharding(_mesh(), jax.sharding.PartitionSpec("i"))
    x = jax.device_put(np.linspace(0.0, 1.0, 16), sharding)
    compiled = jax.jit(jax.grad(lambda x: f(x, x).sum())).lower(x).compile()
    assert "all-gather" not in compiled.as_text()
    np.testing.assert_allclose(compiled(x), REVERSE * (np.cos(x) * x + np.sin(x)))


def test_precision_follows_the_arguments_with_x64_off() -> None:
    code = (
        "import jax, numpy as np, rulebook as rb\n"
        "f = rb.primitive(lambda x, w: rb.xp(x, w).sin(x) * w)\n"
        "rb.scalar_rule(f)(lambda y, x, w: (np.float64(100) * rb.xp(x).cos(x) * w, rb.xp(x).sin(x)))\n"
        "x = np.linspace(0., 1., 3)\n"
        "s = lambda x: f(x, 2.).sum()\n"
        "for t in (jax.grad(s), jax.jit(jax.grad(s)), jax.jacfwd(s)):\n"
        "    g = t(x)\n"
        "    assert g.dtype == 'float32', g.dtype\n"
        "    np.testing.assert_allclose(g, 200 * np.cos(x), rtol=1e-5)\n"
        "assert jax.grad(lambda x: f(x, x).sum())(jax.numpy.ones(2, 'bfloat16')).dtype == 'bfloat16'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"JAX_ENABLE_X64": "0", "JAX_PLATFORMS": "cpu", "PATH": ""}, timeout=120)


def test_integer_arguments_have_float0_gradients() -> None:
    f = rb.primitive(lambda x, n: x**n)

    @rb.rrule(f)
    def _(x, n):
        return x**n, lambda y_bar: (100 * n * x ** (n - 1) * y_bar, None)

    x_bar, n_bar = jax.grad(f, (0, 1), allow_int=True)(2.0, 3)
    assert float(x_bar) == 1200.0
    assert n_bar.dtype == jax.dtypes.float0


def test_batch_rule_runs_under_vmap() -> None:
    seen = []
    f = rb.primitive(lambda x, w: jnp.sin(x) * w)
    rb.scalar_rule(f)(lambda y, x, w: (100 * jnp.cos(x) * w, 100 * jnp.sin(x)))

    @rb.batch_rule(f)
    def _(axis_size, in_batched, x, w):
        seen.append((axis_size, tuple(in_batched)))
        return jnp.sin(x) * w, True

    np.testing.assert_allclose(jax.vmap(f, in_axes=(0, None))(X, 2.0), 2 * np.sin(X))
    assert seen == [(3, (True, False))]
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(X, W), 100 * SLOPE)
    np.testing.assert_allclose(jax.grad(lambda x: jax.vmap(f)(x, W).sum())(X), 100 * SLOPE)


# -- host code, missing and wrong rules ------------------------------------------------------------


def test_host_rules_have_no_second_derivative() -> None:
    f = rb.primitive(lambda x: np.sin(x), host=True, name="mylib.f")
    rb.frule(f, host=True)(lambda p, t: (np.sin(p[0]), 100 * np.cos(p[0]) * t[0]))
    rb.rrule(f, host=True)(lambda x: (np.sin(x), lambda y_bar: (1000 * np.cos(x) * y_bar,)))
    with pytest.raises(rb.HigherOrderError, match=r"rrule of mylib\.f[\s\S]*Do: write the rule with rb\.xp"):
        jax.grad(lambda x: jax.grad(lambda x: f(x).sum())(x).sum())(X)
    with pytest.raises(rb.HigherOrderError, match=r"frule of mylib\.f"):
        jax.jvp(lambda x: jax.jvp(f, (x,), (X,))[1], (X,), (X,))


def test_a_missing_rule_says_what_to_write() -> None:
    f = rb.primitive(lambda x: x * 2.0, name="mylib.f")
    with pytest.raises(rb.RuleMissingError, match=r"mylib\.f \(engine jax\)[\s\S]*@rb\.frule or @rb\.pushforward\(f\), or a reverse rule"):
        jax.grad(f)(1.0)
    assert float(f(jnp.asarray(1.0))) == 2.0


def test_a_failed_call_leaves_no_state_behind() -> None:
    fail = [True]
    f = rb.primitive(lambda x: x * 2.0)

    @rb.rrule(f)
    def _(x):
        if fail:
            raise ZeroDivisionError("mine")
        return x * 2.0, lambda y_bar: (200 * y_bar,)

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        jax.jit(jax.grad(f))(1.0)
    assert any("Raised in the rrule of" in note and "engine jax" in note for note in caught.value.__notes__)
    fail.clear()
    assert float(jax.jit(jax.grad(f))(1.0)) == 200.0


def test_bind_gives_the_engines_own_function() -> None:
    f = rb.bind(marked("fr"), "jax")
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(X, W), REVERSE * SLOPE)
    assert isinstance(f(X, W), jax.Array)


# -- the fallback ----------------------------------------------------------------------------------


def test_the_fallback_on_documented_functions() -> None:
    code = (
        "import warnings, numpy as np, jax\n"
        "import rulebook.bridges._jax.internals as internals\n"
        "internals.MISSING.append('jax.interpreters.ad.gone')\n"
        "import rulebook as rb\n"
        "def make(rules):\n"
        "    f = rb.primitive(lambda x, n: (rb.xp(x).sin(x) * n, n))\n"
        "    dot = lambda p, t: 100 * rb.xp(*p).cos(p[0]) * p[1] * t[0]\n"
        "    if 'f' in rules: rb.frule(f)(lambda p, t: ((rb.xp(*p).sin(p[0]) * p[1], p[1]), (dot(p, t), None)))\n"
        "    if 'r' in rules: rb.rrule(f)(lambda x, n: ((rb.xp(x).sin(x) * n, n), lambda b: (1000 * rb.xp(x).cos(x) * n * b[0], None)))\n"
        "    return f\n"
        "x = jax.numpy.arange(3.)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    for rules, factor in (('f', 100), ('r', 1000), ('fr', 1000)):\n"
        "        f = make(rules)\n"
        "        for run in (jax.grad(lambda x: f(x, 2)[0].sum()), jax.jit(jax.grad(lambda x: f(x, 2)[0].sum()))):\n"
        "            np.testing.assert_allclose(run(x), factor * 2 * np.cos(x), rtol=1e-6)\n"
        "assert 'forward mode through them raises' in str(caught[0].message), caught\n"
        "try:\n"
        "    jax.jvp(lambda x: make('fr')(x, 2)[0], (x,), (x,))\n"
        "except TypeError as error:\n"
        "    assert 'forward-mode' in str(error)\n"
        "else:\n"
        "    raise SystemExit('forward mode was not refused')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"JAX_PLATFORMS": "cpu", "PATH": ""}, timeout=120)


# -- batch axes ------------------------------------------------------------------------------------

AXES = [(0, 0), (1, 1), (0, 1), (1, None), (None, 1)]


@pytest.mark.parametrize("rules", ["f", "r", "fr"])
@pytest.mark.parametrize("axes", AXES)
def test_every_batch_axis_in_staged_programs(axes: tuple[int | None, int | None], rules: str) -> None:
    """Square arrays: an axis taken for another would give a wrong number, not an error."""

    @rb.primitive
    def f(x, w):
        return jnp.sin(x) * w, jnp.ones_like(x)

    if "f" in rules:
        rb.pushforward(f)(lambda y, p, t: (100 * (jnp.cos(p[0]) * p[1] * t[0] + jnp.sin(p[0]) * t[1]), None))
    if "r" in rules:
        rb.pullback(f)(lambda y, p, b: (100 * jnp.cos(p[0]) * p[1] * b[0], 100 * jnp.sin(p[0]) * b[0]))

    def native(x, w):
        y = jnp.sin(x) * w
        return jax.lax.stop_gradient(y) + 100 * (y - jax.lax.stop_gradient(y)), jnp.ones_like(x)

    rng = np.random.default_rng(0)
    args = [rng.normal(size=(3, 3) if a is not None else 3) for a in axes]
    dots = tuple(rng.normal(size=a.shape) for a in args)
    weights = rng.normal(size=(3, 3))
    for transform in (
        lambda v: jax.grad(lambda *a: (jax.jit(lambda *a: v(*a)[0])(*a) * weights).sum(), (0, 1))(*args),
        lambda v: jax.jit(jax.grad(lambda *a: (v(*a)[0] * weights).sum(), (0, 1)))(*args),
        lambda v: jax.grad(jax.checkpoint(lambda *a: (v(*a)[0] * weights).sum()), (0, 1))(*args),
        lambda v: jax.jvp(jax.jit(lambda *a: v(*a)[0]), tuple(args), dots)[1],
        lambda v: jax.jvp(jax.grad(lambda *a: (v(*a)[0] * weights).sum(), (0, 1)), tuple(args), dots)[1],
        lambda v: jax.grad(lambda *a: (jax.jvp(lambda *a: v(*a)[0], a, dots)[1] * weights).sum(), (0, 1))(*args),
    ):
        found, expected = (jax.tree.leaves(transform(jax.vmap(g, axes))) for g in (f, native))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)


def test_collectives_in_rules_see_the_mapped_axis() -> None:
    share = rb.primitive(lambda x: x / jax.lax.psum(x, "i"))

    @rb.pushforward(share)
    def _(y, primals, tangents):
        total = jax.lax.psum(primals[0], "i")
        return 100 * (tangents[0] - y * jax.lax.psum(tangents[0], "i")) / total

    @rb.pullback(share)
    def _(y, primals, y_bar):
        return (100 * (y_bar - jax.lax.psum(y * y_bar, "i")) / jax.lax.psum(primals[0], "i"),)

    x, t = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.3, 0.1, -0.2])
    mapped, native = jax.vmap(share, axis_name="i"), lambda x: x / x.sum()
    np.testing.assert_allclose(jax.jvp(mapped, (x,), (t,))[1], 100 * jax.jvp(native, (x,), (t,))[1])
    for wrap in (lambda f: f, jax.jit):
        np.testing.assert_allclose(wrap(jax.grad(lambda x: (mapped(x) * t).sum()))(x), 100 * jax.grad(lambda x: (native(x) * t).sum())(x))


_factor = 1.0


@rb.register_dataclass
@dataclass
class _Scaled:
    a: Any

    def times(self):
        return _factor * self.a

    @property
    def half(self):
        return _factor * self.a / 2


def test_what_a_method_of_an_argument_reads_is_noticed(monkeypatch):
    f = rb.primitive(lambda p: p.times() + p.half)
    rb.pushforward(f)(lambda y, primals, tangents: 1.5 * _factor * tangents[0].a)
    rb.pullback(f)(lambda y, primals, y_bar: (_Scaled(1.5 * _factor * y_bar),))
    for value in (1.0, 10.0):
        monkeypatch.setitem(globals(), "_factor", value)
        assert f(_Scaled(jnp.asarray(2.0))) == 3.0 * value
        assert jax.grad(lambda a: f(_Scaled(a)))(2.0) == 1.5 * value
        assert jax.jvp(lambda a: f(_Scaled(a)), (2.0,), (1.0,))[1] == 1.5 * value


def test_what_the_other_rule_reads_is_noticed(monkeypatch):
    """The reverse rule runs in a forward rule that is differentiated."""
    g = rb.primitive(lambda x: x * x / 2)
    rb.pushforward(g)(lambda y, primals, tangents: g(primals[0]) * 2 / primals[0] * tangents[0])
    rb.pullback(g)(lambda y, primals, y_bar: (_factor * primals[0] * y_bar,))
    slope = lambda x: jax.jvp(g, (x,), (1.0,))[1]  # 2 g(x) / x
    for value in (1.0, 10.0):
        monkeypatch.setitem(globals(), "_factor", value)
        assert jax.grad(slope)(2.0) == 2 * value - 1.0
