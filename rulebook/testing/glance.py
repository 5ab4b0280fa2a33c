"""A quick look at a point: most points of a right rule are plain, and need no more."""

from __future__ import annotations

from enum import Enum

import numpy as np

from rulebook import forms
from rulebook.testing.spaces import Array
from rulebook.testing.trial import Trial

__all__ = ["Look", "look"]

_STEP = 1e-5
_CLOSE = 1e-8  # relative; what differs by more is looked at closely
_DUAL = 1e-12
_WIDE = 2.0**-4  # a step wide enough to see an element that adds little
_ALIKE = 0.1


class Look(Enum):
    """What a quick look at a point tells."""

    PLAIN = "evidently right"
    CLOSER = "the laws shall look along a direction or two"
    DEEPER = "the laws shall look at single elements"


def look(trial: Trial, rng: np.random.Generator) -> Look:
    """Whether y, the tangents and the cotangents are evidently right along one direction, and for the element that adds least.

    One difference of one step and one pairing are compared; whatever is not plain is for the laws to judge.
    """
    try:
        return _look(trial, rng)
    except Exception:  # the laws will meet it again, and say what it means
        return Look.CLOSER


def _look(trial: Trial, rng: np.random.Generator) -> Look:
    if not trial.finite.all():
        return Look.CLOSER
    v, w = _directions(trial, rng)
    size = np.abs(trial.y)
    slope = _slope(trial, v, _STEP)
    if slope is None:
        return Look.CLOSER
    pushed = [_pushed(trial, rule, v) for rule in trial.subject.forward]
    error = 4e-16 / _STEP * size + 1e-300
    if any(p is None or not (np.abs(p - slope) <= _CLOSE * np.abs(p) + error).all() for p in pushed):
        return Look.CLOSER
    pulled = [_pulled(trial, rule, w) for rule in trial.subject.reverse]
    ahead = [(*_paired(w, slope), _CLOSE, 4e-16 / _STEP * float(np.abs(w) @ size)), *((*_paired(w, p), _DUAL, 0.0) for p in pushed)]
    if any(x_bar is None or not _dual(_paired(x_bar, v), ahead) for x_bar in pulled):
        return Look.CLOSER
    enough = trial.subject.tangent_space is not None or trial.inputs.n < 2 or _least(trial, v, w, pulled, size, rng)
    return Look.PLAIN if enough else Look.DEEPER


def _least(trial: Trial, v: Array, w: Array, pulled: list[Array | None], size: Array, rng: np.random.Generator) -> bool:
    """Whether the rules are about right for the element that adds least to the pairing, where large ones hide what is wrong."""
    adds = np.abs(pulled[0] * v) if pulled and pulled[0] is not None else rng.random(len(v))
    k = int(adds.argmin())
    e = np.zeros(len(v), v.dtype)
    e[k] = v[k]
    slope = _slope(trial, e, _WIDE)
    if slope is None:
        return True  # at the edge of the domain a wide step tells nothing
    allowed = _ALIKE * np.abs(slope) + (4e-15 / _WIDE * size + 1e-300)
    for rule in trial.subject.forward:
        if not (np.abs(trial.push(rule, e) - slope) <= allowed).all():
            return False
    expected, slack = np.vdot(w, slope).real, np.abs(w) @ allowed
    return all(x_bar is None or abs((np.conj(x_bar[k]) * v[k]).real - expected) <= slack for x_bar in pulled)


def _directions(trial: Trial, rng: np.random.Generator) -> tuple[Array, Array]:
    v = trial.project(trial.inputs.draw(rng) * trial.inputs.element_scale(trial.x))
    return v, trial.outputs.draw(rng) / np.minimum(np.maximum(trial.outputs.element_scale(trial.y), 1e-50), 1e50)


def _slope(trial: Trial, v: Array, h: float) -> Array | None:
    step = h * v
    plus, minus = trial.f(trial.x + step), trial.f(trial.x - step)
    return None if plus is None or minus is None else (plus - minus) / (2 * h)


def _same_y(trial: Trial, rule: forms.Rule, y: object) -> bool:
    if rule.given_output:
        return True
    leaves, got = trial.fit_y(rule, y)
    return len(leaves) == len(trial.outputs.at) and bool((got == trial.y).all())


def _pushed(trial: Trial, rule: forms.Forward, v: Array) -> Array | None:
    y, y_dot = trial.joint(rule, trial.tangent_args(v))
    if rule in trial.missing or not _same_y(trial, rule, y):
        return None
    return trial.fit_tangent(rule, y_dot)


def _pulled(trial: Trial, rule: forms.Reverse, w: Array) -> Array | None:
    started = trial.start(rule)
    if not _same_y(trial, rule, started.y):
        return None
    return trial.pull(rule, started, w)


def _paired(a: Array, b: Array | None) -> tuple[float, float]:
    """The real inner product of two vectors, and the sum of the moduli of its terms."""
    assert b is not None
    return float(np.vdot(a, b).real), float(np.abs(a) @ np.abs(b))


def _dual(back: tuple[float, float], ahead: list[tuple[float, float, float, float]]) -> bool:
    """Whether a pairing of a cotangent is that of every tangent: (value, terms, relative and absolute error)."""
    got, size = back
    return all(abs(got - value) <= relative * (size + terms) + absolute for value, terms, relative, absolute in ahead)
