"""The user's field as a function of flat leaves, which every solver and every rule of this package calls."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from rulebook import trees
from rulebook.engines import NUMPY, OPAQUE, Engine, kind_of
from rulebook.errors import RulebookError, RuleOutputError
from rulebook.signature import static_key

__all__ = ["NAME", "Field", "Parameters"]

NAME = "rb.implicit.odeint"

Leaves = tuple[Any, ...]


class Parameters:
    """How theta is taken apart: leaves that can be perturbed, arrays that cannot, and other objects.

    Args:
        engine: what tells them apart.
        theta: the parameters of the field.
    """

    def __init__(self, engine: Engine, theta: tuple[Any, ...]) -> None:
        leaves, self.structure = trees.flatten(theta)
        self.moving: Leaves = ()
        self.fixed: Leaves = ()
        kinds: list[Any] = []
        for x in leaves:
            if kind_of(type(x)) == OPAQUE:
                kinds.append((x,))
                continue
            x = engine.asarray(x)
            moves = engine.has_tangent(x)
            kinds.append(moves)
            if moves:
                self.moving += (x,)
            else:
                self.fixed += (x,)
        self.kinds = tuple(kinds)


class Field:
    """`field(y, t, *theta)` on the leaves of y and theta.  Equal for the same function and structures, so that it can be a static.

    Args:
        fn: the user's function.
        y: the structure of the state.
        theta: that of the parameters, and which of their leaves move.
    """

    def __init__(self, fn: Callable[..., Any], y: trees.Structure, theta: Parameters) -> None:
        self.fn = fn
        self._y = y
        self.n_leaves = y.n_leaves
        self._theta = theta.structure
        self._kinds = theta.kinds
        self._key: Hashable = (_key(fn), y, theta.structure, tuple(_key(k[0]) if isinstance(k, tuple) else k for k in theta.kinds))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self._key == other._key

    def __call__(self, engine: Engine, x: Leaves, t: Any, moving: Sequence[Any], fixed: Sequence[Any]) -> Leaves:
        """The leaves of the rate of change of a state, in its shapes and dtypes."""
        rest = {True: iter(moving), False: iter(fixed)}
        leaves = [k[0] if isinstance(k, tuple) else next(rest[k]) for k in self._kinds]
        y_dot = self.fn(self._y.unflatten(iter(x)), t, *self._theta.unflatten(iter(leaves)))
        found = trees.flatten_like(self._y, y_dot, self._wrong)
        return tuple([self._fit(engine, i, a, b) for i, (a, b) in enumerate(zip(x, found, strict=True))])

    def _fit(self, engine: Engine, i: int, x: Any, rate: Any) -> Any:
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
        name = getattr(self.fn, "__name__", type(self.fn).__name__)
        return RuleOutputError(f"{NAME}, the result of field {name}{f', y{path}' if path else ''}.", expected, got, "let field return what has the structure, shapes and dtypes of y")


def _shape(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if hasattr(value, "shape") else f"a {type(value).__name__}"


class _Same:
    """An unhashable object as a key: by identity, kept alive."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._value is other._value


def _key(value: Any) -> Hashable:
    try:
        return static_key(value)
    except TypeError:
        return _Same(value)
