"""Functions that pick elements, put others in their place, or take parts of matrices.

Those that write into an array in NumPy give a new one here.  Indices and conditions are arrays without derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import Rng, complex_normal, normal
from rulebook.rules.numpy._rearranging import rearrangement
from rulebook.rules.numpy._support import plain, stands

__all__ = [
    "choose",
    "compress",
    "copyto",
    "delete",
    "diag",
    "diagflat",
    "diagonal",
    "extract",
    "fill_diagonal",
    "getitem",
    "insert",
    "place",
    "put",
    "put_along_axis",
    "putmask",
    "select",
    "take",
    "take_along_axis",
    "tril",
    "triu",
    "where",
]

Index = int | slice | None | tuple[Any, ...]


def _with(*others: Any, first: tuple[int, ...] = (4,), **static: Any) -> Any:
    return lambda rng: rb.case(rng.normal(size=first), *others, **static)


@rearrangement(
    cases=[normal((3, 4), at=(slice(None), 1)), normal((3, 4), at=(Ellipsis, slice(3, 0, -2))), normal((3,), at=None)], engines=()
)
def getitem(x: Any, *, at: Any) -> Any:
    """`x[at]`, where at is made of numbers, slices, None and Ellipsis; arrays of indices go to `take`."""
    return np.array(x[at])


_I = np.array([0, 2, 2])


@rearrangement(np.take, cases=[_with(_I), _with(_I, first=(2, 3), axis=1), _with(np.array([[1], [0]]), first=(2, 2), axis=0)])
def take(a: Any, indices: Any, *, axis: int | None = None) -> Any:
    """Elements at indices, along an axis or of the flattened array."""
    return np.take(a, indices, axis)


_J = np.array([[1, 0], [2, 2]])


@rearrangement(np.take_along_axis, cases=[_with(_J, first=(2, 3), axis=1), _with(_I, axis=None)])
def take_along_axis(arr: Any, indices: Any, *, axis: int | None = -1) -> Any:
    """Elements at indices that match the other axes."""
    return np.take_along_axis(arr, indices, axis)


def _put(draw: tuple[int, ...], *others: Any, values: tuple[int, ...] = (2,), **static: Any) -> Any:
    return lambda rng: rb.case(rng.normal(size=draw), *others, rng.normal(size=values), **static)


@rearrangement(cases=[_put((2, 3), np.array([[1], [2]]), values=(2, 1), axis=1)], engines=(), wrt=(0, 2))
def put_along_axis(arr: Any, indices: Any, values: Any, *, axis: int | None) -> Any:
    """A copy with values at indices that match the other axes."""
    out = np.array(np.broadcast_to(arr, np.shape(arr)), np.result_type(arr, values))
    np.put_along_axis(out, indices, values, axis)
    return out


@rearrangement(cases=[_put((4,), np.array([0, 2])), _put((2, 2), np.array([3, 0, 1]), values=(2,))], engines=(), wrt=(0, 2))
def put(a: Any, ind: Any, v: Any) -> Any:
    """A copy with values at indices of the flattened array, the values from the start again where there are too few."""
    out = np.array(a, np.result_type(a, v))
    np.put(out, ind, v)
    return out


_MASK = np.array([True, False, True, True])


@rearrangement(cases=[_put((4,), _MASK)], engines=(), wrt=(0, 2))
def place(arr: Any, mask: Any, vals: Any) -> Any:
    """A copy with the values, one after the other, where the mask holds."""
    out = np.array(arr, np.result_type(arr, vals))
    np.place(out, mask, vals)
    return out


@rearrangement(cases=[_put((4,), _MASK)], engines=(), wrt=(0, 2))
def putmask(a: Any, mask: Any, values: Any) -> Any:
    """A copy with those values where the mask holds that stand at the same place, repeated."""
    out = np.array(a, np.result_type(a, values))
    np.putmask(out, mask, values)
    return out


@rearrangement(
    cases=[normal((2, 3), (3,)), lambda rng: rb.case(rng.normal(size=4), rng.normal(), where=(True, False, True, True))],
    engines=(),
    wrt=(0, 1),
)
def copyto(dst: Any, src: Any, *, where: Any = True) -> Any:
    """What becomes of dst when src is written into it where the condition holds."""
    out = np.array(dst, np.result_type(dst, src))
    np.copyto(out, src, where=np.asarray(where))
    return out


@rearrangement(cases=[normal((3, 3), ()), normal((3, 2), (2,))], engines=(), wrt=(0, 1))
def fill_diagonal(a: Any, val: Any, *, wrap: bool = False) -> Any:
    """A copy with other values on the diagonal."""
    out = np.array(a, np.result_type(a, val))
    np.fill_diagonal(out, val, wrap)
    return out


# With indices and masks that JAX traces, its own functions.
put_along_axis.native["jax"] = lambda arr, indices, values, *, axis: rb.xp(arr, values).put_along_axis(
    arr, indices, values, axis, inplace=False
)
put.native["jax"] = lambda a, ind, v: rb.xp(a, v).put(a, ind, v, inplace=False)
place.native["jax"] = lambda arr, mask, vals: rb.xp(arr, vals).place(arr, mask, vals, inplace=False)
putmask.native["jax"] = lambda a, mask, values: rb.xp(a, values).where(mask, rb.xp(a, values).resize(values, a.shape), a)


@rearrangement(np.compress, cases=[lambda rng: rb.case(_MASK, rng.normal(size=(4, 2)), axis=0)], engines=("jax",), wrt=(1,))
def compress(condition: Any, a: Any, *, axis: int | None = None) -> Any:
    """What lies along an axis where the condition holds."""
    return np.compress(condition, a, axis)


@stands(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The elements where the condition holds, which has to be known: it decides how many there are.

    Example:
        >>> extract(np.array([True, False]), np.array([1.0, 2.0]))
        array([1.])
    """
    return take(arr, np.flatnonzero(plain(condition)))


