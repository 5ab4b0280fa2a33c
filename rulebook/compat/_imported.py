"""Functions that carry the rules of another library: called as they are there, and primitives of every engine."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.crossing import differentiate_with
from rulebook.engine import Engine
from rulebook.engines import CONTAINER, NUMPY, OPAQUE, kind_of
from rulebook.primitive import Primitive
from rulebook.signature import static_key

__all__ = ["Imported", "is_array", "released", "statics_of"]


class Imported(Primitive):
    """A primitive whose rules are one engine's: that engine runs them itself, all others through it.

    Args:
        inner: the primitive with the rules, of arrays by position and constants by keyword.
        engine: whose rules they are.
        options: those of `rb.differentiate_with`.
    """

    def __init__(self, inner: Primitive, engine: Engine, **options: Any) -> None:
        fn = lambda *arrays, **statics: inner(*arrays, **statics)
        functools.update_wrapper(fn, inner.fn)
        through = differentiate_with(fn, engine.name, name=inner.name, **options)
        super().__init__(
            through.fn,
            name=through.name,
            host=True,
            result=through.result,
            vectorized=through.vectorized,
            cases=through.cases,
            jit=False,
            native=through.native,
        )
        self.set_rule(through.forward, through.reverse, replace=False)
        self.infer, self.twins = through.infer, through.twins
        self.inner, self.engine = inner, engine

    def arrange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arrays and the constants of a call, as the inner primitive takes them."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as its library does; the engine follows from the values."""
        arrays, statics = self.arrange(args, kwargs)
        if any([self.engine.owns(type(x)) for x in arrays]):
            return self.inner(*arrays, **statics)
        return super().__call__(*arrays, **statics)

    def call_in(self, engine: Engine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same by one engine's own function."""
        arrays, statics = self.arrange(args, kwargs)
        if engine is self.engine:
            return self.inner.call_in(engine, tuple(arrays), statics)
        return super().call_in(engine, tuple(arrays), statics)


def is_array(value: Any) -> bool:
    """Whether an argument may be differentiated: an array of an engine or of NumPy, or a container of some; not a number of Python."""
    kind = kind_of(type(value))
    if kind == NUMPY:
        return isinstance(value, np.ndarray) and value.dtype != object
    if kind == CONTAINER:
        return any(map(is_array, trees.leaves_of(value)))
    return kind != OPAQUE


class _Held:
    """A constant that cannot be hashed, as one that can."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any, key: Hashable) -> None:
        self.value, self.key = value, key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.key == other.key


def _key(value: Any) -> Hashable:
    """What tells a constant from others: lists and dicts by what is in them, other objects that cannot be hashed by identity."""
    if isinstance(value, (list, tuple)):
        return (type(value), *map(_key, value))
    if isinstance(value, dict):
        return (dict, *((_key(k), _key(v)) for k, v in value.items()))
    try:
        return static_key(value)
    except TypeError:
        return (type(value), id(value))  # alive as long as the key, which the value is beside


def statics_of(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Constants by name, as statics."""
    return {name: _static(value) for name, value in zip(names, values, strict=True)}


def _static(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return _Held(value, _key(value))
    return value


def released(value: Any) -> Any:
    """A constant as the caller passed it."""
    return value.value if type(value) is _Held else value
