"""Weigh a planet: fit an eccentric orbit to the radial velocities of a star, with every engine that is installed.

    python examples/kepler_orbit.py [--engines jax torch] [--plot orbit.svg]

The star HD 20868 moves towards and away from us because a planet pulls at it.  Six unknowns: the period P and the time T of the
periastron, the eccentricity e, the argument w of the periastron, the semi-amplitude K and the velocity g of the whole system:

    M = 2 pi (t - T) / P,    E - e sin E = M,    v = g + K (cos(nu + w) + e cos w),    tan(nu / 2) = sqrt((1 + e) / (1 - e)) tan(E / 2).

Kepler's equation, for E, is solved by SciPy's Newton method in every engine; its derivatives come from the equation alone.
The fit is that of least squares with the Jacobian; the uncertainties, that of the mass among them, are derivatives again.

Data: C. Moutou et al., The HARPS search for southern extra-solar planets XV, Astronomy & Astrophysics 496 (2009), 513-519,
table 4: 48 velocities by the spectrograph HARPS at La Silla.  Their elements are `PUBLISHED`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares, newton

import rulebook as rb

# Julian date - 2452000, radial velocity [km/s], its uncertainty [km/s]
OBSERVED = np.fromstring(
    """
     944.759761 46.30911 0.00255  1578.941288 46.21963 0.00165  1579.927242 46.21953 0.00135  1668.773536 46.28134 0.00150
    1670.728503 46.28763 0.00145  1672.797736 46.29419 0.00148  1674.743782 46.30446 0.00135  1675.819517 46.31087 0.00114
    1691.577515 46.41910 0.00155  1721.706478 46.26692 0.00135  1724.633943 46.26712 0.00118  1725.585119 46.26338 0.00113
    1762.579524 46.23860 0.00145  1764.539118 46.23716 0.00113  1974.869681 46.22482 0.00232  1979.923748 46.22749 0.00200
    1981.897310 46.22813 0.00155  2079.673981 46.35546 0.00135  2083.717877 46.33114 0.00154  2314.874429 46.22101 0.00149
    2345.833998 46.22372 0.00126  2347.832433 46.22375 0.00119  2386.726662 46.23193 0.00151  2394.752760 46.23539 0.00207
    2421.692913 46.26423 0.00102  2428.736985 46.27712 0.00121  2430.633523 46.28286 0.00112  2437.676734 46.31306 0.00138
    2438.644277 46.31772 0.00154  2445.632867 46.37310 0.00152  2446.708327 46.38629 0.00149  2447.647299 46.39631 0.00173
    2448.662135 46.40572 0.00191  2449.673081 46.41303 0.00144  2450.625557 46.41899 0.00131  2451.657624 46.42038 0.00175
    2452.629288 46.42265 0.00178  2453.668760 46.41719 0.00140  2454.671103 46.40928 0.00169  2478.640303 46.27767 0.00106
    2486.573877 46.26497 0.00149  2525.518526 46.23992 0.00137  2638.948171 46.21787 0.00149  2640.934733 46.22498 0.00206
    2643.941030 46.22350 0.00151  2645.930747 46.21843 0.00121  2647.933071 46.22028 0.00133  2649.925384 46.22170 0.00129
    """,
    sep=" ",
).reshape(-1, 3)
TIMES, VELOCITIES, ERRORS = (OBSERVED * [1.0, 1e3, 1e3]).T  # days, m/s, m/s

ELEMENTS = ("period [d]", "periastron [JD - 2452000]", "eccentricity", "argument [rad]", "semi-amplitude [m/s]", "velocity [m/s]")
PUBLISHED = (
    "380.85 +- 0.09",
    "2451.52 +- 0.1",
    "0.75 +- 0.002",
    "-0.066 +- 0.007",
    "100.34",
    "46245",
)  # the argument: 356.2 +- 0.4 degrees
START = np.array([380.0, 2452.0, 0.6, 0.0, 100.0, 46250.0])  # read off the data: the distance, the time, the height of the peaks
SUNS = 0.78  # the mass of the star in solar masses, by the same authors
YEAR, K_JUPITER = 365.25, 28.4329  # days; m/s: what a planet of Jupiter's mass does to one solar mass in a year (Lovis and Fischer 2010)


def kepler(anomaly: Any, mean: Any, eccentricity: Any) -> Any:
    """Kepler's equation, for each time on its own: arrays (n,), and a number."""
    return anomaly - eccentricity * rb.xp(anomaly).sin(anomaly) - mean


@rb.implicit.root(kepler, host=True, linear_solver=lambda slope, b: b / slope(rb.xp(b).ones_like(b)))  # no time concerns another
def eccentric_anomaly(start: Any, mean: Any, eccentricity: Any) -> Any:
    """E, by Newton's method from the mean anomaly and the step towards E of J. M. A. Danby, Celestial Mechanics 40 (1987)."""
    start = start + 0.85 * eccentricity * np.sign(np.sin(mean))
    return newton(kepler, start, fprime=lambda E, _, e: 1 - e * np.cos(E), args=(mean, eccentricity), tol=1e-13)


