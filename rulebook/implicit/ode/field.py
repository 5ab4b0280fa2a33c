"""The user's field as a function of flat leaves, which every solver and every rule of this package calls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, OPAQUE, kind_of
from rulebook.errors import RulebookError, RuleOutputError
from rulebook.implicit.ode.arithmetic import Keyed
from rulebook.signature import static_key

__all__ = ["NAME", "Field", "Parameters"]

NAME = "rb.implicit.odeint"

Leaves = tuple[Any, ...]


class Parameters:
    """How theta is taken apart.

    Args:
        engine: what tells what can be perturbed.
        theta: the parameters of the field.

    Attributes:
        moving: the leaves that can be perturbed.
        fixed: the arrays that cannot: integers and booleans.
        kinds: for each leaf whether it moves, or itself in a tuple if it is no array.
    """

    def __init__(self, engine: Engine, theta: tuple[Any, ...]) -> None:
        leaves, self.structure = trees.flatten(theta)
        arrays = [None if kind_of(type(x)) == OPAQUE else engine.asarray(x) for x in leaves]
        self.kinds = tuple([(x,) if a is None else engine.has_tangent(a) for x, a in zip(leaves, arrays, strict=True)])
        self.moving = tuple([a for a, kind in zip(arrays, self.kinds, strict=True) if kind is True])
        self.fixed = tuple([a for a, kind in zip(arrays, self.kinds, strict=True) if kind is False])


class Field(Keyed):
    """`field(y, t, *theta)` on the leaves of y and theta.  Equal for the same function and structures, so that it can be a static.

    Args:
        fn: the user's function.
        y: the structure of the state.
        theta: that of the parameters, and which of their leaves move.

    Attributes:
        n_leaves: the number of arrays of a state.
    """

    def __init__(self, fn: Callable[..., Any], y: trees.Structure, theta: Parameters) -> None:
        self.n_leaves = y.n_leaves
        self._fn = fn
        self._y = y
        self._theta = theta.structure
        self._kinds = theta.kinds
        self._reads = tuple([_hashable(v) for v in (fn, *[k[0] for k in theta.kinds if isinstance(k, tuple)])])
        kinds = tuple(["other" if isinstance(k, tuple) else k for k in theta.kinds])
        super().__init__(static_key(self._reads), y, theta.structure, kinds)

    def _rulebook_reads(self) -> tuple[Any, ...]:
        return self._reads

    def with_parameters(self, engine: Engine, moving: Sequence[Any], fixed: Sequence[Any]) -> Callable[[Leaves, Any], Leaves]:
        """The leaves of the rate of change of a state, in its shapes and dtypes, as a function of the state and the time."""
        rest = {True: iter(moving), False: iter(fixed)}
        leaves = [k[0] if isinstance(k, tuple) else next(rest[k]) for k in self._kinds]
        args = self._theta.unflatten(iter(leaves))
        fn, structure = self._fn, self._y
        if structure is trees.LEAF:
            return lambda x, t: (self._fit(engine, 0, x[0], fn(x[0], t, *args)),)

        def rate(x: Leaves, t: Any) -> Leaves:
            found = trees.flatten_like(structure, fn(structure.unflatten(iter(x)), t, *args), self._wrong)
            return tuple([self._fit(engine, i, a, b) for i, (a, b) in enumerate(zip(x, found, strict=True))])

        return rate

    def _fit(self, engine: Engine, i: int, x: Any, rate: Any) -> Any:
        if type(rate) is type(x) and rate.shape == x.shape and rate.dtype == x.dtype:
            return rate
        if kind_of(type(rate)) == NUMPY:
            rate = engine.asarray(rate, x)
        shape = getattr(rate, "shape", None)
        if shape is None or tuple(shape) != tuple(x.shape):
            raise self._wrong(trees.leaf_paths(self._y)[i], f"shape {tuple(x.shape)}, that of y", _shape(rate))
        if rate.dtype == x.dtype:
            return rate
        if engine.is_complex(rate) and not engine.is_complex(x):
            raise self._wrong(trees.leaf_paths(self._y)[i], f"real numbers, {x.dtype}, as in y", f"complex ones, {rate.dtype}")
        return engine.cast(rate, x)

    def _wrong(self, path: str, expected: str, got: str) -> RulebookError:
        name = getattr(self._fn, "__name__", type(self._fn).__name__)
        which = f"{NAME}, the result of field {name}{f', y{path}' if path else ''}."
        return RuleOutputError(which, expected, got, "let field return what has the structure, shapes and dtypes of y")


def _shape(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if hasattr(value, "shape") else f"a {type(value).__name__}"


def _hashable(value: Any) -> Any:
    """A value, or one that holds it and is equal to nothing but itself."""
    try:
        static_key(value)
    except TypeError:
        return functools.partial(_hold, value)
    return value


def _hold(value: Any) -> Any:
    return value
