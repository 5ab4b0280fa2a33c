"""Right-hand sides: a vector is a matrix of one column, and one factorisation serves all columns of a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import cotangents
from rulebook.rules.linalg._stacks import aligned, dtype_of, lead_of, spec
from rulebook.tangents import ShapeDtype

__all__ = ["Columns", "batch_of_systems", "solution"]


def solution(a: Any, b: Any, *others: Any) -> ShapeDtype:
    """The shape and dtype of x, A x = b."""
    vector = len(b.shape) == 1
    core = b.shape if vector else b.shape[-2:]
    return spec(lead_of(a) if vector else lead_of(a, b), core, dtype_of(a, b, *others))


class Columns:
    """Whether b is a vector, and what follows for the solution, tangents and cotangents.

    Args:
        b: the right-hand side.
    """

    def __init__(self, b: Any) -> None:
        self.vector = len(b.shape) == 1 if hasattr(b, "shape") else np.ndim(b) == 1

    def matrix(self, x: Any) -> Any:
        """A right-hand side or solution as a matrix of columns; None stays."""
        return x[..., None] if self.vector and x is not None else x

    def back(self, x: Any) -> Any:
        """A matrix of columns in the form of b."""
        return x[..., 0] if self.vector else x

    def over(self, run: Callable[..., Any], a: Any, b: Any) -> Any:
        """run(a, b) over leading axes; a matrix a without them is factored once for all of b."""
        if a.ndim == 2 and b.ndim > 2:
            wide = np.moveaxis(b, -2, 0)
            x = run(a, wide.reshape(len(wide), -1)) if b.size else wide
            return np.moveaxis(x.reshape(wide.shape), 0, -2)
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if not lead:
            return run(a, b) if b.size else np.zeros_like(b)
        x = np.zeros(lead + b.shape[-2:], b.dtype)
        p, q = (np.broadcast_to(m, lead + m.shape[-2:]) for m in (a, b))
        for i in np.ndindex(lead) if x.size else ():
            x[i] = run(p[i], q[i])
        return x

    def cotangents(self, primals: Any, a_bar: Callable[[], Any], b_bar: Callable[[], Any]) -> tuple[Any, ...]:
        """The cotangents of a and b, where that of b is a matrix of columns."""
        if not self.vector:
            return cotangents(primals, a_bar, b_bar)
        return *cotangents(primals[:1], a_bar), rb.thunk(lambda: rb.project(primals[1], b_bar()[..., 0]))


def batch_of_systems(f: Any) -> None:
    """The batch rule of f(a, b): a batch of vectors b becomes columns."""

    def rule(axis_size: int, in_batched: Any, a: Any, b: Any, **static: Any) -> Any:
        vector = b.ndim - bool(in_batched[1]) == 1
        b = b[..., None] if vector else b
        y = f(*aligned(in_batched, (a, b), (2, 2)), **static)
        return (y[..., 0] if vector else y), True

    rb.batch_rule(f)(rule)
