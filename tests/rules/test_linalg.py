"""The matrix equations of rulebook.rules.linalg: solutions, the laws, and derivatives to third order in every engine."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.linalg

import rulebook as rb
from rulebook.primitive import Case
from rulebook.rules import _equations, linalg
from rulebook.testing import check_rules
from tests.rules import taylor
from tests.rules.engines import ENGINES, differentiate
from tests.rules.problems import RESIDUALS, SOLVERS, Problem, every_problem

MODES = ("f", "r", "ff", "fr", "rf", "rr", "fff", "ffr", "frf", "rff", "frr", "rfr", "rrf", "rrr")
FEW = ("f", "r", "rf", "frf", "rfr", "rrr")  # for all but the first problem of each solver

problems = pytest.mark.parametrize("problem", every_problem(), ids=lambda p: p.name)
solvers = pytest.mark.parametrize("f", SOLVERS, ids=lambda f: f.__name__)
engines = pytest.mark.parametrize("engine", ENGINES)


def drawn(f, number, seed=0):
    found = f.cases[number](np.random.default_rng(seed))
    return (found.args, found.static) if isinstance(found, Case) else (found, {})


# -- solutions -------------------------------------------------------------------------------------------


def assert_solves(f, x, args):
    series = [None if a is None else taylor.Series(np.atleast_2d(a)) for a in args]
    residual = RESIDUALS[f](taylor.Series(x), *series).c[0]
    size = max(np.abs(x).max(), 1.0) * max(np.abs(a).max() ** 2 for a in args if a is not None)
    assert np.abs(residual).max() <= 1e-9 * size


@problems
def test_the_equation_holds(problem):
    assert_solves(problem.f, problem.solve(), problem.args)


@pytest.mark.parametrize("f", [linalg.solve_continuous_are, linalg.solve_discrete_are], ids=lambda f: f.__name__)
def test_generalised_equations_are_not_balanced(f):
    """SciPy's own balancing refuses or falsifies one in ten of these."""
    for seed in range(40):
        args, _ = drawn(f, 3, seed)
        assert_solves(f, f(*args, balanced=True), args)


@solvers
def test_the_numbers_are_those_of_scipy(f):
    for seed in range(5):
        args, static = drawn(f, 0, seed)
        np.testing.assert_allclose(f(*args, **static), getattr(scipy.linalg, f.__name__)(*args, **static), rtol=1e-6)


@solvers
def test_shapes_and_dtypes_are_those_told_to_tracers(f):
    for number in range(len(f.cases)):
        args, static = drawn(f, number)
        x = f(*args, **static)
        args = [None if a is None else np.asarray(a) for a in args] + [None] * (len(f.signature.positional) - len(args))
        specs = [None if a is None else rb.ShapeDtype(a.shape, a.dtype) for a in args]
        told = f.result(*specs, **{**f.signature.default_statics, **static})
        assert (x.shape, x.dtype) == (tuple(told.shape), np.dtype(told.dtype))
        assert x.dtype == np.result_type(*[a.dtype for a in args if a is not None and a.dtype.kind != "i"])


def test_a_real_matrix_beside_a_complex_one():
    """SciPy passes a real Schur form to the complex routine, which takes it for triangular: its residuals are 0.4 and 1.2 here."""
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]]) - np.eye(2)
    b, q = np.array([[1j - 2.0]]), np.ones((2, 1))
    x = linalg.solve_sylvester(turn, b, q)
    np.testing.assert_allclose(turn @ x + x @ b, q, atol=1e-14)
    q = np.array([[1.0, 2j], [0.5, 1.0]])
    x = linalg.solve_continuous_lyapunov(turn, q)
    np.testing.assert_allclose(turn @ x + x @ turn.T, q, atol=1e-14)


def test_integers_and_numbers():
    a, one = np.array([[-1, 0], [0, -2]]), np.eye(2)
    assert linalg.solve_continuous_lyapunov(a, a).dtype == np.float64
    assert linalg.solve_continuous_lyapunov(a, a.astype(np.float32)).dtype == np.float32
    b = np.array([[1.0], [1.0]])
    np.testing.assert_array_equal(linalg.solve_continuous_are(a, b, one, 2), linalg.solve_continuous_are(a, b, one, [[2.0]]))


