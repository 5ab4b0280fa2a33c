"""The derivative that a rule has and the one that its function has, as matrices that can be compared entry by entry."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from rulebook import forms
from rulebook.testing.probe import Probe
from rulebook.testing.referee import Ladder
from rulebook.testing.spaces import Array, Space

__all__ = ["Axis", "Matrices", "matrices"]

_ENTRIES = 400
_SIDE = 64
_SECONDS = 0.05  # for a function so slow that its matrix takes longer, there is none
_RELATIVE = 1e-5  # of what a matrix is told apart by


class Axis:
    """The real coordinates of a space: one per real element, two per complex one.

    Attributes:
        space: whose vectors these are the coordinates of.
        at: the element of each coordinate.
        imaginary: which coordinates are imaginary parts.
        leaves: where the coordinates of each leaf stand.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        counts = np.where(space.real, 1, 2)
        self.at = np.repeat(np.arange(space.n), counts)
        self.imaginary = np.concatenate([np.zeros(min(1, space.n), bool), self.at[1:] == self.at[:-1]])
        ends = np.concatenate([[0], np.cumsum(counts)])
        self.leaves = [slice(int(ends[s.start]), int(ends[s.stop])) for s in space.slices]
        self.n = len(self.at)

    def coordinates(self, vectors: Array) -> Array:
        """The coordinates of vectors, along the last axis."""
        parts = vectors[..., self.at]
        found: Array = np.where(self.imaginary, np.imag(parts), np.real(parts))
        return found

    def basis(self) -> Array:
        """The vector of each coordinate, one per row."""
        rows = np.zeros((self.n, self.space.n), self.space.dtype)
        rows[np.arange(self.n), self.at] = np.where(self.imaginary, 1j, 1.0) if self.imaginary.any() else 1.0
        return rows

    def name(self, leaf: int) -> str:
        """The path of a leaf."""
        return self.space.paths[self.space.at[leaf]]


@dataclass(frozen=True)
class Matrices:
    """A derivative by differences, with its error, and by a rule; a row per coordinate of the result.

    Attributes:
        inputs, outputs: what columns and rows stand for.
        expected, error: by differences.
        got: by the rule.
        floor: what rounding in the rule may add to an entry.
        relative: the relative tolerance.
    """

    inputs: Axis
    outputs: Axis
    expected: Array
    error: Array
    got: Array
    floor: Array
    relative: float

    def near(self, a: Array, b: Array, error: Array, where: Any = ...) -> Array:
        """Which entries of two matrices are the same, as far as the differences tell."""
        with np.errstate(all="ignore"):
            same: Array = np.abs(a - b) <= 10 * error + self.relative * (np.abs(a) + np.abs(b)) + self.floor[where]
        return same | ~np.isfinite(error)

    @property
    def bad(self) -> Array:
        """The entries where the rule is wrong."""
        return ~self.near(self.got, self.expected, self.error)


_KNOWN: WeakKeyDictionary[Probe, dict[Any, Any]] = WeakKeyDictionary()


def matrices(probe: Probe, rule: forms.Rule) -> Matrices | None:
    """Both matrices at a point; None where there are too many entries, the function is slow, or the rule is not linear."""
    inputs, outputs = Axis(probe.trial.inputs), Axis(probe.trial.outputs)
    if not 0 < inputs.n * outputs.n <= _ENTRIES or max(inputs.n, outputs.n) > _SIDE:
        return None
    known = _KNOWN.setdefault(probe, {})
    if None not in known:
        known[None] = _by_differences(probe, inputs, outputs)
    if known[None] is None:
        return None
    expected, error = known[None]
    if rule not in known:
        known[rule] = _by_rule(probe, rule, inputs, outputs)
    if known[rule] is None:
        return None
    got = known[rule]
    scale = inputs.coordinates(_both(inputs, probe.trial.inputs.element_scale(probe.trial.x)))
    with np.errstate(all="ignore"):
        floor = 1e-11 * (np.abs(got) * scale).max(axis=1, initial=0.0)[:, None] / scale
    eps = max(probe.trial.inputs.eps.max(), probe.trial.outputs.eps.max())
    return Matrices(inputs, outputs, expected, error, got, floor, max(_RELATIVE, 1e3 * eps, 10 * probe.subject.accuracy))


