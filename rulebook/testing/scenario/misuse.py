"""Calls of a prepared operator that do not fit its preparation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.testing.scenario.model import Point

__all__ = ["misfits"]

_OTHER = {"float64": np.float32, "float32": np.float64, "complex128": np.complex64, "complex64": np.complex128}


def misfits(point: Point) -> Iterator[tuple[str, Point]]:
    """The point with another shape, dtype and structure, each told in a word."""
    leaves, structure = trees.flatten(point.args)
    first = next((i for i, leaf in enumerate(leaves) if np.asarray(leaf).dtype.name in _OTHER), None)
    if first is None:
        return
    x = np.asarray(leaves[first])

    def with_leaf(leaf: Any) -> Point:
        return replace(point, args=structure.unflatten(iter([*leaves[:first], leaf, *leaves[first + 1 :]])))

    yield "shape", with_leaf(np.ones((*x.shape, 2), x.dtype))
    if isinstance(leaves[first], np.ndarray):  # a number of Python takes the dtype of what it meets
        yield "dtype", with_leaf(x.astype(_OTHER[x.dtype.name]))
    yield "structure", with_leaf((leaves[first],))
