"""Elementary functions of scipy.special, entropies, losses and power transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, uniform
from rulebook.rules.special.elliptic import elliprd
from rulebook.rules.special.hypergeometric import hyp1f1

__all__ = [
    "agm",
    "boxcox",
    "boxcox1p",
    "cbrt",
    "cosdg",
    "cosm1",
    "cotdg",
    "entr",
    "exp2",
    "exp10",
    "expit",
    "expm1",
    "exprel",
    "huber",
    "inv_boxcox",
    "inv_boxcox1p",
    "kl_div",
    "log1p",
    "log_expit",
    "logit",
    "powm1",
    "pseudo_huber",
    "radian",
    "rel_entr",
    "sindg",
    "tandg",
    "xlog1py",
    "xlogy",
]

_LN2, _LN10, _DEGREE = math.log(2.0), math.log(10.0), math.pi / 180

exp2: Primitive = elementwise(sp.exp2, lambda xp, y, x: y * _LN2, doc="2^x.  Derivation: y' = y log 2.", cases=uniform((-2, 2)))
exp10: Primitive = elementwise(sp.exp10, lambda xp, y, x: y * _LN10, doc="10^x.  Derivation: y' = y log 10.", cases=uniform((-2, 2)))
expm1: Primitive = elementwise(
    sp.expm1,
    lambda xp, y, x: xp.exp(x),
    doc="exp(x) - 1.  Derivation: y' = exp(x), which y + 1 would round to zero far to the left.",
    cases=uniform((-2, 2), holomorphic=True),
)
log1p: Primitive = elementwise(
    sp.log1p,
    lambda xp, y, x: 1 / (1 + x),
    doc="log(1 + x).  Derivation: y' = 1 / (1 + x).",
    cases=uniform((-0.5, 2), holomorphic=True),
)
cbrt: Primitive = elementwise(
    sp.cbrt, lambda xp, y, x: 1 / (3 * y * y), doc="The cube root.  Derivation: y' = 1 / (3 y^2).", cases=uniform((0.3, 2))
)
sindg: Primitive = elementwise(
    sp.sindg, lambda xp, y, x: _DEGREE * cosdg(x), doc="The sine of degrees.  Derivation: y' = pi / 180 cos.", cases=uniform((-80, 80))
)
cosdg: Primitive = elementwise(
    sp.cosdg, lambda xp, y, x: -_DEGREE * sindg(x), doc="The cosine of degrees.  Derivation: y' = -pi / 180 sin.", cases=uniform((-80, 80))
)
tandg: Primitive = elementwise(
    sp.tandg,
    lambda xp, y, x: _DEGREE * (1 + y * y),
    doc="The tangent of degrees.  Derivation: y' = pi / 180 (1 + y^2).",
    cases=uniform((-60, 60)),
)
cotdg: Primitive = elementwise(
    sp.cotdg,
    lambda xp, y, x: -_DEGREE * (1 + y * y),
    doc="The cotangent of degrees.  Derivation: y' = -pi / 180 (1 + y^2).",
    cases=uniform((20, 150)),
)
cosm1: Primitive = elementwise(sp.cosm1, lambda xp, y, x: -xp.sin(x), doc="cos(x) - 1.  Derivation: y' = -sin(x).", cases=uniform((-2, 2)))
radian: Primitive = elementwise(
    sp.radian,
    lambda xp, y, d, m, s: _DEGREE,
    lambda xp, y, d, m, s: _DEGREE / 60,
    lambda xp, y, d, m, s: _DEGREE / 3600,
    names="d m s",
    doc="Degrees, minutes and seconds in radians.  Derivation: linear.",
    cases=uniform((-50, 50), (0, 60), (0, 60)),
)


def _xdivy(x: Any, y: Any) -> Any:
    """x / y, and 0 for 0 / 0: the derivative of x log(y) along y, which is zero where x is."""
    both = np.equal(x, 0) & np.equal(y, 0)
    return np.where(both, 0.0, np.divide(x, np.where(both, 1.0, y)))[()]


xdivy: Primitive = elementwise(
    _xdivy,
    lambda xp, y, a, b: 1 / b,
    lambda xp, y, a, b: -xdivy(y, b),
    name="xdivy",
    cases=uniform((-2, 2), (0.5, 2), holomorphic=True),
)
xlogy: Primitive = elementwise(
    sp.xlogy,
    lambda xp, z, x, y: xp.log(y),
    lambda xp, z, x, y: xdivy(x, y),
    names="x y",
    doc="x log(y), 0 where x is.  Derivation: dx = log(y), dy = x / y, which is 0 at x = y = 0 as x log(y) is 0 along that axis.",
    cases=uniform((-2, 2), (0.5, 2), holomorphic=True),
)
xlog1py: Primitive = elementwise(
    sp.xlog1py,
    lambda xp, z, x, y: log1p(y),
    lambda xp, z, x, y: xdivy(x, 1 + y),
    names="x y",
    doc="x log(1 + y), 0 where x is.  Derivation: as xlogy.",
    cases=uniform((-2, 2), (-0.5, 2), holomorphic=True),
)
entr: Primitive = elementwise(
    sp.entr,
    lambda xp, y, x: -xp.log(x) - 1,
    doc="-x log(x), 0 at 0.  Derivation: y' = -log(x) - 1, infinite at 0 from the right.",
    cases=uniform((0.1, 2)),
)
rel_entr: Primitive = elementwise(
    sp.rel_entr,
    lambda xp, z, x, y: xp.log(x / y) + 1,
    lambda xp, z, x, y: -xdivy(x, y),
    names="x y",
    doc="x log(x / y).  Derivation: dx = log(x / y) + 1, dy = -x / y, 0 at x = 0.",
    cases=uniform((0.1, 2), (0.1, 2)),
)
kl_div: Primitive = elementwise(
    sp.kl_div,
    lambda xp, z, x, y: xp.log(x / y),
    lambda xp, z, x, y: 1 - xdivy(x, y),
    names="x y",
    doc="x log(x / y) - x + y.  Derivation: dx = log(x / y), dy = 1 - x / y.",
    cases=uniform((0.1, 2), (0.1, 2)),
)
expit: Primitive = elementwise(
    sp.expit,
    lambda xp, y, x: y * expit(-x),
    doc="1 / (1 + exp(-x)).  Derivation: y' = y (1 - y) = expit(x) expit(-x), which keeps its digits where y is near 1.",
    cases=uniform((-4, 4)),
)
log_expit: Primitive = elementwise(
    sp.log_expit, lambda xp, y, x: expit(-x), doc="The logarithm of expit.  Derivation: y' = expit(-x).", cases=uniform((-4, 4))
)
# The functions of engines are used where value, first and second derivative agree with these in both precisions over the whole line,
# zeros and large arguments included.  (expit of JAX and PyTorch has slope 0 from x = 37 on; entr a finite slope for x < 0; their log_ndtr,
# erfcx, gammaln, digamma, i0e and i1e are off somewhere by 5e-10 to 1; erf, ndtr and expi of JAX take no complex arguments.)
logit: Primitive = elementwise(
    sp.logit,
    lambda xp, y, x: 1 / (x * (1 - x)),
    doc="log(x / (1 - x)).  Derivation: y' = 1 / (x (1 - x)).",
    cases=uniform((0.1, 0.9)),
    native={"jax": "special.logit", "torch": "special.logit"},
)
exprel: Primitive = elementwise(
    sp.exprel,
    lambda xp, y, x: hyp1f1(2.0, 3.0, x) / 2,
    doc="(exp(x) - 1) / x = 1F1(1, 2, x).  Derivation: y' = 1F1(2, 3, x) / 2 (DLMF 13.3.15), regular at 0.",
    cases=uniform((-2, 2)),
)


def _power_slope(xp: Any, x: Any, y: Any) -> Any:
    """y x^(y - 1), 0 for y = 0."""
    none = xp.equal(y, 0)
    return xp.where(none, 0.0, y * xp.where(none, xp.ones_like(x), x) ** (y - 1))


powm1: Primitive = elementwise(
    sp.powm1,
    lambda xp, z, x, y: _power_slope(xp, x, y),
    lambda xp, z, x, y: xlogy(x**y, x),
    names="x y",
    doc="x^y - 1.  Derivation: dx = y x^(y - 1), dy = x^y log(x).",
    cases=uniform((0.5, 2), (-2, 2)),
)
agm: Primitive = elementwise(
    sp.agm,
    lambda xp, y, a, b: y * y * a * (2 / (3 * math.pi)) * elliprd(0.0, b * b, a * a),
    lambda xp, y, a, b: y * y * b * (2 / (3 * math.pi)) * elliprd(0.0, a * a, b * b),
    names="a b",
    doc="The arithmetic-geometric mean.  Derivation: 1 / y = 2 / pi R_F(0, a^2, b^2) and d R_F(x, y, z) / dz = -R_D(x, y, z) / 6 "
    "(DLMF 19.8.6, 19.18.1).",
    cases=uniform((0.5, 2), (0.5, 2)),
)
huber: Primitive = elementwise(
    sp.huber,
    lambda xp, y, delta, r: xp.where(xp.abs(r) <= delta, 0.0, xp.abs(r) - delta),
    lambda xp, y, delta, r: xp.where(xp.abs(r) <= delta, r, delta * xp.sign(r)),
    names="delta r",
    doc="Huber's loss: r^2 / 2 up to delta, delta (|r| - delta / 2) beyond.  Derivation: branch by branch.",
    cases=[lambda rng: (rng.uniform(0.5, 1, 4), np.array([-2.0, -0.3, 0.2, 1.7]) + rng.uniform(-0.1, 0.1, 4))],
)


def _pseudo_huber_delta(xp: Any, y: Any, delta: Any, r: Any) -> Any:
    """delta (s - 1)^2 / s with s - 1 = u / (s + 1): no cancellation."""
    u = (r / delta) ** 2
    s = xp.sqrt(1 + u)
    return delta * (u / (s + 1)) ** 2 / s


pseudo_huber: Primitive = elementwise(
    sp.pseudo_huber,
    _pseudo_huber_delta,
    lambda xp, y, delta, r: r / xp.sqrt(1 + (r / delta) ** 2),
    names="delta r",
    doc="delta^2 (s - 1) with s^2 = 1 + (r / delta)^2.  Derivation: d_delta = delta (s - 1)^2 / s, dr = r / s.",
    cases=uniform((0.5, 2), (-2, 2)),
)


def lambda_slope(log: Any, lmbda: Any) -> Any:
    """The derivative of (x^lambda - 1) / lambda with respect to lambda: log(x)^2 times the integral of s e^(s u), u = lambda log(x)."""
    return log * log * hyp1f1(2.0, 3.0, lmbda * log) / 2


boxcox: Primitive = elementwise(
    sp.boxcox,
    lambda xp, y, x, lmbda: x ** (lmbda - 1),
    lambda xp, y, x, lmbda: lambda_slope(xp.log(x), lmbda),
    names="x lmbda",
    doc="(x^lambda - 1) / lambda, log(x) at 0.  Derivation: dx = x^(lambda - 1); d_lambda = log(x)^2 1F1(2, 3, lambda log(x)) / 2,"
    " regular at lambda = 0.",
    cases=uniform((0.5, 2), (-1, 1)),
)
boxcox1p: Primitive = elementwise(
    sp.boxcox1p,
    lambda xp, y, x, lmbda: (1 + x) ** (lmbda - 1),
    lambda xp, y, x, lmbda: lambda_slope(log1p(x), lmbda),
    names="x lmbda",
    doc="boxcox(1 + x).  Derivation: as boxcox.",
    cases=uniform((-0.5, 2), (-1, 1)),
)
inv_boxcox: Primitive = elementwise(
    sp.inv_boxcox,
    lambda xp, x, y, lmbda: x ** (1 - lmbda),
    lambda xp, x, y, lmbda: -lambda_slope(xp.log(x), lmbda) * x ** (1 - lmbda),
    names="y lmbda",
    doc="x with boxcox(x, lambda) = y.  Derivation: inverse function: dy = 1 / boxcox_x, d_lambda = -boxcox_lambda / boxcox_x.",
    cases=uniform((-0.5, 0.8), (-1, 1)),
)
inv_boxcox1p: Primitive = elementwise(
    sp.inv_boxcox1p,
    lambda xp, x, y, lmbda: (1 + x) ** (1 - lmbda),
    lambda xp, x, y, lmbda: -lambda_slope(log1p(x), lmbda) * (1 + x) ** (1 - lmbda),
    names="y lmbda",
    doc="x with boxcox1p(x, lambda) = y.  Derivation: inverse function, as inv_boxcox.",
    cases=uniform((-0.5, 0.8), (-1, 1)),
)