def _both(axis: Axis, scale: Array) -> Array:
    """A vector whose real and imaginary parts are both this one."""
    return scale * (1 + 1j) if axis.imaginary.any() else scale


def _by_differences(probe: Probe, inputs: Axis, outputs: Axis) -> tuple[Array, Array] | None:
    trial = probe.trial
    scale = trial.inputs.element_scale(trial.x)
    steps = [trial.project(row * scale) for row in inputs.basis()]
    aside = Probe(trial, np.random.default_rng(0), False)  # the probe's own random numbers are left as they are
    one = aside.ladder_along(steps[0])
    lift = aside.lifts
    began = time.process_time()
    trial.f(trial.x, lift)
    if (time.process_time() - began) * 6 * len(steps) > _SECONDS:
        return None
    blank = np.full(trial.outputs.n, np.nan)

    def g(t: float) -> Array:
        values = (trial.f(trial.x + t * v, lift) for v in steps)
        return np.concatenate([blank if y is None else y for y in values])

    n = len(steps)
    y, noise, relative, resolution = (np.tile(part, n) for part in (one.y, one.noise, one.relative, one.resolution))
    ladder = Ladder(g, y, noise, relative, resolution, start=2.0**-7, ratio=4.0, levels=3)
    estimate = ladder.estimate()
    top = np.abs(np.where(np.isfinite(estimate.value), estimate.value, 0)).reshape(n, -1).max(axis=1)
    if (estimate.error.reshape(n, -1) > 1e-6 * top[:, None]).any():
        ladder.extend(down=2)
        estimate = ladder.estimate()
    unit = scale[inputs.at][:, None]
    value = outputs.coordinates(estimate.value.reshape(n, -1) / unit).T
    error = (estimate.error.reshape(n, -1) / unit)[:, outputs.at].T
    unknown = ~np.isfinite(value) | ~probe.finite[outputs.at][:, None]
    return np.where(unknown, 0.0, value), np.where(unknown, np.inf, error)


def _by_rule(probe: Probe, rule: forms.Rule, inputs: Axis, outputs: Axis) -> Array | None:
    trial = probe.trial
    if isinstance(rule, forms.Forward):
        scale = trial.inputs.element_scale(trial.x)
        columns = [outputs.coordinates(trial.push(rule, trial.project(row * scale))) for row in inputs.basis()]
        made = np.array(columns).T / scale[inputs.at]
        there = made @ inputs.coordinates(probe.tangents[0]), outputs.coordinates(probe.pushed(rule)[0])
        size = np.abs(made) @ np.abs(inputs.coordinates(probe.tangents[0]))
        missing = ~probe.implemented(rule, trial.outputs.n)[outputs.at][:, None]
    else:
        assert isinstance(rule, forms.Reverse)
        started = trial.start(rule)
        weight = 1.0 / np.clip(trial.outputs.element_scale(np.where(probe.finite, trial.y, 0)), 1e-50, 1e50)
        rows = [inputs.coordinates(trial.project(trial.pull(rule, started, row * weight))) for row in outputs.basis()]
        made = np.array(rows) / weight[outputs.at][:, None]
        w = outputs.coordinates(probe.cotangents[0])
        there = w @ made, inputs.coordinates(trial.project(probe.pulled(rule)[0]))
        size = np.abs(w) @ np.abs(made)
        missing = ~probe.implemented(rule, trial.inputs.n)[inputs.at]
    if missing.any() or not np.isfinite(made).all():
        return None
    linear = np.abs(there[0] - there[1]) <= 1e-6 * size + 1e-300
    return made if linear.all() else None
