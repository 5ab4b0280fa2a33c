"""Tables of padded text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns", "duration"]


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows under a header, in aligned columns; those numbered in `right` are set to the right.

    Example:
        >>> print(columns([("name", "n"), ("a", "10")], right=[1]))
        name   n
        --------
        a     10
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def duration(seconds: float | None) -> str:
    """A time with its unit.

    Example:
        >>> duration(0.00123)
        '1.23 ms'
    """
    if seconds is None:
        return "-"
    factor, unit = next(((f, u) for f, u in ((1.0, "s"), (1e3, "ms")) if seconds * f >= 1), (1e6, "us"))
    return f"{seconds * factor:.3g} {unit}"
