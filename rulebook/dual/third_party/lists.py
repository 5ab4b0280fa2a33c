"""NumPy's functions on lists that hold dual numbers: NumPy looks for duals among the arguments, not in lists."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual import live
from rulebook.dual.third_party.coercions import gathered, refused

__all__ = ["dispatching"]

_Dispatcher = type(np.sum)


def _listed(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        except (TypeError, ValueError) as error:
            if not live.is_on() or not refused(error):
                raise
            again = [gathered(a) for a in args], {name: gathered(a) for name, a in kwargs.items()}
            if all(a is b for a, b in zip([*args, *kwargs.values()], [*again[0], *again[1].values()], strict=True)):
                raise
        return original(*again[0], **again[1])

    return call


def dispatching(namespace: Any) -> dict[Any, Callable[..., Any]]:
    """Each function of NumPy's that dispatches, and what stands in its place."""
    return {f: _listed(f) for f in vars(namespace).values() if type(f) is _Dispatcher}
