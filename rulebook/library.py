"""Code of libraries whose functions depend on their arguments alone, told from the author's."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["is_library", "is_library_code", "is_library_type", "wrapped_by"]

_ROOTS = frozenset(
    (
        "autograd",
        "builtins",
        "cmath",
        "collections",
        "functools",
        "itertools",
        "jax",
        "jaxlib",
        "math",
        "numpy",
        "operator",
        "rulebook",
        "scipy",
        "torch",
        "typing",
    )
)
_WRAPPERS = ("autograd", "rulebook", "torch")  # libraries whose closures may hold a function of the author's under their own name
_RANDOM = ("numpy.random", "autograd.numpy.random")  # whose functions give something else at every call
_IMMUTABLE_ROOTS = ("jax", "jaxlib")  # types whose instances do not change: arrays, jitted functions
_IMMUTABLE = ("rulebook.tangents", "rulebook.namespace")


def _root(module: str) -> str:
    return module.partition(".")[0]


def is_library_type(kind: type) -> bool:
    """Whether a class is a library's; the attributes of a user's class may be assigned to."""
    return _root(kind.__module__) in _ROOTS


def is_library(value: Any) -> bool:
    """Whether a value is code of such a library, or an immutable value of one."""
    module = type(value).__module__
    return is_library_code(value) or module in _IMMUTABLE or _root(module) in _IMMUTABLE_ROOTS


def is_library_code(value: Any) -> bool:
    """Whether a value is a module or function of such a library."""
    if isinstance(value, types.ModuleType):
        return _root(value.__name__) in _ROOTS and value.__name__ not in _RANDOM
    if isinstance(value, types.BuiltinFunctionType):  # a method of a list is one as well
        return isinstance(value.__self__, (types.ModuleType, type)) and _root(value.__module__ or "builtins") in _ROOTS
    if not isinstance(value, (types.FunctionType, np.ufunc)):
        return False
    root = _root(getattr(value, "__module__", None) or "numpy")
    return root in _ROOTS and not (root in _WRAPPERS and getattr(value, "__closure__", None))


def wrapped_by(value: Any) -> Iterator[Any]:
    """The functions of the author's that an object of JAX runs anew at each call, as one with a custom derivative does."""
    if _root(type(value).__module__) == "jax" and callable(value):
        yield from (found for name in ("__wrapped__", "jvp", "fwd", "bwd") if (found := getattr(value, name, None)) is not None)