@rearrangement(
    np.choose, cases=[lambda rng: rb.case(np.array([1, 0, 1]), [rng.normal(size=3), rng.normal(size=(2, 3))])], engines=("jax",), wrt=(1,)
)
def choose(a: Any, choices: Sequence[Any]) -> Any:
    """At each place the element of that array whose number stands there."""
    return np.choose(a, choices)


def _selection(rng: Rng) -> Any:
    return rb.case([_MASK, ~_MASK], [rng.normal(size=4), rng.normal(size=(2, 4))], rng.normal())


@rearrangement(np.select, cases=[_selection], engines=("jax",), wrt=(1, 2))
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """At each place the element of the first array whose condition holds there."""
    return np.select(condlist, choicelist, default)


@rearrangement(
    np.where, cases=[lambda rng: rb.case(_MASK, rng.normal(size=4), rng.normal(size=(2, 1)))], engines=("jax", "torch"), wrt=(1, 2)
)
def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, y elsewhere."""
    return np.where(condition, x, y)


@rearrangement(np.delete, cases=[normal((4,), obj=1), normal((2, 3), obj=(0, 2), axis=1)], engines=())
def delete(arr: Any, *, obj: int | slice | tuple[int, ...], axis: int | None = None) -> Any:
    """Without the parts at indices along an axis."""
    return np.delete(arr, list(obj) if isinstance(obj, tuple) else obj, axis)


@rearrangement(cases=[normal((3,), (), obj=1), normal((2, 3), (2,), obj=2, axis=1)], engines=(), wrt=(0, 1))
def insert(arr: Any, values: Any, *, obj: int | slice | tuple[int, ...], axis: int | None = None) -> Any:
    """With values put before indices along an axis."""
    wide = np.asarray(arr, np.result_type(arr, values))
    return np.insert(wide, list(obj) if isinstance(obj, tuple) else obj, values, axis)


@rearrangement(
    np.diag, cases=[normal((3,)), normal((2,), k=1), normal((3, 3), k=-1), complex_normal((2, 2))], engines=("jax", "torch", "autograd")
)
def diag(v: Any, *, k: int = 0) -> Any:
    """A vector as a diagonal, or the diagonal of a matrix."""
    return np.array(np.diag(v, k))


@rearrangement(np.diagflat, cases=[normal((2, 2)), normal((2,), k=1)], engines=("jax",))
def diagflat(v: Any, *, k: int = 0) -> Any:
    """The elements of an array as a diagonal."""
    return np.diagflat(v, k)


@rearrangement(np.diagonal, cases=[normal((3, 3)), normal((2, 3, 2), offset=1, axis1=-1, axis2=0)])
def diagonal(a: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of two axes."""
    return np.array(np.diagonal(a, offset, axis1, axis2))


@rearrangement(np.tril, cases=[normal((3, 3)), normal((2, 2, 3), k=1)], engines=("jax", "torch", "autograd"))
def tril(m: Any, *, k: int = 0) -> Any:
    """The lower triangle."""
    return np.tril(m, k)


@rearrangement(np.triu, cases=[normal((3, 3)), normal((2, 2, 3), k=1)], engines=("jax", "torch", "autograd"))
def triu(m: Any, *, k: int = 0) -> Any:
    """The upper triangle."""
    return np.triu(m, k)
