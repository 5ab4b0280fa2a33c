"""The array API namespace of duals: NumPy's names, with conversions that let duals pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import lift
from rulebook.dual.parts import is_dual

__all__ = ["namespace"]


def _asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Any:
    """An array; a dual stays one, and is copied where that is asked for."""
    x = lift(obj)
    if not is_dual(x):
        return np.asarray(x, dtype=dtype, copy=copy)
    if dtype is not None and x.dtype != dtype:
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return x.astype(dtype)
    return x.copy() if copy else x


def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return x if not copy and x.dtype == dtype else x.astype(dtype)


class _Namespace:
    """numpy, with another asarray and astype."""

    __name__ = "rulebook.dual"
    asarray = staticmethod(_asarray)
    astype = staticmethod(_astype)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def __dir__(self) -> list[str]:
        return dir(np)


_namespace = _Namespace()


def namespace(api_version: Any = None) -> Any:
    """What `x.__array_namespace__()` gives.

    Raises:
        ValueError: the version is not one that NumPy knows.
    """
    np.zeros(1).__array_namespace__(api_version=api_version)
    return _namespace
