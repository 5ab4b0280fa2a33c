"""Where a rule is slower than the engine's own tracing, and from how many operations on it is faster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from benchmarks.guide.engines import Way, compared, ways
from benchmarks.measure import Row

ROUNDS = (1, 3, 10, 30)
SIZES = (10, 10_000)


def softplus(x: Any) -> Any:
    """Two operations."""
    xp = rb.xp(x)
    return xp.log1p(xp.exp(x))


def softplus_by_rule() -> Any:
    """The same with its derivative."""
    f = rb.primitive(softplus, name="guide.softplus")

    @rb.scalar_rule(f)
    def _(y: Any, x: Any) -> Any:
        return 1 / (1 + rb.xp(x).exp(-x))

    return f


def kepler(m: Any, e: Any, rounds: int) -> Any:
    """Newton's iteration for E - e sin E = M: 10 operations a round."""
    xp = rb.xp(m, e)
    x = m
    for _ in range(rounds):
        x = x - (x - e * xp.sin(x) - m) / (1 - e * xp.cos(x))
    return x


def kepler_by_rule(rounds: int) -> Any:
    """The same with its two partial derivatives."""
    f = rb.primitive(lambda m, e: kepler(m, e, rounds), name="guide.kepler")

    @rb.scalar_rule(f)
    def _(x: Any, m: Any, e: Any) -> Any:
        xp = rb.xp(x)
        slope = 1 - e * xp.cos(x)
        return 1 / slope, xp.sin(x) / slope

    return f


def _engine(way: Way) -> Iterator[Row]:
    for n in SIZES:
        m, e = way.array(np.linspace(0.1, 3.0, n)), way.array(np.full(n, 0.3))
        f = softplus_by_rule()
        ours, traced = (way.both(lambda x, f=f: f(x).sum(), (m,)) for f in (f, softplus))
        yield compared(way.name, f"softplus of {n}, rule against traced", ours, traced)
        for rounds in ROUNDS:
            f = kepler_by_rule(rounds)
            ours = way.both(lambda m, e: f(m, e).sum(), (m, e))
            traced = way.both(lambda m, e: kepler(m, e, rounds).sum(), (m, e))
            yield compared(way.name, f"kepler of {n}, {rounds} rounds, rule against traced", ours, traced)


def rows() -> list[Row]:
    """Every comparison."""
    return [r for way in ways() for r in _engine(way)]
