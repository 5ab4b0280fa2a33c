"""What dual numbers refuse, and the text that says what to use instead."""

from __future__ import annotations

from typing import Any, NoReturn

from rulebook.errors import RulebookError, RuleMissingError

__all__ = ["DroppedTangentError", "describe", "dropped", "missing", "unsupported"]


class DroppedTangentError(RulebookError, TypeError):
    """An operation that would lose the tangent of a dual number."""


def describe(value: Any) -> str:
    """A value as messages show it: its kind, and shape where it has one."""
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if shape else "")


def dropped(what: str, value: Any, do: str) -> NoReturn:
    """Raise: `what` would drop the tangent of a dual number."""
    raise DroppedTangentError(
        f"{what} (engine dual).", "a plain number or NumPy array, without a tangent", f"{describe(value)}, whose tangent would be lost", do
    )


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
