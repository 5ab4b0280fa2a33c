"""`rulebook bench`: what the derivatives of a TARGET cost in each engine."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec

from rulebook.cli.options import Commands, add_format, add_targets, found, natural, quiet, seconds, to_file, write
from rulebook.cli.progress import Progress
from rulebook.cli.timing import Row, measure
from rulebook.engines import engine_names, load_engine
from rulebook.errors import RulebookError
from rulebook.markup.data import dump
from rulebook.markup.text import columns
from rulebook.primitive import Primitive
from rulebook.reporting.document import SCHEMA
from rulebook.targets import Target

__all__ = ["add"]

_HEADER = ("primitive", "case", "engine", "primal", "forward", "reverse", "reverse/primal", "calls forward", "calls reverse")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="what derivatives cost in each engine",
        description="Time every case of every primitive: the function in NumPy, rb.jvp, and rb.vjp with its pullback, for NumPy arguments; "
        "and count the calls of the function. Medians, measured by turns.",
    )
    add_targets(parser)
    names = engine_names()
    parser.add_argument("--engines", nargs="+", choices=names, metavar="NAME", help=f"which of {', '.join(names)}; by default all")
    parser.add_argument("--case", type=natural, metavar="N", help="this case alone; the first is 0")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the cases that draw their arguments")
    parser.add_argument("--seconds", type=seconds, default=0.5, metavar="S", help="about how long to time a case; 0.5 by default")
    add_format(parser, ("text", "json"))
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    to_file(options.output, "--output", parser)
    engines = _engines(options.engines, parser)
    targets = found(options, parser)
    work, without = _work(targets, options.case)
    if not work:
        parser.exit(2, f"{parser.prog}: {RulebookError('rulebook bench.', 'example calls', 'none', _CASES)}\n")
    rows: list[Row] = []
    with quiet(), Progress(len(work)) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the functions
        for name, p, number in work:
            rows += measure(name, p, number, engines, options.seed, options.seconds)
            progress.step(name)
    write(_json(rows, without) if options.format == "json" else _text(rows, without), options.output)
    return 0


_CASES = "give the primitives cases: @rb.primitive(cases=[rb.case(...)])"


def _engines(asked: Sequence[str] | None, parser: argparse.ArgumentParser) -> list[str]:
    """The engines asked for, which must be there, or all that are installed."""
    if asked is None:
        return [name for name in engine_names() if find_spec(name) or find_spec(f"rulebook.{name}")]
    try:
        return [load_engine(name).name for name in asked]
    except RulebookError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


def _work(targets: Sequence[Target], case: int | None) -> tuple[list[tuple[str, Primitive, int]], list[str]]:
    """(name, primitive, number of the case) for each case to time, and the primitives that have none."""
    work: list[tuple[str, Primitive, int]] = []
    without: list[str] = []
    for target in targets:
        for name, p in target.primitives.items():
            numbers = [i for i in range(len(p.cases)) if case in (None, i)]
            work += [(name, p, i) for i in numbers]
            without += [name] * (not numbers)
    return work, without


def _text(rows: Sequence[Row], without: Sequence[str]) -> str:
    lines = [columns([_HEADER, *map(_cells, rows)], right=[1, *range(3, 9)])]
    refusals = [f"{r.primitive}, case {r.case}, {r.engine}, {d}: {why}" for r in rows for d, why in r.refusals.items()]
    lines += [""] * bool(refusals) + refusals
    lines += ["", f"no such case: {', '.join(without)}"] if without else []
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    times = [_duration(row.primal)]
    times += ["refused" if d in row.refusals else _duration(s) for d, s in (("forward", row.forward), ("reverse", row.reverse))]
    ratio = "-" if row.ratio is None else f"{row.ratio:.1f}"
    calls = ["-" if n is None else str(n) for n in (row.forward_calls, row.reverse_calls)]
    return row.primitive, str(row.case), row.engine, *times, ratio, *calls


def _duration(seconds: float | None) -> str:
    """A time with its unit.

    Example:
        >>> _duration(0.00123)
        '1.23 ms'
    """
    if seconds is None:
        return "-"
    factor, unit = next(((f, u) for f, u in ((1.0, "s"), (1e3, "ms")) if seconds * f >= 1), (1e6, "us"))
    return f"{seconds * factor:.3g} {unit}"


def _json(rows: Sequence[Row], without: Sequence[str]) -> str:
    entries = [{**asdict(row), "ratio": row.ratio} for row in rows]
    return dump({"schema": SCHEMA, "command": "bench", "rows": entries, "without_case": list(without)})
