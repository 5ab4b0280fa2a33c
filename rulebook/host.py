"""Host code as operations of an engine: NumPy arrays in, NumPy arrays out, no derivative of their own.

A `HostCall` is one such operation.  An engine runs it by `Engine.host_call` on whatever values it
has: at once where they are concrete, as a callback in a program that it compiles, by the `batched`
call where they are mapped.  What a batch does and how large results are is the same for all engines and stands here.

A call never sees the values of an engine, and its arguments are read-only.
"""

from __future__ import annotations

import contextvars
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.config import SETTINGS
from rulebook.errors import HigherOrderError, ResultSpecError
from rulebook.tangents import ShapeDtype

if TYPE_CHECKING:
    from rulebook.engine import Engine

__all__ = ["BatchedCall", "HostCall", "Vectorized", "WideCall", "run_each"]

Specs = Sequence[ShapeDtype]
Arrays = Sequence[Any]
Axes = Sequence[int | None]


class HostCall(ABC):
    """NumPy code as one operation of an engine.

    Args:
        what: primal, or the kind of rule, as messages call it.
        name: of the primitive.
        engine: the name of the engine that it runs for.

    Attributes:
        outer: the engine, where there is another form for what is being differentiated.
        keeps: whether it holds on to its operands, which then have to stay what they are; its last result is then what they are kept by.
    """

    keeps = False
    outer: Engine | None = None

    def __init__(self, what: str, name: str, engine: str) -> None:
        self.what = what
        self.name = name
        self.engine = engine

    @abstractmethod
    def run(self, arrays: Arrays) -> list[Any]:
        """The results, NumPy arrays all of them, of NumPy arrays."""

    @abstractmethod
    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """The shapes and dtypes of the results.

        Raises:
            ResultSpecError: they are not known.
        """

    def reads(self, k: int) -> int | None:
        """How many operands, from the first on, the k-th result depends on; None for all."""
        return None

    def pruned(self, n: int) -> tuple[HostCall, int] | None:
        """A call that gives the first n results for less, and of how many operands; None where there is none."""
        return None

    def batched(self, axes: Axes, size: int) -> BatchedCall:
        """The same over a batch axis.

        Args:
            axes: the batch axis of each operand, None where it has none.
            size: the length of the axis.
        """
        return BatchedCall(self, axes, size)

    def direct(self, values: Sequence[Any]) -> list[Any] | None:
        """The results of concrete values of the engine as such values; None where the code wants NumPy arrays."""
        return None

    @property
    def is_linkable(self) -> bool:
        """Whether `linked` gives results."""
        return self.outer is not None

    def linked(self, operands: Sequence[Any]) -> list[Any]:
        """The results by primitives that have rules themselves, for operands that are being differentiated.

        Args:
            operands: values of the engine.

        Raises:
            HigherOrderError: there are no such primitives.
        """
        raise self.no_derivative()

    def no_derivative(self) -> HigherOrderError:
        """The error for a derivative of the call."""
        which = f"{self.what} of {self.name} (engine {self.engine}), which is host code."
        got = f"a derivative of what the {self.what} returns"
        if self.what == "primal":  # a rule calls it on what is differentiated, and there is no rule for that direction
            do = "write the rule for the other direction as well, with rb.xp and without host=True"
            return HigherOrderError(which, "a derivative of the function", got, do)
        do = "write the rule with rb.xp and without host=True: its own derivatives follow from that"
        return HigherOrderError(which, "a derivative of first order", got, do)

    def wrong_result(self, k: int, expected: Any, got: Any, declared: str) -> ResultSpecError:
        """The error for a result of another shape or dtype than was said."""
        convert = f"convert it, .astype({expected.dtype}), or " if tuple(expected.shape) == tuple(got.shape) else ""
        return ResultSpecError(
            f"{self.what} of {self.name} (engine {self.engine}), result {k}.",
            f"shape {tuple(expected.shape)}, {expected.dtype}, {declared}",
            f"shape {tuple(got.shape)}, {got.dtype}",
            f"{convert}let result= say what the function returns",
        )


# -- batches ---------------------------------------------------------------------------------------


