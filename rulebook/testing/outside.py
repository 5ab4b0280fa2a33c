"""Whether what was found at a point that nobody declared stands: the cases alone say where a rule is meant to hold.

It does if the error is plain, the function calm, and the same is found at neighbours of the point: a rule that is wrong in
a region, and not by accident of one number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from rulebook import trees
from rulebook.testing.iterations import works_unevenly
from rulebook.testing.points import Point
from rulebook.testing.probe import Probe
from rulebook.testing.subject import Subject
from rulebook.testing.trial import Trial
from rulebook.testing.variations import Nearby, Scaled, nearby
from rulebook.testing.verdicts import Broken, Inconclusive, Iterates, LeftOut

__all__ = ["stands"]

_PLAIN = 1e-6  # the least error, relative
_CALM, _CALMEST = 1e-3, 1e-6  # the most noise, relative to the error, and to the result
_NEIGHBOURS, _ALIKE = 3, 2  # how many are looked at, and where the same must be found


def stands(broken: Broken, probe: Probe, again: Callable[[Probe], None]) -> bool:
    """Whether a verdict about an undeclared point is to be reported.

    Args:
        broken: the verdict.
        probe: the point.
        again: checks the same law at another point.
    """
    if not _convincing(broken, probe) or _iterates_between(probe):
        return False
    left = _NEIGHBOURS
    found = 0
    for neighbour in _neighbours(probe, lost=not np.isfinite(broken.values[1]).all() if broken.values else False):
        found += _broken_too(neighbour, again)
        left -= 1
        if found >= _ALIKE or found + left < _ALIKE:
            break
    return found >= _ALIKE


def _convincing(broken: Broken, probe: Probe) -> bool:
    """Whether the error is plain, and the function no chaos.

    Outside its domain a solver may return anything; it then depends on every rounding of its arguments.
    """
    close = isinstance(probe.trial.point, Nearby)
    if broken.values is None or not (broken.plain or close):
        return False
    expected, got = broken.values
    size = np.abs(got) + np.abs(expected)
    lost = ~np.isfinite(got) & np.isfinite(expected)
    error = np.where(lost, 1.0, np.abs(got - expected) / np.where(size > 0, size, 1))
    if lost.any() and broken.estimate is None:  # only differences tell that there is a number
        return False
    if not (np.isfinite(got) | lost).all() or not error.max(initial=0.0) > (0.0 if close else _PLAIN):
        return False
    outputs = probe.trial.outputs
    terms = outputs.eps * np.abs(probe.trial.x).max(initial=0.0)  # rounded so, where they cancel
    most = _CALMEST if close else min(_CALM * float(error.max()), _CALMEST)
    return bool((probe.noise + terms <= most * outputs.element_scale(probe.trial.y)).all())


def _iterates_between(probe: Probe) -> bool:
    """Whether the function iterates on the way from the case to a point of another magnitude: tolerances may be absolute."""
    point = probe.trial.point
    if not isinstance(point, Scaled) or point.case is None:
        return False
    if probe.subject.accuracy:
        return True
    space = probe.trial.inputs
    leaves = trees.flatten(point.case.args)[0]
    case = space.pack([leaves[i] for i in space.at])
    ratio = np.where(case != 0, probe.trial.x / np.where(case != 0, case, 1), 1)
    return works_unevenly(lambda t: probe.trial.f(case * ratio**t), 0.0, 1.0)


def _neighbours(probe: Probe, lost: bool) -> Iterator[Probe]:
    """Points like this one, and as far from everything else.

    Args:
        probe: the point.
        lost: move zeros as well: a number that is lost at zero alone is no matter.
    """
    point, subject = probe.trial.point, probe.subject
    for k in range(_NEIGHBOURS):
        rng = np.random.default_rng([k, int(probe.rng.integers(2**31))])
        trial = _trial(subject, nearby(point, subject, rng, lost))
        if trial is not None:
            yield Probe(trial, rng, probe.deep, probe.others)


def _trial(subject: Subject, point: Point) -> Trial | None:
    try:
        trial = Trial(subject, point)
    except LeftOut:
        return None
    return trial if np.isfinite(trial.y).all() else None


def _broken_too(probe: Probe, again: Callable[[Probe], None]) -> bool:
    try:
        again(probe)
    except Broken as broken:
        return _convincing(broken, probe)
    except (Inconclusive, Iterates, LeftOut):
        pass
    return False
