"""NumPy's functions that make arrays: where the mode is on, arrays that can take the tangents of the running derivative calls.

Only those that the code under differentiation asks for itself.  What runs inside a rule or a host
primitive works on plain arrays; the nearest of our frames on the stack tells the two apart.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual import drivers, live
from rulebook.dual.array import DualArray
from rulebook.dual.parts import is_dual, tangent

__all__ = ["buffers", "inside_a_rule"]

_MAKERS = (np.empty, np.zeros, np.ones, np.full, np.empty_like, np.zeros_like, np.ones_like, np.full_like, np.eye, np.identity)
_BETWEEN = ("rulebook.operators.", "rulebook.directional")  # call the author's function, for drivers


def inside_a_rule() -> bool:
    """Whether the nearest code of ours that called the caller's caller is something else than a driver of a derivative call."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name: str = frame.f_globals.get("__name__", "")
        if name.startswith("rulebook.") and not name.startswith(_BETWEEN):
            return name != drivers.__name__
        frame = frame.f_back
    return False


def _receiving(values: Any, duals: tuple[Any, ...]) -> Any:
    """The values with zero tangents of some derivative calls, outermost first."""
    if not duals:
        return values
    *outer, x = duals
    k = tangent(x, x.tag).shape[0]
    if not outer:  # of no memory, until something is written
        return DualArray(values, None, np.broadcast_to(np.zeros((), values.dtype), (k, *values.shape)), x.tag)
    zeros = np.zeros((k, *values.shape), values.dtype)
    return DualArray(_receiving(values, tuple(outer)), None, _receiving(zeros, tuple(outer)), x.tag)


def _filled(original: Callable[..., Any], fill: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `np.full` or `np.full_like` gives for a dual to fill with."""
    others = {name: value for name, value in kwargs.items() if name != "fill_value"}
    made = original(*args[:1], 0.0, *args[2:], **others)
    return made + fill if np.ndim(made) else fill


def _buffer(original: Callable[..., Any]) -> Callable[..., Any]:
    filled = original in (np.full, np.full_like)

    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        if filled and live.is_on() and is_dual(fill := args[1] if len(args) > 1 else kwargs.get("fill_value")):
            return _filled(original, fill, args, kwargs)
        made = original(*args, **kwargs)
        duals = live.duals()
        if not duals or not live.is_on() or is_dual(made) or made.dtype.kind not in "fc" or type(made) is not np.ndarray or inside_a_rule():
            return made
        return _receiving(made, duals)

    return make


def buffers() -> dict[Any, Callable[..., Any]]:
    """Each function that makes an array, and what stands in its place."""
    return {f: _buffer(f) for f in _MAKERS}
