"""Choose the compressors of a two-stage refrigerating machine by gradient through CoolProp, with every engine that is installed.

    python examples/refrigeration_cycle.py [--engines jax torch] [--fluids R134a R717] [--plot cycle.svg]

    evaporator -> 1 low stage 2 -> mixed with the vapour of the flash tank: 9 -> high stage 4 -> condenser 5 -> valve 6 -> flash tank
    vapour 3, liquid 7 -> valve 8 -> evaporator

Nobody sets the pressure of the flash tank: it settles where the high stage takes in just what the low stage and the tank
deliver, which the ratio of their swept volumes decides.  It is the root of that balance, found by a bracketing solver, and the
derivatives follow from the balance alone.  The properties of the fluid are CoolProp's, and so are their derivatives.

The best ratio makes the coefficient of performance (cold by work) largest.  By the rule of thumb the intermediate pressure is
then the geometric mean of the other two; the last table says how good that is for real fluids.

Properties: I. H. Bell, J. Wronski, S. Quoilin and V. Lemort, Pure and pseudo-pure fluid thermophysical property evaluation and
the open-source thermophysical property library CoolProp, Industrial & Engineering Chemistry Research 53 (2014).
Cycle: Y. A. Cengel and M. A. Boles, Thermodynamics: An Engineering Approach, section 11-7 (two stages with a flash chamber).
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
from typing import Any, NamedTuple

import CoolProp
import numpy as np
from CoolProp.CoolProp import generate_update_pair, get_parameter_index
from scipy.optimize import brentq, minimize

import rulebook as rb

PARAMETERS = ("evaporating", "condensing", "superheat", "efficiency", "volumes")
MACHINE = np.array([253.15, 313.15, 5.0, 0.75, 0.4])  # K, K, K, isentropic efficiency, high stage by low stage

library = functools.cache(lambda fluid: CoolProp.AbstractState("HEOS", fluid))


def fixed(fluid: str, given: tuple[str, str], first: Any, second: Any) -> Any:
    """CoolProp's state with two properties given, where CoolProp has properties and right derivatives of them."""
    state = library(fluid)
    state.update(*generate_update_pair(get_parameter_index(given[0]), float(first), get_parameter_index(given[1]), float(second)))
    if state.phase() == CoolProp.iphase_twophase and "Q" not in given:  # first_partial_deriv is that of one phase there
        raise ValueError(f"{fluid} with {given} = {first:.7g}, {second:.7g} is liquid and vapour together.")
    if state.T() < state.Ttriple():  # an extrapolation, which does not fit its derivative
        raise ValueError(f"{fluid} with {given} = {first:.7g}, {second:.7g} is colder than its triple point.")
    return state


@rb.primitive(host=True, result=lambda first, second, **_: first)
def prop(first: Any, second: Any, *, wanted: str, given: tuple[str, str], fluid: str) -> Any:
    """A property where two others are given, all by CoolProp's names and in SI units; numbers, not arrays."""
    return np.asarray(fixed(fluid, given, first, second).keyed_output(get_parameter_index(wanted)))


@rb.scalar_rule(prop, host=True)
def _(y: Any, first: Any, second: Any, *, wanted: str, given: tuple[str, str], fluid: str) -> Any:
    state = fixed(fluid, given, first, second)
    of, a, b = (get_parameter_index(name) for name in (wanted, *given))
    return np.asarray(state.first_partial_deriv(of, a, b)), np.asarray(state.first_partial_deriv(of, b, a))


@rb.primitive(host=True, result=lambda x, **_: x)
def saturated(x: Any, *, wanted: str, given: str, quality: float, fluid: str) -> Any:
    """A property of the boiling liquid (quality 0) or of its vapour (1), where the temperature "T" or the pressure "P" is given."""
    return np.asarray(fixed(fluid, (given, "Q"), x, quality).keyed_output(get_parameter_index(wanted)))


