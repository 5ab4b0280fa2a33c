"""The derivative that the rules of a function give on NumPy arrays, in both directions: what engines are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rulebook import forms
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array, Space

__all__ = ["Derivative", "backward", "forward"]

Linear = Callable[[Array, Array | None], Array]
_BASIS = 24  # elements of a direction that nobody wrote are computed one by one, so many at most
_SIGNS = 3


class Derivative:
    """One direction of a derivative, as a linear map of vectors at any point.

    Args:
        probe: the point.
        rule: the rule that it comes from.
        linear: `(u, x) -> L(x) u`, the map that the rule gives, at the point itself for None.
        space: of the values of the derivative.
        name: makes the name of an element from its path.
        transpose: the derivative is the transposed map, which is computed element by element.
    """

    def __init__(self, probe: Probe, rule: forms.Rule, linear: Linear, space: Space, name: Callable[[str], str], transpose: bool) -> None:
        self.probe = probe
        self.rule = rule
        self.space = space
        self.name = name
        self._linear = linear
        self._transpose = transpose
        self._finite = probe.finite if space is probe.trial.outputs else np.ones(space.n, bool)
        self._chosen = self._choose() if transpose else np.ones(space.n, bool)

    def _choose(self) -> Array:
        """Which elements are computed, where that takes one call of the rule each."""
        candidates = np.flatnonzero(self._finite)
        chosen = np.zeros(self.space.n, bool)
        chosen[candidates if len(candidates) <= _BASIS else self.probe.rng.choice(candidates, _BASIS, replace=False)] = True
        return chosen

    def along(self, u: Array, x: Array | None = None) -> tuple[Array, Array]:
        """L(x) u, and which of its elements are known."""
        value = self._along(u, x)
        known = self._chosen if self._transpose else self.probe.implemented(self.rule, self.space.n)
        return value, known & self._finite

    def _along(self, u: Array, x: Array | None) -> Array:
        if not self._transpose:
            return self._linear(u, x)
        found = np.zeros(self.space.n, self.space.dtype)
        for k in np.flatnonzero(self._chosen):
            for unit in (1.0,) if self.space.real[k] else (1.0, 1.0j):
                e = np.zeros(self.space.n, self.space.dtype)
                e[k] = unit
                found[k] += unit * np.real(np.conj(self._linear(e, x)) @ u)
        return found

    def _other(self) -> Array:
        """A dense vector that the map may be applied to."""
        forwards = self.space is self.probe.trial.outputs
        vector: Array = (self.probe.tangents if forwards else self.probe.cotangents)[0]
        return vector

    def noise(self, u: Array) -> Array:
        """The absolute error of each element of L u, by rounding."""
        return self.probe.noise_of(lambda x, v: self._along(v, x), u, self._other())

    def terms(self, u: Array) -> Array:
        """About the sum of the moduli of the terms that each element of L u is made of."""
        signs = self.probe.rng.choice([-1.0, 1.0], (_SIGNS, len(u)))
        flipped: Array = np.abs([self._along(u * s, None) for s in signs]).sum(axis=0)
        return flipped


def _push(probe: Probe, rule: forms.Forward) -> Linear:
    return lambda v, x: probe.trial.push(rule, v, x)


def _pull(probe: Probe, rule: forms.Reverse) -> Linear:
    return lambda w, x: probe.trial.pull(rule, probe.started(rule) if x is None else probe.trial.start(rule, x), w)


def forward(probe: Probe, rules: tuple[forms.Forward | None, forms.Reverse | None]) -> Derivative:
    """J, by the forward rule, or the reverse rule transposed where there is no other."""
    ahead, back = rules
    name = lambda path: "y_dot" + path[1:]
    if ahead is not None:
        return Derivative(probe, ahead, _push(probe, ahead), probe.trial.outputs, name, False)
    assert back is not None
    return Derivative(probe, back, _pull(probe, back), probe.trial.outputs, name, True)


def backward(probe: Probe, rules: tuple[forms.Forward | None, forms.Reverse | None]) -> Derivative:
    """J*, by the reverse rule, or the forward rule transposed where there is no other."""
    ahead, back = rules
    name = lambda path: "x_bar of " + path
    if back is not None:
        return Derivative(probe, back, _pull(probe, back), probe.trial.inputs, name, False)
    assert ahead is not None
    return Derivative(probe, ahead, _push(probe, ahead), probe.trial.inputs, name, True)
