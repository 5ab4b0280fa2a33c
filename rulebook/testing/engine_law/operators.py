"""The function, its forward and its reverse mode in an engine agree with the function and its rules on NumPy arrays."""

from __future__ import annotations

from rulebook.testing.engine_law.base import EngineLaw, compare_derivative, compare_primal
from rulebook.testing.engine_law.setting import Setting


class Primal(EngineLaw):
    """The result in the engine is the one on NumPy arrays."""

    id = "engine-primal"
    title = "the function gives in the engine what it gives on NumPy arrays"
    proves = "value, structure, shape and dtype do not depend on the engine"
    mend = "write the function with rb.xp, keep dtypes, or mark it host=True"
    order = 10
    everywhere = True

    def check(self, setting: Setting) -> None:
        """Call the primitive with the engine's values."""
        compare_primal(self.id, setting, setting.value(self.id, setting.primal(self.id)), setting.trial.y)


class Forward(EngineLaw):
    """Forward mode gives what the forward rule gives."""

    id = "engine-forward"
    title = "forward mode gives y and the y_dot of the rule on NumPy arrays"
    proves = "what check_rules found to be right is right in this engine too"
    mend = "write the rule with rb.xp, or mark it host=True"
    order = 20
    everywhere = True

    def check(self, setting: Setting) -> None:
        """Compare along one direction."""
        setting.need_derivative()
        v = setting.probe.tangents[0]
        y, y_dot = setting.jvp(self.id, v)
        compare_primal(self.id, setting, setting.value(self.id, y), setting.trial.y, setting.forward.rule)
        compare_derivative(self.id, setting, setting.forward, y_dot, v)


class Reverse(EngineLaw):
    """Reverse mode gives what the reverse rule gives."""

    id = "engine-reverse"
    title = "reverse mode gives y and the cotangents of the rule on NumPy arrays"
    proves = "what check_rules found to be right is right in this engine too, also for complex numbers"
    mend = "write the rule with rb.xp, or mark it host=True"
    order = 21
    everywhere = True

    def check(self, setting: Setting) -> None:
        """Compare for one cotangent."""
        setting.need_derivative()
        w = setting.probe.cotangents[0]
        y, x_bar = setting.vjp(self.id, w)
        compare_primal(self.id, setting, setting.value(self.id, y), setting.trial.y, setting.reverse.rule)
        compare_derivative(self.id, setting, setting.reverse, x_bar, w)
