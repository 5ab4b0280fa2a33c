"""Gradients of functions of arrays, without the sequence that a function of trees is traced with where there is one array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.trace import backward, gradient_root, trace

__all__ = ["value_and_grad"]


def value_and_grad(fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """`fn(*xs)`, a real number, and its gradient."""
    if len(xs) == 1:
        end, node = trace(fn, xs[0], gradient_root())
    else:
        end, node = trace(lambda some: fn(*[some[k] for k in range(len(xs))]), xs, gradient_root())
    if node is None:
        return values.as_value(end), tuple([values.zeros_like(x) for x in xs])
    y = values.as_value(end)
    found = backward(values.cast(np.float64(1.0), y), node)
    bars = (found,) if len(xs) == 1 else tuple(found)
    return y, tuple([values.cast(values.conj(values.as_value(b)), x) for b, x in zip(bars, xs, strict=True)])
