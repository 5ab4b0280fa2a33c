"""What lies behind a difference between a product and the entries: a missing entry, or rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rulebook.operators.sparse import colouring
from rulebook.operators.sparse.detection import Product, chunks, detect, random
from rulebook.operators.sparse.pattern import Index, Pattern
from rulebook.operators.sparse.scheme import indicators

__all__ = ["missing"]

# How often an entry is computed, each time from another direction: rounding differs from time to time.  Of so many roundings of
# arbitrary sign all have the same one in every second of 2**15 cases.
_SAMPLES = 16


def missing(product: Product, known: Pattern, lines: Index, dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """A row and a column where a matrix is other than zero outside of the known pattern; None where it is so by rounding alone.

    Args:
        product: of directions, shape (k, n), with the matrix.
        known: the pattern.
        lines: the rows to look at.
        dtype: of the directions.
    """
    now = detect((product, product), None, known.shape, dtype, lines)
    new = np.flatnonzero(~known.contains(now))
    if not len(new):
        return None
    chosen = np.zeros(known.shape[0], bool)
    chosen[lines] = True
    both = known.of_rows(chosen).joined(now)
    samples = _samples(product, both, now.rows[new], now.cols[new], dtype)
    real = _agree(samples)
    return (int(now.rows[new][real][0]), int(now.cols[new][real][0])) if real.any() else None


def _samples(product: Product, pattern: Pattern, rows: Index, cols: Index, dtype: np.dtype[Any]) -> Any:
    """Some of the entries of a matrix with a pattern, computed many times."""
    rng = np.random.default_rng(4)
    colours = colouring.columns(pattern)
    of = colours[cols]
    found = []
    for _ in range(_SAMPLES):
        numbers = random(rng, pattern.shape[1], dtype)
        sample = np.zeros(len(rows), np.result_type(dtype, np.float64))
        for first, last in chunks(int(colours.max(initial=-1)) + 1, max(pattern.shape)):
            products = product(indicators(colours, first, last, dtype) * numbers)
            e = np.flatnonzero((of >= first) & (of < last))
            sample = sample.astype(np.result_type(sample, products))
            sample[e] = products[of[e] - first, rows[e]] / numbers[cols[e]]
        found.append(sample)
    return np.stack(found)


def _agree(samples: Any) -> npt.NDArray[np.bool_]:
    """Whether the samples of an entry have a digit in common; those of rounding have not even the sign."""
    size = np.abs(samples).min(axis=0)
    return np.asarray((np.abs(samples - samples[0]).max(axis=0) < size) | ~np.isfinite(size))
