"""autograd: a primitive with its rules against the hand-written `primitive`, `defvjp` and `defjvp` for the same math.

`python -m benchmarks.autograd_binding` prints a table of ratios; below one is faster than by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_jvp, make_vjp, value_and_grad
from autograd.extend import defjvp, defvjp, primitive

import rulebook as rb
from benchmarks.measure import Row, row, table


def _wave(x: Any, w: Any) -> Any:
    return np.sin(x) * w


def _by_rules() -> Any:
    wave = rb.primitive(_wave, name="benchmark.wave")

    @rb.pushforward(wave, symbolic_zeros=True)
    def _(y: Any, primals: Any, tangents: Any) -> Any:
        (x, w), (x_dot, w_dot) = primals, tangents
        xp = rb.xp(x, w)
        from_x = None if x_dot is None else xp.cos(x) * w * x_dot
        if w_dot is None:
            return from_x
        from_w = xp.sin(x) * w_dot
        return from_w if from_x is None else from_x + from_w

    @rb.pullback(wave)
    def _(y: Any, primals: Any, y_bar: Any) -> Any:
        x, w = primals
        xp = rb.xp(x, w)
        return rb.thunk(lambda: y_bar * w * xp.cos(x)), rb.thunk(lambda: y_bar * xp.sin(x))

    return wave


def _by_hand() -> Any:
    wave = primitive(_wave)
    defvjp(wave, lambda y, x, w: lambda y_bar: y_bar * w * anp.cos(x), lambda y, x, w: lambda y_bar: y_bar * anp.sin(x))
    defjvp(wave, lambda x_dot, y, x, w: anp.cos(x) * w * x_dot, lambda w_dot, y, x, w: anp.sin(x) * w_dot)
    return wave


def _forward_and_reverse(f: Any, x: Any, w: Any, both: bool) -> Callable[[], Any]:
    y_bar = np.ones(np.shape(x)) if np.ndim(x) else 1.0
    traced = make_vjp(lambda xw: f(xw[0], xw[1])) if both else make_vjp(f)

    def run() -> Any:
        pull, _ = traced((x, w)) if both else traced(x, w)
        return pull(y_bar)

    return run


def _forward(f: Any, x: Any, w: Any) -> Callable[[], Any]:
    x_dot = np.ones(np.shape(x)) if np.ndim(x) else 1.0
    return lambda: make_jvp(f)(x, w)(x_dot)


def _solve_by_rule() -> Any:
    solve = rb.primitive(np.linalg.solve, host=True, name="benchmark.solve")
    rb.pullback(solve, host=True)(lambda x, primals, x_bar: (None, np.linalg.solve(primals[0].T, x_bar)))
    return solve


def _solve_by_hand() -> Any:
    solve = primitive(np.linalg.solve)
    defvjp(solve, lambda x, a, b: lambda x_bar: np.linalg.solve(a.T, x_bar), argnums=(1,))
    return solve


def _value_and_grad(f: Any, n: int) -> Callable[[], Any]:
    a, b = np.random.default_rng(0).normal(size=(n, n)) + 3 * n * np.eye(n), np.ones(n)
    traced = value_and_grad(lambda b: anp.sum(f(a, b)))
    return lambda: traced(b)


def _host_rows() -> list[Row]:
    """Host code, with NumPy inside."""
    ours, hand = _solve_by_rule(), _solve_by_hand()
    return [
        row(
            "autograd",
            f"value and gradient of a host solve, n = {n}",
            _value_and_grad(ours, n),
            _value_and_grad(hand, n),
            target,
            rounds=201,
        )
        for n, target in ((2, 1.5), (100, 1.25))
    ]


def rows() -> list[Row]:
    """One row per case."""
    ours, hand = _by_rules(), _by_hand()
    found = []
    for n in (0, 10, 10_000, 100_000):
        x = np.linspace(0.1, 1.0, n) if n else 0.3
        w = np.full(n, 2.0) if n else 2.0
        size = f"{n} elements" if n else "one number"
        cases = [
            (f"forward+reverse, {size}", 1.05, lambda f, x=x, w=w: _forward_and_reverse(f, x, w, False)),
            (f"forward+reverse of both arguments, {size}", 1.05, lambda f, x=x, w=w: _forward_and_reverse(f, x, w, True)),
            (f"jvp, {size}", 1.0, lambda f, x=x, w=w: _forward(f, x, w)),
        ]
        found += [row("autograd", case, make(ours), make(hand), target, rounds=201) for case, target, make in cases]
    return found + _host_rows()


if __name__ == "__main__":
    print(table(rows()))
