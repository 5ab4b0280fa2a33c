"""`python -m benchmarks [GROUP ...] [--json FOLDER]`: a table, and a JSON file for each group, in benchmarks/results/ by default."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import table
from benchmarks.record import ENGINES, RESULTS, write

GROUPS = {
    "core": ["core_import"],
    "jax": ["jax_binding", "jax_host"],
    "torch": ["torch_binding", "torch_host"],
    "autograd": ["autograd_binding"],
    "dual": ["dual_numbers"],
    "operators": ["operators"],
    "crossing": ["crossing"],
    "buffers": ["buffers"],
    "guide": [f"guide.{page}" for page in ("loops_and_solvers", "foreign_code", "static_options", "when_not_to_write_a_rule")],
    "patterns": ["guide_patterns"],
}
NEEDS = {"jax": ["jax"], "torch": ["torch"], "autograd": ["autograd"], "operators": ENGINES, "crossing": ENGINES, "guide": ENGINES}


def main_of(group: str, folder: Path) -> int:
    """The same for one group, in another process."""
    return subprocess.run([sys.executable, "-m", "benchmarks", group, "--json", str(folder)], check=False).returncode


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"among {', '.join(GROUPS)}; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FOLDER", help="for GROUP.json; benchmarks/results by default")
    options = parser.parse_args(arguments)
    if wrong := [g for g in options.groups if g not in GROUPS]:
        parser.error(f"no benchmarks for {wrong[0]!r}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen = options.groups or list(GROUPS)
    if len(chosen) > 1:  # each in a process of its own: settings of engines and the state of the heap are the process's
        return max(main_of(group, options.json) for group in chosen)
    (group,) = chosen
    missing = [p for p in NEEDS.get(group, []) if importlib.util.find_spec(p) is None]
    if missing:
        print(f"{group} needs {missing[0]}: pip install 'rulebook-ad[all]'", file=sys.stderr)
        return 0
    print(f"measuring {group} ...", file=sys.stderr)
    rows = [row for name in GROUPS[group] for row in importlib.import_module(f"benchmarks.{name}").rows()]
    print(table(rows))
    write(options.json / f"{group}.json", f"python -m benchmarks {group}", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
