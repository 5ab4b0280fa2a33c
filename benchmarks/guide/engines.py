"""What all pages measure with: one engine's way to take a gradient, its arrays, and how much memory a call takes."""

from __future__ import annotations

import importlib.util
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.measure import Row, row

Thunk = Callable[[], Any]


@dataclass(frozen=True)
class Way:
    """How an engine differentiates.

    Attributes:
        name: of the engine, with `jit` where its program is compiled.
        array: a NumPy array as a value of the engine.
        both: (f, arrays) -> a thunk that gives f's value and derivative: a gradient, in dual numbers one tangent.
        memory: what a thunk takes at most, in bytes.
    """

    name: str
    array: Callable[[Any], Any]
    both: Callable[[Callable[..., Any], tuple[Any, ...]], Thunk]
    memory: Callable[[Thunk], int]


def traced_memory(thunk: Thunk) -> int:
    """The most that NumPy and Python allocate at once."""
    thunk()
    tracemalloc.start()
    try:
        thunk()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def torch_memory(thunk: Thunk) -> int:
    """The most that torch and NumPy allocate at once, from torch's profile and from Python's."""
    from torch.profiler import ProfilerActivity, profile

    thunk()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        thunk()
    now = most = 0
    for event in sorted(found.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most + traced_memory(thunk)


def _jax(jit: bool) -> Way:
    import jax

    jax.config.update("jax_enable_x64", True)

    def both(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Thunk:
        g = jax.value_and_grad(f, tuple(range(len(arrays))))
        if jit:
            g = jax.jit(g)
        run = lambda: jax.block_until_ready(g(*arrays))
        run.program = g, arrays  # type: ignore[attr-defined]  # functions may have one
        return run

    def memory(thunk: Any) -> int:
        g, arrays = thunk.program
        return int(g.lower(*arrays).compile().memory_analysis().temp_size_in_bytes) + traced_memory(thunk)

    return Way("jax jit" if jit else "jax", jax.numpy.asarray, both, memory)


def _torch() -> Way:
    import torch

    torch.set_num_threads(1)

    def both(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Thunk:
        leaves = [a.detach().requires_grad_() for a in arrays]

        def run() -> Any:
            y = f(*leaves)
            return y.detach(), torch.autograd.grad(y, leaves)

        return run

    return Way("torch", torch.tensor, both, torch_memory)


def _autograd() -> Way:
    import autograd

    def both(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Thunk:
        g = autograd.value_and_grad(lambda arrays: f(*arrays))
        return lambda: g(arrays)

    return Way("autograd", np.array, both, traced_memory)


def _dual() -> Way:
    def both(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Thunk:
        tangents = tuple(np.ones_like(a) for a in arrays)
        return lambda: rb.jvp(f, arrays, tangents, engine="dual")

    return Way("dual", np.array, both, traced_memory)


def ways(jit: bool = True) -> list[Way]:
    """One for each engine that is installed."""
    makers = {"jax": lambda: _jax(jit), "torch": _torch, "autograd": _autograd}
    return [make() for name, make in makers.items() if importlib.util.find_spec(name) is not None] + [_dual()]


def compared(engine: str, case: str, ours: Thunk, hand: Thunk, rounds: int = 31, seconds: float = 0.005, note: str | None = None) -> Row:
    """One line of a table, by processor time; engine as a Way is named."""
    engine, _, jit = engine.partition(" ")
    found = row(engine, f"jitted: {case}" if jit else case, ours, hand, rounds=rounds, seconds=seconds, clock=time.process_time)
    return found if note is None else {**found, "note": note}
