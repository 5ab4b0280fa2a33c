"""Derivatives by finite differences with an error estimate: the referee between a rule and its function.

Central differences at a ladder of steps are extrapolated to step zero (Richardson, 1911; the table is
Ridders', 1982, Adv. Eng. Software 4, 75).  Every entry of the table gets an error estimate: its distance to the
two entries it was made from, and the function's own noise divided by the smallest step that it used.
For every element the entry of least estimated error wins.  Where one side of the point is outside the
domain, one-sided differences take the place of central ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rulebook.testing.spaces import Array

__all__ = ["Estimate", "Ladder", "refine"]

_ROUNDS = 7  # of two steps each: down to 1e-11 of the argument
_ORDERS = 4  # columns of the table


@dataclass(frozen=True)
class Estimate:
    """A derivative with its error, element by element.

    Attributes:
        value: of the derivative; NaN where there is none.
        error: the estimated error; infinite where nothing is known.
        rounding: the part of it that the function's noise makes.
    """

    value: Array
    error: Array
    rounding: Array


class Ladder:
    """The values of `g(t)` at t = +-h, h = start * ratio**-k, and what follows from them.

    Args:
        g: a vector for a number; None where it is not defined.
        y: g(0).
        noise: the absolute error of each element of g at 0.
        relative: the relative error of each element of g anywhere.
        resolution: the step by which each element of g may move at least, where it has not moved at all.
        start: the largest step.
        ratio: of one step to the next.
        levels: how many steps at first.
    """

    def __init__(
        self,
        g: Callable[[float], Array | None],
        y: Array,
        noise: Array,
        relative: Array,
        resolution: Array,
        start: float,
        ratio: float,
        levels: int,
    ) -> None:
        self.g = g
        self.y = y
        self.noise = noise
        self.relative = relative
        self.resolution = resolution
        self.ratio = ratio
        self._start = start
        self._first, self._last = 0, levels
        self._values: dict[int, tuple[Array, Array]] = {}

    def _pair(self, k: int) -> tuple[Array, Array]:
        if k not in self._values:
            h = self._start * self.ratio**-k
            self._values[k] = self._at(h), self._at(-h)
        return self._values[k]

    def _at(self, t: float) -> Array:
        found = self.g(t)
        return np.full(self.y.shape, np.nan, np.result_type(self.y.dtype, np.float64)) if found is None else found

    def _table(self) -> tuple[Array, Array]:
        """The values on both sides, a row for each step."""
        values = np.array([self._pair(k) for k in range(self._first, self._last)])
        return values[:, 0], values[:, 1]

    def extend(self, up: int = 0, down: int = 0) -> None:
        """Take larger or smaller steps as well."""
        self._first -= up
        self._last += down

    @property
    def steps(self) -> Array:
        """The step sizes, the largest first."""
        return self._start * self.ratio ** -np.arange(self._first, self._last, dtype=float)

    def estimate(self) -> Estimate:
        """The derivative: central where both sides exist, else from the side that does."""
        plus, minus = self._table()
        h = self.steps[:, None]
        central = self._extrapolate((plus - minus) / (2 * h), 2, np.abs(plus) + np.abs(minus))
        flat = ((plus == self.y) & (minus == self.y)).all(axis=0)
        if flat.any():
            floor = np.where(flat, self.resolution / self.steps[0], 0)
            central = Estimate(central.value, np.maximum(central.error, floor), np.maximum(central.rounding, floor))
        if np.isfinite(central.error).all():
            return central
        missing = ~np.isfinite(central.error)
        value, error, rounding = central.value.copy(), central.error.copy(), central.rounding.copy()
        for side, sign in ((plus, 1.0), (minus, -1.0)):
            one = self._extrapolate((side - self.y) * (sign / h), 1, np.abs(side))
            use = missing & np.isfinite(one.error) & ~(one.error >= error)
            value[use], error[use], rounding[use] = one.value[use], one.error[use], one.rounding[use]
        return Estimate(value, error, rounding)

    def sides(self) -> tuple[Estimate, Estimate]:
        """The one-sided derivatives from above and from below."""
        plus, minus = self._table()
        h = self.steps[:, None]
        above = self._extrapolate((plus - self.y) / h, 1, np.abs(plus))
        return above, self._extrapolate((self.y - minus) / h, 1, np.abs(minus))

    def still(self) -> Array:
        """For each element the largest step at which it equals its value at the point on both sides; 0.0 where it always moves."""
        pairs = [self._pair(k) for k in range(self._first, self._last)]
        rows = [np.where((plus == self.y) & (minus == self.y), h, 0.0) for h, (plus, minus) in zip(self.steps, pairs, strict=True)]
        largest: Array = np.max(rows, axis=0)
        return largest

    def differences(self) -> list[tuple[float, Array]]:
        """(step, central difference) from the largest step to the smallest."""
        return [
            (float(h), (plus - minus) / (2 * h))
            for h, (plus, minus) in zip(self.steps, (self._pair(k) for k in range(self._first, self._last)), strict=True)
        ]

    def _extrapolate(self, first: Array, order: int, size: Array) -> Estimate:
        """The best entry of the table, element by element; differences are exact up to even powers of h where order is 2."""
        # of the difference at each step: far from the point the values, and with them their rounding, may be larger
        floor = (self.noise + self.relative * size) / self.steps[:, None]
        column = first
        entries, errors, floors = [], [], []
        for m in range(1, min(_ORDERS, len(first) - 1) + 1):
            finer = column[1:]
            made = finer + (finer - column[:-1]) / (self.ratio ** (order * m) - 1)
            entries.append(made)
            errors.append(np.maximum(np.abs(made - finer), np.abs(made - column[:-1])) + floor[m:])
            floors.append(floor[m:])
            column = made
        error = np.concatenate(errors)
        error[~np.isfinite(error)] = np.inf
        k = np.argmin(error, axis=0), np.arange(first.shape[1])
        return Estimate(np.concatenate(entries)[k], error[k], np.concatenate(floors)[k])


def refine(ladder: Ladder, wanted: float = 1e-9) -> Estimate:
    """Take more steps as long as the estimated error falls: smaller ones where truncation makes it, larger ones where noise does.

    Larger steps count only where smaller ones have shown that they drown in noise: far from a singularity that the
    point sits next to, differences converge as well, to something else.

    Args:
        ladder: where to begin.
        wanted: the relative error that is enough.
    """

    def poor(estimate: Estimate) -> Array:
        unsure: Array = estimate.error > wanted * np.abs(estimate.value)
        return unsure

    best = ladder.estimate()
    for _ in range(_ROUNDS):
        if not (poor(best) & ~_drowned(best)).any():
            break
        ladder.extend(down=2)
        best = ladder.estimate()
    for _ in range(_ROUNDS):
        unsure = poor(best) & _drowned(best)
        useless = unsure & (best.error > 1e-3 * np.abs(best.value).max(initial=0.0))
        if not unsure.any() or ladder.steps[0] > 1.0 or (ladder.steps[0] > 0.1 and not useless.any()):
            break  # steps as large as the arguments are a last resort: they leave domains
        ladder.extend(up=2)
        found = ladder.estimate()
        gained = unsure & (found.error < 0.5 * best.error) & (np.abs(found.value - best.value) <= 10 * best.error)
        best = Estimate(*(np.where(gained, new, old) for new, old in zip(vars(found).values(), vars(best).values(), strict=True)))
        if not gained.any():
            break
    return best


def _drowned(estimate: Estimate) -> Array:
    """Where noise makes most of the error."""
    drowned: Array = np.isfinite(estimate.error) & (estimate.rounding > 0.1 * estimate.error)
    return drowned
