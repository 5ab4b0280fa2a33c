"""The pattern of a derivative, found from products with it: from blocks of columns to columns.

A product with random numbers in a block of columns is zero in a row exactly where the row is zero in the
block (A. Griewank and C. Mitev, Detecting Jacobian sparsity patterns by Bayesian probing, 2002); blocks that
meet in no row share a product.  Each level splits the blocks in four, so that a pattern of few colours costs a few
products a level, whatever the size.  Nothing has to be known of the function: the derivative itself is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rulebook.operators.sparse import colouring
from rulebook.operators.sparse.pattern import Index, Pattern

__all__ = ["Array", "Product", "chunks", "detect", "random"]

Array = npt.NDArray[Any]
Product = Callable[[Array], Array]  # k directions, shape (k, n), to k products, shape (k, m)

_PARTS = 4  # into which a block is split: as many products as halving twice, in half as many runs of the function
_NUMBERS = 1 << 22  # of products held at once


def detect(
    forward: Sequence[Product],
    reverse: Sequence[Product] | None,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    rows: Index | None = None,
) -> Pattern:
    """Where any of several matrices, of which products are known, is other than zero.

    Args:
        forward: products of directions, shape (k, n), with each of the matrices; two at least, which may be the same: each sees other
            random numbers, and a sum that is zero by accident is so once.
        reverse: of directions of shape (k, m) with their transposes, if these can be had at the cost of `forward`; rows with many
            entries are found one by one then.
        shape: of the matrices.
        dtype: of the directions.
        rows: which to look at; all by default.

    A product that is infinite or undefined counts as other than zero.
    """
    rng = np.random.default_rng(0)
    m, n = shape
    if not m or not n:
        return Pattern([], [], shape)
    width = _PARTS ** max(1, int(np.ceil(np.log(n) / np.log(_PARTS))))
    rows = np.arange(m) if rows is None else rows
    found = Pattern.ordered(rows, np.zeros(len(rows), np.int64), (m, 1))  # one block holds all columns
    single = np.zeros(m, bool)
    while width > 1:
        if reverse is not None:
            single |= _costly(found)
            found = found.of_rows(~single)
        width //= _PARTS
        found = _split(forward, found, n, width, dtype, rng)
    i, j = _rows(reverse or (), np.flatnonzero(single), shape, dtype)
    return Pattern(np.append(found.rows, i), np.append(found.cols, j), shape)


def _costly(found: Pattern) -> npt.NDArray[np.bool_]:
    """The rows that are cheaper one by one, a product each: the others need as many as the longest of them, in parts, at least."""
    degrees = np.diff(found.indptr)
    order = np.argsort(-degrees, kind="stable")
    cost = np.arange(len(degrees) + 1) + _PARTS * np.append(degrees[order], 0)
    chosen = np.zeros(len(degrees), bool)
    chosen[order[: int(np.argmin(cost))]] = True
    return chosen


def _split(forward: Sequence[Product], found: Pattern, n: int, width: int, dtype: np.dtype[Any], rng: np.random.Generator) -> Pattern:
    """The pattern of blocks of `width` columns, from that of blocks of which each is `_PARTS` of them."""
    part = np.arange(n) // width
    colours = colouring.columns(found.without_repetitions())
    of = colours[found.cols]
    hits = np.zeros((found.nnz, _PARTS), bool)
    for product in forward:
        numbers = random(rng, n, dtype)
        for first, last in chunks(int(colours.max(initial=-1)) + 1, _PARTS * max(found.shape[0], n)):
            products = product(_seeds(part, colours, first, last, numbers))
            e = np.flatnonzero((of >= first) & (of < last))
            hits[e] |= products[(of[e, None] - first) * _PARTS + np.arange(_PARTS), found.rows[e, None]] != 0
    hits &= (found.cols[:, None] * _PARTS + np.arange(_PARTS)) * width < n  # no columns are no entry, also beside a NaN
    e, k = np.nonzero(hits)
    return Pattern.ordered(found.rows[e], found.cols[e] * _PARTS + k, (found.shape[0], found.shape[1] * _PARTS))


def chunks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """0 to n in steps of so many products of `size` numbers as are held at once."""
    step = max(1, _NUMBERS // max(size, 1))
    for first in range(0, n, step):
        yield first, min(first + step, n)


def _seeds(part: Index, colours: Index, first: int, last: int, numbers: Array) -> Array:
    """For each colour and each part of a block, a direction with random numbers in that part of the blocks of the colour."""
    seeds = np.zeros(((last - first) * _PARTS, len(part)), numbers.dtype)
    colour = colours[part // _PARTS]
    j = np.flatnonzero((colour >= first) & (colour < last))
    seeds[(colour[j] - first) * _PARTS + part[j] % _PARTS, j] = numbers[j]
    return seeds


def _rows(reverse: Sequence[Product], single: Index, shape: tuple[int, int], dtype: np.dtype[Any]) -> tuple[Index, Index]:
    """The entries of single rows."""
    rows, cols = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for first, last in chunks(len(single), max(shape)):
        seeds = np.zeros((last - first, shape[0]), dtype)
        seeds[np.arange(last - first), single[first:last]] = 1
        for product in reverse:
            k, j = np.nonzero(product(seeds))
            rows.append(single[first:last][k])
            cols.append(j)
    return np.concatenate(rows), np.concatenate(cols)


def random(rng: np.random.Generator, n: int, dtype: np.dtype[Any]) -> Array:
    """Numbers between 1 and 2 with random signs."""
    found: Array = (rng.uniform(1, 2, n) * rng.choice([-1, 1], n)).astype(dtype)
    return found
