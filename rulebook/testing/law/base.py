"""What a law is, and how two vectors are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

import numpy as np

from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array, Space, rounding
from rulebook.testing.verdicts import Broken, Inconclusive, Iterates, LeftOut, short

__all__ = ["Law", "differ", "report_at", "settle", "underflow"]


class Law(ABC):
    """One property that every right rule has.

    Attributes:
        id: its name in reports and options.
        title: what it says, in a few words.
        proves: what follows if it holds.
        mend: what to do where it does not.
        order: smaller is earlier.
        quick: whether a quick look at a point (see `glance`) covers it.
        often: at which points: "every", "some" (one in six and the deep ones), or "deep" (a few remarkable ones).
    """

    id: ClassVar[str]
    title: ClassVar[str]
    proves: ClassVar[str]
    mend: ClassVar[str]
    often: ClassVar[Literal["every", "some", "deep"]] = "every"
    order: ClassVar[int] = 50
    quick: ClassVar[bool] = False

    @abstractmethod
    def check(self, probe: Probe) -> None:
        """Check the law at a point.

        Raises:
            Broken: it does not hold.
            Inconclusive: noise hides whether it holds.
            Iterates: the function is less accurate than was known; the law is to be checked again.
            LeftOut: the function is not differentiable there.
        """


def differ(probe: Probe, got: Array, expected: Array, scale: Array, noise: Callable[[], Array], eps: float | Array) -> Array:
    """Where two vectors differ by more than rounding and the noise explain.

    Args:
        probe: for the noise of an iteration, looked for only where the difference is that small.
        got, expected: the vectors.
        scale: the sum of the moduli of what was added to make each element.
        noise: gives the absolute noise of each element; called only where it matters.
        eps: the unit roundoff.

    Raises:
        Iterates: what differs does so by no more than the error of an iteration that has just been discovered.
    """
    gap = np.abs(got - expected)
    tolerance = np.maximum(rounding(eps), 1e3 * probe.subject.accuracy) * scale + underflow(eps)
    bad: Array = ~(gap <= tolerance)
    if bad.any():
        bad = bad & ~(gap <= tolerance + noise())
    if bad.any() and (gap[bad] <= _SMALL * scale[bad]).all() and probe.iterates():
        raise Iterates
    return bad


def underflow(eps: float | Array) -> float:
    """The size below which products lose their digits, in the precision that has this unit roundoff."""
    return 1e-300 if np.max(eps, initial=0.0) < 1e-10 else 1e-36


# Differences below this may come from an iteration that stops at a tolerance; above, no honest solver's do.
_SMALL = 1e-4


def settle(checks: Iterable[Callable[[], None]]) -> None:
    """Run checks of one law; what one of them cannot tell does not keep the others from telling.

    Raises:
        Broken: one does not hold; the first that names an element, if any does.
        Inconclusive: none could tell.
        LeftOut: none could tell, as the function has no derivative.
    """
    broken: Broken | None = None
    unsure: Exception | None = None
    held = False
    for check in checks:
        try:
            check()
        except Broken as found:
            if found.element is not None:
                raise
            broken = broken or found
        except (Inconclusive, LeftOut) as found:
            unsure = found
        else:
            held = True
    if broken is not None:
        raise broken
    if unsure is not None and not held:
        raise unsure


def report_at(
    law: str, rule: Any, space: Space, got: Array, expected: Array, bad: Array, name: Callable[[str], str], **more: Any
) -> Broken:
    """The verdict for the worst of the elements that differ."""
    gap = np.where(np.isfinite(got), np.abs(got - expected), np.inf)
    size = np.abs(expected) + np.where(np.isfinite(got), np.abs(got), 0)
    with np.errstate(all="ignore"):
        k = int(np.argmax(np.where(bad, np.where(size > 0, gap / size, gap) + np.isinf(gap), -1.0)))
    path, element = space.name(k)
    return Broken(
        law, rule, short(expected[k].item()), short(got[k].item()), argument=name(path), element=element, values=(expected, got), **more
    )
