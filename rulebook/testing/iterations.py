"""Whether a function works longer at some points than at others, as an iteration to a tolerance and adaptive steps do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

__all__ = ["lines_run", "works_unevenly"]

_SAMPLES = 16
_KINDS = 4  # different amounts of work; fewer are branches


def lines_run(call: Callable[[], Any]) -> int:
    """How many lines of Python a call executes.

    Example:
        >>> loop = lambda n: [i for i in range(n)]
        >>> lines_run(lambda: loop(9)) >= lines_run(lambda: loop(1))
        True
    """
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def works_unevenly(g: Callable[[float], Any], low: float = -0.6, high: float = 0.6) -> bool:
    """Whether a function along a line takes many different numbers of steps.

    Args:
        g: the function; what it gives does not matter.
        low, high: from where to where.
    """
    return len({lines_run(lambda t=t: g(t)) for t in np.linspace(low, high, _SAMPLES)}) >= _KINDS  # type: ignore[misc]
