"""What buffers do with the arrays of an engine: one `Cells` for each, and here that of NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.tangents import ShapeDtype

__all__ = ["NUMPY_CELLS", "Cells", "unwritten"]

Pools = dict[Any, Any]


def unwritten(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array that nothing was written to: NaN, where there is one."""
    return np.full(shape, np.nan, dtype) if np.dtype(dtype).kind in "fc" else np.zeros(shape, dtype)


class Cells:
    """The arrays of one engine under reads and writes.

    A write gives the array that holds the value: the same one, or another where arrays cannot be changed.  A read gives what
    later writes do not change, and what may be changed where arrays can: `b[1:] += v` does so before it writes.

    Attributes:
        in_place: whether `DiffCache.get` gives an array that is written to as it is, by `pooled`; else a Buffer.
        dispatches: whether NumPy's own functions take the arrays.
        most_writes: how many writes of parts a traced program may have before that deserves a warning; None for any number.
    """

    in_place = False
    dispatches = True
    most_writes: int | None = None

    def pooled(self, pools: Pools, prototype: ShapeDtype, actives: tuple[Any, ...], warn: Callable[[int, int], None]) -> Any:
        """A work array, for `DiffCache.get`.

        Args:
            pools: what the cache keeps of this engine's arrays.
            prototype: shape and least dtype.
            actives: values of the engine, and NumPy's.
            warn: is told (tangents held so far, tangents needed) where arrays have to grow.
        """
        raise NotImplementedError

    def empty(self, prototype: ShapeDtype, actives: tuple[Any, ...]) -> Any:
        """An array that nothing was written to, for values like the actives."""
        return unwritten(prototype.shape, np.result_type(prototype.dtype, *actives))

    def adopt(self, array: Any, value: Any) -> Any:
        """A NumPy array as one of the engine, on the device of a value of the engine."""
        return array

    def taken(self, value: Any) -> Any:
        """A NumPy value as it is written; while Python code is recorded, as one of the engine."""
        return value

    def fill(self, array: Any, value: Any, *, own: bool = False) -> Any:
        """The value everywhere.

        Args:
            own: nobody else refers to the value, nor to its memory: it need not be copied.
        """
        return self.write(array, ..., value)

    def write(self, array: Any, key: Any, value: Any) -> Any:
        """The array with a value at a key, which fits."""
        array[key] = value
        return array

    def read(self, array: Any, key: Any) -> Any:
        """A copy of the elements at a key."""
        found = array[key]
        return found.copy() if found.ndim else found

    def versioned(self, found: Any) -> tuple[Any, int] | None:
        """What was read, and its `_version`; None where nobody counts changes in place."""
        return None

    def seal(self, array: Any) -> Any:
        """The array as a result: not to be written to, where that can be said."""
        array.setflags(write=False)
        return array

    def check(self, array: Any) -> None:
        """Refuse an array of a transformation that has ended.

        Raises:
            EscapedBufferError: it has.
        """

    def entered(self, values: Any) -> None:
        """Told of a call of NumPy's that a buffer is asked to carry out, and its arguments."""


NUMPY_CELLS = Cells()
