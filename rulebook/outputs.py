"""What rules return, checked and projected: the one place that words the errors of the contract at a call.

A wrong number, structure or shape is an error on every engine alike; a dtype is cast to that of the
primal, and a complex cotangent of a real primal loses its imaginary part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook import packs, trees
from rulebook.engine import Engine, is_floating
from rulebook.engines import NUMPY, kind_of, load_engine
from rulebook.errors import RuleMissingError, RuleOutputError
from rulebook.forms import Forward, Reverse, Rule
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero
from rulebook.trees import LEAF, Structure

__all__ = ["Outputs"]

Leaves = Sequence[Any]

_OBJECTS = np.dtype(object)
_ARGUMENT = "pass what is differentiated as a positional argument"


class Outputs(ABC):
    """The results, tangents and cotangents of one primitive in one engine, as its rules return them."""

    engine: Engine
    name: str
    structure: Structure
    arg_names: tuple[str, ...]
    paths: tuple[str, ...]
    opaque: dict[int, Any]
    flat: bool
    forward: Forward | None
    reverse: Reverse | None

    @abstractmethod
    def run(self, rule: Rule, fn: Callable[..., Any], *args: Any) -> Any:
        """Run the author's code."""

    def flatten_result(self, y: Any, what: str) -> tuple[list[Any], Structure]:
        """The leaves of y as values of the engine, and its structure."""
        if type(y) is np.ndarray and self.engine.runs_host_code:
            return [y], LEAF
        if y is None:
            raise self.output_error("", "a value", "None", what, "return the result")
        leaves, structure = ([y], LEAF) if self.engine.owns(type(y)) else trees.flatten(y)
        return [self._result_leaf(leaf, path, what) for leaf, path in zip(leaves, trees.leaf_paths(structure, "y"), strict=True)], structure

    def _result_leaf(self, leaf: Any, path: str, what: str) -> Any:
        kind = kind_of(type(leaf))
        if kind == self.engine.name:
            return self._not_active(leaf, kind, path, what)
        if kind != NUMPY:
            raise self.output_error(path, f"an array of {self.engine.name}", f"a {type(leaf).__name__}", what, "return arrays or numbers")
        made = self.engine.asarray(leaf)
        if made.dtype == _OBJECTS:
            got = ", ".join(sorted({f"a {type(x).__name__}" for x in leaf.flat}))
            raise self.output_error(path, "an array of numbers", f"an array of objects: {got}", what, _ARGUMENT)
        return made

    def _not_active(self, value: Any, kind: str, path: str, what: str) -> Any:
        """A value of the engine; from host code it can be one that the code captured, whose derivative would be lost."""
        if self.engine.runs_host_code and kind != NUMPY and load_engine(kind).is_active(value):
            raise self.output_error(path, "a NumPy array", f"a value of {kind} that is being differentiated", what, _ARGUMENT)
        return value

    def fit_tangents(self, rule: Rule, ys: Leaves, structure: Structure, y_dot: Any) -> list[Any]:
        """The leaves of a returned tangent, checked against y and in its dtype."""
        if isinstance(y_dot, NotImplementedTangent):
            raise self.not_implemented(rule, "the result", y_dot)
        fail = lambda path, expected, got: self.output_error(path, expected, got, rule.kind)
        dots = [y_dot] if structure is LEAF and trees.is_leaf(y_dot) else trees.flatten_like(structure, y_dot, fail, "y_dot")
        return [self._fit_tangent(rule, y, t, i, structure) for i, (y, t) in enumerate(zip(ys, dots, strict=True))]

    def _fit_tangent(self, rule: Rule, y: Any, t: Any, i: int, structure: Structure) -> Any:
        if is_zero(t) or not self.engine.has_tangent(y):
            return None
        path = trees.leaf_paths(structure, "y_dot")[i] if structure is not LEAF else "y_dot"
        if isinstance(t, NotImplementedTangent):
            raise self.not_implemented(rule, path, t)
        t = self._engine_leaf(rule, t, y, path)
        if self.engine.is_complex(t) and not self.engine.is_complex(y):
            raise self.output_error(
                path, f"a real tangent, {y.dtype}, as y is real", f"{t.dtype}", rule.kind, "take its real part if that is what is meant"
            )
        return self._same_shape(rule, t, y, path)

    def fit_cotangents(self, rule: Rule, leaves: Leaves, cotangents: Any, wanted: Sequence[bool] | None = None) -> list[Any]:
        """The leaves of returned cotangents: checked, projected, None where zero or not wanted."""
        children = self.structure.children
        cotangents = self.arity(cotangents, len(children), rule, "cotangent")
        found = list(cotangents) if self.flat else self._flatten_cotangents(rule, cotangents, wanted)
        return [
            self._fit_cotangent(rule, x, c, i) if wanted is None or wanted[i] else None
            for i, (x, c) in enumerate(zip(leaves, found, strict=True))
        ]

    def _flatten_cotangents(self, rule: Rule, cotangents: tuple[Any, ...], wanted: Sequence[bool] | None) -> list[Any]:
        fail = lambda path, expected, got: self.output_error(f"cotangent of {path}", expected, got, rule.kind)
        found: list[Any] = []
        at = position = 0
        for name, child, x_bar in zip(self.arg_names, self.structure.children, cotangents, strict=True):
            arrays = [i for i in range(child.n_leaves) if at + i not in self.opaque]
            needed = wanted is None or any(wanted[position : position + len(arrays)])
            if isinstance(x_bar, NotImplementedTangent):
                leaves: list[Any] = [x_bar] * child.n_leaves
            elif not needed:
                leaves = [None] * child.n_leaves
            else:
                if child is not LEAF and isinstance(x_bar, Thunk):
                    x_bar = x_bar.fn()
                leaves = trees.flatten_like(child, x_bar, fail, name)
            found += [leaves[i] for i in arrays]
            at += child.n_leaves
            position += len(arrays)
        return found

    def _fit_cotangent(self, rule: Rule, x: Any, c: Any, i: int) -> Any:
        if self.engine.runs_host_code and type(c) is np.ndarray and c.dtype == x.dtype and c.dtype.kind in "fc" and c.shape == x.shape:
            return c
        if isinstance(c, Thunk):
            c = self.run(rule, c.fn)
        if is_zero(c) or not self.engine.has_tangent(x):
            return None
        if isinstance(c, NotImplementedTangent):
            raise self.not_implemented(rule, self.paths[i], c)
        path = f"cotangent of {self.paths[i]}"
        return self.engine.settle(self._same_shape(rule, self._engine_leaf(rule, c, x, path), x, path), x)

    def pair(self, out: Any, rule: Rule, expected: str) -> tuple[Any, Any]:
        """What an frule or rrule returned, if it is a pair."""
        out = trees.opened(out)
        if not (isinstance(out, tuple) and len(out) == 2):
            got = "None" if out is None else f"a tuple of {len(out)}" if isinstance(out, tuple) else f"a {type(out).__name__}"
            raise self.output_error("", f"the pair {expected}", got, rule.kind, f"return {expected}")
        return out

    def arity(self, out: Any, n: int, rule: Rule, what: str) -> tuple[Any, ...]:
        """What a rule returned, if it is a tuple with one entry per argument."""
        out = trees.opened(out)
        if isinstance(out, tuple) and len(out) == n and not hasattr(out, "_fields"):
            return out
        got = "None" if out is None else f"a tuple of {len(out)}" if isinstance(out, tuple) else f"a {type(out).__name__}"
        names = ", ".join(self.arg_names)
        raise self.output_error(
            "",
            f"a tuple of {n} {what}{'s' * (n != 1)}, for {names}",
            got,
            rule.kind,
            "return one entry per argument, None where it is zero",
        )

    def _engine_leaf(self, rule: Rule, value: Any, like: Any, path: str) -> Any:
        kind = kind_of(type(value))
        if kind == self.engine.name:
            return self._not_active(value, kind, path, rule.kind)
        dtype = getattr(value, "dtype", np.dtype(float))
        if kind != NUMPY or not (dtype.kind in "fciub" or is_floating(dtype)):
            raise self.output_error(
                path, f"an array of {self.engine.name}", f"a {type(value).__name__}", rule.kind, "return an array, or None for zero"
            )
        return self.engine.asarray(value, like)

    def _same_shape(self, rule: Rule, value: Any, like: Any, path: str) -> Any:
        if value.shape != like.shape:
            do = (
                "return rb.project(x, x_bar) to sum over broadcast axes"
                if path.startswith("cotangent")
                else "broadcast it to the shape of y"
            )
            raise self.output_error(
                path, f"shape {tuple(like.shape)}, {like.dtype}", f"shape {tuple(value.shape)}, {value.dtype}", rule.kind, do
            )
        return value if value.dtype == like.dtype else self.engine.cast(value, like)

    def output_error(
        self, path: str, expected: str, got: str, what: str = "rule", do: str = "return what the function's arguments ask for"
    ) -> RuleOutputError:
        """A RuleOutputError that names rule, function, engine and place."""
        place = f", {path}" if path else ""
        return RuleOutputError(f"{what} of {self.name} (engine {self.engine.name}){place}.", expected, got, do)

    def not_implemented(self, rule: Rule, where: str, tangent: NotImplementedTangent) -> RuleMissingError:
        """The error for a NotImplementedTangent that was used."""
        return RuleMissingError(
            f"{rule.kind} of {self.name} (engine {self.engine.name}), {where}.",
            "a derivative",
            f"NotImplementedTangent: {tangent.why}",
            f"do not differentiate with respect to {where}, or write this derivative",
        )

    def missing(self, direction: str) -> RuleMissingError:
        """The error for a direction that has no rule and cannot be derived."""
        write, other = ("@rb.frule or @rb.pushforward", "reverse") if direction == "forward" else ("@rb.rrule or @rb.pullback", "forward")
        bare = self.forward is None and self.reverse is None
        also = f", or a {other} rule, from which it is derived" if bare else ""  # an engine may ask for one in the other's mode
        return RuleMissingError(
            f"{self.name} (engine {self.engine.name}).",
            f"a {direction} rule",
            "no rule" if bare else f"a {other} rule only",
            f"write one with {write}({self.name.rpartition('.')[2]}){also}{packs.lost()}",
        )
