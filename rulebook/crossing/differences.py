"""Central differences, for NumPy code that no engine can differentiate: extrapolated, and refused where the error is too large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.crossing.inner import Fn, Inner, Pull
from rulebook.engine import is_floating
from rulebook.errors import RuleMissingError
from rulebook.numpy_engine import NumpyEngine, stack, unstack

__all__ = ["Differences"]

Vector = np.ndarray[Any, Any]

_STARTS = (0.1, 1e-3, 1e-5)  # first steps, in units of the size of the arguments
_SHRINK = 1.4
_LEVELS = 10  # of extrapolation: the last step is 29 times smaller than the first


class Differences(Inner):
    """Plain NumPy code, differentiated by differences."""

    is_engine = False

    def __init__(self) -> None:
        super().__init__(NumpyEngine("differences"))

    def joint(self, fn: Fn, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """y and y_dot: about ten calls of the function, twice that where it is rough."""
        flat = _Flat(fn, primals)
        dots = trees.flatten_like(flat.structure, tangents, _fail)
        moving = [np.zeros(np.shape(x)) if dots[i] is None else np.asarray(dots[i]) for i, x in zip(flat.moving, flat.values, strict=True)]
        return flat.y, flat.tangent(flat.along(_wide(moving)))

    def start(self, fn: Fn, primals: tuple[Any, ...]) -> tuple[Any, Pull]:
        """y and its pullback, which takes about ten calls of the function for each element of the primals."""
        flat = _Flat(fn, primals)
        columns: list[Vector] = []

        def pullback(y_bar: Any) -> tuple[Any, ...]:
            if not columns:
                columns.append(flat.columns())
            bars = trees.flatten_like(flat.out, y_bar, _fail)
            held = [np.zeros(np.shape(flat.ys[k])) if bars[k] is None else bars[k] for k in flat.kept]
            return flat.cotangents(columns[0] @ stack(_like(held, [flat.ys[k] for k in flat.kept])))

        return flat.y, pullback

    def vjp(self, fn: Fn, primals: tuple[Any, ...]) -> tuple[Any, Pull]:
        """The same."""
        return self.start(fn, primals)


def _fail(path: str, expected: str, got: str) -> Any:
    return RuleMissingError(f"rb.differentiate_with, engine 'differences', {path}.", expected, got, "pass what has the structure of y")


def _wide(values: Sequence[Any]) -> list[Any]:
    """Floating values in double precision."""
    return [np.asarray(x).astype(np.complex128 if np.iscomplexobj(x) else np.float64) for x in values]


def _like(values: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    """Values that are complex where others are, so that both have as many real coordinates."""
    return [np.asarray(v).astype(complex) if np.iscomplexobj(x) else np.real(v) for v, x in zip(values, like, strict=True)]


class _Flat:
    """A function of trees at its primals, as one of the real coordinates of their floating leaves.

    The function runs once on the primals as they are; the differences are taken in double precision.
    """

    def __init__(self, fn: Fn, primals: tuple[Any, ...]) -> None:
        self.fn = fn
        self.leaves, self.structure = trees.flatten(primals)
        self.moving = [i for i, x in enumerate(self.leaves) if _moves(x)]
        self.values = _wide([self.leaves[i] for i in self.moving])
        self.y = fn(*primals)
        self.ys, self.out = trees.flatten(self.y)
        self.kept = [k for k, y in enumerate(self.ys) if _moves(y)]
        self.precision = 0.0  # of what the function gave

    def at(self, step: float, direction: Sequence[Any]) -> Vector:
        """The real coordinates of the result at a step; NaN where the function refuses."""
        every = list(self.leaves)
        for i, x, v in zip(self.moving, self.values, direction, strict=True):
            every[i] = x + step * v
        try:
            with np.errstate(all="ignore"):
                ys = trees.flatten(self.fn(*self.structure.unflatten(iter(every))))[0]
        except (ArithmeticError, ValueError):  # of linear algebra too
            return np.full(stack([self.ys[k] for k in self.kept]).size, np.nan)
        found = [np.asarray(ys[k]) for k in self.kept]
        self.precision = max([self.precision, *[float(np.finfo(y.dtype).eps) for y in found if y.dtype.kind in "fc"]])
        return stack(_like(found, [self.ys[k] for k in self.kept]))

    def along(self, direction: Sequence[Any]) -> Vector:
        """The derivative along a direction.

        Raises:
            RuleMissingError: its estimated error is too large.
        """
        sizes = [_size(x) / np.max(np.abs(v)) for x, v in zip(self.values, direction, strict=True) if np.any(v)]
        if not sizes or not self.kept:
            return np.zeros(stack([self.ys[k] for k in self.kept]).size)
        worst = np.inf
        for start in _STARTS:
            found, error = _extrapolated(lambda step: self.at(step, direction), start * min(sizes))
            allowed = self._allowed(found, min(sizes))
            if np.all(error <= allowed):
                return found
            worst = min(worst, float(np.max(error / allowed))) if np.all(np.isfinite(error)) else worst
        raise RuleMissingError(
            f"rb.differentiate_with, engine 'differences', {getattr(self.fn, '__name__', 'the function')}.",
            "a function whose central differences settle",
            f"an estimated error {worst:.1e} times what its precision allows",
            "write the function for an engine, or differentiate where it is smooth",
        )

    def _allowed(self, found: Vector, size: float) -> float:
        relative = float(np.cbrt(self.precision or np.finfo(float).eps))
        scale = float(np.nanmax(np.abs(found), initial=0.0))
        value = float(np.nanmax(np.abs(stack([self.ys[k] for k in self.kept])), initial=0.0))
        return relative * max(scale, relative * value / size, float(np.finfo(float).tiny))

    def columns(self) -> Vector:
        """The derivative along each real coordinate of the primals, one row each."""
        n = stack(self.values).size
        rows = [self.along(unstack(e, self.values)) for e in np.eye(n)]
        return np.stack(rows) if rows else np.zeros((0, stack([self.ys[k] for k in self.kept]).size))

    def tangent(self, y_dot: Vector) -> Any:
        """Real coordinates as the tangent of y, None where it has none."""
        return self._spread(self.out, len(self.ys), self.kept, unstack(y_dot, [self.ys[k] for k in self.kept]))

    def cotangents(self, x_bar: Vector) -> tuple[Any, ...]:
        """Real coordinates as the cotangents of the primals."""
        found: tuple[Any, ...] = self._spread(self.structure, len(self.leaves), self.moving, unstack(x_bar, self.values))
        return found

    @staticmethod
    def _spread(structure: trees.Structure, n: int, at: Sequence[int], values: Sequence[Any]) -> Any:
        every: list[Any] = [None] * n
        for i, value in zip(at, values, strict=True):
            every[i] = value
        return structure.unflatten(iter(every))


def _moves(x: Any) -> bool:
    return not isinstance(x, str) and is_floating(np.asarray(x).dtype)


def _size(x: Any) -> float:
    """The size of the numbers of an array; one where they are zero."""
    size = float(np.sqrt(np.mean(np.abs(x) ** 2))) if np.size(x) else 0.0
    return size if 0.0 < size < np.inf else 1.0


def _extrapolated(fn: Callable[[float], Vector], step: float) -> tuple[Vector, Vector]:
    """The derivative at 0 and its error, by Ridders' method: differences at shrinking steps, extrapolated to step 0.

    C. J. F. Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering Software 4 (1982).
    """
    with np.errstate(all="ignore"):
        before = [(fn(step) - fn(-step)) / (2 * step)]
        best, error = before[0], np.full(before[0].shape, np.inf)
        for _ in range(1, _LEVELS):
            step /= _SHRINK
            row = [(fn(step) - fn(-step)) / (2 * step)]
            factor = 1.0
            for j, last in enumerate(before):
                factor *= _SHRINK**2
                row.append((row[j] * factor - last) / (factor - 1.0))
                gap = np.maximum(np.abs(row[-1] - row[j]), np.abs(row[-1] - last))
                better = gap <= error
                best, error = np.where(better, row[-1], best), np.where(better, gap, error)
            if np.all(np.abs(row[-1] - before[-1]) >= 2 * error):  # noise has taken over
                break
            before = row
    return best, error
