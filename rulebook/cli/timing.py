"""Times and counts of one call in every engine, measured by turns so that what disturbs one disturbs all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.primitive import Primitive
from rulebook.testing.points import Source
from rulebook.testing.timing.measure import Thunk, interleaved

__all__ = ["Call", "Row", "calls_of", "measure"]


@dataclass
class Row:
    """What one engine takes for one case.

    Attributes:
        primitive, case, engine: which.
        primal, forward, reverse: seconds of the function in NumPy, of `rb.jvp`, and of `rb.vjp` with its pullback.
        forward_calls, reverse_calls: how often each called the function; None where that cannot be seen.
        refusals: direction -> why there is no time for it.
    """

    primitive: str
    case: int
    engine: str
    primal: float | None = None
    forward: float | None = None
    reverse: float | None = None
    forward_calls: int | None = None
    reverse_calls: int | None = None
    refusals: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The value with its gradient, in times of the function."""
        return self.reverse / self.primal if self.reverse and self.primal else None


class Call:
    """One case of a primitive as something to time.

    Args:
        p: the primitive.
        number: of the case.
        seed: of the point, where the case draws one.
    """

    def __init__(self, p: Primitive, number: int, seed: int) -> None:
        point = Source(number, p.cases[number], p.signature, seed).point(0)
        self.p = p
        self.args, self._statics = point.args, point.statics

    def primal(self, *args: Any) -> Any:
        """The primitive with the statics of the case."""
        return self.p(*(args or self.args), **self._statics)

    def forward(self, engine: str) -> Thunk:
        """`rb.jvp` along ones."""
        tangents = tuple(_ones(x) for x in self.args)
        return lambda: rb.jvp(self.primal, self.args, tangents, engine=engine)

    def reverse(self, engine: str) -> Thunk:
        """`rb.vjp` and its pullback of ones."""

        def run() -> Any:
            y, pullback = rb.vjp(self.primal, *self.args, engine=engine)
            return pullback(_ones(y))

        return run


def _ones(tree: Any) -> Any:
    """Ones where a value has tangents, None elsewhere."""
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([_one(leaf) for leaf in leaves]))


def _one(leaf: Any) -> Any:
    kind = np.asarray(leaf).dtype if isinstance(leaf, np.ndarray | np.generic | float | complex) else np.dtype(object)
    return np.ones_like(leaf, dtype=kind) if kind.kind in "fc" else None


def measure(name: str, p: Primitive, number: int, engines: Sequence[str], seed: int, seconds: float) -> list[Row]:
    """One row per engine, timed by turns.

    Args:
        name: of the primitive, in the rows.
        p: the primitive.
        number: of its case.
        engines: their names.
        seed: of the point.
        seconds: about how long to time.
    """
    call = Call(p, number, seed)
    rows = [Row(name, number, engine) for engine in engines]
    thunks: dict[tuple[str, str], Thunk] = {}
    for row in rows:
        for direction, thunk in (("forward", call.forward(row.engine)), ("reverse", call.reverse(row.engine))):
            refusal = _refusal(thunk)
            if refusal:
                row.refusals[direction] = refusal
            else:
                thunks[row.engine, direction] = thunk
                setattr(row, f"{direction}_calls", calls_of(p.fn, thunk))
    times = {key: found.median for key, found in interleaved({("", "primal"): call.primal, **thunks}, seconds).items()}
    for row in rows:
        row.primal = times["", "primal"]
        row.forward, row.reverse = times.get((row.engine, "forward")), times.get((row.engine, "reverse"))
    return rows


def _refusal(thunk: Thunk) -> str:
    """Why a call fails, in one line; "" where it does not.  Being the first call, it also compiles what is compiled."""
    try:
        thunk()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def calls_of(fn: Callable[..., Any], thunk: Thunk) -> int | None:
    """How often a call runs a Python function; None for a function that is not written in Python.

    Example:
        >>> def f(x): return x
        >>> calls_of(f, lambda: [f(1), f(2)])
        2
    """
    code = getattr(fn, "__code__", None)
    if code is None:
        return None
    calls = 0

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code is code

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        thunk()
    finally:
        sys.setprofile(before)
    return calls
