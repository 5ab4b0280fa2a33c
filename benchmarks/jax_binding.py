"""JAX: a primitive against `jax.custom_vjp` and `jax.custom_jvp` written by hand for the same mathematics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

import rulebook as rb
from benchmarks.measure import Row, row, table


def _sine(x: Any, w: Any) -> Any:
    return jnp.sin(x) * w


def _sine_by_rules() -> Any:
    f = rb.primitive(_sine, name="benchmark.sine")

    @rb.frule(f)
    def _(primals, tangents):
        (x, w), (x_dot, w_dot) = primals, tangents
        return jnp.sin(x) * w, jnp.cos(x) * w * x_dot + jnp.sin(x) * w_dot

    @rb.rrule(f)
    def _(x, w):
        s = jnp.sin(x)
        return s * w, lambda y_bar: (jnp.cos(x) * w * y_bar, s * y_bar)

    return f


def _sine_reverse_by_hand() -> Any:
    f = jax.custom_vjp(_sine)

    def forward(x, w):
        s = jnp.sin(x)
        return s * w, (x, w, s)

    def backward(residuals, y_bar):
        x, w, s = residuals
        return jnp.cos(x) * w * y_bar, s * y_bar

    f.defvjp(forward, backward)
    return f


def _sine_forward_by_hand() -> Any:
    f = jax.custom_jvp(_sine)

    @f.defjvp
    def _(primals, tangents):
        (x, w), (x_dot, w_dot) = primals, tangents
        return jnp.sin(x) * w, jnp.cos(x) * w * x_dot + jnp.sin(x) * w_dot

    return f


def _iterate(step: Callable[[Any], Any], x: Any, n: int = 100) -> Any:
    return jax.lax.while_loop(lambda s: s[1] < n, lambda s: (step(s[0]), s[1] + 1), (x, 0))[0]


def _solve(b: Any) -> Any:
    """x = tanh(x) / 2 + b."""
    return _iterate(lambda x: 0.5 * jnp.tanh(x) + b, b)


def _solve_adjoint(x: Any, x_bar: Any) -> Any:
    slope = 0.5 * (1 - jnp.tanh(x) ** 2)
    return _iterate(lambda u: x_bar + slope * u, x_bar)


def _solver_by_rules() -> Any:
    f = rb.primitive(_solve, name="benchmark.solver")

    @rb.rrule(f)
    def _(b):
        x = _solve(b)
        return x, lambda x_bar: (_solve_adjoint(x, x_bar),)

    return f


def _solver_by_hand() -> Any:
    f = jax.custom_vjp(_solve)
    f.defvjp(lambda b: (x := _solve(b), x), lambda x, x_bar: (_solve_adjoint(x, x_bar),))
    return f


def _dict_by_rules() -> Any:
    f = rb.primitive(lambda p: jnp.sin(p["x"]) * p["w"], name="benchmark.dict")

    @rb.rrule(f)
    def _(p):
        s = jnp.sin(p["x"])
        return s * p["w"], lambda y_bar: ({"x": jnp.cos(p["x"]) * p["w"] * y_bar, "w": s * y_bar},)

    return f


def _dict_by_hand() -> Any:
    f = jax.custom_vjp(lambda p: jnp.sin(p["x"]) * p["w"])

    def forward(p):
        s = jnp.sin(p["x"])
        return s * p["w"], (p, s)

    def backward(residuals, y_bar):
        p, s = residuals
        return ({"x": jnp.cos(p["x"]) * p["w"] * y_bar, "w": s * y_bar},)

    f.defvjp(forward, backward)
    return f


def _waiting(fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: jax.block_until_ready(fn(*args))


def _traced(fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """Trace and lower anew: a fresh function each time, so that no cache helps."""
    return lambda: jax.jit(lambda *args: fn(*args)).lower(*args)


def _compare(f: Any, reverse: Any, forward: Any, n: int) -> list[Row]:
    x, w = jnp.asarray(np.linspace(0.1, 2.0, n)), jnp.asarray(np.linspace(1.0, 2.0, n))
    total = lambda f: lambda x, w: f(x, w).sum()
    transforms: list[tuple[str, Callable[[Any], Any], Any]] = [
        ("grad", lambda f: jax.grad(total(f), (0, 1)), reverse),
        ("value_and_grad", lambda f: jax.value_and_grad(total(f), (0, 1)), reverse),
        ("vmap of grad", lambda f: jax.vmap(jax.grad(f, (0, 1))), reverse),
        ("jvp", lambda f: lambda x, w: jax.jvp(f, (x, w), (w, x)), forward),
    ]
    if n <= 10:
        transforms.append(("hessian", lambda f: jax.jacfwd(jax.jacfwd(total(f))), forward))
    rows = [row("jax", f"un-jitted call, {n}", _waiting(f, x, w), _waiting(reverse, x, w), 1.15)]
    for name, transform, hand in transforms:
        ours, theirs = transform(f), transform(hand)
        rows.append(row("jax", f"un-jitted {name}, {n}", _waiting(ours, x, w), _waiting(theirs, x, w), 1.15))
        rows.append(row("jax", f"jitted {name}, {n}", _waiting(jax.jit(ours), x, w), _waiting(jax.jit(theirs), x, w), 1.05))
        if n <= 10:
            rows.append(row("jax", f"trace and lower {name}, {n}", _traced(ours, x, w), _traced(theirs, x, w), 1.2))
    return rows


def rows() -> list[Row]:
    """Every comparison."""
    jax.config.update("jax_enable_x64", True)
    f, reverse, forward = _sine_by_rules(), _sine_reverse_by_hand(), _sine_forward_by_hand()
    found = _compare(f, reverse, forward, 10) + _compare(f, reverse, forward, 100_000)
    p = {"x": jnp.linspace(0.1, 2.0, 10), "w": jnp.ones(10)}
    of_dict = lambda f: jax.grad(lambda p: f(p).sum())
    found.append(
        row(
            "jax", "un-jitted grad, dict arguments, 10", _waiting(of_dict(_dict_by_rules()), p), _waiting(of_dict(_dict_by_hand()), p), 1.15
        )
    )
    b = jnp.linspace(0.1, 1.0, 10)
    solver, by_hand = (jax.grad(lambda b, f=f: f(b).sum()) for f in (_solver_by_rules(), _solver_by_hand()))
    found.append(row("jax", "un-jitted grad, iterative solver, 10", _waiting(solver, b), _waiting(by_hand, b), 0.05, rounds=15))
    return found


if __name__ == "__main__":
    print(table(rows()))
