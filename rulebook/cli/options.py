"""What the commands about TARGETs share: their arguments, and where their text goes."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from rulebook.errors import RulebookError
from rulebook.targets import Target, find_all

__all__ = ["Commands", "add_format", "add_targets", "count", "found", "natural", "quiet", "seconds", "to_file", "write"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # argparse has no public name for it


def add_targets(parser: argparse.ArgumentParser, nargs: str = "+", more: str = "") -> None:
    """Add the targets."""
    what = "an importable module or package, a rule pack, or module:primitive"
    parser.add_argument("targets", nargs=nargs, metavar="TARGET", help=what + more)


def add_format(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    """Add --format and --output."""
    parser.add_argument("--format", choices=formats, default="text", help="text by default")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to the standard output")


def found(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Target]:
    """The targets; ends the command with status 2 where one names nothing.

    The current folder can be imported from, as with `python -m`.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with quiet():
            return find_all(options.targets)
    except RulebookError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the functions print out of the report: it goes to the standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def to_file(file: Path | None, option: str, parser: argparse.ArgumentParser) -> None:
    """Refuse before the work what could not be written after it."""
    if file is not None and file.is_dir():
        parser.error(f"argument {option}: {file} is a folder")
    if file is not None and not file.parent.is_dir():
        parser.error(f"argument {option}: there is no folder {file.parent}")


def write(text: str, file: Path | None) -> None:
    """Give the text to a file or to the standard output."""
    if file is not None:
        file.write_text(text, encoding="utf-8")
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader had enough, as `head` has; what Python flushes at its end must not complain again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def natural(text: str) -> int:
    """A number from 0, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not one of 0, 1, 2, ...")
    return int(text)


def count(text: str) -> int:
    """A number from 1, for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of 1, 2, 3, ...")
    return int(text)


def seconds(text: str) -> float:
    """A positive time, for argparse."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return found
