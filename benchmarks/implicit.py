"""Derivatives of iterative solvers: unrolled, by hand, by `rulebook.implicit`, and by the other libraries that are installed.

`python -m benchmarks.implicit [PART ...]` measures all of one part in one run, by turns, and writes benchmarks/results/implicit.json.
The others are measured where they are found: `pip install jaxopt optimistix lineax torchopt`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, write

__all__ = ["TOL", "Row", "Thunk", "attempt", "by_turns", "mark_accurate", "relative_error", "table"]

Row = dict[str, Any]
Thunk = Callable[[], Any]

TOL = 1e-12
PARTS = {"jax": "implicit_jax", "torch": "implicit_torch", "host": "implicit_host", "ridge": "implicit_ridge"}
NEEDS = {"jax": "jax", "torch": "torch", "host": "scipy", "ridge": "jax"}
PEERS = ("jaxopt", "optimistix", "torchopt")
PACKAGES = ("numpy", "scipy", "jax", "torch", "autograd", "jaxopt", "optimistix", "lineax", "torchopt")


def _time(thunk: Thunk, calls: int) -> float:
    """CPU time of a call, of all threads: it does not grow with what else the machine does."""
    start = time.process_time()
    for _ in range(calls):
        thunk()
    return (time.process_time() - start) / calls


def by_turns(thunks: dict[str, Thunk], base: str, rounds: int = 21, seconds: float = 0.02) -> dict[str, Row]:
    """Per thunk its median CPU time in ms, and the median of its ratios to the base of the same round.

    Args:
        thunks: what to compare; each has to wait for its result.
        base: the name of the thunk that the ratios are taken to.
        rounds: how often each is timed, in an order that turns every round.
        seconds: about how long one timing lasts.
    """
    names = list(thunks)
    for name in names:
        thunks[name]()
    calls = {name: max(1, int(seconds / max(_time(thunks[name], 1), 1e-6))) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            times[name].append(_time(thunks[name], calls[name]))
    ratio = {name: statistics.median(t / b for t, b in zip(times[name], times[base], strict=True)) for name in names}
    return {name: {"ms": statistics.median(times[name]) * 1e3, "ratio": ratio[name]} for name in names}


def relative_error(found: Any, expected: Any) -> float:
    """The largest error of any of the arrays, each relative to its largest entry."""
    import numpy as np

    return max(
        float(np.abs(np.asarray(f) - np.asarray(e)).max() / np.abs(np.asarray(e)).max()) for f, e in zip(found, expected, strict=True)
    )


def mark_accurate(rows: list[Row]) -> None:
    """Mark what is right once the solver has converged: only that can be compared."""
    last = max(r.get("iterations", 0) for r in rows)
    final = [r for r in rows if r.get("iterations", 0) == last and isinstance(r["error"], float)]
    right = {r["method"] for r in final if r["error"] <= TOL}
    for r in rows:
        r["accurate"] = r["method"] in right


def attempt(thunk: Thunk) -> Any:
    """What the thunk gives, or the name of the error that it raises."""
    try:
        return thunk()
    except Exception as error:
        return f"raises {type(error).__name__}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.1e}" if isinstance(value, float) and abs(value) < 1e-2 else f"{value:.6g}"


def table(rows: list[Row]) -> str:
    """The rows as text, one table for each problem."""
    lines: list[str] = []
    for problem in dict.fromkeys(r["problem"] for r in rows):
        chosen = [r for r in rows if r["problem"] == problem]
        columns = [c for c in dict.fromkeys(c for r in chosen for c in r) if c not in ("problem", "accurate")]
        cells = [columns, *([_cell(r.get(c)) for c in columns] for r in chosen)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
        lines += ["", problem, *("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)]
    return "\n".join(lines[1:])


def _measured(part: str) -> list[Row]:
    """The rows of one part, in a process of its own: where its arrays lie in memory is a matter of luck."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.implicit", part, "--print"]
    environment = {"OMP_NUM_THREADS": "1"} | os.environ
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=RESULTS.parents[1], env=environment)
    rows: list[Row] = json.loads(found.stdout.splitlines()[-1])
    return rows


def _middle(values: list[Any]) -> Any:
    return statistics.median(values) if all(isinstance(v, (int, float)) for v in values) else values[0]


def _against_peers(rows: list[Row]) -> None:
    """How each row of rulebook compares to the fastest of the others that is accurate, where there is one."""
    groups: dict[Any, list[Row]] = {}
    for r in rows:
        groups.setdefault((r["problem"], r.get("iterations")), []).append(r)
    for group in groups.values():
        others = [r["ratio"] for r in group if r["method"].startswith(PEERS) and r.get("accurate")]
        for r in group:
            if others and r["method"].startswith("rulebook"):
                r["to the best other"] = r["ratio"] / min(others)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.implicit")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"among {', '.join(PARTS)}; all that can be measured by default")
    parser.add_argument("--runs", type=int, default=3, help="processes that each part is measured in; the table has the medians")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FOLDER", help="for implicit.json; benchmarks/results by default")
    parser.add_argument("--print", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if wrong := [p for p in chosen.parts if p not in PARTS]:
        parser.error(f"no benchmarks for {wrong[0]!r}")
    if chosen.print:
        warnings.simplefilter("ignore")
        print(json.dumps(importlib.import_module(f"benchmarks.{PARTS[chosen.parts[0]]}").rows()))
        return 0
    rows: list[Row] = []
    for part in chosen.parts or PARTS:
        if importlib.util.find_spec(NEEDS[part]) is None:
            print(f"{part} needs {NEEDS[part]}, which is not installed", file=sys.stderr)
            continue
        print(f"measuring {part} ...", file=sys.stderr)
        runs = [_measured(part) for _ in range(chosen.runs)]
        rows += [{key: _middle([r.get(key) for r in same]) for key in same[0]} for same in zip(*runs, strict=True)]
    _against_peers(rows)
    print(table(rows))
    write(chosen.json / "implicit.json", "python -m benchmarks.implicit", rows, PACKAGES)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
