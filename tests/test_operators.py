"""rb.jvp, vjp, derivative, grad, value_and_grad, jacobian, hessian: NumPy in, NumPy out, the same for every engine."""

import importlib.util
from typing import NamedTuple

import numpy as np
import pytest

import rulebook as rb
from rulebook import engines

INSTALLED = [name for name in engines.engine_names() if name == "dual" or importlib.util.find_spec(name)]
X = np.array([0.3, 0.5, 1.2])
A = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])

pytestmark = pytest.mark.parametrize("engine", INSTALLED)


class Pair(NamedTuple):
    """Two values."""

    first: object
    second: object


@pytest.fixture
def counted():
    """sin(x) * w as a primitive, and how often its primal ran."""
    ran = []

    @rb.primitive(name="wave", jit=False)
    def wave(x, w):
        ran.append(1)
        return rb.xp(x, w).sin(x) * w

    @rb.pushforward(wave)
    def _(y, primals, tangents):
        (x, w), (x_dot, w_dot) = primals, tangents
        xp = rb.xp(x, w)
        return xp.cos(x) * w * x_dot + xp.sin(x) * w_dot

    @rb.pullback(wave)
    def _(y, primals, y_bar):
        x, w = primals
        xp = rb.xp(x, w)
        return rb.project(x, y_bar * w * xp.cos(x)), rb.project(w, y_bar * xp.sin(x))

    return wave, ran


def close(got, expected):
    """Equal numbers, and NumPy's, in the same containers."""
    got_leaves, got_structure = rb.trees.flatten(got)
    leaves, structure = rb.trees.flatten(expected)
    assert got_structure == structure
    for a, b in zip(got_leaves, leaves, strict=True):
        assert isinstance(a, (np.ndarray, np.generic)), type(a)
        assert a.dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def total(x):
    """sum(x**3)."""
    return rb.xp(x).sum(x**3)


# -- numbers -------------------------------------------------------------------------------------------


def test_jvp(engine):
    close(rb.jvp(lambda x, w: x**2 * w, (X, 2.0), (X, 3.0), engine=engine), (2 * X**2, 4 * X**2 + 3 * X**2))


def test_jvp_with_a_zero_tangent(engine):
    close(rb.jvp(lambda x, w: x**2 * w, (X, 2.0), (X, None), engine=engine)[1], 4 * X**2)


def test_vjp(engine):
    y, pull = rb.vjp(lambda x, w: x**2 * w, X, np.array([2.0, 3.0, 4.0]), engine=engine)
    close(y, X**2 * [2, 3, 4])
    close(pull(np.ones(3)), (2 * X * [2, 3, 4], X**2))
    close(pull(X), (2 * X**2 * [2, 3, 4], X**3))


def test_derivative(engine):
    close(rb.derivative(lambda t: t**3, engine=engine)(2.0), np.array(12.0))
    close(rb.derivative(lambda t: t * rb.xp(t).asarray(X), engine=engine)(2.0), X)
    close(rb.derivative(lambda x, t: {"y": t**2 * x}, engine=engine, argnums=1)(X, 3.0), {"y": 6 * X})


def test_grad_and_value_and_grad(engine):
    close(rb.grad(total, engine=engine)(X), 3 * X**2)
    close(rb.value_and_grad(total, engine=engine)(X), (np.sum(X**3), 3 * X**2))
    close(rb.grad(lambda t: t**3, engine=engine)(2.0), np.array(12.0))


def test_jacobian(engine):
    close(rb.jacobian(lambda x: x**2, engine=engine)(X), np.diag(2 * X))
    close(rb.jacobian(lambda x: rb.xp(x).asarray(A) @ x, engine=engine)(X), A)
    close(rb.jacobian(total, engine=engine)(X), 3 * X**2)
    matrix = rb.jacobian(lambda a: a @ a.T, engine=engine)(A)
    assert matrix.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(np.einsum("ijkl,kl->ij", matrix, A), 2 * A @ A.T)


def test_hessian(engine):
    close(rb.hessian(total, engine=engine)(X), np.diag(6 * X))
    close(rb.hessian(lambda x: (x @ x) ** 2, engine=engine)(X), 8 * np.outer(X, X) + 4 * (X @ X) * np.eye(3))
    close(rb.hessian(lambda t: t**3, engine=engine)(2.0), np.array(12.0))


def test_argnums(engine):
    f = lambda x, k, w: rb.xp(x, w).sum(x**k * w)
    close(rb.grad(f, engine=engine, argnums=2)(X, 2, 3.0), np.sum(X**2))
    close(rb.grad(f, engine=engine, argnums=(0, 2))(X, 2, 3.0), (6 * X, np.sum(X**2)))
    close(rb.grad(f, engine=engine, argnums=-1)(X, 2, 3.0), np.sum(X**2))
    close(rb.jacobian(lambda a, x: x * a, engine=engine, argnums=1)(2.0, X), 2 * np.eye(3))
    close(rb.hessian(f, engine=engine, argnums=2)(X, 2, 3.0), np.array(0.0))


