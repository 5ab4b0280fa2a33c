"""How a law ends: it holds, it is broken, it cannot be told here, or the point does not count."""

from __future__ import annotations

from typing import Any

from rulebook.testing.spaces import Array

__all__ = ["Broken", "Inconclusive", "Iterates", "LeftOut", "said", "short"]


class Broken(Exception):
    """A rule breaks a law.

    Args:
        law: the id of the law.
        rule: the rule object, or None for the function itself.
        expected, got: short texts.
        argument, element: where.
        do: how to mend it; the law's own advice by default.
        values: the whole expected and got vectors, for the diagnosis.
        estimate: the error of the expected value.
        ladder: (step, difference) pairs.
        plain: whether it is beyond doubt, also where nobody said that the rule holds.
    """

    def __init__(
        self,
        law: str,
        rule: Any,
        expected: str,
        got: str,
        *,
        argument: str = "",
        element: tuple[int, ...] | None = None,
        do: str = "",
        values: tuple[Array, Array] | None = None,
        estimate: float | None = None,
        ladder: tuple[tuple[float, float], ...] = (),
        plain: bool = True,
    ) -> None:
        super().__init__(f"{law}: expected {expected}, got {got}")
        self.law = law
        self.rule = rule
        self.expected = expected
        self.got = got
        self.argument = argument
        self.element = element
        self.do = do
        self.values = values
        self.estimate = estimate
        self.ladder = ladder
        self.plain = plain


class Inconclusive(Exception):
    """A law cannot be told from noise."""


class Iterates(Exception):
    """The function has turned out to be accurate to a tolerance only: look again, with that in mind."""


class LeftOut(Exception):
    """The function is not defined or not differentiable at a point."""


def said(value: Any) -> str:
    """What an object says of itself: an error its message, anything else its repr; its type where that raises."""
    try:
        return str(value) if isinstance(value, BaseException) else repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def short(value: Any, limit: int = 60) -> str:
    """A number, array or object in a few characters.

    Example:
        >>> short(1 / 3), short(np.zeros((3, 3)))
        ('0.33333333333333331', 'array (3, 3) float64')
    """
    if hasattr(value, "shape") and getattr(value, "ndim", 0) > 0:
        text = f"array {tuple(value.shape)} {value.dtype}"
        return text if value.size > 4 else f"{' '.join(repr(value.tolist()).split())} {value.dtype}"
    if isinstance(value, complex):
        return f"{complex(value):.17g}"
    if isinstance(value, float):
        return f"{float(value):.17g}"
    text = " ".join(said(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
