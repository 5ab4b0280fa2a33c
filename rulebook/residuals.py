"""What host rules keep between the two passes of a compiled program, which can carry arrays only.

A program that JAX or torch has compiled cannot hold the closure that an rrule returns: an LU
factor, a trajectory.  It holds a token, and the closure waits here.  A token has no life of its own: a
program may run its backward pass never, once, or many times.  So nothing depends on an entry being here:
who finds it gone starts the rule again.  What was used goes first, then what is oldest.
"""

from __future__ import annotations

import functools
import os
import secrets
import threading
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.config import SETTINGS

__all__ = ["NOBODY", "RESIDUALS", "Residuals", "size_of"]

NOBODY = 0  # what JAX puts in the place of the token of a branch that was not taken; what comes of it is not used
_TOKENS = 2**31 - 2  # JAX without x64 has integers of 32 bits
_SMALL = 64
_UNSEEN = 2**20  # what an object takes whose memory cannot be seen: a factorisation of a C library
_USED = 8  # how many that were used already stay, for a program that pulls more than once


class _Holder(weakref.ref[np.ndarray[Any, Any]]):
    """What tells that an array of tokens was freed."""

    __slots__ = ("tokens",)
    tokens: list[int]


class Residuals:
    """Pullbacks by token, no more of them than fit into `rb.config(host_memory=)`.

    Attributes:
        missed: how many tokens were asked for in vain.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, tuple[Any, Any, int]] = OrderedDict()  # token -> (owner, pullback, bytes)
        self._used: OrderedDict[int, tuple[Any, Any, int]] = OrderedDict()
        self._bytes = 0
        self._next = 1 + secrets.randbelow(_TOKENS)  # a token of another process must not fit
        self.missed = 0
        self._dead: deque[int] = deque()  # tokens that nobody holds any more
        self._holders: dict[int, _Holder] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._used)

    def keep(self, owner: Any, pull: Callable[..., Any], size: int) -> int:
        """A token for a pullback.

        Args:
            owner: what it is a pullback of; it is given to the same owner only.
            pull: the pullback.
            size: the bytes that it keeps alive.
        """
        with self._lock:
            token = self._next
            self._next = token % _TOKENS + 1  # never 0: see NOBODY
            self._waiting[token] = owner, pull, size
            self._bytes += size
            dropped = self._shrink()
        del dropped  # outside the lock: what is freed may run code of its own
        return token

    def find(self, owner: Any, token: int) -> Any:
        """The pullback of a token; None where it is gone."""
        with self._lock:
            entry = self._waiting.get(token) or self._used.get(token)
            if entry is None or entry[0] is not owner:
                self.missed += 1
                return None
            self._waiting.pop(token, None)
            self._used[token] = entry
            self._used.move_to_end(token)
            dropped = self._shrink()
        del dropped
        return entry[1]

    def hold(self, tokens: np.ndarray[Any, Any]) -> None:
        """Forget tokens as soon as the array that holds them is freed; for an engine that passes on this very memory."""
        holder = _Holder(tokens, self._forget)
        holder.tokens = tokens.ravel().tolist()
        self._holders[id(holder)] = holder

    def _forget(self, holder: _Holder) -> None:
        """Called where memory is freed, which may be within this class."""
        self._holders.pop(id(holder), None)
        self._dead.extend(holder.tokens)
        if self._lock.acquire(blocking=False):  # who has the lock sweeps at the next call
            try:
                dropped = self._sweep()
            finally:
                self._lock.release()
            del dropped

    def _sweep(self) -> list[Any]:
        """Drop what nobody can ask for."""
        dropped = []
        while self._dead:
            token = self._dead.popleft()
            entry = self._waiting.pop(token, None) or self._used.pop(token, None)
            if entry is not None:
                self._bytes -= entry[2]
                dropped.append(entry)
        return dropped

    def after_fork(self) -> None:
        """Become the store of a new process: another thread may have held the lock, and tokens are its own."""
        self._lock = threading.Lock()
        self._next = 1 + secrets.randbelow(_TOKENS)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._waiting.clear()
            self._used.clear()
            self._bytes = 0

    def _shrink(self) -> list[Any]:
        """Drop what is too much, but never the newest."""
        dropped = self._sweep()
        while len(self._used) > _USED or (self._bytes > SETTINGS.host_memory and len(self) > 1):
            _, entry = (self._used or self._waiting).popitem(last=False)
            self._bytes -= entry[2]
            dropped.append(entry)
        return dropped


RESIDUALS = Residuals()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=RESIDUALS.after_fork)

_SHARED = ("rulebook.", "numpy")  # forms, rules, functions: all pullbacks share them
_PLAIN = (int, float, complex, str, bytes, np.generic, type, types.ModuleType, type(None))


def size_of(value: Any, depth: int = 4) -> int:
    """About how many bytes a pullback keeps alive: the arrays of its closure, through containers, objects and other functions."""
    if isinstance(value, np.ndarray):
        return value.nbytes if value.base is None else max(value.nbytes, getattr(value.base, "nbytes", 0))
    if not depth or isinstance(value, _PLAIN) or type(value).__module__.startswith(_SHARED):
        return _SMALL
    inside = _inside(value)
    return _UNSEEN if inside is None else _SMALL + sum([size_of(x, depth - 1) for x in inside])


def _inside(value: Any) -> list[Any] | None:
    """What a function, container or object refers to; None where that cannot be seen."""
    if isinstance(value, (tuple, list)):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, types.FunctionType):
        return [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
    if isinstance(value, (types.MethodType, types.BuiltinFunctionType)):
        return [value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    return list(vars(value).values()) if hasattr(value, "__dict__") else None


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # it raises
    except ValueError:
        return False
    return True
