"""Which products give all entries of a sparse derivative, and where among them each entry is."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rulebook.operators.sparse import colouring
from rulebook.operators.sparse.detection import Array, chunks, random
from rulebook.operators.sparse.pattern import Index, Pattern
from rulebook.operators.sparse.sparsity import Sparsity

__all__ = ["Part", "Scheme", "indicators", "scheme_of"]

_SECOND = 2  # what products in a second direction cost beside themselves: the function runs once more


@dataclass(frozen=True)
class Part:
    """Products in one direction, one for each colour.

    Attributes:
        forward: whether J v with directions of columns; else u J with directions of rows.
        colours: of the columns or rows; -1 for those that are left out.
        entries: which entries of the pattern they give; None for all.
        product, place: for each of these, which product has it, and where.
    """

    forward: bool
    colours: Index
    entries: Index | None
    product: Index
    place: Index

    @functools.cached_property
    def count(self) -> int:
        """How many colours there are."""
        return int(self.colours.max(initial=-1)) + 1


@dataclass(frozen=True)
class Scheme:
    """How the entries of a sparse derivative are found.

    Attributes:
        pattern: the places of the entries.
        parts: products that give the entries.
    """

    pattern: Pattern
    parts: tuple[Part, ...]
    _kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def checked(self) -> Pattern:
        """The pattern by the lines that are checked: rows, or columns where the first products are with the transpose."""
        return self.pattern if self.parts[0].forward else self.pattern.transposed

    @property
    def count(self) -> int:
        """How many products there are, without those that check."""
        return sum(part.count for part in self.parts)

    def probe(self, dtype: np.dtype[Any]) -> Array:
        """Random numbers, one for each column or row: the product with them is compared with that of the entries."""
        key = "probe", dtype
        found: Array | None = self._kept.get(key)
        if found is None:
            found = self._kept.setdefault(key, random(np.random.default_rng(1), len(self.parts[0].colours), dtype))
        return found

    @functools.cached_property
    def lines(self) -> tuple[Index, Index, Index]:
        """Of each entry the line that is checked, a row or a column, and its place in it; and how many entries each line has."""
        pattern, forward = self.pattern, self.parts[0].forward
        line, place = (pattern.rows, pattern.cols) if forward else (pattern.cols, pattern.rows)
        return line, place, np.bincount(line, minlength=pattern.shape[0 if forward else 1])

    def seeds(self, dtype: np.dtype[Any]) -> list[list[Array]]:
        """For each part its directions, in so many runs as the products need that are held at once; the first ends with the probe.

        A complex probe comes twice, along 1 and along 1j: a derivative that is linear over the complex numbers is so there.
        """
        found: list[list[Array]] | None = self._kept.get(dtype)
        if found is None:
            probe = self.probe(dtype)
            probes = [probe, 1j * probe] if dtype.kind == "c" else [probe]
            runs = [[indicators(part.colours, *ends, dtype) for ends in self._ends(part)] for part in self.parts]
            runs[0][-1] = np.concatenate([runs[0][-1], np.stack(probes).astype(dtype)])
            found = self._kept.setdefault(dtype, runs)
        return found

    def _ends(self, part: Part) -> Iterator[tuple[int, int]]:
        return chunks(part.count, max(self.pattern.shape)) if part.count else iter([(0, 0)])

    def entries(self, products: list[list[Array]]) -> tuple[Array, Array]:
        """The entries, and the products that check them, from what the seeds gave."""
        joined = [np.concatenate(runs) if len(runs) > 1 else runs[0] for runs in products]
        checks, joined[0] = joined[0][self.parts[0].count :], joined[0][: self.parts[0].count]
        if self.parts[0].entries is None:
            return joined[0][self.parts[0].product, self.parts[0].place], checks
        data = np.zeros(self.pattern.nnz, np.result_type(*joined))
        for part, some in zip(self.parts, joined, strict=True):
            data[part.entries] = some[part.product, part.place]
        return data, checks


def indicators(colours: Index, first: int, last: int, dtype: np.dtype[Any]) -> Array:
    """For each colour from first to last, ones where it is."""
    found = np.zeros((last - first, len(colours)), dtype)
    j = np.flatnonzero((colours >= first) & (colours < last))
    found[colours[j] - first, j] = 1
    return found


def scheme_of(sparsity: Sparsity, pulls: bool, prefers_pull: bool, symmetric: bool) -> Scheme:
    """The scheme with the fewest products, found once for a pattern.

    Args:
        sparsity: the pattern with its colourings; a symmetric one where the derivative is.
        pulls: whether products with the transpose can be had at the cost of one.
        prefers_pull: which of the two is taken where they are as many.
        symmetric: whether the derivative is.
    """
    key = pulls, prefers_pull, symmetric
    found = sparsity.schemes.get(key)
    if found is None:
        found = _choose_symmetric(sparsity, prefers_pull) if symmetric else _choose(sparsity, pulls, prefers_pull)
        sparsity.schemes[key] = found
    chosen: Scheme = found
    return chosen


def _choose(sparsity: Sparsity, pulls: bool, prefers_pull: bool) -> Scheme:
    """For a Jacobian."""
    pattern = sparsity.pattern
    forward = Scheme(pattern, (_part(pattern, sparsity.columns, True),))
    if not pulls:
        return forward
    reverse = Scheme(pattern, (_part(pattern, sparsity.rows, False),))
    first, second = (reverse, forward) if prefers_pull else (forward, reverse)
    best = second if second.count < first.count else first
    for turned in (False, True):
        dense, least = _long(pattern.transposed if turned else pattern)
        if least + _SECOND < best.count:
            both = _split(pattern, dense, turned)
            best = both if both.count + _SECOND < best.count else best
    return best


def _choose_symmetric(sparsity: Sparsity, prefers_pull: bool) -> Scheme:
    """For a Hessian, whose products with rows and columns are the same."""
    pattern, star = sparsity.pattern, sparsity.star
    n, k = pattern.shape[1], int(star.max(initial=-1)) + 1
    if k > int(sparsity.columns.max(initial=-1)):
        return Scheme(pattern, (_part(pattern, sparsity.columns, not prefers_pull),))
    rows, cols = pattern.rows, pattern.cols
    alone = np.bincount(rows * k + star[cols], minlength=n * k)[rows * k + star[cols]] == 1
    product, place = np.where(alone, star[cols], star[rows]), np.where(alone, rows, cols)
    return Scheme(pattern, (Part(not prefers_pull, star, None, product, place),))


def _part(pattern: Pattern, colours: Index, forward: bool, entries: Index | None = None) -> Part:
    """Products for colours of columns, or of rows, that give the entries."""
    chosen = slice(None) if entries is None else entries
    by, at = (pattern.cols[chosen], pattern.rows[chosen]) if forward else (pattern.rows[chosen], pattern.cols[chosen])
    return Part(forward, colours, entries, colours[by], at)


def _long(pattern: Pattern) -> tuple[npt.NDArray[np.bool_], int]:
    """The rows that are cheaper one by one than with all others, and how many products this takes at least."""
    degrees = np.diff(pattern.indptr)
    order = np.argsort(-degrees, kind="stable")
    cost = np.arange(len(degrees) + 1) + np.append(degrees[order], 0)
    chosen = np.zeros(len(degrees), bool)
    chosen[order[: int(np.argmin(cost))]] = True
    return chosen, int(cost.min())


def _split(pattern: Pattern, dense: npt.NDArray[np.bool_], turned: bool) -> Scheme:
    """Long rows in reverse mode and the others in forward mode; `turned`, long columns in forward mode and the others in reverse mode."""
    of_dense = dense[pattern.cols if turned else pattern.rows]
    parts = []
    for chosen, forward in ((np.flatnonzero(~of_dense), not turned), (np.flatnonzero(of_dense), turned)):
        some = Pattern(pattern.rows[chosen], pattern.cols[chosen], pattern.shape)
        parts.append(_part(pattern, colouring.columns(some if forward else some.transposed), forward, chosen))
    return Scheme(pattern, tuple(parts))
