"""How a rule that is no function, or no linear one, behaves from call to call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rulebook import forms
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array
from rulebook.testing.verdicts import Broken

__all__ = ["again", "as_map", "bent", "linearity", "residuals"]

_CLOSE = 1e-6


def _same(a: Array, b: Array, relative: float = _CLOSE) -> bool:
    """Whether two vectors are the same and not zero."""
    return bool(np.isfinite(a).all() and np.isfinite(b).all() and b.any() and (np.abs(a - b) <= relative * (np.abs(a) + np.abs(b))).all())


def as_map(probe: Probe, rule: forms.Rule) -> tuple[Callable[[Array], Array], Array]:
    """A rule as a map of vectors, and a vector to map."""
    if isinstance(rule, forms.Forward):
        return (lambda v: probe.trial.push(rule, v)), probe.tangents[0]
    assert isinstance(rule, forms.Reverse)
    started = probe.trial.start(rule)
    return (lambda w: probe.trial.pull(rule, started, w)), probe.cotangents[0]


def bent(probe: Probe, rule: forms.Rule) -> str:
    """How a rule fails to be linear, where it evidently does."""
    linear, u = as_map(probe, rule)
    what = "tangent" if isinstance(rule, forms.Forward) else "cotangent"
    once = linear(u)
    second = linear(u)
    if not once.size or not np.isfinite(once).all():
        return ""
    top = np.abs(once).max()
    if (np.abs(second - once) > _CLOSE * top).any():
        return _repeated(linear, u, once, second)
    if linear(np.zeros_like(u)).any():
        return f"an offset: not zero for a zero {what}"
    return _homogeneous(linear, u, once, what)


def _homogeneous(linear: Callable[[Array], Array], u: Array, once: Array, what: str) -> str:
    if _same(linear(2 * u), 4 * once):
        return f"grows with the square of the {what}"
    if _same(linear(-u), once):
        return f"the same for a {what} and its negative, as of a modulus"
    if once.any() and not linear(1e-9 * u).any():
        return f"zero for a small {what}, as of a threshold"
    large = linear(1e9 * u)
    if once.any() and np.abs(large).max() < 1e6 * np.abs(once).max():
        return f"bounded for a large {what}, as of a clip"
    return ""


def linearity(broken: Broken, probe: Probe) -> str:
    """In what way a rule that is not linear is not."""
    return bent(probe, broken.rule)


def _repeated(linear: Callable[[Array], Array], u: Array, once: Array, second: Array) -> str:
    third = linear(u)
    if _same(second, 2 * once) and _same(third, 3 * once):
        return "accumulates: the second call gives twice the first"
    if _same(second - once, third - second):
        return "accumulates: every call adds to the one before"
    if not second.any():
        return "zero at the second call"
    if np.allclose(second, third, rtol=_CLOSE, atol=0):
        return "another value from the second call on"
    return "another value at each call"


def again(broken: Broken, probe: Probe) -> str:
    """How the second call differs from the first."""
    if broken.rule is None:
        return ""
    linear, u = as_map(probe, broken.rule)
    once = linear(u)
    second = linear(u)
    if not np.allclose(second, once, rtol=_CLOSE, atol=0):
        return _repeated(linear, u, once, second)
    between = linear(-0.5 * u)
    after = linear(u)
    if _same(after, between) and not _same(after, once):
        return "gives the result of the call before"
    if not np.allclose(after, once, rtol=_CLOSE, atol=0):
        return "depends on the call before"
    return ""


def residuals(broken: Broken, probe: Probe) -> str:
    """Which other call a result belongs to."""
    if broken.values is None:
        return "an array that was returned is overwritten by the next call"
    expected, got = broken.values
    rule, trial = broken.rule, probe.trial
    other = trial.x + 0.1 * probe.tangents[0]
    if isinstance(rule, forms.Forward):
        here, there = (trial.push(rule, probe.tangents[0], x) for x in (trial.x, other))
    else:
        here, there = (trial.pull(rule, trial.start(rule, x), probe.cotangents[0]) for x in (trial.x, other))
    if _same(here, there) or not got.any():
        return "" if got.any() else "zero once another call was made"
    if _same(expected, here):
        if _same(got, there):
            return "what the latest call would give: the residuals are shared among calls"
        return "another result once another call was made"
    if not _same(expected, there):
        return ""
    if _same(got, here):
        return "what an earlier call gave: the same arrays held its values"
    return "depends on what the same arrays held before"
