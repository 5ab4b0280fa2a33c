"""Host code in JAX beyond the conformance table: devices, errors, dtypes, residuals, batches, linear functions."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.residuals import RESIDUALS

jax = pytest.importorskip("jax")
from jax import numpy as jnp  # noqa: E402
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P  # noqa: E402

X = jnp.asarray([0.3, -1.2, 2.0, 0.7])
SLOPE = np.cos(np.asarray(X))


def sine(count: Counter[str] | None = None, **options: Any) -> Any:
    """sin with host rules, whose derivatives are marked: forward by 100, reverse by 1000."""
    count = Counter() if count is None else count

    def primal(x):
        count["primal"] += 1
        assert type(x) is np.ndarray
        return np.sin(x)

    f = rb.primitive(primal, host=True, name="mylib.f", **{"result": lambda x: x, **options})

    @rb.frule(f, host=True)
    def _(primals, tangents):
        count["frule"] += 1
        return np.sin(primals[0]), 100 * np.cos(primals[0]) * tangents[0]

    @rb.rrule(f, host=True)
    def _(x):
        count["rrule"] += 1
        kept = 1000 * np.cos(x)

        def pullback(y_bar):
            count["pullback"] += 1
            return (kept * y_bar,)

        return np.sin(x), pullback

    return f


def loss(f: Any) -> Any:
    return lambda x: jnp.sum(f(x))


# -- devices ---------------------------------------------------------------------------------------------

mesh = Mesh(np.array(jax.devices()), ("d",))
shard_map = getattr(jax, "shard_map", None) or pytest.importorskip("jax.experimental.shard_map").shard_map


def sharded(f: Any) -> Any:
    return shard_map(f, mesh=mesh, in_specs=P("d"), out_specs=P("d"))


def test_each_device_runs_its_shard() -> None:
    sizes = []

    def primal(x):
        sizes.append(x.size)
        return np.sin(x)

    f = rb.primitive(primal, host=True, result=lambda x: x)
    n = len(jax.devices())
    x = jnp.arange(4.0 * n)
    np.testing.assert_allclose(jax.jit(sharded(f))(x), np.sin(x))
    assert sizes == [4] * n


@pytest.mark.parametrize(
    ("fn", "factor"),
    [
        (lambda f: jax.grad(lambda x: jnp.sum(sharded(f)(x))), 1000.0),
        (lambda f: sharded(jax.grad(loss(f))), 1000.0),
        (lambda f: sharded(jax.vmap(jax.grad(f))), 1000.0),
        (lambda f: sharded(lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]), 100.0),
    ],
    ids=["grad of shard_map", "grad inside", "vmap of grad inside", "jvp inside"],
)
def test_derivatives_under_shard_map(fn: Any, factor: float) -> None:
    x = jnp.arange(4.0 * len(jax.devices()))
    np.testing.assert_allclose(jax.jit(fn(sine()))(x), factor * np.cos(x), rtol=1e-6)


def test_a_sharded_array_under_jit() -> None:
    x = jax.device_put(jnp.arange(4.0 * len(jax.devices())), NamedSharding(mesh, P("d")))
    np.testing.assert_allclose(jax.jit(jax.grad(loss(sine())))(x), 1000 * np.cos(x), rtol=1e-6)


# -- results ------------------------------------------------------------------------------------------------


def test_a_missing_result_shows_the_line_to_write() -> None:
    f = sine(result=None)
    expected = r"primal of mylib\.f[\s\S]*Got: none[\s\S]*x: \(4,\)[\s\S]*result=lambda x: rb\.ShapeDtype\(x\.shape, x\.dtype\)"
    with pytest.raises(rb.ResultSpecError, match=expected):
        jax.jit(f)(X)


def test_results_are_learnt_where_values_are_concrete() -> None:
    f = sine(result=None)
    np.testing.assert_allclose(jax.grad(loss(f))(X), 1000 * SLOPE, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(f)(X), np.sin(X), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(f)(X), np.sin(X), rtol=1e-6)


@pytest.mark.parametrize(
    "wrap", [lambda f: f, lambda f: jax.jit(f), lambda f: jax.jit(jax.grad(loss(f)))], ids=["call", "jit", "jit of grad"]
)
@pytest.mark.parametrize(
    ("fn", "got"),
    [(lambda x: np.zeros(3, x.dtype), r"shape \(3,\)"), (lambda x: np.sin(x).astype(np.float16), r"shape \(4,\), float16")],
    ids=["shape", "dtype"],
)
def test_another_result_than_declared_says_both(fn: Any, got: str, wrap: Any) -> None:
    f = rb.primitive(fn, host=True, result=lambda x: x, name="mylib.f")
    rb.pullback(f)(lambda y, primals, y_bar: (y * y_bar,))
    with pytest.raises(rb.ResultSpecError, match=rf"primal of mylib\.f[\s\S]*Expected: shape \(4,\), {X.dtype}[\s\S]*Got: {got}"):
        jax.block_until_ready(wrap(f)(X))


def test_a_result_that_changes_its_shape_in_a_compiled_program_is_an_error() -> None:
    n = [4]
    f = rb.primitive(lambda x: np.ones(n[0], x.dtype), host=True, name="mylib.f")
    f(X)
    compiled = jax.jit(f)
    np.testing.assert_array_equal(compiled(X), np.ones(4))
    n[0] = 5
    with pytest.raises(rb.ResultSpecError, match=r"Expected: shape \(4,\)[\s\S]*Got: shape \(5,\)"):
        jax.block_until_ready(compiled(X))


@pytest.mark.parametrize("x64", [False, True])
def test_dtypes_are_kept(x64: bool) -> None:
    f = sine(result=lambda x: rb.ShapeDtype(x.shape, x.dtype))
    wide = rb.primitive(lambda x: np.sin(x.astype(np.float64)), host=True, result=lambda x: rb.ShapeDtype(x.shape, np.float64))
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", x64)
    try:
        x = jnp.ones(3, np.float32)
        assert jax.jit(jax.grad(loss(f)))(x).dtype == jax.grad(loss(f))(x).dtype == np.float32
        assert jax.jit(wide)(x).dtype == wide(x).dtype == (np.float64 if x64 else np.float32)
    finally:
        jax.config.update("jax_enable_x64", before)


def test_export_says_that_host_code_stays() -> None:
    export = pytest.importorskip("jax.export")
    with pytest.raises(rb.RuleMissingError, match=r"primal of mylib\.f \(engine jax\), jax\.export"):
        export.export(jax.jit(sine()))(X)


# -- errors ---------------------------------------------------------------------------------------------------


class OwnError(Exception):
    """Of a user's library."""


