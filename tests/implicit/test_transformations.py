"""Solvers that iterate, under the transformations of each engine, and solvers inside solvers."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import rulebook as rb

ENGINES = [name for name in ("jax", "torch", "autograd", "dual") if name == "dual" or importlib.util.find_spec(name)]
every_engine = pytest.mark.parametrize("engine", ENGINES)
A = np.array([0.3, 2.0, 50.0])  # solved in very different numbers of rounds


@rb.implicit.root(lambda x, a: x**3 + x - a, host=True)
def cubic(x0, a):
    """Newton's method, until it has converged."""
    x = x0
    while abs(x**3 + x - a) > 1e-13 * (1 + abs(a)):
        x = x - (x**3 + x - a) / (3 * x * x + 1)
    return x


def _slope(a: Any) -> Any:
    return 1 / (3 * _plain(a) ** 2 + 1)


def _curvature(a: Any) -> Any:
    x = _plain(a)
    return -6 * x / (3 * x * x + 1) ** 3


def _plain(a: Any) -> Any:
    return np.array([cubic(np.array(0.0), v) for v in np.atleast_1d(a)]).reshape(np.shape(a))


def _cubic(a: Any) -> Any:
    return cubic(np.array(0.0), a)


class TestJax:
    """`jax.jit`, `vmap`, `scan`, `checkpoint` and what is made of them."""

    def test_jit_at_a_second_point(self) -> None:
        jax = pytest.importorskip("jax")
        both = jax.jit(jax.value_and_grad(_cubic))
        for a in A:
            np.testing.assert_allclose(both(a), [_plain(a), _slope(a)], rtol=1e-10)

    def test_problems_of_a_batch(self) -> None:
        jax = pytest.importorskip("jax")

        @rb.implicit.root(lambda x, a: x**3 + x - a)
        def traceable(x0, a):
            go_on = lambda x: abs(x**3 + x - a) > 1e-13 * (1 + abs(a))
            return jax.lax.while_loop(go_on, lambda x: x - (x**3 + x - a) / (3 * x * x + 1), x0)

        one = lambda a: traceable(jax.numpy.zeros(()), a)
        many = jax.vmap(one)

        @jax.jit
        def program(a: Any) -> Any:
            of_sum = jax.grad(lambda a: many(a).sum())(a)
            return many(a), jax.vmap(jax.grad(one))(a), of_sum, jax.vmap(jax.hessian(one))(a), jax.jvp(many, (a,), (a,))[1]

        expected = [_plain(A), _slope(A), _slope(A), _curvature(A), _slope(A) * A]
        for found, right in zip(program(A), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-9)

    def test_matrix_free_problems_of_a_batch(self) -> None:
        """Each stops by itself."""
        jax = pytest.importorskip("jax")

        @rb.implicit.root(lambda x, a: a * x + 0.1 * rb.xp(x).roll(x, 1) - 1, linear_solver="gmres", host=True, vectorized=False)
        def line(x0, a):
            return np.linalg.solve(np.diag(a) + 0.1 * np.roll(np.eye(3), 1, axis=0), np.ones(3))

        many = np.stack([A, np.ones(3), A[::-1] * 100])
        found = jax.jit(jax.vmap(jax.jacrev(lambda a: line(jax.numpy.zeros(3), a))))(many)
        for a, jacobian in zip(many, found, strict=True):
            matrix = np.diag(a) + 0.1 * np.roll(np.eye(3), 1, axis=0)
            right = -np.linalg.inv(matrix) * line(np.zeros(3), a)
            np.testing.assert_allclose(jacobian, right, rtol=1e-8, atol=1e-12)

    def test_scan_and_checkpoint(self) -> None:
        jax = pytest.importorskip("jax")

        def chain(a: Any) -> Any:
            step = jax.checkpoint(lambda total, v: (total + _cubic(v * total), None))
            return jax.lax.scan(step, jax.numpy.ones(()), a)[0]

        def plain(a: Any) -> float:
            total = 1.0
            for v in a:
                total = total + float(_plain(v * total))
            return total

        right = [(plain(A + e) - plain(A - e)) / 2e-6 for e in 1e-6 * np.eye(3)]
        np.testing.assert_allclose(jax.jit(jax.grad(chain))(A), right, rtol=1e-7)

    def test_nestings(self) -> None:
        """Of jvp, grad and vmap, drawn at random; the problems of a batch are independent, so all are the second derivative."""
        jax = pytest.importorskip("jax")
        letters = {
            "j": lambda f: lambda a: jax.jvp(f, (a,), (jax.numpy.ones_like(a),))[1],
            "g": lambda f: jax.grad(lambda a: jax.numpy.sum(f(a))),
            "v": jax.vmap,
        }
        rng = np.random.default_rng(5)
        for _ in range(3):
            fn: Any = _cubic
            for letter in rng.permutation(["v", *rng.choice(["j", "g"], 2)]):
                fn = letters[letter](fn)
            np.testing.assert_allclose(jax.jit(fn)(A), _curvature(A), rtol=1e-9)