def test_containers(engine):
    def f(p):
        return {"s": p["a"] * p["b"][0], "t": (p["a"] ** 2,)}

    p = {"a": X, "b": [2.0, None]}
    close(rb.jvp(f, (p,), ({"a": X, "b": [1.0, None]},), engine=engine)[1], {"s": 2 * X + X, "t": (2 * X**2,)})
    y, pull = rb.vjp(f, p, engine=engine)
    close(y, f(p))
    close(pull({"s": np.ones(3), "t": (X,)}), ({"a": 2 + 2 * X**2, "b": [np.sum(X), None]},))
    close(pull({"s": np.ones(3), "t": None}), ({"a": 2 + 0 * X, "b": [np.sum(X), None]},))
    loss = lambda p: rb.xp(p.first).sum(p.first * p.second)
    close(rb.grad(loss, engine=engine)(Pair(X, 2.0)), Pair(2 + 0 * X, np.sum(X)))


def test_integers_and_flags_have_no_derivative(engine):
    f = lambda x, k, flag: x**k if flag else x
    y, pull = rb.vjp(f, X, 2, True, engine=engine)
    close(y, X**2)
    x_bar, k_bar, flag_bar = pull(np.ones(3))
    close(x_bar, 2 * X)
    assert k_bar is None
    assert flag_bar is None
    close(rb.jvp(f, (X, 2, True), (X, None, None), engine=engine)[1], 2 * X**2)


def test_a_constant_has_zero_derivatives(engine):
    constant = lambda x: 2.0 * np.ones(2)
    close(rb.jvp(constant, (X,), (X,), engine=engine), (2.0 * np.ones(2), np.zeros(2)))
    close(rb.vjp(constant, X, engine=engine)[1](np.ones(2)), (np.zeros(3),))
    close(rb.jacobian(constant, engine=engine)(X), np.zeros((2, 3)))
    close(rb.grad(lambda x: 1.0, engine=engine)(X), np.zeros(3))


def test_float32(engine):
    x = X.astype(np.float32)
    close_dtype = lambda tree: {leaf.dtype.name for leaf in rb.trees.flatten(tree)[0]} == {"float32"}
    assert close_dtype(rb.jvp(lambda x: x**2, (x,), (x,), engine=engine))
    assert close_dtype(rb.value_and_grad(total, engine=engine)(x))
    assert close_dtype(rb.jacobian(lambda x: x**2, engine=engine)(x))
    assert close_dtype(rb.hessian(total, engine=engine)(x))


def test_complex_pairing(engine):
    z, bar = np.array([1 + 2j, 0.5j]), np.array([1j, 2.0])
    _, pull = rb.vjp(lambda z: z**2, z, engine=engine)
    close(pull(bar), (bar * np.conj(2 * z),))
    close(rb.jvp(lambda z: z**2, (z,), (bar,), engine=engine)[1], 2 * z * bar)
    close(rb.grad(lambda z: rb.xp(z).sum(rb.xp(z).real(z) ** 2), engine=engine)(z), 2 * z.real + 0j)


def test_arrays_without_elements(engine):
    empty = np.zeros((0, 2))
    close(rb.grad(total, engine=engine)(empty), empty)
    close(rb.jacobian(lambda x: x**2, engine=engine)(empty), np.zeros((0, 2, 0, 2)))


def test_nesting(engine):
    inner = rb.grad(total, engine=engine)
    close(rb.jvp(inner, (X,), (X,), engine=engine)[1], 6 * X**2)
    close(rb.derivative(lambda x: x * rb.derivative(lambda y: x * y, engine=engine)(2.0), engine=engine)(1.0), np.array(2.0))


def test_results_are_not_views_of_the_arguments(engine):
    x = X.copy()
    y, pull = rb.vjp(lambda x: x, x, engine=engine)
    bar = np.ones(3)
    (x_bar,) = pull(bar)
    x[:] = 0
    bar[:] = 0
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(x_bar, np.ones(3))


# -- the primal runs once ---------------------------------------------------------------------------------


def test_the_primal_runs_once(engine, counted):
    wave, ran = counted
    rb.value_and_grad(lambda x: rb.xp(x).sum(wave(x, 2.0)), engine=engine)(X)
    assert len(ran) == 1
    ran.clear()
    rb.jvp(wave, (X, 2.0), (X, 1.0), engine=engine)
    assert len(ran) == 1


def test_the_primal_runs_once_in_a_jacobian(engine, counted):
    wave, ran = counted
    close(rb.jacobian(lambda x: wave(x, 2.0), engine=engine)(X), np.diag(2 * np.cos(X)))
    assert len(ran) == 1


