"""Wrong usage: who is wrong, what was expected, what came, and what to do."""

import numpy as np
import pytest

import rulebook as rb
from rulebook import engines
from rulebook.engines import load_engine
from tests.operators.subjects import ENGINES, call, total

each_engine = pytest.mark.parametrize("engine", ENGINES)
both = pytest.mark.parametrize("prepared", [False, True], ids=["", "prepared"])
X = np.array([0.3, 0.6, 0.9])


@both
@each_engine
@pytest.mark.parametrize(("result", "got"), [(None, "None"), ("text", "a str"), (object(), "a object"), ({"a": lambda: 0}, "a function")])
def test_functions_without_a_number(engine, prepared, result, got):
    def fn(x):
        return result

    for operator in (rb.grad, rb.jacobian, rb.derivative, rb.vjp):
        with pytest.raises(
            rb.RuleSignatureError,
            match=rf"(?s)rb.{operator.__name__} of fn \(engine {engine}\), its result.\nExpected: numbers.*Got: {got}\nDo: return",
        ):
            call(operator, fn, (0.5,), (0.5,), prepared, engine=engine)
    with pytest.raises(rb.RuleSignatureError, match=rf"its result.*\nExpected: numbers.*\nGot: {got}"):
        call(rb.jvp, fn, ((0.5,), (1.0,)), ((0.5,), (1.0,)), prepared, engine=engine)


@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("dual", "autograd")])
def test_objects_in_arrays(engine):
    if engine == "dual":  # gathers them
        np.testing.assert_array_equal(rb.jacobian(lambda x: np.array([x[0], x[1]], dtype=object), engine=engine)(X), np.eye(3)[:2])
        return
    with pytest.raises(rb.RuleSignatureError, match=r"its result.*\nExpected: numbers.*\nGot: shape \(2,\), object"):
        rb.jacobian(lambda x: np.array([x[0], x[1]], dtype=object), engine=engine)(X)


@both
@each_engine
def test_integers(engine, prepared):
    for operator in (rb.grad, rb.value_and_grad, rb.jacobian, rb.hessian):
        with pytest.raises(
            rb.RuleSignatureError,
            match=rf"rb.{operator.__name__}, argument 0.\nExpected: floating-point numbers\nGot: (torch.)?int64\nDo: pass floats",
        ):
            call(operator, total, (np.arange(3),), (np.arange(3),), prepared, engine=engine)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.hvp, argument 1.\nExpected: floating-point numbers\nGot: (torch.)?int64"):
        call(rb.hvp, lambda x, k: total(x), ((X, 2), (X, 1)), ((X, 2), (X, 1)), prepared, engine=engine, argnums=(0, 1))


@both
@each_engine
def test_no_real_number(engine, prepared):
    for operator in (rb.grad, rb.value_and_grad, rb.hessian):
        with pytest.raises(
            rb.RuleSignatureError,
            match=rf"rb.{operator.__name__} of .*\nExpected: one real number, shape \(\)\nGot: shape \(3,\), .*float64\nDo: use",
        ):
            call(operator, lambda x: x**2, (X,), (X,), prepared, engine=engine)


@both
@each_engine
def test_argnums(engine, prepared):
    for argnums in (1, -2, (0, 1), (), (0, 0)):
        with pytest.raises(
            rb.RuleSignatureError,
            match=r"rb.grad, argnums.\nExpected: positions among the 1 arguments\nGot: .*\nDo: number the arguments from 0",
        ):
            call(rb.grad, total, (X,), (X,), prepared, engine=engine, argnums=argnums)


@both
@each_engine
def test_primals_and_tangents_in_no_tuple(engine, prepared):
    with pytest.raises(
        rb.RuleSignatureError, match=r"rb.jvp, primals.\nExpected: a tuple of primals\nGot: a ndarray\nDo: put them in a tuple"
    ):
        call(rb.jvp, total, (X, X), (X, X), prepared, engine=engine)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.jvp, tangents.\nExpected: a tuple of tangents\nGot: a ndarray"):
        call(rb.jvp, total, ((X,), X), ((X,), X), prepared, engine=engine)


@both
@each_engine
def test_batches_of_several_lengths(engine, prepared):
    args = ((X, X), (np.ones((2, 3)), np.ones((4, 3))))
    with pytest.raises(
        rb.RuleSignatureError, match=r"(?s)Expected: one more leading axis, of one length for all\nGot: shapes \[\(2, 3\), \(4, 3\)\]"
    ):
        call(rb.jvp, lambda x, y: x * y, args, args, prepared, engine=engine, batch=True)


