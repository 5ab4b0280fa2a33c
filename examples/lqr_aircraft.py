"""Tune the autopilot of a Boeing 747 by gradient through a Riccati equation, with every engine that is installed.

    python examples/lqr_aircraft.py [--engines jax torch] [--plot response.svg]

The aircraft flies at 40,000 ft and Mach 0.8; its lateral motion is x' = A x + B u with sideslip, yaw rate, roll rate and bank
angle as states, rudder and aileron as inputs.  The autopilot u = -K x is the linear-quadratic regulator, which is the best one
for the cost integral of x'Q x + u'R u; Q and R are not given by nature, and are tuned here.  What is wanted is a small

    J = E [ integral of t (sideslip^2 + bank^2) dt ] + 0.3 E [ integral of (rudder^2 + aileron^2) dt ]

after a random gust: the time-weighted error, which is no quadratic cost, and the effort.  Both integrals are solutions of
Lyapunov equations, so that J is a function of the logarithms of the weights through one Riccati and three Lyapunov equations.
`rulebook.rules.linalg` has their rules; the engines differ in nothing but the name.

Model: G. F. Franklin, J. D. Powell and A. Emami-Naeini, Feedback Control of Dynamic Systems, section 10.3 (the yaw damper),
after R. K. Heffley and W. F. Jewell, Aircraft Handling Qualities Data, NASA CR-2144 (1972); the column of the aileron is that
of the example "Yaw Damper Design for a 747 Jet Aircraft" of the Control System Toolbox of MATLAB.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import scipy.linalg
from scipy.optimize import minimize

import rulebook as rb
from rulebook.rules.linalg import solve_continuous_are, solve_continuous_lyapunov

STATES = ("sideslip", "yaw rate", "roll rate", "bank angle")
INPUTS = ("rudder", "aileron")

A = np.array(  # angles in rad, rates in rad/s
    [
        [-0.0558, -0.9968, 0.0802, 0.0415],
        [0.598, -0.115, -0.0318, 0.0],
        [-3.05, 0.388, -0.4650, 0.0],
        [0.0, 0.0805, 1.0, 0.0],
    ]
)
B = np.array([[0.00729, 0.0], [-0.475, 0.00775], [0.153, 0.143], [0.0, 0.0]])

GUST = np.diag(np.deg2rad([5.0, 0.0, 0.0, 10.0]) ** 2)  # the covariance of the state that a gust leaves
ERROR = np.diag([1.0, 0.0, 0.0, 1.0])  # sideslip and bank angle
EFFORT = 0.3

START = np.zeros(4)  # the logarithms of the weights of sideslip, roll rate, bank angle and aileron; the rudder has one
WEIGHTED_STATES = np.eye(4)[:, [0, 2, 3]]  # the yaw rate has none: the tuning would take it away


def gain(logs: Any) -> Any:
    """K, by the Riccati equation: an array of shape (2, 4)."""
    xp = rb.xp(logs)
    weights = xp.exp(logs)
    q = xp.asarray(np.eye(4)) * (xp.asarray(WEIGHTED_STATES) @ weights[:3])
    r = xp.asarray(np.diag([1.0, 0.0])) + xp.asarray(np.diag([0.0, 1.0])) * weights[3]
    b = xp.asarray(B)
    return xp.linalg.inv(r) @ b.T @ solve_continuous_are(A, b, q, r)


def performance(k: Any) -> Any:
    """J of a gain: with x(t) = exp(A_c t) x(0), the integral of t^k/k! x'M x is x(0)'P x(0) after k + 1 Lyapunov equations."""
    xp = rb.xp(k)
    closed = (xp.asarray(A) - xp.asarray(B) @ k).T
    error = solve_continuous_lyapunov(closed, solve_continuous_lyapunov(closed, xp.asarray(ERROR)))
    effort = solve_continuous_lyapunov(closed, -k.T @ k)
    return xp.sum(xp.asarray(GUST) * (error + EFFORT * effort))


def loss(logs: Any) -> Any:
    """J of the logarithms of the weights."""
    return performance(gain(logs))


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often SciPy is called: for a Riccati equation, and for a Schur form (two to a Lyapunov equation)."""
    calls: Counter[str] = Counter()

    def counting(name: str) -> Any:
        solve = getattr(scipy.linalg, name)

        def run(*args: Any, **options: Any) -> Any:
            calls[name] += 1
            return solve(*args, **options)

        return mock.patch.object(scipy.linalg, name, run)

    with counting("solve_continuous_are"), counting("schur"):
        yield calls


