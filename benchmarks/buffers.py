"""Work buffers against what one would write without them, in every engine that is installed.

`python -m benchmarks.buffers` prints a table.  Ratios are those of CPU times of the process, of neighbours in one run; below 1 the
buffer is faster.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.measure import Row, table
from rulebook.dual import DualArray
from rulebook.dual.tags import new_tag

_ROUNDS = 31
_SECONDS = 0.01  # of one measurement
_LONGEST = 2.0  # of a row
_RNG = np.random.default_rng(0)

Thunk = Callable[[], Any]


def _time(thunk: Thunk, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        thunk()
    return (time.process_time() - start) / calls


def _calls(thunk: Thunk) -> int:
    thunk()
    return max(1, int(_SECONDS / max(_time(thunk, 2), 1e-8)))


def _row(engine: str, case: str, ours: Thunk, hand: Thunk, target: float | None = None) -> Row:
    n_ours, n_hand = _calls(ours), _calls(hand)
    pairs: list[tuple[float, float]] = []
    end = time.process_time() + _LONGEST
    while len(pairs) < _ROUNDS and (len(pairs) < 3 or time.process_time() < end):
        if len(pairs) % 2:
            pairs.append((_time(ours, n_ours), _time(hand, n_hand)))
        else:
            pairs.append((_time(hand, n_hand), _time(ours, n_ours))[::-1])
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {"engine": engine, "case": case, "ratio": ratio, "ours_us": a * 1e6, "hand_us": b * 1e6, "target": target}


class _New:
    """A cache that keeps nothing."""

    def get(self, x: Any) -> Any:
        return np.empty_like(x)


def foo(du: Any, u: Any, a: Any, tmp: Any) -> Any:
    """`mul!(tmp, A, u); @. du = u + tmp`."""
    tmp, du = tmp.get(u), du.get(u)
    np.matmul(a, u, out=tmp)
    du[...] = u + tmp
    return rb.freeze(du)


def _written(u: Any, a: Any, tmp: Any) -> Any:
    """The same with `b[...] = v` alone."""
    b = tmp.get(u)
    b[...] = a @ u
    return rb.freeze(b)


def _caches(n: int) -> tuple[rb.DiffCache, rb.DiffCache]:
    return rb.DiffCache(np.zeros((n, n)), warn=False), rb.DiffCache(np.zeros((n, n)), warn=False)


def _numpy() -> Iterator[Row]:
    cache, x = rb.DiffCache(np.zeros((5, 2))), np.zeros(3)
    yield _row("numpy", "cache.get(x), against np.empty((5, 2))", lambda: cache.get(x), lambda: np.empty((5, 2)))
    yield _row("numpy", "cache.get(1.0), against np.empty((5, 2))", lambda: cache.get(1.0), lambda: np.empty((5, 2)))
    yield _row("numpy", "freeze(cache.get(x)), against np.empty((5, 2))", lambda: rb.freeze(cache.get(x)), lambda: np.empty((5, 2)))
    for n in (5, 200, 1000):
        a, u = _RNG.normal(size=(n, n)), _RNG.normal(size=(n, n))
        du, tmp = _caches(n)
        yield _row("numpy", f"foo, n = {n}, against u + a @ u", lambda: foo(du, u, a, tmp), lambda: u + a @ u)
    for n in (10, 10**4, 10**6):
        x, cache = _RNG.normal(size=n), rb.DiffCache(np.zeros(n))

        def chain() -> Any:
            b = cache.get(x)
            np.multiply(x, 2.0, out=b)
            b += 1.0
            return rb.freeze(b)

        yield _row("numpy", f"2 x + 1 in a buffer, n = {n}, against 2 * x + 1", chain, lambda: 2.0 * x + 1.0)


def _dual() -> Iterator[Row]:
    """First of all: once arrays of megabytes have been freed, glibc keeps memory, and new arrays cost no page faults any more."""
    for n, k in ((200, 4), (20, 4), (5, 25)):
        a, p, t = _RNG.normal(size=(n, n)), _RNG.normal(size=(n, n)), _RNG.normal(size=(k, n, n))
        u = lambda: DualArray(p, None, t, new_tag())
        du, tmp = _caches(n)
        target = 1 / 1.5 if n == 200 else None
        ours = lambda: foo(du, u(), a, tmp)
        yield _row("dual", f"foo, n = {n}, k = {k}, against new buffers", ours, lambda: foo(_New(), u(), a, _New()), target)
        yield _row(
            "dual",
            f"b[...] = a @ u, n = {n}, k = {k}, against new buffers",
            lambda: _written(u(), a, tmp),
            lambda: _written(u(), a, _New()),
        )
        yield _row("dual", f"foo, n = {n}, k = {k}, against u + a @ u", ours, lambda: (v := u()) + a @ v, target)
        plain = lambda: foo(du, p, a, tmp)
        yield _row("dual", f"foo, n = {n}, k = {k}, against the value alone", ours, plain)


def _jax() -> Iterator[Row]:
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)
    n = 200
    a, u = jnp.asarray(_RNG.normal(size=(n, n))), jnp.asarray(_RNG.normal(size=(n, n)))
    du, tmp = _caches(n)
    for name, wrap in (("value", lambda f: f), ("gradient", lambda f: jax.grad(lambda u: jnp.sum(f(u) ** 2)))):
        ours, hand = jax.jit(wrap(lambda u: foo(du, u, a, tmp))), jax.jit(wrap(lambda u: u + a @ u))
        yield _row(
            "jax", f"foo in jit, {name}, n = {n}, by hand", lambda: ours(u).block_until_ready(), lambda: hand(u).block_until_ready(), 1.2
        )
    cache = rb.DiffCache(np.zeros((64, n)))

    def slices(x: Any) -> Any:
        b = cache.get(x)
        b[...] = 0.0
        b[:32] = x
        b[32:, : n // 2] = 2.0 * x[: n // 2]
        b[::4] += b[1] * x
        return rb.freeze(b)

    def slices_by_hand(x: Any) -> Any:
        b = jnp.zeros((64, n)).at[:32].set(x).at[32:, : n // 2].set(2.0 * x[: n // 2])
        return b.at[::4].set(b[::4] + b[1] * x)

    def loop(x: Any) -> Any:
        b = cache.get(x)
        b[...] = 0.0

        def step(i: Any, rows: Any) -> Any:
            r = rb.Buffer(rows)
            r[i] = r[i - 1] * 0.5 + x
            return rb.freeze(r)

        return jax.lax.fori_loop(1, 64, step, rb.freeze(b))

    def loop_by_hand(x: Any) -> Any:
        return jax.lax.fori_loop(1, 64, lambda i, rows: rows.at[i].set(rows[i - 1] * 0.5 + x), jnp.zeros((64, n)))

    x = u[0]
    for what, first, second in (("slices", slices, slices_by_hand), ("fori_loop", loop, loop_by_hand)):
        for name, wrap in (("value", lambda f: f), ("gradient", lambda f: jax.grad(lambda u: jnp.sum(f(u) ** 2)))):
            ours, hand = jax.jit(wrap(first)), jax.jit(wrap(second))
            yield _row(
                "jax",
                f"{what} in jit, {name}, against .at[]",
                lambda: ours(x).block_until_ready(),
                lambda: hand(x).block_until_ready(),
                1.2,
            )
    yield _row("jax", "slices, traced and compiled, against .at[]", _compiling(jax, slices, x), _compiling(jax, slices_by_hand, x))


def _compiling(jax: Any, f: Any, x: Any) -> Thunk:
    return lambda: jax.jit(lambda x: f(x)).lower(x).compile()


def _fill(cache: rb.DiffCache, x: Any) -> Any:
    b = cache.get(x)
    b[0] = x
    for i in range(1, 50):
        b[i] = b[i - 1] * 0.5 + x
    return rb.freeze(b)


def _filled(stack: Any, x: Any) -> Any:
    rows = [x]
    for _ in range(1, 50):
        rows.append(rows[-1] * 0.5 + x)
    return stack(rows)


def _torch() -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    n = 200
    a, u = (torch.tensor(_RNG.normal(size=(n, n)), requires_grad=i == 1) for i in range(2))
    du, tmp = _caches(n)

    def gradient(f: Any) -> Thunk:
        return lambda: torch.autograd.grad((f() ** 2).sum(), u)

    yield _row("torch", f"foo, n = {n}, backward, by hand", gradient(lambda: foo(du, u, a, tmp)), gradient(lambda: u + a @ u))
    x, cache = torch.tensor(0.5, dtype=torch.float64, requires_grad=True), rb.DiffCache(np.zeros(50))
    backward = lambda f: lambda: torch.autograd.grad(f(x).sum(), x)
    yield _row(
        "torch", "50 elements, backward, against a list", backward(lambda x: _fill(cache, x)), backward(lambda x: _filled(torch.stack, x))
    )


def _autograd() -> Iterator[Row]:
    import autograd
    import autograd.numpy as anp

    n = 200
    a, u = _RNG.normal(size=(n, n)), _RNG.normal(size=(n, n))
    du, tmp = _caches(n)
    gradient = lambda f: autograd.grad(lambda u: anp.sum(f(u) ** 2))
    ours, hand = gradient(lambda u: foo(du, u, a, tmp)), gradient(lambda u: u + a @ u)
    yield _row("autograd", f"foo, n = {n}, gradient, by hand", lambda: ours(u), lambda: hand(u))
    cache = rb.DiffCache(np.zeros(50))
    filled, listed = autograd.grad(lambda x: anp.sum(_fill(cache, x))), autograd.grad(lambda x: anp.sum(_filled(anp.array, x)))
    yield _row("autograd", "50 elements, gradient, against a list", lambda: filled(0.5), lambda: listed(0.5))


def _elements() -> Iterator[Row]:
    a, p, t = _RNG.normal(size=(200, 200)), _RNG.normal(size=(200, 200)), _RNG.normal(size=(4, 200, 200))
    u = lambda: DualArray(p, None, t, new_tag())
    du, tmp = _caches(200)
    yield _row("dual", "foo as above, after arrays of 8 MB were freed", lambda: foo(du, u(), a, tmp), lambda: foo(_New(), u(), a, _New()))
    cache = rb.DiffCache(np.zeros(50), warn=False)
    yield _row("numpy", "50 elements, against a list", lambda: _fill(cache, 0.5), lambda: _filled(np.array, 0.5))
    slope, listed = (rb.derivative(f, engine="dual") for f in (lambda x: _fill(cache, x), lambda x: _filled(np.stack, x)))
    yield _row("dual", "50 elements, derivative, against a list", lambda: slope(0.5), lambda: listed(0.5))


def rows() -> list[Row]:
    """Every comparison, of the engines that are installed."""
    parts = (("numpy", _dual), ("numpy", _numpy), ("numpy", _elements), ("torch", _torch), ("autograd", _autograd), ("jax", _jax))
    return [found for name, cases in parts if importlib.util.find_spec(name) for found in cases()]


if __name__ == "__main__":
    print(table(rows()))
