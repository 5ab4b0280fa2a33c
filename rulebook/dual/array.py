"""An array with its tangents, k of them at once, stacked on a leading axis.

The tangents are held as coefficient * base: the coefficient `c` has the shape of the primal (or
broadcasts to it; None means 1), the base `b` the shape (k,) + shape.  An elementwise function
changes the coefficient only, so a chain of them costs a few operations on arrays of the primal's
size whatever k is; the product is formed where something else is done (n = 1000, k = 8: 3x the
primal, against 6x when it is formed each time; see docs/design/dual.md).

Memory: results share bases, so a write first takes a base of its own.  A view, as `x[1:]` or
`x.T`, remembers its root and how to get there, and looks again when the root's base has changed.
Coefficients are never memory that anyone can write to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rulebook.dual import live, tags
from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.operators import Operators

__all__ = ["DualArray", "aliases"]

Move = Callable[[Any], Any]


class DualArray(Operators):
    """An array and its tangents.

    Attributes:
        p: the primal: an array, or a DualArray of an outer derivative call.
        c, b: coefficient (or None) and base of the tangents.
        tag: the derivative call they belong to.
        root: for a view, the array it looks into.
        handed_out: set where compiled code was given the primal alone, see `live.without_tangent`.
    """

    __slots__ = ("_path", "_seen", "b", "c", "handed_out", "p", "root", "tag")
    _path: tuple[Move, ...]
    _seen: Any
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, p: Any, c: Any, b: Any, tag: int) -> None:
        self.p = p
        self.c = c
        self.b = b
        self.tag = tag
        self.root: DualArray | None = None

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return live.looks_like(np.ndarray, DualArray) if live.is_on() else DualArray

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return live.array_of(self, super().__array__, args, kwargs)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of the primal."""
        return self.p.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:  # type: ignore[override]
        """The number of axes of the primal."""
        return self.p.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements of the primal."""
        return self.p.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The dtype of the primal."""
        return self.p.dtype

    @property
    def tangent(self) -> Any:
        """The tangents, stacked: (k,) + shape.  Not to be written to."""
        c, b = self.parts()
        return b if c is None else c * b

    def parts(self) -> tuple[Any, Any]:
        """Coefficient (or None) and base of the tangents, as they are now."""
        root = self.root
        if root is not None and self._seen is not root.b:
            b = root.b
            self._seen = b
            for move in self._path:
                b = move(b)
            self.c, self.b = None, b
        return self.c, self.b

    def __len__(self) -> int:
        return len(self.p)

    def __iter__(self) -> Iterator[Any]:
        if not self.p.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self.p)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def seen_by(self, p: Any, on_p: Move | None, on_t: Move) -> DualArray:
        """A view: `p` shares the memory of self.p, on_t does the same behind the leading axis.

        on_p moves elements as from self.p to p; None where that does not do for coefficients.
        """
        c, b = self.parts()
        if on_p is None:
            new = DualArray(p, None, on_t(self.tangent), self.tag)
        else:
            if c is not None and np.ndim(c):
                c = on_p(c if c.shape == self.p.shape else np.broadcast_to(c, self.p.shape))
            new = DualArray(p, c, on_t(b), self.tag)
        root = self.root
        if root is None:
            new.root, new._path, new._seen = self, (on_t,), b
        else:
            new.root, new._path, new._seen = root, (*self._path, on_t), self._seen
        return new

    def writable(self, value: Any, t: Any) -> tuple[Any, Any]:
        """The primal and the materialised tangents, to write `value` and `t` into: views see it, results computed before do not."""
        root = self if self.root is None else self.root
        if hasattr(root, "handed_out"):
            live.check_write(self, value, t)
        if root.c is not None:
            root.b, root.c = (root.c * root.b).astype(root.p.dtype), None
        elif root.b.dtype != root.p.dtype:
            root.b = root.b.astype(root.p.dtype)
        elif not _alone(root, "b"):
            root.b = np.array(root.b) if type(root.b) is np.ndarray else root.b.copy()
        if getattr(t, "tag", 0) > getattr(root.b, "tag", 0):
            root.b = _promoted(root.b, t)
        if getattr(value, "tag", 0) > getattr(root.p, "tag", 0):
            if root is not self or not _alone(root, "p"):
                raise DroppedTangentError(
                    "A write into a view, or an array that has views (engine dual).",
                    "a value that depends on the same derivative calls as the array",
                    f"{describe(value)} that an outer call differentiates",
                    "write into the array itself, without keeping views of it",
                )
            root.p = _promoted(root.p, value)
        b = self.parts()[1]
        if root is not self and not aliases(b, root.b):
            raise DroppedTangentError(
                "A write into a view (engine dual).",
                "a view of one block of memory",
                f"{describe(self)}, whose tangents are a copy",
                "write into the array itself",
            )
        return self.p, b

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return _rebuild, (self.p, np.array(self.tangent) if type(self.b) is np.ndarray else self.tangent, *tags.to_pickle(self.tag))


def _rebuild(p: Any, t: Any, tag: int, token: str) -> DualArray:
    return DualArray(p, None, t, tags.from_pickle(tag, token))


def aliases(q: Any, p: Any) -> bool:
    """Whether q, made from p by one function of NumPy's, is p or a view of it."""
    if q is p:
        return True
    if type(q) is DualArray:
        return q.root is not None and (q.root is p or q.root is p.root)
    base = getattr(q, "base", None)
    return base is not None and (base is p or base is p.base)


class _Probe:
    __slots__ = ("b",)
    b: Any


_probe = _Probe()
_probe.b = np.zeros(1)
_ALONE = sys.getrefcount(_probe.b)  # what an array has that one attribute alone refers to


def _alone(root: DualArray, name: str) -> bool:
    """Whether nothing but this attribute refers to the memory of an array."""
    array = getattr(root, name)
    if type(array) is np.ndarray and (array.base is not None or not array.flags.writeable):
        return False
    del array
    return sys.getrefcount(getattr(root, name)) <= _ALONE


def _promoted(array: Any, like: Any) -> DualArray:
    """An array as one that can take tangents of the outer call of `like`."""
    k = np.shape(like.tangent)[0] if np.ndim(like.tangent) else 1
    return DualArray(array, None, np.zeros((k, *array.shape), array.dtype), like.tag)
