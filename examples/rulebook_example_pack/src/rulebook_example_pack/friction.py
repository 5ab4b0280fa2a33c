"""Flow in pipes: the friction factor, which is defined by an equation, with the rule that follows from it."""

from __future__ import annotations

from typing import Any

import rulebook as rb

__all__ = ["friction_factor"]

_C = 0.8685889638065037  # 2 / ln 10
_ROUNDS = 10  # of Newton's method, which doubles its digits each time from a start with two


@rb.primitive(
    cases=[
        rb.case(1e5, 1e-4),
        lambda rng: (10 ** rng.uniform(4, 8, size=3), 10 ** rng.uniform(-6, -2, size=3)),
        lambda rng: (10 ** rng.uniform(4, 8, size=(2, 1)), 10 ** rng.uniform(-6, -2, size=3)),
    ]
)
def friction_factor(reynolds: Any, roughness: Any) -> Any:
    """The Darcy friction factor of turbulent flow in a pipe.

    Args:
        reynolds: the Reynolds number, above 4000.
        roughness: that of the wall, relative to the diameter; the two broadcast.

    Returns:
        The factor f.

    Derivation:
        C. F. Colebrook, J. Inst. Civ. Eng. 11 (1939) 133: with u = 1/sqrt(f), c = 2/ln 10 and
        a = roughness/3.7 + 2.51 u/reynolds, the equation is g = u + c ln(a) = 0.  Newton's method starts from
        S. E. Haaland, J. Fluids Eng. 105 (1983) 89.  By the implicit function theorem du = -(dg/dp)/(dg/du) dp, where
        dg/du = 1 + 2.51 c/(a reynolds), dg/dreynolds = -2.51 c u/(a reynolds^2), dg/droughness = c/(3.7 a);
        and f = u^-2, so that df = -2 u^-3 du.

    Example:
        >>> round(float(friction_factor(1e5, 1e-4)), 6)
        0.018513
    """
    xp = rb.xp(reynolds, roughness)
    u = -0.9 * _C * xp.log((roughness / 3.7) ** 1.11 + 6.9 / reynolds)
    for _ in range(_ROUNDS):
        a = roughness / 3.7 + 2.51 * u / reynolds
        u = u - (u + _C * xp.log(a)) / (1 + 2.51 * _C / (a * reynolds))
    return u**-2


@rb.scalar_rule(friction_factor)
def _(f: Any, reynolds: Any, roughness: Any) -> tuple[Any, Any]:
    u = f**-0.5
    a = roughness / 3.7 + 2.51 * u / reynolds
    by_u = 1 + 2.51 * _C / (a * reynolds)
    scale = -2 * f * f**0.5 / by_u
    return scale * 2.51 * _C * u / (a * reynolds**2), -scale * _C / (3.7 * a)