def test_an_engine_that_is_spelled_wrongly():
    with pytest.raises(rb.EngineMissingError, match=r"engine 'dualnumbers'.\nExpected: one of .*\nGot: 'dualnumbers'\nDo: use an engine"):
        rb.grad(total, engine="dualnumbers")(X)
    with pytest.raises(rb.EngineMissingError, match=r"(?s)engine 'dul'.*Do: write 'dual', if that is meant"):
        rb.prepare(rb.grad, total, X, engine="dul")
    with pytest.raises(rb.EngineMissingError, match=r"(?s)engine 'pytorch'.*Do: write 'torch', if that is meant"):
        rb.hessian(total, engine=("dual", "pytorch"))(X)


def test_an_engine_that_is_not_installed(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name="jax")

    monkeypatch.setattr(engines, "_loaded", {})
    monkeypatch.setattr(engines.importlib, "import_module", missing)
    with pytest.raises(
        rb.EngineMissingError,
        match=r"engine 'jax'.\nExpected: the package 'jax'\nGot: it is not installed\nDo: pip install 'rulebook-ad\[jax\]'",
    ):
        rb.grad(total, engine="jax")(X)


def test_values_of_two_engines():
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")
    with pytest.raises(rb.MixedEnginesError, match=r"rb.vjp.\nExpected: values of one engine"):
        rb.vjp(lambda x, y: x, torch.ones(2), jnp.ones(2))
    with pytest.raises(
        rb.RuleSignatureError,
        match=r"rb.grad, engine='jax'.\nExpected: values of jax or NumPy\nGot: values of torch\nDo: pass engine='torch'",
    ):
        rb.grad(total, engine="jax")(torch.ones(2))
    with pytest.raises(rb.MixedEnginesError, match=r"rb.grad"):
        rb.grad(lambda x, c: x, constants=(torch.ones(2),))(jnp.ones(2))


# -- preparation -------------------------------------------------------------------------------------------------


@each_engine
@pytest.mark.parametrize("own", [False, True], ids=["numpy", "own"])
def test_arguments_of_another_layout(engine, own):
    use = load_engine(engine)
    made = use.asarray if own else np.asarray
    fn = lambda x, w: rb.xp(x).sum(x * w["a"])
    gradient = rb.prepare(rb.grad, fn, made(X), {"a": made(X)}, engine=engine)
    good = made(2 * X)
    np.testing.assert_allclose(use.to_numpy(use.asarray(gradient(good, {"a": good}))), 2 * X)
    bad = [
        ((made(np.ones(2)), {"a": good}), r"Expected: arguments\[0\]: shape \(3,\), .*float64\nGot: arguments\[0\]: shape \(2,\)"),
        (
            (made(X.astype("float32")), {"a": made(np.ones(2))}),
            r"Expected: arguments\[0\]: .*; arguments\[1\]\['a'\]: .*\nGot: .*float32; .*shape \(2,\)",
        ),
        ((good, {"b": good}), r"the keys \('a',\)\nGot: .*the keys \('b',\)"),
        ((good, good), r"structure"),
        ((good,), r"structure"),
        ((None, {"a": good}), r"None"),
        (("text", {"a": good}), r"arguments\[0\]: a str"),
        ((good, {"a": good}, good), r"structure"),
    ]
    for args, message in bad:
        with pytest.raises(
            rb.PreparationError,
            match=rf"(?s)rb.grad of <lambda>, prepared \(engine {engine}\).*{message}.*Do: pass what is like the example",
        ):
            gradient(*args)
    np.testing.assert_allclose(use.to_numpy(use.asarray(gradient(good, {"a": good}))), 2 * X)


@each_engine
def test_tangents_of_another_layout(engine):
    push = rb.prepare(rb.jvp, lambda x: x**2, (X,), (X,), engine=engine)
    with pytest.raises(rb.PreparationError, match=r"tangents\[0\]: shape \(3,\), .*\nGot: tangents\[0\]: shape \(2,\)"):
        push((X,), (np.ones(2),))
    np.testing.assert_allclose(push((X,), (None,))[1], np.zeros(3))
    np.testing.assert_allclose(push((X,), (X.astype("float32"),))[1], 2 * X * X, rtol=1e-6)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.vjp, y_bar.\nExpected: shape \(3,\)\nGot: shape \(2,\)"):
        rb.prepare(rb.vjp, lambda x: x**2, X, engine=engine)(X)[1](np.ones(2))