WRAPS = {
    "call": lambda f: f,
    "jit": lambda f: jax.jit(f),
    "vmap": lambda f: jax.vmap(f),
    "jit of vmap": lambda f: jax.jit(jax.vmap(f)),
    "jit of scan": lambda f: jax.jit(lambda x: jax.lax.scan(lambda c, _: (f(c), None), x, None, length=3)[0]),
    "jit of grad": lambda f: jax.jit(jax.grad(loss(f))),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_an_exception_arrives_as_itself_and_the_next_call_is_right(wrap: Any) -> None:
    fail = [True]

    def primal(x):
        if fail[0]:
            raise OwnError("the solver diverged")
        return 2 * x

    f = rb.primitive(primal, host=True, result=lambda x: x, name="mylib.f")
    rb.pullback(f)(lambda y, primals, y_bar: (y * y_bar,))
    run = wrap(f)
    for _ in range(2):
        with pytest.raises(OwnError, match="the solver diverged") as raised:
            jax.block_until_ready(run(X))
        assert "Raised in the primal of mylib.f, engine jax." in raised.value.__notes__
    fail[0] = False
    assert np.all(np.isfinite(run(X)))


def test_errors_of_jax_stay_what_they_are() -> None:
    jax.block_until_ready(jax.jit(sine())(X))  # from now on, exceptions of callbacks are sent on
    broken = jax.jit(lambda x: jax.pure_callback(lambda x: 1 / 0, jax.ShapeDtypeStruct(x.shape, x.dtype), x))
    with pytest.raises(jax.errors.JaxRuntimeError, match="ZeroDivisionError"):
        jax.block_until_ready(broken(X))
    assert isinstance(jax.errors.JaxRuntimeError("text"), jax.errors.JaxRuntimeError)


def test_jax_inside_host_code_raises_at_once() -> None:
    f = rb.primitive(lambda x: np.asarray(jnp.sin(x)), host=True, result=lambda x: x, name="mylib.f")
    with pytest.raises(rb.RuleSignatureError, match=r"primal of mylib\.f[\s\S]*Got: an operation of JAX"):
        jax.block_until_ready(jax.jit(f)(X))
    np.testing.assert_allclose(jax.jit(jnp.sin)(X), np.sin(X), rtol=1e-6)


def test_changed_arguments_are_an_error() -> None:
    def primal(x):
        x[0] = 1.0
        return x

    f = rb.primitive(primal, host=True, result=lambda x: x, name="mylib.f")
    for call in (f, jax.jit(f)):
        with pytest.raises(ValueError, match="read-only") as raised:
            jax.block_until_ready(call(X))
        assert any("changed its arguments, which are read-only: copy them first" in note for note in raised.value.__notes__)


def test_nan_passes() -> None:
    f = rb.primitive(lambda x: x * np.nan, host=True, result=lambda x: x)
    assert np.all(np.isnan(jax.jit(f)(X)))


# -- residuals ----------------------------------------------------------------------------------------------------


def test_a_compiled_gradient_solves_once() -> None:
    count: Counter[str] = Counter()
    f = sine(count)
    step = jax.jit(jax.value_and_grad(loss(f)))
    for i in range(3):
        y, x_bar = step(X + i)
        np.testing.assert_allclose(x_bar, 1000 * np.cos(X + i), rtol=1e-5)
        np.testing.assert_allclose(y, np.sin(X + i).sum(), rtol=1e-5)
    assert count == {"rrule": 3, "pullback": 3}


def test_vmapped_gradients_solve_each_example_once() -> None:
    count: Counter[str] = Counter()
    xs = jnp.stack([X, X + 1, X + 2])
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(loss(sine(count)))))(xs), 1000 * np.cos(xs), rtol=1e-5)
    assert count == {"rrule": 3, "pullback": 3}


