"""Sparse Jacobians and Hessians against dense ones, and against products that are decompressed by hand.

`python -m benchmarks.sparse_derivatives [engine ...]` prints CPU times; by hand the colours are known, and nothing is checked.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

import rulebook as rb

SIZES = (1_000, 100_000)
DENSE = 1_000  # the largest size at which the dense derivative is made


def beside(x: Any) -> tuple[Any, Any]:
    xp, end = rb.xp(x), x[:1] * 0
    return xp.concatenate([x[1:], end]), xp.concatenate([end, x[:-1]])


def chain(x: Any) -> Any:
    """Tridiagonal."""
    right, left = beside(x)
    return rb.xp(x).sin(x) * right - 2 * x + left**2


def rosenbrock(x: Any) -> Any:
    """Of shape (), with a tridiagonal Hessian."""
    return rb.xp(x).sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def by_hand(operator: Any, f: Callable[[Any], Any], x: Any, engine: str) -> Callable[[Any], Any]:
    """A tridiagonal matrix from three products, for columns that are three apart."""
    n = len(x)
    seeds = np.stack([(np.arange(n) % 3 == k) * 1.0 for k in range(3)])
    places = scipy.sparse.diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]).tocsr()
    rows = np.repeat(np.arange(n), np.diff(places.indptr))
    cols, indptr = places.indices, places.indptr
    if operator is rb.jacobian:
        along = rb.prepare(rb.jvp, f, (x,), (seeds,), engine=engine, batch=True)
        products = lambda x: along((x,), (seeds,))[1]
    else:
        along = rb.prepare(rb.hvp, f, (x,), seeds, engine=engine, batch=True)
        products = lambda x: along((x,), seeds)
    return lambda x: scipy.sparse.csr_array((products(x)[cols % 3, rows], cols, indptr), shape=(n, n))


def cpu(run: Callable[[], Any], least: float = 0.3) -> float:
    """Milliseconds of CPU time, the least of several."""
    run()
    best, spent = np.inf, 0.0
    while spent < least:
        start = time.process_time()
        run()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-4)
    return 1e3 * best


def once(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of CPU time, MB at the peak, and the result."""
    start = time.process_time()
    found = run()
    took = time.process_time() - start
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return took, peak / 1e6, found


def compare(engine: str, operator: Any, f: Callable[[Any], Any], n: int) -> None:
    x = np.random.default_rng(0).normal(size=n)
    name = f"{engine:9s} {operator.__name__:9s} n = {n:<7d}"
    took, peak, sparse = once(lambda: rb.prepare(operator, f, x, engine=engine, sparsity="detect"))
    hand = by_hand(operator, f, x, engine)
    assert abs(sparse(x) - hand(x)).max() == 0 or np.allclose((sparse(x) - hand(x)).data, 0, atol=1e-9)
    ours, theirs, primal = cpu(lambda: sparse(x)), cpu(lambda: hand(x)), cpu(lambda: f(x))
    text = f"{name} prepared in {took:.2f} s, {peak:.0f} MB; a call {ours:.3f} ms, "
    text += f"by hand {theirs:.3f} ({ours / theirs:.2f}), primal {primal:.3f}"
    if n <= DENSE:
        whole = rb.prepare(operator, f, x, engine=engine)
        dense = cpu(lambda: whole(x))
        text += f", dense {dense:.1f} ({dense / ours:.0f} times as long)"
    print(text, flush=True)


def main(engines: list[str]) -> None:
    for engine in engines:
        if engine == "jax":
            import jax

            jax.config.update("jax_enable_x64", True)
        for n in SIZES:
            compare(engine, rb.jacobian, chain, n)
            if engine != "dual":
                compare(engine, rb.hessian, rosenbrock, n)
        if engine == "dual":  # where the gradient by n numbers takes n tangents
            compare(engine, rb.hessian, rosenbrock, 100)


if __name__ == "__main__":
    main(sys.argv[1:] or ["dual", "autograd", "jax", "torch"])
