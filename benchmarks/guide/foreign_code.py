"""What it costs to leave an engine for NumPy code and come back, alone and in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.guide.engines import Way, compared, ways
from benchmarks.measure import Row, row

BATCH = 64


def wave() -> Any:
    """sin(x) by NumPy, with a rule of NumPy."""
    f = rb.primitive(lambda x: np.sin(x), host=True, result=lambda x: x, name="guide.wave")
    rb.pullback(f, host=True)(lambda y, primals, y_bar: (y_bar * np.cos(primals[0]),))
    rb.pushforward(f, host=True)(lambda y, primals, tangents: tangents[0] * np.cos(primals[0]))
    return f


def _alone(x: Any) -> Any:
    return np.sin(x).sum(), np.cos(x)


def _calls(way: Way) -> Iterator[Row]:
    f = wave()
    for n in (10, 1_000, 100_000):
        x = np.linspace(0.0, 1.0, n)
        ours = way.both(lambda x: f(x).sum(), (way.array(x),))
        yield compared(way.name, f"value and derivative, {n}, against NumPy alone", ours, lambda x=x: _alone(x))


def _solvers() -> tuple[Any, Any]:
    """A linear solve for each example, in a loop and in one call."""
    solve = lambda a, b: np.linalg.solve(a, b[..., None])[..., 0]
    options: dict[str, Any] = {"host": True, "result": lambda a, b: b}
    return rb.primitive(solve, name="guide.loop", **options), rb.primitive(solve, name="guide.wide", vectorized=True, **options)


def _maps() -> dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]:
    import jax
    import torch

    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(1)
    return {"jax jit": (lambda f: jax.jit(jax.vmap(f)), jax.numpy.asarray), "torch": (torch.func.vmap, torch.tensor)}


def _batches() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(BATCH, 4, 4)) + 4 * np.eye(4), rng.normal(size=(BATCH, 4))
    loop, wide = _solvers()
    for engine, (vmap, array) in _maps().items():
        args = array(a), array(b)
        first, second = (lambda f=f: np.asarray(f(*args)) for f in map(vmap, (wide, loop)))
        yield compared(engine, f"vmap over {BATCH} solves, vectorized, against a loop", first, second)


def _waiting(seconds: float) -> Any:
    def wait(x: Any) -> Any:
        time.sleep(seconds)
        return x

    return rb.primitive(wait, host=True, result=lambda x: x, name="guide.wait")


def _threads() -> Iterator[Row]:
    """By the clock on the wall: waiting takes no processor time."""
    f, xs = _waiting(0.005), np.zeros(16)
    for engine, (vmap, array) in _maps().items():
        mapped, values = vmap(f), array(xs)

        def threaded(mapped: Any = mapped, values: Any = values) -> Any:
            with rb.config(host_threads=8):
                return np.asarray(mapped(values))

        yield row(
            engine.split()[0],
            "vmap over 16 that wait 5 ms, 8 threads, against 1",
            threaded,
            lambda m=mapped, v=values: np.asarray(m(v)),
            rounds=7,
        )


def rows() -> list[Row]:
    """Every comparison."""
    found = [*_batches(), *_threads()]
    for way in [*ways(), *ways(jit=False)[:1]]:
        found += _calls(way)
    return found
