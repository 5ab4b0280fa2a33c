"""What the patterns of the guide cost (docs/guide): each against the simplest code that the engine alone would need.

`python -m benchmarks patterns` prints a table and writes it, `python -m benchmarks.guide_patterns [ENGINE ...]` prints some of it.
Ratios are those of CPU times of the process, of neighbours in one run; below 1 the pattern is faster.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.measure import Row, row, table

_RNG = np.random.default_rng(0)
_ENGINES = ("numpy", "dual", "autograd", "torch", "jax")

Thunk = Callable[[], Any]
Function = Callable[[Any], Any]
Measure = Callable[[Function, Any], Thunk]


def _row(engine: str, case: str, ours: Thunk, hand: Thunk) -> Row:
    return row(engine, case, ours, hand, rounds=31, seconds=0.01, clock=time.process_time)


# Type-generic code: the engine's own names, and `rb.xp`.


def generic(x: Any) -> Any:
    """The sum of x sin x, by `rb.xp`."""
    xp = rb.xp(x)
    return xp.sum(x * xp.sin(x))


def _own(module: Any) -> Function:
    return lambda x: module.sum(x * module.sin(x))


def _names(engine: str, module: Any, gradient: Measure) -> Iterator[Row]:
    for n in (10, 10**5):
        x = _RNG.uniform(0.1, 2.0, n)
        yield _row(engine, f"rb.xp, n = {n}, against {module.__name__}", gradient(generic, x), gradient(_own(module), x))


# Control flow on values.


def _left(xp: Any, x: Any, terms: int) -> Any:
    y = x
    for _ in range(terms):
        y = xp.sin(y) + x
    return y


def _right(xp: Any, x: Any, terms: int) -> Any:
    y = x
    for _ in range(terms):
        y = xp.cos(y) * x
    return y


def branches(terms: int) -> tuple[Function, Function]:
    """(`where`, which computes both sides, and `if`) of two branches of so many terms each."""

    def where(x: Any) -> Any:
        xp = rb.xp(x)
        return xp.sum(xp.where(x[0] > 1.0, _left(xp, x, terms), _right(xp, x, terms)))

    def python_if(x: Any) -> Any:
        xp = rb.xp(x)
        return xp.sum(_left(xp, x, terms) if x[0] > 1.0 else _right(xp, x, terms))

    return where, python_if


@rb.primitive(host=True, result=lambda x: x)
def stiffness(x: Any) -> Any:
    """A spring that is stiffer when it is compressed, element by element in plain NumPy."""
    y = 3 * x**2
    far = x > 1.0
    y[far] = x[far] ** 2
    return y


@rb.scalar_rule(stiffness, host=True)
def _(y: Any, x: Any) -> Any:
    return (np.where(x > 1.0, 2 * x, 6 * x),)


def _stiffness_where(x: Any) -> Any:
    return rb.xp(x).where(x > 1.0, x**2, 3 * x**2)


def _root_safe(x: Any) -> Any:
    xp = rb.xp(x)
    return xp.sum(xp.where(x > 1.0, xp.sqrt(xp.where(x > 1.0, x, 1.0)), x))


def _root_unsafe(x: Any) -> Any:
    xp = rb.xp(x)
    return xp.sum(xp.where(x > 1.0, xp.sqrt(x), x))


def _summed(f: Function) -> Function:
    return lambda x: rb.xp(x).sum(f(x))


def _branching(engine: str, gradient: Measure) -> Iterator[Row]:
    x = _RNG.uniform(0.1, 2.0, 1000)
    for terms in (1, 10):
        where, python_if = branches(terms)
        yield _row(engine, f"where, 2 branches of {terms} terms, n = 1000, against if", gradient(where, x), gradient(python_if, x))


def _choices(engine: str, gradient: Measure) -> Iterator[Row]:
    for n in (10, 10**5):
        x = _RNG.uniform(0.1, 2.0, n)
        ours, hand = gradient(_summed(stiffness), x), gradient(_summed(_stiffness_where), x)
        yield _row(engine, f"a host primitive around branches, n = {n}, against where", ours, hand)
    x = _RNG.uniform(0.1, 2.0, 10**4)
    yield _row(engine, "double where, n = 10000, against one", gradient(_root_safe, x), gradient(_root_unsafe, x))


# Writing: one step of heat conduction, with its ends held.


def _inside(u: Any) -> Any:
    return u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])


def _step_plain(u: Any) -> Any:
    y = rb.xp(u).empty_like(u)
    y[0] = y[-1] = 0.0
    y[1:-1] = _inside(u)
    return y


def _step_concatenate(u: Any) -> Any:
    xp = rb.xp(u)
    end = xp.zeros_like(u[:1])
    return xp.concatenate([end, _inside(u), end])


def _step_where(u: Any) -> Any:
    xp = rb.xp(u)
    n = u.shape[0]
    at_end = xp.asarray((np.arange(n) == 0) | (np.arange(n) == n - 1))
    return xp.where(at_end, 0.0, u + 0.1 * (xp.roll(u, -1, axis=0) - 2 * u + xp.roll(u, 1, axis=0)))


def _step_cache(cache: rb.DiffCache) -> Function:
    def step(u: Any) -> Any:
        y = cache.get(u)
        y[0] = y[-1] = 0.0
        y[1:-1] = _inside(u)
        return rb.freeze(y)

    return step


def _ten(step: Function) -> Function:
    return lambda u: rb.xp(u).sum(functools.reduce(lambda u, _: step(u), range(10), u))


def _writing(engine: str, gradient: Measure) -> Iterator[Row]:
    for n in (100, 10**4):
        u = _RNG.uniform(0.1, 2.0, n)
        steps = {"where": _step_where, "DiffCache": _step_cache(rb.DiffCache(np.empty(n), warn=False))}
        if engine in ("numpy", "dual", "torch"):
            steps["empty_like and writes"] = _step_plain
        for name, step in steps.items():
            ours, hand = gradient(_ten(step), u), gradient(_ten(_step_concatenate), u)
            yield _row(engine, f"10 heat steps by {name}, n = {n}, against concatenate", ours, hand)


# One function, as code and as a primitive.


def kepler_code(mean_anomaly: Any) -> Any:
    """Kepler's equation by twelve steps of Newton's method, eccentricity 0.3."""
    xp = rb.xp(mean_anomaly)
    E = mean_anomaly
    for _ in range(12):
        E = E - (E - 0.3 * xp.sin(E) - mean_anomaly) / (1 - 0.3 * xp.cos(E))
    return E


kepler = rb.primitive(kepler_code, name="kepler")


@rb.scalar_rule(kepler)
def _(E: Any, mean_anomaly: Any) -> Any:
    return (1 / (1 - 0.3 * rb.xp(E).cos(E)),)


def cube_root(x: Any, y: float = 1.0) -> Any:
    """Newton's method, until it has converged."""
    while abs(y**3 - x) > 1e-12:
        y = y - (y**3 - x) / (3 * y**2)
    return y


