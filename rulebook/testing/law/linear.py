"""Pushforwards and pullbacks are linear, and give zero for zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import forms
from rulebook.testing.law.base import Law, report_at, underflow
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array, Space, rounding

# Iterations inside a rule make it linear up to their tolerance only; a rule that is not linear is off by far more.
_SLACK = 1e-6


def _maps(probe: Probe) -> list[tuple[Any, Callable[[Array], Array], Space, Array, Callable[[Array], Array], str]]:
    """(rule, map, its target, two vectors, noise, what the result is called) for every rule."""
    made: list[tuple[Any, Callable[[Array], Array], Space, Array, Callable[[Array], Array], str]] = []
    for forward in probe.subject.forward:
        push = lambda v, rule=forward: probe.trial.push(rule, v)
        noise = lambda v, rule=forward: probe.push_noise(rule, v)
        made.append((forward, push, probe.trial.outputs, probe.tangents[:2], noise, "y_dot"))
    for reverse in probe.subject.reverse:
        pull = lambda w, rule=reverse: probe.trial.pull(rule, probe.started(rule), w)
        noise = lambda w, rule=reverse: probe.pull_noise(rule, w)
        made.append((reverse, pull, probe.trial.inputs, probe.cotangents[:2], noise, "x_bar of "))
    return made


def _name(what: str) -> Callable[[str], str]:
    return lambda path: what + (path[1:] if what == "y_dot" else path)


class Linearity(Law):
    """`J(a u + b v) = a J u + b J v` with real a and b, over many orders of magnitude."""

    id = "linearity"
    title = "the map is linear (real-linear for complex numbers)"
    proves = "tangents and cotangents may be added and scaled before or after the rule, as every engine does"
    mend = "use each tangent or cotangent exactly once in every term: no offset, no modulus, no threshold"
    often = "deep"
    order = 40

    def check(self, probe: Probe) -> None:
        """Compare maps of sums with sums of maps, and maps of very small and large vectors."""
        for rule, linear, space, (u, v), noise, what in _maps(probe):
            ju, jv = linear(u), linear(v)
            small = 1e-9 if (space.eps < 1e-5).all() else 1e-2  # half precision has few decades
            for a, b in ((1.0, 1.0), (-0.75, 2.5), (small, 0.0), (-1 / small, 0.0)):
                got = linear(a * u + b * v)
                expected = a * ju + b * jv
                scale = np.abs(a * ju) + np.abs(b * jv)
                tolerance = np.maximum(rounding(space.eps), max(_SLACK, 1e3 * probe.subject.accuracy)) * scale + underflow(space.eps)
                bad = ~(np.abs(got - expected) <= tolerance) & np.isfinite(scale)
                if bad.any():
                    bad &= ~(np.abs(got - expected) <= tolerance + noise(a * u + b * v))
                if bad.any():
                    raise report_at(self.id, rule, space, got, expected, bad, _name(what))


class Zero(Law):
    """A zero tangent gives a zero tangent."""

    id = "zero"
    title = "zero in, zero out; a missing tangent is a zero one"
    proves = "arguments that nothing flows through add nothing"
    mend = "multiply every term by a tangent or cotangent; treat None as zero where symbolic_zeros=True"
    often = "deep"
    order = 41

    def check(self, probe: Probe) -> None:
        """Map zeros; where a rule takes None for zeros, compare that with arrays of zeros."""
        for rule, linear, space, (u, _), _noise, what in _maps(probe):
            got = linear(np.zeros_like(u))
            if (got != 0).any():
                raise report_at(self.id, rule, space, got, np.zeros_like(got), got != 0, _name(what))
        self._symbolic_tangents(probe)
        for reverse in probe.subject.reverse:
            if reverse.symbolic_zeros:
                self._symbolic_cotangents(probe, reverse)

    def _symbolic_cotangents(self, probe: Probe, rule: forms.Reverse) -> None:
        """The same cotangents of y, once with None and once with arrays in the place of zeros."""
        trial, space = probe.trial, probe.trial.outputs
        for w in (np.zeros_like(probe.cotangents[0]), *probe.cotangents):
            leaves = [leaf if leaf is None or leaf.any() else None for leaf in space.spread(space.unpack(w))]
            if all(leaves[i] is not None for i in space.at):
                continue
            got = trial.pull_tree(rule, probe.started(rule), trial.y_structure.unflatten(iter(leaves)))
            dense = trial.pull(rule, probe.started(rule), w)
            bad = np.isfinite(dense) & ~(np.abs(got - dense) <= rounding(trial.inputs.eps) * (np.abs(got) + np.abs(dense)))
            if bad.any():
                raise report_at(self.id, rule, trial.inputs, got, dense, bad, _name("x_bar of "))

    def _symbolic_tangents(self, probe: Probe) -> None:
        """The same tangents, once with None and once with arrays in the place of zeros."""
        trial = probe.trial
        for rule in probe.subject.forward:
            if not rule.symbolic_zeros or rule.kind == "transpose":
                continue
            for v in probe.tangents[1:]:
                dense = trial.joint_dense(rule, v)
                got = trial.push(rule, v)
                bad = ~(np.abs(got - dense) <= rounding(trial.outputs.eps) * (np.abs(got) + np.abs(dense)))
                if bad.any():
                    raise report_at(self.id, rule, trial.outputs, got, dense, bad, _name("y_dot"))
