"""`rulebook.compat.jaxopt`: jaxopt's decorators and rules on every engine, in both modes and every order."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pytest

import rulebook as rb
from rulebook.compat.jaxopt import custom_fixed_point, custom_root, root_jvp, root_vjp

ENGINES = ["dual", *(name for name in ("jax", "torch", "autograd") if find_spec(name))]
every_engine = pytest.mark.parametrize("engine", ENGINES)
A = 2.0
ROOT = np.sqrt(A)

# The residual of a wrong equation, 100 times as steep in a: the derivative tells that the equation is what is differentiated, and not
# the solver.
MARKER = 100.0


def marked(x, a):
    return x * x - MARKER * (a - A) - A


def heron(calls=None):
    def solve(init_params, a):
        if calls is not None:
            calls.append("solve")
        x = a / 2 + 0.5
        for _ in range(6):
            x = (x + a / x) / 2
        return x

    return solve


# -- decorated solvers ---------------------------------------------------------------------------------


@every_engine
def test_both_modes_go_by_the_equation(engine):
    solve = custom_root(marked)(heron())
    np.testing.assert_allclose(solve(None, A), ROOT)
    np.testing.assert_allclose(rb.derivative(lambda a: solve(None, a), engine=engine)(A), MARKER / (2 * ROOT))
    np.testing.assert_allclose(rb.grad(lambda a: solve(None, a), engine=engine)(A), MARKER / (2 * ROOT))


@every_engine
def test_the_solver_runs_once(engine):
    calls = []
    solve = custom_root(lambda x, a: x * x - a)(heron(calls))
    for operator in (rb.derivative, rb.grad, rb.hessian):
        operator(lambda a: solve(None, a), engine=engine)(A)  # JAX compiles what it can
        calls.clear()
        operator(lambda a: solve(None, a), engine=engine)(A)
        assert len(calls) <= (2 if (engine, operator) == ("autograd", rb.hessian) else 1)


@every_engine
def test_second_derivatives(engine):
    solve = custom_root(lambda x, a: x * x - a)(heron())
    np.testing.assert_allclose(rb.hessian(lambda a: solve(None, a), engine=engine)(A), -0.25 * A**-1.5)


@every_engine
def test_the_start_may_be_anything_and_has_no_derivative(engine):
    solve = custom_root(lambda x, a: x * x - a)(lambda init_params, a: a**0.5)
    for start in (None, {"w": np.ones(3), "n": 2}, "warm", [1, 2]):
        np.testing.assert_allclose(rb.grad(lambda a, start=start: solve(start, a), engine=engine)(A), 0.5 / ROOT)
    np.testing.assert_allclose(rb.grad(lambda x0: solve(x0, np.array(A)), engine=engine)(1.0), 0.0)


class Step(NamedTuple):
    params: dict
    state: object


def line(params, slope, shift):
    """The root of a linear system in two unknowns of a dict."""
    return {"u": slope * params["u"] - shift, "v": params["v"] - params["u"] * slope}


@every_engine
@pytest.mark.parametrize("made", [tuple, Step], ids=["tuple", "namedtuple"])
def test_auxiliary_results_and_trees(engine, made):
    def solve(init_params, slope, shift):
        u = shift / slope
        found = {"u": u, "v": u * slope}
        return Step(found, {"error": u}) if made is Step else (found, None)

    decorated = custom_root(line, has_aux=True)(solve)
    assert type(decorated(None, 2.0, 3.0)) is made
    value = lambda slope, shift: decorated(None, slope, shift)[0]["u"] + decorated(None, slope, shift=shift)[0]["v"]
    np.testing.assert_allclose(rb.grad(value, argnums=(0, 1), engine=engine)(2.0, 3.0), [-3 / 4, 1 / 2 + 1])
    aux = lambda shift: decorated(None, 2.0, shift)[1]
    if made is Step:
        assert rb.grad(lambda shift: aux(shift)["error"], engine=engine)(3.0) == 0


@every_engine
def test_keywords_go_to_the_parameters_of_that_name(engine):
    """The optimality function takes the same arguments in another order."""

    def residual(x, b, a):
        return a * x - b

    def loose(init_params, *args, **kwargs):
        return kwargs["b"] / kwargs["a"] if kwargs else args[0] / args[1]

    decorated = custom_root(residual)(loose)
    gradient = rb.grad(lambda a, b: decorated(None, a=a, b=b), argnums=(0, 1), engine=engine)
    np.testing.assert_allclose(gradient(2.0, 3.0), [-3 / 4, 1 / 2])
    np.testing.assert_allclose(rb.grad(lambda b: decorated(None, b, 2.0), engine=engine)(3.0), 1 / 2)


@every_engine
def test_defaults_are_differentiated_by_place(engine):
    decorated = custom_root(lambda x, a, b: a * x - b)(lambda init_params, a, b=3.0: b / a)
    np.testing.assert_allclose(rb.grad(lambda a: decorated(None, a), engine=engine)(2.0), -3 / 4)
    np.testing.assert_allclose(rb.grad(lambda a, b: decorated(b=b, a=a, init_params=None), engine=engine)(2.0, 3.0), -3 / 4)


@every_engine
def test_a_reference_signature(engine):
    def residual(x, *args, **kwargs):
        return args[0] * x - args[1]

    def like(x, a, b):
        """What the residual takes."""

    for reference in (like, inspect.signature(like)):
        decorated = custom_root(residual, reference_signature=reference)(lambda init_params, a, b: b / a)
        gradient = rb.grad(lambda a, b, f=decorated: f(None, b=b, a=a), argnums=(0, 1), engine=engine)
        np.testing.assert_allclose(gradient(2.0, 3.0), [-3 / 4, 1 / 2])


@every_engine
def test_keyword_only_arguments_of_the_equation_are_differentiated(engine):
    """jaxopt refuses these."""
    decorated = custom_root(lambda x, a, *, b: a * x - b)(lambda init_params, a, *, b: b / a)
    np.testing.assert_allclose(rb.grad(lambda b: decorated(None, 2.0, b=b), engine=engine)(3.0), 1 / 2)


@every_engine
def test_fixed_points(engine):
    decorated = custom_fixed_point(lambda x, a: (x + a / x) / 2)(heron())
    np.testing.assert_allclose(rb.derivative(lambda a: decorated(None, a), engine=engine)(A), 0.5 / ROOT)
    np.testing.assert_allclose(rb.grad(lambda a: decorated(None, a), engine=engine)(A), 0.5 / ROOT)


@every_engine
def test_captured_values_are_differentiated(engine):
    def value(a):
        return custom_root(lambda x, b: x * x - a * b)(lambda init_params, b: (a * b) ** 0.5)(None, 1.0)

    np.testing.assert_allclose(rb.grad(value, engine=engine)(A), 0.5 / ROOT)


@every_engine
def test_solve_is_what_solves_the_linear_systems(engine):
    seen = []

    def by_columns(matvec, b):
        """By the columns of the matrix."""
        seen.append(type(b))
        xp = rb.xp(b["u"])
        zero, one = 0 * b["u"], 0 * b["u"] + 1
        columns = [matvec({"u": one, "v": zero}), matvec({"u": zero, "v": one})]
        (p, q), (r, s) = [(c["u"], c["v"]) for c in columns]
        det = p * s - q * r
        assert xp is not None
        return {"u": (s * b["u"] - r * b["v"]) / det, "v": (p * b["v"] - q * b["u"]) / det}

    decorated = custom_root(line, solve=by_columns)(lambda init_params, slope, shift: {"u": shift / slope, "v": shift})
    value = lambda slope, shift: decorated(None, slope, shift)["u"] + 2 * decorated(None, slope, shift)["v"]
    np.testing.assert_allclose(rb.grad(value, argnums=(0, 1), engine=engine)(2.0, 3.0), [-3 / 4, 1 / 2 + 2])
    assert seen and set(seen) == {dict}


def test_a_host_solver():
    optimize = pytest.importorskip("scipy.optimize")

    def solve(init_params, a):
        return optimize.fsolve(lambda x: x**3 + x - a, init_params)

    decorated = custom_root(lambda x, a: x**3 + x - a, host=True, result=lambda x0, a: x0)(solve)
    x = decorated(np.ones(1), A)
    for engine in ENGINES:
        gradient = rb.grad(lambda a: decorated(np.ones(1), a)[0], engine=engine)
        np.testing.assert_allclose(gradient(A), 1 / (3 * x[0] ** 2 + 1), rtol=1e-7)


# -- the rules on their own -----------------------------------------------------------------------------


def residual(x, m, b):
    return m @ x - b


M, B = np.array([[2.0, 1.0], [0.5, 3.0]]), np.array([1.0, -2.0])
SOL = np.linalg.solve(M, B)


@every_engine
@pytest.mark.parametrize("solve", [None, "gmres"])
def test_root_vjp_and_root_jvp(engine, solve):
    x_bar, b_dot = np.array([1.0, 2.0]), np.array([0.3, -0.4])
    m_bar, b_bar = root_vjp(residual, SOL, (M, B), x_bar, solve=solve, engine=engine)
    w = np.linalg.solve(M.T, x_bar)
    np.testing.assert_allclose(b_bar, w)
    np.testing.assert_allclose(m_bar, -np.outer(w, SOL))
    np.testing.assert_allclose(root_jvp(residual, SOL, (M, B), (None, b_dot), solve=solve, engine=engine), np.linalg.solve(M, b_dot))
    m_dot = np.ones((2, 2))
    np.testing.assert_allclose(root_jvp(residual, SOL, (M, B), (m_dot, b_dot), engine=engine), np.linalg.solve(M, b_dot - m_dot @ SOL))


@every_engine
def test_the_rules_are_differentiable(engine):
    value = lambda b: root_vjp(lambda x, b: x**3 - b, b ** (1 / 3), (b,), 1.0, engine=engine)[0]
    b = 2.0
    np.testing.assert_allclose(rb.grad(value, engine=engine)(b), (1 / 3) * (-2 / 3) * b ** (-5 / 3), rtol=1e-8)
    value = lambda b: root_jvp(lambda x, c: x**3 - b * c, b ** (1 / 3), (1.0,), (1.0,), engine=engine)
    np.testing.assert_allclose(rb.derivative(value, engine=engine)(b), (1 / 3) * (1 / 3) * b ** (-2 / 3), rtol=1e-8)


def test_values_tell_the_engine():
    torch = pytest.importorskip("torch")
    (b_bar,) = root_vjp(lambda x, b: x * x - b, torch.tensor(2.0), (torch.tensor(4.0),), 1.0)
    assert type(b_bar) is torch.Tensor and b_bar.item() == 0.25


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: root_jvp(residual, SOL, (M, B), (None,), engine="dual"), r"root_jvp, tangents\.\nExpected: 2, one per argument\nGot: 1"),
        (
            lambda: root_jvp(residual, SOL, (M, B), (None, np.ones(3)), engine="dual"),
            r"tangents\[1\]\.\nExpected: shape \(2,\)\nGot: shape \(3,\)",
        ),
        (lambda: root_vjp(residual, SOL, (M, B), (1.0, 2.0), engine="dual"), "root_vjp, cotangent"),
        (lambda: custom_root(residual)(lambda x0, a, c: a)(None, 1.0, 2.0, 3.0), "too many positional arguments"),
        (lambda: custom_root(residual)(lambda x0, **theta: theta)(None, m=1.0, c=2.0), "its optimality function"),
        (lambda: custom_root(lambda *, x: x)(lambda x0: x0)(1.0), "its optimality function"),
        (lambda: custom_root(residual, tolerance=1)(lambda x0: x0), "option 'tolerance'"),
        (lambda: custom_root(residual, solve="lu")(lambda x0, m, b: b)(SOL, M, B), "linear_solver"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_root_that_is_none_is_reported():
    with pytest.warns(rb.implicit.NotConvergedWarning, match="root_vjp, its solution"):
        root_vjp(residual, SOL + 1, (M, B), np.ones(2), engine="dual")


def test_a_singular_jacobian_is_refused():
    """jaxopt's default, conjugate gradients on the normal equations, gives the solution of least norm."""
    solve = custom_root(lambda x, a: np.array([[1.0, 1.0], [2.0, 2.0]]) @ x - a * np.array([1.0, 2.0]))(
        lambda x0, a: a * np.array([0.5, 0.5])
    )
    with pytest.raises(rb.implicit.SingularError, match="a regular matrix"):
        rb.derivative(lambda a: solve(None, a), engine="dual")(1.0)


