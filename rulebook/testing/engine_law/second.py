"""Derivatives of derivatives in an engine."""

from __future__ import annotations

from rulebook import operators
from rulebook.testing.engine_law.base import EngineLaw
from rulebook.testing.engine_law.setting import Setting
from rulebook.testing.law.base import report_at
from rulebook.testing.law.second import wrong_elements
from rulebook.testing.reference import Derivative
from rulebook.testing.spaces import Array
from rulebook.testing.verdicts import LeftOut


class SecondOrder(EngineLaw):
    """Differentiating a derivative gives the derivative of what the rule gives, or raises."""

    id = "engine-second-order"
    title = "the derivative of a derivative is that of the rule"
    proves = "higher derivatives are right, or raise"
    mend = "the rule is right at first order only: compute everything in it from its arguments by differentiable code, or mark it host=True"
    order = 60
    engines = ("dual", "jax")

    def check(self, setting: Setting) -> None:
        """Compare with differences of the rule: forward over reverse, or forward over forward where the engine has that alone."""
        setting.need_derivative()
        if setting.has_host_rule or not setting.promised or not setting.probe.finite.all():
            raise LeftOut("a host rule makes no claim of a second order")
        trial, probe = setting.trial, setting.probe
        v: Array = trial.project(trial.inputs.draw(probe.rng) * trial.inputs.element_scale(trial.x))
        if setting.name == "dual":
            self._compare(setting, setting.forward, self._forward(setting, v), probe.tangents[0], v)
        else:
            self._compare(setting, setting.reverse, self._reverse(setting, v), probe.cotangents[0], v)

    def _forward(self, setting: Setting, v: Array) -> Array:
        fn = setting.moving_results(setting.primitive)
        dots = setting.trial.inputs.unpack(setting.probe.tangents[0])
        first = lambda *xs: operators.jvp(fn, xs, dots, engine=setting.name)[1]
        run = lambda: operators.jvp(first, setting.leaves(), setting.trial.inputs.unpack(v), engine=setting.name)[1]
        like = [setting.trial.y_leaves[i] for i in setting.trial.outputs.at]
        return setting.packed(self.id, setting.attempt(self.id, run, setting.forward.rule), setting.trial.outputs, like, setting.forward)

    def _reverse(self, setting: Setting, v: Array) -> Array:
        fn = setting.moving_results(setting.primitive)
        bars = setting.trial.outputs.unpack(setting.probe.cotangents[0])
        first = lambda *xs: operators.vjp(fn, *xs, engine=setting.name)[1](bars)
        run = lambda: operators.jvp(first, setting.leaves(), setting.trial.inputs.unpack(v), engine=setting.name)[1]
        return setting.cotangents(self.id, setting.attempt(self.id, run, setting.reverse.rule))

    def _compare(self, setting: Setting, of: Derivative, got: Array, u: Array, v: Array) -> None:
        known = of.along(u)[1]
        found = wrong_elements(setting.probe, of.space, got, u, v, lambda w, x: of.along(w, x)[0])
        if found is None or not (found[3] & known).any():
            return
        got, expected, error, bad = found
        broken = report_at(self.id, of.rule, of.space, got, expected, bad & known, lambda path: "the derivative of " + of.name(path))
        broken.estimate = float(error[int((bad & known).argmax())])
        raise broken
