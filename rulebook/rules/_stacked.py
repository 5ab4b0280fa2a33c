"""All tangents of a dual through one call of a primitive whose forward rule takes extra leading axes.

Host code sees no duals, so that k tangents would be k calls of it.  A function that is applied along the last axes, and whose
forward rule is, takes the k tangents of a dual as k more rows instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rulebook.dual.parts import join, primal, tangent, top
from rulebook.primitive import Primitive

__all__ = ["linear", "stacked"]


def stacked(f: Primitive, push: Callable[..., Any]) -> None:
    """Let the forward rule of a primitive have the k tangents of a dual at once.

    Args:
        f: the primitive, of arrays and with one array of at least one axis as its result.
        push: its rule with None for zeros, which broadcasts tangents that have one more leading axis than their primals.
    """
    f.native["dual"] = functools.partial(_on_duals, f, push)


def linear(f: Primitive) -> None:
    """The same for a primitive that is linear in its first argument and has no other."""
    stacked(f, lambda y, primals, tangents, **static: f(tangents[0], **static))


def _on_duals(f: Primitive, push: Callable[..., Any], *args: Any, **static: Any) -> Any:
    tag = top(*args)
    if not tag:
        return f(*args, **static)
    primals = tuple([primal(x, tag) for x in args])
    y = f(*primals, **static)
    # In the rule of an outer tag an argument that is a tangent there has an axis more than the others: leading axes are aligned.
    ndim = max([getattr(x, "ndim", 0) for x in args])
    return join(y, push(y, primals, tuple([tangent(x, tag, ndim) for x in args]), **static), tag)