@pytest.mark.parametrize("method", ["direct", "bilinear"])
def test_both_methods_of_the_discrete_equation(method):
    (a, q), _ = drawn(linalg.solve_discrete_lyapunov, 1)
    x = linalg.solve_discrete_lyapunov(a, q, method=method)
    np.testing.assert_allclose(a @ x @ a.conj().T - x + q, 0.0, atol=1e-12)


OTHERS = {"solve_sylvester": lambda a, q, b, r: (a, b, q), "are": lambda a, q, b, r: (a, b, q, r), "lyapunov": lambda a, q, b, r: (a, q)}


@solvers
def test_stacks(f):
    """Leading axes broadcast: a loop gives the same."""
    rng = np.random.default_rng(0)
    a, q = rng.uniform(-0.2, 0.2, (2, 3, 3)) - 0.3 * np.eye(3), rng.normal(size=(4, 1, 3, 3))
    q, b, r = q @ q.mT, rng.uniform(-0.2, 0.2, (3, 3)) - 0.3 * np.eye(3), np.eye(3)
    arguments = next(v for k, v in OTHERS.items() if f.__name__.endswith(k))
    stack = f(*arguments(a, q, b, r))
    assert stack.shape == (4, 2, 3, 3)
    for i, j in np.ndindex(4, 2):
        np.testing.assert_allclose(stack[i, j], f(*arguments(a[j], q[i, 0], b, r)), rtol=1e-10, atol=1e-12)


@solvers
def test_nothing_is_solved_without_elements(f):
    if "are" not in f.__name__:
        empty = np.zeros((0, 0), np.float32)
        x = f(*[empty] * len(f.signature.positional))
        assert (x.shape, x.dtype) == ((0, 0), np.float32)


# -- what cannot be solved -------------------------------------------------------------------------------


def test_singular_equations_raise():
    one = np.eye(2)
    with pytest.raises(np.linalg.LinAlgError, match="the equation is singular"):
        linalg.solve_sylvester(one, -one, one)
    with pytest.raises(np.linalg.LinAlgError, match="the equation is singular"):
        linalg.solve_continuous_lyapunov(np.array([[0.0, 1.0], [-1.0, 0.0]]), one)
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        linalg.solve_discrete_lyapunov(one, one)
    with pytest.raises(np.linalg.LinAlgError):
        linalg.solve_continuous_are(one, np.zeros((2, 1)), one, np.eye(1))


@pytest.mark.parametrize(
    ("f", "args", "message"),
    [
        (linalg.solve_sylvester, (np.eye(2), np.ones((2, 3)), np.eye(2)), r"b has to be a square matrix, .* shape \(2, 3\)"),
        (linalg.solve_sylvester, (np.eye(2), np.eye(3), np.eye(2)), r"q has to be a matrix of shape \(2, 3\), .* shape \(2, 2\)"),
        (linalg.solve_continuous_lyapunov, (np.ones(2), np.eye(2)), r"a has to be a square matrix, .* shape \(2,\)"),
        (linalg.solve_discrete_lyapunov, (np.eye(2), np.eye(3)), r"q has to be a matrix of shape \(2, 2\), .* shape \(3, 3\)"),
        (linalg.solve_continuous_are, (np.eye(2), np.eye(2), np.triu(np.ones((2, 2))), np.eye(2)), "q should be symmetric"),
        (linalg.solve_discrete_are, (np.eye(2), np.eye(3), np.eye(2), np.eye(3)), "same number of rows"),
    ],
)
def test_wrong_shapes_say_which(f, args, message):
    with pytest.raises(ValueError, match=message):
        f(*args)


def test_wrong_options_and_dtypes():
    one = np.eye(2) / 2
    with pytest.raises(ValueError, match="method has to be 'direct', 'bilinear' or None, and is 'fast'"):
        linalg.solve_discrete_lyapunov(one, one, method="fast")
    with pytest.raises(TypeError, match="LAPACK has no routines for float16; pass float32"):
        linalg.solve_continuous_lyapunov(one.astype(np.float16), one)


