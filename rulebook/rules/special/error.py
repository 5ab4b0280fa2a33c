"""The error function and its relatives, and the normal distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, several, uniform
from rulebook.rules.special import _faddeeva

__all__ = [
    "dawsn",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfi",
    "erfinv",
    "fresnel",
    "log_ndtr",
    "modfresnelm",
    "modfresnelp",
    "ndtr",
    "ndtri",
    "ndtri_exp",
    "owens_t",
    "voigt_profile",
    "wofz",
]

_C = 2 / math.sqrt(math.pi)
_SQRT2 = math.sqrt(2.0)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_MILLS = math.sqrt(2 / math.pi)

erf: Primitive = elementwise(
    sp.erf,
    lambda xp, y, x: _C * xp.exp(-x * x),
    doc="The error function.  Derivation: y' = 2 / sqrt(pi) exp(-x^2).",
    cases=uniform((-2, 2), holomorphic=True),
)
erfc: Primitive = elementwise(
    sp.erfc,
    lambda xp, y, x: -_C * xp.exp(-x * x),
    doc="1 - erf(x).  Derivation: y' = -2 / sqrt(pi) exp(-x^2).",
    cases=uniform((-2, 2), holomorphic=True),
)
erfi: Primitive = elementwise(
    sp.erfi,
    lambda xp, y, x: _C * xp.exp(x * x),
    doc="-i erf(i x).  Derivation: y' = 2 / sqrt(pi) exp(x^2).",
    cases=uniform((-1.5, 1.5), holomorphic=True),
)
erfinv: Primitive = elementwise(
    sp.erfinv,
    lambda xp, y, x: xp.exp(y * y) / _C,
    doc="The inverse of erf.  Derivation: inverse function, y' = sqrt(pi) / 2 exp(y^2).",
    cases=uniform((-0.9, 0.9)),
    native={"jax": "special.erfinv", "torch": "special.erfinv"},
)
erfcinv: Primitive = elementwise(
    sp.erfcinv,
    lambda xp, y, x: -xp.exp(y * y) / _C,
    doc="The inverse of erfc.  Derivation: inverse function, y' = -sqrt(pi) / 2 exp(y^2).",
    cases=uniform((0.1, 1.9)),
)

# Of w, erfcx and dawsn all derivatives come from one recurrence, and far out from the asymptotic series, as the recurrence cancels.
faddeeva_order: Primitive = elementwise(
    _faddeeva.faddeeva,
    lambda xp, y, z, n: faddeeva_order(z, n=n + 1),
    name="faddeeva_order",
    out=complex,
    cases=[lambda rng: _faddeeva.case(rng.uniform(-2, 2, 3) + 1j * rng.uniform(-1, 2, 3))],
)
erfcx_order: Primitive = elementwise(
    _faddeeva.erfcx,
    lambda xp, y, x, n: erfcx_order(x, n=n + 1),
    name="erfcx_order",
    cases=[lambda rng: _faddeeva.case(rng.uniform(-1, 12, 3))],
)
dawsn_order: Primitive = elementwise(
    _faddeeva.dawsn,
    lambda xp, y, x, n: dawsn_order(x, n=n + 1),
    name="dawsn_order",
    cases=[lambda rng: _faddeeva.case(rng.uniform(-10, 10, 3))],
)
wofz: Primitive = elementwise(
    sp.wofz,
    lambda xp, y, z: faddeeva_order(z, n=1),
    names="z",
    doc="Faddeeva's function w(z) = exp(-z^2) erfc(-i z).  Derivation: w' = -2 z w + 2 i / sqrt(pi) (DLMF 7.10.2), by the asymptotic series"
    " (DLMF 7.12.1) for |z| > 8, where the two terms cancel.",
    cases=uniform((-2, 2), holomorphic=True),
)
erfcx: Primitive = elementwise(
    sp.erfcx,
    lambda xp, y, x: erfcx_order(x, n=1),
    doc="exp(x^2) erfc(x).  Derivation: y' = 2 x y - 2 / sqrt(pi), by the asymptotic series for x > 8, where the two terms cancel.",
    cases=uniform((-1, 4), holomorphic=True),
)
dawsn: Primitive = elementwise(
    sp.dawsn,
    lambda xp, y, x: dawsn_order(x, n=1),
    doc="Dawson's integral.  Derivation: y' = 1 - 2 x y, by the asymptotic series for |x| > 8, where the two terms cancel.",
    cases=uniform((-3, 3), holomorphic=True),
)
ndtr: Primitive = elementwise(
    sp.ndtr,
    lambda xp, y, x: _DENSITY * xp.exp(-0.5 * x * x),
    doc="The normal distribution function.  Derivation: y' = exp(-x^2 / 2) / sqrt(2 pi).",
    cases=uniform((-3, 3), holomorphic=True),
)
log_ndtr: Primitive = elementwise(
    sp.log_ndtr,
    lambda xp, y, x: _MILLS / erfcx(-x / _SQRT2),
    doc="The logarithm of ndtr.  Derivation: y' = phi(x) / Phi(x) = sqrt(2 / pi) / erfcx(-x / sqrt(2)), exact in both tails.",
    cases=uniform((-8, 3), holomorphic=True),
)
ndtri: Primitive = elementwise(
    sp.ndtri,
    lambda xp, x, y: xp.exp(0.5 * x * x) / _DENSITY,
    names="y",
    doc="The inverse of ndtr.  Derivation: inverse function, sqrt(2 pi) exp(x^2 / 2).",
    cases=uniform((0.05, 0.95)),
    native={"jax": "special.ndtri", "torch": "special.ndtri"},
)
ndtri_exp: Primitive = elementwise(
    sp.ndtri_exp,
    lambda xp, x, y: erfcx(-x / _SQRT2) / _MILLS,
    names="y",
    doc="The inverse of log_ndtr.  Derivation: inverse function, erfcx(-x / sqrt(2)) / sqrt(2 / pi).",
    cases=uniform((-8, -0.1)),
)
owens_t: Primitive = elementwise(
    sp.owens_t,
    lambda xp, y, h, a: -_DENSITY / 2 * xp.exp(-0.5 * h * h) * erf(a * h / _SQRT2),
    lambda xp, y, h, a: xp.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
    names="h a",
    doc="Owen's T, the integral over 0 < x < a of exp(-h^2 (1 + x^2) / 2) / (2 pi (1 + x^2)).  Derivation: da is the integrand, "
    "dh = -exp(-h^2 / 2) erf(a h / sqrt(2)) / (2 sqrt(2 pi)).",
    cases=uniform((-2, 2), (-2, 2)),
)


def _voigt(n: int, part: str, factor: float) -> Any:
    """n-th derivatives of w((x + i gamma) / (sigma sqrt(2))) as they enter the partials of the profile."""

    def partial(xp: Any, y: Any, x: Any, sigma: Any, gamma: Any) -> Any:
        width = _SQRT2 * sigma
        w = faddeeva_order((x + 1j * gamma) / width, n=n)
        return factor * _DENSITY * getattr(xp, part)(w) / sigma**2

    return partial


voigt_profile: Primitive = elementwise(
    sp.voigt_profile,
    _voigt(1, "real", 1 / _SQRT2),
    _voigt(2, "real", 0.5),
    _voigt(1, "imag", -1 / _SQRT2),
    names="x sigma gamma",
    doc="The Voigt profile Re w(z) / (sigma sqrt(2 pi)) with z = (x + i gamma) / (sigma sqrt(2)), sigma > 0.  By w' in x and gamma;"
    " the profile solves the heat equation V_sigma = sigma V_xx.",
    cases=uniform((-2, 2), (0.5, 1.5), (0.3, 1.5)),
)
fresnel: Primitive = several(
    sp.fresnel,
    (lambda xp, y, z: xp.sin(math.pi / 2 * z * z),),
    (lambda xp, y, z: xp.cos(math.pi / 2 * z * z),),
    names="z",
    doc="Fresnel's integrals S and C.  Derivation: S' = sin(pi z^2 / 2), C' = cos(pi z^2 / 2).",
    cases=uniform((-1.5, 1.5), holomorphic=True),
)


def _modified(sign: float) -> Any:
    """Rows of the modified Fresnel integrals F and K: F' = -exp(+-i x^2), and K = F exp(-+i (x^2 + pi / 4)) / sqrt(pi)."""
    i = 1j * sign
    return (
        (lambda xp, y, x: -xp.exp(i * x * x),),
        (lambda xp, y, x: -2 * i * x * y[1] - np.exp(-i * math.pi / 4) / math.sqrt(math.pi),),
    )


modfresnelp: Primitive = several(
    sp.modfresnelp,
    *_modified(1.0),
    doc="The modified Fresnel integrals F+ and K+.  Derivation: F' = -exp(i x^2), K = F exp(-i (x^2 + pi / 4)) / sqrt(pi).",
    cases=[lambda rng: (rng.uniform(0.2, 1.5, 3),)],
)
modfresnelm: Primitive = several(
    sp.modfresnelm,
    *_modified(-1.0),
    doc="The modified Fresnel integrals F- and K-.  Derivation: F' = -exp(-i x^2), K = F exp(i (x^2 + pi / 4)) / sqrt(pi).",
    cases=[lambda rng: (rng.uniform(0.2, 1.5, 3),)],
)
