"""Functions that are handed to solvers and compiled code: a dual that they give is refused before its tangent is dropped."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.parts import top
from rulebook.dual.third_party.coercions import gathered

__all__ = ["guarded", "holds_dual", "watched"]


def holds_dual(values: Iterable[Any]) -> bool:
    """Whether one is a dual, or a list that holds one."""
    return bool(top(list(values)))


def _refuse(what: str, value: Any, do: str) -> None:
    if holds_dual([value]):
        got = f"{describe(gathered(value))}, whose tangent would be lost"
        raise DroppedTangentError(f"{what} (engine dual).", "a number or array without a tangent", got, do)


def watched(fn: Any, name: str, do: str) -> Any:
    """A function that `name` calls; other arguments as they are.

    Args:
        fn: the function, or another value.
        name: of what calls it.
        do: the remedy that the error names.
    """
    if not inspect.isroutine(fn):
        return fn

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        y = fn(*args, **kwargs)
        _refuse(f"What the function given to {name} returns", y, do)
        return y

    return call


def guarded(original: Callable[..., Any], name: str, do: str) -> Callable[..., Any]:
    """A compiled function which crashes where an argument, or what a function returns, refuses to be an array: it is refused before."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            _refuse(f"An argument of {name}", value, do)
        return original(*(watched(a, name, do) for a in args), **{key: watched(a, name, do) for key, a in kwargs.items()})

    return call
