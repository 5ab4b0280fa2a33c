"""Airy functions, functions of Kelvin and Struve, and integrals of Bessel functions."""

from __future__ import annotations

import math
from typing import Any

import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, several, uniform, unwritten
from rulebook.rules.special._zeta import is_complex
from rulebook.rules.special.bessel import i0, j0, k0, y0
from rulebook.rules.special.gamma import rgamma

__all__ = [
    "airy",
    "airye",
    "bei",
    "beip",
    "ber",
    "berp",
    "itairy",
    "iti0k0",
    "itj0y0",
    "itmodstruve0",
    "itstruve0",
    "kei",
    "keip",
    "ker",
    "kerp",
    "modstruve",
    "struve",
]

airy: Primitive = several(
    sp.airy,
    (lambda xp, y, z: y[1],),
    (lambda xp, y, z: z * y[0],),
    (lambda xp, y, z: y[3],),
    (lambda xp, y, z: z * y[2],),
    names="z",
    doc="Ai, Ai', Bi and Bi'.  Derivation: w'' = z w (DLMF 9.2.1).",
    cases=uniform((-3, 2), holomorphic=True),
)


def _scaled_bi(row: Any) -> Any:
    """Bi is scaled by a modulus: real arguments only.  For z < 0 the scale is 1."""

    def partial(xp: Any, y: Any, z: Any) -> Any:
        if is_complex(z):
            raise unwritten("rulebook.rules.special.airye", "z", "the scaling of Bi by a modulus is not holomorphic: use airy, or real z")
        root = xp.sqrt(xp.where(z > 0, z, 1.0))
        return row(y, z, xp.where(z > 0, root, 0.0))

    return partial


airye: Primitive = several(
    sp.airye,
    (lambda xp, y, z: y[1] + xp.sqrt(z) * y[0],),
    (lambda xp, y, z: z * y[0] + xp.sqrt(z) * y[1],),
    (_scaled_bi(lambda y, z, root: y[3] - root * y[2]),),
    (_scaled_bi(lambda y, z, root: z * y[2] - root * y[3]),),
    names="z",
    doc="Ai and Ai' times exp(2/3 z^(3/2)), Bi and Bi' times exp(-|Re 2/3 z^(3/2)|).  Derivation: w'' = z w and the scale's sqrt(z).",
    cases=uniform((0.3, 3)),
)

ber: Primitive = elementwise(sp.ber, lambda xp, y, x: berp(x), doc="Kelvin's ber.  Derivation: berp.", cases=uniform((0.5, 4)))
bei: Primitive = elementwise(sp.bei, lambda xp, y, x: beip(x), doc="Kelvin's bei.  Derivation: beip.", cases=uniform((0.5, 4)))
ker: Primitive = elementwise(sp.ker, lambda xp, y, x: kerp(x), doc="Kelvin's ker.  Derivation: kerp.", cases=uniform((0.5, 4)))
kei: Primitive = elementwise(sp.kei, lambda xp, y, x: keip(x), doc="Kelvin's kei.  Derivation: keip.", cases=uniform((0.5, 4)))
_KELVIN = "  Derivation: x^2 w'' + x w' = i x^2 w for w = {0} (DLMF 10.61.3); NaN at 0."
berp: Primitive = elementwise(
    sp.berp, lambda xp, y, x: -bei(x) - y / x, doc="ber'." + _KELVIN.format("ber + i bei"), cases=uniform((0.5, 4))
)
beip: Primitive = elementwise(
    sp.beip, lambda xp, y, x: ber(x) - y / x, doc="bei'." + _KELVIN.format("ber + i bei"), cases=uniform((0.5, 4))
)
kerp: Primitive = elementwise(
    sp.kerp, lambda xp, y, x: -kei(x) - y / x, doc="ker'." + _KELVIN.format("ker + i kei"), cases=uniform((0.5, 4))
)
keip: Primitive = elementwise(
    sp.keip, lambda xp, y, x: ker(x) - y / x, doc="kei'." + _KELVIN.format("ker + i kei"), cases=uniform((0.5, 4))
)

_ORDER = "the derivative of a Struve function with respect to the order has no closed form"


def _inhomogeneity(xp: Any, v: Any, x: Any) -> Any:
    """(x / 2)^v / (sqrt(pi) Gamma(v + 3/2))."""
    return (x / 2) ** v * rgamma(v + 1.5 * xp.ones_like(x)) / math.sqrt(math.pi)


struve: Primitive = elementwise(
    sp.struve,
    _ORDER,
    lambda xp, y, v, x: (struve(v - 1, x) - struve(v + 1, x) + _inhomogeneity(xp, v, x)) / 2,
    names="v x",
    doc="Struve's H_v(x).  Derivation: (H_(v-1) - H_(v+1) + (x / 2)^v / (sqrt(pi) Gamma(v + 3/2))) / 2 (DLMF 11.4.24).",
    cases=uniform(1, (0.5, 4)),
)
modstruve: Primitive = elementwise(
    sp.modstruve,
    _ORDER,
    lambda xp, y, v, x: (modstruve(v - 1, x) + modstruve(v + 1, x) + _inhomogeneity(xp, v, x)) / 2,
    names="v x",
    doc="Struve's L_v(x).  Derivation: (L_(v-1) + L_(v+1) + (x / 2)^v / (sqrt(pi) Gamma(v + 3/2))) / 2 (DLMF 11.4.29).",
    cases=uniform(1, (0.5, 4)),
)
itj0y0: Primitive = several(
    sp.itj0y0,
    (lambda xp, y, x: j0(x),),
    (lambda xp, y, x: y0(x),),
    doc="The integrals of J_0 and Y_0 from 0 to x.  Derivation: the integrands.",
    cases=uniform((0.5, 6)),
)
iti0k0: Primitive = several(
    sp.iti0k0,
    (lambda xp, y, x: i0(x),),
    (lambda xp, y, x: k0(x),),
    doc="The integrals of I_0 and K_0 from 0 to x.  Derivation: the integrands.",
    cases=uniform((0.5, 6)),
)
itairy: Primitive = several(
    sp.itairy,
    (lambda xp, y, x: airy(x)[0],),
    (lambda xp, y, x: airy(x)[2],),
    (lambda xp, y, x: airy(-x)[0],),
    (lambda xp, y, x: airy(-x)[2],),
    doc="The integrals of Ai and Bi from 0 to x, and of Ai(-t) and Bi(-t).  Derivation: the integrands.",
    cases=uniform((0.3, 3)),
)
itstruve0: Primitive = elementwise(
    sp.itstruve0,
    lambda xp, y, x: struve(0, x),
    doc="The integral of H_0 from 0 to x.  Derivation: the integrand.",
    cases=uniform((0.5, 4)),
)
itmodstruve0: Primitive = elementwise(
    sp.itmodstruve0,
    lambda xp, y, x: modstruve(0, x),
    doc="The integral of L_0 from 0 to x.  Derivation: the integrand.",
    cases=uniform((0.5, 4)),
)
