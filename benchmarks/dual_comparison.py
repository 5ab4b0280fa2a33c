"""`python -m benchmarks.dual_comparison`: dual numbers against every other forward mode that can be installed.

The figures are seconds for value and tangents over seconds for the plain primal, in processor time, on one thread, taken by turns in
one run; the tangents of each package are compared with ours.  A table, and a JSON file and a plot under benchmarks/results/.  What is
not installed is left out and said.  Results of another Python are added with `--merge FILE` (advect needs 3.12).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dual_peers import PEERS, Unfit, rulebook
from benchmarks.dual_workloads import WORKLOADS, Workload
from benchmarks.record import RESULTS, write

_SLICE = 0.02  # seconds of one timing
_ROUNDS = 7
_PACKAGES = ("numpy", "jax", "torch", "autograd", "advect", "dualpy", "algopy", "num-dual", "fastdual", "hyperjet", "ad", "tangentmode")

Thunk = Callable[[], Any]


def _seconds(thunk: Thunk, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        thunk()
    return (time.process_time() - start) / calls


def _calls(thunk: Thunk) -> int:
    thunk()
    once = _seconds(thunk, 1)
    return max(1, min(100_000, int(_SLICE / max(once, 1e-6))))


def _candidates(w: Workload, names: list[str]) -> tuple[dict[str, Thunk], dict[str, str]]:
    """What runs a workload right, and why the others do not."""
    thunks: dict[str, Thunk] = {}
    failed: dict[str, str] = {}
    expected = np.ravel(rulebook(w)())
    for name in names:
        try:
            thunk = PEERS[name](w)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                got = np.ravel(np.asarray(thunk(), dtype=float))
        except ModuleNotFoundError as error:
            failed[name] = "not installed" if error.name and error.name.split(".")[0] in name.replace("-", "_") else str(error)
        except Unfit as error:
            failed[name] = str(error)
        except Exception as error:  # whatever a package raises is its answer
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:160]
        else:
            off = float(np.max(np.abs(got - expected)) / np.max(np.abs(expected))) if got.shape == expected.shape else np.inf
            if off < 1e-6:
                thunks[name] = thunk
            else:
                failed[name] = f"wrong, by {off:.1g}"
    return thunks, failed


def measure(w: Workload, names: list[str]) -> dict[str, Any]:
    """The ratios of one workload."""
    thunks, failed = _candidates(w, names)
    plain_calls = _calls(w.plain)
    calls = {name: _calls(thunk) for name, thunk in thunks.items()}
    ratios: dict[str, list[float]] = {name: [] for name in thunks}
    plain: list[float] = []
    for _ in range(_ROUNDS):
        for name, thunk in thunks.items():
            base = _seconds(w.plain, plain_calls)
            plain.append(base)
            ratios[name].append(_seconds(thunk, calls[name]) / base)
    found = {name: statistics.median(r) for name, r in ratios.items()}
    return {"workload": w.name, "kind": w.kind, "k": w.k, "plain_us": statistics.median(plain) * 1e6, "ratios": found, "failed": failed}


def _merged(rows: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the packages that only another run had."""
    more = {row["workload"]: row for row in other}
    for row in rows:
        for key in ("ratios", "failed"):
            for name, value in more.get(row["workload"], {}).get(key, {}).items():
                if name != "rulebook" and name not in row["ratios"] and (key == "ratios" or row["failed"].get(name) == "not installed"):
                    row[key][name] = value
                    if key == "ratios":
                        row["failed"].pop(name, None)
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    names = [n for n in PEERS if any(n in row["ratios"] for row in rows)]
    lines = [f"{'time / time of the primal':42}" + "".join(f"{n:>13}" for n in names)]
    for row in rows:
        best = min(row["ratios"].values())
        cells = []
        for name in names:
            ratio = row["ratios"].get(name)
            if ratio is None:
                cells.append(f"{'wrong' if row['failed'].get(name, '').startswith('wrong') else '-':>13}")
            else:
                cells.append(f"{'*' if ratio == best else ''}{ratio:.3g}".rjust(13))
        lines.append(f"{row['workload']:42}" + "".join(cells))
    return "\n".join(lines)


def _plot(rows: list[dict[str, Any]], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.42 * len(rows) + 1.5), layout="constrained")
    axes = figure.subplots()
    names = [n for n in PEERS if any(n in row["ratios"] for row in rows)]
    for i, name in enumerate(names):
        points = [(row["ratios"][name], y) for y, row in enumerate(rows) if name in row["ratios"]]
        style = (
            {"marker": "D", "s": 60, "color": "black", "zorder": 3}
            if name == "rulebook"
            else {"marker": "o", "s": 22, "color": f"C{i % 10}"}
        )
        axes.scatter([x for x, _ in points], [y for _, y in points], label=name, edgecolors="black" if i > 10 else "none", **style)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows], fontsize=7)
    axes.set(xscale="log", xlabel="time of value and tangents / time of the value")
    axes.grid(axis="y", alpha=0.3)
    axes.invert_yaxis()
    axes.legend(fontsize=7, ncols=2)
    figure.savefig(file, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dual_comparison")
    parser.add_argument("--only", nargs="*", choices=list(PEERS), help="packages to compare with; all by default")
    parser.add_argument("--match", default="", help="measure the workloads with this text in their name")
    parser.add_argument("--merge", type=Path, help="results of a run on another Python")
    parser.add_argument("--out", type=Path, default=RESULTS / "dual_comparison.json")
    chosen = parser.parse_args(arguments)
    names = ["rulebook", *[n for n in (chosen.only or PEERS) if n != "rulebook"]]
    rows = []
    for w in WORKLOADS:
        if chosen.match in w.name:
            print(f"measuring {w.name} ...", flush=True)
            rows.append(measure(w, names))
    if chosen.merge:
        rows = _merged(rows, json.loads(chosen.merge.read_text())["rows"])
    print(_table(rows))
    write(chosen.out, "python -m benchmarks.dual_comparison", rows, _PACKAGES)
    if importlib.util.find_spec("matplotlib") is not None:
        _plot(rows, chosen.out.with_suffix(".png"))
    return 0


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}

if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in _ONE_THREAD.items()):  # read when the packages are loaded: start again
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.dual_comparison", *sys.argv[1:]], {**os.environ, **_ONE_THREAD})
    raise SystemExit(main())
