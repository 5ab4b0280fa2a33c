"""Colourings: which columns, rows or both of a sparse matrix share one direction.

A set of colours already used beside a row is one whole number of Python, a bit per colour, so that a
greedy colouring takes one operation per entry, however many colours there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from rulebook.operators.sparse.pattern import Index, Pattern

__all__ = ["columns", "star"]


def columns(pattern: Pattern) -> Index:
    """A colour for each column, such that no row has two entries in columns of one colour; -1 for a column without entries.

    The better of two greedy colourings: as the columns stand, which is optimal for bands, and those with
    many entries first.
    """
    beside = pattern.transposed.lists()
    return _fewest(beside, lambda order: _columns(order, beside, pattern.shape[0]), _least(pattern))


def star(pattern: Pattern) -> Index:
    """A colour for each column of a symmetric matrix, such that each entry, or the one opposite, is alone in its row among its colour.

    A star colouring of the graph: neighbours differ, and every path of four has three colours at least
    (T. Coleman and J. More, Estimation of sparse Hessian matrices and graph coloring problems, 1984).
    """
    off = pattern.rows != pattern.cols
    graph = Pattern(pattern.rows[off], pattern.cols[off], pattern.shape)
    beside = graph.lists()
    found = _fewest(beside, lambda order: _star(order, beside), 2 if graph.nnz else 1)
    found[np.setdiff1d(np.arange(pattern.shape[1]), pattern.cols)] = -1
    return found


def _least(pattern: Pattern) -> int:
    """Columns that share a row differ in colour: fewer colours than this there cannot be."""
    return int(np.diff(pattern.indptr).max(initial=0))


def _fewest(beside: list[list[int]], colour: Callable[[Iterable[int]], list[int]], least: int) -> Index:
    found = colour(range(len(beside)))
    if max(found, default=-1) + 1 > least:
        degree = [len(some) for some in beside]
        other = colour(sorted(range(len(beside)), key=degree.__getitem__, reverse=True))
        found = min(found, other, key=lambda colours: max(colours, default=-1))
    return np.asarray(found, np.int64)


def _columns(order: Iterable[int], rows_of: list[list[int]], m: int) -> list[int]:
    used = [0] * m  # the colours that each row has seen
    colours = [-1] * len(rows_of)
    for j in order:
        if not rows_of[j]:
            continue
        seen = 0
        for i in rows_of[j]:
            seen |= used[i]
        bit = ~seen & (seen + 1)  # the lowest that is not in it
        for i in rows_of[j]:
            used[i] |= bit
        colours[j] = bit.bit_length() - 1
    return colours


def _star(order: Iterable[int], beside: list[list[int]]) -> list[int]:
    once, twice = [0] * len(beside), [0] * len(beside)  # the colours that neighbours have, and those that two of them have
    bits = [0] * len(beside)
    for v in order:
        bit = _free(v, beside, bits, once, twice)
        bits[v] = bit
        for w in beside[v]:
            twice[w] |= once[w] & bit
            once[w] |= bit
    return [bit.bit_length() - 1 for bit in bits]


def _free(v: int, beside: list[list[int]], bits: list[int], once: list[int], twice: list[int]) -> int:
    """The lowest colour of v that leaves no path of four with two colours."""
    seen = once[v]
    for w in beside[v]:
        bit = bits[w]
        if not bit:
            continue
        if twice[v] & bit:  # v inside, between w and another of its colour: nothing beyond w is like v
            seen |= once[w]
            continue
        for x in beside[w]:  # v at the end: not like x, where a neighbour of x other than w is like w
            if twice[x] & bit:
                seen |= bits[x]
    return ~seen & (seen + 1)
