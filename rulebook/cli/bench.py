"""`rulebook bench`: what the derivatives of a TARGET cost in each engine."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from html import escape

from rulebook.cli.costs import as_html, as_text
from rulebook.cli.functions import OPERATORS, Asked, Call, Found, calls_of_target, joined, measured
from rulebook.cli.options import Commands, add_format, add_targets, found, natural, quiet, seconds, to_file, write
from rulebook.cli.progress import Progress
from rulebook.cli.timing import Row, measure
from rulebook.engines import engine_names, is_installed, load_engine
from rulebook.errors import RulebookError
from rulebook.markup.data import dump
from rulebook.markup.page import page
from rulebook.primitive import Primitive
from rulebook.reporting.document import SCHEMA
from rulebook.targets import Target
from rulebook.testing.timing.page import body

__all__ = ["add"]

_CASES = "give the primitives cases: @rb.primitive(cases=[rb.case(...)])"


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="what derivatives cost in each engine",
        description="Of a primitive: time every case in NumPy, rb.jvp, and rb.vjp with its pullback, for NumPy arguments; and count the "
        "calls of the function. Of a module:function that is no primitive: time its gradient, or its Jacobian, in each engine, as it is "
        "and prepared. Medians, measured by turns. Exit status: 0 measured, 1 engines give different derivatives, 2 wrong usage, or "
        "nothing was measured.",
    )
    add_targets(parser)
    names = engine_names()
    parser.add_argument("--engines", nargs="+", choices=names, metavar="NAME", help=f"which of {', '.join(names)}; by default all")
    parser.add_argument("--case", type=natural, metavar="N", help="this case alone; the first is 0")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the cases that draw their arguments")
    parser.add_argument("--seconds", type=seconds, default=0.5, metavar="S", help="about how long to time a case; 0.5 by default")
    parser.add_argument("--args", metavar="EXPR", help="the arguments of the function, in Python: 'np.ones(3), 2.0' or 'rb.case(...)'")
    parser.add_argument("--argnums", type=_argnums, default=0, metavar="N", help="the arguments of the function to differentiate: 0 or 0,2")
    parser.add_argument("--operators", nargs="+", choices=OPERATORS, metavar="NAME", help=f"for functions: {', '.join(OPERATORS)}")
    add_format(parser, ("text", "json", "html"))
    parser.set_defaults(run=_run, parser=parser)


def _argnums(text: str) -> int | tuple[int, ...]:
    """0 or 0,2."""
    numbers = [part.strip() for part in text.split(",")]
    if not all(n.isdecimal() for n in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not N or N,N")
    return int(text) if len(numbers) == 1 else tuple(map(int, numbers))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    to_file(options.output, "--output", parser)
    engines = _engines(options.engines, parser)
    calls, options.targets = _functions(options, parser)
    targets = found(options, parser) if options.targets else []
    work, without = _work(targets, options.case)
    if not work and not calls:
        parser.exit(2, f"{parser.prog}: {RulebookError('rulebook bench.', 'example calls', 'none', _CASES)}\n")
    rows: list[Row] = []
    functions: dict[str, Found] = {}
    with quiet(), Progress(len(work) + len(calls)) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the functions
        for name, p, number in work:
            rows += measure(name, p, number, engines, options.seed, options.seconds)
            progress.step(name)
        for call in calls:
            functions[call.name] = measured(call, engines, _asked(options), options.seconds)
            progress.step(call.name)
    write(_report(options, rows, without, functions), options.output)
    return _status(rows, functions)


def _status(rows: Sequence[Row], functions: dict[str, Found]) -> int:
    """2 where a function could not be measured at all, 1 where engines disagree."""
    if any(not f.table.fastest() for f in functions.values()):
        return 2
    return int(any(f.disagree for f in functions.values()))


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(options.args, options.argnums, tuple(options.operators or ()), options.case, options.seed)


def _functions(options: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[list[Call], list[str]]:
    """The targets that are functions, with their examples, and the other targets."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has it
    calls: list[Call] = []
    others: list[str] = []
    for text in options.targets:
        try:
            with quiet():
                of_this = calls_of_target(text, _asked(options))
        except RulebookError as error:
            parser.exit(2, f"{parser.prog}: {error}\n")
        if of_this is None:
            others.append(text)
        else:
            calls += of_this
    return calls, others


def _engines(asked: Sequence[str] | None, parser: argparse.ArgumentParser) -> list[str]:
    """The engines asked for, which must be there, or all that are installed."""
    if asked is None:
        return [name for name in engine_names() if is_installed(name)]
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


def _report(options: argparse.Namespace, rows: Sequence[Row], without: Sequence[str], functions: dict[str, Found]) -> str:
    if options.format == "json":
        entries = [{**asdict(row), "ratio": row.ratio} for row in rows]
        versions = next((f.table.versions for f in functions.values()), {})
        told = {"functions": joined(functions), "versions": versions} if functions else {}
        return dump({"schema": SCHEMA, "command": "bench", "rows": entries, "without_case": list(without), **told})
    if options.format == "html":
        return _page(rows, without, functions)
    parts = [as_text(rows, without)] if rows or without else []
    legend = [f"{f.table.legend()}\n" for f in functions.values()][:1]
    return "\n".join([*parts, *map(str, functions.values()), *legend])


def _page(rows: Sequence[Row], without: Sequence[str], functions: dict[str, Found]) -> str:
    parts = ["<h1>rulebook bench</h1>", *(as_html(rows, without) if rows or without else ())]
    for name, each in functions.items():
        parts += [f"<h2>{escape(name)}</h2>", *body(each.table)]
        parts += [f'<div class="card undecided"><pre>{escape(note)}</pre></div>' for note in each.notes]
    return page("rulebook bench", parts)
