"""Quadratic programs: against closed forms and other solvers, in every engine and mode, and where there is no derivative."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.rules import optimize
from rulebook.rules.optimize import quadratic_program
from rulebook.testing import check_rules
from tests.rules.engines import ENGINES, differentiate, staged

scipy_optimize = pytest.importorskip("scipy.optimize")

MODES = {"jax": ("f", "r", "rj", "frj"), "torch": ("f", "r", "rr", "rf"), "autograd": ("f", "r", "rr"), "dual": ("f", "r", "rf")}
SOLVERS = ("scipy", "osqp")


def _available(solver):
    if solver == "osqp":
        pytest.importorskip("osqp")


def _random(seed, n=6, m=10, p=2):
    rng = np.random.default_rng(seed)
    half, G, A = rng.normal(size=(n, n)), rng.normal(size=(m, n)), rng.normal(size=(p, n))
    inside = rng.normal(size=n)
    return half @ half.T + 0.1 * np.eye(n), 5 * rng.normal(size=n), G, G @ inside + rng.uniform(0, 1, m), A, A @ inside


def _misses(found, P, q, G, h, A, b):
    """By how much the conditions of Karush, Kuhn and Tucker fail."""
    slack = h - G @ found.x
    stationary = P @ found.x + q + G.T @ found.z + A.T @ found.y
    parts = [stationary, A @ found.x - b, found.z * slack, np.minimum(slack, 0), np.minimum(found.z, 0)]
    return max(np.abs(v).max() for v in parts)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(20))
def test_a_solution_keeps_the_conditions_to_rounding(solver, seed):
    _available(solver)
    program = _random(seed)
    found = quadratic_program(*program, solver=solver)
    assert found.success
    assert not found.degenerate
    assert (found.z > 0).sum() == (program[3] - program[2] @ found.x < 1e-9).sum()
    assert _misses(found, *program) < 1e-11


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_singular_matrix_that_the_constraints_make_up_for(solver):
    _available(solver)
    P, q = np.diag([1.0, 0.0]), np.array([-1.0, -1.0])
    found = quadratic_program(P, q, np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([2.0, 9.0]), solver=solver)
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-12)
    np.testing.assert_allclose(found.z, [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_linear_program(solver):
    _available(solver)
    G, h = np.concatenate([-np.eye(3), np.ones((1, 3))]), np.array([0.0, 0.0, 0.0, 4.0])
    found = quadratic_program(np.zeros((3, 3)), np.array([-1.0, -2.0, 3.0]), G, h, solver=solver)
    np.testing.assert_allclose(found.x, [0.0, 4.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.z, [1.0, 0.0, 5.0, 2.0], atol=1e-12)


def _nearest(t):
    """The point of x0 + x1 <= t, x0 - x1 = t^2 next to (3, 1): x = (t + t^2, t - t^2) / 2, both multipliers known."""
    xp = rb.xp(t)
    one = xp.stack([t])
    found = quadratic_program(np.eye(2), np.array([-3.0, -1.0]), np.ones((1, 2)), one, np.array([[1.0, -1.0]]), one * one)
    return found.x[0] * found.x[1] + found.z[0] + found.y[0]


T = 1.25
# x0 x1 = (t^2 - t^4) / 4, z = (4 - t) / 2, y = (2 - t^2) / 2
EXPECTED = (
    (T**2 - T**4) / 4 + (4 - T) / 2 + (2 - T**2) / 2,
    (2 * T - 4 * T**3) / 4 - 1 / 2 - T,
    (2 - 12 * T**2) / 4 - 1,
)


@pytest.mark.parametrize(("engine", "mode"), [(engine, mode) for engine in ENGINES for mode in MODES[engine]])
def test_derivatives_are_the_closed_form(engine, mode):
    assert float(_nearest(T)) == pytest.approx(EXPECTED[0])
    assert differentiate(engine, _nearest, mode, T) == pytest.approx(EXPECTED[len(mode.replace("j", ""))], rel=1e-9)


def test_every_law_of_the_checker_holds():
    check_rules(quadratic_program, seed=1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("argument", range(6))
def test_every_argument_against_finite_differences(engine, argument):
    program = _random(3)
    loss = lambda *args: (quadratic_program(*args).x ** 2).sum()
    gradient = staged(engine, rb.grad(loss, engine=engine, argnums=argument))(*program)
    direction = np.random.default_rng(1).normal(size=program[argument].shape)
    step = 1e-6
    at = lambda s: loss(*program[:argument], program[argument] + s * direction, *program[argument + 1 :])
    assert np.sum(gradient * direction) == pytest.approx((at(step) - at(-step)) / (2 * step), rel=1e-6)


def test_float32_stays():
    program = [a.astype(np.float32) for a in _random(0)]
    found = quadratic_program(*program)
    assert found.x.dtype == found.z.dtype == found.y.dtype == np.float32
    for engine in ENGINES:
        gradient = rb.grad(lambda q: quadratic_program(program[0], q, *program[2:]).x.sum(), engine=engine)
        made = staged(engine, gradient)(program[1])
        assert made.dtype == np.float32


def test_jit_and_vmap_of_jax():
    jax = pytest.importorskip("jax")
    P, q, G, h, A, b = _random(5)
    g = jax.grad(lambda q: quadratic_program(P, q, G, h, A, b).x.sum())
    many = q + np.random.default_rng(0).normal(size=(3, len(q))) * 0.1
    expected = np.stack([g(row) for row in many])
    np.testing.assert_allclose(jax.jit(jax.vmap(g))(many), expected, rtol=1e-12)


def test_vmap_of_torch():
    torch = pytest.importorskip("torch")
    P, q, G, h, A, b = map(torch.tensor, _random(5))
    g = torch.func.grad(lambda q: quadratic_program(P, q, G, h, A, b).x.sum())
    many = q + 0.1 * torch.randn(3, len(q), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.func.vmap(g)(many), torch.stack([g(row) for row in many]))


# -- where there is no derivative ------------------------------------------------------------------

WEAK = (np.eye(2), np.array([-1.0, -1.0]), np.array([[1.0, 1.0]]), np.array([2.0]))  # the free minimum is on the bound


def test_a_weakly_active_constraint_is_a_kink():
    found = quadratic_program(*WEAK)
    np.testing.assert_allclose(found.x, [1.0, 1.0])
    assert found.degenerate
    for engine in ENGINES:
        with pytest.raises(rb.implicit.KinkError, match="active with a multiplier of zero"):
            rb.grad(lambda h: quadratic_program(*WEAK[:3], h).x.sum(), engine=engine)(WEAK[3])


def test_a_kink_in_a_compiled_program_is_nan():
    jax = pytest.importorskip("jax")
    made = jax.jit(jax.grad(lambda h: quadratic_program(*WEAK[:3], h).x.sum()))(WEAK[3])
    assert np.isnan(made).all()
    assert np.isfinite(jax.jit(jax.grad(lambda h: quadratic_program(*WEAK[:3], h).x.sum()))(WEAK[3] - 0.5)).all()


def test_a_constraint_that_is_said_twice_has_no_unique_multipliers():
    P, q, G, h = np.eye(2), np.array([-2.0, -2.0]), np.ones((2, 2)), np.ones(2)
    np.testing.assert_allclose(quadratic_program(P, q, G, h).x, [0.5, 0.5])
    for engine in ENGINES:
        with pytest.raises(rb.implicit.SingularError, match="quadratic_program"):
            rb.grad(lambda q: quadratic_program(P, q, G, h).x.sum(), engine=engine)(q)


# -- bad input -------------------------------------------------------------------------------------

EYE, ONE = np.eye(2), np.ones(2)


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_point_keeps_all_constraints(solver):
    _available(solver)
    with pytest.raises(optimize.InfeasibleError, match="no point keeps all constraints"):
        quadratic_program(EYE, ONE, np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([-1.0, -1.0]), solver=solver)
    with pytest.raises(optimize.InfeasibleError, match="no point keeps all constraints"):
        quadratic_program(EYE, ONE, A=np.array([[1.0, 0.0], [1.0, 0.0]]), b=np.array([1.0, 2.0]), solver=solver)


def test_no_lower_bound():
    pytest.importorskip("osqp")
    with pytest.raises(optimize.InfeasibleError, match="no lower bound"):
        quadratic_program(np.zeros((2, 2)), ONE, np.eye(2), ONE, solver="osqp")


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((EYE, np.ones((2, 1))), {}, r"q\.\nExpected: an array of shape \(n,\)\nGot: shape \(2, 1\)"),
        ((np.eye(3), ONE), {}, r"P\.\nExpected: shape \(2, 2\), to fit q\nGot: shape \(3, 3\)"),
        ((EYE, ONE, EYE), {}, r"G and h\.\nExpected: both or neither\nGot: G alone"),
        ((EYE, ONE, np.ones((3, 2)), ONE), {}, r"G\.\nExpected: shape \(2, 2\)"),
        ((EYE, ONE), {"on_failure": "rise"}, "did you mean 'raise'"),
        ((EYE, ONE), {"solver": "osqq"}, r"solver\.\nExpected: 'auto' or one of 'osqp', 'scipy'"),
    ],
)
def test_arguments_that_do_not_fit(args, options, message):
    with pytest.raises(rb.RuleSignatureError, match=message):
        quadratic_program(*args, **options)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((-EYE, ONE), r"P\.\nExpected: a positive semidefinite matrix\nGot: an eigenvalue of -1\.0e\+00"),
        ((EYE, ONE, EYE, np.array([1.0, np.inf])), r"h\.\nExpected: finite numbers"),
    ],
)
def test_programs_without_a_solution(args, message):
    with pytest.raises(ValueError, match=message):
        quadratic_program(*args)


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_inequality_at_all(solver):
    """SciPy's nonnegative least squares without columns would end the process."""
    _available(solver)
    found = quadratic_program(2 * np.eye(2), np.array([-2.0, -4.0]), np.zeros((0, 2)), np.zeros(0), solver=solver)
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-12)
