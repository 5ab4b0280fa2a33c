"""The positions of arguments and outputs that are not differentiated."""

from __future__ import annotations

from rulebook.errors import RulebookError

__all__ = ["PositionError", "as_tuple", "checked"]


class PositionError(RulebookError, ValueError):
    """Positions that do not fit the arguments or outputs of a function."""


def as_tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One position or several as several."""
    return value if isinstance(value, tuple) else (value,)


def checked(where: str, positions: tuple[int, ...], n: int) -> tuple[int, ...]:
    """The positions among n, none of them negative.

    Raises:
        PositionError: one is out of bounds, or there twice.
    """
    outside = [i for i in positions if not -n <= i < n]
    if outside:
        raise PositionError(
            f"{where}.",
            f"positions in range({-n}, {n})",
            f"{positions}. Found out of bounds: {outside[0]}",
            "name positions that there are",
        )
    found = tuple(i % n for i in positions)
    twice = [i for i in found if found.count(i) > 1]
    if twice:
        raise PositionError(f"{where}.", "each position once", f"{positions}. Found duplicate: {twice[0]}", "name each position once")
    return found
