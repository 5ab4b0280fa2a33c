"""What dual numbers refuse, and the text that says what to use instead."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from rulebook.errors import RulebookError, RuleMissingError
from rulebook.native import counterpart

__all__ = ["DroppedTangentError", "counts_differ", "describe", "dropped", "missing", "refuse_subclasses", "unsupported"]


class DroppedTangentError(RulebookError, TypeError):
    """An operation that would lose the tangent of a dual number."""


def describe(value: Any) -> str:
    """A value as messages show it: its kind, and shape where it has one."""
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if shape else "")


def dropped(what: str, value: Any, do: str) -> NoReturn:
    """Raise: `what` would drop the tangent of a dual number; a function of SciPy that does so and has a counterpart is named."""
    got = f"{describe(value)}, whose tangent would be lost"
    raise DroppedTangentError(f"{what} (engine dual).", "a plain number or NumPy array, without a tangent", got, _called() or do)


def _called() -> str | None:
    """What to call in the place of the function of SciPy that is running."""
    frame: types.FrameType | None = sys._getframe(2)
    for _ in range(_FRAMES):
        if frame is None:
            break
        for module, name in _names(frame):
            found = counterpart(module, name)
            if found is not None:
                return f"call {found} in the place of {'.'.join(module.split('.')[:2])}.{name}"
        frame = frame.f_back
    return None


def _names(frame: types.FrameType) -> Iterator[tuple[str, str]]:
    """The function of SciPy that a frame runs, and, for a decorator's wrapper, the one that it wraps."""
    module = frame.f_globals.get("__name__", "")
    if module.startswith("scipy."):
        yield module, frame.f_code.co_name
        for value in frame.f_locals.values():
            if isinstance(value, types.FunctionType):
                yield value.__module__, value.__name__


_FRAMES = 12  # between a function of SciPy and its coercion of the arguments


def missing(name: str, method: str = "") -> RuleMissingError:
    """The error for a NumPy function that has no rule on dual numbers."""
    full = f"{name}.{method}" if method else name
    return RuleMissingError(
        f"{full} (engine dual).",
        "a function with a rule for dual numbers",
        "no rule",
        "write it with functions that have one, or wrap the code around it with rb.primitive(fn) and a rule by rb.frule or rb.pushforward"
        " (host=True where it needs NumPy arrays)",
    )


def unsupported(name: str, option: str, do: str) -> RuleMissingError:
    """The error for an option of a NumPy function that the rule does not cover."""
    return RuleMissingError(f"{name} (engine dual), {option}.", "options that the rule covers", option, do)


def counts_differ(k: int, other: int) -> DroppedTangentError:
    """The error for duals of one derivative call with different numbers of tangents."""
    return DroppedTangentError(
        "An operation on duals of one derivative call (engine dual).",
        "the same number of tangents in each",
        f"{k} and {other}",
        "make the duals of a call with as many tangents each",
    )


def refuse_subclasses(types: Iterable[type]) -> None:
    """Refuse np.matrix, masked arrays and other subclasses of arrays, whose operators mean something else.

    Raises:
        RuleMissingError: one is among the types.
    """
    for kind in types:
        if issubclass(kind, np.ndarray) and kind is not np.ndarray:
            raise unsupported("An operation with a dual", f"a {kind.__name__}", "convert it with np.asarray first")
