"""JAX: host code against `jax.pure_callback` with the same function, and against the same NumPy calls alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import scipy.linalg
from jax import numpy as jnp

import rulebook as rb
from benchmarks.measure import Row, row, table

LOOP = 200


def _double(x: Any) -> Any:
    return x * 2.0


def _by_callback(x: Any) -> Any:
    return jax.pure_callback(_double, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="sequential")


def _factor(a: Any) -> Any:
    return scipy.linalg.lu_factor(a, check_finite=False)


def _solve(lu: Any, b: Any, trans: int = 0) -> Any:
    return scipy.linalg.lu_solve(lu, b, trans, check_finite=False)


def _solve_by_rules() -> Any:
    f = rb.primitive(lambda a, b: _solve(_factor(a), b), host=True, result=lambda a, b: b, name="benchmark.solve")

    @rb.rrule(f, host=True)
    def _(a, b):
        lu = _factor(a)
        x = _solve(lu, b)

        def pullback(x_bar):
            u = _solve(lu, x_bar, 1)
            return -np.outer(u, x), u

        return x, pullback

    return f


def _numpy_alone(a: Any, b: Any, bar: Any) -> Any:
    lu = _factor(a)
    x = _solve(lu, b)
    u = _solve(lu, bar, 1)
    return x.sum(), -np.outer(u, x), u


def _waiting(fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: jax.block_until_ready(fn(*args))


def rows() -> list[Row]:
    """Every comparison."""
    jax.config.update("jax_enable_x64", True)
    f = rb.primitive(_double, host=True, result=lambda x: x, name="benchmark.double")
    loop = lambda f: jax.jit(lambda x: jax.lax.fori_loop(0, LOOP, lambda _, c: f(c), x))
    found = []
    for n in (1, 1000, 1_000_000):
        x = jnp.ones(n)
        found.append(row("jax", f"host call, jitted, {n}", _waiting(jax.jit(f), x), _waiting(jax.jit(_by_callback), x), 1.0))
        found.append(row("jax", f"host call, un-jitted, {n}", _waiting(f, x), _waiting(_by_callback, x), 1.0))
        if n <= 1000:
            found.append(row("jax", f"host call in a jitted loop, {n}", _waiting(loop(f), x), _waiting(loop(_by_callback), x), 0.25))
    solve = _solve_by_rules()
    gradient = jax.jit(jax.value_and_grad(lambda a, b: jnp.sum(solve(a, b)), (0, 1)))
    for n in (4, 100, 600):
        a, b, bar = np.random.default_rng(0).normal(size=(n, n)) + n * np.eye(n), np.ones(n), np.ones(n)
        target = 1.5 if n == 100 else None
        ours = _waiting(gradient, jnp.asarray(a), jnp.asarray(b))
        found.append(row("jax", f"value_and_grad of a host solve, {n} (NumPy alone)", ours, lambda: _numpy_alone(a, b, bar), target))
    return found


if __name__ == "__main__":
    print(table(rows()))