def test_nan_passes_in_the_right_hand_side():
    q = np.array([[1.0, np.nan], [0.0, 1.0]])
    assert np.isnan(linalg.solve_continuous_lyapunov(-np.eye(2), q)).any()
    with pytest.raises(ValueError, match="infs or NaNs"):
        linalg.solve_continuous_lyapunov(q, -np.eye(2))


# -- derivatives -----------------------------------------------------------------------------------------


@solvers
def test_the_rules_keep_the_laws(f):
    report = check_rules(f, seed=1, budget=30.0)
    assert report.points >= len(f.cases)
    assert {"differences-forward", "differences-reverse", "duality", "second-order"} <= set(report.held)


@engines
@problems
def test_derivatives_to_third_order(problem, engine):
    expected = problem.derivatives()
    for mode in modes(engine, first=problem.name.endswith("-0")):
        order = len(mode.removesuffix("j"))
        assert differentiate(engine, problem.along, mode) == pytest.approx(expected[order], rel=1e-7), mode


def modes(engine, first):
    """Every order of forward and reverse mode for the first problem of a solver, some for the others; see `differentiate`."""
    if engine == "jax":  # which takes seconds for each
        return ("rfj", "frfj", "rrrj") if first else ("rrj",)
    others = ("b", "bb", "bbb", "FrF", "FFr", "rFF", "FFF") if engine == "torch" else ()
    return (MODES if first else FEW) + others


def test_the_reference_is_that_of_the_solutions():
    """The series, summed, solve the equation a little further on."""
    for f in SOLVERS:
        p = Problem.drawn(f, 0)
        t = 1e-3
        moved = [x + t * d for x, d in zip(p.args, p.tangents, strict=True)]
        if "are" in f.__name__:
            moved[2:4] = [(x + x.conj().T) / 2 for x in moved[2:4]]
        found = taylor.coefficients(RESIDUALS[f], p.solve(), p.args, p.tangents)
        summed = sum(c * t**k for k, c in enumerate(found))
        np.testing.assert_allclose(f(*moved), summed, rtol=0, atol=1e-8 * np.abs(found[3]).max())


@engines
def test_a_number_for_r_has_a_number_for_its_derivative(engine):
    a, b, q = np.array([[0.0, 1.0], [0.5, 0.0]]), np.array([[0.0], [1.0]]), np.eye(2)
    as_matrix = rb.grad(lambda r: rb.xp(r).sum(linalg.solve_continuous_are(a, b, q, r)), engine=engine)(np.eye(1))
    as_number = rb.grad(lambda r: rb.xp(r).sum(linalg.solve_continuous_are(a, b, q, r)), engine=engine)(np.array(1.0))
    assert np.shape(as_number) == ()
    np.testing.assert_allclose(as_number, as_matrix[0, 0], rtol=1e-12)


@engines
def test_float32_stays(engine):
    a, b, q, r = (x.astype(np.float32) for x in drawn(linalg.solve_continuous_are, 2)[0])
    found = rb.grad(lambda a: rb.xp(a).sum(linalg.solve_continuous_are(a, b, q, r)), engine=engine)(a)
    exact = rb.grad(lambda a: np.sum(linalg.solve_continuous_are(a, *(x.astype(float) for x in (b, q, r)))), engine="dual")(a.astype(float))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-3 * np.abs(exact).max())


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "dual"])
def test_a_gradient_costs_one_solution_of_each_equation(engine, monkeypatch):
    calls = []
    for name in ("riccati", "sylvester"):
        solve = getattr(_equations, name)
        monkeypatch.setattr(_equations, name, lambda *args, name=name, solve=solve: calls.append(name) or solve(*args))
    a, b, q, r = drawn(linalg.solve_continuous_are, 0)[0]
    rb.value_and_grad(lambda a: rb.xp(a).sum(linalg.solve_continuous_are(a, b, q, r)), engine=engine)(a)
    assert calls == ["riccati", "sylvester"]


def test_a_pickled_solver_is_the_same():
    for f in SOLVERS:
        assert pickle.loads(pickle.dumps(f)) is f
