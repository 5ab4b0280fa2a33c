"""What functions along an axis share, on the arrays of every engine: ends cut and filled, order reversed, axes brought to the end."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.engines import engine_of

__all__ = [
    "alike",
    "array",
    "axis_back",
    "axis_last",
    "beside",
    "complex_dtype",
    "cut",
    "fitted",
    "flipped",
    "floating",
    "floats",
    "is_complex",
    "is_floating",
    "joined",
    "numbers",
    "rank_up",
    "real_dtype",
    "together",
    "zeros",
]

F = TypeVar("F", bound=Callable[..., Any])

_SINGLE = ("float32", "complex64", "float16", "bfloat16")
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def array(x: Any) -> Any:
    """A value as an array of its engine; lists of numbers become one."""
    return x if hasattr(x, "dtype") and hasattr(x, "ndim") else rb.xp(x).asarray(x)


def is_floating(x: Any) -> bool:
    """Whether an array is real or complex floating."""
    kind = _kind(x)
    return kind in "fc" if kind else not any(name in str(x.dtype) for name in ("int", "bool"))


def is_complex(x: Any) -> bool:
    """Whether an array is complex."""
    kind = _kind(x)
    return kind == "c" if kind else "complex" in str(x.dtype)


def _kind(x: Any) -> str:
    """The kind of a dtype of NumPy's; "" for those of other engines and bfloat16, whose names tell."""
    return getattr(x.dtype, "kind", "V").replace("V", "")


def floating(x: Any) -> Any:
    """A value as a floating array: integers become float64, in JAX its default."""
    x = array(x)
    return x if is_floating(x) else rb.xp(x).asarray(x, dtype=float)


def floats(*values: Any) -> Sequence[Any]:
    """Values, Python's numbers as well, as floating arrays of one engine."""
    engine = engine_of(values, "rulebook.rules")
    if engine is None:
        return [floating(x) for x in values]
    like = next(x for x in trees.flatten(list(values))[0] if engine.owns(type(x)))
    return [floating(engine.asarray(x if isinstance(x, (float, complex)) else array(x), like)) for x in values]


def real_dtype(x: Any) -> Any:
    """The NumPy dtype of the real numbers that go with an array."""
    kind = _kind(x)
    if kind:
        return _FLOAT32 if x.dtype.itemsize <= {"f": 4, "c": 8}.get(kind, 0) else _FLOAT64
    return _FLOAT32 if any(name in str(x.dtype) for name in _SINGLE) else _FLOAT64


def complex_dtype(x: Any) -> Any:
    """The NumPy dtype of the complex numbers that go with an array."""
    return np.dtype(np.complex64 if real_dtype(x) == np.float32 else np.complex128)


def numbers(x: Any, values: Any) -> Any:
    """Constants as an array of the engine of x, in its precision."""
    values = np.asarray(values)
    return beside(x, values.astype(complex_dtype(x) if values.dtype.kind == "c" else real_dtype(x)))


def beside(x: Any, values: Any) -> Any:
    """A NumPy array as a value of the engine, and on the device, of x: engines do not all take both in one operation."""
    engine = engine_of((x,), "rulebook.rules")
    return values if engine is None else engine.asarray(values, x)


def alike(values: Sequence[Any], where: str = "rulebook.rules") -> Sequence[Any]:
    """Values of which some are NumPy's, or lists of numbers, all on the engine and device of the others; Python's numbers stay."""
    engine = engine_of(values, where)
    if engine is None:
        return values
    like = next(x for x in trees.flatten(list(values))[0] if engine.owns(type(x)))
    made = {id(x): engine.asarray(array(x), like) for x in values if _is_data(x)}  # what was one array stays one
    return [made.get(id(x), x) for x in values]


def _is_data(x: Any) -> bool:
    """Whether a value is numbers as an array or a list; whole numbers of NumPy may be counts."""
    if isinstance(x, (list, tuple)):
        return not any(isinstance(v, str) or callable(v) for v in trees.flatten(x)[0])
    return isinstance(x, (np.ndarray, np.inexact))


def together(*names: str) -> Callable[[F], F]:
    """Let a function that is put together from others take NumPy's arrays, in the arguments named, beside those of any engine.

    In the body all of them are of one engine: an operator between an array and a tensor that is differentiated raises in torch.
    """

    def make(fn: F) -> F:
        where = f"{fn.__module__.rsplit('._', 1)[0]}.{fn.__name__}"
        positions = [i for i, name in enumerate(inspect.signature(fn).parameters) if name in names]

        @functools.wraps(fn)
        def call(*args: Any, **options: Any) -> Any:
            at = [i for i in positions if i < len(args)]
            given = [name for name in names if name in options]
            values = [*(args[i] for i in at), *(options[name] for name in given)]
            found = alike(values, where)
            if found is not values:
                moved = dict(zip([*at, *given], found, strict=True))
                args = tuple(moved.get(i, x) for i, x in enumerate(args))
                options = {name: moved.get(name, x) for name, x in options.items()}
            return fn(*args, **options)

        return call  # type: ignore[return-value]  # of the signature of fn

    return make


def zeros(x: Any, shape: Sequence[int]) -> Any:
    """Zeros in the precision of x, on its engine; complex for a complex x."""
    return beside(x, np.zeros(tuple(shape), complex_dtype(x) if is_complex(x) else real_dtype(x)))


def flipped(x: Any, *axes: int) -> Any:
    """The array with some axes, the last by default, in reverse order."""
    axes = axes or (-1,)
    xp = rb.xp(x)
    if xp.__name__ == "torch":
        return xp.flip(x, axes)
    steps = [slice(None)] * x.ndim
    for axis in axes:
        steps[axis] = slice(None, None, -1)
    return x[tuple(steps)]


def cut(x: Any, start: int | None, stop: int | None, axis: int = -1, step: int | None = None) -> Any:
    """A slice along one axis."""
    where = [slice(None)] * x.ndim
    where[axis] = slice(start, stop, step)
    return x[tuple(where)]


def joined(values: Sequence[Any], axis: int = -1) -> Any:
    """Arrays one after the other along an axis; those without elements are left out."""
    some = [v for v in values if v.shape[axis]] or [values[0]]
    return some[0] if len(some) == 1 else rb.xp(*some).concatenate(some, axis=axis)


def fitted(x: Any, n: int, axis: int = -1, before: int = 0) -> Any:
    """An array cut to n elements along an axis, or filled with zeros behind, after `before` zeros in front."""
    have = x.shape[axis]
    if have + before > n:
        x, have = cut(x, 0, max(n - before, 0), axis), max(n - before, 0)
    if have == n:
        return x
    shape = list(x.shape)
    shape[axis] = before
    front = zeros(x, shape)
    shape[axis] = n - have - before
    return joined([front, x, zeros(x, shape)], axis)


def axis_last(x: Any, axis: int) -> Any:
    """An axis brought to the end."""
    axis = operator.index(axis)
    return x if axis in (-1, x.ndim - 1) else rb.xp(x).moveaxis(x, axis, -1)


def axis_back(x: Any, axis: int) -> Any:
    """The last axis brought back to where `axis_last` took it from."""
    axis = operator.index(axis)
    return x if axis in (-1, x.ndim - 1) else rb.xp(x).moveaxis(x, -1, axis)


def rank_up(x: Any, ndim: int) -> Any:
    """An array with axes of length one in front, up to so many axes."""
    return x if x.ndim >= ndim else rb.xp(x).reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))
