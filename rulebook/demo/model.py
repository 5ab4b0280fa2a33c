"""The hare and lynx data, and the negative log-likelihood of the Lotka-Volterra model, written once for every engine.

Every observation, the first included, is log-normal about the solution, with one sigma for both species:

    log(observed) = log(u or v) + sigma * noise

so that -log L = n log(sigma) + sum(residuals**2) / (2 sigma**2) + constant.
(The Stan case study "Predator-Prey Population Dynamics" has one sigma per species; both come out near 0.25.)
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.demo.solver import populations

__all__ = ["NAMES", "START", "data", "negative_log_likelihood", "parameters", "residuals", "unknowns", "with_best_sigma"]

NAMES = ("alpha", "beta", "gamma", "delta", "hare0", "lynx0", "sigma")

# Rates of the right order, and populations as first observed; all parameters are positive, so their logarithms are fitted.
START = (0.6, 0.03, 0.9, 0.03, 30.0, 4.0, 0.5)


@cache
def data() -> tuple[tuple[float, ...], Any]:
    """The years since 1900, and the pelts in thousands, hare and lynx, of shape (21, 2).

    Example:
        >>> years, pelts = data()
        >>> len(years), pelts[0]
        (21, array([30.,  4.]))
    """
    with (files("rulebook.demo") / "lynx_hare.csv").open(encoding="utf-8") as lines:
        table = [(float(row["year"]), float(row["hare"]), float(row["lynx"])) for row in csv.DictReader(lines)]
    pelts = np.array([row[1:] for row in table])
    pelts.flags.writeable = False
    return tuple(row[0] - table[0][0] for row in table), pelts


def unknowns(values: Any = START) -> Any:
    """What is fitted: the logarithms of the parameters."""
    return np.log(np.asarray(values, float))


def parameters(logs: Any) -> dict[str, float]:
    """The parameters by name."""
    return dict(zip(NAMES, map(float, np.exp(np.asarray(logs))), strict=True))


def residuals(logs: Any) -> Any:
    """log(observed) - log(solution), hare and lynx in turn, for the logarithms of the first six parameters."""
    xp = rb.xp(logs)
    times, pelts = data()
    positive = xp.exp(logs)
    solution = populations(positive[:4], positive[4:6], times=times)
    return xp.reshape(xp.asarray(np.log(pelts)) - xp.log(solution), (-1,))


def negative_log_likelihood(logs: Any) -> Any:
    """-log L at the logarithms of the seven parameters, without its constant."""
    xp = rb.xp(logs)
    r = residuals(logs)
    return r.shape[0] * logs[6] + 0.5 * xp.sum(r * r) * xp.exp(-2.0 * logs[6])


def with_best_sigma(logs: Any, r: Any) -> Any:
    """The six logarithms and that of the sigma which is most likely given the residuals: their root mean square."""
    return np.append(logs, 0.5 * np.log(np.mean(np.square(r))))
