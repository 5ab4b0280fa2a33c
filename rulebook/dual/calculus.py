"""Differences and sums over grids: gradient, trapezoid, interp, unwrap."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import lift, plain
from rulebook.dual.parts import is_dual, join, tangent
from rulebook.dual.registry import rule

__all__: list[str] = []


@rule(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y, x = lift(y), lift(x)
    y = np.moveaxis(y, axis, -1) if np.ndim(y) > 1 else y
    if x is not None:
        dx = np.diff(x) if np.ndim(x) == 1 else np.diff(np.moveaxis(x, axis, -1), axis=-1)
    return np.sum((y[..., 1:] + y[..., :-1]) * dx, axis=-1) / 2.0


@rule(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f, varargs = lift(f), tuple(map(lift, varargs))
    axes = tuple(range(np.ndim(f))) if axis is None else tuple(i % np.ndim(f) for i in ((axis,) if np.ndim(axis) == 0 else axis))
    if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 and np.ndim(varargs[0]) and len(axes) > 1):
        raise TypeError("invalid number of arguments")
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    spacing = varargs if len(varargs) == len(axes) else varargs * len(axes) or (1.0,) * len(axes)
    made = [np.moveaxis(_slopes(np.moveaxis(f, i, -1), h, edge_order), -1, i) for i, h in zip(axes, spacing, strict=True)]
    return made[0] if len(axes) == 1 else tuple(made)


def _slopes(f: Any, h: Any, edge_order: int) -> Any:
    """The derivative along the last axis: h is a distance, or the places."""
    n = f.shape[-1]
    if n < edge_order + 1:
        raise ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are required.")
    if np.ndim(h) == 1:
        if h.shape != (n,):
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        steps = np.diff(h)
        if np.all(np.equal(steps, steps[0])) and not is_dual(steps):
            h = steps[0]
    else:
        steps = None
    if np.ndim(h) == 0:
        return _even(f, h, edge_order)
    before, after = steps[:-1], steps[1:]
    inner = (
        -after / (before * (before + after)) * f[..., :-2]
        + (after - before) / (before * after) * f[..., 1:-1]
        + before / (after * (before + after)) * f[..., 2:]
    )
    first, last = _edge(f[..., :3], steps[:2], edge_order), _edge(f[..., :-4:-1], -steps[:-3:-1], edge_order)
    return np.concatenate([first, inner, last], axis=-1)


def _edge(f: Any, h: Any, order: int) -> Any:
    """The derivative at the first of the points, by one difference or through three."""
    if order == 1:
        return (f[..., 1:2] - f[..., :1]) / h[0]
    a, b = h[0], h[1]
    return -(2 * a + b) / (a * (a + b)) * f[..., :1] + (a + b) / (a * b) * f[..., 1:2] - a / (b * (a + b)) * f[..., 2:3]


def _even(f: Any, h: Any, order: int) -> Any:
    inner = (f[..., 2:] - f[..., :-2]) / (2.0 * h)
    if order == 1:
        first, last = (f[..., 1:2] - f[..., :1]) / h, (f[..., -1:] - f[..., -2:-1]) / h
    else:
        first = (-1.5 * f[..., :1] + 2.0 * f[..., 1:2] - 0.5 * f[..., 2:3]) / h
        last = (0.5 * f[..., -3:-2] - 2.0 * f[..., -2:-1] + 1.5 * f[..., -1:]) / h
    return np.concatenate([first, inner, last], axis=-1)


@rule(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """At a knot the slope to its right, at the last the one to its left."""
    x, xp, fp = (np.asarray(v) if not is_dual(v) and np.ndim(v) else v for v in map(lift, (x, xp, fp)))
    if np.ndim(xp) != 1 or np.shape(xp) != np.shape(fp) or not np.size(xp):
        raise ValueError("fp and xp are not of the same length." if np.size(xp) else "array of sample points is empty")
    if np.iscomplexobj(x) or np.iscomplexobj(xp):
        raise TypeError("Cannot cast array data from dtype('complex128') to dtype('float64') according to the rule 'safe'")
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, period)
        left = right = None
    at, knots = plain(x, "np.interp()"), plain(xp, "np.interp()")
    low, high = fp[0] if left is None else left, fp[-1] if right is None else right
    if np.size(knots) == 1:
        return np.where(np.less(at, knots[0]), low, np.where(np.greater(at, knots[0]), high, fp[0]))
    i = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    slope = (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i])
    inner = fp[i] + slope * (x - xp[i])
    if np.any(np.isnan(inner)):  # from the knot to the right, where the one to the left is infinite
        inner = np.where(np.isnan(inner), fp[i + 1] + slope * (x - xp[i + 1]), inner)
    return np.where(np.less(at, knots[0]), low, np.where(np.greater(at, knots[-1]), high, inner))


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """One period, with a knot of the neighbouring ones on either side."""
    if period == 0:
        raise ValueError("period must be a non-zero value")
    period = abs(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    return x, np.concatenate([xp[-1:] - period, xp, xp[:1] + period]), np.concatenate([fp[-1:], fp, fp[:1]])


@rule(np.unwrap)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """Whole periods are added, which do not move with p."""
    y, t = np.unwrap(p.p, discont, axis, period=period), tangent(p, p.tag)
    return join(y, np.where(np.isnan(y), np.nan, t) if np.any(np.isnan(y)) else t, p.tag)