# -- in JAX -----------------------------------------------------------------------------------------------


def test_jax_transformations():
    jax = pytest.importorskip("jax")
    solve = custom_root(lambda x, a: x * x - a)(heron())
    value = lambda a: solve(None, a=a)
    points = np.array([A, 3.0, 0.5])
    expected = 0.5 / np.sqrt(points)
    for mode in (jax.grad, jax.jacfwd, jax.jacrev):
        compiled = jax.jit(mode(value))
        np.testing.assert_allclose([compiled(a) for a in points], expected)
        np.testing.assert_allclose(jax.vmap(mode(value))(points), expected)
    np.testing.assert_allclose(jax.jit(jax.hessian(value))(A), -0.25 * A**-1.5)


def test_single_precision_and_numpy_arguments_in_jax():
    """Ridge regression; NumPy arrays of double precision beside a number that is differentiated."""
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((10, 3)), rng.standard_normal(10)

    def objective(params, l2, x, y):
        r = x @ params - y
        return 0.5 * jax.numpy.mean(r**2) + 0.5 * l2 * jax.numpy.sum(params**2)

    def solver(init_params, l2, x, y):
        return jax.numpy.linalg.solve(x.T @ x + l2 * len(y) * jax.numpy.eye(3), x.T @ y)

    decorated = custom_root(jax.grad(objective))(solver)
    exact = -np.linalg.solve(x.T @ x + 5.0 * 10 * np.eye(3), 10 * np.asarray(solver(None, 5.0, x, y)))
    with jax.enable_x64(False):
        for mode in (jax.jacrev, jax.jacfwd):
            found = mode(decorated, argnums=1)(None, 5.0, x=x, y=y)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, exact, rtol=1e-4)


def test_torch_transformations():
    torch = pytest.importorskip("torch")
    solve = custom_root(lambda x, a: x * x - a)(heron())
    value = lambda a: solve(None, a=a)
    points = torch.tensor([A, 3.0, 0.5], dtype=torch.float64)
    expected = 0.5 / np.sqrt(points.numpy())
    np.testing.assert_allclose(torch.func.vmap(torch.func.grad(value))(points), expected)
    np.testing.assert_allclose(torch.func.jacfwd(lambda a: torch.func.vmap(value)(a))(points), np.diag(expected))
    x = points.clone().requires_grad_()
    np.testing.assert_allclose(torch.autograd.grad(value(x).sum(), x)[0], expected)
