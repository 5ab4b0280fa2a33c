"""Values, derivatives of both modes and orders against closed forms; solves and factorisations counted."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit import dense

ENGINES = [name for name in ("jax", "torch", "autograd", "dual") if name == "dual" or importlib.util.find_spec(name)]
every_engine = pytest.mark.parametrize("engine", ENGINES)

MATRIX = np.array([[4.0, 1.0, 0.0], [-2.0, 5.0, 1.5], [0.5, 0.0, 3.0]])  # not symmetric
SYMMETRIC = (MATRIX + MATRIX.T) / 2
B = np.array([0.3, -0.8, 1.1])


# -- three equations with one solution, x = arcsinh(M^-1 b): M sinh(x) = b -----------------------------


def _root(linear_solver: Any) -> Any:
    @rb.implicit.root(lambda x, b: rb.xp(x, b).asarray(MATRIX) @ rb.xp(x, b).sinh(x) - b, linear_solver=linear_solver)
    def solve(x0, b):
        xp = rb.xp(x0, b)
        return xp.arcsinh(xp.linalg.solve(xp.asarray(MATRIX), b))

    return solve


def _fixed_point(linear_solver: Any) -> Any:
    def step(x, b):
        xp = rb.xp(x, b)
        return x - 0.1 * (xp.asarray(MATRIX) @ xp.sinh(x) - b)

    @rb.implicit.fixed_point(step, linear_solver=linear_solver)
    def solve(x0, b):
        xp = rb.xp(x0, b)
        return xp.arcsinh(xp.linalg.solve(xp.asarray(MATRIX), b))

    return solve


def _minimizer(linear_solver: Any) -> Any:
    """Of y S y / 2 - b y with y = sinh(x)."""

    def objective(x, b):
        xp = rb.xp(x, b)
        y = xp.sinh(x)
        return y @ (xp.asarray(SYMMETRIC) @ y) / 2 - b @ y

    @rb.implicit.minimizer(objective, linear_solver=linear_solver)
    def solve(x0, b):
        xp = rb.xp(x0, b)
        return xp.arcsinh(xp.linalg.solve(xp.asarray(SYMMETRIC), b))

    return solve


KINDS: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    "root": (_root, MATRIX),
    "fixed point": (_fixed_point, MATRIX),
    "minimizer": (_minimizer, SYMMETRIC),
}


def _jacobian(matrix: np.ndarray, b: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(matrix)
    return inverse / np.sqrt(1 + (inverse @ b) ** 2)[:, None]


def _hessian(matrix: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of weights . x: arcsinh'' = -u (1 + u^2)^(-3/2)."""
    inverse = np.linalg.inv(matrix)
    u = inverse @ b
    return np.einsum("i,ij,ik->jk", -weights * u * (1 + u * u) ** -1.5, inverse, inverse)


WEIGHTS = np.array([1.0, -2.0, 0.5])


def _solution(solve: Any) -> Callable[[Any], Any]:
    return lambda b: solve(np.zeros(3), b)


def _loss(solve: Any) -> Callable[[Any], Any]:
    return lambda b: rb.xp(b).asarray(WEIGHTS) @ solve(np.zeros(3), b)


def _by_columns(operator: Any, b: Any) -> Any:
    """A user's linear solver: from products alone."""
    xp = rb.xp(b)
    columns = [operator(xp.asarray(e)) for e in np.eye(3)]
    return xp.linalg.solve(xp.stack(columns, axis=1), b)


CELLS = [
    *[(engine, kind, method) for engine in ENGINES for kind, method in [("root", "dense"), ("minimizer", "cg"), ("fixed point", "gmres")]],
    *[(engine, kind, "dense") for engine in ENGINES for kind in ("fixed point", "minimizer") if engine != "jax"],  # compiling is slow
    *[(engine, "root", method) for engine in ENGINES for method in ("gmres", "bicgstab", _by_columns) if engine != "jax"],
]


def _derivatives(engine: str, fn: Callable[[Any], Any], b: np.ndarray, b_dot: np.ndarray, y_bar: np.ndarray) -> list[np.ndarray]:
    """y, y_dot and b_bar; in JAX as one program."""
    if engine != "jax":
        y, y_dot = rb.jvp(fn, (b,), (b_dot,), engine=engine)
        return [y, y_dot, rb.vjp(fn, b, engine=engine)[1](y_bar)[0]]
    jax = pytest.importorskip("jax")

    def every(b: Any, b_dot: Any, y_bar: Any) -> Any:
        return *jax.jvp(fn, (b,), (b_dot,)), jax.numpy.conj(jax.vjp(fn, b)[1](jax.numpy.conj(y_bar))[0])

    return list(map(np.asarray, jax.jit(every)(b, b_dot, y_bar)))


def _second(engine: str, loss: Callable[[Any], Any], b: np.ndarray) -> np.ndarray:
    if engine != "jax":
        return rb.hessian(loss, engine=engine)(b)
    jax = pytest.importorskip("jax")
    return np.asarray(jax.jit(jax.hessian(loss))(b))


