"""Incomplete gamma and beta functions and their inverses: derivatives with respect to every argument."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, uniform
from rulebook.rules.special import _incomplete

__all__ = [
    "betainc",
    "betaincc",
    "betainccinv",
    "betaincinv",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
]


def _gamma_density(a: Any, x: Any, *, n: int) -> Any:
    """The n-th derivative of the density with respect to a."""
    return _incomplete.gamma_density_order(a, x, n)


def _gamma_density_x(xp: Any, y: Any, a: Any, x: Any, n: int) -> Any:
    """By Leibniz's rule for (a - 1) / x - 1 times the density; n = 0 by the density at a - 1, which is right at x = 0 too."""
    if n:
        return y * ((a - 1) / x - 1) + n / x * gamma_density(a, x, n=n - 1)
    more = a > 1
    inside = y * ((a - 1) / xp.where(more & xp.equal(x, 0), 1.0, x) - 1)
    return xp.where(more, gamma_density(xp.where(more, a - 1, 1.0), x, n=0) - y, inside)


gamma_density: Primitive = elementwise(
    _gamma_density,
    lambda xp, y, a, x, n: gamma_density(a, x, n=n + 1),
    _gamma_density_x,
    name="gamma_density",
    cases=[lambda rng, n=n: rb.case(rng.uniform(0.5, 4, 2), rng.uniform(0.5, 4, 2), n=n) for n in (0, 1)],
)
gamma_order: Primitive = elementwise(
    _incomplete.gamma_order,
    lambda xp, y, a, x, n: gamma_order(a, x, n=n + 1),
    lambda xp, y, a, x, n: gamma_density(a, x, n=n),
    name="gamma_order",
    cases=[lambda rng: rb.case(rng.uniform(0.5, 4, 1), rng.uniform(0.5, 4, 1), n=1)],
)
gammainc: Primitive = elementwise(
    sp.gammainc,
    lambda xp, y, a, x: gamma_order(a, x, n=1),
    lambda xp, y, a, x: gamma_density(a, x, n=0),
    names="a x",
    doc="P(a, x).  Derivation: dx = x^(a-1) exp(-x) / Gamma(a); da is the integral of it times log(t) - psi(a) over (0, x), or minus"
    " that over the rest.",
    cases=uniform((0.5, 4), (0.5, 4), slow=True),
)
gammaincc: Primitive = elementwise(
    sp.gammaincc,
    lambda xp, y, a, x: -gamma_order(a, x, n=1),
    lambda xp, y, a, x: -gamma_density(a, x, n=0),
    names="a x",
    doc="Q(a, x) = 1 - P(a, x).  Derivation: as gammainc.",
    cases=uniform((0.5, 4), (0.5, 4), slow=True),
)
gammaincinv: Primitive = elementwise(
    sp.gammaincinv,
    lambda xp, x, a, y: -gamma_order(a, x, n=1) / gamma_density(a, x, n=0),
    lambda xp, x, a, y: 1 / gamma_density(a, x, n=0),
    names="a y",
    doc="x with P(a, x) = y.  Derivation: inverse function, dy = 1 / P_x, da = -P_a / P_x.",
    cases=uniform((0.5, 4), (0.1, 0.9), slow=True),
)
gammainccinv: Primitive = elementwise(
    sp.gammainccinv,
    lambda xp, x, a, y: -gamma_order(a, x, n=1) / gamma_density(a, x, n=0),
    lambda xp, x, a, y: -1 / gamma_density(a, x, n=0),
    names="a y",
    doc="x with Q(a, x) = y.  Derivation: inverse function, dy = 1 / Q_x, da = -Q_a / Q_x.",
    cases=uniform((0.5, 4), (0.1, 0.9), slow=True),
)


def _beta_density(a: Any, b: Any, x: Any, *, i: int, j: int) -> Any:
    """The derivative of the density, i times with respect to a and j times to b."""
    return _incomplete.beta_density_order(a, b, x, i, j)


