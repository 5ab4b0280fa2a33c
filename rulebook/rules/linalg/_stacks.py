"""Functions of SciPy over leading axes: every function of the library takes stacks, whichever SciPy is installed."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.tangents import ShapeDtype

__all__ = ["aligned", "batches", "dtype_of", "lead_of", "like", "pull_of", "push_of", "real_dtype", "scipy_linalg", "spec", "stacked"]

_LAPACK = "fdFD"  # the dtypes, by their characters, that LAPACK has routines for


@functools.cache
def scipy_linalg() -> Any:
    """SciPy's linear algebra, imported when first used."""
    return importlib.import_module("scipy.linalg")


def dtype_of(*args: Any) -> np.dtype[Any]:
    """The dtype of a result: what the floating arguments promote to; float64 if there are none.

    Raises:
        TypeError: a dtype that LAPACK has no routines for.
    """
    found = [np.dtype(x.dtype) for x in args if x is not None]
    moving = [d for d in found if d.kind not in "iub"]
    odd = next((d for d in moving if d.char not in _LAPACK), None)
    if odd is not None:
        raise TypeError(f"LAPACK has no routines for {odd}; pass float32, float64, complex64 or complex128")
    return np.result_type(*moving) if moving else np.dtype(float)


def real_dtype(dtype: Any) -> np.dtype[Any]:
    """The real dtype of the same precision."""
    return np.finfo(dtype).dtype


def like(*args: Any) -> list[Any]:
    """Arrays in the dtype of the result."""
    found = [np.asarray(x) for x in args]
    dtype = dtype_of(*found)
    return [x.astype(dtype, copy=False) for x in found]


def lead_of(*args: Any, core: int = 2) -> tuple[int, ...]:
    """The leading axes of a result."""
    return np.broadcast_shapes(*(tuple(x.shape[: max(len(x.shape) - core, 0)]) for x in args))


def spec(lead: Sequence[int], core: Sequence[int], dtype: Any) -> ShapeDtype:
    """The shape and dtype of an array with leading axes."""
    return ShapeDtype((*lead, *core), dtype)


def push_of(f: rb.Primitive) -> Callable[..., Any]:
    """The pushforward of another function, for a rule that is the same."""
    assert f.forward is not None
    found: Callable[..., Any] = f.forward.fn
    return found


def pull_of(f: rb.Primitive) -> Callable[..., Any]:
    """The pullback of another function, for a rule that is the same."""
    assert f.reverse is not None
    found: Callable[..., Any] = f.reverse.fn
    return found


def stacked(fn: Callable[..., Any], out: Any, *arrays: Any, core: int | Sequence[int] = 2) -> Any:
    """fn at each position of the leading axes, which broadcast.

    Args:
        fn: of one matrix each; gives an array or a tuple of arrays.
        out: the specs of what it gives, with leading axes.
        arrays: stacks.
        core: how many axes each has behind the leading ones.

    Returns:
        What fn gives, with leading axes.
    """
    cores = [core] * len(arrays) if isinstance(core, int) else list(core)
    lead = np.broadcast_shapes(*(x.shape[: x.ndim - c] for x, c in zip(arrays, cores, strict=True)))
    if not lead:
        return _finished(fn(*arrays), out)
    spread = [np.broadcast_to(x, lead + x.shape[x.ndim - c :]) for x, c in zip(arrays, cores, strict=True)]
    found = [fn(*(x[i] for x in spread)) for i in np.ndindex(lead)]
    if not found:
        return tuple(np.zeros(o.shape, o.dtype) for o in out) if isinstance(out, tuple) else np.zeros(out.shape, out.dtype)
    if not isinstance(out, tuple):
        return _gathered(found, lead)
    return tuple(_gathered([each[i] for each in found], lead) for i in range(len(out)))


def _finished(found: Any, out: Any) -> Any:
    return tuple(np.asarray(x) for x in found) if isinstance(out, tuple) else np.asarray(found)


def _gathered(found: Sequence[Any], lead: tuple[int, ...]) -> Any:
    whole = np.stack([np.asarray(x) for x in found])
    return whole.reshape(lead + whole.shape[1:])


def batches(f: Any, *cores: int) -> None:
    """Register the batch rule of a function that takes leading axes: those of all arguments broadcast as without the batch.

    Args:
        f: a primitive of arrays.
        cores: how many axes each argument has behind the leading ones, 2 by default.
    """

    def rule(axis_size: int, in_batched: Any, *primals: Any, **static: Any) -> Any:
        own = cores or (2,) * len(primals)
        return f(*aligned(in_batched, primals, own), **static), True

    rb.batch_rule(f)(rule)


def aligned(in_batched: Sequence[bool], values: Sequence[Any], cores: Sequence[int]) -> list[Any]:
    """Stacks with a batch axis in front, their other leading axes aligned."""
    rank = max(x.ndim - b - c for x, b, c in zip(values, in_batched, cores, strict=True))
    return [_widened(x, rank + c) if b else x for x, b, c in zip(values, in_batched, cores, strict=True)]


def _widened(x: Any, rank: int) -> Any:
    missing = rank + 1 - x.ndim
    return x if not missing else rb.xp(x).reshape(x, (x.shape[0], *(1,) * missing, *x.shape[1:]))
