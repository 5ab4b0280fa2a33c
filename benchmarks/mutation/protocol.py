"""Everything that can be seen of a rule at one point: a fixed course of calls, and what they gave, as a list of events."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.mutation.subject import FORWARD, Parts, Point, has_tangent, tree_map
from rulebook import trees
from rulebook.engine import NumpyArrays
from rulebook.errors import RulebookError, RuleOutputError
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero

__all__ = ["Event", "Trial", "handed", "observe", "prepare"]

Tree = Any
Held = list[tuple[str, Any, Tree]]


@dataclass(frozen=True)
class Event:
    """Something seen: what, and an array or a text."""

    what: str
    value: Any


@dataclass
class Trial:
    """A point with the tangents or cotangents to send through it, and another point to visit in between.

    Attributes:
        args: as a rule is handed them.
        static: every static.
        seeds: tangents of the arguments for a forward rule, cotangents of the result for a reverse rule.
        y: the function's result, for rules that are given it.
        other: another point with its seeds.
    """

    args: tuple[Any, ...]
    static: dict[str, Any]
    seeds: list[Any]
    y: Any
    other: Trial | None = None


def handed(tree: Tree) -> Tree:
    """A copy as rules are handed it: numbers as 0-d values."""
    return tree_map(lambda x: np.array(x)[()] if has_tangent(x) else copy.deepcopy(x), tree)


def prepare(parts: Parts, form: str, point: Point, other: Point, rng: np.random.Generator) -> Trial:
    """The trial of a rule at a point.

    Raises:
        Exception: whatever the function raises there.
    """
    trial = _half(parts, form, point, rng)
    trial.other = _half(parts, form, other, rng)
    return trial


def _half(parts: Parts, form: str, point: Point, rng: np.random.Generator) -> Trial:
    args = handed(point.args)
    y = copy.deepcopy(parts.f(*args, **copy.deepcopy(point.static)))
    seeds = []
    for how in ("relative", "plain", "basis", "zero"):
        if form in FORWARD:
            seed = tuple(_draw(a, rng, how) for a in _one_of(args, rng, how))
            space = parts.tangent_space
            seeds.append(seed if space is None else tuple(None if t is None else space(i, t) for i, t in enumerate(seed)))
        else:
            seeds.append(_draw(_one_of((y,), rng, how)[0], rng, how))
    return Trial(handed(point.args), point.static, seeds, y)


class _Still:
    """A leaf whose tangent is zero in this seed."""

    def __init__(self, leaf: Any) -> None:
        self.leaf = leaf


def _one_of(tree: Tree, rng: np.random.Generator, how: str) -> Tree:
    """For a basis vector, all leaves but one held still."""
    leaves, structure = trees.flatten(tree)
    moving = [i for i, leaf in enumerate(leaves) if has_tangent(leaf) and np.size(leaf)]
    if how != "basis" or not moving:
        return tree
    chosen = moving[int(rng.integers(len(moving)))]
    return structure.unflatten(iter([leaf if i == chosen else _Still(leaf) for i, leaf in enumerate(leaves)]))


def _draw(tree: Tree, rng: np.random.Generator, how: str) -> Tree:
    return tree_map(lambda leaf: _draw_leaf(leaf, rng, how), tree)


def _draw_leaf(leaf: Any, rng: np.random.Generator, how: str) -> Any:
    still = isinstance(leaf, _Still)
    leaf = leaf.leaf if still else leaf
    if not has_tangent(leaf):
        return None
    a = np.asarray(leaf)
    t = np.zeros(a.shape, a.dtype)
    if how == "basis" and not still and t.size:
        t.reshape(-1)[int(rng.integers(t.size))] = 1j if a.dtype.kind == "c" and rng.random() < 0.5 else 1
    elif how in ("plain", "relative"):
        dense = rng.standard_normal(a.shape) + (1j * rng.standard_normal(a.shape) if a.dtype.kind == "c" else 0)
        sizes = np.where(a == 0, 1.0, np.abs(a)) if how == "relative" else 1.0
        t = (dense * sizes).astype(a.dtype)
    return t[()]


class _Course:
    """One course of calls of one rule."""

    def __init__(self, form: str, rule: Callable[..., Any], trial: Trial) -> None:
        self.form = form
        self.rule = rule
        self.trial = trial
        self.events: list[Event] = []

    def run(self) -> list[Event]:
        turn = self._forward if self.form in FORWARD else self._reverse if self.form == "rrule" else self._given_output
        turn()
        return self.events

    def _forward(self) -> None:
        held: Held = []
        for name, trial, k in self._turns():
            args, static, y = handed(trial.args), copy.deepcopy(trial.static), handed(trial.y)
            seed = handed(trial.seeds[k])
            given = (args, seed, static, y)
            out = self._attempt(
                name, lambda: self.rule(args, seed, **static) if self.form == "frule" else self.rule(y, args, seed, **static)
            )
            self._unchanged(name, given, (trial.args, trial.seeds[k], trial.static, trial.y))
            if self.form == "pushforward":
                out = (y, out)
            if out is not None:
                self._attempt(name, lambda: self._record_pair(name, out, trial.y))
                held.append((name, out, trial.y))
            if trial is self.trial.other:
                self._later(held, self._record_pair)

    def _turns(self) -> list[tuple[str, Trial, int]]:
        """First, other seeds, again, elsewhere, again."""
        here, other = self.trial, self.trial.other
        turns = [(f"seed {k}", here, k) for k in range(len(here.seeds))] + [("seed 0 again", here, 0)]
        return turns if other is None else [*turns, ("elsewhere", other, 0), ("seed 0 at last", here, 0)]

    def _reverse(self) -> None:
        started: dict[int, tuple[Any, Any]] = {}
        held: Held = []
        held_y: Held = []
        for name, trial, k in self._turns():
            if id(trial) not in started:
                args, static = handed(trial.args), copy.deepcopy(trial.static)
                out = self._attempt(f"start {name}", lambda: _pair(self.rule(*args, **static)))
                if out is None:
                    return
                self._record_y(f"start {name}: y", out[0], trial.y)
                held_y.append((f"start {name}: y", out[0], trial.y))
                started[id(trial)] = out[1], (args, static)
            pull, given = started[id(trial)]
            self._pull(name, trial, k, pull, given, held)
            if trial is self.trial.other:
                self._later(held, self._record_cotangents)
                self._later(held_y, self._record_y)

    def _given_output(self) -> None:
        held: Held = []
        for name, trial, k in self._turns():
            args, static, y = handed(trial.args), copy.deepcopy(trial.static), handed(trial.y)
            self._pull(name, trial, k, lambda y_bar: self.rule(y, args, y_bar, **static), (args, static, y), held)
            if trial is self.trial.other:
                self._later(held, self._record_cotangents)

    def _pull(self, name: str, trial: Trial, k: int, pull: Any, given: tuple[Any, ...], held: Held) -> None:
        y_bar = handed(trial.seeds[k])
        found = self._attempt(name, lambda: _cotangents(pull(y_bar), len(trial.args)))
        self._unchanged(name, (y_bar, *given), (trial.seeds[k], trial.args, trial.static, trial.y)[: len(given) + 1])
        if found is not None:
            self._record_cotangents(name, found, trial.args)
            held.append((name, found, trial.args))

    def _later(self, held: Held, record: Callable[[str, Any, Tree], None]) -> None:
        """What was returned before, read again: nobody but its owner may have changed it."""
        for name, found, like in held:
            self._attempt(f"{name}, later", lambda: record(f"{name}, later", found, like))

    def _attempt(self, name: str, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except Exception as error:
            self.events.append(Event(name, f"raises {type(error).__name__}"))
            return None

    def _record_pair(self, name: str, out: Any, like: Tree) -> None:
        y, y_dot = _pair(out)
        self._record_y(f"{name}: y", y, like)
        self._record(f"{name}: y_dot", y_dot, like, cast=True)

    def _record_y(self, name: str, y: Any, like: Tree) -> None:
        self._record(name, y, like, cast=False)

    def _record_cotangents(self, name: str, found: Any, like: Tree) -> None:
        self._record(name, found, like, cast=True)

    def _record(self, name: str, value: Any, like: Tree, *, cast: bool) -> None:
        """The leaves of a result beside those of what it belongs to.

        Args:
            name: of the events.
            value: the result.
            like: what it belongs to.
            cast: it is a tangent or cotangent, so None is zero and dtypes are projected.
        """
        leaves, structure = trees.flatten(like)
        try:
            found = trees.flatten_like(structure, value, _structure_error) if cast else _same_structure(value, structure)
            events = [Event(f"{name} {i}", _leaf(v, x, cast)) for i, (v, x) in enumerate(zip(found, leaves, strict=True))]
        except Exception as error:
            events = [Event(name, f"raises {type(error).__name__}")]
        self.events += events

    def _unchanged(self, name: str, given: tuple[Any, ...], before: tuple[Any, ...]) -> None:
        self.events.append(Event(f"{name}: keeps its arguments", str(_identical(given, before))))


def _pair(out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise _structure_error("", "a pair", type(out).__name__)
    return out


def _cotangents(out: Any, n: int) -> tuple[Any, ...]:
    if not isinstance(out, tuple) or len(out) != n:
        raise _structure_error("", f"{n} cotangents", type(out).__name__)
    return out


def _same_structure(value: Any, structure: trees.Structure) -> list[Any]:
    leaves, found = trees.flatten(value)
    if found != structure:
        raise _structure_error("", repr(structure), repr(found))
    return leaves


def _structure_error(path: str, expected: str, got: str) -> RulebookError:
    return RuleOutputError(path, expected, got, "")


def _leaf(value: Any, x: Any, cast: bool) -> Any:
    if isinstance(value, Thunk):
        value = value.fn()
    if isinstance(value, NotImplementedTangent):
        return "not implemented"
    if not has_tangent(x):
        return _opaque(value, x, cast)
    like = np.asarray(x)
    a = np.zeros_like(like) if cast and is_zero(value) else np.asarray(value)
    if a.dtype.kind not in "fciub" or a.shape != like.shape or (not cast and a.dtype != like.dtype):
        return f"{a.dtype}{a.shape}"
    return np.array(NumpyArrays.cast(a, like))


def _opaque(value: Any, x: Any, cast: bool) -> str:
    """What stands in the place of a leaf without tangent: the leaf itself in a result; nothing, or zeros, in a tangent."""
    if not cast:
        return "equal" if np.array_equal(np.asarray(value), np.asarray(x)) else "other"
    return "nothing" if is_zero(value) or not np.any(np.asarray(value)) else "something"


def _identical(one: Tree, two: Tree) -> bool:
    a, b = trees.leaves_of(one), trees.leaves_of(two)
    return len(a) == len(b) and all(_same_bits(u, v) for u, v in zip(a, b, strict=True))


def _same_bits(u: Any, v: Any) -> bool:
    if not isinstance(u, (np.ndarray, np.generic, float, int, complex)):
        return type(u) is type(v) and (u is v or _pickled(u) == _pickled(v))
    a, b = np.asarray(u), np.asarray(v)
    return a.dtype == b.dtype and a.shape == b.shape and (a.tobytes() == b.tobytes() if a.dtype != object else bool(np.all(a == b)))


def _pickled(value: Any) -> bytes:
    """The state of an object that is no array; nothing where it cannot be told."""
    try:
        return pickle.dumps(value)
    except Exception:
        return b""


def observe(form: str, rule: Callable[..., Any], trial: Trial) -> list[Event]:
    """The events of one course of calls at a trial."""
    with np.errstate(all="ignore"):
        return _Course(form, rule, trial).run()
