"""Host code in a program that torch traces: one operator, whose string says which code.

A graph can hold tensors, numbers and strings; what runs is found by a key.  Graphs outlive processes
(torch.compile caches them on disk, torch.export writes files), so a key holds a number that no other process has.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch

from rulebook.bridges._torch.values import dtype_of, from_host, spec, to_arrays
from rulebook.errors import ResultSpecError, RuleMissingError
from rulebook.host import BatchedCall, HostCall
from rulebook.residuals import RESIDUALS
from rulebook.tangents import ShapeDtype

__all__ = ["call_host", "record"]

Leaves = Sequence[Any]
Check = Callable[[Leaves, Leaves], None]


def call_host(call: HostCall, xs: Leaves, device: torch.device, check: Check | None = None) -> list[Any]:
    """The results of a call on tensors that have numbers, in memory of their own.

    Args:
        call: the host code.
        xs: its arguments.
        device: where the results go.
        check: called with the arguments and results as arrays; the results are then contiguous, as compiled programs want them.
    """
    found = call.direct(xs) if check is None else None
    if found is not None:
        return found
    arrays = to_arrays(xs, copy=call.keeps)  # what it keeps must not change, and compiled programs use memory again
    ys = call.run(arrays)
    if check is not None:
        check(arrays, ys)
    if call.keeps and device.type == "cpu":  # elsewhere the tokens are copied, and live on
        RESIDUALS.hold(ys[-1])
    return from_host(ys, device, contiguous=check is not None)


class UnknownResultError(ResultSpecError, NotImplementedError):
    """A ResultSpecError on which torch.compile breaks the graph, so that the call shows what its result is."""


class _Entry:
    """What a key stands for; graphs that hold it may run at any time, so it stays."""

    def __init__(self, call: HostCall, device: torch.device) -> None:
        self.call = call
        self.device = device
        self._last: tuple[Any, Any] | None = None
        self._looks: dict[Hashable, list[tuple[Any, Any]]] = {}  # shape and dtype of operands -> of results, as graphs were told

    def tell(self, xs: Leaves) -> list[ShapeDtype]:
        """What the results look like.

        Raises:
            UnknownResultError: nobody said, and there was no such call.
        """
        operands = [spec(x) for x in xs]
        try:
            found = self.call.specs(operands)
        except ResultSpecError as error:
            raise UnknownResultError(*error.args) from None
        looks = self._looks.setdefault(tuple(_looks(operands)), _looks(found))
        return [ShapeDtype(*look) for look in looks]

    def run(self, xs: Leaves) -> list[Any]:
        """The results, as they were told."""
        return call_host(self.call, xs, self.device, self._check)

    def _check(self, arrays: Leaves, ys: Leaves) -> None:
        looks = _looks(arrays), _looks(ys)
        if looks == self._last:
            return
        told = self._looks.get(tuple(looks[0]), looks[1])
        for k, (expected, got) in enumerate(zip(told, looks[1], strict=True)):
            if expected != got:
                raise self.call.wrong_result(k, ShapeDtype(*expected), ShapeDtype(*got), "as it was when the program was traced")
        self._last = looks


def _looks(arrays: Leaves) -> list[tuple[Any, Any]]:
    return [(a.shape, a.dtype) for a in arrays]


class _Entries:
    """Entries by key."""

    def __init__(self) -> None:
        self._nonce = secrets.token_hex(8)
        self._count = itertools.count()
        self._found: dict[str, _Entry] = {}
        self._keys: dict[Hashable, str] = {}

    def key(self, call: HostCall, device: torch.device) -> str:
        """The key of a call; the same for the same one."""
        which = (_identity(call), device)
        key = self._keys.get(which)
        if key is None:
            key = f"{call.what} of {call.name}|{self._nonce}.{os.getpid()}.{next(self._count)}"
            self._found[key] = _Entry(call, device)
            key = self._keys.setdefault(which, key)  # no lock, which a fork might find taken
        return key

    def find(self, key: str) -> _Entry:
        """The entry of a key.

        Raises:
            RuleMissingError: another process made the key.
        """
        entry = self._found.get(key)
        if entry is None:
            raise RuleMissingError(
                f"{key.partition('|')[0]} (engine torch), host code in a graph.",
                "a graph that this process has traced, as host code stays in its process",
                "a graph of another process",
                "trace or export again here, or write it with rb.xp and without host=True",
            )
        return entry


def _identity(call: HostCall) -> Hashable:
    """Equal for calls that do the same: a batch is made anew each time."""
    return (type(call), _identity(call.inner), call.axes, call.size) if isinstance(call, BatchedCall) else call


_entries = _Entries()


def _run(key: str, xs: Leaves) -> list[Any]:
    return _entries.find(key).run(xs)


def _fake(key: str, xs: Leaves) -> list[Any]:
    entry = _entries.find(key)
    return [torch.empty(s.shape, dtype=dtype_of(s.dtype), device=_place(entry, xs)) for s in entry.tell(xs)]


def _place(entry: _Entry, xs: Leaves) -> torch.device:
    return xs[0].device if xs[0].device.type == "meta" else entry.device


_library = torch.library.Library("rulebook", "DEF")
_library.define("host(str key, Tensor[] xs) -> Tensor[]", tags=(torch.Tag.cudagraph_unsafe,))
_library.impl("host", _run, "CompositeExplicitAutograd")
torch.library.register_fake("rulebook::host", _fake, lib=_library)


def record(call: HostCall, xs: Leaves, device: torch.device) -> list[Any]:
    """The results of a call as an operator of whatever traces it."""
    key = _entries.key(call, device)
    _entries.find(key).tell(xs)  # here an error needs no log of torch's
    return list(torch.ops.rulebook.host.default(key, list(xs)))