def test_a_jacobian_solves_once() -> None:
    count: Counter[str] = Counter()
    f = sine(count)
    for jacobian in (jax.jacrev(f), jax.jit(jax.jacrev(f))):
        count.clear()
        np.testing.assert_allclose(jacobian(X), np.diag(1000 * SLOPE), rtol=1e-5)
        assert count == {"rrule": 1, "pullback": 4}


def test_a_forward_jacobian_evaluates_the_primal_once_by_a_pushforward() -> None:
    count: Counter[str] = Counter()
    f = rb.primitive(lambda x: count.update(["primal"]) or np.sin(x), host=True, result=lambda x: x)
    rb.pushforward(f, host=True)(lambda y, primals, tangents: 100 * np.cos(primals[0]) * tangents[0])
    for jacobian in (jax.jacfwd(f), jax.jit(jax.jacfwd(f))):
        count.clear()
        np.testing.assert_allclose(jacobian(X), np.diag(100 * SLOPE), rtol=1e-5)
        assert count == {"primal": 1}


def test_a_pullback_that_is_gone_is_made_again() -> None:
    count: Counter[str] = Counter()
    n = 40
    chain = jax.jit(jax.grad(lambda x: jax.lax.scan(lambda c, _: (sine_of(c), None), x, None, length=n)[0].sum()))
    f = rb.primitive(lambda x: x + 1, host=True, result=lambda x: x)

    @rb.rrule(f, host=True)
    def _(x):
        count["rrule"] += 1
        large = np.ones(100_000)
        return x + 1, lambda y_bar: (2 * y_bar * large[0],)

    sine_of = f
    with rb.config(host_memory=2_000_000):  # two of them
        np.testing.assert_allclose(chain(X), 2.0**n * np.ones(4))
        assert count["rrule"] > n
        assert len(RESIDUALS) <= 3


def test_a_branch_that_is_not_taken_runs_no_rule() -> None:
    f = rb.primitive(lambda x: 1 / x, host=True, result=lambda x: x)

    @rb.rrule(f, host=True)
    def _(x):
        assert x != 0  # what JAX gives the branch that is not taken
        return 1 / x, lambda y_bar: (-1000 / x**2 * y_bar,)

    branch = lambda x: jax.lax.cond(x > 0, f, lambda x: 2 * x, x)
    x = jnp.asarray([1.0, -2.0, 4.0])
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(branch)))(x), [-1000.0, 2.0, -62.5])


@pytest.mark.parametrize("batched", [False, True])
def test_a_gradient_that_nobody_wants_keeps_nothing(batched: bool) -> None:
    count: Counter[str] = Counter()
    f = sine(count)
    vjp = jax.vmap(lambda x: jax.vjp(f, x)[0]) if batched else lambda x: jax.vjp(f, x)[0]
    RESIDUALS.clear()
    np.testing.assert_allclose(jax.jit(vjp)(X), np.sin(X), rtol=1e-6)
    assert count == {"primal": 4 if batched else 1}
    assert len(RESIDUALS) == 0


def test_pullbacks_that_were_used_do_not_pile_up() -> None:
    gradient = jax.jit(jax.grad(loss(sine())))
    RESIDUALS.clear()
    for i in range(100):
        jax.block_until_ready(gradient(X + i))
    assert len(RESIDUALS) < 20


def test_closures_of_concrete_gradients_are_freed() -> None:
    class Big:
        pass

    kept = []
    f = rb.primitive(lambda x: np.sin(x), host=True, result=lambda x: x)

    @rb.rrule(f, host=True)
    def _(x):
        big = Big()
        kept.append(weakref.ref(big))
        return np.sin(x), lambda y_bar: (y_bar, big)[:1]

    _, pull = jax.vjp(f, X)
    assert kept[0]() is not None
    pull(jnp.ones(4))
    del pull
    gc.collect()
    assert kept[0]() is None


# -- only what is needed --------------------------------------------------------------------------------------------


