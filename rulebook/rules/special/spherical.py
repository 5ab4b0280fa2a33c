"""Spherical Bessel functions and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise

__all__ = ["spherical_in", "spherical_jn", "spherical_kn", "spherical_yn"]

_ORDER = "the order is an integer"


def _order_of_derivative(function: Callable[..., Any], lower: float, upper: float, n: Any, z: Any, times: int) -> Any:
    """A derivative of any order by f_n' = (lower n f_(n-1) + upper (n + 1) f_(n+1)) / (2 n + 1)."""
    if times == 0:
        return function(n, z)
    if times == 1:
        return function(n, z, derivative=True)
    below = np.where(n == 0, 0.0, n * _order_of_derivative(function, lower, upper, np.maximum(n - 1, 0), z, times - 1))
    return (lower * below + upper * (n + 1) * _order_of_derivative(function, lower, upper, n + 1, z, times - 1)) / (2 * n + 1)


def _pair(name: str, lower: float, upper: float, what: str) -> tuple[Primitive, Primitive]:
    """The primitive of a function of SciPy's arguments, and that of its derivatives of any order."""
    function = getattr(sp, name)

    def derivative(n: Any, z: Any, *, times: int) -> Any:
        return _order_of_derivative(function, lower, upper, np.asarray(n), np.asarray(z), times)

    def plain(n: Any, z: Any, *, derivative: bool = False) -> Any:
        return function(n, z, derivative=derivative)

    plain.__doc__ = f"""The {what} spherical Bessel function of an integer order, or its derivative.

    Args:
        n: the order, integers from 0 on.
        z: an array or number, real or complex.
        derivative: whether the derivative is meant.

    Derivation:
        f_n' = ({lower:+.0f} n f_(n-1) {upper:+.0f} (n + 1) f_(n+1)) / (2 n + 1) (DLMF 10.51), which is regular at 0 where f is.
    """
    orders = elementwise(
        derivative,
        _ORDER,
        lambda xp, y, n, z, times: orders(n, z, times=times + 1),
        name=f"{name}_order",
        cases=[lambda rng: rb.case(np.array([0, 1, 3]), rng.uniform(0.5, 3, 3), times=1)],
    )
    primitive = elementwise(
        plain,
        _ORDER,
        lambda xp, y, n, z, derivative: orders(n, z, times=2 if derivative else 1),
        name=name,
        cases=[
            lambda rng: (np.array([0, 1, 3]), rng.uniform(0.5, 3, 3)),
            lambda rng: rb.case(2, rng.uniform(0.5, 3, 2), derivative=True),
            lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j),
            lambda rng: (1, rng.uniform(0.5, 3, 2).astype(np.float32)),
        ],
    )
    return primitive, orders


spherical_jn, spherical_jn_order = _pair("spherical_jn", 1.0, -1.0, "first")
spherical_yn, spherical_yn_order = _pair("spherical_yn", 1.0, -1.0, "second")
spherical_in, spherical_in_order = _pair("spherical_in", 1.0, 1.0, "first modified")
spherical_kn, spherical_kn_order = _pair("spherical_kn", -1.0, -1.0, "second modified")
