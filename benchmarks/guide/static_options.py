"""What a static costs: a new value of it, a value that was seen, and a function that is made at each call."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.guide.engines import Way, compared, ways
from benchmarks.measure import Row


def _power() -> Any:
    f = rb.primitive(lambda x, *, p=2: x**p, name="guide.power")

    @rb.pullback(f)
    def _(y: Any, primals: Any, y_bar: Any, *, p: int) -> Any:
        return (p * primals[0] ** (p - 1) * y_bar,)

    @rb.pushforward(f)
    def _(y: Any, primals: Any, tangents: Any, *, p: int) -> Any:
        return p * primals[0] ** (p - 1) * tangents[0]

    return f


def _mapped() -> Any:
    f = rb.primitive(lambda x, *, fn: fn(x), name="guide.mapped")

    @rb.pullback(f)
    def _(y: Any, primals: Any, y_bar: Any, *, fn: Any) -> Any:
        return rb.vjp(fn, *primals)[1](y_bar)

    @rb.pushforward(f)
    def _(y: Any, primals: Any, tangents: Any, *, fn: Any) -> Any:
        return rb.jvp(fn, primals, tangents)[1]

    return f


def _square(x: Any) -> Any:
    return x * x


def _options(way: Way) -> Iterator[Row]:
    f, mapped, x = _power(), _mapped(), way.array(np.linspace(1.0, 2.0, 10))
    fresh = itertools.count(3)
    seen = way.both(lambda x: f(x, p=2).sum(), (x,))
    new = lambda: way.both(lambda x: f(x, p=next(fresh)).sum(), (x,))()
    yield compared(way.name, "a value that is new, against one that was seen", new, seen, rounds=15)
    if way.name == "jax jit":
        return  # compiled code has its options in it
    kept = way.both(lambda x: mapped(x, fn=_square).sum(), (x,))
    made = lambda: way.both(lambda x: mapped(x, fn=lambda v: v * v).sum(), (x,))()
    yield compared(way.name, "a lambda in the call, against a function", made, kept, rounds=15)


def rows() -> list[Row]:
    """Every comparison."""
    return [r for way in [*ways(), *ways(jit=False)[:1]] for r in _options(way)]
