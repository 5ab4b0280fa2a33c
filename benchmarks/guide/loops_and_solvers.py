"""Four ways to differentiate an iterative solver, and what a rule costs beside the binding that one would write by hand.

x = tanh(W x + b) with 100 unknowns; a step shrinks the error to 0.8 of what it was, at most.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.guide.engines import Thunk, Way, compared, ways
from benchmarks.measure import Row

SIZE = 100
STEPS = (20, 200)
Solver = Callable[..., Any]


def step(x: Any, w: Any, b: Any) -> Any:
    """One iteration."""
    return rb.xp(x, w, b).tanh(w @ x + b)


def loop(x: Any, w: Any, b: Any, *, steps: int) -> Any:
    """The solver as one would write it for every engine."""
    for _ in range(steps):
        x = step(x, w, b)
    return x


def own_loop(x: Any, w: Any, b: Any, *, steps: int) -> Any:
    """The same by JAX's own loop."""
    import jax

    return jax.lax.fori_loop(0, steps, lambda _, x: step(x, w, b), x)


def numpy_loop(x: Any, w: Any, b: Any, *, steps: int) -> Any:
    """The same in NumPy."""
    for _ in range(steps):
        x = np.tanh(w @ x + b)
    return x


def implicit(solver: Solver, **options: Any) -> Solver:
    """By the implicit function theorem."""
    return rb.implicit.fixed_point(step, **options)(solver)


def _adjoint(x: Any, w: Any, x_bar: Any) -> tuple[Any, Any]:
    xp = rb.xp(x, w)
    slope = 1 - x**2
    jacobian = xp.eye(x.shape[0], dtype=x.dtype) - slope[:, None] * w
    b_bar = slope * xp.linalg.solve(jacobian.T, x_bar)
    return b_bar[:, None] * x, b_bar


def by_rules(solver: Solver) -> Solver:
    """The two rules by hand."""
    f = rb.primitive(lambda x0, w, b, *, steps: solver(x0, w, b, steps=steps), name="guide.solver")

    @rb.pushforward(f)
    def _(x: Any, primals: Any, tangents: Any, *, steps: int) -> Any:
        _, w, _ = primals
        _, w_dot, b_dot = tangents
        xp = rb.xp(x, w)
        slope = 1 - x**2
        return xp.linalg.solve(xp.eye(x.shape[0], dtype=x.dtype) - slope[:, None] * w, slope * (w_dot @ x + b_dot))

    @rb.pullback(f)
    def _(x: Any, primals: Any, x_bar: Any, *, steps: int) -> Any:
        return None, *_adjoint(x, primals[1], x_bar)

    return f


def bound_by_hand(engine: str, steps: int) -> Solver:
    """The reverse rule as the engine's own binding."""
    if engine == "jax jit":
        import jax

        f = jax.custom_vjp(lambda x0, w, b: own_loop(x0, w, b, steps=steps))
        f.defvjp(
            lambda x0, w, b: (x := own_loop(x0, w, b, steps=steps), (x, w)),
            lambda kept, x_bar: (x_bar * 0, *_adjoint(*kept, x_bar)),
        )
        return f
    if engine == "torch":
        import torch

        class Solve(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x0: Any, w: Any, b: Any) -> Any:
                x = loop(x0, w, b, steps=steps)
                ctx.save_for_backward(x, w)
                return x

            @staticmethod
            def backward(ctx: Any, x_bar: Any) -> Any:
                return None, *_adjoint(*ctx.saved_tensors, x_bar)

        return Solve.apply
    from autograd.extend import defvjp, primitive

    f = primitive(lambda x0, w, b: numpy_loop(x0, w, b, steps=steps))
    defvjp(
        f,
        lambda x, x0, w, b: lambda x_bar: _adjoint(x, w, x_bar)[0],
        lambda x, x0, w, b: lambda x_bar: _adjoint(x, w, x_bar)[1],
        argnums=(1, 2),
    )
    return f


def inputs() -> tuple[Any, Any, Any]:
    """x0, W, b."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(SIZE, SIZE))
    w = 0.8 * (w + w.T) / np.linalg.norm(w + w.T, 2)
    return np.zeros(SIZE), w, 0.1 * rng.normal(size=SIZE)


def _loss(way: Way, solver: Solver, **statics: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    x0, *rest = (way.array(a) for a in inputs())
    return lambda w, b: (solver(x0, w, b, **statics) ** 2).sum(), tuple(rest)


def _seconds(make: Callable[[], Thunk]) -> float:
    """What the first call takes, which compiles."""
    start = time.process_time()
    make()()
    return time.process_time() - start


def _four(way: Way, steps: int) -> Iterator[Row]:
    own = own_loop if way.name == "jax jit" else loop
    solvers: dict[str, Solver] = {
        "traced": own,
        "rules by hand": by_rules(own),
        "rb.implicit": implicit(own),
        "rb.implicit, host": implicit(numpy_loop, host=True),
    }
    if way.name == "jax jit":
        solvers = {"traced": loop, "traced, fori_loop": own, **{k: v for k, v in solvers.items() if k != "traced"}}
    thunks = {name: way.both(*_loss(way, solver, steps=steps)) for name, solver in solvers.items()}
    for name, thunk in thunks.items():
        first = _seconds(lambda thunk=thunk: thunk)
        note = f"peak {way.memory(thunk) / 1024:.0f} KiB, first call {first:.2f} s"
        yield compared(way.name, f"{name}, {steps} steps, against traced", thunk, thunks["traced"], note=note)


def _overhead(way: Way) -> Iterator[Row]:
    steps = STEPS[-1]
    own = own_loop if way.name == "jax jit" else numpy_loop if way.name == "autograd" else loop
    ours = way.both(*_loss(way, by_rules(own), steps=steps))
    hand = way.both(*_loss(way, bound_by_hand(way.name, steps)))
    yield compared(way.name, f"rules, {steps} steps, against the engine's binding", ours, hand, rounds=101)


def rows() -> list[Row]:
    """Every comparison."""
    x0, w, b = inputs()
    alone = lambda: numpy_loop(x0, w, b, steps=STEPS[-1])
    found = [
        compared("numpy", f"{STEPS[-1]} steps, no derivative, against {STEPS[0]}", alone, lambda: numpy_loop(x0, w, b, steps=STEPS[0]))
    ]
    for way in ways():
        found += [r for steps in STEPS for r in _four(way, steps)]
        if way.name != "dual" and importlib.util.find_spec(way.name.split()[0]) is not None:
            found += _overhead(way)
    return found
