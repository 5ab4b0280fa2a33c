"""Many tangents or cotangents at once, for engines that have no better way, and Jacobians made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook import trees
from rulebook.errors import RuleOutputError

if TYPE_CHECKING:
    from rulebook.engine import Engine

__all__ = ["each", "jacobians", "jvp_many"]

Blocks = list[list[Any]]


def each(engine: Engine, fn: Callable[..., Any], xs: Sequence[Any]) -> Any:
    """fn of each example along the first axis of xs, its results stacked: one call after another."""
    xp = engine.namespace()
    n = xs[0].shape[0]
    found = [trees.flatten(fn(*[x[k] for x in xs])) for k in range(n)]
    if not found:  # an example of zeros tells the shapes
        leaves, structure = trees.flatten(fn(*[xp.sum(x, axis=0) for x in xs]))
        return structure.unflatten(iter([xp.stack([y])[:0] for y in leaves]))
    columns = zip(*[leaves for leaves, _ in found], strict=True)
    return found[0][1].unflatten(iter([xp.stack(column) for column in columns]))


def jvp_many(engine: Engine, fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*xs)` and its derivatives along stacked tangents: fn runs once for each, and once where there is none."""
    y: Any = None

    def along(*dots: Any) -> Any:
        nonlocal y
        y, y_dot = engine.jvp_at(fn, xs, dots)
        return y_dot

    y_dots = each(engine, along, tangents)
    return y, y_dots


def jacobians(engine: Engine, fn: Callable[..., Any], xs: tuple[Any, ...], rows: bool | None = None) -> tuple[Any, Blocks]:
    """`fn(*xs)` and its Jacobian: for each leaf of y, in order, one block of shape y.shape + x.shape for each x.

    Args:
        engine: what differentiates.
        fn: of arrays, gives a tree.
        xs: floating arrays.
        rows: whether by reverse mode; by default as it costs less, as far as that is known before fn has run.

    Raises:
        RuleOutputError: an x is complex and fn not holomorphic.
    """
    n = sum(_size(x) for x in xs)
    if any(map(engine.is_complex, xs)):
        return _holomorphic(engine, fn, xs)
    if engine.linearizes:
        y, push = engine.linearize(fn, xs)
        if _rank(engine, y) >= n if rows is None else not rows:
            return y, _columns(engine, y, engine.each(lambda *dots: push(dots), _basis(engine, xs)), xs)
        pull = engine.transpose(lambda *dots: tuple(trees.leaves_of(push(dots))), xs)
        return y, _rows(engine, y, lambda *bars: pull(bars), xs)
    if rows or (rows is None and engine.reverses and n != 1):
        y, pull = engine.vjp_at(fn, xs)
        return y, _rows(engine, y, lambda *bars: pull(_filled(engine, y, bars)), xs)
    y, y_dots = engine.jvp_many(fn, xs, _basis(engine, xs))
    return y, _columns(engine, y, y_dots, xs)


def _size(x: Any) -> int:
    n = 1
    for length in x.shape:
        n *= length
    return n


def _moves(engine: Engine, y: Any) -> bool:
    return hasattr(y, "dtype") and engine.has_tangent(y)


def _rank(engine: Engine, y: Any) -> int:
    """How many pullbacks a Jacobian takes by rows."""
    return sum(_size(v) * (2 if engine.is_complex(v) else 1) for v in trees.leaves_of(y) if _moves(engine, v))


def _basis(engine: Engine, xs: tuple[Any, ...]) -> tuple[Any, ...]:
    """For each x the directions of the elements of all xs, stacked."""
    n, at, found = sum(map(_size, xs)), 0, []
    for x in xs:
        size = _size(x)
        unit = engine.eye(n, x)
        part = unit if size == n else unit[:, at : at + size]
        found.append(part.reshape((n, *x.shape)) if len(x.shape) != 1 else part)
        at += size
    return tuple(found)


def _columns(engine: Engine, y: Any, y_dots: Any, xs: tuple[Any, ...]) -> Blocks:
    """The blocks, of derivatives along the elements of all xs."""
    ys, structure = trees.flatten(y)
    dots = trees.flatten_like(structure, y_dots, RuleOutputError)
    return [_column_blocks(engine, v, t, xs) for v, t in zip(ys, dots, strict=True)]