class Tuned(NamedTuple):
    """What one engine found."""

    gradient: Any  # of J at the start
    logs: Any
    gain: Any
    value: float
    evaluations: int
    riccati: int
    lyapunov: int


def tune(engine: str) -> Tuned:
    """Minimise J over the weights."""
    if engine == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    value_and_gradient = rb.value_and_grad(loss, engine=engine)
    gradient = value_and_gradient(START)[1]
    with counted() as calls:
        found = minimize(value_and_gradient, START, jac=True, method="BFGS", options={"gtol": 1e-8})
    return Tuned(gradient, found.x, gain(found.x), found.fun, found.nfev, calls["solve_continuous_are"], calls["schur"] // 2)


def modes(k: Any) -> str:
    """The eigenvalues of the closed loop, in 1/s, with the damping ratios of the oscillations."""
    found = []
    for z in sorted(np.linalg.eigvals(A - B @ k), key=abs):
        if z.imag > 1e-9:
            found.append(f"{z.real:.3f} +- {z.imag:.3f}i (damping {-z.real / abs(z):.2f})")
        elif abs(z.imag) <= 1e-9:
            found.append(f"{z.real:.4f}")
    return ", ".join(found)


def report(tuned: dict[str, Tuned]) -> str:
    """The table, and what the tuning has done."""
    first = next(iter(tuned.values()))
    lines = [f"{'engine':9} {'J':>10}  {'gradient at the start':41} {'evaluations':>11} {'Riccati':>7} {'Lyapunov':>8} {'gain off by':>11}"]
    for engine, t in tuned.items():
        off = np.abs(t.gain - first.gain).max()
        gradient = " ".join(f"{g:10.7f}" for g in t.gradient)
        lines.append(f"{engine:9} {t.value:10.7f}  {gradient:41} {t.evaluations:11} {t.riccati:7} {t.lyapunov:8} {off:11.1e}")
    lines += ["", f"{'gain':17}" + "".join(f"{name:>12}" for name in STATES)]
    lines += [f"{name:17}" + "".join(f"{value:12.5f}" for value in row) for name, row in zip(INPUTS, first.gain, strict=True)]
    for name, k in (("no autopilot", np.zeros((2, 4))), ("weights of one", gain(START)), ("tuned", first.gain)):
        lines.append(f"{name:17} {modes(k)}")
    return "\n".join([*lines, f"{'J':17} {loss(START):.7f} before, {first.value:.7f} after"])


def plot(tuned: Tuned, path: str) -> None:
    """The answer to a sideslip of five degrees, as an image."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only where a plot is asked for)

    times = np.linspace(0.0, 15.0, 400)
    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for name, k, style in (("no autopilot", np.zeros((2, 4)), ":"), ("weights of one", gain(START), "--"), ("tuned", tuned.gain, "-")):
        states = scipy.linalg.expm(times[:, None, None] * (A - B @ k)) @ [5.0, 0.0, 0.0, 0.0]
        for state, colour in ((0, "C0"), (3, "C1")):
            axes.plot(times, states[:, state], style, color=colour, label=f"{STATES[state]}, {name}")
    axes.set(xlabel="time [s]", ylabel="angle [deg]")
    axes.legend(fontsize="small")
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> None:
    """Tune with each engine and print the table."""
    parser = argparse.ArgumentParser(description="Tune the LQR weights of a Boeing 747.")
    every = [e for e in ("dual", "jax", "torch", "autograd") if e == "dual" or importlib.util.find_spec(e)]
    parser.add_argument("--engines", nargs="+", default=every, metavar="ENGINE", help="dual, jax, torch, autograd; by default all")
    parser.add_argument("--plot", metavar="FILE", help="save the responses as an image; needs matplotlib")
    options = parser.parse_args(arguments)
    tuned = {engine: tune(engine) for engine in options.engines}
    print(report(tuned))
    if options.plot:
        plot(tuned[options.engines[-1]], options.plot)


if __name__ == "__main__":
    main()
