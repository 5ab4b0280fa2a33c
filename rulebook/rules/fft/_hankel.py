"""The fast Hankel transform, which is its own transpose."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._stacked import linear

__all__ = ["hankel"]


def _case(n: int, **static: Any) -> Any:
    return lambda rng: rb.case(rng.normal(size=n), **{"offset": 0.0, "bias": 0.0, "inverse": False, **static})


@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda a, **_: rb.ShapeDtype(a.shape, np.float64),
    cases=[
        _case(4, dln=0.3, mu=0.5),
        _case(5, dln=0.2, mu=1.0, offset=0.1, bias=0.2),
        _case(4, dln=0.3, mu=0.0, offset=-0.2, inverse=True),
    ],
)
def hankel(a: Any, *, dln: float, mu: float, offset: float, bias: float, inverse: bool) -> Any:
    """The Hankel transform of a function on a logarithmic grid, along the last axis.

    Args:
        a: array of shape (..., n), real.
        dln, mu, offset, bias: as in scipy.fft.fht.
        inverse: the inverse transform.

    Returns:
        An array of shape (..., n).

    Derivation:
        A. J. S. Hamilton, Uncorrelated modes of the non-linear power spectrum, MNRAS 312 (2000), appendix B: the transform is
        y = e P J C P a with the bias P (diagonal), a circulant matrix C, the reversal J and a number e.  As J C J = C^T for a circulant
        matrix, (J C)^T = C^T J = J C is symmetric, and so is the whole.

    Example:
        >>> hankel(np.ones(4), dln=0.5, mu=0.5, offset=0.0, bias=0.0, inverse=False).round(3)
        array([1., 1., 1., 1.])
    """
    fft = importlib.import_module("scipy.fft")
    return (fft.ifht if inverse else fft.fht)(np.asarray(a, float), dln, mu, offset, bias)


linear(hankel)


@rb.transpose(hankel)
def _(y_bar: Any, a: Any, **static: Any) -> Any:
    return (hankel(y_bar, **static),)
