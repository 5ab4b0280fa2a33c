"""Functions that move, select or repeat elements.

Such a function does the same to the numbers of the elements, counted from 1, with 0 where it writes zeros.  That is all its transpose
has to know: the cotangent of an element is the sum of those of its copies.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.primitive import Primitive
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import own, plain, stands

__all__ = ["gather", "rearrangement", "scatter"]


def gather(flat: Any, numbers: Any) -> Any:
    """Elements of a vector by their numbers, zero for 0."""
    xp = rb.xp(flat)
    if np.all(numbers):
        return flat[numbers - 1]
    if flat.shape[0] == 0:
        return xp.reshape(xp.zeros_like(flat), (0,))[:0] if numbers.size == 0 else xp.zeros(numbers.shape)
    return xp.where(numbers == 0, xp.zeros_like(flat[:1]), flat[np.maximum(numbers, 1) - 1])


def _scatter_jax(values: Any, numbers: Any, *, size: int) -> Any:
    return rb.xp(values).zeros(size + 1, dtype=values.dtype).at[numbers].add(values)[1:]


def _scatter_torch(values: Any, numbers: Any, *, size: int) -> Any:
    return values.new_zeros(size + 1).index_add(0, numbers, values)[1:]


def _scatter_cases() -> list[Any]:
    numbers = np.array([3, 0, 1, 3])
    return [lambda rng: rb.case(rng.normal(size=4), numbers, size=4), lambda rng: rb.case(_cases._complex(rng, (4,)), numbers, size=3)]


@rb.primitive(
    name="rulebook.rules.numpy._rearranging.scatter",
    cases=_scatter_cases(),
    native={"jax": _scatter_jax, "torch": _scatter_torch},
)
def scatter(values: Any, numbers: Any, *, size: int) -> Any:
    """The vector whose elements are sums of values by their numbers; what has the number 0 is left out.  Transpose of `gather`."""
    if values.dtype.kind == "c":
        real, imag = (np.bincount(numbers, part, size + 1) for part in (values.real, values.imag))
        return (real + 1j * imag)[1:].astype(values.dtype)
    return np.bincount(numbers, values, size + 1)[1:].astype(values.dtype)


@rb.transpose(scatter)
def _(y_bar: Any, values: Any, numbers: Any, *, size: int) -> Any:
    return (gather(y_bar, np.asarray(numbers)),)


def rearrangement(
    *functions: Any, cases: Sequence[Any], engines: Sequence[str] = ("jax", "torch"), wrt: tuple[int, ...] = (0,), path: str | None = None
) -> Callable[[Callable[..., Any]], Primitive]:
    """Make the primitive of a function of NumPy that moves, selects or repeats elements.

    Args:
        functions: of NumPy, for which it stands on duals.
        cases: as in `rb.primitive`.
        engines: those that have it themselves, natively and right.
        wrt: the positions of the arguments whose elements are moved: arrays, or lists of arrays.
        path: the function in the namespaces of engines, where that is not the name.
    """

    def make(fn: Callable[..., Any]) -> Primitive:
        body = _body(fn, wrt)
        where = path or fn.__name__
        native: dict[str, Any] = own(where, *engines) if functions else dict.fromkeys(engines, where)
        native.setdefault("dual", body)
        f = Primitive(body, name=f"rulebook.rules.numpy.{fn.__name__}", cases=cases, native=native)
        rb.transpose(f, wrt=wrt)(_transposed(fn, wrt))
        return stands(*functions)(f)

    return make


def _body(fn: Callable[..., Any], wrt: tuple[int, ...]) -> Callable[..., Any]:
    """The function on the values of any engine."""

    @functools.wraps(fn)
    def body(*args: Any, **statics: Any) -> Any:
        leaves = trees.flatten([args[i] for i in wrt])[0]
        if not any(hasattr(x, "shape") and not isinstance(x, (np.ndarray, np.generic)) for x in leaves):
            return fn(*args, **statics)
        xp = rb.xp(*leaves)
        flat = [xp.reshape(xp.asarray(x), (-1,)) for x in leaves]
        vector = xp.concatenate(flat) if len(flat) > 1 else flat[0]
        found, structure = trees.flatten(_numbers(fn, wrt, args, statics))
        return structure.unflatten(iter([gather(vector, np.asarray(n)) for n in found]))

    return body


def _numbers(fn: Callable[..., Any], wrt: tuple[int, ...], args: tuple[Any, ...], statics: dict[str, Any]) -> Any:
    """What the function makes of the numbers of its elements."""
    leaves, structure = trees.flatten([args[i] for i in wrt])
    numbered, n = [], 1
    for x in leaves:
        shape = tuple(np.shape(x))
        size = int(np.prod(shape))
        numbered.append(np.arange(n, n + size).reshape(shape))
        n += size
    moved = dict(zip(wrt, structure.unflatten(iter(numbered)), strict=True))
    return fn(*(moved[i] if i in moved else plain(x) for i, x in enumerate(args)), **statics)


def _transposed(fn: Callable[..., Any], wrt: tuple[int, ...]) -> Callable[..., Any]:
    """The cotangents of the arguments that are moved."""

    def transposed(y_bar: Any, *args: Any, **statics: Any) -> Any:
        numbers = trees.flatten(_numbers(fn, wrt, args, statics))[0]
        bars = trees.flatten(y_bar)[0]
        leaves, structure = trees.flatten([args[i] for i in wrt])
        xp = rb.xp(*bars, *leaves)
        flat = [xp.reshape(b, (-1,)) for b in bars]
        size = sum(int(np.prod(np.shape(x))) for x in leaves)
        where = np.concatenate([np.ravel(n) for n in numbers]) if numbers else np.zeros(0, int)
        total = scatter(xp.concatenate(flat) if len(flat) > 1 else flat[0], where, size=size)
        out, n = [], 0
        for x in leaves:
            shape = tuple(np.shape(x))
            out.append(xp.reshape(total[n : n + int(np.prod(shape))], shape))
            n += int(np.prod(shape))
        return tuple(structure.unflatten(iter(out)))

    return transposed
