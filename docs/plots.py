"""The pictures of the gallery: `python docs/plots.py [NAME ...]` runs the examples and writes them beside their pages.

A picture holds the digest of the program that made it; a test tells which ones have to be made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"
PLOTS = {  # picture -> what makes it
    "lynx_hare.svg": "rulebook/demo/report.py",
    "orbit.svg": "examples/kepler_orbit.py",
    "penalties.svg": "examples/diabetes_hyperparameters.py",
    "digits.png": "examples/transport_digits.py",
    "cycle.svg": "examples/refrigeration_cycle.py",
    "response.svg": "examples/lqr_aircraft.py",
}
_STYLE = {"savefig.transparent": True, "svg.hashsalt": "rulebook", "savefig.dpi": 110, "font.size": 10}


def digest(program: str) -> str:
    """Of the text of a program."""
    return hashlib.sha256((ROOT / program).read_bytes()).hexdigest()


def run(program: str, arguments: list[str]) -> None:
    """Run the main function of an example, or `rulebook demo`."""
    if not program.startswith("examples/"):
        from rulebook.cli import main

        main(["demo", *arguments])
        return
    spec = importlib.util.spec_from_file_location(Path(program).stem, ROOT / program)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(arguments)


def make(name: str) -> None:
    """Run the example with dual numbers, whose figures are those of the other engines, and keep its plot."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    program = PLOTS[name]
    write = Figure.savefig
    about = {"Description": f"sha256 of {program}: {digest(program)}"} | ({"Date": None} if name.endswith("svg") else {})

    def with_digest(figure: Figure, path: str, **_: Any) -> None:
        write(figure, path, metadata=about)

    with rc_context(_STYLE), mock.patch.object(Figure, "savefig", with_digest), contextlib.redirect_stdout(sys.stderr):
        run(program, ["--engines", "dual", "--plot", str(GALLERY / name)])


if __name__ == "__main__":
    for chosen in sys.argv[1:] or PLOTS:
        make(chosen)
