"""Trees of arrays as real vectors: what a linear system is solved in.

A complex entry counts as two, its real and its imaginary part.  The derivative of a residual that is not holomorphic is
linear over the real numbers only, and in these coordinates the pairing Re sum(conj(a) * b) is the dot product, so that
the adjoint of a matrix is its transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleOutputError

__all__ = ["Space"]


class Space:
    """The trees that have the structure, shapes and dtypes of one.

    Args:
        engine: what the values belong to.
        like: a tree of floating arrays.

    Attributes:
        size: the number of real coordinates.
    """

    def __init__(self, engine: Engine, like: Any) -> None:
        self._engine = engine
        leaves, self.structure = trees.flatten(like)
        self._leaves = [engine.asarray(x) for x in leaves]
        self._complex = [engine.is_complex(x) for x in self._leaves]
        self._sizes = [int(np.prod(x.shape)) * (1 + c) for x, c in zip(self._leaves, self._complex, strict=True)]
        self.size = sum(self._sizes)

    def ravel(self, tree: Any) -> Any:
        """The coordinates of a tree, an array of shape (size,)."""
        leaves = trees.flatten_like(self.structure, tree, RuleOutputError)  # by key: an engine may have sorted a dict
        xp = self._engine.namespace()
        parts: list[Any] = []
        for leaf, like, is_complex in zip(leaves, self._leaves, self._complex, strict=True):
            x = self._engine.zeros_like(like) if leaf is None else self._engine.asarray(leaf, like)
            if is_complex:
                parts.append(xp.reshape(xp.real(x), (-1,)))
            parts.append(xp.reshape(xp.imag(x) if is_complex else x, (-1,)))
        return parts[0] if len(parts) == 1 else xp.concatenate(parts)

    def unravel(self, vector: Any) -> Any:
        """The tree of some coordinates."""
        found: list[Any] = []
        at = 0
        for x, is_complex, size in zip(self._leaves, self._complex, self._sizes, strict=True):
            part = vector if size == self.size else vector[at : at + size]
            at += size
            found.append(self._leaf(x, part, is_complex, size))
        return self.structure.unflatten(iter(found))

    def _leaf(self, x: Any, part: Any, is_complex: bool, size: int) -> Any:
        xp = self._engine.namespace()
        if is_complex:
            part = part[: size // 2] + 1j * part[size // 2 :]
        part = xp.reshape(part, tuple(x.shape))
        return part if part.dtype == x.dtype else self._engine.cast(part, x)