def test_cotangents_that_nobody_asks_for_are_not_computed() -> None:
    count: Counter[str] = Counter()
    f = rb.primitive(lambda x, w: x * w, host=True, result=lambda x, w: x)

    @rb.rrule(f, host=True)
    def _(x, w):
        def of(name, value):
            return rb.thunk(lambda: count.update([name]) or value)

        return x * w, lambda y_bar: (of("x", w * y_bar), of("w", x * y_bar))

    jax.block_until_ready(jax.jit(jax.grad(lambda x: jnp.sum(f(x, X))))(X))
    assert count == {"x": 1}
    jax.block_until_ready(jax.jit(lambda x: f(x, X))(X))
    assert count == {"x": 1}


@pytest.mark.parametrize("jit", [False, True])
def test_a_result_that_is_not_used_costs_nothing(jit: bool) -> None:
    seen = []
    f = rb.primitive(lambda x: (np.sin(x), np.cos(x)), host=True, result=lambda x: (x, x))

    @rb.rrule(f, host=True, symbolic_zeros=True)
    def _(x):
        def pullback(y_bars):
            seen.append([c is None for c in y_bars])
            return (sum(c * k for c, k in zip(y_bars, (np.cos(x), -np.sin(x)), strict=True) if c is not None),)

        return (np.sin(x), np.cos(x)), pullback

    g = jax.grad(lambda x: jnp.sum(f(x)[0]))
    np.testing.assert_allclose((jax.jit(g) if jit else g)(X), SLOPE, rtol=1e-5)
    assert seen == [[False, True]]


# -- batches ----------------------------------------------------------------------------------------------------------


def test_vectorized_code_is_called_once() -> None:
    shapes = []

    def primal(x, w):
        shapes.append((x.shape, w.shape))
        return x * w.sum(-1, keepdims=True)

    f = rb.primitive(primal, host=True, vectorized=True, result=lambda x, w: x)
    xs, w = jnp.arange(12.0).reshape(3, 4), jnp.arange(2.0)
    expected = np.asarray(xs) * 1.0
    np.testing.assert_allclose(jax.jit(jax.vmap(f, (0, None)))(xs, w), expected)
    np.testing.assert_allclose(jax.vmap(jax.vmap(f, (0, None)), (None, 0))(xs, jnp.stack([w, w])), np.stack([expected] * 2))
    assert shapes == [((3, 4), (3, 2)), ((2, 3, 4), (2, 3, 2))]


def test_a_batch_rule_runs_on_numpy_arrays() -> None:
    seen = []
    f = rb.primitive(lambda x, w: x * w, host=True, result=lambda x, w: x)

    @rb.batch_rule(f)
    def _(size, in_batched, x, w):
        seen.append((size, in_batched, type(x)))
        return x * w, True

    xs = jnp.arange(8.0).reshape(2, 4)
    np.testing.assert_allclose(jax.jit(jax.vmap(f, (0, None)))(xs, X), np.asarray(xs) * np.asarray(X), rtol=1e-6)
    assert seen == [(2, (True, False), np.ndarray)]


def test_threads_give_what_the_loop_gives() -> None:
    f = sine()
    xs = jnp.arange(40.0).reshape(10, 4)
    with rb.config(host_threads=4):
        np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(loss(f))))(xs), 1000 * np.cos(xs), rtol=1e-5)


# -- linear functions --------------------------------------------------------------------------------------------------


def test_a_linear_host_function_with_its_transpose_is_differentiable_to_every_order() -> None:
    matrix = np.arange(12.0).reshape(3, 4) / 7
    count: Counter[str] = Counter()

    def primal(x):
        count["f"] += 1
        return matrix.astype(x.dtype) @ x

    f = rb.primitive(primal, host=True, result=lambda x: rb.ShapeDtype((3,), x.dtype))

    @rb.transpose(f, host=True)
    def _(y_bar, x):
        count["transpose"] += 1
        return matrix.T.astype(y_bar.dtype) @ y_bar

    dense = lambda x: jnp.asarray(matrix, x.dtype) @ x
    third = lambda f: jax.jacfwd(jax.jacrev(jax.grad(lambda x: jnp.sum(jnp.sin(f(x)) * f(x)))))
    np.testing.assert_allclose(jax.jit(third(f))(X), third(dense)(X), rtol=1e-4, atol=1e-4)
    assert count["f"] > 0 < count["transpose"]
    xs = jnp.stack([X, X + 1])
    hessian = lambda f: jax.vmap(jax.hessian(lambda x: jnp.sum(jnp.cos(f(x)))))
    np.testing.assert_allclose(jax.jit(hessian(f))(xs), hessian(dense)(xs), rtol=1e-4, atol=1e-4)
    assert rb.rules(f).host == ("primal", "reverse")
