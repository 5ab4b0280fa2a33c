"""JAX: value and gradient of a loss of z = tanh(z W^T + x), by N iterations of a solver."""

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
from benchmarks.implicit import TOL, Row, Thunk, attempt, by_turns, mark_accurate, relative_error

jax.config.update("jax_enable_x64", True)

ITERATIONS = (10, 100, 1000)
Solver = Callable[[Any, Any, Any], Any]


def step(z: Any, w: Any, x: Any) -> Any:
    """One iteration; a contraction at rate 0.6 about."""
    return jnp.tanh(z @ w.T + x)


def inputs() -> tuple[Any, Any, Any]:
    """z0, W, x."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(64, 64)) * (0.85 / np.sqrt(64))
    return jnp.zeros((32, 64)), jnp.asarray(w), jnp.asarray(rng.normal(size=(32, 64)))


def _loop(z: Any, w: Any, x: Any, n: int) -> Any:
    return jax.lax.fori_loop(0, n, lambda _, z: step(z, w, x), z)


def _unrolled(n: int) -> Solver:
    return lambda z, w, x: jax.lax.scan(lambda z, _: (step(z, w, x), None), z, None, length=n)[0]


def _by_hand(loop: Callable[..., Any], n: int) -> Solver:
    """The adjoint equation by its own iteration, as long as it takes."""
    solve = jax.custom_vjp(lambda z, w, x: loop(z, w, x, n))

    def forward(z, w, x):
        z = solve(z, w, x)
        return z, (z, w, x)

    def backward(saved, z_bar):
        z, w, x = saved
        _, pull_z = jax.vjp(lambda z: step(z, w, x), z)
        going = lambda s: jnp.max(jnp.abs(s[0] - s[1])) > TOL * jnp.max(jnp.abs(z_bar))
        u, _ = jax.lax.while_loop(going, lambda s: (z_bar + pull_z(s[0])[0], s[0]), (z_bar, jnp.zeros_like(z_bar)))
        return (jnp.zeros_like(z), *jax.vjp(lambda w, x: step(z, w, x), w, x)[1](u))

    solve.defvjp(forward, backward)
    return solve


def _by_rulebook(loop: Callable[..., Any], n: int, **options: Any) -> Solver:
    return rb.implicit.fixed_point(step, **options)(lambda z, w, x: loop(z, w, x, n))


def _by_jaxopt(loop: Callable[..., Any], n: int, tol: float | None = None, method: str = "normal_cg") -> Solver:
    import jaxopt

    linear = getattr(jaxopt.linear_solve, f"solve_{method}")
    solve = linear if tol is None else functools.partial(linear, tol=tol)
    return jaxopt.implicit_diff.custom_fixed_point(step, solve=solve)(lambda z, w, x: loop(z, w, x, n))


def _optimistix_primal(arguments: Any) -> Any:
    n, z, w, x = arguments
    return _loop(z, w, x, n), None


def _optimistix_residual(z: Any, _: Any, arguments: Any) -> Any:
    return step(z, *arguments[2:]) - z


def _by_optimistix(loop: Callable[..., Any], n: int, method: str = "GMRES", tol: float = TOL) -> Solver:
    """The rule of `optimistix.fixed_point` about the loop that all the others have; its functions have to be global."""
    import lineax
    import optimistix.internal

    linear = getattr(lineax, method)(rtol=tol, atol=tol)
    rule = functools.partial(optimistix.internal.implicit_jvp, tags=frozenset(), linear_solver=linear)
    return lambda z, w, x: rule(_optimistix_primal, _optimistix_residual, (n, z, w, x))[0]


def _methods(loop: Callable[..., Any] = _loop) -> dict[str, Callable[[int], Solver]]:
    """What there is to compare, each made for a number of iterations."""
    found: dict[str, Callable[[int], Solver]] = {"unrolled": _unrolled, "by hand": functools.partial(_by_hand, loop)}
    found["rulebook"] = functools.partial(_by_rulebook, loop)
    if importlib.util.find_spec("jaxopt") is not None:
        found["jaxopt, its defaults"] = functools.partial(_by_jaxopt, loop)
        for method in ("normal_cg", "bicgstab"):
            found[f"jaxopt, {method} to 1e-13"] = functools.partial(_by_jaxopt, loop, tol=TOL / 10, method=method)
    if importlib.util.find_spec("optimistix") is not None:
        for method in ("GMRES", "BiCGStab"):
            found[f"optimistix, {method} to 1e-12"] = functools.partial(_by_optimistix, loop, method=method)
    return found


def _loss(solve: Solver) -> Callable[[Any, Any], Any]:
    z0 = inputs()[0]
    return lambda w, x: 0.5 * jnp.sum(solve(z0, w, x) ** 2)


def _gradient(solve: Solver) -> Any:
    return jax.jit(jax.value_and_grad(_loss(solve), (0, 1)))


def _waiting(fn: Any, *args: Any) -> Thunk:
    return lambda: jax.block_until_ready(fn(*args))


def _first_order(n: int, expected: Any) -> list[Row]:
    _, w, x = inputs()
    compiled = {name: _gradient(make(n)).lower(w, x).compile() for name, make in _methods().items()}
    alone = jax.jit(lambda w, x: _loop(inputs()[0], w, x, n))
    thunks = {name: _waiting(fn, w, x) for name, fn in compiled.items()} | {"(the solver alone)": _waiting(alone, w, x)}
    times = by_turns(thunks, "unrolled")
    problem = "contraction, JAX (jit), 32 x 64"
    name = "(the solver alone)"
    found: list[Row] = [{"problem": problem, "method": name, "iterations": n, **times[name], "memory KiB": None, "error": None}]
    for name, fn in compiled.items():
        memory = fn.memory_analysis().temp_size_in_bytes / 1024
        error = relative_error(fn(w, x)[1], expected)
        found.append({"problem": problem, "method": name, "iterations": n, **times[name]})
        found[-1] |= {"memory KiB": memory, "error": error}
    return found


def _counted(count: list[int]) -> Callable[..., Any]:
    """The loop, counting each of its runs."""

    def note(z: Any) -> Any:
        count[0] += 1
        return z

    def loop(z: Any, w: Any, x: Any, n: int) -> Any:
        return _loop(jax.pure_callback(note, jax.ShapeDtypeStruct(z.shape, z.dtype), z), w, x, n)

    return loop


def _forward_over_reverse(loss: Any, w: Any, x: Any, v: Any) -> Any:
    return jax.jit(lambda w: jax.jvp(jax.grad(lambda w: loss(w, x)), (w,), (v,))[1])(w)


def _reverse_over_reverse(loss: Any, w: Any, x: Any, v: Any) -> Any:
    return jax.jit(jax.grad(lambda w: jnp.vdot(jax.grad(lambda w: loss(w, x))(w), v)))(w)


def _captured(name: str, n: int, expected: Any) -> Row:
    """The gradient with respect to W where the step captures it."""
    z0, w, x = inputs()

    def loss(w):
        captured = lambda z, x: jnp.tanh(z @ w.T + x)
        loop = lambda z, x: jax.lax.fori_loop(0, n, lambda _, z: captured(z, x), z)
        if name == "rulebook":
            return 0.5 * jnp.sum(rb.implicit.fixed_point(captured)(loop)(z0, x) ** 2)
        import jaxopt

        return 0.5 * jnp.sum(jaxopt.implicit_diff.custom_fixed_point(captured)(loop)(z0, x) ** 2)

    error = attempt(lambda: relative_error([jax.jit(jax.grad(loss))(w)], expected[:1]))
    return {"problem": "contraction, JAX (jit): W captured by the step", "method": name, "iterations": n, "error": error}


def _second_order(n: int) -> list[Row]:
    _, w, x = inputs()
    v = jnp.asarray(np.random.default_rng(1).normal(size=w.shape))
    expected = _forward_over_reverse(_loss(_unrolled(2 * n)), w, x, v)
    found = []
    for name in _methods():
        row: Row = {"problem": "contraction, JAX (jit): Hessian-vector product", "method": name, "iterations": n}
        for mode in (_forward_over_reverse, _reverse_over_reverse):
            count = [0]
            loss = _loss(_methods(_counted(count))[name](n))
            label = mode.__name__.strip("_").replace("_", " ")
            row[f"error, {label}"] = attempt(lambda mode=mode, loss=loss: relative_error([mode(loss, w, x, v)], [expected]))
            row[f"solves, {label}"] = count[0] or None
        found.append(row)
    return found


def rows() -> list[Row]:
    """Every comparison."""
    _, w, x = inputs()
    expected = _gradient(_unrolled(2 * ITERATIONS[-1]))(w, x)[1]
    found = [r for n in ITERATIONS for r in _first_order(n, expected)]
    mark_accurate(found)
    for name in ("rulebook", "jaxopt"):
        if importlib.util.find_spec(name) is not None:
            found.append(_captured(name, ITERATIONS[-1], expected))
    return found + _second_order(ITERATIONS[-1])