def test_a_pullback_does_not_run_the_primal_again(engine, counted):
    wave, ran = counted
    _, pull = rb.vjp(wave, X, 2.0, engine=engine)
    close(pull(np.ones(3)), (2 * np.cos(X), np.sum(np.sin(X))))
    close(pull(X), (2 * np.cos(X) * X, np.sum(np.sin(X) * X)))
    assert len(ran) == 1


# -- wrong usage --------------------------------------------------------------------------------------------


def test_wrong_number_of_tangents(engine):
    with pytest.raises(rb.RuleSignatureError, match=r"rb.jvp.\nExpected: 2 tangents, one per primal\nGot: 1"):
        rb.jvp(lambda x, y: x, (X, X), (X,), engine=engine)


def test_tangent_of_another_shape_or_structure(engine):
    with pytest.raises(rb.RuleSignatureError, match=r"tangent\[0\].\nExpected: shape \(3,\)\nGot: shape \(2,\)"):
        rb.jvp(lambda x: x, (X,), (np.ones(2),), engine=engine)
    with pytest.raises(rb.RuleSignatureError, match=r"Expected: the keys .'a',.\nGot: the keys .'b',."):
        rb.jvp(lambda x: x["a"], ({"a": X},), ({"b": X},), engine=engine)


def test_cotangent_of_another_shape_or_structure(engine):
    _, pull = rb.vjp(lambda x: x**2, X, engine=engine)
    with pytest.raises(rb.RuleSignatureError, match=r"y_bar.\nExpected: shape \(3,\)\nGot: shape \(2,\)"):
        pull(np.ones(2))
    with pytest.raises(rb.RuleSignatureError, match=r"y_bar.\nExpected: an array\nGot: structure"):
        pull((np.ones(3),))


def test_grad_of_something_that_is_no_number(engine):
    for fn, got in ((lambda x: x, r"shape \(3,\), (torch\.)?float64"), (lambda x: (x,), "a tuple"), (lambda x: x[0] * 1j, "complex")):
        with pytest.raises(rb.RuleSignatureError, match=rf"rb.grad of .*\nExpected: one real number, shape .*\nGot: .*{got}"):
            rb.grad(fn, engine=engine)(X)


def test_grad_by_something_that_is_no_float(engine):
    with pytest.raises(rb.RuleSignatureError, match=r"rb.grad, argument 0.\nExpected: floating-point numbers\nGot: (torch.)?int64"):
        rb.grad(total, engine=engine)(np.arange(3))
    with pytest.raises(rb.RuleSignatureError, match=r"rb.jacobian, argument 0.\nExpected: floating-point numbers\nGot: (torch.)?int64"):
        rb.jacobian(lambda x: x, engine=engine)(np.arange(3))


def test_hessian_of_an_array(engine):
    with pytest.raises(rb.RuleSignatureError, match=r"rb.hessian.*\nExpected: one real number, shape \(\)\nGot: shape \(3,\)"):
        rb.hessian(lambda x: x**2, engine=engine)(X)


def test_derivative_by_an_array(engine):
    with pytest.raises(rb.RuleSignatureError, match=r"rb.derivative.\nExpected: a real number, shape \(\)\nGot: shape \(3,\)"):
        rb.derivative(lambda x: x, engine=engine)(X)


def test_argnums_that_name_no_argument(engine):
    for argnums in (1, -2, (0, 1), ()):
        with pytest.raises(rb.RuleSignatureError, match=r"argnums.\nExpected: positions among the 1 arguments"):
            rb.grad(total, engine=engine, argnums=argnums)(X)


def test_an_engine_that_there_is_not(engine):
    with pytest.raises(rb.EngineMissingError, match=r"engine 'numba'.\nExpected: one of"):
        rb.grad(total, engine="numba")(X)


def test_values_of_another_engine(engine):
    other = next((e for e in INSTALLED if e != engine and e != "dual"), None)
    if other is None:
        return
    seen = []

    def inner(x):
        with pytest.raises(
            rb.RuleSignatureError, match=rf"engine='{engine}'.\nExpected: values of {engine} or NumPy\nGot: values of {other}"
        ):
            rb.grad(total, engine=engine)(x)
        seen.append(1)
        return rb.xp(x).sum(x)

    rb.grad(inner, engine=other)(X)
    assert seen


def test_a_failed_call_leaves_nothing_behind(engine, counted):
    wave, _ = counted

    def fails(x):
        wave(x, 2.0)
        raise ZeroDivisionError("mine")

    for operator in (rb.grad, rb.jacobian, rb.hessian):
        with pytest.raises(ZeroDivisionError, match=r"mine"):
            operator(fails, engine=engine)(X)
    with pytest.raises(ZeroDivisionError, match=r"mine"):
        rb.jvp(fails, (X,), (X,), engine=engine)
    close(rb.hessian(lambda x: rb.xp(x).sum(wave(x, 2.0)), engine=engine)(X), np.diag(-2 * np.sin(X)))
