"""The methods of ndarray that are no functions of numpy: in place, on memory, and the elements in a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from rulebook.dual.errors import dropped, unsupported
from rulebook.dual.indexing import Indexed
from rulebook.dual.registry import FUNCTIONS

__all__ = ["ArrayMethods", "Flat"]


class Flat:
    """`x.flat`: the elements in order, to read and to write."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of

    def __len__(self) -> int:
        return int(self.of.size)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.of.reshape(-1))

    def __getitem__(self, key: Any) -> Any:
        y = self.of.reshape(-1)[key]
        return y.copy() if np.ndim(y) else y

    def __setitem__(self, key: Any, value: Any) -> None:
        from rulebook.dual.lifting import lift  # which needs DualArray

        value = lift(value)
        at = np.arange(self.of.size)[key]
        if np.ndim(value) and np.size(at):
            value = np.resize(np.reshape(value, (-1,)), np.shape(at))
        self.of[np.unravel_index(at, self.of.shape)] = value


def _refusal(name: str, do: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        dropped(f"x.{name}(...)", self, do)

    method.__name__ = name
    method.__doc__ = f"Refused: {name} gives or takes the memory of the primal alone."
    return method


class ArrayMethods(Indexed):
    """What DualArray has of an ndarray beside indexing and operators."""

    __slots__ = ()

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
        """Sort in place; equal elements share their tangents."""
        self[...] = np.sort(self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None) -> None:
        """Partition in place."""
        self[...] = np.partition(self, kth, axis, kind, order)

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """As `numpy.put`."""
        FUNCTIONS[np.put](self, indices, values, mode)

    def fill(self, value: Any) -> None:
        """Write one value everywhere."""
        self[...] = value

    def item(self, *key: Any) -> Any:
        """An element: a Dual."""
        if not key:
            if self.size != 1:
                raise ValueError("can only convert an array of size 1 to a Python scalar")
            return self.reshape(-1)[0]
        at = key[0] if len(key) == 1 else key
        return self[tuple(at)] if isinstance(at, tuple) else self.reshape(-1)[at]

    def tolist(self) -> Any:
        """Nested lists of Duals."""
        return [x.tolist() if np.ndim(x) else x for x in self] if self.ndim else self[()]  # type: ignore[attr-defined]

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        """The same memory again; not as another dtype or type."""
        if type is not None or (dtype is not None and dtype is not np.ndarray and np.dtype(dtype) != self.dtype):
            raise unsupported("x.view", f"dtype={dtype!r}, type={type!r}", "use x.real and x.imag, or x.astype(...)")
        return self[...]

    def resize(self, *new_shape: Any, refcheck: bool = True) -> NoReturn:
        """Refused: the memory of the tangents cannot be resized in place."""
        raise unsupported("x.resize", "in place", "use np.resize(x, shape)")

    @property
    def flat(self) -> Flat:
        """The elements, in order."""
        return Flat(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        Flat(self)[:] = value

    @property
    def flags(self) -> Any:
        """Those of the primal."""
        return self.p.flags

    @property
    def strides(self) -> tuple[int, ...]:
        """Those of the primal."""
        return self.p.strides  # type: ignore[no-any-return]

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        (np.real(self) if self.dtype.kind == "c" else self)[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("array does not have imaginary part to set")
        np.imag(self)[...] = value

    tobytes = _refusal("tobytes", "use pickle.dumps(x), or rb.stop_gradient(x).tobytes()")
    tofile = _refusal("tofile", "use pickle.dump(x, file), or rb.stop_gradient(x).tofile(file)")
    dump = _refusal("dump", "use pickle.dump(x, file)")
    dumps = _refusal("dumps", "use pickle.dumps(x)")
    byteswap = _refusal("byteswap", "use rb.stop_gradient(x).byteswap()")
    getfield = _refusal("getfield", "use x.real or x.imag")
    setfield = _refusal("setfield", "write with x[...] = value")
