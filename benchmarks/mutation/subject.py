"""A right rule as the benchmark sees it: the function, its rule functions, and how its points are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.errors import RuleOutputError
from rulebook.signature import Signature

__all__ = ["FORMS", "FORWARD", "Parts", "Point", "Subject", "has_tangent", "normal", "option", "subject", "tree_map"]

FORMS = ("frule", "rrule", "pushforward", "pullback")
FORWARD = ("frule", "pushforward")

NEAR = 1e-3  # how far explicit cases are moved, relatively

Draw = Callable[[np.random.Generator], Any]


def has_tangent(x: Any) -> bool:
    """Whether a leaf can be perturbed."""
    return isinstance(x, (float, complex, np.ndarray, np.generic)) and np.asarray(x).dtype.kind in "fc"


def tree_map(fn: Callable[[Any], Any], tree: Any) -> Any:
    """A container with each leaf replaced."""
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([fn(leaf) for leaf in leaves]))


def _sum(primal: Any, step: Any) -> Any:
    """A primal and a step of its structure, added leaf by leaf in the dtype of the primal."""
    leaves, structure = trees.flatten(primal)
    steps = trees.flatten_like(structure, step, lambda path, expected, got: RuleOutputError(path, expected, got, ""))
    moved = [x if t is None else (np.asarray(x) + t).astype(np.asarray(x).dtype)[()] for x, t in zip(leaves, steps, strict=True)]
    return structure.unflatten(iter(moved))


@dataclass(frozen=True)
class Point:
    """One call: primals and every static, defaults applied."""

    args: tuple[Any, ...]
    static: dict[str, Any]


class Parts:
    """A function, its rules and its cases, with state of their own where they have any.

    Args:
        made: what `rulebook.testing.Rule` takes.
        accuracy: of the function, where that does not say it.
    """

    def __init__(self, made: dict[str, Any], accuracy: float = 0.0) -> None:
        self.made = made
        self.f: Callable[..., Any] = made["f"]
        self.rules: dict[str, Callable[..., Any]] = {k: made[k] for k in FORMS if made.get(k) is not None}
        self.accuracy: float = made.get("accuracy") or accuracy
        self.tangent_space: Callable[[int, Any], Any] | None = made.get("tangent_space")
        self.signature = Signature(self.f, getattr(self.f, "__name__", "f"))
        cases = made["cases"]
        self.cases: Sequence[Any] = cases if isinstance(cases, Sequence) else (cases,)

    def point(self, i: int, rng: np.random.Generator) -> Point:
        """The i-th point: the cases by turns, drawn anew where they are functions."""
        case = self.cases[i % len(self.cases)]
        drawn = case(rng) if callable(case) else case
        args, static = (drawn, {}) if isinstance(drawn, tuple) else (drawn.args, drawn.static)
        args, static = self.signature.bind(tuple(args), static)
        return Point(args if callable(case) else self._near(args, rng), static)

    def _near(self, args: tuple[Any, ...], rng: np.random.Generator) -> tuple[Any, ...]:
        """An explicit case, most times moved a little: a rule is no rule for one point."""
        if rng.random() < 0.3:
            return args
        steps = tuple(tree_map(lambda x: NEAR * np.abs(x) * rng.standard_normal(np.shape(x)) if has_tangent(x) else None, a) for a in args)
        if self.tangent_space is not None:
            steps = tuple(None if t is None else self.tangent_space(k, t) for k, t in enumerate(steps))
        return tuple(_sum(a, t) for a, t in zip(args, steps, strict=True))

    def to_check(self, form: str | None = None, mutant: Callable[..., Any] | None = None) -> Any:
        """The `rulebook.testing.Rule`, with one rule function replaced by a mutant of it."""
        from rulebook.testing import Rule

        return Rule(**{**self.made, **({form: mutant} if form else {})})


@dataclass(frozen=True)
class Subject:
    """A right rule.

    Attributes:
        name: how tables call it.
        make: gives its parts, with fresh state at each call.
        accuracy: of the function, where the rule does not declare it.
    """

    name: str
    make: Callable[[], dict[str, Any]]
    accuracy: float = 0.0

    def parts(self) -> Parts:
        """Fresh parts."""
        return Parts(self.make(), self.accuracy)


def subject(f: Callable[..., Any], **parts: Any) -> Subject:
    """A right rule without state, named after its function and its module."""
    module = f.__module__.rpartition(".")[2]
    return Subject(f"{module}.{f.__name__}", lambda: {"f": f, **parts})


def normal(*shapes: tuple[int, ...], scale: float = 1.0) -> Draw:
    """A case: one normal array for each shape."""
    return lambda rng: tuple(scale * rng.standard_normal(s) for s in shapes)


def option(draw: Draw, **choices: Sequence[Any]) -> Draw:
    """A case with statics drawn from lists."""
    return lambda rng: rb.case(*draw(rng), **{k: v[int(rng.integers(len(v)))] for k, v in choices.items()})
