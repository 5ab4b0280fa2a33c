"""Reading and writing elements of dual arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import DroppedTangentError, describe, dropped, refuse_subclasses
from rulebook.dual.methods import Methods
from rulebook.dual.scalar import Dual, dual, number, stack

__all__ = ["Indexed"]

_OBJECT = np.dtype(object)
_ALL = slice(None)
_BASIC = (slice, int, type(None), type(Ellipsis), np.integer)


def _plain_key(key: Any) -> bool:
    """Whether a key acts on stacked tangents as on the primal once a slice is put before it.

    An index array apart from another index does not: NumPy then puts the new axes first, before the leading one.
    """
    return type(key) is not tuple or all(isinstance(k, _BASIC) and k is not True and k is not False for k in key)


def _lead(key: Any) -> Any:
    """The key behind the leading axis."""
    return (_ALL, *key) if type(key) is tuple else (_ALL, key)


def _positions(key: Any, shape: tuple[int, ...]) -> Any:
    """The elements that a key with index arrays picks, as indices into the flattened array."""
    return np.arange(int(np.prod(shape, dtype=np.intp))).reshape(shape)[key]


class Indexed(Methods):
    """What DualArray does with `[]`."""

    __slots__ = ()

    c: Any
    b: Any
    root: Any

    def __getitem__(self, key: Any) -> Any:
        q = self.p[key]
        kind = type(q)
        if kind is not np.ndarray and (kind is Dual or not q.ndim):
            return dual(number(q), self._element(key), self.tag)
        if not _plain_key(key):
            at = _positions(key, self.shape)
            t = self.tangent
            return self._made(q, t.reshape((t.shape[0], self.size))[:, at])
        if _shares(q, self.p):
            if not q.ndim:
                return dual(number(q), self._element(key), self.tag)
            return self.seen_by(q, lambda c: c[key], lambda t: t[_lead(key)])
        return self._made(q, self.tangent[_lead(key)])

    def _made(self, q: Any, t: Any) -> Any:
        if not q.ndim:
            return dual(number(q), number(t[0]) if t.shape[0] == 1 else t, self.tag)
        return type(self)(q, None, t, self.tag)  # type: ignore[call-arg]

    def _element(self, key: Any) -> Any:
        """The tangent of one element: never a view of the buffer, which may be written to later."""
        c, b = self.parts()
        if b.shape[0] == 1:
            t = b[0][key]
        else:
            t = b[_lead(key)]
            t = t.copy() if c is None else t
        if c is not None:
            t = t * (np.broadcast_to(c, self.shape)[key] if np.ndim(c) else c)
        return number(t) if not t.ndim else t

    def __setitem__(self, key: Any, value: Any) -> None:
        tag = getattr(value, "tag", 0)
        if isinstance(value, (list, tuple)) or getattr(value, "dtype", None) == _OBJECT:
            from rulebook.dual.lifting import lift  # which needs this class

            value = lift(value)
            tag = getattr(value, "tag", 0)
        if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
            refuse_subclasses((type(value),))
        if tag and value.dtype.kind == "c" and self.dtype.kind != "c":
            dropped("A write of a complex value into a real array", value, "make the buffer complex, or write value.real")
        if tag > self.tag:
            raise DroppedTangentError(
                "A write into a dual array (engine dual).",
                "a value of the same derivative call or an outer one",
                f"{describe(value)} of an inner call",
                "make the buffer inside the inner function, with np.zeros_like of its argument",
            )
        same = tag == self.tag
        new: Any = value.p if same else value
        t: Any = 0.0 if not same else stack(value.t) if type(value) is Dual else value.tangent
        p, b = self.writable(new, t)
        if same:
            room = np.ndim(self.p[key]) - np.ndim(new)
            t = np.reshape(t, (t.shape[0], *(1,) * room, *t.shape[1:]))
        p[key] = new
        _write(b, key, self.shape, t)

    def parts(self) -> tuple[Any, Any]:
        """Coefficient (or None) and base of the tangents, as they are now."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The number of elements of the primal."""
        raise NotImplementedError

    def seen_by(self, p: Any, on_p: Any, on_t: Any) -> Any:
        """A view of this array."""
        raise NotImplementedError

    def writable(self, value: Any, t: Any) -> tuple[Any, Any]:
        """The primal and the tangents, which may be written to."""
        raise NotImplementedError


def _shares(q: Any, p: Any) -> bool:
    if type(q) is np.ndarray:
        return q.base is not None and (q.base is p or q.base is p.base)
    return q.root is not None


def _write(b: Any, key: Any, shape: tuple[int, ...], t: Any) -> None:
    if _plain_key(key):
        b[_lead(key)] = t
    else:
        b[(_ALL, *np.unravel_index(_positions(key, shape), shape))] = t
