"""Products of directions with the derivative of a function of one array that gives one array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleOutputError, RuleSignatureError
from rulebook.operators.conversion import into
from rulebook.operators.sparse.detection import Array

__all__ = ["Function", "Products", "pull", "push", "wrong_shape"]


class Function:
    """A function of one array of an engine, with what messages call it.

    Args:
        use: the engine.
        fn: the function.
        which: the operator and the function, for messages.
        shape: of the derivative, (y.size, x.size), where it is known.
    """

    def __init__(self, use: Engine, fn: Callable[[Any], Any], which: str, shape: tuple[int, int] | None) -> None:
        self.use, self.fn, self.shape = use, fn, shape
        self.which = f"{which} (engine {use.name})"

    def __call__(self, x: Any) -> Any:
        """Its value, if it is one array of real or complex numbers."""
        y = into(self.use, self.fn(x))
        if not trees.is_leaf(y):
            raise RuleSignatureError(
                f"{self.which}, its result.", "one array", f"a {type(y).__name__}", "return one array, or leave sparsity out"
            )
        if not self.use.has_tangent(y):
            raise RuleSignatureError(f"{self.which}, its result.", "floating-point numbers", str(y.dtype), "return floats")
        if self.use.is_complex(x) and not self.use.is_complex(y):
            raise RuleOutputError(
                f"{self.which}, its result.",
                "a holomorphic function of complex numbers",
                f"real numbers, {y.dtype}",
                "differentiate with respect to the real and imaginary parts",
            )
        if self.shape is not None and self.shape[0] != math.prod(y.shape):
            raise wrong_shape(self.which, self.shape, f"{math.prod(y.shape)} rows: the result has shape {tuple(y.shape)}")
        return y


def wrong_shape(which: str, shape: tuple[int, int], got: str) -> RuleSignatureError:
    """The error for a pattern of another shape than the derivative."""
    return RuleSignatureError(
        f"{which}, sparsity.",
        f"{shape[0]} rows and {shape[1]} columns, as the pattern has",
        got,
        "pass a pattern of shape (y.size, x.size)",
    )


def push(of: Function, x: Any, directions: Any) -> Any:
    """The products J v with each direction v.

    Args:
        of: the function.
        x: where.
        directions: of the engine, shape (k, x.size).

    Returns:
        Shape (k, y.size).
    """
    k = directions.shape[0]
    y, y_dots = of.use.jvp_many(of, (x,), (directions.reshape((k, *x.shape)),))
    return y_dots.reshape((k, math.prod(y.shape)))


def pull(of: Function, x: Any, directions: Any) -> Any:
    """The products u J with each direction u, without conjugation.

    Args:
        of: the function.
        x: where.
        directions: of the engine, shape (k, y.size), real where x is real.

    Returns:
        Shape (k, x.size).
    """
    use = of.use
    y, back = use.vjp_at(of, (x,))
    k = directions.shape[0]
    bars = directions.reshape((k, *y.shape))

    def many(some: Any) -> Any:
        return use.each(lambda bar: back(bar)[0], [some]).reshape((k, math.prod(x.shape)))

    if not use.is_complex(y):
        return many(bars)
    if use.is_complex(x):
        return use.conj(many(use.conj(bars)))
    bars = use.cast(bars, y)
    return many(bars) + 1j * many(1j * bars)  # the pullback of a real x gives real parts


class Products:
    """`push` or `pull` of a function, on NumPy arrays; compiled where the engine compiles, as many points and directions follow.

    Args:
        of: the function.
        kind: `push` or `pull`.
    """

    def __init__(self, of: Function, kind: Callable[[Function, Any, Any], Any]) -> None:
        self._use = of.use
        self._plain: Callable[[Any, Any], Any] = lambda x, directions: kind(of, x, directions)
        self._program = of.use.compiled(self._plain) if of.use.compiles else None

    def at(self, x: Any) -> Callable[[Array], Array]:
        """The products at one point."""
        return lambda directions: np.asarray(self._use.to_numpy(self._run(x, directions)))

    def _run(self, x: Any, directions: Array) -> Any:
        if self._program is None:
            return self._plain(x, self._use.asarray(directions, x))
        k = len(directions)
        padded = np.zeros((max(4, 1 << (k - 1).bit_length()), *directions.shape[1:]), directions.dtype)  # few shapes are few compilations
        padded[:k] = directions
        try:
            return self._program(x, self._use.asarray(padded, x))[:k]
        except Exception:  # what needs numbers cannot be compiled; what is wrong is so again
            self._program = None
            return self._run(x, directions)
