"""A function and its rules at one point, as functions of vectors."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rulebook import forms, trees
from rulebook.errors import RulebookError, RuleMissingError
from rulebook.normal import NormalForm
from rulebook.numpy_engine import NumpyEngine
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero
from rulebook.testing.points import Point
from rulebook.testing.spaces import Array, Space, moves, normal_leaf
from rulebook.testing.subject import Subject
from rulebook.testing.verdicts import Broken, LeftOut, short

__all__ = ["Pull", "Trial"]

_ENGINE = NumpyEngine()
_MISSING = (None, NotImplementedTangent("raised RuleMissingError"))
_NUMBERS = (np.ndarray, np.generic, int, float, complex)
_CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
_ARRAYS = (np.ndarray, np.float64)
_FIXED = (str, bytes, int, float, complex, bool, type(None), np.generic, *_CODE)


def fresh(value: Any) -> Any:
    """A copy that may be changed without harm; functions, modules and what cannot be copied stay."""
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.copy("K")  # some rules depend on how an array lies in memory
    if isinstance(value, _FIXED):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


@dataclass
class Pull:
    """A started reverse rule.

    Attributes:
        y: the rule's own primal, as it was returned.
        pull: the author's pullback.
        args: the very arguments it was started with.
    """

    y: Any
    pull: Callable[[Any], Any]
    args: tuple[Any, ...]


class Trial:
    """One point of one subject.

    Attributes:
        point: where.
        inputs, outputs: the spaces of the arguments and of the result.
        x, y: their vectors, and `finite` which elements of y are.
        y_leaves, y_structure: the result of the function.
        missing: for each rule, which elements of what it returns are not implemented, and `reasons` what it says about that.
    """

    def __init__(self, subject: Subject, point: Point) -> None:
        self.subject = subject
        self.point = point
        self.statics = point.statics
        leaves, self.structure = trees.flatten(point.args)
        self.leaves = [normal_leaf(leaf) for leaf in leaves]
        self.paths = self._named()
        self.inputs = Space.of(subject.spaces, self.leaves, self.paths)
        self.x = self.inputs.pack([self.leaves[i] for i in self.inputs.at])
        self._copy_statics = not all(isinstance(v, _FIXED) for v in self.statics.values())
        self.last_statics = self.statics  # what the rule that ran last was given
        self._flat = all(child is trees.LEAF for child in self.structure.children)
        self._vectors = self._flat and len(self.inputs.at) == len(self.leaves)  # whether the arguments are what a vector is made of
        self._form: NormalForm | None = None
        self.missing: dict[forms.Rule, Array] = {}
        self.reasons: dict[forms.Rule, str] = {}
        self.y_leaves, self.y_structure = self._evaluate()
        self.y_paths = ["y"] if self.y_structure is trees.LEAF else trees.leaf_paths(self.y_structure, "y")
        self.outputs = Space.of(subject.spaces, self.y_leaves, self.y_paths)
        self._single = self.y_structure is trees.LEAF and len(self.outputs.at) == 1
        self.y = self.outputs.pack([self.y_leaves[i] for i in self.outputs.at])
        self.finite = np.isfinite(self.y)

    def _named(self) -> list[str]:
        """The path of every leaf of the arguments, made once for all points of one structure."""
        known = self.subject.paths.get(self.structure)
        if known is None:
            names = self.subject.signature.primal_names(len(self.structure.children))
            known = [p for name, child in zip(names, self.structure.children, strict=True) for p in trees.leaf_paths(child, name)]
            self.subject.paths[self.structure] = known
        return known

    # -- the function ----------------------------------------------------------------------------

    def args(self, x: Array | None = None, lift: bool = False) -> tuple[Any, ...]:
        """Fresh arguments; those that have a tangent from a vector."""
        if x is None:
            leaves = [fresh(leaf) for leaf in self.leaves]
        elif self._vectors:
            return tuple(self.inputs.unpack(x, lift))
        else:
            made = dict(zip(self.inputs.at, self.inputs.unpack(x, lift), strict=True))
            leaves = [made[i] if i in made else fresh(leaf) for i, leaf in enumerate(self.leaves)]
        if self._flat:
            return tuple(leaves)
        return cast(tuple[Any, ...], self.structure.unflatten(iter(leaves)))

    def fresh_statics(self) -> dict[str, Any]:
        """Fresh statics, so that a seeded generator starts anew."""
        return {k: fresh(v) for k, v in self.statics.items()} if self._copy_statics else self.statics

    def _evaluate(self) -> tuple[list[Any], trees.Structure]:
        try:
            y = self.subject.fn(*self.args(), **self.fresh_statics())
        except (Exception, SystemExit) as error:
            raise LeftOut(f"the function raises {type(error).__name__}: {short(error)}") from error
        leaves, structure = trees.flatten(y)
        return [normal_leaf(leaf) for leaf in leaves], structure

    def f(self, x: Array, lift: bool = False) -> Array | None:
        """The result at other values of the arguments; None where it is not defined or has another shape."""
        try:
            y = self.subject.fn(*self.args(x, lift), **self.fresh_statics())
            if self._single and type(y) in _ARRAYS and y.shape == self.outputs.shapes[0] and y.dtype.kind in "fc":
                return np.array(y).reshape(-1)  # the usual case, without the detour over containers
            leaves, structure = trees.flatten(y)
        except (Exception, SystemExit):
            return None
        if structure != self.y_structure:
            return None
        values = [np.asarray(leaves[i]) for i in self.outputs.at]
        if any(v.shape != shape or v.dtype.kind not in "fc" for v, shape in zip(values, self.outputs.shapes, strict=True)):
            return None
        return np.concatenate([np.zeros(0), *(v.reshape(-1) for v in values)])

    def y_tree(self) -> Any:
        """A fresh copy of the function's result."""
        if self.y_structure is trees.LEAF:
            return fresh(self.y_leaves[0])
        return self.y_structure.unflatten(iter([fresh(leaf) for leaf in self.y_leaves]))

    # -- the rules -------------------------------------------------------------------------------

    def form(self) -> NormalForm:
        """What rule objects are run with."""
        if self._form is None:
            self._form = self.subject.forms.get(self.structure) or self._new_form()
        self._form.statics = self.last_statics = self.fresh_statics()
        return self._form

    def _new_form(self) -> NormalForm:
        opaque = {i: leaf for i, leaf in enumerate(self.leaves) if not isinstance(leaf, _NUMBERS)}
        form = NormalForm(self.subject.primitive, _ENGINE, self.structure, opaque, self.statics)
        if not opaque:
            self.subject.forms[self.structure] = form
        return form

    def _run(self, rule: forms.Rule, call: Callable[[], Any]) -> Any:
        """Run the author's code; whatever it raises breaks a law."""
        try:
            return call()
        except Broken:
            raise
        except RuleMissingError:
            return _MISSING
        except RulebookError as error:
            which, *parts = str(error).split("\n")
            text = dict(p.split(": ", 1) for p in parts if ": " in p)
            raise Broken(
                "form", rule, text.get("Expected", "what the contract asks for"), text.get("Got", which), do=text.get("Do", "")
            ) from error
        except (Exception, SystemExit) as error:
            got = f"{type(error).__name__}: {short(error, 200)}"
            raise Broken("runs", rule, "a result, as the function gives one", got) from error

    def tangent_args(self, v: Array) -> tuple[Any, ...]:
        """A vector as the tangents of the arguments."""
        if self._vectors:
            return tuple(self.inputs.unpack(v))
        leaves = self.inputs.spread(self.inputs.unpack(v))
        if self._flat:
            return tuple(leaves)
        return cast(tuple[Any, ...], self.structure.unflatten(iter(leaves)))

    def cotangent_tree(self, w: Array) -> Any:
        """A vector as the cotangent of the result."""
        if self._single:
            return self.outputs.unpack(w)[0]
        return self.y_structure.unflatten(iter(self.outputs.spread(self.outputs.unpack(w))))

    def joint(
        self, rule: forms.Forward, tangents: tuple[Any, ...], args: tuple[Any, ...] | None = None, y: Any = None, symbolic: bool = True
    ) -> tuple[Any, Any]:
        """What a forward rule returns: (y, y_dot) as it is; a rule that is given y gets the function's."""
        args = self.args() if args is None else args

        def primal(at: tuple[Any, ...]) -> Any:
            if at is not args:  # a linear function is its own pushforward
                return self.subject.fn(*at, **self.fresh_statics())
            return self.y_tree() if y is None else y

        if rule.symbolic_zeros and symbolic:
            tangents = self._symbolic(tangents)
        return cast(tuple[Any, Any], self._run(rule, lambda: rule.joint(self.form(), primal, args, tangents)))

    def _symbolic(self, tangents: tuple[Any, ...]) -> tuple[Any, ...]:
        """Tangents with None for those that are zero."""
        leaves, structure = trees.flatten(tangents)
        return cast(tuple[Any, ...], structure.unflatten(iter([leaf if np.any(leaf) else None for leaf in leaves])))

    def push(self, rule: forms.Forward, v: Array, x: Array | None = None) -> Array:
        """The vector of y_dot along a vector of tangents."""
        if x is None:
            return self.fit_tangent(rule, self.joint(rule, self.tangent_args(v))[1])
        return self.fit_tangent(rule, self.joint(rule, self.tangent_args(v), self.args(x), self.y_at(x))[1])

    def y_at(self, x: Array) -> Any:
        """The function's result at other values, as it is."""
        try:
            return self.subject.fn(*self.args(x), **self.fresh_statics())
        except (Exception, SystemExit) as error:
            raise LeftOut(f"the function raises {type(error).__name__} near the point") from error

    def start(self, rule: forms.Reverse, x: Array | None = None, args: tuple[Any, ...] | None = None, y: Any = None) -> Pull:
        """A reverse rule started at the point, or at other values, or with these very arguments and result."""
        if args is None:
            args = self.args() if x is None else self.args(x)
        if y is None and (rule.given_output or x is None):
            y = self.y_tree() if x is None else self.y_at(x)
        value, pull = self._run(rule, lambda: rule.start(self.form(), lambda _: y, args))
        if not callable(pull):
            raise Broken("form", rule, "the pair (y, pullback)", f"(y, a {type(pull).__name__})", do="return (y, pullback)")
        return Pull(value, pull, args)

    def raw_pull(self, rule: forms.Reverse, started: Pull, y_bar: Any) -> tuple[Any, ...]:
        """What a started rule returns for a cotangent tree, as it is."""
        out = self._run(rule, lambda: started.pull(y_bar))
        return cast(tuple[Any, ...], self._run(rule, lambda: self.form().arity(out, len(self.structure.children), rule, "cotangent")))

    @staticmethod
    def has_thunks(cotangents: tuple[Any, ...]) -> bool:
        """Whether any returned cotangent is a thunk."""
        return any(isinstance(leaf, Thunk) for leaf in trees.flatten(cotangents)[0])

    def force_backwards(self, rule: forms.Reverse, cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        """The cotangents with every thunk called, the last one first."""
        leaves, structure = trees.flatten(cotangents)
        made = [self._run(rule, leaf.fn) if isinstance(leaf, Thunk) else leaf for leaf in reversed(leaves)]
        return cast(tuple[Any, ...], structure.unflatten(iter(made[::-1])))

    def joint_dense(self, rule: forms.Forward, v: Array) -> Array:
        """The vector of y_dot with every tangent an array, also for a rule that takes None for zeros."""
        return self.fit_tangent(rule, self.joint(rule, self.tangent_args(v), symbolic=False)[1])

    def pull_tree(self, rule: forms.Reverse, started: Pull, y_bar: Any) -> Array:
        """The vector of the cotangents that a started rule gives for a cotangent tree."""
        return self.fit_cotangents(rule, self._run(rule, lambda: started.pull(y_bar)))

    def pull(self, rule: forms.Reverse, started: Pull, w: Array) -> Array:
        """The vector of the cotangents for a vector of y_bar."""
        return self.pull_tree(rule, started, self.cotangent_tree(w))

    # -- what rules return -------------------------------------------------------------------------

    def fit_y(self, rule: forms.Rule, y: Any) -> tuple[list[Any], Array]:
        """The leaves of a rule's own primal, and their vector; of the function's structure, shapes and dtypes."""
        return cast(tuple[list[Any], Array], self._run(rule, lambda: self._fit_y(rule, y)))

    def _usual(self, y: Any) -> bool:
        """Whether a result or its tangent is the single array that it should be."""
        return self._single and type(y) in _ARRAYS and y.shape == self.outputs.shapes[0] and y.dtype == self.outputs.dtypes[0]

    def _fit_y(self, rule: forms.Rule, y: Any) -> tuple[list[Any], Array]:
        if self._usual(y):
            return [y], self.outputs.pack([y])
        leaves, structure = trees.flatten(y)
        if structure != self.y_structure:
            raise Broken("primal", rule, f"y of structure {self.y_structure!r}", f"structure {structure!r}", argument="y")
        values = []
        for i, (got, want) in enumerate(zip(leaves, self.y_leaves, strict=True)):
            self._same_kind(rule, got, want, self.y_paths[i])
            if i in self.outputs.at:
                values.append(np.asarray(got))
        return leaves, self.outputs.pack(values)

    def _same_kind(self, rule: forms.Rule, got: Any, want: Any, path: str) -> None:
        if not isinstance(want, _NUMBERS):
            return
        g, w = np.asarray(got), np.asarray(want)
        if g.shape != w.shape or g.dtype != w.dtype:
            raise Broken("primal", rule, f"shape {w.shape}, {w.dtype}", f"shape {g.shape}, {g.dtype}", argument=path)

    def _fail(self, rule: forms.Rule) -> Callable[[str, str, str], RulebookError]:
        def fail(path: str, expected: str, got: str) -> RulebookError:
            raise Broken("form", rule, expected, got, argument=path)

        return fail

    def fit_tangent(self, rule: forms.Forward, y_dot: Any) -> Array:
        """The vector of a returned y_dot, which must have the structure, shapes and dtypes of y."""
        return cast(Array, self._run(rule, lambda: self._fit_tangent(rule, y_dot)))

    def _fit_tangent(self, rule: forms.Forward, y_dot: Any) -> Array:
        if self._usual(y_dot):
            return self.outputs.pack([y_dot])
        if isinstance(y_dot, NotImplementedTangent):
            self._mark(rule, self.outputs, range(len(self.outputs.at)), y_dot)
            return np.zeros(self.outputs.n, self.outputs.dtype)
        single = self.y_structure is trees.LEAF and trees.is_leaf(y_dot)
        dots = [y_dot] if single else trees.flatten_like(self.y_structure, y_dot, self._fail(rule), "y_dot")
        values: list[Any] = []
        for i, (dot, y) in enumerate(zip(dots, self.y_leaves, strict=True)):
            path = "y_dot" + self.y_paths[i][1:]
            if not moves(y):
                self._nothing(rule, dot, path, y)
            else:
                if isinstance(dot, NotImplementedTangent):
                    self._mark(rule, self.outputs, [len(values)], dot)
                values.append(self._tangent(rule, dot, np.asarray(y), path))
        return self.outputs.pack(values)

    def _mark(self, rule: forms.Rule, space: Space, leaves: Iterable[int], why: NotImplementedTangent) -> None:
        """Note which elements a rule does not implement, and what it says about that."""
        self.reasons[rule] = why.why
        mask = self.missing.setdefault(rule, np.zeros(space.n, bool))
        for leaf in leaves:
            mask[space.slices[leaf]] = True

    def _tangent(self, rule: forms.Rule, dot: Any, y: Any, path: str) -> Any:
        if is_zero(dot) or isinstance(dot, NotImplementedTangent):
            return np.zeros(y.shape)
        value = self._array(rule, dot, y, path)
        weak = isinstance(dot, (bool, int, float)) or (type(dot) is complex and y.dtype.kind == "c")
        if value.dtype != y.dtype and not weak:
            raise Broken("form", rule, f"dtype {y.dtype}, as y", f"dtype {value.dtype}", argument=path)
        return value

    def _array(self, rule: forms.Rule, value: Any, like: Any, path: str) -> Any:
        if not isinstance(value, _NUMBERS) or np.asarray(value).dtype.kind not in "fciub":
            raise Broken("form", rule, f"an array of shape {like.shape}", f"a {type(value).__name__}", argument=path)
        array = np.asarray(value)
        if array.shape != like.shape:
            do = "return rb.project(x, x_bar) to sum over broadcast axes" if path.startswith("x_bar") else "give y_dot the shape of y"
            raise Broken("form", rule, f"shape {like.shape}", f"shape {array.shape}", argument=path, do=do)
        return array

    def _nothing(self, rule: forms.Rule, value: Any, path: str, primal: Any) -> None:
        """A leaf without tangent gets none."""
        if isinstance(value, Thunk):
            value = self._run(rule, value.fn)
        if not is_zero(value) and not isinstance(value, NotImplementedTangent):
            kind = primal.dtype if hasattr(primal, "dtype") else type(primal).__name__
            raise Broken("no-tangent", rule, f"None, as {kind} has no tangent", short(value), argument=path)

    def fit_cotangents(self, rule: forms.Reverse, cotangents: Any) -> Array:
        """The vector of returned cotangents, projected onto the dtypes of the arguments."""
        return cast(Array, self._run(rule, lambda: self._fit_cotangents(rule, cotangents)))

    def _fit_cotangents(self, rule: forms.Reverse, cotangents: Any) -> Array:
        if type(cotangents) is not tuple or len(cotangents) != len(self.structure.children):
            cotangents = self.form().arity(cotangents, len(self.structure.children), rule, "cotangent")
        values: list[Any] = []
        at = 0
        for i, (child, x_bar) in enumerate(zip(self.structure.children, cotangents, strict=True)):
            for bar in self._bars(rule, i, child, x_bar):
                like = self.inputs.like[at]
                if type(bar) in _ARRAYS and (bar.shape, bar.dtype) == like:
                    values.append(bar)  # the usual case
                else:
                    self._cotangent(rule, bar, at, values)
                at += 1
        return self.inputs.pack(values)

    def _bars(self, rule: forms.Rule, i: int, child: trees.Structure, x_bar: Any) -> list[Any]:
        if child is trees.LEAF and type(x_bar) in _ARRAYS:
            return [x_bar]
        if isinstance(x_bar, NotImplementedTangent):
            return [x_bar] * child.n_leaves
        if child is not trees.LEAF and isinstance(x_bar, Thunk):
            x_bar = self._run(rule, x_bar.fn)
        name = self.subject.signature.primal_names(len(self.structure.children))[i]
        return trees.flatten_like(child, x_bar, self._fail(rule), f"x_bar of {name}")

    def _cotangent(self, rule: forms.Rule, bar: Any, at: int, values: list[Any]) -> None:
        leaf, path = self.leaves[at], f"x_bar of {self.paths[at]}"
        if not moves(leaf):
            self._nothing(rule, bar, path, leaf)
            return
        if isinstance(bar, Thunk):
            bar = self._run(rule, bar.fn)
        shape = np.shape(leaf)
        if isinstance(bar, NotImplementedTangent):
            self._mark(rule, self.inputs, [len(values)], bar)
        if is_zero(bar) or isinstance(bar, NotImplementedTangent):
            values.append(np.zeros(shape))
        else:
            array = self._array(rule, bar, np.asarray(leaf), path)
            values.append(array.real if array.dtype.kind == "c" and np.asarray(leaf).dtype.kind == "f" else array)

    # -- directions ------------------------------------------------------------------------------

    def project(self, v: Array) -> Array:
        """A vector of tangents (or cotangents) in the declared tangent space."""
        space = self.subject.tangent_space
        if space is None:
            return v
        try:
            made = [space(i, t) if t is not None else None for i, t in enumerate(self.tangent_args(v))]
            return self.inputs.pack([leaf for part in made if part is not None for leaf in trees.flatten(part)[0]]).reshape(v.shape)
        except Exception as error:
            got = f"{type(error).__name__}: {short(error, 200)}"
            do = "return the projected tangent, of the structure and shape of the tangent"
            raise Broken("tangent-space", None, "a projection of the tangent", got, argument="tangent_space", do=do) from error
