"""Differences, integrals, interpolation and polynomials, put together from other functions."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.errors import RuleMissingError
from rulebook.rules._along import alike, beside, flipped, floating, joined, numbers, together, zeros
from rulebook.rules.numpy._convolution import convolve
from rulebook.rules.numpy._reductions import sum
from rulebook.rules.numpy._selection import where
from rulebook.rules.numpy._support import constants
from rulebook.rules.numpy.linalg._eigen import eigvals
from rulebook.rules.numpy.linalg._least import lstsq

__all__ = [
    "diff",
    "ediff1d",
    "gradient",
    "interp",
    "poly",
    "polyadd",
    "polyder",
    "polyfit",
    "polyint",
    "polymul",
    "polynomial_polyval",
    "polysub",
    "polyval",
    "roots",
    "trapezoid",
    "unwrap",
    "vander",
]


def _cut(x: Any, axis: int, *bounds: int | None) -> Any:
    """A slice of one axis."""
    return x[tuple(slice(*bounds) if i == axis % x.ndim else slice(None) for i in range(x.ndim))]


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours, n times.

    Example:
        >>> diff(np.array([1.0, 4.0, 9.0]))
        array([3., 5.])
    """
    for _ in range(n):
        a = _cut(a, axis, 1, None) - _cut(a, axis, 0, -1)
    return a


@together("ary", "to_end", "to_begin")
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours of the flattened array, with others put at the ends."""
    xp = rb.xp(ary)
    parts = [diff(xp.reshape(ary, (-1,)))]
    for value, at in ((to_begin, 0), (to_end, 1)):
        if value is not None:
            parts.insert(at * len(parts), xp.reshape(xp.asarray(value), (-1,)))
    return xp.concatenate(parts) if len(parts) > 1 else parts[0]


@together("y", "x")
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The integral by the trapezoidal rule.

    Example:
        >>> trapezoid(np.array([0.0, 2.0]))
        np.float64(1.0)
    """
    xp = rb.xp(y, x) if x is not None else rb.xp(y)
    steps: Any = dx
    if x is not None:
        steps = diff(x) if x.ndim == 1 else diff(x, axis=axis)
        if x.ndim == 1 and y.ndim > 1:
            steps = xp.reshape(steps, tuple(-1 if i == axis % y.ndim else 1 for i in range(y.ndim)))
    return sum(steps * (_cut(y, axis, 1, None) + _cut(y, axis, 0, -1)), axis=axis) / 2


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Slopes by second-order differences inside and one-sided ones at the ends; distances or places have a derivative as well.

    Example:
        >>> gradient(np.array([1.0, 4.0, 9.0]))
        array([3., 4., 5.])
    """
    axes = range(f.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    spacing = varargs if len(varargs) == len(list(axes)) else varargs * len(list(axes)) or (1.0,) * len(list(axes))
    f, *distances = alike([f, *spacing])
    found = [_slopes(f, h, i, edge_order) for i, h in zip(axes, distances, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slopes(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    """Along one axis: h is a distance, or the places."""
    xp = rb.xp(f)
    g, n = xp.moveaxis(f, axis, -1), f.shape[axis]
    if n < edge_order + 1:
        raise ValueError("gradient: an axis has too few elements; at least edge_order + 1 are required")
    steps = diff(h) if np.ndim(h) == 1 else numbers(f, np.ones(n - 1)) * h
    slopes = diff(g) / steps  # between neighbours
    left, right = steps[:-1], steps[1:]
    inside = (slopes[..., :-1] * right + slopes[..., 1:] * left) / (left + right)
    if edge_order == 1:
        first, last = slopes[..., :1], slopes[..., -1:]
    else:
        first = slopes[..., :1] + (slopes[..., :1] - slopes[..., 1:2]) * (steps[0] / (steps[0] + steps[1]))
        last = slopes[..., -1:] + (slopes[..., -1:] - slopes[..., -2:-1]) * (steps[-1] / (steps[-1] + steps[-2]))
    return xp.moveaxis(xp.concatenate([first, inside, last], axis=-1), -1, axis)


def unwrap(p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """Angles without jumps: whole periods are added, which are constant."""
    (values,) = constants(p)
    if isinstance(values, np.ndarray):
        return p + beside(p, np.unwrap(values, discont, axis, period=period) - values)
    return p + _periods(values, period / 2 if discont is None else discont, axis, period)


def _periods(values: Any, discont: float, axis: int, period: float) -> Any:
    """What `numpy.unwrap` adds to the angles, where they are traced."""
    xp, steps = rb.xp(values), diff(values, axis=axis)
    short = xp.mod(steps + period / 2, period) - period / 2
    short = xp.where((short == -period / 2) & (steps > 0), period / 2, short)
    jumps = xp.where(xp.abs(steps) < discont, 0.0, short - steps)
    return joined([xp.zeros_like(_cut(values, axis, 0, 1)), xp.cumsum(jumps, axis=axis)], axis)


@together("x", "xp", "fp", "left", "right")
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """Values at x of the piecewise linear function through (xp, fp); all three have a derivative.

    At a node the slope is that of the piece to its right.  Beyond the ends the value is fp's, or left and right.

    Example:
        >>> interp(np.array([1.5]), np.array([1.0, 2.0]), np.array([0.0, 4.0]))
        array([2.])
    """
    nodes, at = constants(xp, x)
    n, space = nodes.shape[0], rb.xp(nodes, at)
    if n == 1:
        inside = fp[0] + 0.0 * x
    else:
        if space is not np:
            at = at + space.zeros_like(nodes[0])  # batched where the nodes are: torch copies what it has to repeat, and warns
        i = space.clip(space.searchsorted(nodes, at, side="right") - 1, 0, n - 2)
        inside = fp[i] + (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]) * (x - xp[i])
    inside = where(beside(inside, at < nodes[0]), fp[0] if left is None else left, inside)
    return where(beside(inside, at > nodes[-1]), fp[-1] if right is None else right, inside)


@together("p", "x")
def polyval(p: Any, x: Any) -> Any:
    """A polynomial, highest power first.

    Example:
        >>> polyval(np.array([1.0, 0.0, 2.0]), 3.0)
        np.float64(11.0)
    """
    y: Any = 0.0 * x
    for k in range(p.shape[0]):
        y = y * x + p[k]
    return y


@together("x", "c")
def polynomial_polyval(x: Any, c: Any) -> Any:
    """As `numpy.polynomial.polynomial.polyval`: lowest power first."""
    return polyval(flipped(c), x)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of numbers as columns, the highest first.

    Example:
        >>> vander(np.array([2.0]), 3)
        array([[4., 2., 1.]])
    """
    xp = rb.xp(x)
    powers = [xp.zeros_like(x) + 1]
    for _ in range((x.shape[0] if N is None else N) - 1):
        powers.append(powers[-1] * x)
    return xp.stack(powers if increasing else powers[::-1], axis=-1)