@each_engine
def test_static_arguments_are_part_of_the_preparation(engine):
    fn = lambda x, k, flag: rb.xp(x).sum(x**k if flag == "power" else x)
    gradient = rb.prepare(rb.grad, fn, X, 2, "power", engine=engine)
    np.testing.assert_allclose(gradient(2 * X, 2, "power"), 4 * X)
    with pytest.raises(
        rb.PreparationError, match=r"Expected: arguments\[1\]: 2; arguments\[2\]: 'power'\nGot: arguments\[1\]: 3; arguments\[2\]: 'other'"
    ):
        gradient(X, 3, "other")


@each_engine
def test_numbers_of_python_may_change(engine):
    gradient = rb.prepare(rb.grad, lambda x, c: rb.xp(x).sum(x**2) * c, X, 2.0, engine=engine)
    np.testing.assert_allclose(gradient(X, 3.0), 6 * X)
    np.testing.assert_allclose(gradient(X, np.float64(0.5)), X)


def test_what_cannot_be_prepared():
    with pytest.raises(
        rb.RuleSignatureError,
        match=r"rb.prepare, operator.\nExpected: one of rb.jvp, .*\nGot: total\nDo: pass the operator, then the function",
    ):
        rb.prepare(total, rb.grad, X)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.prepare, operator.*\nExpected: .*\nGot: rb.grad of total\n"):
        rb.prepare(rb.grad(total), X)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.prepare of rb.grad.\nExpected: a function\nGot: a ndarray"):
        rb.prepare(rb.grad, X, X)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.prepare of rb.grad.\nExpected: an example of the arguments\nGot: none"):
        rb.prepare(rb.grad, total)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.prepare of rb.jvp.\nExpected: an example: primals and tangents\nGot: 1 values"):
        rb.prepare(rb.jvp, total, (X,))
    with pytest.raises(
        rb.RuleSignatureError,
        match=r"rb.prepare of rb.grad, option batch=.\nExpected: one of engine, argnums, constants, caches\nGot: 'batch'\nDo: leave it out",
    ):
        rb.prepare(rb.grad, total, X, batch=True)
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)option argnum=.*Do: write argnums=, if that is meant"):
        rb.prepare(rb.grad, total, X, argnum=0)


@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("dual", "autograd")])
def test_engines_that_compile_nothing(engine):
    with pytest.raises(
        rb.RuleSignatureError, match=rf"rb.grad \(engine {engine}\), compile.\nExpected: an engine that compiles: jax or torch"
    ):
        rb.prepare(rb.grad, total, X, engine=engine, compile=True)


def test_torch_compiles_functions_that_are_differentiated_once():
    pytest.importorskip("torch")
    fn = lambda x: (x.sin() * x).sum()
    gradient = rb.prepare(rb.grad, fn, X, engine="torch", compile={"backend": "aot_eager"})
    np.testing.assert_allclose(gradient(2 * X), np.cos(2 * X) * 2 * X + np.sin(2 * X), rtol=1e-12)
    with pytest.raises(rb.RuleSignatureError, match=r"rb.hessian \(engine torch\), compile.\nExpected: an operator of first order"):
        rb.prepare(rb.hessian, fn, X, engine="torch", compile=True)


@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "jax"])
def test_jax_need_not_compile(engine):
    gradient = rb.prepare(rb.grad, lambda x: x.sum() if x[0] > 0 else x[0], X, engine=engine, compile=False)
    np.testing.assert_array_equal(gradient(X), np.ones(3))


# -- two engines -------------------------------------------------------------------------------------------------


def test_pairs_of_engines():
    with pytest.raises(
        rb.RuleSignatureError,
        match=r"rb.hessian, engine.\nExpected: a name, or a pair of names \(outer, inner\)\nGot: \('dual', 'jax', 'torch'\)",
    ):
        rb.hessian(total, engine=("dual", "jax", "torch"))
    with pytest.raises(rb.RuleSignatureError, match=r"rb.grad, engine=\('dual', 'jax'\).\nExpected: the name of one engine\nGot: 2 names"):
        rb.grad(total, engine=("dual", "jax"))(X)
