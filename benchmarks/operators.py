"""The derivative operators against each engine's own spelling, prepared and not, and what preparation gains.

`python -m benchmarks.operators [engine ...]` prints a table of ratios of CPU time; below one is faster than the engine's own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from benchmarks.measure import Row, row, table

__all__ = ["rows"]

SIZES = (10, 10_000)
PREPARED, UNPREPARED = 1.02, 1.2  # the targets, at 10_000 elements and with the engine's own arguments
Thunk = Callable[[], Any]


class Spelling(NamedTuple):
    """One operator in an engine's own words: a function of (f, g) that gives what is called with (x, v)."""

    operator: str
    own: Callable[..., Callable[..., Any]]
    compiled: Callable[..., Callable[..., Any]] | None = None  # of an engine that compiles


class Engine(NamedTuple):
    """What the benchmark needs of an engine: arrays in and out, f to one number, g to eight, and its own operators."""

    name: str
    array: Callable[[Any], Any]
    numpy: Callable[[Any], Any]
    f: Callable[[Any], Any]
    g: Callable[[Any], Any]
    wait: Callable[[Any], Any]
    spellings: tuple[Spelling, ...]


def _weights(n: int) -> Any:
    return np.random.default_rng(0).normal(size=(8, n))


def _of_x(run: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x, v: run(x)


def _jax(n: int) -> Engine:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    weights = jnp.asarray(_weights(n))
    push = lambda f: lambda x, v: jax.jvp(f, (x,), (v,))
    along = lambda f: lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]

    def pull(f: Any) -> Callable[..., Any]:
        def run(x: Any, v: Any) -> Any:
            y, back = jax.vjp(f, x)
            return y, back(jnp.ones_like(y))

        return run

    def pull_compiled(f: Any) -> Callable[..., Any]:
        there, back = jax.jit(lambda x: jax.vjp(f, x)), jax.jit(lambda pull, bar: pull(bar))
        one = jnp.asarray(1.0)

        def run(x: Any, v: Any) -> Any:
            y, pull = there(x)
            return y, back(pull, one)

        return run

    jit = lambda spelling: lambda f: jax.jit(spelling(f))
    first = lambda transform: lambda f: _of_x(transform(f))
    one = lambda transform: lambda f: _of_x(jax.jit(transform(f)))
    return Engine(
        "jax",
        jnp.asarray,
        np.asarray,
        lambda x: jnp.sum(jnp.sin(x) * x**2),
        lambda x: weights @ jnp.sin(x),
        jax.block_until_ready,
        (
            Spelling("grad", first(jax.grad), one(jax.grad)),
            Spelling("value_and_grad", first(jax.value_and_grad), one(jax.value_and_grad)),
            Spelling("jvp", push, jit(push)),
            Spelling("vjp", pull, pull_compiled),
            Spelling("jacobian", first(jax.jacrev), one(jax.jacrev)),
            Spelling("hvp", along, jit(along)),
        ),
    )


def _torch(n: int) -> Engine:
    import torch

    torch.set_num_threads(1)
    weights = torch.from_numpy(_weights(n))

    def value_and_grad(f: Any) -> Callable[..., Any]:
        def run(x: Any, v: Any) -> Any:
            x = x.detach().requires_grad_()
            y = f(x)
            return y.detach(), torch.autograd.grad(y, x)[0]

        return run

    def grad(f: Any) -> Callable[..., Any]:
        def run(x: Any, v: Any) -> Any:
            x = x.detach().requires_grad_()
            return torch.autograd.grad(f(x), x)[0]

        return run

    def along(f: Any) -> Callable[..., Any]:
        def run(x: Any, v: Any) -> Any:
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
            return torch.autograd.grad(gradient, x, v)[0]

        return run

    def pull(f: Any) -> Callable[..., Any]:
        one = torch.tensor(1.0, dtype=torch.float64)

        def run(x: Any, v: Any) -> Any:
            y, back = torch.func.vjp(f, x)
            return y, back(one)

        return run

    return Engine(
        "torch",
        lambda a: torch.from_numpy(np.array(a)),
        lambda t: t.numpy(),
        lambda x: (torch.sin(x) * x**2).sum(),
        lambda x: weights @ torch.sin(x),
        lambda y: y,
        (
            Spelling("grad", grad),
            Spelling("value_and_grad", value_and_grad),
            Spelling("jvp", lambda f: lambda x, v: torch.func.jvp(f, (x,), (v,))),
            Spelling("vjp", pull),
            Spelling("jacobian", lambda f: _of_x(torch.func.jacrev(f))),
            Spelling("hvp", along),
        ),
    )


