"""How every ratio is measured: both sides in one run, by turns, the median of the ratios of neighbours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Row", "interleaved", "row", "table"]

Row = dict[str, Any]
Thunk = Callable[[], Any]
Clock = Callable[[], float]


def _calls(thunk: Thunk, seconds: float) -> int:
    """How many calls fill the given time."""
    thunk()
    start = time.perf_counter()
    thunk()
    return max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))


def _time(thunk: Thunk, calls: int, clock: Clock) -> float:
    start = clock()
    for _ in range(calls):
        thunk()
    return (clock() - start) / calls


def interleaved(
    ours: Thunk, hand: Thunk, rounds: int = 61, seconds: float = 0.004, clock: Clock = time.perf_counter
) -> tuple[float, float, float]:
    """(median ratio, our time, the other's time), times in seconds a call.

    Args:
        ours, hand: what to compare; each has to wait for its result.
        rounds: how often each is timed, by turns, the order changing every round.
        seconds: about how long one timing lasts.
        clock: time.process_time where other programs are busy beside this one.
    """
    n_ours, n_hand = _calls(ours, seconds), _calls(hand, seconds)
    a: list[float] = []
    b: list[float] = []
    for i in range(rounds):
        for which in (0, 1) if i % 2 else (1, 0):
            if which:
                b.append(_time(hand, n_hand, clock))
            else:
                a.append(_time(ours, n_ours, clock))
    return statistics.median(x / y for x, y in zip(a, b, strict=True)), statistics.median(a), statistics.median(b)


def row(
    engine: str,
    case: str,
    ours: Thunk,
    hand: Thunk,
    target: float | None = None,
    rounds: int = 61,
    seconds: float = 0.004,
    clock: Clock = time.perf_counter,
) -> Row:
    """One line of the table."""
    ratio, t_ours, t_hand = interleaved(ours, hand, rounds, seconds, clock)
    return {"engine": engine, "case": case, "ratio": ratio, "ours_us": t_ours * 1e6, "hand_us": t_hand * 1e6, "target": target}


def table(rows: list[Row]) -> str:
    """The rows as text; a ratio above its target is marked."""
    lines = [f"{'engine':9} {'case':52} {'ratio':>8} {'target':>7} {'rulebook us':>12} {'other us':>12}"]
    for r in rows:
        target = "" if r["target"] is None else f"{r['target']:.2f}"
        above = " *" if r["target"] is not None and r["ratio"] > r["target"] else ""
        lines.append(f"{r['engine']:9} {r['case']:52} {r['ratio']:8.3f} {target:>7} {r['ours_us']:12.1f} {r['hand_us']:12.1f}{above}")
    return "\n".join(lines)