class TestTorch:
    """`torch.func`, double backward, torch's own checks, compiled code."""

    def test_problems_of_a_batch(self) -> None:
        torch = pytest.importorskip("torch")
        func, a = torch.func, torch.tensor(A)
        many = func.vmap(_cubic)
        found = [many(a), func.vmap(func.grad(_cubic))(a), func.grad(lambda a: many(a).sum())(a), func.vmap(func.hessian(_cubic))(a)]
        for value, right in zip(found, [_plain(A), _slope(A), _slope(A), _curvature(A)], strict=True):
            np.testing.assert_allclose(value.numpy(), right, rtol=1e-9)

    def test_matrix_free_problems_of_a_batch(self) -> None:
        torch = pytest.importorskip("torch")

        @rb.implicit.root(lambda x, a: a * x + 0.1 * rb.xp(x).roll(x, 1) - 1, linear_solver="gmres", host=True)
        def line(x0, a):
            return np.linalg.solve(np.diag(a) + 0.1 * np.roll(np.eye(3), 1, axis=0), np.ones(3))

        many = np.stack([A, np.ones(3), A[::-1] * 100])
        found = torch.func.vmap(torch.func.jacrev(lambda a: line(torch.zeros(3, dtype=torch.float64), a)))(torch.tensor(many))
        for a, jacobian in zip(many, found, strict=True):
            matrix = np.diag(a) + 0.1 * np.roll(np.eye(3), 1, axis=0)
            np.testing.assert_allclose(jacobian, -np.linalg.inv(matrix) * line(np.zeros(3), a), rtol=1e-8, atol=1e-12)

    def test_double_backward(self) -> None:
        torch = pytest.importorskip("torch")
        a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(_cubic(a), a, create_graph=True)
        (second,) = torch.autograd.grad(first, a)
        np.testing.assert_allclose([first.item(), second.item()], [_slope(2.0), _curvature(2.0)], rtol=1e-9)

    def test_the_checks_of_torch(self) -> None:
        torch = pytest.importorskip("torch")
        solve = rb.implicit.fixed_point(lambda x, a, b: rb.xp(x).cos(a * x) / 2 + b)(_fifty_rounds)
        xs = [torch.tensor([0.4, 1.1], dtype=torch.float64, requires_grad=True) for _ in range(2)]
        start = torch.zeros(2, dtype=torch.float64)
        fn = lambda a, b: solve(start, a, b)
        assert torch.autograd.gradcheck(fn, xs, check_forward_ad=True, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(fn, xs)

    def test_compiled_code(self) -> None:
        torch = pytest.importorskip("torch")
        solve = rb.implicit.fixed_point(lambda x, a, b: rb.xp(x).cos(a * x) / 2 + b, linear_solver="dense")(_fifty_rounds)
        start = torch.zeros(2, dtype=torch.float64)
        loss = lambda a, b: solve(start, a, b).sum()
        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
        for value in (0.4, 1.3):
            xs = [torch.full((2,), value, dtype=torch.float64, requires_grad=True) for _ in range(2)]
            for found, right in zip(torch.autograd.grad(compiled(*xs), xs), torch.autograd.grad(loss(*xs), xs), strict=True):
                np.testing.assert_allclose(found, right, rtol=1e-12)

    def test_modules(self) -> None:
        """Parameters that the equation of a deep equilibrium model captures; `functional_call` as well."""
        torch = pytest.importorskip("torch")

        class Equilibrium(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.Linear(3, 3, dtype=torch.float64)
                with torch.no_grad():
                    self.layer.weight.mul_(0.3)
                step = lambda z, x: torch.tanh(self.layer(z) + x)
                self.solve = rb.implicit.fixed_point(step)(lambda z, x: _repeat(lambda z: step(z, x), z))

            def forward(self, x: Any) -> Any:
                return self.solve(torch.zeros(3, dtype=torch.float64), x)

        torch.manual_seed(0)
        model, x = Equilibrium(), torch.tensor(B, requires_grad=True)
        unrolled = _repeat(lambda z: torch.tanh(model.layer(z) + x), torch.zeros(3, dtype=torch.float64))
        where = [x, *model.parameters()]
        right = torch.autograd.grad((unrolled**2).sum(), where)
        for found, value in zip(torch.autograd.grad((model(x) ** 2).sum(), where), right, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-9)


B = np.array([0.3, -0.8, 1.1])


def _repeat(step: Any, x: Any) -> Any:
    for _ in range(60):
        x = step(x)
    return x


def _fifty_rounds(x0: Any, a: Any, b: Any) -> Any:
    return _repeat(lambda x: rb.xp(x).cos(a * x) / 2 + b, x0)


# -- a solver inside a solver ----------------------------------------------------------------------------


def _penalised(w, penalty):
    xp = rb.xp(w, penalty)
    return xp.sum((w - xp.asarray(B)) ** 2) / 2 + xp.exp(penalty) * xp.sum(w**2) / 2


@rb.implicit.minimizer(_penalised)
def ridge(w0, penalty):
    """Its code alone would have no derivative."""
    xp = rb.xp(w0, penalty)
    return rb.stop_gradient(xp.asarray(B) / (1 + xp.exp(penalty)))


@rb.implicit.root(lambda p, size: rb.xp(p).sum(ridge(np.zeros(3), p) ** 2) - size)
def penalty_for(p0, size):
    """The penalty with which the square of the inner solution has a size; solved in closed form."""
    xp = rb.xp(p0, size)
    return rb.stop_gradient(xp.log(xp.sqrt(float(B @ B) / size) - 1))


@every_engine
def test_a_solver_inside_a_solver(engine: str) -> None:
    size, step = 0.5, 1e-4
    right = lambda t: -np.sqrt(B @ B) / 2 * t**-1.5 / (np.sqrt(B @ B / t) - 1)
    fn = lambda t: penalty_for(np.array(0.0), t)
    first, second = rb.derivative(fn, engine=engine), rb.hessian(fn, engine=engine)
    if engine == "jax":  # one program instead of many
        second = pytest.importorskip("jax").jit(second)
    np.testing.assert_allclose(first(np.array(size)), right(size), rtol=1e-9)
    np.testing.assert_allclose(second(np.array(size)), (right(size + step) - right(size - step)) / (2 * step), rtol=1e-6)


@every_engine
def test_a_hypergradient(engine: str) -> None:
    """Of a loss at the inner solution, first and second order."""
    goal = np.array([0.1, 0.2, -0.3])
    fn = lambda p: rb.xp(p).sum((ridge(np.zeros(3), p) - rb.xp(p).asarray(goal)) ** 2)
    p = 0.7
    slope = lambda p: 2 * (B / (1 + np.exp(p)) - goal) @ (-B * np.exp(p) / (1 + np.exp(p)) ** 2)
    np.testing.assert_allclose(rb.grad(fn, engine=engine)(np.array(p)), slope(p), rtol=1e-9)
    np.testing.assert_allclose(rb.hessian(fn, engine=engine)(np.array(p)), (slope(p + 1e-5) - slope(p - 1e-5)) / 2e-5, rtol=1e-7)