@rb.scalar_rule(saturated, host=True)
def _(y: Any, x: Any, *, wanted: str, given: str, quality: float, fluid: str) -> Any:
    state = fixed(fluid, (given, "Q"), x, quality)
    return (np.asarray(state.first_saturation_deriv(get_parameter_index(wanted), get_parameter_index(given))),)


def compressed(p_in: Any, h_in: Any, p_out: Any, efficiency: Any, fluid: str) -> Any:
    """The enthalpy after a compressor."""
    entropy = prop(h_in, p_in, wanted="S", given=("H", "P"), fluid=fluid)
    return h_in + (prop(p_out, entropy, wanted="H", given=("P", "S"), fluid=fluid) - h_in) / efficiency


class Cycle(NamedTuple):
    """Per unit of mass through the high stage, in J and kg."""

    pressures: tuple[Any, Any, Any]
    volumes: Any  # swept by the high stage for one swept by the low stage
    cold: Any
    work: Any


def cycle(log_p: Any, machine: Any, fluid: str) -> Cycle:
    """The cycle with a given logarithm of the pressure in the flash tank."""
    evaporating, condensing, superheat, efficiency = (machine[i] for i in range(4))
    boiling = functools.partial(saturated, given="P", fluid=fluid)
    p_low = saturated(evaporating, wanted="P", given="T", quality=1.0, fluid=fluid)
    p_high = saturated(condensing, wanted="P", given="T", quality=0.0, fluid=fluid)
    p_mid = rb.xp(log_p, machine).exp(log_p)
    h1 = prop(p_low, evaporating + superheat, wanted="H", given=("P", "T"), fluid=fluid)
    h2 = compressed(p_low, h1, p_mid, efficiency, fluid)
    h3, h7 = boiling(p_mid, wanted="H", quality=1.0), boiling(p_mid, wanted="H", quality=0.0)
    h5 = boiling(p_high, wanted="H", quality=0.0)
    vapour = (h5 - h7) / (h3 - h7)  # the share that evaporates in the tank
    h9 = vapour * h3 + (1 - vapour) * h2
    h4 = compressed(p_mid, h9, p_high, efficiency, fluid)
    light = prop(h1, p_low, wanted="D", given=("H", "P"), fluid=fluid)
    dense = prop(h9, p_mid, wanted="D", given=("H", "P"), fluid=fluid)
    work = (1 - vapour) * (h2 - h1) + h4 - h9
    return Cycle((p_low, p_mid, p_high), light / (dense * (1 - vapour)), (1 - vapour) * (h1 - h7), work)


def balance(log_p: Any, machine: Any, *, fluid: str) -> Any:
    """Zero where the high stage takes in what is delivered."""
    return cycle(log_p, machine, fluid).volumes / machine[4] - 1


@rb.implicit.root(balance, host=True)
def tank(log_p: Any, machine: Any, *, fluid: str) -> Any:
    """The logarithm of the pressure in the flash tank, by bisection and interpolation between the other two."""
    low, high = (np.log(saturated(t, wanted="P", given="T", quality=1.0, fluid=fluid)) for t in machine[:2])
    return np.asarray(brentq(lambda p: float(balance(p, machine, fluid=fluid)), low, high, xtol=1e-13))


def performance(machine: Any, *, fluid: str = "R134a") -> Any:
    """The coefficient of performance of a machine: cold by work."""
    settled = cycle(tank(np.asarray(12.0), machine, fluid=fluid), machine, fluid)
    return settled.cold / settled.work


def one_stage(machine: Any, *, fluid: str = "R134a") -> Any:
    """The coefficient of performance with one compressor and no tank."""
    p_low, p_high = (saturated(machine[i], wanted="P", given="T", quality=1.0, fluid=fluid) for i in (0, 1))
    h1 = prop(p_low, machine[0] + machine[2], wanted="H", given=("P", "T"), fluid=fluid)
    h5 = saturated(machine[1], wanted="H", given="T", quality=0.0, fluid=fluid)
    return (h1 - h5) / (compressed(p_low, h1, p_high, machine[3], fluid) - h1)


class Best(NamedTuple):
    """What one engine found for one fluid."""

    gradient: Any  # of the performance of MACHINE
    before: float
    machine: Any
    after: float
    evaluations: int


