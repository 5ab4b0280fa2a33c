"""The programs on which dual numbers are compared with other packages: plain code, and the tangents to push through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["WORKLOADS", "Workload"]


@dataclass(frozen=True)
class Workload:
    """A function and what it is differentiated along.

    Attributes:
        name: as the table shows it.
        kind: "number" (a float in), "list" (a list of floats in, all derivatives), or "arrays" (k tangents).
        fn: `fn(xp, *args)`, with the package's own array module first.
        args: floats, a list of floats, or arrays.
        tangents: for arrays, of each argument k stacked.
        why: what the row shows.
    """

    name: str
    kind: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    tangents: tuple[Any, ...] = ()

    @property
    def k(self) -> int:
        """The number of tangents."""
        if self.kind == "arrays":
            return int(self.tangents[0].shape[0])
        return len(self.args[0]) if self.kind == "list" else 1

    def plain(self) -> Any:
        """The primal alone."""
        return self.fn(np, *self.args)


def _van_der_pol(xp: Any, x: Any) -> Any:
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


def _newton(xp: Any, a: Any) -> Any:
    """150 steps of Newton's method for a square root."""
    x = a
    for _ in range(150):
        x = x - (x * x - a) / (2.0 * x)
    return x


def _kepler(xp: Any, m: Any) -> Any:
    """Kepler's equation by Newton's method, with functions of the array module on numbers."""
    e = m
    for _ in range(60):
        e = e - (e - 0.3 * xp.sin(e) - m) / (1 - 0.3 * xp.cos(e))
    return e


def _rosenbrock(xp: Any, x: Any) -> Any:
    total = 0.0
    for i in range(len(x) - 1):
        a, b = x[i], x[i + 1]
        total = total + 100.0 * (b - a * a) ** 2 + (1 - a) ** 2
    return total


def _chain(xp: Any, x: Any) -> Any:
    return xp.sin(x) * x + xp.exp(-x * x) / (1 + x**2)


def _elementwise(n: int, k: int) -> Workload:
    rng = np.random.default_rng(0)
    return Workload(f"elementwise chain, n={n:g}, k={k}", "arrays", _chain, (rng.normal(size=n),), (rng.normal(size=(k, n)),))


def _jacobian(n: int) -> Workload:
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n)
    return Workload(f"Jacobian {n} to {n}", "arrays", lambda xp, x: xp.tanh(xp.dot(w, x)) * x + x[::-1] ** 2, (x,), (np.eye(n),))


def _algebra(name: str, n: int, k: int) -> Workload:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(n, n)) + n * np.eye(n), rng.normal(size=(n, n))
    t, s = rng.normal(size=(k, n, n)), rng.normal(size=(k, n, n))
    title = f"{name}, n={n}, k={k}"
    if name == "A @ B":
        return Workload(title, "arrays", lambda xp, a, b: xp.dot(a, b), (a, b), (t, s))
    if name == "solve(A, B)":
        return Workload(title, "arrays", lambda xp, a, b: xp.linalg.solve(a, b), (a, b), (t, s))
    if name == "solve(A, b)":
        return Workload(title, "arrays", lambda xp, a, b: xp.linalg.solve(a, b), (a, b[0]), (t, s[:, 0]))
    a, t = a @ a.T, t + t.swapaxes(1, 2)
    return Workload(title, "arrays", lambda xp, a: xp.linalg.cholesky(a), (a,), (t,))


_ALGEBRA = [(name, n, k) for n in (50, 500) for name in ("A @ B", "solve(A, b)", "solve(A, B)", "cholesky(A)") for k in (1, 8)]

WORKLOADS = [
    Workload("van der Pol, 1000 operations on numbers", "number", _van_der_pol, (1.0,)),
    Workload("Newton's method, 150 steps", "number", _newton, (2.0,)),
    Workload("Kepler's equation with sin and cos", "number", _kepler, (0.7,)),
    *[Workload(f"Rosenbrock gradient, {n} numbers", "list", _rosenbrock, (np.linspace(-1, 1, n).tolist(),)) for n in (10, 100)],
    *[_elementwise(n, k) for n, k in ((1000, 1), (1000, 8), (1000, 64), (10_000, 8), (1_000_000, 1), (1_000_000, 8))],
    _jacobian(100),
    *[_algebra(name, n, k) for name, n, k in _ALGEBRA if (name, n, k) != ("cholesky(A)", 500, 8)],
]
