"""The missing direction of a host rule, on NumPy arrays: one call per basis vector.

Host code cannot be transposed, as no engine sees inside; but each of its calls gives one column of
the Jacobian (forward rule) or one row (reverse rule).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.memory import read_only
from rulebook.trees import Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["pull_by_columns", "push_by_rows"]

Leaves = Sequence[Any]


def _basis(like: Any) -> Iterator[tuple[int, complex, Any]]:
    """(position, unit, basis vector) of the space of an array; a complex element has the units 1 and 1j."""
    for k in range(like.size):
        for unit in (1, 1j) if np.iscomplexobj(like) else (1,):
            e = np.zeros(like.shape, like.dtype)
            e.flat[k] = unit
            yield k, unit, read_only(e)


def _inner(bars: Leaves, dots: Leaves) -> float:
    return sum(float(np.vdot(bar, dot).real) for bar, dot in zip(bars, dots, strict=True) if bar is not None and dot is not None)


def _entries(like: Any) -> Any:
    return np.zeros(like.size, complex if np.iscomplexobj(like) else float)


def pull_by_columns(
    form: NormalForm, ys: Leaves, structure: Structure, leaves: Leaves, cotangents: Leaves, wanted: Sequence[bool] | None
) -> list[Any]:
    """The cotangents of the leaves, from a host forward rule: one pushforward per element of the arguments."""
    n = len(leaves)
    found: list[Any] = [None] * n
    for i, x in enumerate(leaves):
        if not form.engine.has_tangent(x) or (wanted is not None and not wanted[i]):
            continue
        entries = _entries(x)
        for k, unit, e in _basis(x):
            dots = [e if j == i else None for j in range(n)]
            entries[k] += unit * _inner(cotangents, form.push(ys, structure, leaves, dots))
        found[i] = entries.reshape(x.shape).astype(x.dtype)
    return found


def push_by_rows(form: NormalForm, ys: Leaves, leaves: Leaves, tangents: Leaves, pull: Callable[..., list[Any]]) -> list[Any]:
    """The tangents of the leaves of y, from a host reverse rule: one pullback per element of y."""
    wanted = [t is not None and form.engine.has_tangent(x) for x, t in zip(leaves, tangents, strict=True)]
    found: list[Any] = [None] * len(ys)
    for o, y in enumerate(ys):
        if not form.engine.has_tangent(y) or not any(wanted):
            continue
        entries = _entries(y)
        for k, unit, e in _basis(y):
            x_bars = pull([e if j == o else None for j in range(len(ys))], wanted)
            entries[k] += unit * _inner(x_bars, [t if w else None for t, w in zip(tangents, wanted, strict=True)])
        found[o] = entries.reshape(y.shape).astype(y.dtype)
    return found
