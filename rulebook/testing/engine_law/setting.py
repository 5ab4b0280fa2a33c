"""A function with its rules at one point in one engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from rulebook import forms, operators, trees
from rulebook.dual.errors import DroppedTangentError
from rulebook.engine import Engine
from rulebook.errors import HigherOrderError, ResultSpecError, RulebookError, RuleMissingError, RuleSignatureError
from rulebook.primitive import Primitive
from rulebook.testing.probe import Probe
from rulebook.testing.reference import Derivative, backward, forward
from rulebook.testing.spaces import Array, moves
from rulebook.testing.trial import Trial, fresh
from rulebook.testing.verdicts import Broken, Iterates, LeftOut, short

__all__ = ["Refused", "Setting"]

T = TypeVar("T")
Rules = tuple[forms.Forward | None, forms.Reverse | None]

_REFUSALS = (RuleMissingError, HigherOrderError, ResultSpecError, RuleSignatureError, DroppedTangentError)
_UNTRACEABLE = ("vmap: It looks like you're", "Batching rule not implemented")  # PyTorch has no exceptions of their own for them
_STEPS = (0.1, 1e-2, 1e-4)
# Engines whose reverse mode is built on forward mode: both of their modes run the forward rule.
_FORWARD_ONLY = frozenset({"dual"})


class Refused(Exception):
    """An engine does not take a function or rule, and says why."""


class Setting:
    """One point of one function in one engine.

    Args:
        engine: the engine.
        primitive: what is called in it.
        probe: the point, where the rules run on NumPy arrays.
        rules: those that are checked.
        promised: whether the author said where the code runs; what a `Rule` holds is only known to run on NumPy arrays.
    """

    def __init__(self, engine: Engine, primitive: Primitive, probe: Probe, rules: Rules, promised: bool) -> None:
        self.engine = engine
        self.name = engine.name
        self.primitive = primitive
        self.probe = probe
        self.trial: Trial = probe.trial
        self.rules = rules
        self.promised = promised
        self.forward: Derivative = forward(probe, rules)
        self.reverse: Derivative = backward(probe, self.reverse_rules(rules))

    def reverse_rules(self, rules: Rules) -> Rules:
        """The rules that reverse mode of the engine may use."""
        return (rules[0], None) if self.name in _FORWARD_ONLY and rules[0] is not None else rules

    @property
    def has_host_rule(self) -> bool:
        """Whether a rule is host code, which has no derivative of its own."""
        return any(rule is not None and rule.host for rule in self.rules)

    def need_derivative(self) -> None:
        """Go on only where there is something to differentiate, and something to do so by.

        Raises:
            LeftOut: there is not.
        """
        if not self.trial.inputs.n or not self.trial.outputs.n:
            raise LeftOut("nothing to differentiate")

    def second(self) -> Array:
        """The vector of another point where the function is defined.

        Raises:
            LeftOut: there is none close by.
        """
        for size in _STEPS:
            x: Array = self.trial.x + size * self.probe.tangents[0]
            y = self.trial.f(x)
            if y is not None and np.isfinite(y[self.probe.finite]).all():
                return x
        raise LeftOut("the function is not defined next to the point")

    # -- calling -----------------------------------------------------------------------------------

    def of_leaves(self, primitive: Primitive) -> Callable[..., Any]:
        """The primitive as a function of those leaves of its arguments that have a tangent."""

        def call(*moving: Any) -> Any:
            made = dict(zip(self.trial.inputs.at, moving, strict=True))
            leaves = iter([made[i] if i in made else fresh(leaf) for i, leaf in enumerate(self.trial.leaves)])
            return primitive(*self.trial.structure.unflatten(leaves), **self.trial.fresh_statics())

        return call

    def moving_results(self, primitive: Primitive) -> Callable[..., list[Any]]:
        """The same, giving only those leaves of the result that have a tangent."""
        call = self.of_leaves(primitive)

        def moving(*leaves: Any) -> list[Any]:
            found = self._result_leaves("", call(*leaves))
            return [found[i] for i in self.trial.outputs.at]

        return moving

    def leaves(self, x: Array | None = None) -> list[Any]:
        """The moving leaves of the arguments, as NumPy values."""
        return self.trial.inputs.unpack(self.trial.x if x is None else x)

    def attempt(self, law: str, call: Callable[[], T], rule: Any = None) -> T:
        """Call into the engine.

        Raises:
            Refused: what is missing is told by an error of the project, or of the engine about its tracing.
            Broken: any other exception comes out.
        """
        try:
            return call()
        except (Broken, Refused, Iterates, LeftOut):
            raise
        except _REFUSALS as error:
            raise Refused(_told(error)) from error
        except Exception as error:
            got = f"{type(error).__name__}: {short(str(error), 200)}"
            if self._is_about_tracing(error):
                raise Refused(f"code that cannot be traced: {got}; write it with rb.xp or mark it host=True") from error
            if not self.promised:
                raise Refused(f"{got}; make a primitive of it and say what is host=True") from error
            raise Broken(law, rule, f"a result in {self.name}, as on NumPy arrays", got) from error

    def _is_about_tracing(self, error: Exception) -> bool:
        """Whether the engine says that code cannot be traced."""
        if isinstance(error, RuntimeError) and any(text in str(error) for text in _UNTRACEABLE):
            return True
        return self.engine.is_traced_error(error) or any(
            kind.__module__.partition(".")[0] == "jax" and kind.__name__ in ("JAXTypeError", "JAXIndexError")
            for kind in type(error).__mro__
        )

    def primal(self, law: str) -> Any:
        """The result for the engine's own values, as a tree of NumPy arrays."""

        def run() -> Any:
            y = self.of_leaves(self.primitive)(*[self.engine.asarray(leaf) for leaf in self.leaves()])
            leaves, structure = trees.flatten(y)
            return structure.unflatten(iter([self.numpy(leaf) for leaf in leaves]))

        return self.attempt(law, run)

    def numpy(self, value: Any) -> Any:
        """A value of the engine as a NumPy array; anything else as it is."""
        return self.engine.to_numpy(value) if self.engine.owns(type(value)) else value

    def jvp(self, law: str, v: Array, x: Array | None = None, primitive: Primitive | None = None) -> tuple[Any, Array]:
        """(y, vector of y_dot) by forward mode."""
        fn = self.of_leaves(primitive or self.primitive)
        dots = self.trial.inputs.unpack(v)
        run = lambda: operators.jvp(fn, self.leaves(x), dots, engine=self.name)
        y, y_dot = self.attempt(law, run, self.forward.rule)
        return y, self.tangent(law, y_dot)

    def vjp(self, law: str, w: Array, x: Array | None = None, primitive: Primitive | None = None) -> tuple[Any, Array]:
        """(y, vector of the cotangents) by reverse mode."""
        fn = self.of_leaves(primitive or self.primitive)

        def run() -> tuple[Any, Any]:
            y, pullback = operators.vjp(fn, *self.leaves(x), engine=self.name)
            return y, pullback(self.trial.cotangent_tree(w))

        y, found = self.attempt(law, run, self.reverse.rule)
        return y, self.cotangents(law, found)

    # -- what comes out ------------------------------------------------------------------------------

    def value(self, law: str, y: Any) -> Array:
        """The vector of a result, which must have the structure, shapes and dtypes of the function's."""
        trial = self.trial
        leaves = self._result_leaves(law, y)
        for got, want, path in zip(leaves, trial.y_leaves, trial.y_paths, strict=True):
            if isinstance(want, (np.ndarray, np.generic, int, float, complex)):
                self._same_kind(law, None, got, want, path)
                if not moves(want) and not np.array_equal(got, want):
                    raise Broken(law, None, short(want), short(np.asarray(got)), argument=path)
        return trial.outputs.pack([leaves[i] for i in trial.outputs.at])

    def _result_leaves(self, law: str, y: Any) -> list[Any]:
        """The leaves of a result in the order of the function's: some engines sort the keys of dicts."""
        if self.engine.owns(type(y)) and self.trial.y_structure is trees.LEAF:
            return [y]

        def fail(path: str, expected: str, got: str) -> RulebookError:
            raise Broken(law, None, expected, got, argument=path)

        leaves = trees.flatten_like(self.trial.y_structure, y, fail, "y")
        if any(leaf is None for leaf in leaves):
            fail("y", f"structure {self.trial.y_structure!r}", f"structure {trees.flatten(y)[1]!r}")
        return leaves

    def tangent(self, law: str, y_dot: Any) -> Array:
        """The vector of a tangent of the result."""
        rule, trial = self.forward.rule, self.trial

        def fail(path: str, expected: str, got: str) -> RulebookError:
            raise Broken(law, rule, expected, got, argument=path)

        dots = trees.flatten_like(trial.y_structure, y_dot, fail, "y_dot")
        found = [dots[i] for i in trial.outputs.at]
        return self.packed(law, found, trial.outputs, [trial.y_leaves[i] for i in trial.outputs.at], self.forward)

    def cotangents(self, law: str, found: Sequence[Any]) -> Array:
        """The vector of the cotangents of the moving leaves."""
        inputs = self.trial.inputs
        return self.packed(law, found, inputs, [self.trial.leaves[i] for i in inputs.at], self.reverse)

    def packed(self, law: str, found: Sequence[Any], space: Any, like: Sequence[Any], of: Derivative) -> Array:
        """One vector of arrays that must have the shapes and dtypes of others."""
        made = [self.numpy(value) for value in found]
        for got, want, at in zip(made, like, space.at, strict=True):
            self._same_kind(law, of.rule, got, want, of.name(space.paths[at]))
        vector: Array = space.pack(made)
        return vector

    @staticmethod
    def _same_kind(law: str, rule: Any, got: Any, want: Any, path: str) -> None:
        w = np.asarray(want)
        shape, dtype = getattr(got, "shape", np.shape(got)), getattr(got, "dtype", None)
        if tuple(shape) != w.shape or (dtype is not None and dtype != w.dtype):
            raise Broken(law, rule, f"shape {w.shape}, {w.dtype}", f"shape {tuple(shape)}, {dtype}", argument=path)


def _told(error: RulebookError) -> str:
    """An error of the project on one line."""
    return _short_line("; ".join(part.strip().rstrip(".") for part in str(error).split("\n")))


def _short_line(text: str, limit: int = 300) -> str:
    """A text of at most that many characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
