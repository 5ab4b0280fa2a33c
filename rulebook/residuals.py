"""What host rules keep between the two passes of a compiled program, which can carry arrays only.

A program that JAX or torch has compiled cannot hold the closure that an rrule returns: an LU
factor, a trajectory.  It holds a token, and the closure waits here.  A token has no life of its own: a
program may run its backward pass never, once, or many times.  So nothing depends on an entry being here:
who finds it gone starts the rule again.  What was used goes first, then what is oldest.
"""

from __future__ import annotations

import secrets
import threading
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.config import SETTINGS

__all__ = ["RESIDUALS", "Residuals", "size_of"]

_TOKENS = 2**31 - 1  # JAX without x64 has integers of 32 bits
_UNSEEN = 2**20  # what an object takes whose memory cannot be seen: a factorisation of a C library
_USED = 8  # how many that were used already stay, for a program that pulls more than once


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
        self._next = secrets.randbelow(_TOKENS)  # a token of another process must not fit
        self.missed = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._used)

    def keep(self, owner: Any, pull: Callable[..., Any]) -> int:
        """A token for a pullback.

        Args:
            owner: what it is a pullback of; it is given to the same owner only.
            pull: the pullback.
        """
        size = size_of(pull)
        with self._lock:
            token = self._next
            self._next = (token + 1) % _TOKENS
            self._waiting[token] = owner, pull, size
            self._bytes += size
            dropped = self._shrink()
        del dropped  # outside the lock: what is freed may run code of its own
        return token

    def find(self, owner: Any, token: int) -> Any:
        """The pullback of a token; None where it is gone."""
        with self._lock:
            entry = self._waiting.pop(token, None) or self._used.pop(token, None)
            if entry is None or entry[0] is not owner:
                self.missed += 1
                return None
            self._used[token] = entry
            dropped = self._shrink()
        del dropped
        return entry[1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._waiting.clear()
            self._used.clear()
            self._bytes = 0

    def _shrink(self) -> list[Any]:
        """Drop what is too much, but never the newest."""
        dropped = []
        while len(self._used) > _USED:
            dropped.append(self._used.popitem(last=False))
        while self._bytes - sum(e[1][2] for e in dropped) > SETTINGS.host_memory and len(self) > 1:
            dropped.append((self._used or self._waiting).popitem(last=False))
        self._bytes -= sum(e[1][2] for e in dropped)
        return dropped


RESIDUALS = Residuals()


def size_of(fn: Any, depth: int = 4) -> int:
    """About how many bytes a function keeps alive: the arrays of its closure, through containers and other functions."""
    if isinstance(fn, np.ndarray):
        return fn.nbytes
    if fn is None or isinstance(fn, (int, float, complex, str, bytes, np.generic, type)) or depth == 0:
        return 64
    if isinstance(fn, (tuple, list)):
        return sum(size_of(x, depth - 1) for x in fn)
    if isinstance(fn, dict):
        return sum(size_of(x, depth - 1) for x in fn.values())
    if isinstance(fn, types.FunctionType):
        return sum((size_of(cell.cell_contents, depth - 1) for cell in fn.__closure__ or ()), 64)
    return 64 if isinstance(fn, types.BuiltinFunctionType) else _UNSEEN
