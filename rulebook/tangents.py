"""The kinds of zero that a rule may return, cotangents computed on demand, and result shapes.

`None`, `NoTangent()` and `ZeroTangent()` all mean zero; they say why.  `NotImplementedTangent`
is not zero: it raises when its value is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

__all__ = [
    "NoTangent",
    "NotImplementedTangent",
    "ShapeDtype",
    "Thunk",
    "ZeroTangent",
    "is_zero",
    "thunk",
]


class ZeroTangent:
    """The derivative is zero here: the argument could be perturbed, the result does not move.

    Example:
        >>> ZeroTangent()
        ZeroTangent()
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class NoTangent:
    """There is nothing to perturb: an integer, a flag, a string, an index.

    Example:
        >>> NoTangent()
        NoTangent()
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class NotImplementedTangent:
    """A derivative that exists but is not written; raises RuleMissingError when it is used.

    Args:
        why: what is missing, for the message; a link to an issue is good practice.

    Example:
        >>> NotImplementedTangent("the order of jv").why
        'the order of jv'
    """

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why: Final = why

    def __repr__(self) -> str:
        return f"NotImplementedTangent({self.why!r})"


class Thunk:
    """A cotangent computed only if the engine needs it (see `thunk`)."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[], Any]) -> None:
        self.fn: Final = fn


def thunk(fn: Callable[[], Any]) -> Thunk:
    """A cotangent computed only if the engine needs it.

    Args:
        fn: takes nothing and gives the cotangent; called at most once per use.

    Returns:
        A Thunk, to be returned in place of the cotangent.

    Example:
        >>> thunk(lambda: np.ones(2)).fn()
        array([1., 1.])
    """
    return Thunk(fn)


@dataclass(frozen=True, slots=True)
class ShapeDtype:
    """The shape and dtype of an array that need not exist.

    Args:
        shape: a tuple of ints.
        dtype: anything that numpy.dtype takes.

    Example:
        >>> ShapeDtype((3,), "float32")
        ShapeDtype(shape=(3,), dtype=dtype('float32'))
    """

    shape: tuple[int, ...]
    dtype: Any = float

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size


def is_zero(value: object) -> bool:
    """Whether a returned tangent stands for zero: None, NoTangent() or ZeroTangent().

    Example:
        >>> is_zero(None), is_zero(ZeroTangent()), is_zero(0.0)
        (True, True, False)
    """
    return value is None or isinstance(value, (ZeroTangent, NoTangent))
