"""A trial with directions: what the laws compare, computed once and shared among them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np

from rulebook import forms
from rulebook.testing.iterations import works_unevenly
from rulebook.testing.jumps import NEAR, STRAY, largest_jump
from rulebook.testing.plateaus import smallest_change
from rulebook.testing.referee import Estimate, Ladder, refine
from rulebook.testing.spaces import Array, Space
from rulebook.testing.trial import Pull, Trial

__all__ = ["Probe"]

_JITTERS = 3
# A sample of three underestimates the largest error; a sum of n roundings of one sign exceeds the typical one.
_JITTER_SLACK = 50.0
_ITERATION = 1e-7  # what a map may lack of being additive, relative to its terms, where it is computed by an iteration
_LEAST_TOLERANCE = 1e-9  # taken for an iteration whose accuracy is not declared
_SPLITS = 2
_ADDITIVE = 1e-7  # relative: the accuracy that is enough to tell whether derivatives add up
_MORE_SPLITS = 6  # where nobody said that there is a derivative
_STILL = 3  # elements that are followed until they move
_LINES = 3  # per point, along which jumps are looked for
_PATIENCE = 2.0  # seconds spent on that, once for a function
_BASIS = 24  # spaces up to this size are swept by their basis


class Probe:
    """One trial, the directions V (tangents) and W (cotangents) at it, and the maps along them.

    Args:
        trial: the point.
        rng: draws the directions.
        deep: sweep the bases and take every difference, instead of one direction each.
        others: gives the function at some other points.
    """

    def __init__(self, trial: Trial, rng: np.random.Generator, deep: bool, others: Callable[[], Iterable[Trial]] = tuple) -> None:
        self.trial = trial
        self.others = others
        self.subject = trial.subject
        self.rng = rng
        self.deep = deep
        self.finite = trial.finite
        self._pushed: dict[forms.Rule, Array] = {}
        self._told: dict[forms.Rule, Array] = {}
        self._pulled: dict[forms.Rule, Array] = {}
        self._started: dict[forms.Rule, Pull] = {}
        self._estimates: dict[int, Estimate] = {}
        self._refined: dict[int, tuple[Estimate, Ladder]] = {}

    # -- directions --------------------------------------------------------------------------------

    @cached_property
    def tangents(self) -> Array:
        """The directions V, one per row: dense ones first, then leaves, then elements."""
        space, x = self.trial.inputs, self.trial.x
        relative = space.element_scale(x)
        rows = [space.draw(self.rng) * relative]
        if self.deep:
            rows.append(space.draw(self.rng) * space.leaf_scale(x))
            rows += self._parts(space, relative)
        silent = self._silent()
        if silent.any():
            rows = [np.where(silent, 0, v) for v in rows[: 2 if self.deep else 1]] + rows[2:]
        if self.subject.tangent_space is not None:
            rows = [self.trial.project(v) for v in rows]
            rows = rows[:1] + [v for v in rows[1:] if np.abs(v).max(initial=0.0) > 0]
        return _representable(space, np.array(rows).reshape(len(rows), space.n))

    @cached_property
    def cotangents(self) -> Array:
        """The directions W, one per row, as V."""
        space = self.trial.outputs
        relative = 1.0 / np.clip(space.element_scale(np.where(self.finite, self.trial.y, 0)), 1e-50, 1e50)
        rows = [space.draw(self.rng) * relative]
        if self.deep:
            rows.append(space.draw(self.rng))
            rows += self._parts(space, relative)
        return _representable(space, np.where(self.finite, np.array(rows).reshape(len(rows), space.n), 0))

    def _parts(self, space: Space, scale: Array) -> list[Array]:
        """Vectors on one leaf each, and on single elements: all of them in a small space, some in a large one."""
        rows = []
        if len(space.at) > 1:
            for part in space.slices:
                v = np.zeros(space.n, space.dtype)
                v[part] = (space.draw(self.rng) * scale)[part]
                rows.append(v)
        few = space.n <= _BASIS
        ends = {0, space.n - 1, int(np.argmin(scale)), int(np.argmax(scale))} if space.n else set()
        chosen = range(space.n) if few else sorted({*ends, *self.rng.choice(space.n, 8, replace=False).tolist()})
        for k in chosen:
            for unit in (1.0,) if space.real[k] else (1.0, 1.0j):
                e = np.zeros(space.n, space.dtype)
                e[k] = unit * scale[k]
                rows.append(e)
        if not few:
            rows += [np.where(self.rng.random(space.n) < 0.5, space.draw(self.rng) * scale, 0) for _ in range(4)]
        return rows

    def _silent(self) -> Array:
        """The elements of the arguments that a rule is known not to implement: nothing could be told along dense directions."""
        trial = self.trial
        silent = np.zeros(trial.inputs.n, bool)
        for reverse in self.subject.reverse:
            silent |= ~self.implemented(reverse, trial.inputs.n)
        for forward in self.subject.forward:
            if not self.implemented(forward, trial.outputs.n).all():
                silent |= self._silent_along(forward)
        return silent if not silent.all() else np.zeros(trial.inputs.n, bool)

    def _silent_along(self, rule: forms.Forward) -> Array:
        """The arguments along which alone a forward rule says that it is not implemented."""
        trial = self.trial
        said = trial.missing[rule]
        silent = np.zeros(trial.inputs.n, bool)
        for part in trial.inputs.slices:
            v = np.zeros(trial.inputs.n, trial.inputs.dtype)
            v[part] = trial.inputs.element_scale(trial.x)[part]
            trial.missing.pop(rule, None)
            trial.push(rule, v)
            silent[part] = rule in trial.missing
        trial.missing[rule] = said
        return silent

    # -- the rules' maps -----------------------------------------------------------------------------

    def started(self, rule: forms.Reverse) -> Pull:
        """The reverse rule started at the point."""
        if rule not in self._started:
            self._started[rule] = self.trial.start(rule)
        return self._started[rule]

    def pushed(self, rule: forms.Forward) -> Array:
        """J v for every v in V, one per row."""
        if rule not in self._pushed:
            rows, told = [], []
            for v in self.tangents:
                before = self.trial.missing.pop(rule, None)
                rows.append(self.trial.push(rule, v))
                told.append(self.implemented(rule, self.trial.outputs.n))
                if before is not None:
                    self.trial.missing[rule] = before | ~told[-1]
            self._pushed[rule], self._told[rule] = np.array(rows), np.array(told)
        return self._pushed[rule]

    def told(self, rule: forms.Forward) -> Array:
        """Which elements of J v a rule implements, one row for every v in V: it may depend on the arguments that move."""
        self.pushed(rule)
        return self._told[rule]

    def pulled(self, rule: forms.Reverse) -> Array:
        """J* w for every w in W, one per row, on the declared tangent space."""
        if rule not in self._pulled:
            started = self.started(rule)
            self._pulled[rule] = np.array([self.trial.pull(rule, started, w) for w in self.cotangents])
        return self._pulled[rule]

    def implemented(self, rule: forms.Rule, n: int) -> Array:
        """Which of n elements a rule implements."""
        missing = self.trial.missing.get(rule)
        return np.ones(n, bool) if missing is None else ~missing

    # -- noise ---------------------------------------------------------------------------------------

    def nearby(self) -> Array:
        """The point moved by a few units of roundoff, or by the declared accuracy, within the tangent space."""
        space, x = self.trial.inputs, self.trial.x
        amplitude = np.maximum(2 * space.eps, self.subject.accuracy)
        step: Array = space.draw(self.rng) * x * amplitude  # relative, as rounding is: what is zero stays zero
        return np.asarray(x + self.trial.project(step))

    @cached_property
    def noise(self) -> Array:
        """The absolute error of each element of the function's result: how it answers to rounding its arguments, and its roughness."""
        trial = self.trial
        level = np.maximum(2 * trial.outputs.eps, self.subject.accuracy)
        noise = level * trial.outputs.element_scale(np.where(self.finite, trial.y, 0))
        if self.subject.accuracy:
            noise = np.maximum(noise, self.subject.accuracy * trial.outputs.leaf_scale(np.where(self.finite, trial.y, 0)))
        space = trial.inputs
        for _ in range(_JITTERS):
            step = space.draw(self.rng) * space.element_scale(trial.x) * 2 * space.eps
            y = trial.f(trial.x + trial.project(step))
            if y is not None:
                noise = np.fmax(noise, 2 * np.abs(y - trial.y))
        values = [trial.f(trial.x + t * self.tangents[0]) for t in NEAR] if not (space.eps > 1e-10).any() else [None]
        if all(y is not None for y in values):
            noise = np.fmax(noise, 2 * np.abs(STRAY @ np.array(values)).max(axis=0))
        return np.asarray(noise)

    def noise_of(self, linear: Callable[[Array | None, Array], Array], u: Array, other: Array) -> Array:
        """The absolute error of each element of L(x) u: how it answers to rounding x, and how far L is from additive in rounding.

        Args:
            linear: `(x, u) -> L(x) u`, at the point itself for None.
            u: where.
            other: a dense vector of the same space.
        """
        here = linear(None, u)
        around = np.array([linear(self.nearby(), u) for _ in range(_JITTERS + 1)])
        # among the neighbours: a rule that is wrong at the point alone must not pass for a noisy one
        noise = np.abs(around[1:] - around[:-1]).max(axis=0)
        for _ in range(_JITTERS):
            noise = np.fmax(noise, np.abs(linear(None, u * (1 + 4e-16 * self.rng.choice([-1, 1], len(u)))) - here))
        top = np.abs(other).max(initial=0.0)
        other = other * (np.abs(u).max(initial=0.0) / top if top > 0 else 0.0)
        apart = linear(None, other)
        # a rule that is not linear must not excuse itself: only so much as an iteration inside it may lack counts as noise
        lacks = np.abs(linear(None, u + other) - here - apart)
        noise = np.fmax(noise, np.minimum(lacks, max(_ITERATION, self.subject.accuracy) * (np.abs(here) + np.abs(apart))))
        return np.asarray(_JITTER_SLACK * noise)

    def push_noise(self, rule: forms.Forward, v: Array) -> Array:
        """The absolute error of each element of J v."""
        return self.noise_of(lambda x, u: self.trial.push(rule, u, x), v, self.tangents[0])

    def terms(self, rule: forms.Forward, row: int) -> Array:
        """About the sum of the moduli of the terms that each element of J v is made of: they may cancel along one of V."""
        v = self.tangents[row]
        signs = self.rng.choice([-1.0, 1.0], (_JITTERS, len(v)))
        return np.asarray(np.abs([self.trial.push(rule, self.trial.project(v * s)) for s in signs]).sum(axis=0))

    def pull_noise(self, rule: forms.Reverse, w: Array) -> Array:
        """The absolute error of each element of J* w."""

        def pull(x: Array | None, u: Array) -> Array:
            return self.trial.pull(rule, self.started(rule) if x is None else self.trial.start(rule, x), u)

        return self.noise_of(pull, w, self.cotangents[0])

    def iterates(self) -> bool:
        """Whether the function turns out to stop an iteration at a tolerance that was not declared; then its accuracy is noted.

        A solver may take the same number of steps at all neighbours of a point, so that its error does not show
        under rounding; over a longer way the number changes, which can be counted where it is written in Python, and
        the result jumps by about the tolerance.
        """
        if self.subject.accuracy or self.subject.looked_for_jumps:
            return False
        self.subject.looked_for_jumps = True
        if works_unevenly(lambda t: self.trial.f(self.trial.x + t * self.tangents[0])):
            self.subject.accuracy = _LEAST_TOLERANCE
            return True
        began = time.process_time()
        for trial in itertools.chain([self.trial], self.others()):
            jump = self._jump_at(trial)
            if jump:
                # the part of an iteration's error that jumps is the smaller one; how much smaller, its values do not tell
                self.subject.accuracy = max(jump, _LEAST_TOLERANCE)
                return True
            if time.process_time() - began > _PATIENCE:
                break
        return False

    def _jump_at(self, trial: Trial) -> float:
        noise = Probe(trial, self.rng, False).noise / np.maximum(np.abs(trial.y), 1e-300)
        finite = np.isfinite(trial.y)
        for _ in range(_LINES):
            v = trial.project(trial.inputs.draw(self.rng) * trial.inputs.element_scale(trial.x))
            jump = largest_jump(lambda t, v=v: trial.f(trial.x + t * v), finite, noise)  # type: ignore[misc]
            if jump:
                return jump
        return 0.0

    # -- differences -----------------------------------------------------------------------------------

    @cached_property
    def lifts(self) -> bool:
        """Whether a function of single precision gives the same in double, so that its differences may be taken there."""
        trial = self.trial
        if not (trial.inputs.eps > 1e-10).any():
            return False
        y = trial.f(trial.x, lift=True)
        if y is None:
            return False
        return bool((np.abs(y - trial.y)[self.finite] <= 1e3 * self.noise[self.finite]).all())

    def ladder(self, row: int, **options: Any) -> Ladder:
        """The differences along one of V (see `ladder_along`)."""
        return self.ladder_along(self.tangents[row], **options)

    def ladder_along(self, v: Array, *, start: float = 2.0**-7, ratio: float = 4.0, levels: int = 3, quick: bool = False) -> Ladder:
        """The differences along a vector; quick: with the least noise that there can be."""
        trial = self.trial
        lift = self.lifts
        noise = self._lifted_noise if lift else self._least_noise if quick else self.noise
        g = lambda t: trial.f(trial.x + t * v, lift)
        return Ladder(g, self._middle, noise, self._relative, self._resolution, start, ratio, levels)

    @cached_property
    def _middle(self) -> Array:
        """The function's result at the point, in the precision in which differences are taken."""
        y = self.trial.f(self.trial.x, lift=True) if self.lifts else self.trial.y
        assert y is not None
        return y

    @cached_property
    def _relative(self) -> Array:
        """The least relative error of each element of the function's result anywhere."""
        eps = np.full(self.trial.outputs.n, 1e-15) if self.lifts else 2 * self.trial.outputs.eps
        return np.asarray(np.maximum(self.subject.accuracy, eps))

    @cached_property
    def _resolution(self) -> Array:
        """What the largest numbers about may be rounded by: a sum of them that cancels is constant over steps of this size."""
        space, y = self.trial.outputs, np.abs(np.where(self.finite, self.trial.y, 0))
        found = np.zeros(space.n)
        for part in space.slices:
            found[part] = max(y[part].max(initial=0.0), np.abs(self.trial.x).max(initial=0.0))
        return np.asarray(4 * space.eps * found)

    @cached_property
    def _lifted_noise(self) -> Array:
        """The noise of a function of single precision in double: where it computes in single all the same, its roughness."""
        trial = self.trial
        least = self._least_noise
        values = [trial.f(trial.x + 1e3 * t * self.tangents[0], lift=True) for t in NEAR]
        if any(y is None for y in values):
            return least
        return np.asarray(np.fmax(least, 2 * np.abs(STRAY @ np.array(values)).max(axis=0)))

    @cached_property
    def _least_noise(self) -> Array:
        return np.asarray(self._relative * np.abs(np.where(self.finite, self.trial.y, 0)))

    def differences(self, row: int) -> Estimate:
        """The derivative along one of V: a first look, with an error that is good for telling whether to look again."""
        if row in self._refined:
            return self._refined[row][0]
        if row not in self._estimates:
            if self.deep and row == 0:
                return self.refined(row)[0]
            self._estimates[row] = self.ladder(row, quick=True).estimate()
        return self._estimates[row]

    def refined(self, row: int) -> tuple[Estimate, Ladder]:
        """The derivative along one of V, refined as far as it pays."""
        if row not in self._refined:
            ladder = self.ladder(row)
            self._refined[row] = refine(ladder), ladder
        return self._refined[row]

    def holds_below(self, row: int, expected: Array, error: Array) -> Array:
        """Where differences at ever smaller steps do not contradict a derivative along one of V.

        Far from a singularity, a kink or a plateau that the point sits next to, differences may converge to
        another value than the derivative.
        """
        ladder = self.ladder(row, start=1e-5, ratio=32.0, levels=4)
        fine = np.ones(len(expected), bool)
        for h, difference in ladder.differences():
            allowed = 10 * (error + 2 * (ladder.noise + ladder.relative * np.abs(self.trial.y)) / h) + 1e-3 * np.abs(expected)
            fine &= ~(np.abs(difference - expected) > allowed)
        return fine

    def standing_still(self, row: int, concerns: Callable[[Array], bool]) -> Array:
        """The slope along one of V that a standstill of each element of the result hides, where differences see nothing move.

        Args:
            row: of V.
            concerns: whether anybody asks about some elements, as a mask.
        """
        ladder = self.refined(row)[1]
        hidden = np.zeros(len(self.trial.y))
        steps = ladder.still()
        largest = 0.0
        chosen = [k for k in np.flatnonzero(steps) if concerns(np.arange(len(steps)) == k)]
        for k in chosen[:_STILL]:
            size = float(np.abs(self.trial.x).max(initial=0.0))
            change = smallest_change(ladder.g, ladder.y, int(k), float(steps[k]), float(self.trial.outputs.eps[k]), size)
            hidden[k] = change / steps[k]
            largest = max(largest, change)
        for k in chosen[_STILL:]:
            hidden[k] = largest / steps[k]
        return hidden

    def second_opinion(self, row: int) -> tuple[Estimate, Ladder]:
        """The same from other steps."""
        ladder = self.ladder(row, start=0.011, ratio=3.0, levels=5)
        return refine(ladder), ladder

    def kinks(self, row: int) -> Array:
        """The elements of the result whose derivatives from both sides along one of V differ."""
        above, below = self.refined(row)[1].sides()
        both = np.isfinite(above.error) & np.isfinite(below.error)
        size = np.abs(above.value) + np.abs(below.value)
        found: Array = both & (np.abs(above.value - below.value) > 10 * (above.error + below.error) + 1e-6 * size)
        return found

    def additive(self, row: int) -> Array:
        """The elements of the result whose derivative along one of V is the sum of those along its halves, as a derivative is.

        Where several arguments tie, a function may have a derivative along every line and still none.
        """
        whole = self.refined(row)[0]
        even = np.ones(len(whole.value), bool)
        for _ in range(_SPLITS if self.trial.point.declared else _MORE_SPLITS):
            half = self.trial.project(np.where(self.rng.random(self.trial.inputs.n) < 0.5, self.tangents[row], 0))
            parts = [refine(self.ladder_along(u), _ADDITIVE) for u in (half, self.tangents[row] - half)]
            gap = np.abs(whole.value - parts[0].value - parts[1].value)
            size = np.abs(whole.value) + np.abs(parts[0].value) + np.abs(parts[1].value)
            even &= ~(gap > 10 * (whole.error + parts[0].error + parts[1].error) + 10 * _ADDITIVE * size)
        return even


def _representable(space: Space, rows: Array) -> Array:
    """Vectors as rules will receive them, in the precision of each leaf."""
    if not (space.eps > 1e-10).any():
        return rows
    return np.array([space.pack(space.unpack(row)) for row in rows]).reshape(rows.shape)
