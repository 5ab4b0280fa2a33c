"""The demonstration: one ODE model with one pair of hand-written rules, fitted to the lynx and hare data by every engine.

Needs SciPy; uses rich and matplotlib where they are installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rulebook.demo.fits import DIFFERENCES, ENGINES, Fit, fit, is_installed, reference_gradient
from rulebook.demo.model import unknowns
from rulebook.demo.report import Progress, disagreement, plot, print_table

__all__ = ["DIFFERENCES", "ENGINES", "Fit", "run"]

_AGREEMENT = 1e-8


def run(engines: Sequence[str] = ENGINES, plot_file: Path | None = None) -> int:
    """Fit with each engine and with finite differences, print one table, and draw the fit.

    Args:
        engines: which of `ENGINES`; those not installed are listed as such.
        plot_file: where to write a picture of data and fit, if anywhere.

    Returns:
        0 if the gradients of all engines agree with the reference to 1e-8, else 1.
    """
    missing = [e for e in engines if not is_installed(e)]
    present = [e for e in engines if e not in missing]
    reference = reference_gradient(unknowns())
    fits: list[Fit] = []
    with Progress([*present, DIFFERENCES]) as progress:
        for engine in (*present, DIFFERENCES):
            fits.append(fit(engine, progress.step))
            progress.finish()
    print_table(fits, reference, missing)
    if plot_file is not None:
        plot(fits[0], plot_file)
        print(f"Data and fit are drawn in {plot_file}.")
    wrong = [f.engine for f in fits if f.engine != DIFFERENCES and not disagreement(f.gradient, reference) <= _AGREEMENT]
    if wrong:
        print(f"The gradients of {', '.join(wrong)} differ from the reference by more than {_AGREEMENT:g}.")
    return 1 if wrong else 0