def velocity(elements: Any, times: Any) -> Any:
    """The radial velocity at some times, in m/s."""
    xp = rb.xp(elements)
    period, periastron, e, argument, amplitude, system = (elements[i] for i in range(6))
    mean = 2 * np.pi * (xp.asarray(times) - periastron) / period
    anomaly = eccentric_anomaly(mean, mean, e)
    distance = 1 - e * xp.cos(anomaly)
    along, across = (xp.cos(anomaly) - e) / distance, xp.sqrt(1 - e**2) * xp.sin(anomaly) / distance
    return system + amplitude * (xp.cos(argument) * (along + e) - xp.sin(argument) * across)


def misfit(elements: Any) -> Any:
    """What is left of each observation, by its uncertainty."""
    xp = rb.xp(elements)
    return (velocity(elements, TIMES) - xp.asarray(VELOCITIES)) / xp.asarray(ERRORS)


def mass(elements: Any) -> Any:
    """The mass of the planet times the sine of the inclination, in masses of Jupiter, where it is small by the star's."""
    return elements[4] / K_JUPITER * rb.xp(elements).sqrt(1 - elements[2] ** 2) * (elements[0] / YEAR) ** (1 / 3) * SUNS ** (2 / 3)


class Orbit(NamedTuple):
    """What one engine found."""

    jacobian: Any  # of the misfit at the start
    elements: Any
    deviations: Any  # standard deviations of the elements
    mass: tuple[float, float]
    chi_square: float
    evaluations: int


def fit(engine: str) -> Orbit:
    """Least squares, and what follows from the Jacobian at the end."""
    if engine == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    jacobian = rb.jacobian(misfit, engine=engine)
    found = least_squares(misfit, START, jac=jacobian, method="lm", x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14)
    ends = jacobian(found.x)
    covariance = np.linalg.inv(ends.T @ ends) * 2 * found.cost / (len(TIMES) - len(START))  # the star jitters: chi^2 is above 1
    weight, slopes = rb.value_and_grad(mass, engine=engine)(found.x)
    spread = (float(weight), float(np.sqrt(slopes @ covariance @ slopes)))
    return Orbit(jacobian(START), found.x, np.sqrt(np.diag(covariance)), spread, 2 * found.cost, found.nfev)


def report(orbits: dict[str, Orbit]) -> str:
    """A table of the engines, and the orbit."""
    first = next(iter(orbits.values()))
    lines = [f"{'engine':9} {'chi^2':>11} {'mass [Jupiter]':>14} {'evaluations':>11} {'Jacobian off by':>15} {'elements off by':>15}"]
    for engine, o in orbits.items():
        jacobian = np.abs((o.jacobian - first.jacobian) / np.abs(first.jacobian).max(axis=0)).max()
        elements = np.abs((o.elements - first.elements) / first.deviations).max()
        lines.append(f"{engine:9} {o.chi_square:11.7f} {o.mass[0]:14.9f} {o.evaluations:11} {jacobian:15.1e} {elements:15.1e}")
    lines += ["", f"{'':26} {'found':>12} {'':3} {'deviation':>9}  published"]
    for name, value, deviation, published in zip(ELEMENTS, first.elements, first.deviations, PUBLISHED, strict=True):
        lines.append(f"{name:26} {value:12.5f} +- {deviation:9.5f}  {published}")
    return "\n".join([*lines, f"{'mass x sin i [Jupiter]':26} {first.mass[0]:12.5f} +- {first.mass[1]:9.5f}  1.99"])


def plot(orbit: Orbit, path: str) -> None:
    """The velocities over one period, and what is left of them."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only where a plot is asked for)

    period, periastron = orbit.elements[:2]
    upper, lower = (figure := Figure(figsize=(7, 5), layout="constrained")).subplots(2, sharex=True, height_ratios=[3, 1])
    phases = np.linspace(-0.5, 0.5, 2001)
    upper.plot(phases * period, velocity(orbit.elements, periastron + phases * period) - orbit.elements[5], "C0")
    days = ((TIMES - periastron) / period + 0.5) % 1 * period - period / 2
    upper.errorbar(days, VELOCITIES - orbit.elements[5], ERRORS, fmt="k.", markersize=4)
    lower.errorbar(days, -misfit(orbit.elements) * ERRORS, ERRORS, fmt="k.", markersize=4)
    upper.set(ylabel="radial velocity [m/s]")
    lower.set(xlabel="days from the periastron", ylabel="left [m/s]")
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> None:
    """Fit with each engine and print the tables."""
    parser = argparse.ArgumentParser(description="Fit the orbit of a planet to radial velocities.")
    every = [e for e in ("dual", "jax", "torch", "autograd") if e == "dual" or importlib.util.find_spec(e)]
    parser.add_argument("--engines", nargs="+", default=every, metavar="ENGINE", help="dual, jax, torch, autograd; by default all")
    parser.add_argument("--plot", metavar="FILE", help="save the orbit as an image; needs matplotlib")
    options = parser.parse_args(arguments)
    orbits = {engine: fit(engine) for engine in options.engines}
    print(report(orbits))
    if options.plot:
        plot(orbits[options.engines[-1]], options.plot)


if __name__ == "__main__":
    main()
