"""An array to write to, in engines whose arrays cannot be written to."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.buffers import keys
from rulebook.buffers.arithmetic import Arithmetic, opened
from rulebook.buffers.cells import NUMPY_CELLS, unwritten
from rulebook.buffers.errors import BufferReadError, BufferWriteError, UnrolledWritesWarning
from rulebook.engine import Engine
from rulebook.engines import NUMPY, any_is_recording, engine_of, kind_of
from rulebook.errors import FrozenBufferError, MixedEnginesError, RuleSignatureError
from rulebook.tangents import ShapeDtype

__all__ = ["Buffer", "WorkBuffer"]

_RANKS = {"b": 0, "i": 0, "u": 0, "f": 1, "c": 2}
_NUMBERS = {bool: 0, int: 0, float: 1, complex: 2}
_NAMES = ("an integer", "a real", "a complex")


class Buffer(Arithmetic):
    """An array that is written to piece by piece, in every engine: `b[i] = v`, then `rb.freeze(b)`.

    The values decide on the engine.  Where arrays cannot be changed (JAX, autograd) or must not be (PyTorch), each write makes a
    new array that the buffer then stands for.  What is read has the value of that moment.  A buffer belongs to the call that made it.

    Args:
        prototype_or_array: an array, of any engine, whose values the buffer starts with; it is copied.  Or an
            `rb.ShapeDtype`, and nothing is written yet.

    Raises:
        RuleSignatureError: it is neither.

    Example:
        >>> import rulebook as rb
        >>> def powers(x):
        ...     b = rb.Buffer(rb.ShapeDtype((4,), float))
        ...     b[0] = 1.0
        ...     for i in range(1, 4):
        ...         b[i] = b[i - 1] * x
        ...     return rb.freeze(b)
        >>> powers(2.0)
        array([1., 2., 4., 8.])
        >>> rb.derivative(powers, engine="dual")(2.0)
        array([ 0.,  1.,  4., 12.])
    """

    __slots__ = ("_array", "_cells", "_engine", "_frozen", "_read", "_unwritten", "_writes")
    writable = True  # what dual numbers look for in out=
    _array: Any
    _cells: Any
    _engine: Engine | None
    _unwritten: Any  # True: nothing was written; a mask of the elements that were not; None where all were, or nobody can tell

    _read: Any  # what was read last, and in which version, where an engine counts changes in place

    def __init__(self, prototype_or_array: Any) -> None:
        x = opened(prototype_or_array)
        self._read = None
        self._frozen = False
        self._writes = 0
        self._unwritten = None
        if isinstance(x, ShapeDtype):
            self._engine, self._cells = None, NUMPY_CELLS
            self._array = unwritten(tuple(x.shape), x.dtype)
            self._unwritten = True if self.size else None
            return
        engine = engine_of((x,), "rb.Buffer")
        if engine is None and not isinstance(x, (np.ndarray, np.generic)):
            expected = "an array, whose values the buffer starts with, or an rb.ShapeDtype"
            raise RuleSignatureError("rb.Buffer.", expected, f"a {type(x).__name__}", "pass rb.ShapeDtype(shape, dtype)")
        self._engine = engine
        self._cells = NUMPY_CELLS if engine is None else engine.cells()
        self._array = np.array(x) if engine is None else self._cells.read(x, ...)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return tuple(self._array.shape)

    @property
    def dtype(self) -> Any:
        """The dtype, in the terms of the engine."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._array.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._array.shape)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        engine = "numpy" if self._engine is None else self._engine.name
        return f"<rb.Buffer of shape {self.shape}, {self.dtype}, engine {engine}{', frozen' if self._frozen else ''}>"

    def __getitem__(self, key: Any) -> Any:
        self._check()
        at = keys.fixed(key)
        if self._unwritten is not None and at is not None:
            self._check_written(at)
        found = self._cells.read(self._array, key if at is None else at)
        self._read = self._cells.versioned(found)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        if keys.is_whole(key):
            self._fill(value)
            return
        value = self._checked(value)
        at = keys.fixed(key)
        if at is not None:
            self._check_shape(keys.place(at, self.shape), value)
            keys.check_distinct(at, self.shape, f"A write to {self!r}.")
        self._array = self._cells.write(self._array, key if at is None else at, value)
        self._count()
        if self._unwritten is not None:
            self._note_written(at)

    def fill(self, value: Any) -> None:
        """`b[...] = value`."""
        self._fill(value)

    def _fill(self, value: Any, *, own: bool = False) -> None:
        """Write the whole; own: nobody else refers to the value, nor to its memory."""
        value = self._checked(value)
        self._check_shape(self.shape, value)
        self._array = self._cells.fill(self._array, value, own=own)
        self._unwritten = None

    def value(self) -> Any:
        """What the buffer holds, as an array of the engine that is only to be read."""
        self._check()
        if self._unwritten is not None:
            self._check_written(...)
        return self._array

    def freeze(self) -> Any:
        """End writing; see `rb.freeze`."""
        self._array = self._cells.seal(self.value())
        self._frozen = True
        return self._array

    def _checked(self, value: Any) -> Any:
        """A value that may be written, as far as that does not depend on where to."""
        if self._frozen:
            raise FrozenBufferError(
                f"A write to {self!r}.", "a write before rb.freeze", "one after it", "take a new buffer from the cache, or freeze later"
            )
        value = self._taken(value)
        self._check_kind(value)
        self._check(value)
        return value

    def _check(self, value: Any = None) -> None:
        """Refuse to go on where the array is not valid any more, or was changed through what was read; `b[i] += v` writes that."""
        self._cells.check(self._array)
        if self._read is not None:
            last, version = self._read
            self._read = None
            if last is not value and last._version != version:
                raise BufferWriteError(
                    f"A change of a part that was read from {self!r}.",
                    "a write to the buffer",
                    "one to a copy, which does not reach the buffer",
                    "write b[i, j] = v instead of b[i][j] = v; to change what was read, copy it: 1.0 * b[i]",
                )

    def _taken(self, value: Any) -> Any:
        """A value of this buffer's engine, which it is from the first value of one on."""
        value = opened(value)
        if isinstance(value, (list, tuple)):
            value = np.asarray(value) if engine_of(value, "a write to a buffer") is None else self._stacked(value)
        kind = kind_of(type(value))
        if kind == NUMPY:
            return self._cells.taken(value)
        if self._engine is not None and kind == self._engine.name:
            return value
        engine = engine_of((value,), "a write to a buffer")
        if engine is None:
            raise BufferWriteError(f"A write to {self!r}.", "an array or a number", f"a {type(value).__name__}", "write arrays or numbers")
        if self._engine is not None:
            raise MixedEnginesError(
                f"A write to {self!r}.",
                "values of the engine that the buffer belongs to",
                f"a value of engine {engine.name}",
                "pass all values that the function depends on to DiffCache.get, or make the buffer inside the function",
            )
        self._engine, self._cells = engine, engine.cells()
        self._array = self._cells.adopt(self._array, value)
        return value

    def _stacked(self, values: Any) -> Any:
        engine = engine_of(values, "a write to a buffer")
        assert engine is not None
        return engine.namespace().stack([engine.asarray(v) for v in values])

    def _check_kind(self, value: Any) -> None:
        have, room = _rank(value, self._engine), _rank(self._array, self._engine)
        if have > room:
            raise BufferWriteError(
                f"A write to {self!r}.",
                f"{_NAMES[room]} value",
                f"{_NAMES[have]} one" + ("" if have < 2 else ", whose imaginary part would be lost"),
                "make the buffer for it: pass the value to DiffCache.get, or give rb.Buffer an array of its dtype",
            )

    def _check_shape(self, place: tuple[int, ...], value: Any) -> None:
        shape = tuple(np.shape(value) if not hasattr(value, "shape") else value.shape)
        if shape == place or not shape:
            return
        if len(shape) > len(place) or any(n not in (1, m) for n, m in zip(shape[::-1], place[::-1], strict=False)):
            raise BufferWriteError(
                f"A write to {self!r}.",
                f"shape {place}, or one that broadcasts to it",
                f"shape {shape}",
                "write a value that fits the index",
            )

    def _note_written(self, at: Any) -> None:
        if at is None:
            self._unwritten = None  # who knows
            return
        self._unwritten = self._mask()
        self._unwritten[at] = False
        if not self._unwritten.any():
            self._unwritten = None

    def _count(self) -> None:
        most = self._cells.most_writes
        if most is None or self._engine is None or not self._engine.is_active(self._array):
            return
        self._writes += 1
        if self._writes == most + 1:
            warnings.warn(
                f"rulebook: more than {most} writes to {self!r} in a traced program, which compiles each on its own (100 take seconds).\n"
                "Do: write slices or whole arrays, use the engine's loop, or write a rule (rb.primitive, rb.frule, rb.rrule).",
                UnrolledWritesWarning,
                stacklevel=3,
            )

    def _mask(self) -> Any:
        """Which elements were never written; made when a part is."""
        return np.ones(self.shape, bool) if self._unwritten is True else self._unwritten

    def _check_written(self, at: Any) -> None:
        mask = self._mask()[at]
        n = int(np.sum(mask))
        if n:
            raise BufferReadError(
                f"A read of {self!r}.",
                "elements that were written before",
                f"{n} of {np.size(mask)} that never were",
                "write them first, all of them at once by b[...] = 0.0, or read only what was written",
            )


class WorkBuffer(Buffer):
    """A buffer that `DiffCache.get` makes: nothing is written yet."""

    __slots__ = ()

    def __init__(self, array: Any, engine: Engine | None, cells: Any) -> None:
        self._frozen = False
        self._read = None
        self._writes = 0
        self._engine = engine
        self._cells = cells
        self._array = array
        self._unwritten = None if any_is_recording() or not self.size else True  # a recorder would record the mask


def _rank(value: Any, engine: Engine | None) -> int:
    """0 for integers and flags, 1 for real, 2 for complex numbers."""
    rank = _NUMBERS.get(type(value))
    if rank is not None:
        return rank
    if engine is None or kind_of(type(value)) == NUMPY:
        kind = value.dtype.kind
        if kind == "O":
            raise BufferWriteError(
                "A write to a buffer.", "an array of numbers", "an array of objects", "stack them with rb.xp(*values).stack"
            )
        return _RANKS.get(kind, 1)
    return 2 if engine.is_complex(value) else 1 if engine.has_tangent(value) else 0


def _open(buffer: Buffer) -> Any:
    return buffer.value()


for _kind in (Buffer, WorkBuffer):
    trees.register_opener(_kind, _open)
