"""Dual numbers against the plain primal: the cost of value and derivatives as a multiple of the value alone.

`python -m benchmarks.dual_numbers` prints a table of ratios.  "hand" is the plain NumPy or Python
primal; the other engines of other programs take 40 to 1000 on most rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.dual_peers import rulebook
from benchmarks.dual_workloads import WORKLOADS
from rulebook.dual.drivers import seed, split
from rulebook.dual.tags import new_tag

_ROUNDS = 15  # at least
_SECONDS = 1.0  # of a case
_SLICE = 0.0001  # of one measurement

Thunk = Callable[[], Any]


def _tangents(fn: Callable[..., Any], x: Any, t: Any) -> Thunk:
    """Value and k tangents of fn(x), as the operators run it."""

    def run() -> Any:
        tag = new_tag()
        return split(fn(seed(x, t, tag)), tag, t.shape[0])

    return run


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _array_gradient(n: int) -> tuple[Thunk, Thunk]:
    """Scalar code on the elements of an array."""
    x, fn = _rng().normal(size=n), next(w.fn for w in WORKLOADS if w.kind == "list")
    return _tangents(lambda x: fn(np, x), x, np.eye(n)), lambda: fn(np, x.tolist())


def _jacobian(n: int) -> tuple[Thunk, Thunk]:
    """By the operator, as users call it."""
    w, x = _rng().normal(size=(n, n)) / np.sqrt(n), _rng().normal(size=n)
    fn = lambda x: np.tanh(w @ x) * x + x[::-1] ** 2
    jacobian = rb.jacobian(fn, engine="dual")
    return lambda: jacobian(x), lambda: fn(x)


def _solver(n: int, k: int) -> tuple[Thunk, Thunk]:
    """x = tanh(M x) + b by 200 iterations, with the implicit function theorem for a rule."""
    rng = _rng()
    m, b = rng.normal(size=(n, n)) / (3 * np.sqrt(n)), rng.normal(size=n)

    def iterate(b: Any) -> Any:
        x = b
        for _ in range(200):
            x = np.tanh(m @ x) + b
        return x

    solver = rb.primitive(iterate, name="benchmark.solver")

    @rb.pushforward(solver)
    def _(x: Any, primals: Any, tangents: Any) -> Any:
        xp = rb.xp(*primals)
        slope = 1 - (x - primals[0]) ** 2
        return xp.linalg.solve(xp.eye(n) - slope[:, None] * m, tangents[0])

    return _tangents(solver, b, rng.normal(size=(k, n))), lambda: iterate(b)


_TARGETS = {
    "van der Pol, 1000 operations on numbers": 16.0,
    "elementwise chain, n=1000, k=8": 5.0,
    "elementwise chain, n=1000, k=64": 6.0,
}


def _cases() -> list[tuple[str, tuple[Thunk, Thunk], float | None]]:
    return [
        *[(w.name, (rulebook(w), w.plain), _TARGETS.get(w.name)) for w in WORKLOADS],
        ("Rosenbrock gradient, x[i] of 100", _array_gradient(100), None),
        ("rb.jacobian, 100 to 100", _jacobian(100), 20.0),
        ("200 iterations with a rule, n=20, k=20", _solver(20, 20), None),
        ("200 iterations with a rule, n=k=200", _solver(200, 200), 3.0),
    ]


def _interleaved(ours: Thunk, hand: Thunk) -> tuple[float, float]:
    """Medians of seconds per call, taken in turns so short that other load on the machine hits few of them."""
    counts = []
    for fn in (ours, hand):
        fn()
        start = time.perf_counter()
        fn()
        counts.append(max(1, int(_SLICE / max(time.perf_counter() - start, 1e-7))))
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(times[0]) < _ROUNDS:
        for fn, count, found in zip((ours, hand), counts, times, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                fn()
            found.append((time.perf_counter() - start) / count)
    return statistics.median(times[0]), statistics.median(times[1])


def rows() -> list[dict[str, Any]]:
    """One row per case: engine, case, ratio, microseconds of both, and the ratio aimed at."""
    found = []
    for case, (ours, hand), target in _cases():
        a, b = _interleaved(ours, hand)
        found.append({"engine": "dual", "case": case, "ratio": a / b, "ours_us": a * 1e6, "hand_us": b * 1e6, "target": target})
    return found


def main() -> None:
    """Print the table."""
    for row in rows():
        target = f"<= {row['target']:g}" if row["target"] else ""
        print(f"{row['case']:42}{row['ratio']:8.2f}  {target:8}{row['ours_us']:12.1f} us{row['hand_us']:12.1f} us")


if __name__ == "__main__":
    main()
