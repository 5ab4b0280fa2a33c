"""Hypergeometric functions: derivatives with respect to the argument."""

from __future__ import annotations

import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise

__all__ = ["hyp0f1", "hyp1f1", "hyp2f1", "hyperu", "wright_bessel"]

_PARAMETER = "the derivative of a hypergeometric function with respect to a parameter has no closed form"

hyp0f1: Primitive = elementwise(
    sp.hyp0f1,
    _PARAMETER,
    lambda xp, y, v, z: hyp0f1(v + 1, z) / v,
    names="v z",
    doc="0F1(v, z).  Derivation: dz = 0F1(v + 1, z) / v (DLMF 16.3.1).",
    cases=[lambda rng: (2, rng.uniform(-2, 2, 3)), lambda rng: (3, rng.uniform(-2, 2, 2) + 0.5j)],
)
hyp1f1: Primitive = elementwise(
    sp.hyp1f1,
    _PARAMETER,
    _PARAMETER,
    lambda xp, y, a, b, x: a * hyp1f1(a + 1, b + 1, x) / b,
    names="a b x",
    doc="Kummer's function 1F1(a, b, x).  Derivation: dx = a / b 1F1(a + 1, b + 1, x) (DLMF 13.3.15).",
    cases=[lambda rng: (1, 3, rng.uniform(-2, 2, 3)), lambda rng: (2, 3, rng.uniform(-2, 2, 2) + 0.5j)],
)
hyp2f1: Primitive = elementwise(
    sp.hyp2f1,
    _PARAMETER,
    _PARAMETER,
    _PARAMETER,
    lambda xp, y, a, b, c, z: a * b * hyp2f1(a + 1, b + 1, c + 1, z) / c,
    names="a b c z",
    doc="Gauss's function 2F1(a, b; c; z).  Derivation: dz = a b / c 2F1(a + 1, b + 1; c + 1; z) (DLMF 15.5.1).",
    cases=[lambda rng: (1, 2, 4, rng.uniform(-0.6, 0.6, 3)), lambda rng: (1, 1, 3, rng.uniform(-0.4, 0.4, 2) + 0.2j)],
)
hyperu: Primitive = elementwise(
    sp.hyperu,
    _PARAMETER,
    _PARAMETER,
    lambda xp, y, a, b, x: -a * hyperu(a + 1, b + 1, x),
    names="a b x",
    doc="Tricomi's function U(a, b, x).  Derivation: dx = -a U(a + 1, b + 1, x) (DLMF 13.3.22).",
    cases=[lambda rng: (2, 1, rng.uniform(0.8, 2, 3))],
)
wright_bessel: Primitive = elementwise(
    sp.wright_bessel,
    _PARAMETER,
    _PARAMETER,
    lambda xp, y, a, b, x: wright_bessel(a, a + b, x),
    names="a b x",
    doc="Wright's function, the sum of x^k / (k! Gamma(a k + b)).  Derivation: term by term, dx = Phi(a, a + b, x).",
    cases=[lambda rng: (1, 2, rng.uniform(0.5, 2, 3))],
)
