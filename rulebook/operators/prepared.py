"""Preparation."""

from __future__ import annotations

from typing import Any

__all__ = ["prepare"]


def prepare(operator: Any, fn: Any, *example: Any, engine: Any = None, **options: Any) -> Any:
    """Prepared."""
    raise NotImplementedError