@together("x", "y")
def polyfit(x: Any, y: Any, deg: int) -> Any:
    """The coefficients of the polynomial of least squares, highest power first.

    Example:
        >>> polyfit(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), 1).round(6)
        array([2., 1.])
    """
    return lstsq(vander(x, deg + 1), y)[0]


def _aligned(a: Any, b: Any) -> tuple[Any, Any]:
    """Coefficients of one length."""
    xp, n = rb.xp(a, b), max(a.shape[0], b.shape[0])
    longer = (xp.concatenate([zeros(c, (n - c.shape[0],)), c]) if c.shape[0] < n else c for c in (a, b))
    return next(longer), next(longer)


@together("a1", "a2")
def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    a, b = _aligned(a1, a2)
    return a + b


@together("a1", "a2")
def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    a, b = _aligned(a1, a2)
    return a - b


def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials."""
    return convolve(a1, a2)


def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the derivative of a polynomial, m times."""
    for _ in range(m):
        p = p[:-1] * beside(p, np.arange(p.shape[0] - 1, 0, -1))
    return p


def polyint(p: Any, m: int = 1) -> Any:
    """The coefficients of the integral of a polynomial from 0, m times."""
    p = floating(p)
    for _ in range(m):
        xp = rb.xp(p)
        p = xp.concatenate([p / beside(p, np.arange(p.shape[0], 0, -1)), xp.zeros_like(p[:1])])
    return p


def poly(seq_of_zeros: Any) -> Any:
    """The coefficients of the polynomial with the roots given.

    Example:
        >>> poly(np.array([1.0, 2.0]))
        array([ 1., -3.,  2.])
    """
    xp = rb.xp(seq_of_zeros)
    one = xp.zeros_like(seq_of_zeros[:1]) + 1
    found = one
    for k in range(seq_of_zeros.shape[0]):
        found = convolve(found, xp.concatenate([one, -seq_of_zeros[k : k + 1]]))
    return found


def roots(p: Any) -> Any:
    """The roots of a polynomial, complex: the eigenvalues of its companion matrix.  The first coefficient is not zero.

    Example:
        >>> np.sort(roots(np.array([1.0, -3.0, 2.0])).real)
        array([1., 2.])
    """
    xp, n = rb.xp(p), p.shape[0] - 1
    (values,) = constants(p)
    if isinstance(values, np.ndarray) and values[0] == 0:
        raise RuleMissingError(
            "rulebook.rules.numpy.roots.",
            "a first coefficient that is not zero: beside zero a root is beyond all bounds",
            "0",
            "leave leading zeros away",
        )
    first = xp.reshape(-p[1:] / p[0], (1, n))
    return eigvals(xp.concatenate([first, numbers(first, np.eye(n - 1, n))], axis=0))
