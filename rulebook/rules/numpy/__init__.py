"""NumPy's functions as primitives, with rules of both directions."""

from __future__ import annotations

__all__: list[str] = []
