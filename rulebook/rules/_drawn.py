"""Example calls: arrays of given shapes and dtypes, drawn anew for each point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook.primitive import case

__all__ = ["drawn"]


def drawn(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[Any] | None = None, **static: Any) -> Callable[[np.random.Generator], Any]:
    """A case with normally distributed arrays, complex ones for complex dtypes."""
    kinds = [np.dtype(d) for d in dtypes or [float] * len(shapes)]

    def draw(rng: np.random.Generator) -> Any:
        made = [rng.normal(size=s) + (1j * rng.normal(size=s) if d.kind == "c" else 0.0) for s, d in zip(shapes, kinds, strict=True)]
        return case(*[x.astype(d) for x, d in zip(made, kinds, strict=True)], **static)

    return draw
