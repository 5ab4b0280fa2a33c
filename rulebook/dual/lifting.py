"""Arguments of NumPy's functions made ready for rules: lists gathered, primals looked at, elements picked by position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual.errors import unsupported
from rulebook.dual.methods import primal_only
from rulebook.dual.parts import is_dual, join, tangent, top

__all__ = ["UNSET", "each", "flag", "fold", "gather", "given", "lift", "plain", "positions", "unfold"]

UNSET: Any = np._NoValue


def given(option: Any) -> bool:
    """Whether an option was passed."""
    return option is not UNSET and option is not None


def flag(keepdims: Any) -> bool:
    """keepdims= as a bool."""
    return keepdims is not UNSET and bool(keepdims)


def lift(x: Any) -> Any:
    """Lists and tuples as arrays, dual ones where they hold duals; arrays of objects gathered; the rest as it is."""
    if isinstance(x, (list, tuple)):
        return np.stack([lift(v) for v in x]) if top(list(x)) else np.asarray(x)
    if type(x) is np.ndarray and x.dtype == object:
        return gathered(x)
    return x


def gathered(x: Any) -> Any:
    """An array of objects as one of numbers, a dual one where it holds duals.

    Raises:
        RuleMissingError: it holds something else.
    """
    items = x.ravel().tolist()
    if top(items):
        return np.reshape(np.stack(items), x.shape)
    try:
        found = np.array(items)
    except (TypeError, ValueError):
        found = x
    if found.dtype.kind not in "biufc":
        raise unsupported("An operation with a dual", "an array of objects", "convert it to numbers with .astype(float) first")
    return found.reshape(x.shape)


def plain(x: Any, what: str) -> Any:
    """The primal below all tags, in lists too, for code whose result depends on it alone.

    Raises:
        DroppedTangentError: x is a tangent that is pushed through a linear map, which has no primal.
    """
    if type(x) in (list, tuple):
        return type(x)(plain(v, what) for v in x)
    while is_dual(x):
        x = primal_only(x, what)
    return x


def positions(shape: tuple[int, ...]) -> Any:
    """Positions in the shape of an array: what a function that only moves elements does to them, it does to any array."""
    return np.arange(int(np.prod(shape, dtype=np.intp))).reshape(shape)


def gather(x: Any, at: Any) -> Any:
    """The elements of x at positions in the flattened array, in the shape of the positions."""
    if not is_dual(x):
        return np.take(np.reshape(x, (-1,)), at)
    t = tangent(x, x.tag)
    return join(np.take(np.reshape(x.p, (-1,)), at), np.take(np.reshape(t, (t.shape[0], x.size)), at, axis=1), x.tag)


def each(fn: Callable[[Any], Any], t: Any, like: Any) -> Any:
    """fn on each of the stacked tangents, stacked; `like` is the result for the primal."""
    if not t.shape[0]:
        return np.zeros((0, *np.shape(like)), like.dtype)
    return np.stack([fn(t[i]) for i in range(t.shape[0])])


def fold(a: Any, axis: Any) -> Any:
    """The axes of a reduction as one, the last: None means all."""
    n = np.ndim(a)
    if axis is None:
        return np.reshape(a, (-1,))
    axes = sorted(i % n if -n <= i < n else i for i in ((axis,) if np.ndim(axis) == 0 else axis))
    if len(axes) == 1 and axes[0] == n - 1:
        return a
    kept = [i for i in range(n) if i not in axes]
    return np.reshape(
        np.transpose(a, (*kept, *axes)), (*(a.shape[i] for i in kept), -1 if a.size else int(np.prod([a.shape[i] for i in axes])))
    )


def unfold(y: Any, axis: Any, shape: tuple[int, ...], keepdims: Any, front: int = 0) -> Any:
    """What is left after a reduction of `fold`, with the axes kept where that is asked; `front` axes come before."""
    if not flag(keepdims):
        return y
    n = len(shape)
    axes = range(n) if axis is None else [i % n for i in ((axis,) if np.ndim(axis) == 0 else axis)]
    return np.reshape(y, (*np.shape(y)[:front], *(1 if i in axes else m for i, m in enumerate(shape))))
