"""out=: results written where the caller wants them; a dual only into a dual array."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from rulebook.dual.errors import DroppedTangentError, describe

__all__ = ["give", "split_out"]

_places: dict[Any, int] = {}


def give(name: str, y: Any, out: Any) -> Any:
    """Write y, or several results, into out, and return it.

    Raises:
        DroppedTangentError: out has no room for tangents, or none for the imaginary part.
    """
    if type(out) is tuple:
        if len(out) == 1:
            return give(name, y, out[0])
        return tuple(v if o is None else give(name, v, o) for v, o in zip(y, out, strict=True))
    if out is None:
        return y
    if not hasattr(y, "tag") and not hasattr(out, "tag"):
        np.copyto(out, y, casting="same_kind")
        return out
    if not hasattr(out, "writable"):
        raise DroppedTangentError(
            f"out= of {name} (engine dual).",
            "a dual array",
            f"{describe(out)}, where the tangent would be lost",
            "make the buffer with np.zeros_like(x), or leave out= away",
        )
    dtype = np.result_type(y)
    if not np.can_cast(dtype, out.dtype, "same_kind"):
        raise DroppedTangentError(
            f"out= of {name} (engine dual).",
            f"an array that takes {dtype}",
            f"one of {out.dtype}",
            f"make the buffer with np.zeros_like(x, dtype=np.{dtype}), or leave out= away",
        )
    out[...] = y
    return out


def split_out(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    """The out= of a call of a function, taken from kwargs or from its place in args; None where it has none."""
    if kwargs.get("out") is not None:
        return kwargs.pop("out"), args
    if len(args) > 1:
        place = _places.get(func)
        if place is None:
            place = _places[func] = _place(func)
        if len(args) > place and args[place] is not None:
            return args[place], (*args[:place], None, *args[place + 1 :])
    return None, args


def _place(func: Any) -> int:
    """Where a function takes out= by position."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except ValueError:
        return _AT.get(func, 99)
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names.index("out") if "out" in names else 99


_AT = {np.dot: 2}  # compiled functions do not tell
