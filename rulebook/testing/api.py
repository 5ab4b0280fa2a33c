"""The functions that people call to check rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rulebook.forms import FORWARD, REVERSE
from rulebook.primitive import Case
from rulebook.testing.report import Report
from rulebook.testing.runner import Options, check
from rulebook.testing.subject import Subject

_SHORT = 64  # elements of an array that is written out

__all__ = ["check_frule", "check_rrule", "check_rules"]


def _check(f: Any, directions: tuple[str, ...], args: tuple[Any, ...], static: dict[str, Any], raise_: bool, options: Options) -> Report:
    subject = Subject(f, directions)
    if args or static:
        subject.cases = [Case(args, static)]
        subject.given = "".join([f", {_written(a)}" for a in args] + [f", {k}={_written(v)}" for k, v in static.items()])
    report = check(subject, options)
    if raise_:
        report.raise_if_wrong()
    return report


def _written(value: Any) -> str:
    """A value as it is written in Python, with numpy as it is imported by that name."""
    if isinstance(value, np.ndarray):
        return f"numpy.array({value.tolist()!r}, {value.dtype.str!r})" if value.size <= _SHORT else "..."
    if isinstance(value, np.generic):
        return repr(value.item())
    return repr(value)


def check_rules(
    f: Any,
    *args: Any,
    seed: int = 0,
    raise_: bool = True,
    strict: bool = False,
    budget: float = 10.0,
    without: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    case: int | None = None,
    **static: Any,
) -> Report:
    """Check every rule that a function has, at its cases or at the arguments given.

    Args:
        f: a primitive, or a `rulebook.testing.Rule`.
        args: the primals of a call; without any, the cases of f are used.
        seed: of the points and directions; the same seed finds the same again.
        raise_: raise what is found, instead of only returning it.
        strict: count what noise or time leaves undecided as a failure.
        budget: seconds; the points that are left then are reported as unchecked.
        without: law id -> reason: laws that are switched off.
        only: the ids of the only laws to check.
        case: the number of the only case to use.
        static: the options of the call; one that has the name of a parameter here goes into an `rb.case`.

    Returns:
        A Report: `ok`, `findings`, `notes`.

    Raises:
        RuleCheckError: a law does not hold (unless `raise_=False`).
        RuleMissingError: f has no rule.
        RuleSignatureError: f is neither, or a law does not exist.

    Example:
        >>> import rulebook as rb
        >>> from rulebook.testing import check_rules
        >>> @rb.primitive(cases=[lambda rng: (rng.normal(size=3),)])
        ... def square(x):
        ...     return x**2
        >>> @rb.scalar_rule(square)
        ... def _(y, x):
        ...     return x
        >>> check_rules(square, raise_=False).findings[0].looks_like
        'the derivative times 0.5'
    """
    options = Options(seed, strict, budget, without or {}, only, case)
    return _check(f, (FORWARD, REVERSE), args, static, raise_, options)


def check_frule(
    f: Any,
    *args: Any,
    seed: int = 0,
    raise_: bool = True,
    strict: bool = False,
    budget: float = 10.0,
    without: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    case: int | None = None,
    **static: Any,
) -> Report:
    """Check the forward rule of a function alone; arguments, results and errors as in `check_rules`."""
    options = Options(seed, strict, budget, without or {}, only, case)
    return _check(f, (FORWARD,), args, static, raise_, options)


def check_rrule(
    f: Any,
    *args: Any,
    seed: int = 0,
    raise_: bool = True,
    strict: bool = False,
    budget: float = 10.0,
    without: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    case: int | None = None,
    **static: Any,
) -> Report:
    """Check the reverse rule of a function alone; arguments, results and errors as in `check_rules`."""
    options = Options(seed, strict, budget, without or {}, only, case)
    return _check(f, (REVERSE,), args, static, raise_, options)
