"""The conformance suite as data: cases, what a transformation must give, and the oracle that says so.

A case is a primitive with rules whose derivatives carry a marker, a factor of 100, so that a rule
that an engine bypassed shows.  The oracle runs the author's rules on NumPy arrays, forms dense
Jacobians, and gets second derivatives by central differences of the rules.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.engines import load_engine
from rulebook.normal import NormalForm
from rulebook.numpy_engine import NumpyEngine, real_matrix, stack, unstack

MARKER = 100.0
DIRECTIONS = {"forward": frozenset({"forward"}), "reverse": frozenset({"reverse"}), "both": frozenset({"forward", "reverse"})}
_NUMPY = NumpyEngine()


@dataclass(frozen=True)
class Case:
    """A primitive and where to try it.

    Args:
        name: what it shows.
        build: `(directions) -> primitive` with the rules of those directions alone.
        args: `(rng) -> arguments`, NumPy arrays and numbers; another point at each call, of the same shapes.
        static: keyword arguments.
        second: whether the rules can be differentiated.
        directions: the rule sets that the case has.
        host: which of primal, forward and reverse are host code.
        any_order: whether a host rule is differentiable all the same.
    """

    name: str
    build: Callable[[frozenset[str]], Any]
    args: Callable[[np.random.Generator], tuple[Any, ...]]
    static: dict[str, Any] = field(default_factory=dict)
    second: bool = True
    directions: tuple[str, ...] = ("forward", "reverse", "both")
    host: frozenset[str] = frozenset()
    any_order: bool = False


def one_direction(f: Any, directions: frozenset[str]) -> Any:
    """Drop the direction that a rule which writes both should not have."""
    f.forward = f.forward if "forward" in directions else None
    f.reverse = f.reverse if "reverse" in directions else None
    return f


class Problem:
    """A case at one point, flattened: a function of the differentiable arrays alone.

    Attributes:
        xs: the differentiable leaves of the arguments.
        tangents, seconds: two directions in their space.
        bars: a cotangent of the differentiable leaves of the result.
        other: the same problem at a second point; None for that one itself.
    """

    def __init__(self, case: Case, primitive: Any, seed: int, other: bool = True) -> None:
        rng = np.random.default_rng(seed)
        self.case, self.primitive = case, primitive
        self.args = case.args(rng)
        self._leaves, self._structure = trees.flatten(self.args)
        self._at = [i for i, x in enumerate(self._leaves) if np.asarray(x).dtype.kind in "fc"]
        self.xs = [np.asarray(self._leaves[i]) for i in self._at]
        self.tangents = [self._random(rng, x) for x in self.xs]
        self.seconds = [self._random(rng, x) for x in self.xs]
        self.bars = [self._random(rng, y) for y in self.value]
        self.other = Problem(case, primitive, seed + 1000, other=False) if other else None
        self.third = Problem(case, primitive, seed + 2000, other=False) if other else None

    @staticmethod
    def _random(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
        value = rng.normal(size=like.shape)
        if np.iscomplexobj(like):
            value = value + 1j * rng.normal(size=like.shape)
        return np.asarray(value).astype(like.dtype)

    @property
    def batch(self) -> list[Problem]:
        """Three points."""
        return [self, self.other, self.third]  # type: ignore[list-item]

    def fn(self, engine: str) -> Callable[..., tuple[Any, ...]]:
        """The primitive as a function of an engine's values for `xs`, giving the differentiable leaves of y."""
        has_tangent = load_engine(engine).has_tangent

        def flat(*xs: Any) -> tuple[Any, ...]:
            leaves = list(self._leaves)
            for i, x in zip(self._at, xs, strict=True):
                leaves[i] = x
            y = self.primitive(*self._structure.unflatten(iter(leaves)), **self.case.static)
            return tuple(leaf for leaf in trees.flatten(y)[0] if has_tangent(leaf))

        return flat

    # -- the oracle ----------------------------------------------------------------------------

    @cached_property
    def _form(self) -> NormalForm:
        opaque = {i: x for i, x in enumerate(self._leaves) if isinstance(x, str)}
        _, statics = self.primitive.signature.bind(self.args, self.case.static)
        return NormalForm(self.primitive, _NUMPY, self._structure, opaque, statics)

    def _point(self, xs: list[np.ndarray]) -> list[Any]:
        leaves = [np.asarray(x) if not isinstance(x, str) else x for x in self._leaves]
        for i, x in zip(self._at, xs, strict=True):
            leaves[i] = x
        return [x for x in leaves if not isinstance(x, str)]

    @cached_property
    def _primal(self) -> tuple[list[Any], trees.Structure]:
        return self._form.primal(self._point(self.xs))

    @property
    def value(self) -> list[np.ndarray]:
        """The differentiable leaves of y."""
        return [y for y in self._primal[0] if y.dtype.kind in "fc"]

    def _jacobian(self, direction: str, xs: list[np.ndarray], ys: list[Any]) -> np.ndarray:
        """The dense real Jacobian that the rule of a direction gives, at y as it is given."""
        leaves, structure = self._point(xs), self._primal[1]
        places = [i for i, x in enumerate(leaves) if x.dtype.kind in "fc"]
        outs = [i for i, y in enumerate(ys) if y.dtype.kind in "fc"]

        def full(n: int, at: list[int], values: Any) -> list[Any]:
            out: list[Any] = [None] * n
            for i, v in zip(at, values, strict=True):
                out[i] = v
            return out

        def push(*dots: Any) -> Any:
            found = self._form.push(ys, structure, leaves, full(len(leaves), places, dots))
            return [np.zeros_like(ys[o]) if found[o] is None else found[o] for o in outs]

        def pull(*bars: Any) -> Any:
            found = self._form.pull(ys, structure, leaves, full(len(ys), outs, bars))
            return [np.zeros_like(leaves[i]) if found[i] is None else found[i] for i in places]

        if direction == "forward":
            return real_matrix(push, [leaves[i] for i in places])
        return real_matrix(pull, [ys[o] for o in outs]).T

    def jacobian(self, direction: str) -> np.ndarray:
        """J, by the rule that the mode runs: its own if it is written, else the other."""
        return self._jacobian(self._runs(direction), self.xs, self._primal[0])

    def _runs(self, direction: str) -> str:
        written = {"forward": self.primitive.forward, "reverse": self.primitive.reverse}
        return direction if written[direction] is not None else {"forward": "reverse", "reverse": "forward"}[direction]

    def hessian(self, direction: str) -> np.ndarray:
        """H[i, j] = d (J* y_bar)_i / d x_j of the rule of a direction; y moves as the rules say."""
        direction, x, ys = self._runs(direction), stack(self.xs), self._primal[0]
        jacobian, bar = self.jacobian(direction), stack(self.bars)
        step = 1e-5 if all(a.dtype.itemsize >= 8 for a in self.xs) else 1e-3
        columns = []
        for j in range(x.size):
            e = np.eye(x.size)[j] * step
            ends = []
            for sign in (1, -1):
                moved = unstack(x + sign * e, self.xs)
                shift = iter(unstack(sign * jacobian @ e, self.value))
                y_moved = [y + next(shift) if y.dtype.kind in "fc" else y for y in ys]
                ends.append(self._jacobian(direction, list(moved), y_moved).T @ bar)
            columns.append((ends[0] - ends[1]) / (2 * step))
        return np.stack(columns, 1) if columns else np.zeros((0, 0))

    def expected(self, quantity: str) -> np.ndarray:
        """What a transformation must give, as one real vector."""
        if quantity.startswith("batch "):
            return np.concatenate([p.expected(quantity.removeprefix("batch ")) for p in self.batch])
        t, v, c = stack(self.tangents), stack(self.seconds), stack(self.bars)
        match quantity:
            case "value":
                return stack(self.value)
            case "jvp":
                return self.jacobian("forward") @ t
            case "vjp":
                return self.jacobian("reverse").T @ c
            case "forward jacobian":
                return self.jacobian("forward").ravel()
            case "reverse jacobian":
                return self.jacobian("reverse").ravel()
            case "forward over reverse":
                return self.hessian("reverse") @ v
            case "reverse over reverse":
                return self.hessian("reverse").T @ v
            case "reverse over forward":
                return self.hessian("forward").T @ t
            case "forward over forward":
                return np.atleast_1d(t @ self.hessian("forward") @ v)
        raise ValueError(quantity)


