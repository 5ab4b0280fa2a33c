"""What odeint is asked for, checked."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

from rulebook.errors import RuleSignatureError
from rulebook.implicit.ode.field import NAME
from rulebook.implicit.ode.methods import FIXED, SCIPY

__all__ = ["Choice", "choose"]

_TOLERANCE = 1e-8
_SENSITIVITIES = ("auto", "discrete", "continuous")


class Choice(NamedTuple):
    """How to solve.

    Attributes:
        method: its name.
        steps: the number of steps between two times; 0 for a method of SciPy.
        rtol, atol, max_step: as SciPy has them.
    """

    method: str
    steps: int
    rtol: float
    atol: float
    max_step: float


def choose(method: Any, steps: Any, rtol: Any, atol: Any, max_step: Any, sensitivity: Any, events: Any) -> Choice:
    """The options, with defaults.

    Raises:
        RuleSignatureError: an option is unknown, out of range, or not one of the method.
    """
    if events is not None:
        raise RuleSignatureError(
            f"{NAME}, events.",
            "None: where an event ends or changes the motion is out of scope",
            f"a {type(events).__name__}",
            "call scipy.integrate.solve_ivp with events= to find the time of the event, and odeint up to that time",
        )
    _one_of("method", method, (*FIXED, *SCIPY))
    _one_of("sensitivity", sensitivity, _SENSITIVITIES)
    fixed = method in FIXED
    given = {"steps": steps} if not fixed else {"rtol": rtol, "atol": atol, "max_step": max_step}
    for name, value in given.items():
        if value is not None:
            raise _not_of(name, value, method, fixed)
    if sensitivity == ("continuous" if fixed else "discrete"):
        raise _no_sensitivity(sensitivity, method, fixed)
    if fixed:
        return Choice(method, _steps(1 if steps is None else steps), 0.0, 0.0, 0.0)
    rtol, atol, max_step = (
        _positive(n, v, d) for n, v, d in (("rtol", rtol, _TOLERANCE), ("atol", atol, _TOLERANCE), ("max_step", max_step, float("inf")))
    )
    return Choice(method, 0, rtol, atol, max_step)


def _one_of(name: str, value: Any, names: tuple[str, ...]) -> None:
    if isinstance(value, str) and value in names:
        return
    folded = {n.lower(): n for n in names}
    near = difflib.get_close_matches(str(value).lower(), list(folded), 1)
    do = f"did you mean {folded[near[0]]!r}?" if near else f"pass {name}={names[0]!r}"
    raise RuleSignatureError(f"{NAME}, {name}.", f"one of {', '.join(map(repr, names))}", repr(value), do)


def _not_of(name: str, value: Any, method: str, fixed: bool) -> RuleSignatureError:
    kind, do = (
        ("with a fixed step", "drop it, or set steps=, the number of steps between two times")
        if fixed
        else ("of SciPy", "drop it, or set rtol= and atol=")
    )
    return RuleSignatureError(f"{NAME}, {name}.", f"no {name} for method={method!r}, which is one {kind}", repr(value), do)


def _no_sensitivity(sensitivity: str, method: str, fixed: bool) -> RuleSignatureError:
    only = "'discrete', the exact derivative of its steps" if fixed else "'continuous', the adjoint equation: its steps are SciPy's"
    return RuleSignatureError(f"{NAME}, sensitivity.", f"for method={method!r} {only}", repr(sensitivity), "leave sensitivity='auto'")


def _steps(steps: Any) -> int:
    if isinstance(steps, bool) or not hasattr(type(steps), "__index__") or steps < 1:
        raise RuleSignatureError(
            f"{NAME}, steps.", "a positive integer, the number of steps between two times", repr(steps), "pass steps=1 or more"
        )
    return int(steps)


def _positive(name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise RuleSignatureError(f"{NAME}, {name}.", "a positive number", repr(value), f"pass {name}={default!r}")
    return float(value)
