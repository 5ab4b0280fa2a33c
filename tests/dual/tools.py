"""Tangents of a function by dual numbers, and by central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.dual.drivers import seed, split
from rulebook.dual.tags import new_tag


def push(fn: Callable[..., Any], args: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """The leaves of fn(*args) and their k stacked tangents, in one pass; a tangent may be None."""
    tag = new_tag()
    k = next(len(t) for t in tangents if t is not None)
    ys, _ = trees.flatten(fn(*(x if t is None else seed(x, t, tag) for x, t in zip(args, tangents, strict=True))))
    pairs = [split(y, tag, k) for y in ys]
    return [p for p, _ in pairs], [t for _, t in pairs]


def differences(fn: Callable[..., Any], args: tuple[Any, ...], tangents: tuple[Any, ...], step: float = 1e-6) -> list[Any]:
    """The same tangents by central differences."""
    k = next(len(t) for t in tangents if t is not None)
    columns = []
    for i in range(k):
        ends = [[x if t is None else x + s * step * t[i] for x, t in zip(args, tangents, strict=True)] for s in (1, -1)]
        above, below = (trees.flatten(fn(*end))[0] for end in ends)
        columns.append([_slope(np.asarray(a), np.asarray(b), 2 * step) for a, b in zip(above, below, strict=True)])
    return [np.stack(some) for some in zip(*columns, strict=True)]


def _slope(above: Any, below: Any, width: float) -> Any:
    """Zero for what is no float."""
    return (above - below) / width if above.dtype.kind in "fc" else np.zeros(above.shape)


def random_tangents(rng: np.random.Generator, args: tuple[Any, ...], k: int) -> tuple[Any, ...]:
    """k tangents for each floating argument."""
    made: list[Any] = []
    for x in args:
        x = np.asarray(x)
        t = rng.normal(size=(k, *x.shape))
        made.append(None if x.dtype.kind not in "fc" else t + 1j * rng.normal(size=t.shape) if x.dtype.kind == "c" else t)
    return tuple(made)


def check(fn: Callable[..., Any], *args: Any, k: int = 3, second: bool = True, tol: float = 1e-6) -> None:
    """Values, first tangents (all arguments, and each alone) and second ones agree with central differences."""
    rng = np.random.default_rng(3)
    args = tuple(np.asarray(x) if isinstance(x, (list, float, complex)) else x for x in args)
    plain = [np.asarray(y) for y in trees.flatten(fn(*args))[0]]
    every = random_tangents(rng, args, k)
    alone = [tuple(t if i == j else None for j, t in enumerate(every)) for i in range(len(args)) if len(args) > 1 and every[i] is not None]
    for tangents in [every, *alone]:
        ys, found = push(fn, args, tangents)
        for y, expected in zip(ys, plain, strict=True):
            np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
            assert y.shape == expected.shape and y.dtype == expected.dtype, (y.dtype, expected.dtype)
        for t, y, expected in zip(found, plain, differences(fn, args, tangents), strict=True):
            if y.dtype.kind in "fc":
                assert t.shape == (k, *y.shape)
                np.testing.assert_allclose(t, expected, rtol=tol, atol=tol)
    if second:
        _check_second(fn, args, every, random_tangents(rng, args, 2), tol)


def _check_second(fn: Callable[..., Any], args: tuple[Any, ...], inner: tuple[Any, ...], outer: tuple[Any, ...], tol: float) -> None:
    def first(*xs: Any) -> Any:
        return tuple(t for t in push(fn, xs, inner)[1] if t is not None)

    _, found = push(first, args, outer)
    for t, expected in zip(found, differences(first, args, outer), strict=True):
        np.testing.assert_allclose(t, expected, rtol=100 * tol, atol=100 * tol)
