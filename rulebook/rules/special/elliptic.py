"""Elliptic integrals and functions: Carlson's symmetric forms carry the derivatives of all others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, several, uniform
from rulebook.rules.special import _carlson

__all__ = ["ellipe", "ellipeinc", "ellipj", "ellipk", "ellipkinc", "ellipkm1", "elliprc", "elliprd", "elliprf", "elliprg", "elliprj"]


def _moved(b: tuple[int, ...], j: int) -> tuple[int, ...]:
    return (*b[:j], b[j] + 2, *b[j + 1 :])


def _slope(j: int) -> Any:
    """The partial in the j-th argument: one more power of it, by differentiation under the integral."""
    return lambda xp, y, *z, power, b: -b[j] / 2 * carlson(*z, power=power, b=_moved(b, j))


carlson: Primitive = elementwise(
    _carlson.integral,
    *[_slope(j) for j in range(4)],
    name="carlson",
    cases=[lambda rng: _carlson.case(rng, (1, 1, 1, 2)), lambda rng: _carlson.case(rng, (3, 1, 1, 0))],
)


def _partial(factor: float, b: tuple[int, int, int, int], power: int = 0) -> Any:
    """A partial that is a multiple of the integral of t^power times the product of (t + z_j)^(-b_j / 2)."""

    def partial(xp: Any, y: Any, *z: Any) -> Any:
        return factor * carlson(*z, *[1.0] * (4 - len(z)), power=power, b=b)

    return partial


_DOC = "Derivation: under the integral (DLMF 19.18.1, 19.23)"
elliprf: Primitive = elementwise(
    sp.elliprf,
    lambda xp, r, x, y, z: -elliprd(y, z, x) / 6,
    lambda xp, r, x, y, z: -elliprd(z, x, y) / 6,
    lambda xp, r, x, y, z: -elliprd(x, y, z) / 6,
    names="x y z",
    doc=f"Carlson's R_F(x, y, z).  {_DOC}: dz = -R_D(x, y, z) / 6.",
    cases=uniform((0.5, 2), (0.5, 2), (0.5, 2), holomorphic=True),
)
elliprd: Primitive = elementwise(
    sp.elliprd,
    _partial(-0.75, (3, 1, 3, 0)),
    _partial(-0.75, (1, 3, 3, 0)),
    _partial(-2.25, (1, 1, 5, 0)),
    names="x y z",
    doc=f"Carlson's R_D(x, y, z), 3/2 of the integral of (t + x)^(-1/2) (t + y)^(-1/2) (t + z)^(-3/2).  {_DOC}.",
    cases=uniform((0.5, 2), (0.5, 2), (0.5, 2), holomorphic=True),
)
elliprj: Primitive = elementwise(
    sp.elliprj,
    _partial(-0.75, (3, 1, 1, 2)),
    _partial(-0.75, (1, 3, 1, 2)),
    _partial(-0.75, (1, 1, 3, 2)),
    _partial(-1.5, (1, 1, 1, 4)),
    names="x y z p",
    doc=f"Carlson's R_J(x, y, z, p), 3/2 of the integral of ((t + x)(t + y)(t + z))^(-1/2) / (t + p), p > 0.  {_DOC}.",
    cases=uniform((0.5, 2), (0.5, 2), (0.5, 2), (0.5, 2)),
)
elliprg: Primitive = elementwise(
    sp.elliprg,
    _partial(0.125, (3, 1, 1, 0), 1),
    _partial(0.125, (1, 3, 1, 0), 1),
    _partial(0.125, (1, 1, 3, 0), 1),
    names="x y z",
    doc=f"Carlson's R_G(x, y, z).  {_DOC}: dx = 1/8 of the integral of t (t + x)^(-3/2) (t + y)^(-1/2) (t + z)^(-1/2).",
    cases=uniform((0.5, 2), (0.5, 2), (0.5, 2), holomorphic=True),
)
elliprc: Primitive = elementwise(
    sp.elliprc,
    lambda xp, r, x, y: -elliprd(y, y, x) / 6,
    lambda xp, r, x, y: -elliprd(x, y, y) / 3,
    names="x y",
    doc=f"Carlson's R_C(x, y) = R_F(x, y, y).  {_DOC}.",
    cases=uniform((0.5, 2), (0.5, 2), holomorphic=True),
)
ellipk: Primitive = elementwise(
    sp.ellipk,
    lambda xp, y, m: elliprd(0.0, 1.0, 1 - m) / 6,
    names="m",
    doc="K(m) = R_F(0, 1 - m, 1).  Derivation: dm = R_D(0, 1, 1 - m) / 6 (DLMF 19.25.1, 19.18.1), regular at m = 0.",
    cases=uniform((-2, 0.9)),
)
ellipkm1: Primitive = elementwise(
    sp.ellipkm1,
    lambda xp, y, p: -elliprd(0.0, 1.0, p) / 6,
    names="p",
    doc="K(1 - p).  Derivation: as ellipk.",
    cases=uniform((0.1, 1.5)),
)
ellipe: Primitive = elementwise(
    sp.ellipe,
    lambda xp, y, m: -elliprd(0.0, 1 - m, 1.0) / 6,
    names="m",
    doc="E(m).  Derivation: dm = (E - K) / (2 m) = -R_D(0, 1 - m, 1) / 6 (DLMF 19.4.2, 19.25.1), regular at m = 0.",
    cases=uniform((-2, 0.9)),
)


def _whole(xp: Any, phi: Any) -> tuple[Any, Any, Any]:
    """The number of half turns in phi, and the squares of sine and cosine of the rest, with the sine."""
    half_turns = xp.floor(phi / math.pi + 0.5)
    rest = phi - math.pi * half_turns
    return half_turns, xp.sin(rest), xp.cos(rest)


def _turns(xp: Any, half_turns: Any, m: Any, complete: Any) -> Any:
    """2 n times a complete integral; 0 for n = 0, where the integral may be infinite."""
    none = xp.equal(half_turns, 0)
    return xp.where(none, 0.0, 2 * half_turns * complete(xp.where(none, 0.0, m)))


def _kinc_m(xp: Any, y: Any, phi: Any, m: Any) -> Any:
    n, s, c = _whole(xp, phi)
    return s**3 / 6 * elliprd(c * c, 1.0, 1 - m * s * s) + _turns(xp, n, m, lambda k: elliprd(0.0, 1.0, 1 - k) / 6)


def _einc_m(xp: Any, y: Any, phi: Any, m: Any) -> Any:
    n, s, c = _whole(xp, phi)
    return -(s**3) / 6 * elliprd(c * c, 1 - m * s * s, 1.0) - _turns(xp, n, m, lambda k: elliprd(0.0, 1 - k, 1.0) / 6)


ellipkinc: Primitive = elementwise(
    sp.ellipkinc,
    lambda xp, y, phi, m: 1 / xp.sqrt(1 - m * xp.sin(phi) ** 2),
    _kinc_m,
    names="phi m",
    doc="F(phi, m).  Derivation: d_phi = 1 / sqrt(1 - m sin^2); with s, c of phi less n half turns "
    "dm = s^3 / 6 R_D(c^2, 1, 1 - m s^2) + 2 n K'(m) (DLMF 19.25.5, 19.18.1).",
    cases=uniform((-4, 4), (-1, 0.8)),
)
ellipeinc: Primitive = elementwise(
    sp.ellipeinc,
    lambda xp, y, phi, m: xp.sqrt(1 - m * xp.sin(phi) ** 2),
    _einc_m,
    names="phi m",
    doc="E(phi, m).  Derivation: d_phi = sqrt(1 - m sin^2), dm = (E - F) / (2 m) = -s^3 / 6 R_D(c^2, 1 - m s^2, 1) + 2 n E'(m) "
    "(DLMF 19.25.9).",
    cases=uniform((-4, 4), (-1, 0.8)),
)


def _amplitude_m(xp: Any, y: Any, m: Any) -> Any:
    """d_m of the amplitude: F(ph, m) = u, so it is -dn F_m."""
    return -y[2] * _kinc_m(xp, y, y[3], m)


ellipj: Primitive = several(
    sp.ellipj,
    (lambda xp, y, u, m: y[1] * y[2], lambda xp, y, u, m: y[1] * _amplitude_m(xp, y, m)),
    (lambda xp, y, u, m: -y[0] * y[2], lambda xp, y, u, m: -y[0] * _amplitude_m(xp, y, m)),
    (
        lambda xp, y, u, m: -m * y[0] * y[1],
        lambda xp, y, u, m: -(y[0] ** 2 + 2 * m * y[0] * y[1] * _amplitude_m(xp, y, m)) / (2 * y[2]),
    ),
    (lambda xp, y, u, m: y[2], lambda xp, y, u, m: _amplitude_m(xp, y, m)),
    names="u m",
    doc="Jacobi's sn, cn, dn and the amplitude ph.  Derivation: du as usual (DLMF 22.13); F(ph, m) = u gives d_m ph = -dn F_m(ph, m).",
    cases=[lambda rng: (rng.uniform(-2, 2, 3), rng.uniform(0.1, 0.8, 3)), lambda rng: (rng.uniform(-2, 2, 2).astype(np.float32), 0.5)],
)