class BatchedCall(HostCall):
    """A call over a batch axis, once per example: in a loop or on threads."""

    def __init__(self, inner: HostCall, axes: Axes, size: int) -> None:
        super().__init__(inner.what, inner.name, inner.engine)
        self.keeps, self.outer = inner.keeps, inner.outer
        self.inner = inner
        self.axes = tuple(axes)
        self.size = size

    def pruned(self, n: int) -> tuple[HostCall, int] | None:
        """That of one example, batched."""
        found = self.inner.pruned(n)
        return None if found is None else (found[0].batched(self.axes[: found[1]], self.size), found[1])

    def maps(self, k: int) -> bool:
        """Whether the k-th result has the batch axis, in front."""
        stop = self.inner.reads(k)
        return any(d is not None for d in self.axes[:stop])

    def run(self, arrays: Arrays) -> list[Any]:
        """Each example in turn."""
        front = self._front(arrays)
        if not self.size:
            return self._empty(front)
        found = run_each(self.inner.run, [self._example(front, i) for i in range(self.size)])
        return [np.stack([ys[k] for ys in found]) if self.maps(k) else found[0][k] for k in range(len(found[0]))]

    def _front(self, arrays: Arrays) -> list[Any]:
        """The operands with the batch axis in front."""
        return [a if d is None or d == 0 else np.moveaxis(a, d, 0) for a, d in zip(arrays, self.axes, strict=True)]

    def _example(self, front: Arrays, i: int) -> list[Any]:
        return [a if d is None else np.asarray(a[i]) for a, d in zip(front, self.axes, strict=True)]

    def _empty(self, front: Arrays) -> list[Any]:
        """The results of no example: a result that no operand of the batch goes into is there all the same."""
        zeros = [a if d is None else np.zeros(a.shape[1:], a.dtype) for a, d in zip(front, self.axes, strict=True)]
        specs = self.inner.specs([ShapeDtype(z.shape, z.dtype) for z in zeros])
        maps = [self.maps(k) for k in range(len(specs))]
        one = specs if all(maps) else self.inner.run(zeros)
        return [np.zeros((0, *y.shape), y.dtype) if m else y for y, m in zip(one, maps, strict=True)]

    def inside(self, operands: Specs) -> list[ShapeDtype]:
        """What one example looks like."""
        return [s if d is None else ShapeDtype(s.shape[:d] + s.shape[d + 1 :], s.dtype) for s, d in zip(operands, self.axes, strict=True)]

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of one example, with the axis in front."""
        inner = self.inner.specs(self.inside(operands))
        return [ShapeDtype((self.size, *s.shape), s.dtype) if self.maps(k) else s for k, s in enumerate(inner)]

    def reads(self, k: int) -> int | None:
        """As many as for one example."""
        return self.inner.reads(k)

    def linked(self, operands: Sequence[Any]) -> list[Any]:
        """Those of one example, mapped."""
        if self.outer is None:
            raise self.no_derivative()
        one = lambda *xs: tuple(self.inner.linked(xs))
        ys = self.outer.vmap(one, self.axes)(*operands)
        if all([self.maps(k) for k in range(len(ys))]):
            return list(ys)
        if not self.size:  # what no operand of the batch goes into is there all the same
            examples = [self.outer.spec(x) for x in operands]
            zeros = [self.outer.asarray(np.zeros(s.shape, s.dtype)) for s in self.inside(examples)]
            first = self.inner.linked([x if d is None else z for x, z, d in zip(operands, zeros, self.axes, strict=True)])
        else:
            first = [y[0] for y in ys]
        return [y if self.maps(k) else first[k] for k, y in enumerate(ys)]


class Vectorized(HostCall):
    """A call of code that takes extra leading axes."""

    @abstractmethod
    def wide(self, arrays: Arrays, leads: int) -> list[Any]:
        """The results on so many more leading axes, which every operand has."""

    @abstractmethod
    def learn(self, operands: Specs, ys: Specs) -> None:
        """Remember what the result of one example looks like."""


class WideCall(BatchedCall, Vectorized):
    """A batch in one call."""

    inner: Vectorized

    def __init__(self, inner: Vectorized, axes: Axes, size: int) -> None:
        super().__init__(inner, axes, size)

    def run(self, arrays: Arrays) -> list[Any]:
        """All examples at once."""
        if self.empty:
            return super().run(arrays)
        ys = self.wide(arrays, 0)
        specs = [ShapeDtype(a.shape, a.dtype) for a in arrays]
        self.inner.learn(self.inside(specs), [ShapeDtype(y.shape[1:], y.dtype) for y in ys])
        return ys

    @property
    def empty(self) -> bool:
        """Whether there is no example, so that the function is not called."""
        return not self.size or (isinstance(self.inner, WideCall) and self.inner.empty)

    def wide(self, arrays: Arrays, leads: int) -> list[Any]:
        """The function with the axis of the batch behind the leading ones."""
        wide = [self._spread(a, leads) if d is None else np.moveaxis(a, d + leads, leads) for a, d in zip(arrays, self.axes, strict=True)]
        ys = self.inner.wide(wide, leads + 1)
        shape = wide[0].shape[: leads + 1]
        for k, y in enumerate(ys):
            if y.shape[: leads + 1] != shape:
                raise self.wrong_result(k, ShapeDtype((*shape, *y.shape[leads + 1 :]), y.dtype), y, "as vectorized=True promises")
        return ys

    def _spread(self, array: Any, leads: int) -> Any:
        """An operand that all examples share, with the axis."""
        return np.broadcast_to(np.expand_dims(array, leads), (*array.shape[:leads], self.size, *array.shape[leads:]))

    def learn(self, operands: Specs, ys: Specs) -> None:
        """Remember what a result looks like."""
        self.inner.learn(self.inside(operands), [ShapeDtype(y.shape[1:], y.dtype) for y in ys])

    def batched(self, axes: Axes, size: int) -> BatchedCall:
        """One more leading axis."""
        return WideCall(self, axes, size)


class _Local(threading.local):
    busy = False  # whether this thread runs an example for another one


_local = _Local()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    """The threads of this process: a forked child has none of its parent's."""
    key = os.getpid(), threads
    pool = _pools.get(key)
    if pool is None:
        _pools.clear()
        pool = _pools[key] = ThreadPoolExecutor(threads, "rulebook-host")
    return pool


def run_each(fn: Callable[[Any], Any], examples: Sequence[Any]) -> list[Any]:
    """fn of each example, in order; the first that fails, in that order, raises."""
    threads = min(SETTINGS.host_threads, len(examples))
    if threads < 2 or _local.busy:  # a thread of the pool that waited for the pool could wait for ever
        return [_run_one(fn, example, i) for i, example in enumerate(examples)]
    futures = [
        _pool(SETTINGS.host_threads).submit(contextvars.copy_context().run, _run_busy, fn, example, i) for i, example in enumerate(examples)
    ]
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()


def _run_busy(fn: Callable[[Any], Any], example: Any, i: int) -> Any:
    _local.busy = True
    try:
        return _run_one(fn, example, i)
    finally:
        _local.busy = False


def _run_one(fn: Callable[[Any], Any], example: Any, i: int) -> Any:
    try:
        return fn(example)
    except Exception as error:
        error.add_note(f"In example {i} of a batch.")
        raise
