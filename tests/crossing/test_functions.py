"""What a function may capture, return and raise, and how messages speak of it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import rulebook as rb

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
pytest.importorskip("autograd")
jnp = jax.numpy
X = np.array([1.0, 2.0, 3.0])


def _module():
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()).double()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(0.5)
    return net


@pytest.mark.parametrize("n", [1, 2])
def test_parameters_of_a_module_are_refused_by_name(n):
    primitive, x = rb.differentiate_with(_module(), "torch"), jnp.asarray(X)
    for call in (primitive, jax.grad(lambda x: primitive(x).sum()), lambda x: jax.jvp(primitive, (x,), (x,))):
        for _ in range(n):
            with pytest.raises(rb.RuleOutputError, match=r"(?s)_modules.*_parameters.*whose derivative would be lost.*functional_call"):
                call(x)


def test_parameters_of_large_arguments_are_refused_as_well():
    w = torch.ones(100_000, dtype=torch.float64)
    primitive, x = rb.differentiate_with(lambda t: t * w, "torch"), jnp.ones(100_000)
    primitive(x)
    w.requires_grad_()
    with pytest.raises(rb.RuleOutputError, match=r", w\.\n"):
        primitive(x)


def test_parameters_that_do_not_require_grad_are_constants_and_others_may_be_arguments():
    net = _module()
    net.requires_grad_(False)
    gradient = jax.grad(lambda x: rb.differentiate_with(net, "torch")(x).sum())(jnp.asarray(X))
    called = rb.differentiate_with(lambda p, x: torch.func.functional_call(net, p, (x,)), "torch")
    parameters = {name: p.numpy() for name, p in net.named_parameters()}
    g, again = jax.grad(lambda p, x: called(p, x).sum(), (0, 1))(parameters, jnp.asarray(X))
    np.testing.assert_allclose(gradient, again)
    slope = 1 - np.tanh(0.5 * X.sum() + 0.5) ** 2
    np.testing.assert_allclose(gradient, np.full(3, slope))
    np.testing.assert_allclose(g["0.weight"], np.outer(np.full(2, slope), X))


@pytest.mark.parametrize("engine", ["jax", "autograd", "dual", "differences"])
def test_a_tensor_read_as_a_number_is_refused_by_name(engine):
    weight = torch.tensor(2.0, requires_grad=True)
    primitive = rb.differentiate_with(lambda x: x * weight.item(), engine)
    for call in (primitive, torch.func.grad(lambda x: primitive(x).sum()), primitive.__call__):
        with pytest.raises(rb.RuleSignatureError, match=r"(?s)weight.*its derivative would be lost.*as a positional argument"):
            call(torch.ones(3, dtype=torch.float64))


def test_traced_values_that_are_captured_are_refused_by_name():
    x = jnp.asarray(X)
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)w.*captured by the primal or a rule"):
        jax.grad(lambda w: rb.differentiate_with(lambda t: t * w, "torch")(x * w).sum())(2.0)
    with pytest.raises(rb.RuleOutputError, match=r"(?s), w\..*the function captured a value of it"):
        rb.grad(lambda w: np.sum(rb.differentiate_with(lambda a: a * w, "dual")(X)), engine="dual")(2.0)
    with pytest.raises((rb.RulebookError, TypeError)):
        rb.grad(lambda w: np.sum(rb.differentiate_with(lambda t: t * float(w), "torch")(X)), engine="dual")(2.0)
    with pytest.raises((rb.RulebookError, TypeError)):
        rb.grad(lambda w: rb.differentiate_with(lambda t: (t * torch.as_tensor(w)).sum(), "torch")(X), engine="autograd")(2.0)


@pytest.mark.parametrize("engine", ["jax", "torch", "dual", "differences"])
@pytest.mark.parametrize("result, got", [(None, "None"), (object(), "a object"), ("text", "a str"), ((), r"\(\)")])
def test_results_that_are_no_arrays_are_refused(engine, result, got):
    primitive = rb.differentiate_with(lambda x: result, engine)
    x = torch.ones(2) if engine == "jax" else jnp.ones(2)
    with pytest.raises(rb.RuleOutputError, match=rf"(?s)differentiate_with, engine {engine}\), result.*Got: {got}.*Do: return"):
        primitive(x)


def test_numbers_instead_of_tensors_are_refused():
    for f in (lambda t: t.sum().item(), lambda t: t.detach().numpy()):
        with pytest.raises(rb.RuleOutputError, match=r"(?s)tensors, so that they can be differentiated.*with torch"):
            rb.differentiate_with(f, "torch")(jnp.ones(2))


def test_a_result_that_cannot_be_found_out_says_so():
    primitive = rb.differentiate_with(lambda a: np.linalg.inv(a * 0), "dual", name="lib.inverse")
    with pytest.raises(rb.ResultSpecError, match=r"(?s)lib.inverse.*shapes and dtypes can be found out.*LinAlgError.*pass result="):
        jax.jit(primitive)(jnp.eye(2))
    declared = rb.differentiate_with(lambda a: a.sum(0), "dual", result=lambda a: rb.ShapeDtype(a.shape[1:], a.dtype))
    np.testing.assert_allclose(jax.jit(declared)(jnp.eye(2)), [1.0, 1.0])


def test_a_program_that_is_traced_does_not_run_the_function_for_its_shapes():
    calls = []

    def f(a):
        calls.append(type(a).__name__)
        return jnp.sum(a) if isinstance(a, jax.Array) else torch.sum(a)

    jax.make_jaxpr(rb.differentiate_with(f, "torch"))(jnp.ones(3))
    assert calls == ["FakeTensor"]


def test_errors_of_the_function_arrive_as_themselves():
    def f(x):
        raise KeyError("mine")

    primitive = rb.differentiate_with(f, "torch", result=lambda x: x)
    x = jnp.ones(2)
    for call in (primitive, jax.jit(primitive), jax.grad(lambda x: primitive(x).sum())):
        with pytest.raises(KeyError, match="mine"):
            call(x)


def test_unknown_engines_and_wrong_functions():
    with pytest.raises(rb.EngineMissingError, match=r"(?s)engine 'toch'.*Do: write 'torch'"):
        rb.differentiate_with(np.sin, "toch")
    with pytest.raises(rb.EngineMissingError, match=r"(?s)engine 'numpy'.*name the engine that the function is written for"):
        rb.differentiate_with(np.sin, "numpy")
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)a function.*a int.*pass the function"):
        rb.differentiate_with(3, "torch")


def test_an_engine_that_is_not_installed(monkeypatch):
    import sys

    from rulebook import engines

    monkeypatch.delitem(engines._loaded, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "rulebook.bridges.torch", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises((rb.EngineMissingError, ModuleNotFoundError), match="torch"):
        rb.differentiate_with(np.sin, "torch")


def test_values_of_two_engines_in_one_call():
    with pytest.raises(rb.MixedEnginesError):
        rb.differentiate_with(lambda a, b: a * b, "dual")(jnp.ones(2), torch.ones(2))


def test_jax_in_a_compiled_program_of_jax_is_refused_and_outside_it_works():
    inner = rb.differentiate_with(lambda a: jnp.sin(a) * 2, "jax")
    chain = rb.differentiate_with(lambda t: inner(t) * t, "torch")
    x = jnp.asarray(X)
    np.testing.assert_allclose(jax.grad(lambda x: chain(x).sum())(x), 2 * np.cos(X) * X + 2 * np.sin(X))
    for call in (lambda x: chain(x).sum(), jax.grad(lambda x: chain(x).sum())):
        with pytest.raises(rb.RuleSignatureError, match=r"(?s)host code in a compiled program.*an operation of JAX"):
            jax.jit(call)(x)


def test_threads_do_not_disturb_each_other():
    primitive = rb.differentiate_with(lambda t: torch.sin(t) * t, "torch")
    gradient, found, failed = jax.grad(lambda x: primitive(x).sum()), {}, []

    def work(k):
        try:
            for _ in range(5):
                found[k] = np.asarray(gradient(jnp.full(3, float(k))))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed
    for k, g in found.items():
        np.testing.assert_allclose(g, np.full(3, np.cos(k) * k + np.sin(k)))


def test_a_primitive_may_be_the_function_and_names_stay():
    cube = rb.scalar_rule(made := rb.primitive(lambda x: x**3, name="lib.cube"))(lambda y, x: (3 * x**2,)) and made
    crossed = rb.differentiate_with(cube, "torch")
    np.testing.assert_allclose(jax.grad(lambda x: crossed(x).sum())(jnp.asarray(X)), 3 * X**2)

    def energy(x, *, scale=1.0):
        """The energy."""
        return scale * x.sum()

    named = rb.differentiate_with(energy, "torch", cases=[rb.case(X)])
    assert named.name.endswith("energy") and named.__doc__ == "The energy." and named.cases
    with pytest.raises(rb.RuleSignatureError, match="scael"):
        named(X, scael=2.0)


def test_defaults_of_the_functions_engine_are_arguments_of_every_engine():
    primitive = rb.differentiate_with(lambda t, w=torch.full((3,), 2.0, dtype=torch.float64): (t * w).sum(), "torch")  # noqa: B008
    np.testing.assert_allclose(jax.grad(primitive)(jnp.asarray(X)), np.full(3, 2.0))
    np.testing.assert_allclose(jax.grad(primitive, 1)(jnp.asarray(X), jnp.ones(3)), X)
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)default of w.*a constant"):
        rb.differentiate_with(lambda t, w=torch.ones(3, requires_grad=True): t * w, "torch")  # noqa: B008