cube_root_rule = rb.implicit.root(lambda y, x: y**3 - x, host=True)(lambda y0, x: cube_root(x, y0))


def _solvers(engine: str, gradient: Measure) -> Iterator[Row]:
    for n in (10, 10**4):
        x = _RNG.uniform(0.1, 2.0, n)
        ours, hand = (gradient(lambda x, f=f: rb.xp(x).sum(f(x)), x) for f in (kepler, kepler_code))
        yield _row(engine, f"12 Newton steps as a primitive, n = {n}, against their code", ours, hand)
    if engine != "jax jit":
        ours, hand = (gradient(lambda x, f=f: f(x[0]) * x[0], np.array([2.5])) for f in (lambda x: cube_root_rule(1.0, x), cube_root))
        yield _row(engine, "while, one number: rb.implicit.root, against the loop", ours, hand)


# How a gradient is taken.


def _dual(f: Function, x: Any) -> Thunk:
    """One tangent: what a forward pass costs."""
    return lambda: rb.jvp(f, (x,), (np.ones_like(x),), engine="dual")


def _torch(f: Function, x: Any) -> Thunk:
    import torch

    tensor = torch.tensor(x, requires_grad=True)
    return lambda: torch.autograd.grad(f(tensor), tensor)


def _autograd(f: Function, x: Any) -> Thunk:
    import autograd

    gradient = autograd.grad(f)
    return lambda: gradient(x)


def _jax_jit(f: Function, x: Any) -> Thunk:
    import jax

    gradient, x = jax.jit(jax.grad(f)), jax.numpy.asarray(x)
    return lambda: gradient(x).block_until_ready()


def _jax(f: Function, x: Any) -> Thunk:
    import jax

    gradient, x = jax.grad(f), jax.numpy.asarray(x)
    return lambda: gradient(x).block_until_ready()


def rows_of(engine: str) -> Iterator[Row]:
    """The rows of one engine; NumPy's are of values alone."""
    if engine == "numpy":
        value: Measure = lambda f, x: lambda: f(x)
        yield from _names(engine, np, value)
        yield from _branching(engine, value)
        yield from _choices(engine, value)
        yield from _writing(engine, value)
    elif engine == "dual":
        yield from _names(engine, np, _dual)
        yield from _branching(engine, _dual)
        yield from _choices(engine, _dual)
        yield from _writing(engine, _dual)
        yield from _solvers(engine, _dual)
    elif engine == "jax":
        yield from _jax_rows()
    else:
        module = importlib.import_module("autograd.numpy" if engine == "autograd" else engine)
        gradient = _autograd if engine == "autograd" else _torch
        yield from _names(engine, module, gradient)
        yield from _branching(engine, gradient)
        yield from _choices(engine, gradient)
        yield from _writing(engine, gradient)
        yield from _solvers(engine, gradient)


def _jax_rows() -> Iterator[Row]:
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)
    yield from _names("jax", jnp, _jax)
    yield from _names("jax jit", jnp, _jax_jit)
    x = _RNG.uniform(0.1, 2.0, 1000)
    for terms in (1, 10):
        where, _ = branches(terms)
        cond = lambda x, t=terms: jnp.sum(jax.lax.cond(x[0] > 1.0, lambda x: _left(jnp, x, t), lambda x: _right(jnp, x, t), x))
        yield _row("jax jit", f"where, 2 branches of {terms} terms, n = 1000, against lax.cond", _jax_jit(where, x), _jax_jit(cond, x))
    yield from _choices("jax jit", _jax_jit)
    yield from _writing("jax jit", _jax_jit)
    yield from _solvers("jax jit", _jax_jit)


def rows(engines: Sequence[str] = _ENGINES) -> list[Row]:
    """The rows of all engines that are installed, one thread each."""
    if importlib.util.find_spec("torch"):
        importlib.import_module("torch").set_num_threads(1)
    installed = [engine for engine in engines if engine in ("numpy", "dual") or importlib.util.find_spec(engine)]
    return [found for engine in installed for found in rows_of(engine)]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(table(rows(sys.argv[1:] or _ENGINES)))
