"""The derivative calls that are running, where `third_party.passing` is on: new buffers take their tangents."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from rulebook import trees
from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.tags import new_tag

__all__ = ["check", "duals", "following", "is_on", "looks_like", "suspended", "turned_on"]

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


def looks_like(kind: type, own: type) -> type:
    """What `x.__class__` of a dual is: for code of other libraries the type that it stands for, so that isinstance(x, np.ndarray) holds.

    Compiled code looks at the type itself, and refuses.
    """
    if not _on.get():
        return own
    caller = sys._getframe(2).f_globals.get("__name__", "")
    return own if caller.partition(".")[0] in ("numpy", "rulebook") and not caller.startswith("numpy.polynomial") else kind