def _column_blocks(engine: Engine, y: Any, t: Any, xs: tuple[Any, ...]) -> list[Any]:
    if t is None:
        return [None] * len(xs)
    moved = t.T if len(t.shape) == 2 else engine.namespace().moveaxis(t, 0, -1)
    found, at = [], 0
    for x in xs:
        size = _size(x)
        part = moved if size == t.shape[0] else moved[..., at : at + size]
        found.append(part if part.shape == (*y.shape, *x.shape) else part.reshape((*y.shape, *x.shape)))
        at += size
    return found


def _filled(engine: Engine, y: Any, bars: Sequence[Any]) -> Any:
    """A cotangent of y of those of its leaves that have one."""
    if hasattr(y, "dtype"):
        return bars[0]
    leaves, structure = trees.flatten(y)
    rest = iter(bars)
    return structure.unflatten(iter([next(rest) if _moves(engine, v) else None for v in leaves]))


def _rows(engine: Engine, y: Any, pull: Callable[..., tuple[Any, ...]], xs: tuple[Any, ...]) -> Blocks:
    """The blocks, of one pullback per element of y; two where it is complex, and the xs are real."""
    ys = [v for v in trees.leaves_of(y) if _moves(engine, v)]
    bars = _dual_basis(engine, ys)
    found = engine.each(lambda *bars: pull(*bars), bars) if bars else ()
    blocks, at = [], 0
    for v in trees.leaves_of(y):
        if not _moves(engine, v):
            blocks.append([None] * len(xs))
            continue
        n, shapes = _size(v), [(*v.shape, *x.shape) for x in xs]
        parts = [f[at : at + n] for f in found]
        at += n
        if engine.is_complex(v):
            parts = [a + 1j * f[at : at + n] for a, f in zip(parts, found, strict=True)]
            at += n
        blocks.append([p.reshape(shape) for p, shape in zip(parts, shapes, strict=True)])
    return blocks


def _dual_basis(engine: Engine, ys: list[Any]) -> tuple[Any, ...]:
    """For each y the cotangents of the elements of all ys, stacked; of a complex one along 1 and along 1j."""
    m, at, found = sum(_rank(engine, v) for v in ys), 0, []
    for v in ys:
        n, size = _size(v), _rank(engine, v)
        unit = engine.eye(m, v)
        part = unit[:, at : at + n] if n < m else unit
        if size > n:
            part = part + 1j * unit[:, at + n : at + size]
        found.append(part.reshape((m, *v.shape)))
        at += size
    return tuple(found)


def _holomorphic(engine: Engine, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, Blocks]:
    """By forward mode along 1 and along 1j, where the derivative has to be 1j times as large."""
    n = sum(map(_size, xs))
    basis = _basis(engine, xs)
    xp = engine.namespace()
    both = tuple([xp.concatenate([b, (1j if engine.is_complex(x) else 1.0) * b], axis=0) for b, x in zip(basis, xs, strict=True)])
    y, y_dots = engine.jvp_many(fn, xs, both)
    ys, structure = trees.flatten(y)
    dots = trees.flatten_like(structure, y_dots, RuleOutputError)
    made = [None if t is None else _agreed(engine, t[:n], t[n:], xs) for t in dots]
    return y, [_column_blocks(engine, v, t, xs) for v, t in zip(ys, made, strict=True)]


def _agreed(engine: Engine, along: Any, across: Any, xs: tuple[Any, ...]) -> Any:
    """The derivatives along 1, if those along 1j are 1j times them; NaN where that is seen only when a compiled program runs."""
    xp, at, result = engine.namespace(), 0, along
    for x in xs:
        n = _size(x)
        if engine.is_complex(x) and n:
            fits = _fits(engine, along[at : at + n], across[at : at + n])
            known = engine.concrete([fits])
            if known is None:
                result = xp.where(fits, result, xp.nan)
            elif not known[0]:
                raise RuleOutputError(
                    f"rb.jacobian (engine {engine.name}).",
                    "a holomorphic function of complex numbers",
                    "a derivative that is linear over the reals only",
                    "differentiate with respect to the real and imaginary parts, or use rb.jvp or rb.vjp",
                )
        at += n
    return result


def _fits(engine: Engine, along: Any, across: Any) -> Any:
    """Whether one is 1j times the other, up to rounding of its own size and of the largest."""
    xp = engine.namespace()
    a, b = engine.stop_gradient(along), engine.stop_gradient(across)
    if not _size(a):
        return engine.asarray(np.bool_(True), a)
    size = xp.abs(a) + xp.abs(b)
    eps = float(np.finfo(engine.spec(a).dtype).eps)
    return xp.all(xp.abs(b - 1j * a) <= eps**0.5 * size + 1000 * eps * xp.max(size))
