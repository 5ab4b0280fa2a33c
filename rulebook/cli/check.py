"""`rulebook check`: whether the rules of a TARGET are right."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from rulebook.checking import Plan, known_laws, need_laws
from rulebook.cli.options import Commands, add_format, add_targets, count, found, natural, quiet, seconds, to_file, write
from rulebook.cli.pool import check_all, default_jobs
from rulebook.cli.progress import Progress
from rulebook.engines import engine_names, load_engine
from rulebook.errors import RulebookError
from rulebook.primitive import Primitive
from rulebook.reporting import FORMATS, Outcome, Run, html
from rulebook.targets import Target
from rulebook.testing.report import Report

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help="whether the rules of a module are right",
        description="Check every rule of the primitives that a module defines, at their cases. Exit status: 0 all hold, 1 a rule is wrong, "
        "2 wrong usage, or a primitive that could not be checked.",
    )
    add_targets(parser)
    names = engine_names()
    parser.add_argument(
        "--engines",
        nargs="*",
        choices=names,
        metavar="NAME",
        help=f"also check that these use the rules: {', '.join(names)}; all installed ones",
    )
    add_format(parser, tuple(FORMATS))
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page of HTML, with plots")
    _add_how(parser)
    parser.add_argument("--jobs", "-j", type=count, metavar="N", help="processes; by default one per CPU where that is worth it")
    parser.add_argument("--verbose", "-v", action="store_true", help="show every note")
    parser.set_defaults(run=_run, parser=parser)


def _add_how(parser: argparse.ArgumentParser) -> None:
    """Add what decides which points and laws are checked."""
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the points; 0 by default")
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="check with N seeds, from --seed on")
    parser.add_argument("--strict", action="store_true", help="what noise or time leaves undecided is a failure")
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="for one primitive and seed")
    parser.add_argument("--only", action="append", default=[], metavar="LAW", help="check this law alone; may be repeated")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        type=_switched_off,
        metavar="LAW=REASON",
        help="switch a law off, and say why; may be repeated",
    )


def _switched_off(text: str) -> tuple[str, str]:
    law, _, reason = map(str.strip, text.partition("="))
    if not law or not reason:
        raise argparse.ArgumentTypeError(f"{text!r} is not LAW=REASON")
    return law, reason


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    began = time.perf_counter()
    to_file(options.output, "--output", parser)
    to_file(options.html, "--html", parser)
    targets = found(options, parser)
    primitives = _together(targets)
    plan = _plan(options, targets, parser)
    jobs = options.jobs or default_jobs(len(primitives) * plan.seeds)
    with quiet(), Progress(len(primitives)) as progress:
        outcomes = check_all(primitives, options.targets, plan, jobs, progress.step)
    outcomes += [outcome for target in targets for outcome in _unimported(target, plan)]
    laws = known_laws(options.engines is not None)
    run = Run(outcomes, laws, options.targets, options.engines, plan.without, plan.seed, plan.seeds, plan.strict)
    run.verbose = options.verbose
    run.seconds = time.perf_counter() - began
    write(FORMATS[options.format](run), options.output)
    if options.html is not None:
        write(html(run), options.html)
    return run.status


def _together(targets: list[Target]) -> dict[str, Primitive]:
    return {name: p for target in targets for name, p in target.primitives.items()}


def _plan(options: argparse.Namespace, targets: list[Target], parser: argparse.ArgumentParser) -> Plan:
    without = dict(options.without)
    try:
        need_laws(options.only, "--only", options.engines is not None)
        need_laws(list(without), "--without", options.engines is not None)
        for engine in options.engines or ():
            load_engine(engine)
    except RulebookError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    explicit = frozenset(name for target in targets if target.explicit for name in target.primitives)
    return Plan(options.seed, options.seeds, options.strict, options.budget, options.only, without, options.engines, explicit)


def _unimported(target: Target, plan: Plan) -> Iterator[Outcome]:
    """The modules that were not looked into, by what they lack: nothing is known of them, which a strict check does not let pass."""
    modules: dict[str, list[str]] = {}
    for missing in target.unimported:
        modules.setdefault(missing.why, []).append(missing.module)
    for why, names in modules.items():
        name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        error = RulebookError(f"target {target.text!r}, {', '.join(names)}.", "modules that can be imported", why, "install what they need")
        yield Outcome(name, Report(name, seed=plan.seed, strict=plan.strict), problem=str(error), skipped=True)
