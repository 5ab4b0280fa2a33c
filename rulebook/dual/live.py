"""The derivative calls that are running, where `third_party.passing` is on: new buffers take their tangents."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.tags import is_directional, new_tag

__all__ = ["array_of", "check", "check_write", "duals", "following", "is_on", "looks_like", "suspended", "turned_on", "without_tangent"]

_on: ContextVar[int] = ContextVar("passing", default=0)  # the tag from which derivative calls are younger than the mode; 0 without it
_duals: ContextVar[tuple[Any, ...]] = ContextVar("live", default=())

is_on = _on.get  # whether code of this thread is in the mode; a new thread is not
duals = _duals.get  # one of each running derivative call, outermost first


@contextlib.contextmanager
def turned_on() -> Iterator[None]:
    """The mode, for this thread."""
    token = _on.set(new_tag())
    try:
        yield
    finally:
        _on.reset(token)


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Without the mode: for functions whose derivative would not be that of what they compute."""
    token = _on.set(0)
    try:
        yield
    finally:
        _on.reset(token)


@contextlib.contextmanager
def following(args: tuple[Any, ...]) -> Iterator[None]:
    """A derivative call on these duals is running, where the mode is on."""
    found = {tag: x for x in trees.flatten(args)[0] if (tag := getattr(x, "tag", 0))}
    token = _duals.set((*_duals.get(), *(found[tag] for tag in sorted(found))))
    try:
        yield
    finally:
        _duals.reset(token)


def check(y: Any) -> None:
    """Refuse a result that depends on a derivative call which has ended: on what a library kept of it.

    Raises:
        DroppedTangentError: it does.
    """
    running = {x.tag for x in _duals.get()}
    for leaf in trees.flatten(y)[0]:
        x = leaf
        while tag := getattr(x, "tag", 0):
            if tag not in running and tag > _on.get():
                raise DroppedTangentError(
                    "The result of a function (engine dual).",
                    "a value of the derivative calls that are running",
                    f"{describe(leaf)}, which depends on a derivative call that has ended",
                    "make what the library keeps between calls, as a fitted model or a cache, anew inside the function",
                )
            x = x.p


def without_tangent(x: Any, depth: int = 2) -> Any:
    """The primal of a dual whose tangents are zero, of all orders, as those of a new buffer are; None for another, and without the mode.

    Compiled code may have it: what it computes does not depend on what is differentiated.

    Args:
        x: the dual.
        depth: how many frames up the code is that asks.
    """
    if not _on.get() or _called_by_us(sys._getframe(depth)) or is_directional(x.tag) or _depends(x):
        return None
    while hasattr(x, "tag"):
        root = getattr(x, "root", None)
        root = x if root is None else root
        if hasattr(type(root), "handed_out"):
            root.handed_out = True
        x = x.p
    return x


def array_of(x: Any, own: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What `x.__array__` gives: of a dual without tangents its primal; else, with the mode, the dual to code that calls it by name.

    Compiled code refuses what is no array, so that nothing is lost if it was not called by name.
    """
    plain = without_tangent(x, 3)
    if plain is not None:
        return np.asarray(plain, *args, **kwargs)
    caller = sys._getframe(2)
    if _on.get() and not args and not kwargs and "__array__" in caller.f_code.co_names and not _called_by_us(caller):
        return x
    return own(*args, **kwargs)


def _depends(x: Any) -> bool:
    return _depends(x.p) or _nonzero(x.tangent) if hasattr(x, "tag") else False


def _nonzero(t: Any) -> bool:
    return _nonzero(t.p) or _nonzero(t.tangent) if hasattr(t, "tag") else bool(np.any(t))


def check_write(x: Any, value: Any, t: Any) -> None:
    """Refuse tangents written to memory that compiled code has been given without them.

    Raises:
        DroppedTangentError: they are not zero.
    """
    if _nonzero(t) or _depends(value):
        raise DroppedTangentError(
            "A write into a dual array (engine dual).",
            "an array that compiled code was not given before",
            f"{describe(x)}, which was handed to compiled code while its tangents were zero",
            "write to it before, or make another array",
        )


def _called_by_us(frame: Any) -> bool:
    caller = frame.f_globals.get("__name__", "")
    return caller.partition(".")[0] in ("numpy", "rulebook") and not caller.startswith("numpy.polynomial")


def looks_like(kind: type, own: type) -> type:
    """What `x.__class__` of a dual is: for code of other libraries the type that it stands for, so that isinstance(x, np.ndarray) holds.

    Compiled code looks at the type itself, and refuses.
    """
    if not _on.get():
        return own
    return own if _called_by_us(sys._getframe(2)) else kind
