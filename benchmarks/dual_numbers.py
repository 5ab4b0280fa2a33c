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


def _van_der_pol(x: Any) -> Any:
    """25 steps of Runge-Kutta, some 1000 operations on numbers."""
    mu, h, y = 1.2, 0.01, 0.5
    for _ in range(25):
        k1x, k1y = y, mu * (1 - x * x) * y - x
        ax, ay = x + h / 2 * k1x, y + h / 2 * k1y
        k2x, k2y = ay, mu * (1 - ax * ax) * ay - ax
        ax, ay = x + h / 2 * k2x, y + h / 2 * k2y
        k3x, k3y = ay, mu * (1 - ax * ax) * ay - ax
        ax, ay = x + h * k3x, y + h * k3y
        k4x, k4y = ay, mu * (1 - ax * ax) * ay - ax
        x = x + h / 6 * (k1x + 2 * k2x + 2 * k3x + k4x)
        y = y + h / 6 * (k1y + 2 * k2y + 2 * k3y + k4y)
    return x + y


def _newton(a: Any) -> Any:
    """150 steps of Newton's method for a square root."""
    x = a
    for _ in range(150):
        x = x - (x * x - a) / (2.0 * x)
    return x


def _kepler(m: Any) -> Any:
    """Kepler's equation by Newton's method, with functions of NumPy on numbers."""
    e = m
    for _ in range(60):
        e = e - (e - 0.3 * np.sin(e) - m) / (1 - 0.3 * np.cos(e))
    return e


def _chain(x: Any) -> Any:
    return np.sin(x) * x + np.exp(-x * x) / (1 + x**2)


def _rosenbrock(x: Any) -> Any:
    total = 0.0
    for i in range(len(x) - 1):
        a, b = x[i], x[i + 1]
        total = total + 100.0 * (b - a * a) ** 2 + (1 - a) ** 2
    return total


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _scalar(fn: Callable[[Any], Any], x: float) -> tuple[Thunk, Thunk]:
    return _tangents(fn, x, np.ones(1)), lambda: fn(x)


def _elementwise(n: int, k: int) -> tuple[Thunk, Thunk]:
    x = _rng().normal(size=n)
    return _tangents(_chain, x, _rng().normal(size=(k, n))), lambda: _chain(x)


def _list_gradient(n: int) -> tuple[Thunk, Thunk]:
    values = _rng().normal(size=n).tolist()

    def run() -> Any:
        tag = new_tag()
        xs = [seed(v, t, tag) for v, t in zip(values, np.eye(n), strict=True)]
        return split(_rosenbrock(xs), tag, n)

    return run, lambda: _rosenbrock(values)


def _array_gradient(n: int) -> tuple[Thunk, Thunk]:
    x = _rng().normal(size=n)
    return _tangents(_rosenbrock, x, np.eye(n)), lambda: _rosenbrock(x.tolist())


def _jacobian(n: int) -> tuple[Thunk, Thunk]:
    w, x = _rng().normal(size=(n, n)) / np.sqrt(n), _rng().normal(size=n)
    fn = lambda x: np.tanh(w @ x) * x + x[::-1] ** 2
    jacobian = rb.jacobian(fn, engine="dual")
    return lambda: jacobian(x), lambda: fn(x)


def _algebra(fn: Callable[..., Any], n: int, k: int, active: str) -> tuple[Thunk, Thunk]:
    rng = _rng()
    a, b = rng.normal(size=(n, n)) + n * np.eye(n), rng.normal(size=n)
    a = a @ a.T

    def run() -> Any:
        tag = new_tag()
        args = (seed(a, rng.normal(size=(k, n, n)), tag), seed(b, rng.normal(size=(k, n)), tag) if active == "both" else b)
        return fn(*args)

    tangents = rng.normal(size=(k, n, n)), rng.normal(size=(k, n))

    def measured() -> Any:
        tag = new_tag()
        return fn(seed(a, tangents[0], tag), seed(b, tangents[1], tag))

    return (measured if active == "both" else run), lambda: fn(a, b)


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


def _cases() -> list[tuple[str, tuple[Thunk, Thunk], float | None]]:
    solve, times, chol = np.linalg.solve, np.matmul, lambda a, b: np.linalg.cholesky(a)
    return [
        ("van der Pol, 1000 operations, k=1", _scalar(_van_der_pol, 1.0), 16.0),
        ("Newton, 150 steps, k=1", _scalar(_newton, 2.0), None),
        ("Kepler with np.sin, k=1", _scalar(_kepler, 0.7), None),
        ("Rosenbrock gradient, list of 10", _list_gradient(10), None),
        ("Rosenbrock gradient, list of 100", _list_gradient(100), None),
        ("Rosenbrock gradient, x[i] of 100", _array_gradient(100), None),
        ("elementwise chain, n=1e3, k=1", _elementwise(1000, 1), None),
        ("elementwise chain, n=1e3, k=8", _elementwise(1000, 8), 5.0),
        ("elementwise chain, n=1e4, k=8", _elementwise(10_000, 8), None),
        ("elementwise chain, n=1e3, k=64", _elementwise(1000, 64), None),
        ("elementwise chain, n=1e6, k=8", _elementwise(1_000_000, 8), None),
        ("Jacobian 100 to 100", _jacobian(100), 20.0),
        ("A @ b, n=50, k=8", _algebra(times, 50, 8, "both"), None),
        ("solve(A, b), n=50, k=8", _algebra(solve, 50, 8, "both"), None),
        ("solve(A, b), n=500, k=8", _algebra(solve, 500, 8, "both"), None),
        ("cholesky(A), n=50, k=8", _algebra(chol, 50, 8, "both"), None),
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
