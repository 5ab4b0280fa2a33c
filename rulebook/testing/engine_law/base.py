"""What a law of engines is, and how what an engine gives is compared with what the rules give on NumPy arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from rulebook.testing.engine_law.setting import Setting
from rulebook.testing.law.base import differ, report_at
from rulebook.testing.reference import Derivative
from rulebook.testing.spaces import Array, rounding

__all__ = ["EngineLaw", "compare_derivative", "compare_primal"]


class EngineLaw(ABC):
    """One property that every right rule has in an engine.

    Attributes:
        id: its name in reports and options.
        title: what it says, in a few words.
        proves: what follows if it holds.
        mend: what to do where it does not.
        order: smaller is earlier.
        engines: the engines that it is about; all where empty.
        everywhere: whether it is checked at every point, instead of at one.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    proves: ClassVar[str]
    mend: ClassVar[str]
    order: ClassVar[int] = 50
    engines: ClassVar[tuple[str, ...]] = ()
    everywhere: ClassVar[bool] = False

    @abstractmethod
    def check(self, setting: Setting) -> None:
        """Check the law at a point.

        Raises:
            Broken: it does not hold.
            Refused: an error of the project, or of the engine about its tracing, says what is missing.
            Iterates: the function is less accurate than was known; the law is to be checked again.
            LeftOut: the point does not count.
        """


def compare_primal(law: str, setting: Setting, got: Array, expected: Array, rule: Any = None) -> None:
    """A result in the engine against the function's on NumPy arrays."""
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    if same.all():
        return
    got, expected = np.where(same, 0, got), np.where(same, 0, expected)
    space, probe = setting.trial.outputs, setting.probe
    bad = differ(probe, got, expected, np.abs(expected), lambda: 50 * probe.noise, space.eps)
    if bad.any():
        raise report_at(law, rule, space, got, expected, bad, lambda path: path)


def compare_derivative(
    law: str, setting: Setting, of: Derivative, got: Array, u: Array, x: Array | None = None, factor: float = 1.0
) -> None:
    """A tangent or cotangent in the engine against what the rule gives on NumPy arrays, times a factor."""
    expected, known = of.along(u, x)
    expected = factor * expected
    same = (got == expected) | (np.isnan(got) & np.isnan(expected)) | ~known
    if same.all():
        return
    got, expected = np.where(same, 0, got), np.where(same, 0, expected)
    eps = max(setting.trial.inputs.eps.max(initial=0.0), setting.trial.outputs.eps.max(initial=0.0))
    noise: Callable[[], Array] = lambda: abs(factor) * (of.noise(u) + rounding(eps) * of.terms(u))
    bad = differ(setting.probe, got, expected, np.abs(expected), noise, eps)
    if bad.any():
        raise report_at(law, of.rule, of.space, got, expected, bad, of.name)
