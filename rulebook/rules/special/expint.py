"""Exponential, sine and cosine integrals, the dilogarithm, Lambert's W."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, several, uniform
from rulebook.rules.special.elliptic import elliprc
from rulebook.rules.special.spherical import spherical_in, spherical_jn

__all__ = ["exp1", "expi", "expn", "lambertw", "shichi", "sici", "spence", "wrightomega"]

exp1: Primitive = elementwise(
    sp.exp1,
    lambda xp, y, z: -xp.exp(-z) / z,
    names="z",
    doc="E1.  Derivation: y' = -exp(-z) / z.",
    cases=uniform((0.3, 3), holomorphic=True),
)
expi: Primitive = elementwise(
    sp.expi,
    lambda xp, y, x: xp.exp(x) / x,
    doc="Ei.  Derivation: y' = exp(x) / x.",
    cases=uniform((0.3, 3), holomorphic=True),
)
expn: Primitive = elementwise(
    sp.expn,
    "the order is an integer",
    lambda xp, y, n, x: xp.where(xp.equal(n, 0), -y * (1 + 1 / x), -expn(xp.where(xp.equal(n, 0), n, n - 1), x)),
    names="n x",
    doc="E_n, n >= 0.  Derivation: E_n' = -E_(n-1) (DLMF 8.19.13), E_0 = exp(-x) / x.",
    cases=[*uniform(3, (0.3, 3)), lambda rng: (np.array([0, 1, 4]), rng.uniform(0.3, 3, 3))],
)
sici: Primitive = several(
    sp.sici,
    (lambda xp, y, x: spherical_jn(0, x),),
    (lambda xp, y, x: xp.cos(x) / x,),
    doc="Si and Ci.  Derivation: Si' = sin(x) / x, which is j_0, Ci' = cos(x) / x.",
    cases=uniform((0.3, 3), holomorphic=True),
)
shichi: Primitive = several(
    sp.shichi,
    (lambda xp, y, x: spherical_in(0, x),),
    (lambda xp, y, x: xp.cosh(x) / x,),
    doc="Shi and Chi.  Derivation: Shi' = sinh(x) / x, which is i_0, Chi' = cosh(x) / x.",
    cases=uniform((0.3, 3), holomorphic=True),
)
spence: Primitive = elementwise(
    sp.spence,
    lambda xp, y, z: -elliprc(((1 + z) / 2) ** 2, z),
    names="z",
    doc="The dilogarithm Li2(1 - z), the integral of log(t) / (1 - t) from 1 to z.  Derivation: log(z) / (1 - z), which is "
    "-R_C((1 + z)^2 / 4, z) (DLMF 19.2.18), regular at z = 1.",
    cases=uniform((0.3, 3), holomorphic=True),
)


def _lambertw(z: Any, *, k: int = 0, tol: float = 1e-8) -> Any:
    """Lambert's W: w exp(w) = z, complex.

    Args:
        z: an array or number.
        k: the branch, an integer.
        tol: of the iteration, as SciPy's.

    Derivation:
        Inverse function: W' = exp(-W) / (1 + W), regular at z = 0 on the principal branch (DLMF 4.13.4).  Infinite at -1 / e.
    """
    return sp.lambertw(z, k, tol)


lambertw: Primitive = elementwise(
    _lambertw,
    lambda xp, w, z, k, tol: xp.exp(-w) / (1 + w),
    name="lambertw",
    out=complex,
    cases=[*uniform((0.3, 3), holomorphic=True)],
)
wrightomega: Primitive = elementwise(
    sp.wrightomega,
    lambda xp, y, z: y / (1 + y),
    names="z",
    doc="Wright's omega: y + log(y) = z.  Derivation: inverse function, y' = y / (1 + y).",
    cases=uniform((-2, 3), holomorphic=True),
)
