"""Explicit Runge-Kutta methods with a fixed step, by their tableaus."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FIXED", "SCIPY", "Tableau"]


class Tableau(NamedTuple):
    """The coefficients of an explicit method, as Butcher wrote them.

    Attributes:
        a: for each stage the weights of the stages before it.
        b: the weights of the stages in the step.
        c: the times of the stages, in steps.
    """

    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    c: tuple[float, ...]


FIXED = {
    "euler": Tableau(((),), (1.0,), (0.0,)),
    "midpoint": Tableau(((), (0.5,)), (0.0, 1.0), (0.0, 0.5)),
    "heun": Tableau(((), (1.0,)), (0.5, 0.5), (0.0, 1.0)),
    "rk4": Tableau(((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6), (0.0, 0.5, 0.5, 1.0)),
}

SCIPY = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")  # what scipy.integrate.solve_ivp knows
