"""One primitive at one structure, one set of statics and one engine: what every bridge translates.

A NormalForm is a function of flat leaves.  It puts the arguments together as the author wrote
them, fills in zeros, runs the author's rule (host code through `rulebook.hosted`), and checks and projects what the rule returns, so
that a bridge only has to carry leaves to its engine and back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook import captures, derive, packs, trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, kind_of
from rulebook.errors import RulebookError, RuleSignatureError
from rulebook.forms import Forward, Reverse, Rule, ZeroForward, ZeroReverse
from rulebook.hosted import Hosted
from rulebook.numpy_engine import NumpyEngine
from rulebook.outputs import Outputs
from rulebook.tangents import is_zero
from rulebook.trees import LEAF, Structure

if TYPE_CHECKING:
    from rulebook.primitive import Primitive

__all__ = ["NormalForm"]

Leaves = Sequence[Any]


class NormalForm(Outputs):
    """A primitive specialised once per structure, statics and engine.

    Args:
        primitive: the primitive.
        engine: the engine.
        structure: that of the arguments.
        opaque: position -> a leaf that is no number.
        statics: every static.
        takes_values: host code is handed the values of the engine, and gives such.

    Attributes:
        name: of the primitive, for messages.
        n: the number of array leaves.
        paths: the name of each array leaf, as `params['w']`.
        flat: whether the arguments are the leaves themselves.
        forward, reverse: the registered rules, or None.
        host: what of it is host code, or None.
        all_zero_rules: whether all that is registered says that every derivative is zero.
    """

    def __init__(
        self,
        primitive: Primitive,
        engine: Engine,
        structure: Structure,
        opaque: dict[int, Any],
        statics: dict[str, Any],
        takes_values: bool = False,
    ) -> None:
        packs.load()
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
        self.host = host = None if takes_values else self._hosted()
        self._host_primal = host if primitive.host else None
        self._host_forward = host if getattr(self.forward or self.reverse, "host", False) else None
        self._host_reverse = host if getattr(self.reverse or self.forward, "host", False) else None
        written = [rule for rule in (self.forward, self.reverse) if rule is not None]
        self.all_zero_rules = bool(written) and all(isinstance(rule, (ZeroForward, ZeroReverse)) for rule in written)

    @property
    def forward_is_host(self) -> bool:
        """Whether the forward direction runs host code, which no engine can transpose."""
        return self._host_forward is not None

    @functools.cached_property
    def arg_of_leaf(self) -> tuple[int, ...]:
        """The number of the argument that each array leaf is in."""
        every = [k for k, child in enumerate(self.structure.children) for _ in range(child.n_leaves)]
        return tuple(k for i, k in enumerate(every) if i not in self.opaque)

    def _hosted(self) -> Hosted | None:
        """The host parts, for an engine whose values are not NumPy's."""
        if self.engine.runs_host_code or not any(getattr(p, "host", False) for p in (self.primitive, self.forward, self.reverse)):
            return None
        numpy = NormalForm(self.primitive, NumpyEngine(self.engine.name), self.structure, self.opaque, self.statics)
        return Hosted(self, numpy)

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
        if self._host_primal is not None:
            leaves = args if self.flat else [x for i, x in enumerate(trees.flatten(args)[0]) if i not in self.opaque]
            ys, structure = self._host_primal.primal(leaves)
            return structure.unflatten(iter(ys))
        try:
            return self.primitive.fn(*args, **self.statics)
        except RulebookError:
            raise
        except Exception as error:
            raise self.explain(error, "primal") from error.__cause__

    def primal(self, leaves: Leaves) -> tuple[list[Any], Structure]:
        """The leaves of y and its structure."""
        if self._host_primal is not None:
            return self._host_primal.primal(leaves)
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
            if self._host_forward is not None:
                return self._joint_host(self.reverse, self._host_forward, leaves, tangents, primal)
            return derive.joint_from_reverse(self, leaves, tangents, primal)
        rule = self._need_forward()
        if self._host_forward is not None:
            return self._joint_host(rule, self._host_forward, leaves, tangents, primal)
        args = self.args(leaves)
        dots = self.tangent_args(leaves, tangents, rule.symbolic_zeros)
        y, y_dot = self.run(rule, lambda a, d: rule.joint(self, primal or self.evaluate, a, d), args, dots)
        ys, structure = self.flatten_result(y, rule.kind)
        return ys, self.fit_tangents(rule, ys, structure, y_dot), structure

    def push(
        self, ys: Leaves, structure: Structure, leaves: Leaves, tangents: Leaves, primal: Callable[[tuple[Any, ...]], Any] | None = None
    ) -> list[Any]:
        """The leaves of y_dot (None where zero), given those of y; the primal does not run unless the rule is an frule."""
        if self._host_forward is not None:
            return self._host_forward.push(ys, structure, leaves, tangents)
        if self.forward is None and self.reverse is not None:
            once = self.engine.runs_host_code and not self.reverse.given_output  # one pullback for all rows
            pull = self.start(leaves)[2] if once else lambda bars, wanted=None: self.pull(ys, structure, leaves, bars, wanted)
            return derive.push_from_reverse(self, ys, leaves, tangents, pull)
        rule = self._need_forward()
        dots = self.tangent_args(leaves, tangents, rule.symbolic_zeros)
        y = structure.unflatten(iter(ys))
        y_dot = self.run(rule, lambda y, a, d: rule.push(self, primal or self.evaluate, y, a, d), y, self.args(leaves), dots)
        return self.fit_tangents(rule, ys, structure, y_dot)

    def _joint_host(
        self, rule: Rule, host: Hosted, leaves: Leaves, tangents: Leaves, primal: Callable[[tuple[Any, ...]], Any] | None
    ) -> tuple[list[Any], list[Any], Structure]:
        """The same by a host rule; where it is given y, only the map is host code."""
        if not rule.given_output:
            return host.joint(leaves, tangents)
        ys, structure = self.flatten_result((primal or self.evaluate)(self.args(leaves)), "primal")
        return ys, host.push(ys, structure, leaves, tangents), structure

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
        if self._host_reverse is not None:
            return self._start_host(self.reverse or self._need_forward(), self._host_reverse, leaves, primal)
        if self.reverse is None and self.forward is not None:
            return derive.start_from_forward(self, leaves, primal)
        rule = self._need_reverse()
        args = self.args(leaves)
        y, pull = self.run(rule, lambda a: rule.start(self, primal or self.evaluate, a), args)
        ys, structure = self.flatten_result(y, rule.kind)
        return ys, structure, self.pull_of(rule, pull, tuple(ys), structure, leaves)

    def pull_of(
        self, rule: Reverse, pull: Callable[[Any], Any], like: Leaves, structure: Structure, leaves: Leaves
    ) -> Callable[..., list[Any]]:
        """The pullback of leaves that an author's pullback of trees is.

        Args:
            rule: which gave it.
            pull: the author's.
            like: what is shaped like the leaves of y.
            structure: that of y.
            leaves: what is shaped like the arguments.
        """

        def pull_leaves(cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
            y_bar = self.cotangent_tree(rule, like, structure, cotangents)
            return self.fit_cotangents(rule, leaves, self.run(rule, pull, y_bar), wanted)

        return pull_leaves

    def _start_host(
        self, rule: Rule, host: Hosted, leaves: Leaves, primal: Callable[[tuple[Any, ...]], Any] | None
    ) -> tuple[list[Any], Structure, Callable[..., list[Any]]]:
        """The same by a host rule; where it is given y, only the map is host code."""
        if not rule.given_output:
            return host.start(leaves)
        ys, structure = self.flatten_result((primal or self.evaluate)(self.args(leaves)), "primal")
        return ys, structure, lambda cotangents, wanted=None: host.pull(ys, structure, leaves, cotangents, wanted)

    def pull(self, ys: Leaves, structure: Structure, leaves: Leaves, cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
        """The cotangents of the leaves, given those of y; the primal does not run unless the rule is an rrule."""
        if self._host_reverse is not None:
            return self._host_reverse.pull(ys, structure, leaves, cotangents, wanted)
        if self.reverse is None and self.forward is not None:
            return derive.pull_from_forward(self, ys, structure, leaves, cotangents, wanted)
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
        """Run the author's code; name the rule where it raises."""
        try:
            return fn(*args)
        except RulebookError:
            raise
        except Exception as error:
            raise self.explain(error, rule.kind) from error.__cause__

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
