"""NumPy in the place of compiled functions of SciPy for which the rule library has nothing, where the mode is on and they meet a dual."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rulebook.dual import live
from rulebook.dual.parts import is_dual, peel
from rulebook.dual.third_party import distances
from rulebook.dual.third_party.watching import guarded

__all__ = ["HOMES", "functions", "modules"]


def _piecewise(c: Any, x: Any, xp: Any, nu: int, extrapolate: bool, out: Any) -> None:
    """`scipy.interpolate._ppoly.evaluate`: polynomials in the powers of x - breakpoint, by Horner's scheme.

    Args:
        c: coefficients, the highest power first: (power, interval, function).
        x: breakpoints.
        xp: where to evaluate.
        nu: order of the derivative.
        extrapolate: evaluate outside of the breakpoints too, where NaN stands otherwise.
        out: (point, function), written to.
    """
    at, knots = peel(xp), peel(x)
    right = knots[-1] >= knots[0]
    found = np.searchsorted(knots, at, side="right") if right else len(knots) - np.searchsorted(knots[::-1], at, side="left")
    interval = np.clip(found - 1, 0, len(knots) - 2)
    h = np.reshape(xp - x[interval], (-1, 1))
    order = len(c)
    y: Any = 0.0 * h
    for i in range(order - nu):
        power = order - 1 - i
        y = y * h + c[i][interval] * float(np.prod(np.arange(power, power - nu, -1)))
    low, high = min(knots[0], knots[-1]), max(knots[0], knots[-1])
    outside = np.isnan(at) | (~np.bool_(extrapolate) & ((at < low) | (at > high)))
    out[...] = np.where(outside[:, None], np.nan, y)


_STANDING: dict[tuple[str, str], Callable[..., Any]] = {
    ("scipy.interpolate._ppoly", "evaluate"): _piecewise,
    ("scipy.linalg", "norm"): lambda a, ord=None, axis=None, keepdims=False, check_finite=True: np.linalg.norm(a, ord, axis, keepdims),
    ("scipy.spatial.distance", "cdist"): distances.cdist,
    ("scipy.spatial.distance", "pdist"): distances.pdist,
    ("scipy.spatial.distance", "squareform"): distances.squareform,
}
_FRAGILE = {
    "scipy.integrate._odepack": ("odeint", "lsoda"),
    "scipy.integrate._vode": ("dvode", "zvode"),
    "scipy.integrate._dop": ("dopri5", "dopri853"),
}
_DO = "use rb.implicit.odeint, or scipy.integrate.solve_ivp with method='RK45' or 'DOP853'"
HOMES = frozenset((*_FRAGILE, *(home for home, _ in _STANDING)))


def _standing(original: Callable[..., Any], fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives duals to ours, except for what ours leaves to the original."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if live.is_on() and any(map(is_dual, (*args, *kwargs.values()))):
            y = fn(*args, **kwargs)
            if y is not NotImplemented:
                return y
        return original(*args, **kwargs)

    return call


def _loaded() -> Iterator[tuple[types.ModuleType, Any, Any]]:
    """What is loaded: its module, the function, and what stands for it."""
    for (home, name), fn in _STANDING.items():
        if home in sys.modules:
            original = getattr(sys.modules[home], name)
            yield sys.modules[home], original, _standing(original, fn)
    for home, names in _FRAGILE.items():
        for original in (getattr(sys.modules.get(home), name, None) for name in names):
            if original is not None:
                yield sys.modules[home], original, guarded(original, f"scipy.integrate.{original.__name__}", _DO)


def functions() -> dict[Any, Any]:
    """The functions that something stands for, and what does."""
    return {original: new for _, original, new in _loaded()}


def modules() -> dict[types.ModuleType, dict[Any, Any]]:
    """For each compiled module that is loaded, its functions that something stands for, and what does."""
    found: dict[types.ModuleType, dict[Any, Any]] = {}
    for module, original, new in _loaded():
        if not isinstance(original, types.FunctionType):
            found.setdefault(module, {})[original] = new
    return found
