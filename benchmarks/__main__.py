"""`python -m benchmarks [ENGINE ...]`: a table, and a JSON file and a plot under benchmarks/results/."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, table

MODULES = {
    "core": ["core_import"],
    "jax": ["jax_binding", "jax_host"],
    "torch": ["torch_binding", "torch_host"],
    "autograd": ["autograd_binding"],
    "dual": ["dual_numbers"],
}
RESULTS = Path(__file__).parent / "results"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("numpy", "jax", "torch", "autograd"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _plot(rows: list[Row], file: Path) -> None:
    """The ratios, one bar each; one is as fast as the hand-written counterpart."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.28 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    names = [f"{r['engine']}: {r['case']}" for r in rows]
    axes.barh(names, [r["ratio"] for r in rows], color="#4a7fb5")
    for i, r in enumerate(rows):
        if r["target"] is not None:
            axes.plot([r["target"]] * 2, [i - 0.4, i + 0.4], color="black")
    axes.axvline(1.0, color="gray", linestyle=":")
    axes.set(xscale="log", xlabel="time / time of the counterpart (bar); target (black line)")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    figure.savefig(file, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"among {', '.join(MODULES)}; all that are installed by default")
    chosen = parser.parse_args(arguments).engines or list(MODULES)
    wrong = [e for e in chosen if e not in MODULES]
    if wrong:
        parser.error(f"no benchmarks for {wrong[0]!r}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows: list[dict[str, Any]] = []
    for engine in chosen:
        if engine not in ("core", "dual") and importlib.util.find_spec(engine) is None:
            print(f"{engine} is not installed: pip install 'rulebook-ad[{engine}]'", file=sys.stderr)
            continue
        print(f"measuring {engine} ...", file=sys.stderr)
        for name in MODULES[engine]:
            rows += importlib.import_module(f"benchmarks.{name}").rows()
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ratios.json").write_text(json.dumps({"versions": _versions(), "rows": rows}, indent=1) + "\n")
    if importlib.util.find_spec("matplotlib") is not None:
        _plot(rows, RESULTS / "ratios.png")
    print(f"written to {RESULTS}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
