"""The gamma function and its relatives, and the zeta function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, uniform, unwritten
from rulebook.rules.special import _zeta

__all__ = [
    "beta",
    "betaln",
    "binom",
    "digamma",
    "gamma",
    "gammaln",
    "gammasgn",
    "loggamma",
    "poch",
    "polygamma",
    "psi",
    "rgamma",
    "zeta",
    "zetac",
]

gammaln: Primitive = elementwise(
    sp.gammaln,
    lambda xp, y, x: psi(x),
    doc="log |Gamma(x)|.  Derivation: y' = psi(x).",
    cases=uniform((0.3, 5)),
)
loggamma: Primitive = elementwise(
    sp.loggamma,
    lambda xp, y, z: psi(z),
    names="z",
    doc="The principal branch of log Gamma(z).  Derivation: y' = psi(z).",
    cases=uniform((0.3, 5), holomorphic=True),
)
gamma: Primitive = elementwise(
    sp.gamma,
    lambda xp, y, z: y * psi(z),
    names="z",
    doc="Gamma(z).  Derivation: y' = y psi(z).",
    cases=uniform((0.3, 5), holomorphic=True),
)


def _reciprocal_slope(xp: Any, y: Any, z: Any) -> Any:
    """By reflection on the left, 1 / Gamma(z) = sin(pi z) Gamma(1 - z) / pi, which is regular at the poles of Gamma."""
    left = _zeta.real(xp, z) < 0.5
    w = 1 - xp.where(left, z, 0.5)
    turned = gamma(w) * (xp.cos(math.pi * z) - xp.sin(math.pi * z) / math.pi * psi(w))
    return xp.where(left, turned, -y * psi(xp.where(left, 1.0, z)))


rgamma: Primitive = elementwise(
    sp.rgamma,
    _reciprocal_slope,
    names="z",
    doc="1 / Gamma(z), an entire function.  Derivation: y' = -psi(z) y; for Re z < 1/2 that of sin(pi z) Gamma(1 - z) / pi (DLMF 5.5.3).",
    cases=uniform((-2.5, 3), holomorphic=True),
)
psi: Primitive = elementwise(
    sp.psi,
    lambda xp, y, z: polygamma(1, z),
    names="z",
    doc="The digamma function.  Derivation: y' = polygamma(1, z).",
    cases=uniform((0.3, 5), holomorphic=True),
    also=(sp.digamma,),
)
digamma = psi
gammasgn: Primitive = elementwise(
    sp.gammasgn, None, doc="The sign of Gamma(x).  Derivation: zero where it is defined.", cases=uniform((0.3, 5))
)


def _polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function, also for complex x.

    Args:
        n: the order, integers from 0 on.
        x: an array or number.

    Derivation:
        y' = polygamma(n + 1, x).
    """
    return _zeta.polygamma(n, x) if np.iscomplexobj(x) else sp.polygamma(n, x)


polygamma: Primitive = elementwise(
    _polygamma,
    "the order is an integer",
    lambda xp, y, n, x: polygamma(n + 1, x),
    name="polygamma",
    cases=[*uniform(1, (0.5, 4), holomorphic=True), lambda rng: (np.array([0, 1, 3]), rng.uniform(0.5, 4, 3))],
)


def _psi_gap(a: Any, b: Any) -> Any:
    """psi(a + b) - psi(a), without cancellation where b is small beside a > 0."""
    return _zeta.psi_gap(a, b)


psi_gap: Primitive = elementwise(
    _psi_gap,
    lambda xp, y, a, b: polygamma(1, a + b) - polygamma(1, a),
    lambda xp, y, a, b: polygamma(1, a + b),
    name="psi_gap",
    cases=uniform((0.5, 4), (0.5, 4)),
)
beta: Primitive = elementwise(
    sp.beta,
    lambda xp, y, a, b: -y * psi_gap(a, b),
    lambda xp, y, a, b: -y * psi_gap(b, a),
    names="a b",
    doc="B(a, b).  Derivation: da = B (psi(a) - psi(a + b)) (DLMF 5.12.1).",
    cases=uniform((0.5, 4), (0.5, 4)),
)
betaln: Primitive = elementwise(
    sp.betaln,
    lambda xp, y, a, b: -psi_gap(a, b),
    lambda xp, y, a, b: -psi_gap(b, a),
    names="a b",
    doc="log |B(a, b)|.  Derivation: da = psi(a) - psi(a + b).",
    cases=uniform((0.5, 4), (0.5, 4)),
)
poch: Primitive = elementwise(
    sp.poch,
    lambda xp, y, z, m: y * psi_gap(z, m),
    lambda xp, y, z, m: y * psi(z + m),
    names="z m",
    doc="Gamma(z + m) / Gamma(z).  Derivation: dz = y (psi(z + m) - psi(z)), dm = y psi(z + m).",
    cases=uniform((0.5, 4), (0.5, 4)),
)
binom: Primitive = elementwise(
    sp.binom,
    lambda xp, y, n, k: y * psi_gap(n - k + 1, k),
    lambda xp, y, n, k: y * (psi(n - k + 1) - psi(k + 1)),
    names="x y",
    doc="The binomial coefficient of real arguments.  Derivation: that of Gamma(n + 1) / (Gamma(k + 1) Gamma(n - k + 1)).",
    cases=uniform((4, 6), (0.5, 3)),
)


def _zeta_values(x: Any, q: Any = 1.0) -> Any:
    """The zeta function of Riemann, or of Hurwitz for q other than 1.

    Args:
        x: an array or number, real; complex for q = 1 where SciPy has it.
        q: an array or number, positive.

    Derivation:
        dq = -x zeta(x + 1, q) (DLMF 25.11.17); dx by the Euler-Maclaurin formula (DLMF 25.11.5) differentiated, for x > 1, for q = 1 too
        for x < 1 by continuation and by the functional equation (DLMF 25.4.1); its second derivative for x > -0.5 only (NaN elsewhere).
    """
    if np.iscomplexobj(x):
        return sp.zeta(x)
    return np.where(np.equal(q, 1), sp.zeta(x), sp.zeta(x, q))[()]


def _zeta_x(xp: Any, y: Any, x: Any, q: Any) -> Any:
    if _zeta.is_complex(x):
        raise unwritten("rulebook.rules.special.zeta", "x", "the derivative of the zeta function at complex arguments")
    return zeta_order(x, q, n=1)


def _zeta_order_q(xp: Any, y: Any, x: Any, q: Any, n: int) -> Any:
    slope = -x * zeta_order(x + 1, q, n=n)
    return slope - n * zeta_order(x + 1, q, n=n - 1) if n else slope


zeta_order: Primitive = elementwise(
    _zeta.order,
    lambda xp, y, x, q, n: zeta_order(x, q, n=n + 1),
    _zeta_order_q,
    name="zeta_order",
    cases=[lambda rng: rb.case(rng.uniform(1.5, 4, 2), rng.uniform(0.5, 3, 2), n=1)],
)
zeta: Primitive = elementwise(
    _zeta_values,
    _zeta_x,
    lambda xp, y, x, q: -x * zeta(x + 1, q),
    name="zeta",
    cases=[*uniform((1.5, 4), (0.5, 3)), lambda rng: (rng.uniform(1.5, 4, 2), 1.0)],
)
zetac: Primitive = elementwise(
    sp.zetac,
    lambda xp, y, x: zeta_order(x, 1.0, n=1),
    doc="zeta(x) - 1.  Derivation: as zeta.",
    cases=uniform((1.5, 4)),
)
