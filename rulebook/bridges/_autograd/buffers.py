"""Buffers of autograd's boxes: each write is a primitive that makes a new array."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from autograd.extend import defjvp, defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f
from autograd.tracer import trace_stack

from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.trace import BOXES, constant_box, depth, value_of
from rulebook.buffers.cells import Cells, unwritten
from rulebook.buffers.errors import EscapedBufferError
from rulebook.errors import RuleMissingError
from rulebook.tangents import ShapeDtype

__all__ = ["CELLS"]


@primitive
def _put(array: Any, value: Any, key: Any) -> Any:
    """A copy of the array with a value at a key."""
    made = np.array(array)
    made[key] = value
    return made


@primitive
def _spread(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A new array of a shape and dtype that holds a value everywhere."""
    made = np.empty(shape, dtype)
    made[...] = value
    return made


defvjp(_spread, lambda y, value, shape, dtype: unbroadcast_f(value, lambda g: g), argnums=(0,))
defjvp(_spread, lambda g, y, value, shape, dtype: _spread(g, shape, dtype), argnums=(0,))


def _zeros_at(key: Any, g: Any) -> Any:
    return _put(g, 0.0, key)


defvjp(
    _put,
    lambda y, array, value, key: lambda g: _zeros_at(key, g),
    lambda y, array, value, key: unbroadcast_f(value, lambda g: g[key]),
    argnums=(0, 1),
)
defjvp(
    _put,
    lambda g, y, array, value, key: _zeros_at(key, g),
    lambda g, y, array, value, key: _put(values.zeros_like(y), g, key),
    argnums=(0, 1),
)


class AutogradCells(Cells):
    """NumPy arrays below traces."""

    dispatches = False

    def empty(self, prototype: ShapeDtype, actives: tuple[Any, ...]) -> Any:
        """NaN everywhere, in the memory of one number."""
        dtype = np.result_type(prototype.dtype, *map(value_of, actives))
        return constant_box(np.broadcast_to(unwritten((), dtype), prototype.shape), max(actives, key=depth))

    def adopt(self, array: Any, value: Any) -> Any:
        """A box of the array, which in turn takes boxes by `b[1:] += v`."""
        return constant_box(array, value)

    def fill(self, array: Any, value: Any, *, own: bool = False) -> Any:
        """The value, broadcast, in memory of its own."""
        made = value if own and np.shape(value) == array.shape and value.dtype == array.dtype else _spread(value, array.shape, array.dtype)
        return made if type(made) in BOXES else constant_box(made, array)

    def write(self, array: Any, key: Any, value: Any) -> Any:
        """A copy with the value put in."""
        return _put(array, value, key)

    def read(self, array: Any, key: Any) -> Any:
        """The elements."""
        return array[key] if type(array) in BOXES else super().read(array, key)

    def seal(self, array: Any) -> Any:
        """The array; read-only where no trace records it."""
        return array if type(array) in BOXES else super().seal(array)

    def check(self, array: Any) -> None:
        """Refuse a box where no trace is running.

        autograd counts one too many from when a function raises inside it; then this notices nothing.  The number of the box's own
        trace would not tell either: that of a thread falls below it when another thread ends one.
        """
        if type(array) in BOXES and trace_stack.top < 0:
            raise EscapedBufferError(
                "A buffer (engine autograd).",
                "a buffer made, written and frozen inside the function that is differentiated",
                "values of a derivative that has ended",
                "call DiffCache.get, or make the rb.Buffer, inside the function, and return rb.freeze(b) from it",
            )

    def entered(self, args: Any) -> None:
        """Refuse a call from inside a primitive of autograd's that has taken boxes apart already: the buffer's own part would be lost.

        Its ufuncs then ask again, with the boxes; so they may also hand a call on before they take boxes apart.
        """
        frame: Any = sys._getframe(3)
        if _is_primitive(frame) and frame.f_locals.get("boxed_args"):
            frame = frame.f_back  # it handed the call on
        while _is_primitive(frame):
            if frame.f_locals.get("boxed_args", True):
                raise RuleMissingError(
                    "A function of autograd.numpy with a buffer and other boxes (engine autograd).",
                    "arrays and boxes",
                    "an rb.Buffer",
                    "read the buffer by b[...] first",
                )
            frame = frame.f_back


def _is_primitive(frame: Any) -> bool:
    """Whether a frame is that of a primitive of autograd's."""
    return frame is not None and frame.f_globals.get("__name__") == "autograd.tracer"


CELLS = AutogradCells()
