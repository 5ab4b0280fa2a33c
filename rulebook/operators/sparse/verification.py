"""Whether a pattern holds all entries of a derivative: a product with random numbers tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rulebook.operators.sparse.detection import Array
from rulebook.operators.sparse.scheme import Scheme

__all__ = ["Verdict", "verify"]

Lines = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Verdict:
    """What the products that check say of each line: of each row, or of each column where they are products with the transpose.

    Attributes:
        differs: whether more than rounding lies between the product and the entries.
        unknown: whether one of both is not finite.
        holomorphic: whether products are linear over the complex numbers, where x is complex.
        line: of each entry.
    """

    differs: Lines
    unknown: Lines
    holomorphic: bool
    line: npt.NDArray[np.int64]


def verify(scheme: Scheme, data: Array, checks: Any, dtype: np.dtype[Any]) -> Verdict:
    """Compare the product of the entries with random numbers with that of the derivative.

    Args:
        scheme: how the entries were found.
        data: the entries.
        checks: the product with the probe, and for complex x that with it times 1j.
        dtype: of x.
    """
    line, place, count = scheme.lines
    n = len(count)
    wide: Any = data.astype(np.result_type(data, np.float64), copy=False)
    with np.errstate(invalid="ignore", over="ignore"):
        terms = wide * scheme.probe(dtype)[place]
        size = np.bincount(line, np.abs(terms), n)
        difference = np.abs(checks[0] - _sums(line, terms, n))
        info = np.finfo(data.dtype)
        # Each term of the sum is rounded; and so are, one after the other, the operations on what the terms have made together in the
        # function.  A quarter of the digits holds them; what differs by more is looked into, and not taken for an error yet.
        rounding = (count + float(info.eps) ** -0.25) * (info.eps * size + info.smallest_normal)
        unknown = ~np.isfinite(difference)
        skew = np.abs(checks[-1] - 1j * checks[0]) if dtype.kind == "c" else np.zeros(n)
    # a function that is not holomorphic is wrong in the leading digits
    linear = bool((skew <= np.sqrt(info.eps) * size + rounding)[~unknown].all())
    return Verdict((difference > rounding) & ~unknown, unknown, linear, line)


def _sums(line: Any, terms: Any, n: int) -> Any:
    if terms.dtype.kind == "c":
        return np.bincount(line, terms.real, n) + 1j * np.bincount(line, terms.imag, n)
    return np.bincount(line, terms, n)
