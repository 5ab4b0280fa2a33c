"""One primitive at one structure, one set of statics and one engine: what every bridge translates.

A NormalForm is a function of flat leaves.  It puts the arguments together as the author wrote
them, fills in zeros, runs the author's rule, and checks and projects what the rule returns, so
that a bridge only has to carry leaves to its engine and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook import captures, derive, trees
from rulebook.engines import NUMPY, Engine, TracedValueError, kind_of
from rulebook.errors import HigherOrderError, RulebookError, RuleMissingError, RuleOutputError, RuleSignatureError
from rulebook.forms import Forward, Reverse, Rule, ZeroForward, ZeroReverse
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero
from rulebook.trees import LEAF, Structure

if TYPE_CHECKING:
    from rulebook.primitive import Primitive

__all__ = ["NormalForm"]

Leaves = Sequence[Any]


class NormalForm:
    """A primitive specialised once per structure, statics and engine.

    Attributes:
        name: of the primitive, for messages.
        n: the number of array leaves.
        paths: the name of each array leaf, as `params['w']`.
        flat: whether the arguments are the leaves themselves.
        forward, reverse: the registered rules, or None.
        all_zero_rules: whether all that is registered says that every derivative is zero.
    """

    def __init__(self, primitive: Primitive, engine: Engine, structure: Structure, opaque: dict[int, Any], statics: dict[str, Any]) -> None:
        self.primitive = primitive
        self.engine = engine
        self.name = primitive.name
        self.structure = structure
        self.statics = statics
        self.opaque = opaque
        self.arg_names = primitive.signature.primal_names(len(structure.children))
        every = [p for name, child in zip(self.arg_names, structure.children, strict=True) for p in trees.leaf_paths(child, name)]
        self.paths = tuple(p for i, p in enumerate(every) if i not in opaque)
        self.n = len(self.paths)
        self.flat = not opaque and all(child is LEAF for child in structure.children)
        self._n_all = len(every)
        self.forward: Forward | None = primitive.forward
        self.reverse: Reverse | None = primitive.reverse
        parts = [primitive.fn, *(rule.fn for rule in (self.forward, self.reverse) if rule is not None), *statics.values(), *opaque.values()]
        self._suspects = [part for part in parts if captures.may_capture(part)]
        written = [rule for rule in (self.forward, self.reverse) if rule is not None]
        self.all_zero_rules = bool(written) and all(isinstance(rule, (ZeroForward, ZeroReverse)) for rule in written)

    # -- arguments ---------------------------------------------------------------------------

    def args(self, leaves: Leaves) -> tuple[Any, ...]:
        """The primals as the author wrote them."""
        if self.flat:
            return tuple(leaves)
        return self._build(leaves, self.opaque)

    def _build(self, leaves: Leaves, opaque: dict[int, Any]) -> tuple[Any, ...]:
        rest = iter(leaves)
        every = iter([opaque[i] if i in opaque else next(rest) for i in range(self._n_all)])
        return tuple(child.unflatten(every) for child in self.structure.children)

    def tangent_args(self, leaves: Leaves, tangents: Leaves, symbolic_zeros: bool) -> tuple[Any, ...]:
        """The tangents in the structure of the primals; zeros made where the rule wants arrays."""
        if not symbolic_zeros:
            tangents = [self._materialise(x, t) for x, t in zip(leaves, tangents, strict=True)]
        if self.flat:
            return tuple(tangents)
        return self._build(tangents, dict.fromkeys(self.opaque))

    def _materialise(self, x: Any, t: Any) -> Any:
        if t is None and self.engine.has_tangent(x):
            return self.engine.zeros_like(x)
        return t

    def materialise(self, x: Any, t: Any) -> Any:
        """A tangent with its zeros made arrays, for a whole argument."""
        leaves, structure = trees.flatten(x)
        dots = trees.flatten_like(structure, t, lambda path, expected, got: self.output_error(path, expected, got))
        return structure.unflatten(iter([self._materialise(a, d) for a, d in zip(leaves, dots, strict=True)]))

    def all_zero(self, t: Any) -> bool:
        """Whether every leaf of an argument's tangent is a zero."""
        return all(is_zero(leaf) for leaf in trees.flatten(t)[0])

    def arg_name(self, i: int) -> str:
        """The name of the i-th argument."""
        return self.arg_names[i]

    # -- the primal --------------------------------------------------------------------------

    def evaluate(self, args: tuple[Any, ...]) -> Any:
        """The function itself, on primals as the author wrote them."""
        return self.call("primal", self.primitive.host, self.primitive.fn, args)

    def call(self, what: str, host: bool, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run the primal; on NumPy arrays where it is host."""
        try:
            if not host:
                return fn(*args, **self.statics)
            like = self._first_leaf(args)
            return self.from_host(fn(*self.to_host(args, what), **self.statics), like)
        except RulebookError:
            raise
        except Exception as error:
            raise self.explain(error, what) from error.__cause__

    def primal(self, leaves: Leaves) -> tuple[list[Any], Structure]:
        """The leaves of y and its structure."""
        return self.flatten_result(self.evaluate(self.args(leaves)), "primal")

    def batched(self, axis_size: int, in_batched: Sequence[bool], leaves: Leaves) -> tuple[list[Any], list[bool], Structure]:
        """The leaves of y over a batch axis in front, whether each has it, and the structure, by the batch rule."""
        rule = self.primitive.batch
        assert rule is not None
        flags = self.args(in_batched)
        out = self.run(rule, lambda *args: rule.fn(axis_size, flags, *args, **self.statics), *self.args(leaves))
        y, out_batched = self.pair(out, rule, "(y, out_batched)")
        ys, structure = self.flatten_result(y, rule.kind)
        if isinstance(out_batched, bool):
            return ys, [out_batched] * len(ys), structure
        fail = lambda path, expected, got: self.output_error(path, expected, got, rule.kind)
        return ys, [bool(b) for b in trees.flatten_like(structure, out_batched, fail, "out_batched")], structure

    def flatten_result(self, y: Any, what: str) -> tuple[list[Any], Structure]:
        """The leaves of y as values of the engine, and its structure."""
        if y is None:
            raise self.output_error("", "a value", "None", what, "return the result")
        leaves, structure = ([y], LEAF) if self.engine.owns(type(y)) else trees.flatten(y)
        return [self._result_leaf(leaf, path, what) for leaf, path in zip(leaves, trees.leaf_paths(structure, "y"), strict=True)], structure

    def _result_leaf(self, leaf: Any, path: str, what: str) -> Any:
        kind = kind_of(type(leaf))
        if kind == self.engine.name:
            return leaf
        if kind != NUMPY:
            raise self.output_error(path, f"an array of {self.engine.name}", f"a {type(leaf).__name__}", what, "return arrays or numbers")
        return self.engine.asarray(leaf)

    # -- host code ---------------------------------------------------------------------------

    def to_host(self, tree: Any, what: str) -> Any:
        """A tree with the engine's values as NumPy arrays."""
        leaves, structure = trees.flatten(tree)
        try:
            return structure.unflatten(iter([self._leaf_to_host(leaf) for leaf in leaves]))
        except TracedValueError as error:
            raise self.host_error(what) from error

    def _leaf_to_host(self, leaf: Any) -> Any:
        return self.engine.to_numpy(leaf) if kind_of(type(leaf)) == self.engine.name else leaf

    def from_host(self, tree: Any, like: Any) -> Any:
        """A tree with NumPy values as the engine's."""
        leaves, structure = trees.flatten(tree)
        made = [self.engine.asarray(leaf, like) if kind_of(type(leaf)) == NUMPY else leaf for leaf in leaves]
        return structure.unflatten(iter(made))

    def _first_leaf(self, args: tuple[Any, ...]) -> Any:
        leaves = trees.flatten(args)[0]
        return next((leaf for leaf in leaves if kind_of(type(leaf)) == self.engine.name), None)

    def host_error(self, what: str) -> RulebookError:
        """A host function met a value without concrete numbers."""
        kind = HigherOrderError if what != "primal" else self.engine.traced_host_error
        return kind(
            f"{what} of {self.name} (engine {self.engine.name}), which is host code.",
            "concrete values",
            "values that are being traced or differentiated",
            "write it with rb.xp and without host=True, or call it outside the transformation",
        )

    # -- forward -----------------------------------------------------------------------------

    def joint(
        self, leaves: Leaves, tangents: Leaves, primal: Callable[[tuple[Any, ...]], Any] | None = None
    ) -> tuple[list[Any], list[Any], Structure]:
        """The leaves of y, those of y_dot (None where zero), and the structure; the primal runs once.

        Args:
            leaves: the values of the arguments.
            tangents: one per leaf; None where zero or where there is no tangent.
            primal: how the rule evaluates the function; the function itself by default.
        """
        if self.forward is None and self.reverse is not None:
            return derive.joint_from_reverse(self, leaves, tangents, primal)
        rule = self._need_forward()
        args = self.args(leaves)
        if rule.host and rule.given_output:  # only the map is host code: the primal sees the engine's values
            ys, structure = self.flatten_result((primal or self.evaluate)(args), "primal")
            return ys, self.push(ys, structure, leaves, tangents, primal), structure
        dots = self.tangent_args(leaves, tangents, rule.symbolic_zeros)
        y, y_dot = self.run(rule, lambda a, d: rule.joint(self, primal or self.evaluate, a, d), args, dots)
        ys, structure = self.flatten_result(y, rule.kind)
        return ys, self.fit_tangents(rule, ys, structure, y_dot), structure

    def push(
        self, ys: Leaves, structure: Structure, leaves: Leaves, tangents: Leaves, primal: Callable[[tuple[Any, ...]], Any] | None = None
    ) -> list[Any]:
        """The leaves of y_dot (None where zero), given those of y; the primal does not run unless the rule is an frule."""
        if self.forward is None and self.reverse is not None:
            pull = lambda bars, wanted=None: self.pull(ys, structure, leaves, bars, wanted)
            return derive.push_from_reverse(self, ys, leaves, tangents, pull)
        rule = self._need_forward()
        dots = self.tangent_args(leaves, tangents, rule.symbolic_zeros)
        y = structure.unflatten(iter(ys))
        y_dot = self.run(rule, lambda y, a, d: rule.push(self, primal or self.evaluate, y, a, d), y, self.args(leaves), dots)
        return self.fit_tangents(rule, ys, structure, y_dot)

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

    def _need_forward(self) -> Forward:
        if self.forward is None:
            raise self.missing("forward")
        return self.forward

    # -- reverse -----------------------------------------------------------------------------

    def start(
        self, leaves: Leaves, primal: Callable[[tuple[Any, ...]], Any] | None = None
    ) -> tuple[list[Any], Structure, Callable[..., list[Any]]]:
        """The leaves of y, its structure, and the pullback of leaves; the primal runs once.

        The pullback is `pull(cotangents, wanted=None) -> cotangents of the leaves`: a cotangent may be
        None where it is zero; `wanted` tells which are needed, all by default; the others come as None.
        """
        if self.reverse is None and self.forward is not None:
            return derive.start_from_forward(self, leaves, primal)
        rule = self._need_reverse()
        args = self.args(leaves)
        if rule.host and rule.given_output:
            ys, structure = self.flatten_result((primal or self.evaluate)(args), "primal")
            return ys, structure, lambda cotangents, wanted=None: self.pull(ys, structure, leaves, cotangents, wanted)
        y, pull = self.run(rule, lambda a: rule.start(self, primal or self.evaluate, a), args)
        ys, structure = self.flatten_result(y, rule.kind)
        like = tuple(ys)

        def pull_leaves(cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
            y_bar = self.cotangent_tree(rule, like, structure, cotangents)
            return self.fit_cotangents(rule, leaves, self.run(rule, pull, y_bar), wanted)

        return ys, structure, pull_leaves

    def pull(self, ys: Leaves, structure: Structure, leaves: Leaves, cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
        """The cotangents of the leaves, given those of y; the primal does not run unless the rule is an rrule."""
        if self.reverse is None and self.forward is not None:
            return self.start(leaves)[2](cotangents, wanted)
        rule = self._need_reverse()
        y_bar = self.cotangent_tree(rule, ys, structure, cotangents)
        y = structure.unflatten(iter(ys))
        found = self.run(rule, lambda y, a, b: rule.pull(self, y, a, b), y, self.args(leaves), y_bar)
        return self.fit_cotangents(rule, leaves, found, wanted)

    def cotangent_tree(self, rule: Rule, ys: Leaves, structure: Structure, cotangents: Leaves) -> Any:
        """The cotangent of y as the rule wants it."""
        if not rule.symbolic_zeros:
            cotangents = [self._materialise(y, c) for y, c in zip(ys, cotangents, strict=True)]
        return cotangents[0] if structure is LEAF else structure.unflatten(iter(cotangents))

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
        if isinstance(c, Thunk):
            c = self.run(rule, c.fn)
        if is_zero(c) or not self.engine.has_tangent(x):
            return None
        if isinstance(c, NotImplementedTangent):
            raise self.not_implemented(rule, self.paths[i], c)
        path = f"cotangent of {self.paths[i]}"
        return self.engine.settle(self._same_shape(rule, self._engine_leaf(rule, c, x, path), x, path), x)

    def _need_reverse(self) -> Reverse:
        if self.reverse is None:
            raise self.missing("reverse")
        return self.reverse

    def captured(self, is_active: Callable[[Any], bool]) -> RuleSignatureError | None:
        """The error for a value being differentiated that the author's code reads past its arguments; None if there is none."""
        for part in self._suspects:
            path = captures.find_captured(part, is_active)
            if path is not None:
                return RuleSignatureError(
                    f"{self.name} (engine {self.engine.name}), {path or 'a static'}.",
                    "values that are traced or differentiated among the positional arguments only",
                    f"{path or 'one'}, captured by the primal or a rule",
                    f"pass {path or 'it'} as a positional argument",
                )
        return None

    # -- running and checking rules ------------------------------------------------------------

    def run(self, rule: Rule, fn: Callable[..., Any], *args: Any) -> Any:
        """Run the author's code; on NumPy arrays where the rule is host; name the rule where it raises."""
        try:
            if not rule.host:
                return fn(*args)
            out = fn(*self.to_host(args, rule.kind))
            return out if callable(out) else self._from_host_pair(out, self._first_leaf(args))
        except RulebookError:
            raise
        except Exception as error:
            raise self.explain(error, rule.kind) from error.__cause__

    def _from_host_pair(self, out: Any, like: Any) -> Any:
        if isinstance(out, tuple) and len(out) == 2 and callable(out[1]):
            return self.from_host(out[0], like), out[1]
        return self.from_host(out, like)

    def explain(self, error: Exception, what: str) -> Exception:
        """The author's error with a note that says where it was raised, to be raised again.

        Raises:
            RuleSignatureError: NumPy code met a traced value.
        """
        if self.engine.is_traced_error(error):
            raise RuleSignatureError(
                f"{what} of {self.name} (engine {self.engine.name}).",
                "code that takes traced values",
                f"NumPy code: {type(error).__name__}",
                "write it with rb.xp, or mark it host=True",
            ) from error
        note = f"Raised in the {what} of {self.name}, engine {self.engine.name}."
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return error

    def pair(self, out: Any, rule: Rule, expected: str) -> tuple[Any, Any]:
        """What an frule or rrule returned, if it is a pair."""
        if not (isinstance(out, tuple) and len(out) == 2):
            got = "None" if out is None else f"a tuple of {len(out)}" if isinstance(out, tuple) else f"a {type(out).__name__}"
            raise self.output_error("", f"the pair {expected}", got, rule.kind, f"return {expected}")
        return out

    def arity(self, out: Any, n: int, rule: Rule, what: str) -> tuple[Any, ...]:
        """What a rule returned, if it is a tuple with one entry per argument."""
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
            return value
        if kind != NUMPY or getattr(value, "dtype", np.dtype(float)).kind not in "fciub":
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

    # -- what the scalar forms need ------------------------------------------------------------

    def conj(self, value: Any) -> Any:
        """The complex conjugate; real values pass."""
        if kind_of(type(value)) == self.engine.name:
            return self.engine.conj(value) if self.engine.is_complex(value) else value
        return np.conj(value)

    def spread(self, value: Any, y: Any) -> Any:
        """A tangent broadcast to the shape of y."""
        shape = np.shape(value) if kind_of(type(value)) == NUMPY else value.shape
        return value if shape == y.shape else self.engine.broadcast(value, y)

    def gather(self, value: Any, x: Any) -> Any:
        """A cotangent summed over the axes that were broadcast."""
        return self.engine.project(x, value)

    # -- errors ------------------------------------------------------------------------------

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
        write = "@rb.frule or @rb.pushforward" if direction == "forward" else "@rb.rrule or @rb.pullback"
        has = (
            "no rule"
            if self.forward is None and self.reverse is None
            else f"a {'reverse' if direction == 'forward' else 'forward'} rule only"
        )
        return RuleMissingError(
            f"{self.name} (engine {self.engine.name}).",
            f"a {direction} rule",
            has,
            f"write one with {write}({self.name.rpartition('.')[2]})",
        )
