"""The missing direction of a host rule: one call per basis vector, on concrete values.

Host code cannot be transposed, as no engine sees inside; but each of its calls gives one column of
the Jacobian (forward rule) or one row (reverse rule).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.engines import TracedValueError
from rulebook.trees import Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["push_by_rows", "start_by_columns"]

Leaves = Sequence[Any]


def _concrete(form: NormalForm, value: Any, kind: str) -> Any:
    try:
        return form.engine.to_numpy(value)
    except TracedValueError as error:
        raise form.host_error(kind) from error


def _basis(form: NormalForm, like: Any) -> Iterator[tuple[int, complex, Any]]:
    """(position, unit, basis vector) of the space of a value; a complex element has the units 1 and 1j."""
    complex_ = form.engine.is_complex(like)
    for k in range(int(np.prod(like.shape))):
        for unit in (1, 1j) if complex_ else (1,):
            e = np.zeros(like.shape, complex if complex_ else float)
            e.flat[k] = unit
            yield k, unit, form.engine.cast(form.engine.asarray(e, like), like)


def _inner(form: NormalForm, kind: str, bars: Leaves, dots: Leaves) -> float:
    total = 0.0
    for bar, dot in zip(bars, dots, strict=True):
        if bar is not None and dot is not None:
            total += float(np.vdot(_concrete(form, bar, kind), _concrete(form, dot, kind)).real)
    return total


def _value(form: NormalForm, entries: Any, like: Any) -> Any:
    return form.engine.cast(form.engine.asarray(entries.reshape(like.shape), like), like)


def _entries(form: NormalForm, like: Any) -> Any:
    return np.zeros(int(np.prod(like.shape)), complex if form.engine.is_complex(like) else float)


def start_by_columns(form: NormalForm, leaves: Leaves, primal: Any) -> tuple[list[Any], Structure, Callable[..., list[Any]]]:
    """What NormalForm.start gives, from a host forward rule: one pushforward per element of the arguments."""
    assert form.forward is not None
    kind = form.forward.kind
    n = len(leaves)
    ys, _, structure = form.joint(leaves, [None] * n, primal)

    def pull(cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
        found: list[Any] = [None] * n
        for i, x in enumerate(leaves):
            if not form.engine.has_tangent(x) or (wanted is not None and not wanted[i]):
                continue
            entries = _entries(form, x)
            for k, unit, e in _basis(form, x):
                dots = [e if j == i else None for j in range(n)]
                entries[k] += unit * _inner(form, kind, cotangents, form.push(ys, structure, leaves, dots, primal))
            found[i] = _value(form, entries, x)
        return found

    return ys, structure, pull


def push_by_rows(form: NormalForm, ys: Leaves, leaves: Leaves, tangents: Leaves, pull: Callable[..., list[Any]]) -> list[Any]:
    """The tangents of the leaves of y, from a host reverse rule: one pullback per element of y."""
    assert form.reverse is not None
    kind = form.reverse.kind
    wanted = [t is not None and form.engine.has_tangent(x) for x, t in zip(leaves, tangents, strict=True)]
    found: list[Any] = [None] * len(ys)
    for o, y in enumerate(ys):
        if not form.engine.has_tangent(y) or not any(wanted):
            continue
        entries = _entries(form, y)
        for k, unit, e in _basis(form, y):
            x_bars = pull([e if j == o else None for j in range(len(ys))], wanted)
            entries[k] += unit * _inner(form, kind, x_bars, [t if w else None for t, w in zip(tangents, wanted, strict=True)])
        found[o] = _value(form, entries, y)
    return found
