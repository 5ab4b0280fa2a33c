"""New arrays of the kind of a dual: `*_like` and `like=`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.parts import is_dual, peel, tag_of, tangent, top
from rulebook.dual.registry import CREATORS, rule

__all__: list[str] = []


def constant(values: Any, like: Any) -> Any:
    """A dual array that can be written to, with zero tangents for every tag of `like`."""
    if not is_dual(like):
        return np.array(values)
    k = tangent(like, like.tag).shape[0]
    zeros = np.zeros((k, *np.shape(values)), np.asarray(values).dtype)
    return DualArray(constant(values, like.p), None, constant(zeros, like.p) if is_dual(like.p) else zeros, like.tag)


def _floating(dtype: Any) -> bool:
    return np.dtype(dtype).kind in "fc"


def _like(name: str, make: Any) -> None:
    function = getattr(np, name)

    @rule(function)
    def apply(a: Any, *args: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, device: Any = None) -> Any:
        fill = args[:1] if name == "full_like" else ()
        dtype = dtype or (args[1] if len(args) > 1 and fill else args[0] if args and not fill else None) or a.dtype
        shape = a.shape if shape is None else shape
        value = make(shape, peel(fill[0]) if fill else None, dtype)
        if not _floating(dtype):
            return value
        new = constant(value, a)
        if fill and tag_of(fill[0]):
            new[...] = fill[0]
        return new if new.ndim or type(new) is not DualArray else new[()]


_like("zeros_like", lambda shape, fill, dtype: np.zeros(shape, dtype))
_like("empty_like", lambda shape, fill, dtype: np.zeros(shape, dtype))
_like("ones_like", lambda shape, fill, dtype: np.ones(shape, dtype))
_like("full_like", lambda shape, fill, dtype: np.full(shape, fill, dtype))


def _create(function: Any) -> None:
    def apply(like: Any, *args: Any, **kwargs: Any) -> Any:
        values = function(*args, **kwargs)
        return values if is_dual(values) or not _floating(values.dtype) else constant(values, like)

    CREATORS[function] = apply


_MADE: tuple[Any, ...] = (np.zeros, np.ones, np.empty, np.eye, np.identity, np.arange, np.tri, np.fromfunction, np.fromiter, np.frombuffer)
for _function in (*_MADE, np.fromstring, np.fromfile, np.loadtxt, np.genfromtxt):
    _create(_function)


def _full(like: Any, shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    if not top(fill_value):
        values = np.full(shape, fill_value, dtype)
        return constant(values, like) if _floating(values.dtype) else values
    new = constant(np.empty(shape, dtype or fill_value.dtype), fill_value)
    new[...] = fill_value
    return new


def _array(like: Any, values: Any, dtype: Any = None, *, copy: Any = True, **options: Any) -> Any:
    made = _gather(values)
    if not is_dual(made):
        made = np.array(made, dtype)
        return constant(made, like) if _floating(made.dtype) else made
    if dtype is not None:
        made = made.astype(dtype)
    return made.copy() if copy and type(made) is DualArray else made


def _gather(values: Any) -> Any:
    """Nested lists with duals in them as one array."""
    if isinstance(values, (list, tuple)) and top(list(values)):
        return np.stack([_gather(v) for v in values])
    return values


CREATORS[np.full] = _full
CREATORS[np.array] = _array
CREATORS[np.asarray] = lambda like, values, dtype=None, **options: _array(like, values, dtype, copy=False)
CREATORS[np.require] = lambda like, values, dtype=None, requirements=None: _array(like, values, dtype, copy=False)
for _function in (np.asanyarray, np.ascontiguousarray, np.asfortranarray):
    CREATORS[_function] = CREATORS[np.asarray]
