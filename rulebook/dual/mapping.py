"""Functions that call a function of the caller's, and those that follow the domain of their argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import lift, plain
from rulebook.dual.parts import top
from rulebook.dual.registry import rule

__all__: list[str] = []


@rule(np.apply_along_axis)
def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    moved = np.moveaxis(lift(arr), axis, -1)
    shape = moved.shape[:-1]
    if 0 in shape:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    made = [lift(func1d(moved[at], *args, **kwargs)) for at in np.ndindex(shape)]
    y = np.reshape(np.stack(made), (*shape, *np.shape(made[0])))
    inner = np.ndim(made[0])
    at = axis % np.ndim(arr)
    return np.moveaxis(y, list(range(len(shape), len(shape) + inner)), list(range(at, at + inner))) if inner else y


@rule(np.apply_over_axes)
def _apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    y = lift(a)
    n = np.ndim(y)
    for axis in np.ravel(axes):
        made = func(y, int(axis) % n)
        y = made if np.ndim(made) == n else np.expand_dims(made, int(axis) % n)
    return y


@rule(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    x = lift(x)
    if isinstance(condlist, (bool, np.bool_)) or (np.ndim(x) and np.ndim(condlist[0]) == 0):
        condlist = [condlist]
    conditions = [np.broadcast_to(np.asarray(plain(c, "np.piecewise()"), bool), np.shape(x)) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(np.logical_not(np.any(conditions, axis=0)))
    elif len(funclist) != len(conditions):
        raise ValueError(f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are expected")
    y = np.zeros_like(np.atleast_1d(x) if top(x) else lift(list(funclist)), shape=np.shape(x) or (1,), dtype=np.result_type(x))
    flat = np.atleast_1d(x)
    for condition, function in zip(conditions, funclist, strict=True):
        picked = np.reshape(condition, np.shape(y))
        if np.any(picked):
            y[picked] = function(flat[picked], *args, **kw) if callable(function) else function
    return y if np.ndim(x) else y[0]


def _domain(function: Any, plain_one: Any, outside: Any) -> None:
    """numpy.emath: complex where a real argument is outside the domain."""

    @rule(function)
    def apply(*args: Any) -> Any:
        values = [plain(lift(x), f"np.emath.{function.__name__}()") for x in args]
        if outside(*values):
            args = tuple(_complex(lift(x)) for x in args)
        return plain_one(*args)


def _complex(x: Any) -> Any:
    """x in complex numbers, on the upper side of a cut."""
    x = x if hasattr(x, "astype") else np.asarray(x)
    return x.astype(np.result_type(x.dtype, np.complex64))


def _negative(x: Any) -> bool:
    return bool(np.isrealobj(x) and np.any(np.less(x, 0)))


def _beyond_one(x: Any) -> bool:
    return bool(np.isrealobj(x) and np.any(np.abs(x) > 1))


_domain(np.emath.sqrt, np.sqrt, _negative)
_domain(np.emath.log, np.log, _negative)
_domain(np.emath.log2, np.log2, _negative)
_domain(np.emath.log10, np.log10, _negative)
_domain(np.emath.logn, lambda n, x: np.log(x) / np.log(n), lambda n, x: _negative(n) or _negative(x))
_domain(np.emath.power, np.power, lambda x, p: _negative(x))
_domain(np.emath.arccos, np.arccos, _beyond_one)
_domain(np.emath.arcsin, np.arcsin, _beyond_one)
_domain(np.emath.arctanh, np.arctanh, _beyond_one)
