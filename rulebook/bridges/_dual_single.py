"""The short way for the common call: one tangent, on plain numbers and arrays.

It does what the long way does, without stacking tangents: 8 instead of 25 us a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import value
from rulebook.dual.scalar import dual
from rulebook.dual.tags import is_directional
from rulebook.trees import LEAF

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["single_tangent", "unshared"]


def unshared(y: Any, ps: Sequence[Any]) -> Any:
    """A result in memory of its own: a write into it must not reach the primal of an argument, which has other tangents."""
    for p in ps:
        if y is p and getattr(y, "ndim", 0):
            return y.copy()
        base = getattr(y, "base", None) if type(y) is np.ndarray else getattr(y, "root", None)
        if base is not None and (base is p or base is getattr(p, "base", None) or base is getattr(p, "root", None)):
            return y.copy()
    return y


def _parts(leaves: Sequence[Any]) -> tuple[list[Any], list[Any], int] | None:
    """Primals, single tangents (None for constants) and the tag; None where it is not as simple."""
    ps: list[Any] = []
    dots: list[Any] = []
    tag = 0
    for x in leaves:
        kind = type(x)
        if kind is Dual:
            if type(x.p) is not float or type(x.t) is not float:
                return None
            ps.append(np.float64(x.p))
            dots.append(np.float64(x.t))
        elif kind is DualArray:
            t = x.tangent
            if type(x.p) is not np.ndarray or type(t) is not np.ndarray or len(t) != 1:
                return None
            ps.append(x.p)
            dots.append(t[0])
        else:
            ps.append(value(x))
            dots.append(None)
            continue
        if tag and x.tag != tag:
            return None
        tag = x.tag
    return (ps, dots, tag) if tag and not is_directional(tag) else None


def single_tangent(form: NormalForm, leaves: Sequence[Any]) -> Any:
    """The result of a call with one tangent and no outer call; None where it is not as simple."""
    parts = _parts(leaves)
    if parts is None:
        return None
    ps, dots, tag = parts
    ys, y_dots, structure = form.joint(ps, dots)
    if structure is LEAF and type(ys[0]) is np.float64 and type(y_dots[0]) is np.float64:
        return dual(float(ys[0]), float(y_dots[0]), tag)
    return None
