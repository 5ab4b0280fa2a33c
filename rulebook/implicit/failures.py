"""What a rule reports when its solver, its linear system or its equation let it down."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from rulebook.errors import RulebookError

__all__ = ["CHOICES", "KinkError", "NotConvergedError", "NotConvergedWarning", "SingularError", "report"]

CHOICES = ("warn", "raise", "ignore")  # what on_failure= may be


class NotConvergedError(RulebookError, ArithmeticError):
    """A solver stopped before it reached the accuracy that its derivative needs."""


class NotConvergedWarning(UserWarning):
    """A solver stopped before it reached the accuracy that its derivative needs: the derivative is as wrong as the solution."""


class SingularError(RulebookError, np.linalg.LinAlgError):
    """The Jacobian of an equation is singular at the solution: there is no derivative."""


class KinkError(RulebookError, ArithmeticError):
    """The equation has a kink at the solution: its derivative differs from side to side."""


def report(on_failure: str, error: NotConvergedError) -> None:
    """Raise, warn, or do nothing."""
    if on_failure == "raise":
        raise error
    if on_failure == "warn":
        warnings.warn(str(error), NotConvergedWarning, stacklevel=_outside())


def _outside() -> int:
    """How far up the first frame is that is not rulebook's own."""
    frame: Any = sys._getframe(1)
    level = 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("rulebook."):
        frame, level = frame.f_back, level + 1
    return level
