"""How long calls take, measured by turns so that what disturbs one disturbs all; and how much memory."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

__all__ = ["Thunk", "Times", "interleaved", "peak"]

Thunk: TypeAlias = Callable[[], Any]
K = TypeVar("K", bound=Hashable)

_SLICE = 2e-3  # seconds that one timing lasts at least: some thousand ticks of the clock
_FEWEST = 3  # rounds, whatever they take


@dataclass(frozen=True)
class Times:
    """Seconds of one call.

    Attributes:
        median: of the rounds.
        spread: between the quartiles of the rounds.
        rounds: how many there were.
        repeats: calls in each.
    """

    median: float
    spread: float
    rounds: int
    repeats: int


def interleaved(thunks: Mapping[K, Thunk], seconds: float, most: int = 41) -> dict[K, Times]:
    """The time of a call of each, by turns, the order changing every round; collections of garbage wait.

    Args:
        thunks: what to time; each was called before.
        seconds: after how long no further round begins.
        most: rounds at most.

    Example:
        >>> times = interleaved({"a": lambda: None, "b": lambda: sum(range(100))}, seconds=0.01)
        >>> sorted(times), times["a"].median < times["b"].median
        (['a', 'b'], True)
    """
    repeats = {key: max(1, int(_SLICE / max(_time(thunk, 1), 1e-7))) for key, thunk in thunks.items()}
    found: dict[K, list[float]] = {key: [] for key in thunks}
    end = time.perf_counter() + seconds
    orders = list(thunks), list(reversed(list(thunks)))
    collects = gc.isenabled()
    gc.disable()
    try:
        for i in range(most):
            if i >= _FEWEST and time.perf_counter() > end:
                break
            for key in orders[i % 2]:
                found[key].append(_time(thunks[key], repeats[key]))
    finally:
        if collects:
            gc.enable()
    return {key: _times(rounds, repeats[key]) for key, rounds in found.items()}


def _time(thunk: Thunk, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        thunk()
    return (time.perf_counter() - start) / repeats


def _times(rounds: list[float], repeats: int) -> Times:
    low, middle, high = statistics.quantiles(rounds, n=4, method="inclusive")
    return Times(middle, high - low, len(rounds), repeats)


def peak(thunk: Thunk) -> int:
    """The most bytes that a call holds beyond what was held before: Python's objects and NumPy's arrays.

    Example:
        >>> import numpy as np
        >>> 8000 <= peak(lambda: np.ones(1000).sum()) < 80000
        True
    """
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        thunk()
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if not running:
            tracemalloc.stop()
