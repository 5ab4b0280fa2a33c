"""What a rule gives along one direction, against the differences of its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rulebook.testing.law.base import differ, underflow
from rulebook.testing.probe import Probe
from rulebook.testing.referee import Estimate, Ladder
from rulebook.testing.spaces import Array, rounding
from rulebook.testing.verdicts import Inconclusive, LeftOut

__all__ = ["DIGITS", "Comparison", "Verdict"]

DIGITS = 1e-10  # relative; differences are not asked for more
_TRUST = 10.0  # an estimate is believed up to this many of its estimated errors
_LOOKED_AT = 3  # of the numbers that differ
_STEEP = 10.0  # times the differences: a slope that larger steps may have passed over
_EVERY_STEP: dict[str, Any] = {"start": 2.0**-9, "ratio": 8.0, "levels": 4}
_NEAR = 0.1
_SHORT = 1e-3  # of the way along which such a slope moves the result by its own size


@dataclass(frozen=True)
class Verdict:
    """In what a rule differs from differences.

    Attributes:
        expected: the derivative.
        error: of it.
        bad: where the rule differs.
        ladder: that tells.
        plain: whether differences at all steps do.
    """

    expected: Array
    error: Array
    bad: Array
    ladder: Ladder
    plain: bool


class Comparison:
    """One vector of a rule against the differences along one direction."""

    def __init__(
        self,
        probe: Probe,
        row: int,
        of: Callable[[Estimate], tuple[Array, Array]],
        got: Array,
        scale: Callable[[Array], Array],
        noise: Callable[[Array], Array],
        eps: Array,
        touched: Callable[[Array], Array],
        size: Array,
        weight: Array,
    ) -> None:
        self.probe = probe
        self.row = row
        self.of = of
        self.got = got
        self.scale = scale
        self.noise = noise
        self.eps = eps
        self.touched = touched
        self.size = size
        # what a rule computes of less than this may come out as zero; directions enlarge it
        self.least = underflow(eps) * weight * (1 + np.abs(probe.tangents[row]).sum())

    def verdict(self) -> Verdict | None:
        """In what the rule differs; None if it agrees.

        Raises:
            Inconclusive: the differences cannot tell.
            LeftOut: the function is not differentiable along this direction.
        """
        expected, error = self.of(self.probe.differences(self.row))
        bad = self._far(expected, error)
        if not bad.any() and not self._vague(expected, error).any():
            return None
        estimate, ladder = self.probe.refined(self.row)
        expected, error = self.of(estimate)
        bad = self._far(expected, error)
        if not bad.any():
            self._demand_some(expected, error)
            return None
        return self._confirm(expected, error, ladder)

    def _far(self, expected: Array, error: Array) -> Array:
        gap = np.abs(self.got - expected)
        known = np.isfinite(error) & np.isfinite(expected)
        if not self.probe.finite.all():  # 0 * inf of the elements that are not finite spoils sums
            known &= np.isfinite(self.got)
        far: Array = known & ~(gap <= _TRUST * error + (rounding(self.eps) + DIGITS) * self.scale(expected) + self.least)
        return far

    def _vague(self, expected: Array, error: Array) -> Array:
        """Where the differences say nothing: their error is as large as the numbers."""
        return ~(error <= 1e-5 * self.scale(expected)) & (self.scale(expected) > 0)

    def _demand_some(self, expected: Array, error: Array) -> None:
        vague = ~(error <= 1e-2 * self.scale(expected)) & (self.scale(expected) > 0)
        if vague.size and vague.all():
            if not np.isfinite(error).any():
                raise LeftOut("the differences do not converge")
            raise Inconclusive("the function is too noisy for differences")

    def _worst(self, bad: Array, expected: Array) -> Array:
        """The few that are farthest off: one is enough, and the noise of each takes calls."""
        if self.got.shape == self.probe.trial.y.shape and np.count_nonzero(bad) <= _LOOKED_AT:
            return bad
        with np.errstate(all="ignore"):
            off = np.where(bad, np.nan_to_num(np.abs(self.got - expected) / self.scale(expected), nan=np.inf), -1.0)
        kept = np.zeros(bad.shape, bool)
        kept[np.argsort(-off, kind="stable")[:_LOOKED_AT]] = True
        return bad & kept

    def _confirm(self, expected: Array, error: Array, ladder: Ladder) -> Verdict | None:
        """A difference that a second ladder sees as well, beyond the rule's own noise, where the function has a derivative."""
        bad = self._seen_twice(expected, error)
        bad = self._worst(bad, expected)
        slack = _TRUST * error + self.least
        gap = np.abs(self.got - expected)
        got, wanted = np.where(bad, self.got, 0), np.where(bad, expected, 0)
        noisy = differ(self.probe, got, wanted, self.scale(expected), lambda: self.noise(bad) + slack, self.eps)
        bad &= noisy & ~(gap <= slack)
        if not bad.any():
            return None
        bad = self._differentiable(bad, expected, error)
        return Verdict(expected, error, bad, ladder, self.probe.trial.point.declared or self._plain(bad, expected))

    def _plain(self, bad: Array, expected: Array) -> bool:
        """Whether a difference at any step is much nearer to what is expected than to what the rule gives."""
        plain = bad.copy()
        lost = ~np.isfinite(self.got)
        allowed = np.where(lost, _NEAR * (np.abs(expected) + self.size), _NEAR * np.abs(self.got - expected))
        nothing = np.zeros(len(self.probe.trial.y))
        for _, difference in self.probe.ladder(self.row, **_EVERY_STEP).differences():
            value, _ = self.of(Estimate(difference, nothing, nothing))
            plain &= np.abs(value - expected) <= allowed
        return bool(plain.any())

    def _seen_twice(self, expected: Array, error: Array) -> Array:
        second, other_error = self.of(self.probe.second_opinion(self.row)[0])
        bad = self._far(expected, error) & self._far(second, other_error)
        certain = error <= 1e-3 * np.abs(expected) + 1e-6 * self.size
        alike = _TRUST * (error + other_error) + (rounding(self.eps) + DIGITS) * self.scale(expected)
        bad &= (~np.isfinite(self.got) & certain) | (np.abs(second - expected) <= alike)
        if not bad.any():
            raise Inconclusive("two ladders of differences do not agree")
        return bad

    def _differentiable(self, bad: Array, expected: Array, error: Array) -> Array:
        """Where what is bad is not the function's own fault."""
        probe = self.probe
        found = probe.refined(self.row)[0]
        if self.touched(~probe.holds_below(self.row, found.value, found.error))[bad].any() or self._nearer_below(bad, expected).any():
            raise Inconclusive("the differences converge to another value at smaller steps")
        bad = bad & ~self.touched(probe.kinks(self.row) | ~probe.additive(self.row))
        if not bad.any():
            raise LeftOut("the function has no derivative there")
        still = probe.standing_still(self.row, lambda outputs: bool(self.touched(outputs)[bad].any()))
        if still.any():
            _, error = self.of(Estimate(found.value, np.maximum(found.error, still), found.rounding))
            bad &= ~(np.abs(self.got - expected) <= _TRUST * error)
            if not bad.any():
                raise Inconclusive("the function stands still, as sums that cancel do")
        return bad

    def _nearer_below(self, bad: Array, expected: Array) -> Array:
        """Where a steep slope that the rule claims is seen by differences at steps short enough to follow it."""
        steep = bad & np.isfinite(self.got) & (np.abs(self.got) > _STEEP * np.abs(expected))
        seen = np.zeros(bad.shape, bool)
        for k in np.flatnonzero(steep):
            ladder = self.probe.ladder(self.row, start=_SHORT * self.size[k] / abs(self.got[k]), ratio=16.0, levels=2)
            for _, difference in ladder.differences():
                value = self.of(Estimate(difference, np.zeros(len(difference)), np.zeros(len(difference))))[0][k]
                seen[k] |= abs(value - self.got[k]) < abs(value - expected[k])
        return seen
