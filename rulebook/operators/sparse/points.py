"""The pattern of a function's derivative at arguments and beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.errors import RuleOutputError, RuleSignatureError
from rulebook.operators.sparse.detection import Array, detect, random
from rulebook.operators.sparse.pattern import Pattern
from rulebook.operators.sparse.products import Function, Products, pull, push

__all__ = ["concrete", "detected"]


def detected(of: Function, x: Any, symmetric: bool) -> Pattern:
    """Where the derivative is other than zero at x, a little above or a little below.

    An entry that is zero at x alone, as that of x**2 at 0, is found beside it.  All elements move up, then all
    down, so that bounds of a domain are kept on one side; where the derivative is not finite, nothing is seen.

    Raises:
        RuleOutputError: it is finite at none of the points.
        RuleSignatureError: x has no numbers.
    """
    beside = _beside(concrete(of.use, x, of.which))
    found = _Derivative(of)
    seen = [x] if found.is_finite(x) else []
    for moved in beside:
        point = of.use.asarray(moved, x)
        try:
            with np.errstate(all="ignore"):
                seen += [point] if found.is_finite(point) else []
        except Exception:  # beside x the function may have no value
            continue
    if not seen:
        raise RuleOutputError(
            f'{of.which}, sparsity="detect".',
            "a finite derivative at the arguments or beside them",
            "infinite or undefined numbers",
            "pass a pattern",
        )
    with np.errstate(all="ignore"):
        return found.pattern(seen if len(seen) > 1 else seen * 2, symmetric)


def concrete(use: Engine, x: Any, which: str) -> Array:
    """The numbers of x.

    Raises:
        RuleSignatureError: it has none, as it is traced, or is being differentiated.
    """
    found = [x] if isinstance(x, np.ndarray) else use.concrete([x])
    if found is None:
        raise RuleSignatureError(
            f"{which}, sparsity.",
            "numbers: a sparse matrix is made of them",
            "a value that is traced or differentiated",
            "leave sparsity out there",
        )
    return np.asarray(found[0])


def _beside(x: Array) -> tuple[Any, Any]:
    """x a little above, and a little below, by half of its digits at most."""
    rng = np.random.default_rng(2)
    size = np.abs(x)
    scale = np.where(size > 0, size, size.max(initial=0) or 1)
    step = (np.sqrt(np.finfo(x.dtype).eps) * rng.uniform(0.5, 1, x.shape) * scale).astype(size.dtype)
    return x + step, x - step


class _Derivative:
    """Products with the derivative of a function, at any point.

    Args:
        of: the function.
    """

    def __init__(self, of: Function) -> None:
        self._of = of
        self._push, self._pull = Products(of, push), Products(of, pull)

    def is_finite(self, x: Any) -> bool:
        """Whether the derivative is, at one point."""
        kind, size = (self._pull, self._rows(x)) if self._of.use.reverses else (self._push, math.prod(x.shape))
        directions = random(np.random.default_rng(3), size, self._of.use.spec(x).dtype)
        return bool(np.isfinite(kind.at(x)(directions[None])).all())

    def _rows(self, x: Any) -> int:
        """The size of y."""
        if self._of.use.reverses:
            return math.prod(self._of(x).shape)
        none = np.zeros((1, math.prod(x.shape)), self._of.use.spec(x).dtype)
        return int(self._push.at(x)(none).shape[1])

    def pattern(self, points: Sequence[Any], symmetric: bool) -> Pattern:
        """Where the derivative at any of the points is other than zero.

        Args:
            points: where; each sees other random numbers.
            symmetric: whether the derivative is.
        """
        use, x = self._of.use, points[0]
        shape = self._rows(x), math.prod(x.shape)
        dtype = use.spec(x).dtype
        forward, reverse = ([kind.at(point) for point in points] for kind in (self._push, self._pull))
        if not use.pulls:
            return detect(forward, None, shape, dtype)
        if symmetric:
            one = reverse if use.reverses else forward
            return detect(one, one, shape, dtype).symmetric
        if shape[0] < shape[1] or (shape[0] == shape[1] and use.reverses):
            return detect(reverse, forward, shape[::-1], dtype).transposed
        return detect(forward, reverse, shape, dtype)
