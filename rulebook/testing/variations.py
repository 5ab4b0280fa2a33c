"""Points that nobody declared, varied from those that were: other signs, sizes, orders, shapes and options.

A function says itself where it is defined: variations that it refuses, or where it gives no finite number, are dropped
without a word.  What is found at a variation counts only where the function is smooth there and the error is plain.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.testing.alternatives import alternatives
from rulebook.testing.points import Point, Source
from rulebook.testing.spaces import moves
from rulebook.testing.subject import Subject

__all__ = ["Nearby", "Scaled", "nearby", "varied"]


class Nearby(Point):
    """A variation so small that a rule which holds at the case must hold there."""


@dataclass(frozen=True)
class Scaled(Point):
    """A variation by orders of magnitude, where a function that iterates to an absolute tolerance is another one.

    Attributes:
        case: what it was varied from.
    """

    case: Point | None = None


Rng = np.random.Generator
Change = Callable[[Rng, Any, int], Any]


def _signs(rng: Rng, a: Any, turn: int) -> Any:
    return a * rng.choice([-1.0, 1.0], a.shape)


def _shift(rng: Rng, a: Any, turn: int) -> Any:
    return a + rng.normal(size=a.shape) * (np.abs(a).max(initial=0.0) or 1.0)


def _repeat(rng: Rng, a: Any, turn: int) -> Any:
    flat = a.reshape(-1)
    return flat[rng.integers(0, max(1, flat.size), flat.size)].reshape(a.shape) if flat.size else a


def _sort(rng: Rng, a: Any, turn: int) -> Any:
    flat = np.sort(a.reshape(-1))
    return (flat if rng.random() < 0.5 else flat[::-1]).reshape(a.shape)


def _hole(rng: Rng, a: Any, turn: int) -> Any:
    made = a.copy()
    if a.size:
        made.reshape(-1)[rng.integers(a.size)] = 0
    return made


def _decades(*edges: float) -> Change:
    """Multiply by a power of ten, from another stratum at every turn, so that no decade between the edges is left out."""
    strata = list(itertools.pairwise(edges))
    return lambda rng, a, turn: a * 10.0 ** rng.uniform(*strata[turn % len(strata)])


def _near(rng: Rng, a: Any, moved: bool = False) -> Any:
    """Values close by; equal ones stay equal, and zeros stay zero unless they are to be moved as well."""
    values, where = np.unique(a, return_inverse=True)
    made = (values * (1 + 0.05 * rng.uniform(-1, 1, values.shape)))[where].reshape(a.shape)
    if not moved:
        return made
    size = float(np.median(np.abs(a[a != 0]))) if a.any() else 1.0
    return np.where(a == 0, 1e-3 * size * rng.normal(size=a.shape), made)


# what is done to the arrays of a point; each is one kind of value that a rule may have forgotten
_CHANGES: dict[str, Change] = {
    "nearby": lambda rng, a, turn: a * (1 + 0.3 * rng.uniform(-1, 1, a.shape)),
    "signs changed": _signs,
    "negated": lambda rng, a, turn: -a,
    "shifted": _shift,
    "scales mixed": lambda rng, a, turn: a * 10.0 ** rng.uniform(-4, 1, a.shape),
    "enlarged": _decades(0.3, 1, 2, 3, 4),
    "reduced": _decades(-12, -8, -5, -3, -0.5),
    "values repeated": _repeat,
    "sorted": _sort,
    "one value zero": _hole,
    "permuted": lambda rng, a, turn: rng.permutation(a.reshape(-1)).reshape(a.shape),
    "other values": lambda rng, a, turn: rng.normal(size=a.shape) * (np.abs(a).mean() if a.size else 1.0),
}
_ALONE = ("enlarged", "reduced")  # done to all arrays, and to each alone
_SCALES = (*_ALONE, "scales mixed")
_MOST_ALONE = 4
_ROUNDS = 4  # of every change, per fixed case
_MOST_FLAT = 6  # axes of a fixed case that are cut to length one, each alone
_SIZES = (1, 2, 3, 5, 8, 0)
_MOST_STATICS = 4  # other values tried per option


def varied(points: list[Point], sources: list[Source], subject: Subject, seed: int) -> Iterator[tuple[Point, bool]]:
    """(point, whether it is checked deeply): variations of fixed cases; of drawn ones, only options that no draw varies."""
    fixed = [(s, p) for s, p in zip(sources, points, strict=False) if not s.drawn] if not any(s.drawn for s in sources) else []
    budget = max(1, round(_ROUNDS * 2 / max(2, len(fixed))))
    for source, point in fixed:
        for turn in range(budget):
            for number, (what, change) in enumerate(_CHANGES.items()):
                rng = np.random.default_rng([seed, 3, source.index, turn, number])
                yield _changed(point, subject, what, change, rng, turn + source.index), turn == 0 and number in (0, 1)
            for scaled in _scaled_alone(point, subject, source, turn, seed):
                yield scaled, False
        for flat in _flattened(point, subject, np.random.default_rng([seed, 5, source.index])):
            yield flat, False
        for number, size in enumerate(_SIZES):
            found = _resized(point, subject, size, np.random.default_rng([seed, 4, source.index, number]))
            if found is not None:
                yield found, size == 3
    for point in points[:2]:
        for number, found in enumerate(_other_options(point, points, subject)):
            yield found, True
            rng = np.random.default_rng([seed, 6, point.source, number])
            yield _changed(found, subject, "nearby", _CHANGES["nearby"], rng), True


def _scaled_alone(point: Point, subject: Subject, source: Source, turn: int, seed: int) -> Iterator[Point]:
    """The point with one array enlarged or reduced, the others as they are."""
    moving = [i for i, leaf in enumerate(trees.flatten(point.args)[0]) if moves(leaf)]
    for i in moving[:_MOST_ALONE] if len(moving) > 1 else ():
        for number, what in enumerate(_ALONE):
            rng = np.random.default_rng([seed, 7, source.index, turn, i, number])
            yield _changed(point, subject, f"{what} alone", _CHANGES[what], rng, turn + source.index, {i})


def nearby(point: Point, subject: Subject, rng: Rng, zeros: bool) -> Point:
    """A point next to one, with the same ties; zeros stay unless they are to be moved as well."""
    return _changed(
        point, subject, "nearby", lambda rng, a, _: _near(rng, a, zeros), rng, only=set(range(len(trees.flatten(point.args)[0])))
    )


def _rebuilt(
    point: Point, what: str, leaves: list[Any], structure: trees.Structure, rng: Rng, statics: dict[str, Any] | None = None
) -> Point:
    args = structure.unflatten(iter(leaves))
    return Point(args, point.statics if statics is None else statics, f"{point.origin}, {what}", rng, point.source, declared=False)


def _changed(point: Point, subject: Subject, what: str, change: Change, rng: Rng, turn: int = 0, only: set[int] | None = None) -> Point:
    """A point with those arrays changed that are named, else with all or one; within the tangent space, where one is declared."""
    leaves, structure = trees.flatten(point.args)
    point_leaves = list(leaves)
    at = [i for i, leaf in enumerate(leaves) if moves(leaf)]
    if only is None:
        only = set(at) if what in _ALONE or len(at) < 2 or rng.random() < 0.5 else {at[int(rng.integers(len(at)))]}
    for i in at:
        if i in only:
            a = np.asarray(leaves[i])
            leaves[i] = np.asarray(change(rng, a, turn)).astype(a.dtype).reshape(a.shape)
            if not isinstance(point_leaves[i], np.ndarray):
                leaves[i] = leaves[i][()]
    moved = structure.unflatten(iter(leaves))
    if subject.tangent_space is not None:
        moved = tuple(_within(subject, i, old, new) for i, (old, new) in enumerate(zip(point.args, moved, strict=True)))
    parts = (tuple(moved), point.statics, f"{point.origin}, {what}", rng, point.source, False)
    if what.startswith(_SCALES):
        return Scaled(*parts, case=point)
    if what == "nearby" and isinstance(point, Scaled):
        return Scaled(*parts, case=point.case)
    return (Nearby if what == "nearby" and (point.declared or isinstance(point, Nearby)) else Point)(*parts)


def _within(subject: Subject, i: int, old: Any, new: Any) -> Any:
    """The old argument moved towards the new one within the tangent space."""
    a, structure = trees.flatten(old)
    b, _ = trees.flatten(new)
    step = [np.asarray(q - p) if moves(p) else None for p, q in zip(a, b, strict=True)]
    if not any(s is not None for s in step) or subject.tangent_space is None:
        return old
    try:
        moving = iter(trees.flatten(subject.tangent_space(i, structure.unflatten(iter(step))))[0])
    except Exception:  # found at the declared points already
        return old
    return structure.unflatten(iter([p + next(moving) if s is not None else p for p, s in zip(a, step, strict=True)]))


def _resized(point: Point, subject: Subject, size: int, rng: Rng) -> Point | None:
    """A point with one of its lengths replaced by another wherever it occurs."""
    if subject.tangent_space is not None:
        return None
    leaves, structure = trees.flatten(point.args)
    lengths = sorted({n for leaf in leaves if moves(leaf) for n in np.shape(leaf)})
    if not lengths:
        return None
    old = lengths[int(rng.integers(len(lengths)))]
    if old == size:
        return None
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fciub" and old in leaf.shape:
            shape = tuple(size if n == old else n for n in leaf.shape)
            made = np.resize(leaf, shape) if leaf.size else np.zeros(shape, leaf.dtype)
            leaves[i] = (made * (1 + 0.2 * rng.uniform(-1, 1, shape))).astype(leaf.dtype) if moves(leaf) else made
    return _rebuilt(point, f"length {old} made {size}", leaves, structure, rng)


def _flattened(point: Point, subject: Subject, rng: Rng) -> Iterator[Point]:
    """The point with one axis of one array cut to length one, which broadcasts."""
    leaves, structure = trees.flatten(point.args)
    axes = [(i, axis) for i, leaf in enumerate(leaves) if moves(leaf) for axis, n in enumerate(np.shape(leaf)) if n > 1]
    if len(leaves) < 2 or subject.tangent_space is not None:
        return
    for k in sorted(rng.permutation(len(axes))[:_MOST_FLAT]):
        i, axis = axes[k]
        cut = [np.take(leaf, [0], axis) if j == i else leaf for j, leaf in enumerate(leaves)]
        yield _rebuilt(point, f"axis {axis} of array {i} made 1", cut, structure, rng)


def _other_options(point: Point, points: list[Point], subject: Subject) -> Iterator[Point]:
    """The point with every option that the points never vary set to other values."""
    leaves, structure = trees.flatten(point.args)
    for name, value in point.statics.items():
        if len({repr(p.statics.get(name)) for p in points}) > 1:
            continue
        for other in alternatives(subject.fn, name, value)[:_MOST_STATICS]:
            yield _rebuilt(point, f"{name}={other!r}", leaves, structure, point.rng, {**point.statics, name: other})
