"""Bridges use the rules, each in its own mode, and run the function once."""

from __future__ import annotations

from rulebook import forms
from rulebook.testing.engine_law.base import EngineLaw, compare_derivative
from rulebook.testing.engine_law.clones import MARKER, clone, counted, marked
from rulebook.testing.engine_law.setting import Setting
from rulebook.testing.verdicts import Broken, LeftOut


class Bridge(EngineLaw):
    """A rule made 100 times as large makes the derivative 100 times as large, in its own mode alone."""

    id = "engine-bridge"
    title = "the engine uses the rule, and the rule of that mode"
    proves = "the engine does not differentiate the function's own code past the rule"
    mend = "call the primitive, not the function below it; let the forward and the reverse rule not call each other"
    order = 30

    def check(self, setting: Setting) -> None:
        """Mark one rule after the other."""
        setting.need_derivative()
        _need_rules(setting)
        forward, reverse = setting.primitive.forward, setting.primitive.reverse
        larger = None if forward is None else marked(forward)
        if larger is not None:
            self._compare(setting, larger, reverse, larger)
        larger_back = None if reverse is None else marked(reverse)
        if larger_back is not None:
            self._compare(setting, forward, larger_back, larger_back)

    def _compare(self, setting: Setting, forward: forms.Forward | None, reverse: forms.Reverse | None, larger: forms.Rule) -> None:
        p = clone(setting.primitive, forward, reverse)
        v, w = setting.probe.tangents[0], setting.probe.cotangents[0]
        ahead = MARKER if (forward or reverse) is larger else 1.0
        used = setting.reverse_rules((forward, reverse))
        back = MARKER if (used[1] or used[0]) is larger else 1.0
        compare_derivative(self.id, setting, setting.forward, setting.jvp(self.id, v, primitive=p)[1], v, factor=ahead)
        compare_derivative(self.id, setting, setting.reverse, setting.vjp(self.id, w, primitive=p)[1], w, factor=back)


class Once(EngineLaw):
    """The function runs once for its value and derivative together."""

    id = "engine-once"
    title = "value and derivative run the function once"
    proves = "a slow function costs no more than it has to"
    mend = "let the rule use the y that it is given or computes, instead of calling the primitive again"
    order = 40

    def check(self, setting: Setting) -> None:
        """Count the runs."""
        p = setting.primitive
        setting.need_derivative()
        _need_rules(setting)
        if setting.name == "jax" and not p.host:
            raise LeftOut("what JAX traces runs afterwards, as often as the program says")
        if any(rule is not None and rule.kind == "transpose" for rule in (p.forward, p.reverse)):
            raise LeftOut("a linear function is its own pushforward")
        clone_of, runs = counted(p)
        v, w = setting.probe.tangents[0], setting.probe.cotangents[0]
        for mode, run, u in (("forward", setting.jvp, v), ("reverse", setting.vjp, w)):
            runs.clear()
            run(self.id, u, primitive=clone_of)
            if len(runs) > 1:
                once = "one run of the function, or none where the rule computes y"
                raise Broken(self.id, None, once, f"{len(runs)} runs", argument=f"{mode} mode")


def _need_rules(setting: Setting) -> None:
    """Leave a law about rules out where the engine has a function of its own."""
    if setting.name in setting.primitive.native:
        raise LeftOut("the function is the engine's own here, and no rule runs")
