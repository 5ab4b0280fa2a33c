"""From a call of NumPy on dual values to the rule in the tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual import registry
from rulebook.dual.errors import DroppedTangentError, missing, unsupported

__all__ = ["run_function", "run_ufunc"]


def _name(ufunc: Any) -> str:
    module = getattr(ufunc, "__module__", None) or "numpy"
    return f"{module}.{ufunc.__name__}"


def run_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`ufunc(*inputs, **kwargs)` or one of its methods."""
    if method != "__call__":
        return _run_method(ufunc, method, inputs, kwargs)
    found = registry.UFUNCS.get(ufunc) or registry.find(registry.UFUNCS, ufunc)
    if found is None:
        raise missing(_name(ufunc))
    return found(*inputs) if not kwargs else _with_options(ufunc, found, inputs, kwargs)


def _run_method(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = registry.METHODS.get((ufunc, method)) or registry.METHODS.get((None, method))
    if found is None:
        raise missing(_name(ufunc), method)
    out = kwargs.pop("out", None)
    y = found(*inputs, **kwargs) if (ufunc, method) in registry.METHODS else found(ufunc, *inputs, **kwargs)
    return y if out is None or out == (None,) else _write(_name(ufunc), y, out)


def _write(name: str, y: Any, out: tuple[Any, ...]) -> Any:
    target = out[0]
    if not hasattr(target, "tag"):
        raise DroppedTangentError(
            f"out= of {name} (engine dual).",
            "a dual array",
            f"a {type(target).__name__}, where the tangent would be lost",
            "make the buffer with np.zeros_like(x), or leave out= away",
        )
    target[...] = y
    return target


def _with_options(ufunc: Any, found: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The options that every ufunc has."""
    name = _name(ufunc)
    out = kwargs.pop("out", None)
    where = kwargs.pop("where", True)
    dtype = kwargs.pop("dtype", None)
    kwargs.pop("casting", None)
    kwargs.pop("order", None)
    kwargs.pop("subok", None)
    if out is not None and len(out) > 1:
        raise unsupported(name, "out= for several results", "leave out= away")
    if where is not True and out is None:
        raise unsupported(name, "where= without out=", "pass out=, or use np.where")
    y = found(*inputs, **kwargs)
    if dtype is not None and hasattr(y, "astype"):
        y = y.astype(dtype)
    if out is None:
        return y
    if where is not True:
        y = registry.FUNCTIONS[np.where](where, y, out[0])
    return _write(name, y, out)


def run_function(like: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function of NumPy's that dispatches; `like` is the dual that was found first."""
    found = registry.FUNCTIONS.get(func)
    if found is None:
        creator = registry.CREATORS.get(func)
        if creator is not None:
            return creator(like, *args, **kwargs)
        found = registry.find(registry.FUNCTIONS, func)
        if found is None:
            raise missing(f"{func.__module__}.{func.__name__}")
    return found(*args, **kwargs)
