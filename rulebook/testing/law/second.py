"""The rule itself may be differentiated: what its code gives is the derivative of what it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import forms, operators
from rulebook.engines import load_engine
from rulebook.normal import NormalForm
from rulebook.testing.law.base import Law, report_at
from rulebook.testing.probe import Probe
from rulebook.testing.referee import Ladder, refine
from rulebook.testing.spaces import Array, Space
from rulebook.testing.verdicts import Broken, LeftOut

__all__ = ["second_derivative_of", "wrong_elements"]

Linear = Callable[[Array, Array], Array]  # (u, x) -> L(x) u

_TRUST = 10.0
_PLAIN = 1e-4  # relative: a derivative that misses a term is off by more, a rule that iterates to a tolerance by less
_FAINT = 1e-8  # relative to the first derivative


class SecondOrder(Law):
    """Differentiating a traceable rule gives the derivative of what the rule computes."""

    id = "second-order"
    title = "the derivative of the rule's code is the derivative of the rule"
    proves = "derivatives of derivatives are right, or raise"
    mend = "mend other findings first; else the rule is right at first order only: compute it all by traceable code, or mark it host=True"
    often = "deep"
    order = 60

    def check(self, probe: Probe) -> None:
        """Run each traceable rule of a primitive on dual numbers; what refuses them makes no claim."""
        p = probe.subject.primitive
        if not probe.trial.inputs.n or not probe.trial.outputs.n or not probe.finite.all():
            return
        for forward in probe.subject.forward:
            if forward is p.forward and not forward.host:
                self._check(probe, forward, self._joint(probe), probe.trial.outputs, probe.tangents[0], _pushed(probe, forward))
        for reverse in probe.subject.reverse:
            if reverse is p.reverse and not reverse.host:
                self._check(probe, reverse, self._pull(probe), probe.trial.inputs, probe.cotangents[0], _pulled(probe, reverse))

    def _check(self, probe: Probe, rule: forms.Rule, run: Callable[..., Any], space: Space, u: Array, linear: Linear) -> None:
        v = probe.trial.project(probe.trial.inputs.draw(probe.rng) * probe.trial.inputs.element_scale(probe.trial.x))
        try:
            dots = operators.jvp(run, probe.trial.inputs.unpack(probe.trial.x), probe.trial.inputs.unpack(v), engine="dual")[1]
        except Exception:  # code that refuses dual numbers cannot be differentiated, rightly or wrongly
            return
        if rule in probe.trial.missing or any(dot is None for dot in dots):
            return
        found = wrong_elements(probe, space, space.pack(dots), u, v, linear)
        if found is not None:
            raise _report(self.id, rule, space, *found)

    @staticmethod
    def _form(probe: Probe) -> NormalForm:
        trial = probe.trial
        opaque = {i: leaf for i, leaf in enumerate(trial.leaves) if not isinstance(leaf, (np.ndarray, np.generic, int, float, complex))}
        return NormalForm(probe.subject.primitive, load_engine("dual"), trial.structure, opaque, trial.fresh_statics())

    @staticmethod
    def _leaves(probe: Probe, form: NormalForm, moving: tuple[Any, ...]) -> list[Any]:
        made = dict(zip(probe.trial.inputs.at, moving, strict=True))
        return [made.get(i, leaf) for i, leaf in enumerate(probe.trial.leaves) if i not in form.opaque]

    def _joint(self, probe: Probe) -> Callable[..., Any]:
        """The moving leaves of y_dot along a fixed tangent, by the forward rule, as a function of the moving leaves."""
        form, trial = self._form(probe), probe.trial
        tangents = trial.inputs.spread(trial.inputs.unpack(probe.tangents[0]))
        tangents = [t for i, t in enumerate(tangents) if i not in form.opaque]

        def run(*moving: Any) -> Any:
            primal = lambda args: form.primitive(*args, **form.statics)
            ys, y_dots, _ = form.joint(self._leaves(probe, form, moving), tangents, primal)
            return [_or_zeros(y_dots[i], ys[i]) for i in trial.outputs.at]

        return run

    def _pull(self, probe: Probe) -> Callable[..., Any]:
        """The moving leaves of the cotangents of a fixed one, by the reverse rule, as a function of the moving leaves."""
        form, trial = self._form(probe), probe.trial
        bars = trial.outputs.spread(trial.outputs.unpack(probe.cotangents[0]))

        def run(*moving: Any) -> Any:
            leaves = self._leaves(probe, form, moving)
            primal = lambda args: form.primitive(*args, **form.statics)
            found = iter(form.start(leaves, primal)[2](bars))
            every = [None if i in form.opaque else next(found) for i in range(len(trial.leaves))]
            return [_or_zeros(every[i], moving[k]) for k, i in enumerate(trial.inputs.at)]

        return run


def _or_zeros(value: Any, like: Any) -> Any:
    return np.zeros(like.shape, like.dtype) if value is None else value


def _pushed(probe: Probe, rule: forms.Forward) -> Linear:
    return lambda u, x: probe.trial.push(rule, u, x)


def _pulled(probe: Probe, rule: forms.Reverse) -> Linear:
    return lambda u, x: probe.trial.pull(rule, probe.trial.start(rule, x), u)


def second_derivative_of(probe: Probe, u: Array, v: Array, linear: Linear, space: Space) -> tuple[Ladder, Ladder]:
    """Two ladders of differences of L(x) u along v."""
    x = probe.trial.x

    def g(t: float) -> Array | None:
        try:
            return linear(u, x + t * v)
        except (Broken, LeftOut):
            return None

    here = linear(u, x)
    relative = np.broadcast_to(np.maximum(probe.subject.accuracy, 8 * space.eps), here.shape)
    noise = relative * np.maximum(np.abs(here), space.leaf_scale(here))
    resolution = 4 * space.eps * space.leaf_scale(here)
    first = Ladder(g, here, noise, relative, resolution, start=2.0**-7, ratio=4.0, levels=3)
    return first, Ladder(g, here, noise, relative, resolution, start=0.011, ratio=3.0, levels=5)


def wrong_elements(probe: Probe, space: Space, got: Array, u: Array, v: Array, linear: Linear) -> tuple[Array, Array, Array, Array] | None:
    """Where a derivative of L(x) u along v differs plainly from its differences: (got, expected, error, bad); None if nowhere.

    Raises:
        LeftOut: the rule is not defined near the point.
    """
    first, second = second_derivative_of(probe, u, v, linear, space)
    size = np.abs(first.y)

    def far(expected: Array, error: Array) -> Array:
        allowed = _TRUST * error + _PLAIN * (np.abs(got) + np.abs(expected)) + _FAINT * np.maximum(size, space.leaf_scale(size))
        wrong: Array = np.isfinite(error) & np.isfinite(got) & ~(np.abs(got - expected) <= allowed)
        return wrong

    look = first.estimate()
    if not far(look.value, look.error).any():
        return None
    noise = probe.noise_of(lambda x, w: linear(w, probe.trial.x if x is None else x), u, u)
    for ladder in (first, second):
        ladder.noise = np.maximum(ladder.noise, noise)
    one, two = refine(first), refine(second)
    bad = far(one.value, one.error) & far(two.value, two.error)
    bad &= np.abs(one.value - two.value) <= _TRUST * (one.error + two.error) + _PLAIN * np.abs(one.value)
    bad &= _certain(one.value, one.error, got)
    above, below = first.sides()
    bad &= np.abs(above.value - below.value) <= _TRUST * (above.error + below.error) + 1e-3 * np.abs(one.value)
    return (got, one.value, one.error, bad) if bad.any() else None


def _certain(expected: Array, error: Array, got: Array) -> Array:
    """Where differences tell the two numbers well apart."""
    certain: Array = error <= 1e-2 * np.abs(got - expected)
    return certain


def _report(law: str, rule: Any, space: Space, got: Array, expected: Array, error: Array, bad: Array) -> Broken:
    forwards = isinstance(rule, forms.Forward)
    name = lambda path: "the derivative of " + ("y_dot" + path[1:] if forwards else "x_bar of " + path)
    broken = report_at(law, rule, space, got, expected, bad, name)
    broken.estimate = float(error[int(np.argmax(bad))])
    return broken
