"""Ridge regression of 50 coefficients under jit: the gradient of a validation loss with respect to the data and the penalty."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax
import numpy as np
from jax import numpy as jnp

import rulebook as rb
from benchmarks.implicit import TOL, Row, attempt, by_turns, mark_accurate, relative_error

jax.config.update("jax_enable_x64", True)

N, SAMPLES = 50, 200
Solver = Callable[[Any, Any, Any, Any], Any]


def objective(w: Any, x: Any, y: Any, penalty: Any) -> Any:
    """What is minimised."""
    r = x @ w - y
    return 0.5 * (r @ r) + 0.5 * penalty * (w @ w)


def _closed(w0: Any, x: Any, y: Any, penalty: Any) -> Any:
    return jax.scipy.linalg.solve(x.T @ x + penalty * jnp.eye(N), x.T @ y, assume_a="pos")


def inputs() -> tuple[Any, Any, Any]:
    """X, y and the penalty."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, N))
    return jnp.asarray(x), jnp.asarray(x @ rng.normal(size=N) + rng.normal(size=SAMPLES)), jnp.asarray(3.0)


def _by_hand() -> Solver:
    solve = jax.custom_vjp(_closed)

    def forward(w0, x, y, penalty):
        w = solve(w0, x, y, penalty)
        return w, (w, x, y, penalty)

    def backward(saved, w_bar):
        w, x, y, penalty = saved
        u = jax.scipy.linalg.solve(x.T @ x + penalty * jnp.eye(N), w_bar, assume_a="pos")
        x_u = x @ u
        return jnp.zeros_like(w), -jnp.outer(x_u, w) - jnp.outer(x @ w - y, u), x_u, -(u @ w)

    solve.defvjp(forward, backward)
    return solve


def _by_jaxopt(method: str, **options: Any) -> Solver:
    import jaxopt

    linear = functools.partial(getattr(jaxopt.linear_solve, f"solve_{method}"), **options)
    return jaxopt.implicit_diff.custom_root(jax.grad(objective), solve=linear)(_closed)


def _optimistix_primal(arguments: Any) -> Any:
    return _closed(None, *arguments), None


def _optimistix_residual(w: Any, _: Any, arguments: Any) -> Any:
    return jax.grad(objective)(w, *arguments)


def _by_optimistix(method: str) -> Solver:
    import lineax
    import optimistix.internal

    tags = frozenset({lineax.positive_semidefinite_tag})
    rule = functools.partial(optimistix.internal.implicit_jvp, tags=tags, linear_solver=getattr(lineax, method)())
    return lambda w0, x, y, penalty: rule(_optimistix_primal, _optimistix_residual, (x, y, penalty))[0]


def _methods() -> dict[str, Solver]:
    """What there is to compare."""
    found: dict[str, Solver] = {"through the solver": _closed, "by hand": _by_hand()}
    found["rulebook"] = rb.implicit.minimizer(objective)(_closed)
    found["rulebook, cg"] = rb.implicit.minimizer(objective, linear_solver="cg")(_closed)
    if importlib.util.find_spec("jaxopt") is not None:
        found["jaxopt, its defaults"] = _by_jaxopt("normal_cg")
        found["jaxopt, Cholesky"] = _by_jaxopt("cholesky")
        found["jaxopt, LU"] = _by_jaxopt("lu")
        found["jaxopt, cg to 1e-12"] = _by_jaxopt("cg", tol=TOL)
    if importlib.util.find_spec("optimistix") is not None:
        found["optimistix, Cholesky"] = _by_optimistix("Cholesky")
        found["optimistix, LU"] = _by_optimistix("LU")
    return found


def _loss(solve: Solver) -> Callable[..., Any]:
    rng = np.random.default_rng(1)
    a, c = jnp.asarray(rng.normal(size=(SAMPLES, N))), jnp.asarray(rng.normal(size=SAMPLES))
    return lambda x, y, penalty: 0.5 * jnp.sum((a @ solve(jnp.zeros(N), x, y, penalty) - c) ** 2)


def _curvature(solve: Solver) -> Any:
    """The second derivative with respect to the penalty, reverse over reverse."""
    x, y, penalty = inputs()
    loss = _loss(solve)
    return jax.jit(jax.grad(lambda p: jax.grad(lambda p: loss(x, y, p))(p)))(penalty)


def rows() -> list[Row]:
    """Every comparison."""
    arguments = inputs()
    methods = _methods()
    compiled = {n: jax.jit(jax.value_and_grad(_loss(f), (0, 1, 2))).lower(*arguments).compile() for n, f in methods.items()}
    times = by_turns({n: lambda f=f: jax.block_until_ready(f(*arguments)) for n, f in compiled.items()}, "by hand")
    expected, second = compiled["through the solver"](*arguments)[1], _curvature(_closed)
    found = []
    for name, fn in compiled.items():
        row: Row = {"problem": f"ridge regression, {N} coefficients, JAX (jit)", "method": name, **times[name]}
        row["memory KiB"] = fn.memory_analysis().temp_size_in_bytes / 1024
        row["error"] = relative_error(fn(*arguments)[1], expected)
        row["error of second derivative"] = attempt(lambda name=name: relative_error([_curvature(methods[name])], [second]))
        found.append(row)
    mark_accurate(found)
    return found
