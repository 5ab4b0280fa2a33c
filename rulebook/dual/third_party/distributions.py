"""What SciPy keeps to itself for its distributions: densities and distribution functions, beta, binomial and negative binomial.

Each has its derivative by the function itself, so that every order follows; what has no closed form is refused.
Formulas: differentiate the definitions, as in Johnson, Kemp and Kotz, Univariate Discrete Distributions, sections 3.2 and 5.1,
and NIST DLMF 8.17 for the incomplete beta function.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual.elementwise import combine, operand
from rulebook.dual.errors import unsupported
from rulebook.dual.parts import tag_of
from rulebook.dual.registry import UFUNCS

__all__ = ["register"]

Slope = Callable[..., Any]


def _elementwise(ufunc: Any, *slopes: Slope | None) -> None:
    """Register a ufunc: its slope in each argument, of the result and all arguments; None where there is no closed form."""

    def apply(*args: Any) -> Any:
        tag = max(map(tag_of, args))
        below = [operand(x, tag) for x in args]
        y = ufunc(*below)
        terms = []
        for i, (x, slope) in enumerate(zip(args, slopes, strict=True)):
            if tag_of(x) != tag:
                continue
            if slope is None:
                raise unsupported(f"scipy.special.{ufunc.__name__}", f"a derivative in argument {i + 1}", "hold it constant")
            terms.append((slope(y, *below), x))
        return combine(tag, y, terms)

    UFUNCS.setdefault(ufunc, apply)


def _counting(slope: Slope) -> Slope:
    """A slope in the probability; the counts are rounded down, as the distribution functions do."""
    return lambda y, k, n, p: slope(y, np.floor(k), n, p)


def register() -> None:
    """Register those that this SciPy has."""
    sp = importlib.import_module("scipy.special")
    own = importlib.import_module("scipy.special._ufuncs")
    binomial: Any = getattr(own, "_binom_pmf", None)
    negative: Any = getattr(own, "_nbinom_pmf", None)

    def beta_in(first: bool) -> Slope:
        return lambda y, x, a, b: y * (np.log(x if first else 1 - x) - sp.psi(a if first else b) + sp.psi(a + b))

    beta_in_x: Slope = lambda y, x, a, b: y * ((a - 1) / x - (b - 1) / (1 - x))
    binomial_cdf = _counting(lambda y, k, n, p: -np.maximum(n - k, 0.0) / (1 - p) * binomial(k, n, p))
    negative_cdf = _counting(lambda y, k, n, p: (n + k) / p * negative(k, n, p))
    minus: Callable[[Slope], Slope] = lambda slope: lambda *args: -slope(*args)
    table: dict[str, tuple[Slope | None, ...]] = {
        "_beta_pdf": (beta_in_x, beta_in(True), beta_in(False)),
        "_binom_pmf": (None, None, lambda y, k, n, p: y * (k / p - (n - k) / (1 - p))),
        "_binom_cdf": (None, None, binomial_cdf),
        "_binom_sf": (None, None, minus(binomial_cdf)),
        "_nbinom_pmf": (
            None,
            lambda y, k, n, p: y * (sp.psi(k + n) - sp.psi(n) + np.log(p)),
            lambda y, k, n, p: y * (n / p - k / (1 - p)),
        ),
        "_nbinom_cdf": (None, None, negative_cdf),
        "_nbinom_sf": (None, None, minus(negative_cdf)),
    }
    for name, slopes in table.items():
        ufunc = getattr(own, name, None)
        if ufunc is not None:
            _elementwise(ufunc, *slopes)
    inverse = getattr(own, "_beta_ppf", None)
    if inverse is not None:
        UFUNCS.setdefault(inverse, lambda q, a, b: sp.betaincinv(a, b, q))
