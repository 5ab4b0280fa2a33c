"""JSON that every reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["dump"]


def dump(value: Any) -> str:
    """JSON text that every reader takes: numbers of any library, and null for infinity and NaN.

    Example:
        >>> dump({"a": (1.5, float("inf"))}).replace(chr(10), "")
        '{  "a": [    1.5,    null  ]}'
    """
    return json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) or hasattr(value, "__index__"):
        return int(value)
    return float(value) if math.isfinite(value) else None
