"""`python -m benchmarks.guide [PAGE ...]`: the figures of the guide's pages, measured and printed as tables."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

from benchmarks.measure import table

PAGES = sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py") if p.stem != "engines")


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guide")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"among {', '.join(PAGES)}; all by default")
    chosen = parser.parse_args(arguments).pages or PAGES
    for page in chosen:
        if page not in PAGES:
            parser.error(f"no figures for {page!r}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when the engines are imported
    for page in chosen:
        print(f"measuring {page} ...", file=sys.stderr)
        rows = importlib.import_module(f"benchmarks.guide.{page}").rows()
        print(f"{page}\n{table(rows)}")
        print(*[f"{r['engine']:9} {r['case']:52} {r['note']}" for r in rows if "note" in r], "", sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
