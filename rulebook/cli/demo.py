"""`rulebook demo`."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from rulebook.cli.options import Commands
from rulebook.engines import engine_names

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="fit an ODE model to real data with every engine that is installed",
        description="Fit the Lotka-Volterra model to the Hudson's Bay lynx and hare data by maximum likelihood: "
        "SciPy's ODE solver, wrapped once with one pair of rules, minimised with each engine.",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw data and fit; the suffix decides the format")
    names = engine_names()
    parser.add_argument("--engines", nargs="+", choices=names, metavar="ENGINE", help=f"which of {', '.join(names)}; all by default")
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    needs = ["scipy"] + ["matplotlib"] * (options.plot is not None)
    lacking = [name for name in needs if importlib.util.find_spec(name) is None]
    if lacking:
        parser.error(f"{' and '.join(lacking)} is needed: pip install 'rulebook-ad[demo]'")
    if options.plot is not None:
        _check_plot(options.plot, parser)
    from rulebook import demo  # noqa: PLC0415 (needs SciPy)

    return demo.run(options.engines or demo.ENGINES, options.plot)


def _check_plot(file: Path, parser: argparse.ArgumentParser) -> None:
    """Refuse before the work what could not be written after it."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only for a plot)

    formats = Figure().canvas.get_supported_filetypes()
    if file.suffix[1:] not in formats:
        parser.error(f"argument --plot: {file} must end in one of {', '.join('.' + f for f in sorted(formats))}")
    if not file.parent.is_dir():
        parser.error(f"argument --plot: there is no folder {file.parent}")
