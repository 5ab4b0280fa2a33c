"""Exact twins of functions that iterate to a tolerance or lose digits, for the oracle: differences of these tell the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

EXACT: dict[str, Callable[..., Any]] = {}


def exact(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the exact twin of a function of the collection."""

    def keep(f: Callable[..., Any]) -> Callable[..., Any]:
        EXACT[name] = f
        return f

    return keep


def newton(step: Callable[[Any], Any], x: Any, n: int = 80) -> Any:
    """Iterate until long double has nothing to gain."""
    for _ in range(n):
        d = step(x)
        x = x - d
        if np.all(np.abs(d) <= 1e-19 * np.abs(x)):
            break
    return x


@exact("kepler")
def _kepler(M, e, *, tol):
    E = np.pi * np.ones_like(M) if e > 0.8 else M
    return newton(lambda E: (E - e * np.sin(E) - M) / (1 - e * np.cos(E)), E, 60)


@exact("rodrigues")
def _rodrigues(w, x):
    t2 = w @ w
    t = np.sqrt(t2)
    s = np.sin(t) / t if t2 > 1e-8 else 1 - t2 / 6 + t2 * t2 / 120
    c = 2 * np.sin(t / 2) ** 2 / t2 if t2 > 1e-8 else 0.5 - t2 / 24 + t2 * t2 / 720
    return x + s * np.cross(w, x) + c * np.cross(w, np.cross(w, x))
