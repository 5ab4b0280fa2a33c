"""The options that all implicit rules share."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rulebook.errors import RuleSignatureError
from rulebook.implicit.failures import CHOICES
from rulebook.implicit.krylov import METHODS

__all__ = ["Options"]

DENSE = 128  # coordinates up to which the matrix is formed and factored
_ROUNDINGS = 64  # the default accuracy of a linear solve, in roundings
_PRODUCTS = 1000  # the most products of a matrix-free solve

NAMES = ("auto", "dense", *METHODS)


@dataclass(frozen=True)
class Options:
    """How the linear systems of a rule are solved.

    Args:
        name: of the function, for messages.
        linear_solver: "auto", "dense", a matrix-free method, or a function.
        large: the matrix-free method that "auto" takes.
        tol: the relative accuracy, that of the solver; None for a few roundings.
        on_failure: "warn", "raise" or "ignore".
    """

    name: str
    linear_solver: str | Callable[..., Any] = "auto"
    large: str = "bicgstab, gmres"
    tol: float | None = None
    on_failure: str = "warn"

    def __post_init__(self) -> None:
        _choose(self.name, "linear_solver", self.linear_solver, NAMES, "or a function")
        _choose(self.name, "on_failure", self.on_failure, CHOICES)
        if self.tol is not None and not 0 < self.tol < 1:
            raise RuleSignatureError(f"{self.name}, tol.", "a relative accuracy between 0 and 1", repr(self.tol), "pass one like 1e-10")

    def method(self, size: int) -> str | Callable[..., Any]:
        """What solves a system of `size` unknowns."""
        if self.linear_solver != "auto":
            return self.linear_solver
        return "dense" if size <= DENSE else self.large

    def accuracy(self, dtype: Any) -> float:
        """The relative accuracy of a linear solve."""
        return _ROUNDINGS * float(np.finfo(dtype).eps) if self.tol is None else self.tol

    def alarm(self, dtype: Any) -> float:
        """The estimated relative error of a solution above which it is reported."""
        return float(np.finfo(dtype).eps) ** 0.25 if self.tol is None else 10 * self.tol

    @property
    def products(self) -> int:
        """The most products of a matrix-free solve."""
        return _PRODUCTS


def _choose(name: str, option: str, value: Any, names: tuple[str, ...], more: str = "") -> None:
    if value in names if isinstance(value, str) else (more and callable(value)):
        return
    near = difflib.get_close_matches(str(value), names, 1)
    do = f"did you mean {near[0]!r}?" if near else f"pass {option}={names[0]!r}"
    raise RuleSignatureError(f"{name}, {option}.", f"one of {', '.join(map(repr, names))} {more}".rstrip(), repr(value), do)
