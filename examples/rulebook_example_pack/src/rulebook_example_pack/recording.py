"""NumPy arrays that note what they were computed from, so that cotangents can be sent back, or that carry a tangent along.

All arithmetic goes to the functions of `rulebook.rules.numpy`, which are primitives: the engine runs their rules.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import numpy as library

__all__ = ["Entry", "TapeArray", "Unrecorded", "backward", "below", "bottom", "level_of"]

Pull = Callable[[list[Any]], Sequence[Any]]  # cotangents of the results -> those of the parents

_numbers = itertools.count()


class Unrecorded(TypeError):
    """Something that the tape cannot record: the derivative would be lost."""


class Entry:
    """One line of a tape: a call, its results, and the arrays that it came from.

    Args:
        parents: the arrays of this tape among the arguments.
        pull: the pullback of the call.
        n: the number of its results.
    """

    __slots__ = ("n", "number", "parents", "pull")

    def __init__(self, parents: list[TapeArray], pull: Pull | None, n: int) -> None:
        self.parents, self.pull, self.n = parents, pull, n
        self.number = next(_numbers)


class TapeArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array in a derivative call.  The value may be one of an older call: derivatives of derivatives.

    Args:
        value: of the array.
        level: the number of the derivative call; later ones have higher numbers.
        entry: in reverse mode, what the array is a result of; None in forward mode.
        place: which result.
        dot: in forward mode, the tangent.
    """

    __slots__ = ("dot", "entry", "level", "place", "value")

    def __init__(self, value: Any, level: int, entry: Entry | None, place: int = 0, dot: Any = None) -> None:
        self.value, self.level, self.entry, self.place, self.dot = value, level, entry, place, dot

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    T = property(lambda self: library.transpose(self))
    real = property(lambda self: library.real(self))
    imag = property(lambda self: library.imag(self))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"TapeArray({bottom(self)!r})"

    def __bool__(self) -> bool:
        return bool(bottom(self))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Unrecorded("a TapeArray where NumPy needs numbers: the derivative would be lost")

    def __setitem__(self, at: Any, value: Any) -> None:
        raise Unrecorded("a write into a TapeArray: use np.where or np.stack")

    def __getitem__(self, at: Any) -> Any:
        if any(isinstance(i, (np.ndarray, list)) for i in (at if isinstance(at, tuple) else (at,))):
            return library.take(self, np.arange(self.size).reshape(self.shape)[at])  # of the flattened array
        return library.getitem(self, at=at)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As NumPy's."""
        return library.sum(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Any:
        """As NumPy's."""
        return library.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    def astype(self, dtype: Any) -> Any:
        """As NumPy's, to a floating dtype."""
        return _astype(self, dtype=np.dtype(dtype))

    def conj(self) -> Any:
        """As NumPy's."""
        return library.conj(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        if method != "__call__" or options.get("out") is not None:
            raise Unrecorded(f"np.{ufunc.__name__} with {method} or out=, of a TapeArray")
        return _run(ufunc, library, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return _run(function, library.linalg if "linalg" in function.__module__ else library, args, options)


_WITHOUT_DERIVATIVE = {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.isfinite, np.isnan, np.isinf, np.signbit),
    *(np.sign, np.floor, np.ceil, np.rint, np.logical_not, np.logical_and, np.logical_or),
    *(np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.full_like, np.argmax, np.argmin, np.argsort),
    *(np.result_type, np.iscomplexobj, np.isrealobj, np.allclose, np.array_equal, np.any, np.all, np.count_nonzero),
}


def _run(function: Any, home: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The primitive that stands for a function of NumPy; what has no derivative runs on the numbers."""
    if function in _WITHOUT_DERIVATIVE:
        return function(*map(bottom, args), **options)
    if not hasattr(home, function.__name__):
        raise Unrecorded(f"np.{function.__name__} of a TapeArray: rulebook.rules.numpy has no such function")
    standing = getattr(home, function.__name__)
    fixed = getattr(getattr(standing, "signature", None), "positional", args)  # the others are options, by keyword
    if len(args) > len(fixed):
        names = list(inspect.signature(function).parameters)
        options = {**dict(zip(names[len(fixed) :], args[len(fixed) :], strict=False)), **options}
    return standing(*args[: len(fixed)], **options)


@rb.primitive
def _astype(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype)


@rb.rrule(_astype)
def _(x: Any, *, dtype: Any) -> Any:
    return _astype(x, dtype=dtype), lambda y_bar: (rb.project(x, y_bar),)


def level_of(x: Any) -> int:
    """The number of the newest derivative call that a value belongs to; -1 for NumPy's."""
    return x.level if type(x) is TapeArray else -1


def below(x: Any, level: int, beside: Sequence[Any] = ()) -> Any:
    """A value as what it is below a derivative call; a number of Python in the precision of the values beside it."""
    if level_of(x) == level >= 0:
        return x.value
    if type(x) in (int, float, complex) and beside:
        return np.asarray(x, np.result_type(x, *[y.dtype for y in beside if hasattr(y, "dtype")]))
    return x if type(x) is TapeArray else np.asarray(x)


def bottom(x: Any) -> Any:
    """The numbers, below all derivative calls."""
    while type(x) is TapeArray:
        x = x.value
    return x


def backward(ends: list[tuple[Any, Any]], starts: list[TapeArray]) -> list[Any]:
    """The cotangents of `starts`; None where nothing flows.

    Args:
        ends: results with their cotangents; None where zero.
        starts: arrays without parents.
    """
    bars: dict[Entry, list[Any]] = {}
    waiting: list[tuple[int, Entry]] = []

    def add(x: TapeArray, bar: Any) -> None:
        assert x.entry is not None
        if x.entry not in bars:
            bars[x.entry] = [None] * x.entry.n
            heapq.heappush(waiting, (-x.entry.number, x.entry))
        known = bars[x.entry][x.place]
        bars[x.entry][x.place] = bar if known is None else known + bar

    for y, bar in ends:
        if bar is not None:
            add(y, bar)
    while waiting:  # the latest first: then all that was computed from its results is done
        entry = heapq.heappop(waiting)[1]
        if entry.pull is not None:
            for parent, bar in zip(entry.parents, entry.pull(bars.pop(entry)), strict=True):
                if bar is not None:
                    add(parent, bar)
    return [bars[x.entry][0] if x.entry in bars else None for x in starts]
