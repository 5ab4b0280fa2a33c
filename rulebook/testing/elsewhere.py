"""Whether a rule does what would be right at another point, or with another option."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from rulebook import forms
from rulebook.testing.points import Point
from rulebook.testing.probe import Probe
from rulebook.testing.referee import Estimate, Ladder
from rulebook.testing.spaces import Array
from rulebook.testing.trial import Trial
from rulebook.testing.verdicts import short

__all__ = ["as_with", "constant"]

_OTHERS = 4
_TRIED = (0.03, 1e-3)
_CLOSE = 1e-5
_ALL = slice(None)


def constant(probe: Probe, rule: forms.Rule, factor: float, part: slice, rows: slice) -> bool:
    """Whether the derivative of a part of the result by a part of the arguments is the same multiple of the right one next to the point."""
    trial = probe.trial
    rng = np.random.default_rng(0)
    scale = trial.inputs.element_scale(trial.x)
    v = np.zeros(trial.inputs.n, trial.inputs.dtype)
    v[part] = (trial.inputs.draw(rng) * scale)[part]
    v = trial.project(v)
    away = trial.project(trial.inputs.draw(rng) * scale)
    for size in _TRIED:
        x = trial.x + size * away
        y = trial.f(x)
        if y is None or not np.isfinite(y).all():
            continue
        expected, got, error = _along(trial, rule, trial, v, x, y, rows)
        return bool((np.abs(got - factor * expected) <= error * abs(factor) + _tolerance(probe) * (np.abs(got) + np.abs(expected))).all())
    return False


def _tolerance(probe: Probe) -> float:
    eps = max(probe.trial.inputs.eps.max(initial=0.0), probe.trial.outputs.eps.max(initial=0.0))
    return max(_CLOSE, 1e3 * float(eps), 10 * probe.subject.accuracy)


def _along(
    trial: Trial, rule: forms.Rule, reference: Trial, v: Array, x: Array, y: Array, rows: slice = _ALL
) -> tuple[Array, Array, Array]:
    """A derivative of the reference along v at x, the rule's, and the error, each a vector; paired with a cotangent for a reverse rule."""
    estimate = _difference(reference, v, x, y)
    if isinstance(rule, forms.Forward):
        return estimate.value[rows], trial.push(rule, v, x)[rows], 10 * estimate.error[rows]
    assert isinstance(rule, forms.Reverse)
    w = np.zeros(len(y), trial.outputs.dtype)
    w[rows] = (trial.outputs.draw(np.random.default_rng(1)) / np.clip(trial.outputs.element_scale(y), 1e-50, 1e50))[rows]
    x_bar = trial.pull(rule, trial.start(rule, x), w)
    expected, got = np.real(np.conj(w) @ estimate.value), np.real(np.conj(x_bar) @ v)
    return np.atleast_1d(expected), np.atleast_1d(got), np.atleast_1d(10 * np.abs(w) @ estimate.error)


def _difference(trial: Trial, v: Array, x: Array, y: Array) -> Estimate:
    noise = np.maximum(trial.subject.accuracy, 4 * trial.outputs.eps) * np.abs(y)
    relative = np.broadcast_to(np.maximum(trial.subject.accuracy, 2 * trial.outputs.eps), y.shape)
    resolution = 4 * trial.outputs.eps * np.abs(y).max(initial=0.0)
    return Ladder(lambda t: trial.f(x + t * v), y, noise, relative, resolution, start=2.0**-7, ratio=4.0, levels=4).estimate()


def as_with(probe: Probe, rule: forms.Rule) -> str:
    """Whether the rule gives the derivative that belongs to another value of an option."""
    trial = probe.trial
    for name, value in _alternatives(probe):
        point = trial.point
        try:
            other = Trial(trial.subject, Point(point.args, {**point.statics, name: value}, point.origin, point.rng))
        except Exception:
            continue
        if other.y_structure != trial.y_structure or other.outputs.shapes != trial.outputs.shapes:
            continue
        if _agrees(probe, rule, other) and not _agrees(probe, rule, trial):
            return f"the derivative for {name}={short(value, 30)}, where {name}={short(point.statics[name], 30)} is asked for"
    return ""


def _agrees(probe: Probe, rule: forms.Rule, reference: Trial) -> bool:
    """Whether the rule's derivative is that of the reference, and certainly so."""
    trial = probe.trial
    expected, got, error = _along(trial, rule, reference, probe.tangents[0], trial.x, reference.y)
    size = np.abs(got) + np.abs(expected)
    return bool(size.any() and (error <= 1e-3 * size.max()).all() and (np.abs(got - expected) <= error + _tolerance(probe) * size).all())


def _alternatives(probe: Probe) -> Iterator[tuple[str, Any]]:
    """(option, another value of it): the default, what other points use, the opposite of a flag."""
    here = probe.trial.statics
    defaults = {k: p.default for k, p in inspect.signature(probe.subject.fn).parameters.items() if p.default is not inspect.Parameter.empty}
    elsewhere = [other.statics for other in probe.others()] if here else []
    tried = 0
    for name, value in here.items():
        values = [defaults.get(name), *(s.get(name) for s in elsewhere), *_next_to(value)]
        seen = {repr(value), "None"}
        for candidate in values:
            if repr(candidate) not in seen and tried < _OTHERS:
                seen.add(repr(candidate))
                tried += 1
                yield name, candidate


def _next_to(value: Any) -> list[Any]:
    """Other values that an option of this kind may have."""
    if isinstance(value, bool):
        return [not value]
    return [value - 1, value + 1] if isinstance(value, int) else []
