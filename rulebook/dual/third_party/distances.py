"""The distances of scipy.spatial on dual numbers, for which SciPy has compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["cdist", "pdist", "squareform"]

_METRICS: dict[Any, Callable[[Any], Any]] = {
    "euclidean": lambda d: np.linalg.norm(d, axis=-1),
    "sqeuclidean": lambda d: np.sum(d * d, axis=-1),
    "cityblock": lambda d: np.sum(np.abs(d), axis=-1),
    "chebyshev": lambda d: np.max(np.abs(d), axis=-1),
}


def cdist(XA: Any, XB: Any, metric: Any = "euclidean", **options: Any) -> Any:
    """As `scipy.spatial.distance.cdist`; NotImplemented for other metrics and options."""
    if metric not in _METRICS or options:
        return NotImplemented
    return _METRICS[metric](np.expand_dims(XA, 1) - np.expand_dims(XB, 0))


def pdist(X: Any, metric: Any = "euclidean", **options: Any) -> Any:
    """As `scipy.spatial.distance.pdist`; NotImplemented for other metrics and options."""
    if metric not in _METRICS or options:
        return NotImplemented
    first, second = np.triu_indices(len(X), 1)
    return _METRICS[metric](X[first] - X[second])


def squareform(X: Any, force: str = "no", checks: bool = True) -> Any:
    """As `scipy.spatial.distance.squareform` of a vector; NotImplemented for a matrix."""
    if np.ndim(X) != 1 or force != "no":
        return NotImplemented
    n = round((1 + np.sqrt(1 + 8 * len(X))) / 2)
    at = np.zeros((n, n), int)
    at[np.triu_indices(n, 1)] = np.arange(len(X))
    at = at + at.T
    return np.where(np.eye(n, dtype=bool), 0.0, np.reshape(X[at.ravel()], (n, n)))
