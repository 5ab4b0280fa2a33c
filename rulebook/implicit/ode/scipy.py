"""SciPy's solve_ivp on tuples of arrays."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rulebook.errors import EngineMissingError
from rulebook.implicit.failures import NotConvergedError
from rulebook.implicit.ode.field import NAME
from rulebook.implicit.ode.problem import check_times
from rulebook.implicit.ode.rates import Chain, Rate
from rulebook.numpy_engine import stack, unstack

__all__ = ["Options", "run_chain", "run_flow"]

Leaves = tuple[Any, ...]
Rates = Callable[[Any, Any], Any]

_LOWEST = 100 * float(np.finfo(float).eps)  # SciPy takes no smaller rtol

_NOTE = (
    f"{NAME} with a method of SciPy runs field on NumPy arrays, and on dual numbers for derivatives: write it with rb.xp, or make it a "
    "host primitive with rules.  A method with a fixed step, such as 'rk4', runs it on the values of the engine."
)


class Options(NamedTuple):
    """How SciPy integrates."""

    method: str
    rtol: float
    atol: float
    max_step: float


def _solve_ivp(method: str) -> Callable[..., Any]:
    try:
        return importlib.import_module("scipy.integrate").solve_ivp  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise EngineMissingError(
            f"{NAME}, method={method!r}.", "the package 'scipy'", "it is not installed", "pip install scipy, or pass method='rk4'"
        ) from error


def _wide(leaves: Leaves) -> Leaves:
    """Arrays in double precision, in which SciPy works whatever the state is."""
    return tuple([np.asarray(x, complex if np.iscomplexobj(x) else float) for x in leaves])


def _tolerances(rate: Rate, state: Leaves, options: Options) -> Any:
    """atol for each coordinate; tangents and cotangents are scaled to one, so what is small among them is so relative to one."""
    small = min(options.atol, options.rtol)
    sizes = [stack((x,)).size for x in state]
    return np.repeat([options.atol] * rate.own + [small] * (len(sizes) - rate.own), sizes)


def _run(fn: Rates, span: tuple[float, float], start: Any, atol: Any, options: Options, times: tuple[float, float], **more: Any) -> Any:
    """What solve_ivp gives; `times` are what `span` stands for."""
    last = [span[0]]

    def noted(s: Any, v: Any) -> Any:
        last[0] = s
        return fn(s, v)

    scale = (times[1] - times[0]) / (span[1] - span[0])
    max_step = options.max_step / abs(scale) if scale else np.inf
    solve = _solve_ivp(options.method)
    try:
        found = solve(noted, span, start, options.method, rtol=max(options.rtol, _LOWEST), atol=atol, max_step=max_step, **more)
    except (TypeError, AttributeError) as error:
        if _NOTE not in getattr(error, "__notes__", ()):
            error.add_note(_NOTE)
        raise
    if not found.success:
        raise NotConvergedError(
            f"{NAME}, method={options.method!r}.",
            f"a solution from t = {times[0]:g} to {times[1]:g}",
            f"SciPy stopped near {times[0] + (last[0] - span[0]) * scale:g}: {found.message}",
            "pass a method for stiff equations (Radau, BDF, LSODA), another rtol or atol, or times at which there is a solution",
        )
    return found


def run_flow(x0: Leaves, t: Any, theta: Leaves, fixed: Leaves, rate: Rate, options: Options) -> Leaves:
    """The states at times t, stacked, in double precision."""
    x0, theta, t = _wide(x0), _wide(theta), np.asarray(t, float)
    check_times(t)
    fn = lambda s, v: stack(rate((unstack(v, x0),), s, theta, fixed))
    ends = (float(t[0]), float(t[-1]))
    found = _run(fn, ends, stack(x0), _tolerances(rate, x0, options), options, ends, t_eval=t)
    rows = [x0, *[unstack(v, x0) for v in found.y.T[1:]]]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def run_chain(starts: tuple[Leaves, ...], theta: Leaves, fixed: Leaves, chain: Chain, options: Options) -> tuple[Leaves, ...]:
    """The states of the sweeps at their ends; each can look up those before it by the interpolant that SciPy gives."""
    theta = _wide(theta)
    first, length = map(float, theta[:2])
    known: list[Callable[[Any], Leaves]] = []
    ends = []
    for start, sweep in zip(map(_wide, starts), chain, strict=True):
        fn = _rate_of(sweep.rate, known, start, theta, fixed)
        span, times = ((0.0, 1.0), (first, first + length)) if sweep.forwards else ((1.0, 0.0), (first + length, first))
        found = _run(fn, span, stack(start), _tolerances(sweep.rate, start, options), options, times, dense_output=True)
        known.append(_look_up(found.sol, start))
        ends.append(unstack(found.y[:, -1], start))
    return tuple(ends)


def _rate_of(rate: Rate, known: list[Callable[[Any], Leaves]], like: Leaves, theta: Leaves, fixed: Leaves) -> Callable[[Any, Any], Any]:
    before = tuple(known)
    return lambda s, v: stack(rate((*[z(s) for z in before], unstack(v, like)), s, theta, fixed))


def _look_up(solution: Any, like: Leaves) -> Callable[[Any], Leaves]:
    return lambda s: unstack(solution(s), like)
