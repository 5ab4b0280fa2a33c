"""Scenarios from the closed forms of a function: its value, its Jacobian and its Hessian as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rulebook import trees
from rulebook.testing.scenario.model import Point, Scenario

__all__ = ["Array", "Formula", "Problem", "arrays", "draw", "made"]

Array = npt.NDArray[Any]
Formula = Callable[..., Any]

_FIRST = ("jvp", "vjp", "jacobian")
_REAL = ("grad", "value_and_grad", "hessian", "hvp")


def draw(shape: tuple[int, ...], seed: int, dtype: Any = np.float64) -> Array:
    """Numbers around 1 or, of a complex dtype, around 1 + i/2; the same for the same seed."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 1.5, shape)
    return np.asarray(x + 1j * rng.uniform(0.1, 0.9, shape) if np.dtype(dtype).kind == "c" else x, dtype)


def arrays(tree: Any) -> Any:
    """A tree with NumPy arrays for its numbers, as operators return it."""
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([np.asarray(leaf) for leaf in leaves]))


def made(
    name: str,
    operator: str,
    f: Formula,
    exact: Formula,
    first: tuple[Any, ...],
    second: tuple[Any, ...],
    *,
    along: Sequence[Any] | None = None,
    constants: Sequence[Any] = ((), ()),
    tags: Iterable[str] = (),
    **options: Any,
) -> Scenario:
    """A scenario whose exact derivative is a function of the point.

    Args:
        name: of the scenario.
        operator: of the scenario.
        f: the function.
        exact: gives the derivative by NumPy, of the arguments, the constants (by keyword where they are named), and the tangents.
        first: the arguments.
        second: those of the other point.
        along: the tangents at the two points, where the operator takes some.
        constants: those of the two points.
        tags: of the scenario.
        options: of the scenario.
    """

    def expected(i: int) -> Any:
        args, given = (first, second)[i], constants[i]
        rest, named = ((), given) if isinstance(given, dict) else (given, {})
        tangents = () if along is None else (along[i],)
        return arrays(exact(*args, *rest, *tangents, **named))

    one, other = along or (None, None)
    again = Point(second, expected(1), other, constants=constants[1])
    rest = {"tangents": one, "constants": constants[0], "again": again, "tags": frozenset(tags), **options}
    return Scenario(name, operator, f, first, expected(0), **rest)


@dataclass(frozen=True)
class Problem:
    """A function of one array that gives one array, and its derivatives as formulas.

    Attributes:
        name: of the function.
        f: the function.
        points: two arguments of the same shape.
        first: x -> the Jacobian, of shape y.shape + x.shape; of complex x only for holomorphic f.
        second: x -> the derivative of that, of shape y.shape + x.shape + x.shape; None where it is not asked for.
        tags: of the scenarios.
        tolerance: of the scenarios.
    """

    name: str
    f: Callable[..., Any]
    points: tuple[Any, Any]
    first: Callable[[Any], Any]
    second: Callable[[Any], Any] | None = None
    tags: tuple[str, ...] = ()
    tolerance: float | None = None

    def scenarios(self, operators: Iterable[str] = ()) -> Iterator[Scenario]:
        """One scenario for each operator; all that fit by default."""
        for operator in operators or self._fitting():
            exact, along = self._exact(operator)
            args = tuple((x,) for x in self.points)
            yield made(
                f"{self.name}-{operator}",
                operator,
                self.f,
                exact,
                *args,
                along=along,
                tags=self.tags,
                tolerance=self.tolerance,
            )

    def _fitting(self) -> list[str]:
        y, x = (np.asarray(a) for a in (self.f(self.points[0]), self.points[0]))
        fitting = list(_FIRST)
        if x.ndim == 0 and x.dtype.kind == "f":
            fitting += ["derivative", "second_derivative"]
        if y.ndim == 0 and y.dtype.kind == "f":
            fitting += _REAL
        return [o for o in fitting if self.second is not None or o not in ("second_derivative", "hessian", "hvp")]

    def _exact(self, operator: str) -> tuple[Formula, Sequence[Any] | None]:
        """The derivative as a function of the point, and tangents."""
        if operator == "jvp":
            return self._forward, tuple((t,) for t in self._tangents())
        if operator == "vjp":
            return self._reverse, self._cotangents()
        if operator == "hvp":
            return self._hessian_product, self._tangents()
        return (self._second if operator in ("hessian", "second_derivative") else self.first), None

    def _tangents(self) -> Sequence[Any]:
        return tuple(self._like(x, 70 + i) for i, x in enumerate(self.points))

    def _cotangents(self) -> Sequence[Any]:
        return tuple(self._like(self.f(x), 80 + i) for i, x in enumerate(self.points))

    @staticmethod
    def _like(x: Any, seed: int) -> Array:
        x = np.asarray(x)
        return draw(x.shape, seed, x.dtype)

    def _forward(self, x: Any, x_dot: tuple[Any]) -> Array:
        return np.tensordot(self.first(x), x_dot[0], np.ndim(x))

    def _reverse(self, x: Any, y_bar: Any) -> tuple[Array]:
        x_bar = np.tensordot(y_bar, np.conj(self.first(x)), np.ndim(y_bar))
        return (x_bar if np.iscomplexobj(x) else np.real(x_bar),)

    def _second(self, x: Any) -> Any:
        assert self.second is not None
        return self.second(x)

    def _hessian_product(self, x: Any, x_dot: Any) -> Array:
        return np.tensordot(self._second(x), x_dot, np.ndim(x))
