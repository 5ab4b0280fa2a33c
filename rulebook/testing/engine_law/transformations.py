"""The engines' own transformations: compiled and batched derivatives are those of the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.testing.engine_law.apis import Api, api_of
from rulebook.testing.engine_law.base import EngineLaw, compare_derivative, compare_primal
from rulebook.testing.engine_law.setting import Setting
from rulebook.testing.reference import Derivative
from rulebook.testing.spaces import Array

Both = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]


class _Modes:
    """Forward and reverse mode of a setting by the engine's own functions."""

    def __init__(self, law: str, setting: Setting) -> None:
        self.law = law
        self.setting = setting
        self.api: Api = api_of(setting.name)
        self.fn = setting.moving_results(setting.primitive)

    def arrays(self, x: Array, of_results: bool = False) -> list[Any]:
        """A vector as the engine's arrays."""
        trial = self.setting.trial
        return [self.api.array(leaf) for leaf in (trial.outputs if of_results else trial.inputs).unpack(x)]

    def both(self, reverse: bool) -> Both:
        """(y, derivative) of (leaves, tangents or cotangents)."""
        if reverse:
            return lambda xs, bars: self.api.vjp(self.fn, xs, bars)
        return lambda xs, dots: self.api.jvp(self.fn, xs, dots)

    def derivative(self, reverse: bool) -> Derivative:
        """What it is compared with."""
        return self.setting.reverse if reverse else self.setting.forward

    def direction(self, reverse: bool) -> Array:
        """A cotangent or a tangent."""
        vectors = self.setting.probe.cotangents if reverse else self.setting.probe.tangents
        first: Array = vectors[0]
        return first

    def results(self, found: list[Any], of: Derivative | None = None) -> Array:
        """The vector of results, or of a derivative."""
        setting = self.setting
        trial = setting.trial
        if of is not None and of is setting.reverse:
            return setting.cotangents(self.law, found)
        return setting.packed(self.law, found, trial.outputs, [trial.y_leaves[i] for i in trial.outputs.at], setting.forward)

    def compare(self, y: list[Any], d: list[Any], x: Array, u: Array, reverse: bool) -> None:
        """y and a derivative against those at x along u."""
        of = self.derivative(reverse)
        expected = self.setting.trial.f(x)
        assert expected is not None
        compare_primal(self.law, self.setting, self.results(y), expected, of.rule)
        compare_derivative(self.law, self.setting, of, self.results(d, of), u, x)


class Second(EngineLaw):
    """A derivative at a second input, through the engine's own functions, is that at the second input."""

    id = "engine-second-input"
    title = "the engine's own (compiled) vjp and jvp at a second input give the derivative there"
    proves = "nothing of the first input is kept as a constant"
    mend = "compute everything from the arguments; keep nothing in closures or caches"
    order = 50
    engines = ("jax", "torch")

    def check(self, setting: Setting) -> None:
        """Call at one input and then at another; compiled in JAX."""
        setting.need_derivative()
        modes = _Modes(self.id, setting)
        x = setting.second()
        for reverse in (True, False):
            both = modes.both(reverse)
            run = modes.api.jit(both) if setting.name == "jax" else both
            u = modes.direction(reverse)
            rule = modes.derivative(reverse).rule

            def twice(run: Both = run, u: Array = u, reverse: bool = reverse) -> tuple[list[Any], list[Any]]:
                run(modes.arrays(setting.trial.x), modes.arrays(u, reverse))
                return run(modes.arrays(x), modes.arrays(u, reverse))

            y, d = setting.attempt(self.id, twice, rule)
            modes.compare(y, d, x, u, reverse)


class Batched(EngineLaw):
    """vmap gives what a loop gives."""

    id = "engine-vmap"
    title = "vmap over a leading axis, of the function and of its derivatives, gives what a loop gives"
    proves = "a batch may be passed at once"
    mend = "write the function and the rules for arrays of any number of axes, or give a batch rule, or mark them host=True"
    order = 51
    engines = ("jax", "torch")

    def check(self, setting: Setting) -> None:
        """Batch two points."""
        setting.need_derivative()
        modes = _Modes(self.id, setting)
        points = [setting.trial.x, setting.second()]
        batch = self._stacked(modes, points)
        primal = lambda: modes.api.vmap(modes.fn)(*batch)
        for y, x in zip(self._rows(setting, setting.attempt(self.id, primal)), points, strict=True):
            expected = setting.trial.f(x)
            assert expected is not None
            compare_primal(self.id, setting, modes.results(y), expected)
        for reverse in (True, False):
            u = modes.direction(reverse)
            directions = [u, -0.5 * u]
            of = modes.derivative(reverse)

            def run(directions: list[Array] = directions, reverse: bool = reverse) -> tuple[list[Any], list[Any]]:
                found: tuple[list[Any], list[Any]] = modes.api.vmap(modes.both(reverse))(batch, self._stacked(modes, directions, reverse))
                return found

            y, d = setting.attempt(self.id, run, of.rule)
            for row in zip(self._rows(setting, y), self._rows(setting, d), points, directions, strict=True):
                modes.compare(*row, reverse)

    @staticmethod
    def _stacked(modes: _Modes, vectors: list[Array], of_results: bool = False) -> list[Any]:
        trial = modes.setting.trial
        space = trial.outputs if of_results else trial.inputs
        return [modes.api.array(np.stack(leaves)) for leaves in zip(*map(space.unpack, vectors), strict=True)]

    @staticmethod
    def _rows(setting: Setting, found: list[Any]) -> list[list[Any]]:
        arrays = [np.asarray(setting.numpy(value)) for value in found]
        return [[a[i] for a in arrays] for i in range(2)]
