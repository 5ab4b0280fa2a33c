"""The operators of dual arrays: each goes straight to its rule (NDArrayOperatorsMixin would cost 1 us more)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.arraymethods import ArrayMethods
from rulebook.dual.outputs import give
from rulebook.dual.registry import DEFERRED, UFUNCS

__all__ = ["Operators"]

_add = np.add
_sub = np.subtract
_mul = np.multiply
_truediv = np.true_divide
_pow = np.power
_matmul = np.matmul


def _into(x: Any, y: Any) -> Any:
    """y written into x."""
    if y.dtype != x.dtype:
        return give("an operation in place", y, x)
    x[...] = y
    return x


class Operators(ArrayMethods):
    """What DualArray does between numbers.  The forms in place write, as NumPy's do."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return UFUNCS[_add](self, other[...] if DEFERRED and type(other) in DEFERRED else other)

    def __radd__(self, other: Any) -> Any:
        return UFUNCS[_add](other, self)

    def __iadd__(self, other: Any) -> Any:
        return _into(self, UFUNCS[_add](self, other[...] if DEFERRED and type(other) in DEFERRED else other))

    def __sub__(self, other: Any) -> Any:
        return UFUNCS[_sub](self, other[...] if DEFERRED and type(other) in DEFERRED else other)

    def __rsub__(self, other: Any) -> Any:
        return UFUNCS[_sub](other, self)

    def __isub__(self, other: Any) -> Any:
        return _into(self, UFUNCS[_sub](self, other[...] if DEFERRED and type(other) in DEFERRED else other))

    def __mul__(self, other: Any) -> Any:
        return UFUNCS[_mul](self, other[...] if DEFERRED and type(other) in DEFERRED else other)

    def __rmul__(self, other: Any) -> Any:
        return UFUNCS[_mul](other, self)

    def __imul__(self, other: Any) -> Any:
        return _into(self, UFUNCS[_mul](self, other[...] if DEFERRED and type(other) in DEFERRED else other))

    def __truediv__(self, other: Any) -> Any:
        return UFUNCS[_truediv](self, other[...] if DEFERRED and type(other) in DEFERRED else other)

    def __rtruediv__(self, other: Any) -> Any:
        return UFUNCS[_truediv](other, self)

    def __itruediv__(self, other: Any) -> Any:
        return _into(self, UFUNCS[_truediv](self, other[...] if DEFERRED and type(other) in DEFERRED else other))

    def __pow__(self, other: Any) -> Any:
        return UFUNCS[_pow](self, other[...] if DEFERRED and type(other) in DEFERRED else other)

    def __rpow__(self, other: Any) -> Any:
        return UFUNCS[_pow](other, self)

    def __ipow__(self, other: Any) -> Any:
        return _into(self, UFUNCS[_pow](self, other[...] if DEFERRED and type(other) in DEFERRED else other))

    def __matmul__(self, other: Any) -> Any:
        return UFUNCS[_matmul](self, other[...] if DEFERRED and type(other) in DEFERRED else other)

    def __rmatmul__(self, other: Any) -> Any:
        return UFUNCS[_matmul](other, self)

    def __imatmul__(self, other: Any) -> Any:
        return _into(self, UFUNCS[_matmul](self, other[...] if DEFERRED and type(other) in DEFERRED else other))

    def __ifloordiv__(self, other: Any) -> Any:
        return _into(self, np.floor_divide(self, other))

    def __imod__(self, other: Any) -> Any:
        return _into(self, np.remainder(self, other))

    def __neg__(self) -> Any:
        return UFUNCS[np.negative](self)

    def __pos__(self) -> Any:
        return UFUNCS[np.positive](self)
