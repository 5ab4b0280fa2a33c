"""`rulebook list`: the primitives of a TARGET and what is registered for them; without one, the engines and the rule packs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from rulebook import __version__, forms, packs, plugins
from rulebook.cli.options import Commands, add_format, add_targets, found, to_file, write
from rulebook.engines import engine_names, is_installed
from rulebook.markup.data import dump
from rulebook.markup.text import columns
from rulebook.places import places_of
from rulebook.primitive import Primitive
from rulebook.registration import RuleInfo, rules
from rulebook.reporting.document import SCHEMA
from rulebook.targets import Target

__all__ = ["add"]

_HEADER = ("primitive", "primal", "forward", "reverse", "batch rule", "cases", "engines")
_ENGINE_HEADER = ("engine", "installed", "distribution")
_PACK_HEADER = ("rule pack", "module", "distribution", "imported")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "list",
        help="the primitives of a module and their rules, or the engines and rule packs that there are",
        description="What is registered: the kind of rule in each direction, host or traceable code, what is derived and at what cost.",
    )
    add_targets(parser, "*", "; without any, the engines and rule packs are listed")
    add_format(parser, ("text", "json"))
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    to_file(options.output, "--output", parser)
    if not options.targets:
        packs.load()
        write(_installed_json() if options.format == "json" else _installed_text(), options.output)
        return 0
    targets = found(options, parser)
    write(_json(targets) if options.format == "json" else _text(targets), options.output)
    return 0


def _installed_text() -> str:
    rows = [_ENGINE_HEADER, *((e["name"], "yes" if e["installed"] else "no", e["distribution"]) for e in _engines())]
    text = columns(rows)
    plugged = [(p["name"], p["module"], p["distribution"], "yes" if p["imported"] else "no") for p in _packs()]
    return text + "\n" + ("\n" + columns([_PACK_HEADER, *plugged]) + "\n" if plugged else "")


def _installed_json() -> str:
    return dump({"schema": SCHEMA, "command": "list", "engines": _engines(), "packs": _packs()})


def _engines() -> list[dict[str, Any]]:
    others = {p.name: f"{p.distribution} {p.version}" for p in plugins.found(plugins.BRIDGES)}
    ours = f"rulebook-ad {__version__}"
    return [{"name": name, "installed": is_installed(name), "distribution": others.get(name, ours)} for name in engine_names()]


def _packs() -> list[dict[str, Any]]:
    failed = packs.failed()
    return [
        {"name": p.name, "module": p.module, "distribution": f"{p.distribution} {p.version}", "imported": p not in failed}
        for p in plugins.found(plugins.RULES)
    ]


def _text(targets: list[Target]) -> str:
    rows = [_row(name, p) for target in targets for name, p in target.primitives.items()]
    derived = {f"derived {d}: {how}" for t in targets for p in t.primitives.values() for d, how in rules(p).derived.items()}
    missing = [f"{u.module} was not imported: {u.why}" for target in targets for u in target.unimported]
    lines = [columns([_HEADER, *rows], right=[5])] if rows else []
    return "\n".join([*lines, *[""] * bool(derived), *sorted(derived), *[""] * bool(missing), *missing]) + "\n"


def _row(name: str, p: Primitive) -> tuple[str, ...]:
    info = rules(p)
    forward = _rule(forms.FORWARD, info.forward, info)
    reverse = _rule(forms.REVERSE, info.reverse, info)
    primal = "host" if "primal" in info.host else "traceable"
    return name, primal, forward, reverse, "yes" if info.batch else "-", str(len(p.cases)), ", ".join(info.engines)


def _rule(direction: str, kind: str | None, info: RuleInfo) -> str:
    if kind is None:
        return "derived" if direction in info.derived else "-"
    return f"{kind} (host)" if direction in info.host else kind


def _json(targets: list[Target]) -> str:
    primitives = [_entry(name, p) for target in targets for name, p in target.primitives.items()]
    unimported = [asdict(u) for target in targets for u in target.unimported]
    return dump({"schema": SCHEMA, "command": "list", "primitives": primitives, "unimported": unimported})


def _entry(name: str, p: Primitive) -> dict[str, Any]:
    place = places_of(p).get("")
    return {**asdict(rules(p)), "name": name, "cases": len(p.cases), "place": None if place is None else asdict(place)}
