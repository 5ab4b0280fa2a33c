"""Tells changed from equivalent mutants without the checker: mutant and original run the same course of calls, and are compared.

Two values agree when they differ by no more than rounding.  How much that is, is measured: the original runs again with its
arguments, tangents and cotangents moved by a few units in the last place, which shows how far rounding reaches in each element.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.mutation.protocol import Event, Trial, observe, prepare
from benchmarks.mutation.subject import Subject, has_tangent, tree_map
from rulebook import trees

__all__ = ["CHANGED", "EQUIVALENT", "FAINT", "HIDDEN", "Oracle", "Verdict"]

CHANGED = "changed"
EQUIVALENT = "equivalent"
FAINT = "changed by less than 1e-12"
HIDDEN = "hidden by the accuracy"

SAFETY = 64  # how many times the measured rounding still is rounding
MOVED = 6  # how often it is measured


@dataclass(frozen=True)
class Verdict:
    """What a mutant is, and where it was seen to differ."""

    kind: str
    where: str = ""
    points: int = 0


@dataclass
class Place:
    """A trial, what the original does there, and how far rounding reaches, by the size of the rounding."""

    trial: Trial
    events: list[Event]
    noise: dict[float, list[Any]] = field(default_factory=dict)


class Oracle:
    """The points of one rule function, what the original does there, and how far rounding reaches.

    Args:
        subject: the right rule.
        form: which of its rule functions.
        n: how many points.
        seed: of the points.
    """

    def __init__(self, subject: Subject, form: str, n: int = 300, seed: int = 0) -> None:
        self.parts = subject.parts()
        self.form = form
        self.rule = self.parts.rules[form]
        self.places: list[Place] = []
        self._rng = np.random.default_rng((seed, 4711))
        self._n = n
        self._drawn = 0

    def _place(self, i: int) -> Place | None:
        """The i-th place where the function is defined and the original does not raise; None where there are no more."""
        while len(self.places) <= i and self._drawn < 2 * self._n:
            self._drawn += 1
            # Both come from one case, so that the other point often has the same shapes.
            here, other = (self.parts.point(self._drawn, self._rng) for _ in range(2))
            try:
                with np.errstate(all="ignore"):
                    trial = prepare(self.parts, self.form, here, other, self._rng)
            except Exception:
                continue
            events = observe(self.form, self.rule, trial)
            if not any(isinstance(e.value, str) and e.value.startswith("raises") for e in events):
                self.places.append(Place(trial, events))
        return self.places[i] if i < len(self.places) else None

    def judge(self, mutant: Callable[..., Any]) -> Verdict:
        """Whether a mutant does anything else than the original, at up to n points."""
        hidden = faint = ""
        for i in range(self._n):
            place = self._place(i)
            if place is None:
                break
            seen = observe(self.form, mutant, place.trial)
            where, size = self._difference(place, seen, 0.0)
            if where and self.parts.accuracy:
                hidden = where
                where, size = self._difference(place, seen, self.parts.accuracy)
            if not where or self._at_kink(place.trial, mutant):
                continue
            if size > 1e-12:
                return Verdict(CHANGED, where, i + 1)
            faint = where
        return Verdict(FAINT if faint else HIDDEN if hidden else EQUIVALENT, faint or hidden, len(self.places))

    def _difference(self, place: Place, mutant: list[Event], accuracy: float) -> tuple[str, float]:
        """The event that tells a mutant from the original, and the relative difference: the largest; "" if there is none."""
        if len(place.events) != len(mutant):
            return next(
                (f"{b.what}: {b.value}" for a, b in zip(place.events, mutant, strict=False) if a.what != b.what), "fewer events"
            ), np.inf
        where, worst = "", 0.0
        for k, (a, b) in enumerate(zip(place.events, mutant, strict=True)):
            if a.what != b.what or type(a.value) is not type(b.value) or (isinstance(a.value, str) and a.value != b.value):
                return f"{b.what}: {b.value if isinstance(b.value, str) else 'a value'}", np.inf
            if isinstance(a.value, str) or a.value.tobytes() == b.value.tobytes():
                continue
            size = self._apart(place, k, b.value, accuracy)
            if size > worst:
                where, worst = f"{a.what}: differs by {size:.1e}", size
        return where, worst

    def _apart(self, place: Place, k: int, b: Any, accuracy: float) -> float:
        """By how much two arrays differ relatively, at most, where it is more than rounding and the original is finite."""
        a = place.events[k].value
        relative = max(float(np.finfo(a.dtype).eps), accuracy)
        noise = self._rounding(place, relative)[k]
        with np.errstate(all="ignore"):
            size = np.max(np.abs(a), initial=0.0) if accuracy else np.abs(a)
            gap = np.abs(a - b)
            apart = np.isfinite(a) & ~(gap <= SAFETY * (noise + relative * size))
            ratio = np.where(np.isfinite(gap), gap / np.maximum(np.abs(a), np.finfo(a.dtype).tiny), np.inf)
        return float(np.max(ratio[apart], initial=0.0))

    def _rounding(self, place: Place, relative: float) -> list[Any]:
        """For each event, how far its elements move when what the rule is given moves by a few roundings."""
        if relative not in place.noise:
            rng = np.random.default_rng(12)
            runs = [observe(self.form, self.rule, moved(place.trial, rng, relative)) for _ in range(MOVED)]
            fitting = [run for run in runs if len(run) == len(place.events)]
            place.noise[relative] = [_spread(e, [run[k] for run in fitting]) for k, e in enumerate(place.events)]
        return place.noise[relative]

    def _at_kink(self, trial: Trial, mutant: Callable[..., Any]) -> bool:
        """Whether mutant and original differ only where the function has no derivative: both may be right there."""
        rng = np.random.default_rng(5)
        for relative in (1e-6, 1e-6, 1e-5):
            near = moved(trial, rng, relative, zeros=1.0)
            place = Place(near, observe(self.form, self.rule, near))
            if self._difference(place, observe(self.form, mutant, near), self.parts.accuracy)[0]:
                return False
        return self._kink(trial)

    def _kink(self, trial: Trial) -> bool:
        """Whether the two one-sided differences of the function disagree."""
        rng = np.random.default_rng(6)
        for _ in range(4):
            direction = [rng.standard_normal(np.shape(x)) * _sizes(x, 1.0) if has_tangent(x) else None for x in trees.leaves_of(trial.args)]
            try:
                one, two = (self._slope(trial, direction, h) for h in (1e-6, -1e-6))
            except Exception:
                return True
            if any(np.any(np.abs(a - b) > 1e-3 * (np.abs(a) + np.abs(b)) + 1e-9) for a, b in zip(one, two, strict=True)):
                return True
        return False

    def _slope(self, trial: Trial, direction: list[Any], h: float) -> list[Any]:
        steps = itertools.cycle(direction)

        def along(x: Any) -> Any:
            step = next(steps)
            return x if step is None else x + h * step

        with np.errstate(all="ignore"):
            there = trees.leaves_of(self.parts.f(*tree_map(along, trial.args), **trial.static))
        return [(np.asarray(v) - np.asarray(u)) / h for u, v in zip(trees.leaves_of(trial.y), there, strict=True) if has_tangent(u)]


def _sizes(x: Any, zeros: float) -> Any:
    """The modulus of each element; for those that are zero, the smallest of the others, or a number if there is none."""
    sizes = np.abs(np.asarray(x))
    least = np.min(sizes[sizes > 0], initial=np.inf)
    return np.where(sizes == 0, least if np.isfinite(least) else zeros, sizes)


def moved(trial: Trial, rng: np.random.Generator, relative: float, zeros: float = 0.0) -> Trial:
    """Everything numeric moved a little, relatively to its size."""

    def leaf(x: Any) -> Any:
        if not has_tangent(x):
            return x
        a = np.asarray(x)
        step = 2 * max(relative, float(np.finfo(a.dtype).eps))
        return (a + step * _sizes(a, zeros) * rng.standard_normal(a.shape)).astype(a.dtype)[()]

    other = None if trial.other is None else moved(trial.other, rng, relative, zeros)
    seeds = [tree_map(leaf, s) for s in trial.seeds]
    return Trial(tree_map(leaf, trial.args), trial.static, seeds, tree_map(leaf, trial.y), other)


def _spread(event: Event, moved: list[Event]) -> Any:
    if isinstance(event.value, str):
        return 0.0
    spread = np.zeros(event.value.shape)
    with np.errstate(all="ignore"):
        for other in moved:
            if not isinstance(other.value, str) and other.value.shape == spread.shape:
                gap = np.abs(other.value - event.value)
                spread = np.maximum(spread, np.where(np.isfinite(gap), gap, 0.0))
    return spread
