"""What a scenario is: one derivative of one function, and what it is exactly."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.errors import RuleSignatureError

__all__ = ["ALONG", "OPERATORS", "SECOND_ORDER", "UNKNOWN", "Point", "Scenario"]

OPERATORS = ("jvp", "vjp", "derivative", "second_derivative", "grad", "value_and_grad", "jacobian", "hessian", "hvp")
ALONG = frozenset({"jvp", "vjp", "hvp"})  # those that are given tangents or cotangents
SECOND_ORDER = frozenset({"second_derivative", "hessian", "hvp"})  # those that take two engines, (outer, inner)


class _Unknown:
    """Stands for a value that nobody gave."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


@dataclass(frozen=True, eq=False)
class Point:
    """Where an operator is called, and what it gives there.

    Attributes:
        args: the arguments of the function.
        expected: the exact derivative, of the structure, shapes and dtypes that the operator gives.
        tangents: of jvp and hvp; for vjp the cotangent of the result.
        value: the exact value of the function; what it gives on NumPy arrays, if it is not told.
        constants: those of this point; those of the scenario by default.
    """

    args: tuple[Any, ...]
    expected: Any
    tangents: Any = None
    value: Any = UNKNOWN
    constants: Any = None


@dataclass(frozen=True, eq=False)
class Scenario:
    """One derivative of one function, at one point or two, with what it is exactly.

    Attributes:
        name: unique among those that are used together.
        operator: one of "jvp", "vjp", "derivative", "second_derivative", "grad", "value_and_grad", "jacobian", "hessian", "hvp".
        f: the function, written with `rb.xp`, so that it runs in every engine.
        args: its arguments: NumPy arrays, numbers, and containers of them.
        expected: the exact derivative, of the structure, shapes and dtypes that the operator gives: the tangent for jvp, the
            cotangents for vjp, the gradient for value_and_grad.
        tangents: of jvp a tuple and of hvp one, or as argnums says; for vjp the cotangent of the result.
        value: the exact value of f; what f gives on NumPy arrays, if it is not told.
        constants, caches, argnums, batch, sparsity: options of the operator.
        again: another point, where the prepared operator is called as well.
        tags: words to choose scenarios by; the operator is always one of them.
        tolerance: relative; by default what the dtype allows.
        needs: packages without which it is left out.

    Raises:
        RuleSignatureError: there is no such operator, or it needs tangents and has none.

    Example:
        >>> import rulebook as rb
        >>> x = np.array([1.0, 2.0])
        >>> Scenario("sphere", "grad", lambda x: rb.xp(x).sum(x**2), (x,), expected=2 * x)
        Scenario(sphere, grad)
    """

    name: str
    operator: str
    f: Callable[..., Any]
    args: tuple[Any, ...]
    expected: Any
    tangents: Any = None
    value: Any = UNKNOWN
    constants: Sequence[Any] | Mapping[str, Any] = ()
    caches: Sequence[Any] = ()
    argnums: int | tuple[int, ...] | None = None
    batch: bool = False
    sparsity: Any = None
    again: Point | None = None
    tags: frozenset[str] = field(default_factory=frozenset)
    tolerance: float | None = None
    needs: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            near = difflib.get_close_matches(self.operator, OPERATORS, n=1)
            do = f"write {near[0]!r}, if that is meant" if near else "name an operator of rulebook"
            raise RuleSignatureError(f"scenario {self.name!r}, operator.", f"one of {', '.join(OPERATORS)}", repr(self.operator), do)
        given: Any = self.args
        if not isinstance(given, tuple):
            got = f"a {type(given).__name__}"
            raise RuleSignatureError(f"scenario {self.name!r}, args.", "a tuple of the arguments", got, "write (x,) for one argument")
        if self.operator in ALONG and self.tangents is None:
            what = "cotangent of the result" if self.operator == "vjp" else "tangents"
            raise RuleSignatureError(f"scenario {self.name!r}, tangents.", f"the {what}, for {self.operator}", "none", "pass tangents=")
        object.__setattr__(self, "tags", frozenset(self.tags) | {self.operator})

    def __repr__(self) -> str:
        return f"Scenario({self.name}, {self.operator})"

    @property
    def point(self) -> Point:
        """The point of the scenario."""
        return Point(self.args, self.expected, self.tangents, self.value, self.constants)

    @property
    def points(self) -> tuple[Point, ...]:
        """This point, and the other one where there is one; with value and constants of their own."""
        every = (self.point,) if self.again is None else (self.point, self.again)
        return tuple(self._completed(point) for point in every)

    def on_numpy(self, point: Point) -> Any:
        """What the function gives on NumPy arrays of its own, which it may change."""
        args, constants, caches = copy.deepcopy((point.args, point.constants, tuple(self.caches)))
        named = constants if isinstance(constants, Mapping) else {}
        return self.f(*args, *(() if named else constants), *caches, **named)

    def _completed(self, point: Point) -> Point:
        known = replace(point, constants=self.constants if point.constants is None else point.constants)
        if point.value is not UNKNOWN:
            return known
        leaves, structure = trees.flatten(self.on_numpy(known))
        return replace(known, value=structure.unflatten(iter([np.array(leaf) for leaf in leaves])))
