"""What is wrong with a solver, its equation or its linear system is said: which, and what to do."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit import KinkError, NotConvergedError, NotConvergedWarning, SingularError

ENGINES = [name for name in ("jax", "torch", "autograd", "dual") if name == "dual" or importlib.util.find_spec(name)]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def _square_root(rounds: int, **options: Any) -> Any:
    @rb.implicit.root(lambda x, a: x * x - a, name="square_root", **options)
    def solve(x0, a):
        x = x0
        for _ in range(rounds):
            x = (x + a / x) / 2
        return x

    return solve


def _derivative(engine: str, solve: Any, a: float, x0: float = 1.0) -> float:
    return float(rb.derivative(lambda a: solve(np.array(x0), a), engine=engine)(np.array(a)))


def _gradient(engine: str, solve: Any, a: float, x0: float = 1.0) -> float:
    return float(rb.grad(lambda a: solve(np.array(x0), a), engine=engine)(np.array(a)))


both_modes = pytest.mark.parametrize("derivative", [_derivative, _gradient], ids=["forward", "reverse"])


@both_modes
@every_engine
def test_a_solution_that_is_none_is_warned_of(engine: str, derivative: Any) -> None:
    with pytest.warns(NotConvergedWarning, match=r"(?s)square_root, its solution\..*residual of norm 2\.2e\+00.*Do: let the solver go on"):
        derivative(engine, _square_root(1), 4.0)


@both_modes
@every_engine
def test_a_solution_that_is_none_raises_on_request(engine: str, derivative: Any) -> None:
    with pytest.raises(NotConvergedError, match=r"(?s)square_root, its solution\..*residual of norm 2\.2e\+00"):
        derivative(engine, _square_root(1, on_failure="raise"), 4.0)


@both_modes
@every_engine
def test_a_solution_that_is_none_is_ignored_on_request(engine: str, derivative: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotConvergedWarning)
        assert derivative(engine, _square_root(1, on_failure="ignore"), 4.0) == pytest.approx(1 / 5)  # 1 / (2 x) at x = 2.5


@every_engine
def test_a_declared_tolerance_is_held(engine: str) -> None:
    """What is good enough without `tol=` is reported with one that it misses."""
    _derivative(engine, _square_root(4), 4.0)
    with pytest.warns(NotConvergedWarning):
        _derivative(engine, _square_root(4, tol=1e-12), 4.0)


@both_modes
@every_engine
def test_a_solution_of_nan_is_reported(engine: str, derivative: Any) -> None:
    @rb.implicit.root(lambda x, a: x * x - a)
    def solve(x0, a):
        return x0 + a * np.nan

    with pytest.warns(NotConvergedWarning, match="its solution"):
        assert np.isnan(derivative(engine, solve, 4.0))


def _matrix(matrix: Any, b: float) -> Any:
    """The solution of a linear system with a matrix, any that there is."""

    @rb.implicit.root(lambda x, a: rb.xp(x, a).asarray(matrix) @ x - a, name="line")
    def solve(x0, a):
        return rb.xp(a).asarray(np.array([b, 0.0])) + 0 * a

    return solve


@every_engine
def test_a_singular_jacobian_raises(engine: str) -> None:
    solve = _matrix(np.array([[1.0, 2.0], [2.0, 4.0]]), 1.0)
    fn = lambda a: solve(np.zeros(2), a)
    with pytest.raises(
        SingularError, match=r"(?s)line, the Jacobian of its equation at the solution, shape \(2, 2\).*condition [0-9.]+e\+1[5-9]"
    ):
        rb.jacobian(fn, engine=engine)(np.array([1.0, 2.0]))
    with pytest.raises(np.linalg.LinAlgError):
        rb.grad(lambda a: rb.xp(a).sum(fn(a)), engine=engine)(np.array([1.0, 2.0]))


@every_engine
def test_units_do_not_make_a_matrix_singular(engine: str) -> None:
    matrix = np.array([[1e-18, 3e3], [2e-18, 1e3]])

    @rb.implicit.root(lambda x, a: rb.xp(x, a).asarray(matrix) @ x - a)
    def solve(x0, a):
        return rb.xp(a).linalg.solve(rb.xp(a).asarray(matrix), a)

    found = rb.jacobian(lambda a: solve(np.zeros(2), a), engine=engine)(np.array([1.0, 2.0]))
    np.testing.assert_allclose(found, np.linalg.inv(matrix), rtol=1e-10)


@both_modes
@every_engine
def test_a_double_root_is_singular(engine: str, derivative: Any) -> None:
    @rb.implicit.root(lambda x, a: (x - a) ** 2)
    def solve(x0, a):
        return a + 0 * x0

    with pytest.raises(SingularError):
        derivative(engine, solve, 4.0)


@both_modes
@every_engine
def test_a_kink_is_refused(engine: str, derivative: Any) -> None:
    @rb.implicit.root(lambda x, a: abs(x - 1) + (x - 1) / 2 - a, name="bent")
    def solve(x0, a):
        return 1 + 0 * x0 + 0 * a

    with pytest.raises(KinkError, match=r"(?s)bent, its equation at the solution.*slopes that differ from side to side"):
        derivative(engine, solve, 0.0)


@pytest.mark.parametrize(("a", "x0"), [(1e-18, 1.0), (4.0, 1e7), (1e18, 1.0), (4.0, -2.0 + 1e-9)])
@every_engine
def test_a_smooth_equation_has_no_kink(engine: str, a: float, x0: float) -> None:
    """However far from the solution the solver started."""

    @rb.implicit.root(lambda x, a: x**3 - a)
    def solve(x0, a):
        return 0 * x0 + rb.xp(a).cbrt(a)

    assert _derivative(engine, solve, a, x0) == pytest.approx(a ** (-2 / 3) / 3, rel=1e-10)


@every_engine
def test_badly_scaled_unknowns_have_no_kink(engine: str) -> None:
    scales = np.array([1.0, 1e-9, 1e6])

    @rb.implicit.root(lambda x, a: (x / rb.xp(x, a).asarray(scales)) ** 2 - a)
    def solve(x0, a):
        return rb.xp(a).asarray(scales) * a**0.5

    found = rb.jacobian(lambda a: solve(np.ones(3), a), engine=engine)(np.array([1.0, 4.0, 9.0]))
    np.testing.assert_allclose(found, np.diag(scales / [2, 4, 6]), rtol=1e-10)


# -- what does not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (lambda x, a: {"u": x["u"] - a}, r"\{'u': \*\}"),
        (lambda x, a: x["u"] - a, r"\*"),
        (lambda x, a: {"u": x["u"] - a, "v": None}, "None"),
        (lambda x, a: {"u": x["u"] - a, "v": x["u"]}, r"\(2,\)"),
        (lambda x, a: {"u": x["u"] - a, "v": (x["v"],)}, r"\(\*,\)"),
    ],
    ids=["a key is missing", "an array", "None", "another shape", "another container"],
)
@every_engine
def test_a_residual_unlike_the_state(engine: str, value: Any, got: str) -> None:
    @rb.implicit.root(value, name="pair")
    def solve(x0, a):
        return {"u": a + 0 * x0["u"], "v": 0 * x0["v"] + 1.0}

    fn = lambda a: solve({"u": np.zeros(2), "v": np.array(1.0)}, a)["u"]
    with pytest.raises(rb.RuleOutputError, match=rf"(?s)pair, its residual .*Expected: .*x.*Got: .*{got}"):
        rb.jacobian(fn, engine=engine)(np.ones(2))


@every_engine
def test_a_solution_unlike_the_start(engine: str) -> None:
    @rb.implicit.root(lambda x, a: x - a, name="bare")
    def solve(x0, a):
        return (a, x0)

    with pytest.raises(rb.RuleOutputError, match=r"(?s)bare.*structure of x0"):
        rb.jacobian(lambda a: solve(np.zeros(2), a), engine=engine)(np.ones(2))


@pytest.mark.parametrize("start", [0, np.arange(2), [np.zeros(2), True], "zero"], ids=str)
@every_engine
def test_a_start_of_integers(engine: str, start: Any) -> None:
    solve = rb.implicit.root(lambda x, a: x - a, name="whole")(lambda x0, a: a)
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)whole, x0.*floating numbers to start from"):
        rb.jacobian(lambda a: solve(start, a), engine=engine)(np.ones(2))


def test_a_start_of_integers_without_derivatives() -> None:
    solve = rb.implicit.root(lambda x, a: x - a, name="whole")(lambda x0, a: a)
    with pytest.raises(rb.RuleSignatureError, match="whole, x0"):
        solve(np.arange(2), np.ones(2))


@every_engine
def test_aux_has_to_come(engine: str) -> None:
    solve = rb.implicit.root(lambda x, a: x - a, has_aux=True, name="chatty")(lambda x0, a: a)
    with pytest.raises(rb.RuleOutputError, match=r"(?s)chatty.*\(x, aux\) from the solver"):
        rb.jacobian(lambda a: solve(np.zeros(2), a)[0], engine=engine)(np.ones(2))


@every_engine
def test_an_objective_of_several_numbers(engine: str) -> None:
    solve = rb.implicit.minimizer(lambda x, a: (x - a) ** 2, name="lowest")(lambda x0, a: a)
    with pytest.raises(rb.RuleOutputError, match=r"(?s)lowest, its objective .*one real number.*shape \(2,\)"):
        rb.jacobian(lambda a: solve(np.zeros(2), a), engine=engine)(np.ones(2))


# -- at the decorator --------------------------------------------------------------------------------


def test_a_parameter_that_the_equation_ignores() -> None:
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)the parameter 'b' of its residual.*never read.*call it _b"):
        rb.implicit.root(lambda x, a, b: x - a)(lambda x0, a, b: a)
    rb.implicit.root(lambda x, a, _b: x - a)(lambda x0, a, b: a)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rb.implicit.root(lambda x: x)(lambda x0, a: a), r"(?s)x and 1 parameters.*Got: \('x',\)"),
        (lambda: rb.implicit.root(lambda x, a: x - a)(lambda: 1.0), "solver of "),
        (lambda: rb.implicit.root(3), "rb.implicit, the residual"),
        (lambda: rb.implicit.fixed_point("f"), "rb.implicit, the step"),
        (lambda: rb.implicit.minimizer(None), "rb.implicit, the objective"),
        (lambda: rb.implicit.root(lambda x, a: x - a)(4), "a solver to decorate"),
        (lambda: rb.implicit.root(lambda x, a: x - a, linear_solver="gmers")(lambda x0, a: a), "(?s)linear_solver.*did you mean 'gmres'"),
        (lambda: rb.implicit.root(lambda x, a: x - a, on_failure="stop")(lambda x0, a: a), "(?s)on_failure.*'warn', 'raise', 'ignore'"),
        (lambda: rb.implicit.root(lambda x, a: x - a, tol=2.0)(lambda x0, a: a), "(?s)tol.*between 0 and 1"),
    ],
    ids=["parameters", "solver without parameters", "no residual", "no step", "no objective", "no solver", "method", "failure", "tol"],
)
def test_what_the_decorator_refuses(make: Any, message: str) -> None:
    with pytest.raises(rb.RuleSignatureError, match=message):
        make()


# -- linear systems that are not solved ----------------------------------------------------------------


def _spread(linear_solver: Any, **options: Any) -> Any:
    """A diagonal system that no Krylov method solves in 3 rounds, and a method that gives up."""
    diagonal = np.logspace(0, 6, 40)

    @rb.implicit.root(lambda x, a: rb.xp(x, a).asarray(diagonal) * x - a, linear_solver=linear_solver, name="wide", **options)
    def solve(x0, a):
        return a / rb.xp(a).asarray(diagonal)

    return lambda a: solve(np.ones(40), a)


@every_engine
def test_a_callable_that_gives_another_structure(engine: str) -> None:
    fn = _spread(lambda operator, b: (b, b))
    with pytest.raises(rb.RuleOutputError):
        rb.jvp(fn, (np.ones(40),), (np.ones(40),), engine=engine)


# -- programs that are traced --------------------------------------------------------------------------


class TestJit:
    """What a compiled program does: no warnings, NaN for a singular system, and errors on request."""

    def test_no_warning(self) -> None:
        jax = pytest.importorskip("jax")
        grad = jax.jit(jax.grad(lambda a: _square_root(1)(jax.numpy.array(1.0), a)))
        assert float(grad(4.0)) == pytest.approx(1 / 5)

    def test_an_error_on_request(self) -> None:
        jax = pytest.importorskip("jax")
        grad = jax.jit(jax.grad(lambda a: _square_root(1, on_failure="raise")(jax.numpy.array(1.0), a)))
        with pytest.raises(NotConvergedError, match="square_root, its solution"):
            jax.block_until_ready(grad(4.0))

    def test_a_singular_matrix_gives_nan(self) -> None:
        jax = pytest.importorskip("jax")
        solve = _matrix(np.array([[1.0, 2.0], [2.0, 4.0]]), 1.0)
        found = jax.jit(jax.jacrev(lambda a: solve(jax.numpy.zeros(2), a)))(jax.numpy.array([1.0, 2.0]))
        assert np.isnan(found).all()