@dataclass(frozen=True)
class Transform:
    """One transformation of an engine.

    Args:
        name: the row of the support table.
        quantity: what it gives, a name that Problem.expected knows; "batch ..." for the three points one after the other.
        run: `(problem) -> arrays`, NumPy arrays or the engine's, in the order of `problem.xs` or of y; a batch as a list of such lists.
            For a Jacobian, one real matrix.
        order: 1 or 2.
        refuses: `(case, directions) -> the error class it raises`, or None where it is right.
        carries_host: whether it can hold host code; an exported program cannot.
    """

    name: str
    quantity: str
    run: Callable[[Problem], Any]
    order: int = 1
    refuses: Callable[[Case, frozenset[str]], type[Exception] | None] = lambda case, directions: None
    carries_host: bool = True

    def refused(self, case: Case, directions: frozenset[str]) -> type[Exception] | None:
        """The error class that it raises for a case with a set of rules, or None where it is right."""
        if case.host & {"primal", *directions} and not self.carries_host:
            return rb.RuleMissingError
        if self.order == 2 and case.host & directions and not case.any_order:
            return rb.HigherOrderError
        return self.refuses(case, directions)


def flat_result(found: Any, to_numpy: Callable[[Any], Any]) -> np.ndarray:
    """What a transformation gave, as one real vector."""
    leaves = [np.asarray(to_numpy(x)) for x in trees.flatten(found)[0]]
    return stack(leaves)


def engine_modules() -> dict[str, str]:
    """Each engine that has a module here, by name; a module has `TRANSFORMS`, `to_numpy`, and perhaps a `setting` to run in."""
    from tests.conformance import engines

    return {m.name: f"tests.conformance.engines.{m.name}" for m in pkgutil.iter_modules(engines.__path__)}


def package(name: str) -> str:
    """The package whose presence decides whether an engine is tested: named like the engine, or in rulebook."""
    return name if importlib.util.find_spec(name) else f"rulebook.{name}"


def load(name: str) -> Any:
    """The module of an engine."""
    return importlib.import_module(engine_modules()[name])


def tolerance(problem: Problem, order: int) -> float:
    """Relative to the largest entry: from the dtype; central differences decide at second order."""
    single = any(a.dtype.itemsize < 8 or a.dtype == np.complex64 for a in [*problem.xs, *problem.value])
    return (2e-2 if single else 1e-5) if order == 2 else (2e-5 if single else 1e-10)