def _autograd(n: int) -> Engine:
    import autograd
    import autograd.numpy as anp

    weights = _weights(n)

    def pull(f: Any) -> Callable[..., Any]:
        def run(x: Any, v: Any) -> Any:
            back, y = autograd.make_vjp(f)(x)
            return y, back(1.0)

        return run

    first = lambda transform: lambda f: _of_x(transform(f))
    return Engine(
        "autograd",
        np.array,
        np.array,
        lambda x: anp.sum(anp.sin(x) * x**2),
        lambda x: weights @ anp.sin(x),
        lambda y: y,
        (
            Spelling("grad", first(autograd.grad)),
            Spelling("value_and_grad", first(autograd.value_and_grad)),
            Spelling("jvp", lambda f: lambda x, v: autograd.make_jvp(f)(x)(v)),
            Spelling("vjp", pull),
            Spelling("jacobian", first(autograd.jacobian)),
            Spelling("hvp", autograd.hessian_vector_product),
        ),
    )


ENGINES = {"jax": _jax, "torch": _torch, "autograd": _autograd}


def _ours(engine: Engine, operator: str, f: Any, x: Any, v: Any, prepared: bool) -> Thunk:
    """One call of an operator of rulebook."""
    of, name = getattr(rb, operator), engine.name
    with_tangents = operator in ("jvp", "hvp")
    one = engine.array(np.float64(1.0)) if not isinstance(x, np.ndarray) else np.float64(1.0)
    if operator == "hvp":
        args: tuple[Any, ...] = ((x,), v)
    else:
        args = ((x,), (v,)) if with_tangents else (x,)
    if prepared:
        run = rb.prepare(of, f, *args, engine=name)
    elif with_tangents or operator == "vjp":
        run = lambda *args: of(f, *args, engine=name)
    else:
        run = of(f, engine=name)
    if operator != "vjp":
        return lambda: run(*args)

    def pulled() -> Any:
        y, pull = run(*args)
        return y, pull(one)

    return pulled


def _rows(engine: Engine, n: int, rounds: int) -> Iterator[Row]:
    numpy_x, numpy_v = np.linspace(0.1, 1.0, n), np.random.default_rng(1).normal(size=n)
    x, v = engine.array(numpy_x), engine.array(numpy_v)
    for operator, own, compiled in engine.spellings:
        f = engine.g if operator == "jacobian" else engine.f
        for prepared in (False, True):
            hand = (compiled if prepared and compiled else own)(f)
            target = (PREPARED if prepared else UNPREPARED) if n == SIZES[-1] else None
            case = f"{operator}, {n} elements, {'prepared' if prepared else 'not prepared'}"
            ours = _ours(engine, operator, f, x, v, prepared)
            yield _row(engine, case, lambda: engine.wait(ours()), lambda: engine.wait(hand(x, v)), target, rounds)
            if engine.name != "autograd":  # whose arguments are NumPy's anyway
                ours = _ours(engine, operator, f, numpy_x, numpy_v, prepared)
                yield _row(engine, f"{case}, NumPy", ours, lambda: _converted(engine, hand, numpy_x, numpy_v), None, rounds)


def _converted(engine: Engine, hand: Callable[..., Any], x: Any, v: Any) -> Any:
    found = hand(engine.array(x), engine.array(v))
    return [engine.numpy(y) for y in rb.trees.leaves_of(found)]


def _row(engine: Engine, case: str, ours: Thunk, hand: Thunk, target: float | None, rounds: int) -> Row:
    return row(engine.name, case, ours, hand, target, rounds=rounds, seconds=0.01, clock=time.process_time)


def gains(n: int = SIZES[0]) -> list[str]:
    """How much less time an operator takes where it is prepared."""
    lines = [f"{'engine':9} {'operator':16} {'not prepared us':>16} {'prepared us':>12} {'gain':>7}"]
    for make in (*ENGINES.values(), _dual):
        engine = make(n)
        x, v = engine.array(np.linspace(0.1, 1.0, n)), engine.array(np.ones(n))
        for operator in ("grad", "value_and_grad", "jvp", "vjp", "jacobian", "hvp"):
            f = engine.g if operator == "jacobian" else engine.f
            plain, ready = (_ours(engine, operator, f, x, v, prepared) for prepared in (False, True))
            found = row(
                engine.name,
                operator,
                lambda: engine.wait(plain()),
                lambda: engine.wait(ready()),
                rounds=21,
                seconds=0.01,
                clock=time.process_time,
            )
            lines.append(f"{engine.name:9} {operator:16} {found['ours_us']:16.1f} {found['hand_us']:12.1f} {found['ratio']:7.1f}")
    return lines


def _dual(n: int) -> Engine:
    weights = _weights(n)
    return Engine("dual", np.array, np.array, lambda x: np.sum(np.sin(x) * x**2), lambda x: weights @ np.sin(x), lambda y: y, ())


def rows(names: tuple[str, ...] = tuple(ENGINES), rounds: int = 61) -> list[Row]:
    """One row per engine, operator, size, kind of argument, prepared or not."""
    return [found for name in names for n in SIZES for found in _rows(ENGINES[name](n), n, rounds)]


if __name__ == "__main__":
    print(table(rows(tuple(sys.argv[1:]) or tuple(ENGINES))))
    print("\n".join(gains()))
