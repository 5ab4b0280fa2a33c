"""Logarithmic axes of pictures in SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

__all__ = ["Scale", "decades", "log_scale", "power_of_ten"]

Scale: TypeAlias = Callable[[float], float]


def decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around positive values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def log_scale(low: int, high: int, start: float, end: float) -> Scale:
    """Where a value between two powers of ten lies between two ends."""
    return lambda value: start + (math.log10(value) - low) / (high - low) * (end - start)


def power_of_ten(power: int) -> str:
    """The label of a power of ten, as SVG text."""
    return f'10<tspan class="power" dy="-5">{power}</tspan>'.replace(">-", ">\N{MINUS SIGN}")