@pytest.mark.parametrize(("engine", "kind", "method"), CELLS, ids=lambda m: m if isinstance(m, str) else "function")
def test_both_orders(engine: str, kind: str, method: Any) -> None:
    make, matrix = KINDS[kind]
    solve = make(method)
    jacobian = _jacobian(matrix, B)
    y, y_dot, b_bar = _derivatives(engine, _solution(solve), B, WEIGHTS, WEIGHTS)
    np.testing.assert_allclose(y, np.arcsinh(np.linalg.solve(matrix, B)), rtol=1e-12)
    np.testing.assert_allclose(y_dot, jacobian @ WEIGHTS, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(b_bar, WEIGHTS @ jacobian, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(_second(engine, _loss(solve), B), _hessian(matrix, B, WEIGHTS), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("n", [1, 128, 129])
@every_engine
def test_sizes(engine: str, n: int) -> None:
    """Dense and matrix-free alike; a matrix that is not symmetric."""
    rng = np.random.default_rng(n)
    shift, b, t = rng.uniform(-1, 1, n), rng.normal(size=n), rng.normal(size=n)
    residual = lambda x, b: x + rb.xp(x, b).asarray(shift) * rb.xp(x, b).roll(x, 1) / 2 + x**3 - b

    @rb.implicit.root(residual, host=True)
    def solve(x0, b):
        x = x0
        for _ in range(60):
            x = x - residual(x, b) / (1 + 3 * x * x)
        return x

    x, x_dot, b_bar = _derivatives(engine, lambda b: solve(np.zeros(n), b), b, t, t)
    matrix = np.diag(1 + 3 * x**2) + np.roll(np.eye(n), 1, axis=0) * shift[:, None] / 2
    np.testing.assert_allclose(matrix @ x_dot, t, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(matrix.T @ b_bar, t, rtol=1e-9, atol=1e-9)


@every_engine
def test_complex_states(engine: str) -> None:
    """M z + conj(z) / 2 = w, real-linear and not holomorphic."""
    matrix = MATRIX + 1j * MATRIX.T
    real = np.block([[matrix.real + np.eye(3) / 2, -matrix.imag], [matrix.imag, matrix.real - np.eye(3) / 2]])
    inverse = np.linalg.inv(real)

    @rb.implicit.root(lambda z, w: rb.xp(z, w).asarray(matrix) @ z + rb.xp(z, w).conj(z) / 2 - w, host=True)
    def solve(z0, w):
        parts = np.linalg.solve(real, np.concatenate([w.real, w.imag]))
        return parts[:3] + 1j * parts[3:]

    stacked = lambda z: np.concatenate([np.real(z), np.imag(z)])
    w, t = B + 1j * B[::-1], WEIGHTS - 2j * B
    _, z_dot, w_bar = _derivatives(engine, lambda w: solve(np.zeros(3, complex), w), w, t, t)
    np.testing.assert_allclose(stacked(z_dot), inverse @ stacked(t), rtol=1e-10)
    np.testing.assert_allclose(stacked(w_bar), inverse.T @ stacked(t), rtol=1e-10)


@every_engine
def test_a_start_of_another_precision(engine: str) -> None:
    """Of a host solver the solution has the dtype of the start; the equation may be computed in more digits."""
    solve = rb.implicit.root(lambda x, a: x - a * a, host=True)(lambda x0, a: a * a)
    fn, a, t = lambda a: solve(np.zeros(2, np.float32), a), np.array([1.0, 2.0]), np.array([1.0, -1.0])
    if engine == "autograd":  # which has no JVP of astype, and says so
        np.testing.assert_allclose(rb.vjp(fn, a, engine=engine)[1](t.astype(np.float32))[0], 2 * a * t, rtol=1e-6)
        return
    y, y_dot, a_bar = _derivatives(engine, fn, a, t, t.astype(np.float32))
    assert (y.dtype, y_dot.dtype, a_bar.dtype) == (np.float32, np.float32, np.float64)
    np.testing.assert_allclose([y_dot, a_bar], 2 * np.array([a * t, a * t]), rtol=1e-6)


@every_engine
def test_a_complex_residual_of_a_real_state(engine: str) -> None:
    solve = rb.implicit.root(lambda x, a: x - a * (1 + 1j), host=True, name="halved")(lambda x0, a: a)
    with pytest.raises(rb.RuleOutputError, match=r"(?s)halved, its residual.*a real value, as x is real.*complex"):
        rb.jvp(lambda a: solve(np.zeros(2), a), (np.ones(2),), (np.ones(2),), engine=engine)


@every_engine
def test_the_start_has_no_derivative(engine: str) -> None:
    fn = lambda x0: KINDS["root"][0]("dense")(x0, rb.xp(x0).asarray(B)) * 2.0
    np.testing.assert_array_equal(rb.jacobian(fn, engine=engine)(np.ones(3)), np.zeros((3, 3)))


@every_engine
def test_a_state_of_size_zero(engine: str) -> None:
    solve = rb.implicit.root(lambda x, b: x - b)(lambda x0, b: b)
    found = rb.vjp(lambda b: solve(np.zeros(0), b), np.zeros(0), engine=engine)[1](np.zeros(0))[0]
    assert found.shape == (0,)


def test_dicts_that_jax_sorts() -> None:
    """Keys of state, parameters and residual in any order; under jit they arrive sorted."""
    jax = pytest.importorskip("jax")

    @rb.implicit.root(lambda x, p: {"z": x["z"] - p["s"] * x["a"], "a": rb.xp(x).sinh(x["a"]) - p["b"]})
    def solve(x0, p):
        first = rb.xp(p).arcsinh(p["b"])
        return {"z": p["s"] * first, "a": first}

    def loss(p: Any) -> Any:
        x = solve({"z": np.array(0.0), "a": np.array(1.0)}, p)
        return x["z"] + 3 * x["a"]

    p = {"s": 2.0, "b": 0.5}
    slope = 1 / np.sqrt(1 + 0.25)
    found, second = jax.jit(lambda p: (jax.grad(loss)(p), jax.hessian(loss)(p)))(p)
    np.testing.assert_allclose([found["s"], found["b"]], [np.arcsinh(0.5), (2 + 3) * slope], rtol=1e-12)
    np.testing.assert_allclose([second["s"]["b"], second["b"]["b"]], [slope, -0.5 * 5 * slope**3], rtol=1e-12)


# -- what is run, and how often --------------------------------------------------------------------------


class Counts:
    """How often the solver ran, a matrix was factored, and a factor was used."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.primal = self.factors = self.solves = 0
        factorise, use = dense.factorise, dense.solve

        def counted_factorise(*args: Any) -> Any:
            self.factors += 1
            return factorise(*args)

        def counted_solve(*args: Any) -> Any:
            self.solves += 1
            return use(*args)

        monkeypatch.setattr(dense, "factorise", counted_factorise)
        monkeypatch.setattr(dense, "solve", counted_solve)

    def solver(self, **options: Any) -> Any:
        """A host solver, so that it is counted when it runs and not when it is traced."""

        @rb.implicit.root(lambda x, b: rb.xp(x, b).asarray(MATRIX) @ rb.xp(x, b).sinh(x) - b, host=True, **options)
        def solve(x0, b):
            self.primal += 1
            return np.arcsinh(np.linalg.solve(MATRIX, b))

        return solve


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(monkeypatch)


@every_engine
def test_value_and_grad_solves_once(engine: str, counts: Counts) -> None:
    rb.value_and_grad(_loss(counts.solver()), engine=engine)(B)
    assert (counts.primal, counts.factors) == (1, 1)


@every_engine
def test_a_jacobian_solves_and_factors_once(engine: str, counts: Counts) -> None:
    found = rb.jacobian(_solution(counts.solver()), engine=engine)(B)
    np.testing.assert_allclose(found, _jacobian(MATRIX, B), rtol=1e-10)
    assert (counts.primal, counts.factors) == (1, 1)


@every_engine
def test_products_with_the_hessian_solve_once(engine: str, counts: Counts) -> None:
    gradient = rb.grad(_loss(counts.solver()), engine=engine)
    found = rb.vjp(gradient, B, engine=engine)[1](B)[0]
    np.testing.assert_allclose(found, _hessian(MATRIX, B, WEIGHTS) @ B, rtol=1e-8)
    assert counts.primal == 1


@every_engine
def test_a_hessian_solves_once(engine: str, counts: Counts) -> None:
    found = rb.hessian(_loss(counts.solver()), engine=engine)(B)
    np.testing.assert_allclose(found, _hessian(MATRIX, B, WEIGHTS), rtol=1e-8)
    assert counts.primal == 1


@every_engine
def test_a_pullback_solves_one_system_a_cotangent(engine: str, counts: Counts) -> None:
    if engine == "dual":  # which has one forward pass for all cotangents
        return
    _, pullback = rb.vjp(_solution(counts.solver(on_failure="ignore")), B, engine=engine)
    before = counts.solves
    for _ in range(3):
        pullback(WEIGHTS)
    assert counts.solves - before <= 3
    assert (counts.primal, counts.factors) == (1, 1)


@pytest.mark.parametrize("order", [1, 2])
def test_a_compiled_program_has_one_factorisation(order: int) -> None:
    """In JAX the program tells: for value and gradient, a Jacobian of either mode, and a Hessian."""
    jax = pytest.importorskip("jax")
    solve = KINDS["root"][0]("dense")
    programs = {
        1: [jax.value_and_grad(_loss(solve)), jax.jacfwd(_solution(solve)), jax.jacrev(_solution(solve))],
        2: [jax.hessian(_loss(solve))],
    }[order]
    plain = _factorisations(jax, _solution(solve))  # that of the solver
    for program in programs:
        assert _factorisations(jax, program) - plain == 1


def _factorisations(jax: Any, fn: Any) -> int:
    return len(re.findall(r"custom_call_target=\"lapack_dgetrf", jax.jit(fn).lower(B).compile().as_text()))
