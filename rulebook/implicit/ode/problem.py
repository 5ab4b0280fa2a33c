"""The start, the times and the parameters of a problem as flat leaves, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, OPAQUE, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.implicit.ode.field import NAME

__all__ = ["check_times", "start_of", "times_of"]


def start_of(engine: Engine, y0: Any) -> tuple[tuple[Any, ...], trees.Structure]:
    """The leaves of the state, and its structure.

    Raises:
        RuleSignatureError: one of them is no floating array.
    """
    leaves, structure = trees.flatten(y0)
    if not leaves:
        raise RuleSignatureError(
            f"{NAME}, y0.", "an array or number, or a container of them", f"structure {structure!r}", "pass the state at t[0]"
        )
    found = []
    for path, x in zip(trees.leaf_paths(structure, "y0"), leaves, strict=True):
        if kind_of(type(x)) == OPAQUE:
            raise RuleSignatureError(f"{NAME}, {path}.", "floating numbers", f"a {type(x).__name__}", "pass an array of floats")
        x = engine.asarray(x)
        if not engine.has_tangent(x):
            raise RuleSignatureError(f"{NAME}, {path}.", "floating numbers to start from", f"dtype {x.dtype}", "pass floats, as 1.0 for 1")
        found.append(x)
    return tuple(found), structure


def times_of(engine: Engine, t: Any) -> Any:
    """The times as a real floating array.

    Raises:
        RuleSignatureError: they are no such array, or not all later or all earlier than the one before.
    """
    leaves, structure = trees.flatten(t)
    plain = all(kind_of(type(x)) == NUMPY for x in leaves)
    if structure is not trees.LEAF:
        t = np.asarray(t) if plain else engine.namespace().stack([engine.asarray(x) for x in leaves])
    made = engine.asarray(t)
    if len(made.shape) != 1 or made.shape[0] < 2:
        raise _wrong_times(f"shape {tuple(made.shape)}")
    if not engine.has_tangent(made):
        made = made * 1.0
    if engine.is_complex(made):
        raise _wrong_times(f"complex numbers, {made.dtype}")
    arrays = [np.asarray(t, float)] if plain else engine.concrete([engine.stop_gradient(made)])
    if arrays is not None:
        check_times(arrays[0])
    return made


def check_times(t: Any) -> None:
    """Refuse times that stand still, turn round, or are not finite."""
    ways = np.sign(np.diff(t))  # NaN for one that is not finite, which equals nothing
    wrong = np.flatnonzero((ways != ways[0]) | (ways == 0))
    if wrong.size or not np.isfinite(t).all():
        i = int(wrong[0]) if wrong.size else int(np.flatnonzero(~np.isfinite(t))[0] - 1)
        raise _wrong_times(f"t[{i}] = {t[i]:g} and t[{i + 1}] = {t[i + 1]:g}")


def _wrong_times(got: str) -> RuleSignatureError:
    return RuleSignatureError(
        f"{NAME}, t.",
        "an array of at least two real times, each later than the one before, or each earlier",
        got,
        "pass the time of y0 first, then the times of the solution",
    )
