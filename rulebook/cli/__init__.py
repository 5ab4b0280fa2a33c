"""The command `rulebook`: exit status 0 if all holds, 1 if something is wrong, 2 for wrong usage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rulebook import __version__, plugins
from rulebook.cli import bench, check, demo, listing

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: those of the command line by default.

    Returns:
        The exit status.
    """
    before = plugins.report_by(lambda error: print(f"rulebook: {error}\n", file=sys.stderr))
    try:
        return _run(arguments)
    finally:
        plugins.report_by(before)


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="rulebook", description="One derivative rule for JAX, PyTorch, autograd and dual numbers.")
    parser.add_argument("--version", action="version", version=f"rulebook {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for module in (check, listing, bench, demo):
        module.add(commands)
    options = parser.parse_args(arguments)
    status: int = options.run(options, options.parser)
    return status
