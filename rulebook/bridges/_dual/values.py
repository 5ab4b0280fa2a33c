"""Results of primitives put together with their tangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rulebook.dual.parts import join, primal, tag_of, tangent

__all__ = ["attach", "unshared"]


def attach(y: Any, t: Any, tag: int) -> Any:
    """y with stacked tangents of a tag added; y may hold that tag, or a later one, where the function read it past its arguments."""
    if t is None:
        return y
    last = max(tag_of(y), tag_of(t))
    if last < tag:
        return join(y, t, tag)
    if last == tag:
        own = tangent(y, tag)
        t = primal(t, tag)
        return join(primal(y, tag), t if own is None else own + t, tag)
    inner_y, inner_t = tangent(y, last), tangent(t, last)
    p = attach(primal(y, last), primal(t, last), tag)
    if inner_t is not None:
        inner_t = np.moveaxis(inner_t, 0, 1)  # the leading axis of this tag first
        if inner_y is None:
            inner_y = np.zeros((inner_t.shape[1], *np.shape(y)))
    return join(p, inner_y if inner_t is None else attach(inner_y, inner_t, tag), last)


def unshared(y: Any, ps: Sequence[Any]) -> Any:
    """A result in memory of its own: a write into it must not reach the primal of an argument, which has other tangents."""
    if not getattr(y, "ndim", 0):
        return y
    owner = y.base if type(y) is np.ndarray else y.root
    for p in ps:
        if y is p or (owner is not None and (owner is p or owner is getattr(p, "base", None) or owner is getattr(p, "root", None))):
            return y.copy()
    return y