def _beta_density_x(xp: Any, y: Any, a: Any, b: Any, x: Any, i: int, j: int) -> Any:
    """By Leibniz's rule for (a - 1) / x - (b - 1) / (1 - x) times the density."""
    total = y * ((a - 1) / x - (b - 1) / (1 - x))
    if i:
        total = total + i / x * beta_density(a, b, x, i=i - 1, j=j)
    return total - j / (1 - x) * beta_density(a, b, x, i=i, j=j - 1) if j else total


beta_density: Primitive = elementwise(
    _beta_density,
    lambda xp, y, a, b, x, i, j: beta_density(a, b, x, i=i + 1, j=j),
    lambda xp, y, a, b, x, i, j: beta_density(a, b, x, i=i, j=j + 1),
    _beta_density_x,
    name="beta_density",
    cases=[lambda rng, k=k: rb.case(*rng.uniform(0.5, 4, (2, 1)), rng.uniform(0.1, 0.9, 1), i=k, j=k) for k in (0, 1)],
)
beta_order: Primitive = elementwise(
    _incomplete.beta_order,
    lambda xp, y, a, b, x, i, j: beta_order(a, b, x, i=i + 1, j=j),
    lambda xp, y, a, b, x, i, j: beta_order(a, b, x, i=i, j=j + 1),
    lambda xp, y, a, b, x, i, j: beta_density(a, b, x, i=i, j=j),
    name="beta_order",
    cases=[lambda rng: rb.case(*rng.uniform(0.5, 4, (2, 1)), rng.uniform(0.1, 0.9, 1), i=1, j=0)],
)


def _ratio(i: int, j: int) -> Any:
    """Minus a derivative of I with respect to a parameter, over its density."""
    return lambda xp, x, a, b, y: -beta_order(a, b, x, i=i, j=j) / beta_density(a, b, x, i=0, j=0)


betainc: Primitive = elementwise(
    sp.betainc,
    lambda xp, y, a, b, x: beta_order(a, b, x, i=1, j=0),
    lambda xp, y, a, b, x: beta_order(a, b, x, i=0, j=1),
    lambda xp, y, a, b, x: beta_density(a, b, x, i=0, j=0),
    names="a b x",
    doc="I_x(a, b).  Derivation: dx is the density x^(a-1) (1 - x)^(b-1) / B(a, b); da the integral of it by log(t) - psi(a) + psi(a + b)"
    " over (0, x), or minus that over the rest; db likewise with log(1 - t).",
    cases=uniform((0.5, 4), (0.5, 4), (0.1, 0.9), slow=True),
)
betaincc: Primitive = elementwise(
    sp.betaincc,
    lambda xp, y, a, b, x: -beta_order(a, b, x, i=1, j=0),
    lambda xp, y, a, b, x: -beta_order(a, b, x, i=0, j=1),
    lambda xp, y, a, b, x: -beta_density(a, b, x, i=0, j=0),
    names="a b x",
    doc="1 - I_x(a, b).  Derivation: as betainc.",
    cases=uniform((0.5, 4), (0.5, 4), (0.1, 0.9), slow=True),
)
betaincinv: Primitive = elementwise(
    sp.betaincinv,
    _ratio(1, 0),
    _ratio(0, 1),
    lambda xp, x, a, b, y: 1 / beta_density(a, b, x, i=0, j=0),
    names="a b y",
    doc="x with I_x(a, b) = y.  Derivation: inverse function.",
    cases=uniform((0.5, 4), (0.5, 4), (0.1, 0.9), slow=True),
)
betainccinv: Primitive = elementwise(
    sp.betainccinv,
    _ratio(1, 0),
    _ratio(0, 1),
    lambda xp, x, a, b, y: -1 / beta_density(a, b, x, i=0, j=0),
    names="a b y",
    doc="x with I_x(a, b) = 1 - y.  Derivation: inverse function.",
    cases=uniform((0.5, 4), (0.5, 4), (0.1, 0.9), slow=True),
)