def best(engine: str, fluid: str) -> Best:
    """The ratio of swept volumes with the largest coefficient of performance."""
    if engine == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    value_and_gradient = rb.value_and_grad(functools.partial(performance, fluid=fluid), engine=engine)
    before, gradient = value_and_gradient(MACHINE)

    def loss(volumes: Any) -> Any:
        value, slopes = value_and_gradient(np.append(MACHINE[:4], volumes))
        return -value, -slopes[4:]

    found = minimize(loss, MACHINE[4:], jac=True, method="BFGS", options={"gtol": 1e-8})
    return Best(gradient, float(before), np.append(MACHINE[:4], found.x), -found.fun, found.nfev)


def report(found: dict[str, Best], fluids: dict[str, Best]) -> str:
    """A table of the engines and one of the fluids."""
    first = next(iter(found.values()))
    row = "{:9} {:>9} {:69} {:>10} {:>9} {:>11} {:>7}"
    names = " ".join(f"{'by ' + name:>13}" for name in PARAMETERS)
    lines = [row.format("engine", "COP", names, "best ratio", "COP", "evaluations", "off by")]
    for engine, b in found.items():
        off = max(np.abs(b.gradient - first.gradient).max(), np.abs(b.machine - first.machine).max())
        slopes = " ".join(f"{g:13.9f}" for g in b.gradient)
        ends = f"{b.before:.7f}", f"{b.machine[4]:.7f}", f"{b.after:.7f}"
        lines.append(row.format(engine, ends[0], slopes, *ends[1:], b.evaluations, f"{off:.1e}"))
    lines += ["", f"{'fluid':9} {'best ratio':>10} {'tank [bar]':>10} {'by the geometric mean':>21} {'COP':>7} {'one stage':>9}"]
    for fluid, b in fluids.items():
        low, middle, high = cycle(tank(np.asarray(12.0), b.machine, fluid=fluid), b.machine, fluid).pressures
        rule = middle / np.sqrt(low * high)
        lines.append(
            f"{fluid:9} {b.machine[4]:10.5f} {middle / 1e5:10.4f} {rule:21.4f} {b.after:7.4f} {one_stage(MACHINE, fluid=fluid):9.4f}"
        )
    return "\n".join(lines)


def plot(fluids: dict[str, Best], path: str) -> None:
    """The coefficient of performance over the ratio of swept volumes, by fluid."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only where a plot is asked for)

    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for i, (fluid, b) in enumerate(fluids.items()):
        ratios = np.linspace(0.6, 1.6, 41) * b.machine[4]
        axes.plot(ratios, [performance(np.append(MACHINE[:4], r), fluid=fluid) for r in ratios], f"C{i}", label=fluid)
        axes.plot(b.machine[4], b.after, "o", color=f"C{i}")
    axes.set(xlabel="swept volume of the high stage by that of the low stage", ylabel="coefficient of performance")
    axes.legend()
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> None:
    """Optimise with each engine and print the tables."""
    parser = argparse.ArgumentParser(description="Choose the compressors of a two-stage refrigerating machine.")
    every = [e for e in ("dual", "jax", "torch", "autograd") if e == "dual" or importlib.util.find_spec(e)]
    parser.add_argument("--engines", nargs="+", default=every, metavar="ENGINE", help="dual, jax, torch, autograd; by default all")
    parser.add_argument("--fluids", nargs="+", default=["R134a", "R152a", "R290", "R32", "R717"], metavar="FLUID", help="CoolProp's names")
    parser.add_argument("--plot", metavar="FILE", help="save the performance as an image; needs matplotlib")
    options = parser.parse_args(arguments)
    found = {engine: best(engine, options.fluids[0]) for engine in options.engines}
    last = options.engines[-1]
    fluids = {fluid: found[last] if fluid == options.fluids[0] else best(last, fluid) for fluid in options.fluids}
    print(report(found, fluids))
    if options.plot:
        plot(fluids, options.plot)


if __name__ == "__main__":
    main()
