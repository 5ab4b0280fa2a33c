"""Bessel functions: derivatives with respect to the argument by recurrence, with respect to the order by contour integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, uniform, unwritten
from rulebook.rules.special import _orders, _scaled
from rulebook.rules.special._zeta import is_complex

__all__ = [
    "hankel1",
    "hankel1e",
    "hankel2",
    "hankel2e",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "iv",
    "ive",
    "j0",
    "j1",
    "jv",
    "jve",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kn",
    "kv",
    "kve",
    "y0",
    "y1",
    "yn",
    "yv",
    "yve",
]

_COMPLEX_ORDER = "the derivative with respect to the order at complex arguments"
_MODULUS = "the scaling by a modulus is not holomorphic: scale the unscaled function, or use real arguments"


def _real_only(name: str, argument: str, why: str, fn: Any) -> Any:
    """A partial that there is for real arguments."""

    def partial(xp: Any, y: Any, v: Any, z: Any) -> Any:
        if is_complex(z):
            raise unwritten(f"rulebook.rules.special.{name}", argument, why)
        return fn(xp, y, v, z)

    return partial


def _order_primitive(name: str, function: Any, slope: Any, **options: Any) -> Primitive:
    """The derivatives of a function with respect to its order, which have the recurrences of the function."""
    return elementwise(
        function,
        lambda xp, y, v, z, n, **kind: globals()[name](v, z, n=n + 1, **kind),
        slope,
        name=name,
        cases=[lambda rng: rb.case(rng.uniform(-1, 3, 1), rng.uniform(0.5, 6, 1), n=1, **options.get("static", {}))],
        out=options.get("out", float),
    )


def _half_gap(name: str) -> Any:
    """(f_(v-1) - f_(v+1)) / 2."""

    def slope(xp: Any, y: Any, v: Any, z: Any, n: int, **kind: Any) -> Any:
        f = globals()[name]
        return (f(v - 1, z, n=n, **kind) - f(v + 1, z, n=n, **kind)) / 2

    return slope


def _i_slope(xp: Any, y: Any, v: Any, z: Any, n: int) -> Any:
    return (i_order(v - 1, z, n=n) + i_order(v + 1, z, n=n)) / 2 - y


def _k_slope(xp: Any, y: Any, v: Any, z: Any, n: int) -> Any:
    return y - (k_order(v - 1, z, n=n) + k_order(v + 1, z, n=n)) / 2


j_order: Primitive = _order_primitive("j_order", _orders.j, _half_gap("j_order"))
y_order: Primitive = _order_primitive("y_order", _orders.y, _half_gap("y_order"))
hankel_order: Primitive = _order_primitive("hankel_order", _orders.hankel, _half_gap("hankel_order"), out=complex, static={"kind": 1})
i_order: Primitive = _order_primitive("i_order", _orders.i_scaled, _i_slope)
k_order: Primitive = _order_primitive("k_order", _orders.k_scaled, _k_slope)

_DOC = "{0}.  Derivation: d/dz = {1} (DLMF 10.6.1, 10.29.1); d/dv by differentiated contour integrals (DLMF 10.9, 10.32), "
_DOC += "for real z > 0 (NaN elsewhere)."

jv: Primitive = elementwise(
    sp.jv,
    _real_only("jv", "v", _COMPLEX_ORDER, lambda xp, y, v, z: j_order(v, z, n=1)),
    lambda xp, y, v, z: (jv(v - 1, z) - jv(v + 1, z)) / 2,
    names="v z",
    doc=_DOC.format("J_v(z)", "(J_(v-1) - J_(v+1)) / 2"),
    cases=[*uniform((-1, 3), (0.5, 6), slow=True), lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j)],
)
yv: Primitive = elementwise(
    sp.yv,
    _real_only("yv", "v", _COMPLEX_ORDER, lambda xp, y, v, z: y_order(v, z, n=1)),
    lambda xp, y, v, z: (yv(v - 1, z) - yv(v + 1, z)) / 2,
    names="v z",
    doc=_DOC.format("Y_v(z)", "(Y_(v-1) - Y_(v+1)) / 2"),
    cases=[*uniform((-1, 3), (0.5, 6), slow=True), lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j)],
)
iv: Primitive = elementwise(
    sp.iv,
    _real_only("iv", "v", _COMPLEX_ORDER, lambda xp, y, v, z: xp.exp(z) * i_order(v, z, n=1)),
    lambda xp, y, v, z: (iv(v - 1, z) + iv(v + 1, z)) / 2,
    names="v z",
    doc=_DOC.format("I_v(z)", "(I_(v-1) + I_(v+1)) / 2"),
    cases=[*uniform((-1, 3), (0.5, 6), slow=True), lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j)],
)
kv: Primitive = elementwise(
    sp.kv,
    _real_only("kv", "v", _COMPLEX_ORDER, lambda xp, y, v, z: xp.exp(-z) * k_order(v, z, n=1)),
    lambda xp, y, v, z: -(kv(v - 1, z) + kv(v + 1, z)) / 2,
    names="v z",
    doc=_DOC.format("K_v(z)", "-(K_(v-1) + K_(v+1)) / 2"),
    cases=[*uniform((-1, 3), (0.5, 6), slow=True), lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j)],
)
jve: Primitive = elementwise(
    sp.jve,
    _real_only("jve", "v", _COMPLEX_ORDER, lambda xp, y, v, z: j_order(v, z, n=1)),
    _real_only("jve", "z", _MODULUS, lambda xp, y, v, z: (jve(v - 1, z) - jve(v + 1, z)) / 2),
    names="v z",
    doc="J_v(z) exp(-|Im z|).  Derivation: as jv for real z; for complex z the scaling has no derivative that a rule could give.",
    cases=uniform((-1, 3), (0.5, 6), slow=True),
)
yve: Primitive = elementwise(
    sp.yve,
    _real_only("yve", "v", _COMPLEX_ORDER, lambda xp, y, v, z: y_order(v, z, n=1)),
    _real_only("yve", "z", _MODULUS, lambda xp, y, v, z: (yve(v - 1, z) - yve(v + 1, z)) / 2),
    names="v z",
    doc="Y_v(z) exp(-|Im z|).  Derivation: as yv for real z.",
    cases=uniform((-1, 3), (0.5, 6), slow=True),
)
ive: Primitive = elementwise(
    sp.ive,
    _real_only("ive", "v", _COMPLEX_ORDER, lambda xp, y, v, z: i_order(v, z, n=1)),
    _real_only("ive", "z", _MODULUS, lambda xp, y, v, z: (ive(v - 1, z) + ive(v + 1, z)) / 2 - xp.sign(z) * y),
    names="v z",
    doc="I_v(z) exp(-|Re z|).  Derivation: as iv for real z, less sign(z) times the value.",
    cases=uniform((-1, 3), (0.5, 6), slow=True),
)
kve: Primitive = elementwise(
    sp.kve,
    _real_only("kve", "v", _COMPLEX_ORDER, lambda xp, y, v, z: k_order(v, z, n=1)),
    lambda xp, y, v, z: y - (kve(v - 1, z) + kve(v + 1, z)) / 2,
    names="v z",
    doc="K_v(z) exp(z).  Derivation: as kv, plus the value.",
    cases=[*uniform((-1, 3), (0.5, 6), slow=True), lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j)],
)


def _hankel(name: str, kind: int, scaled: bool) -> Primitive:
    """A Hankel function, or one times exp(-+i z)."""
    sign = 1j if kind == 1 else -1j

    def order(xp: Any, y: Any, v: Any, z: Any) -> Any:
        found = hankel_order(v, z, n=1, kind=kind)
        return found * xp.exp(-sign * z) if scaled else found

    def slope(xp: Any, y: Any, v: Any, z: Any) -> Any:
        f = globals()[name]
        gap = (f(v - 1, z) - f(v + 1, z)) / 2
        return gap - sign * y if scaled else gap

    return elementwise(
        getattr(sp, name),
        _real_only(name, "v", _COMPLEX_ORDER, order),
        slope,
        names="v z",
        name=name,
        doc=_DOC.format(f"The Hankel function of kind {kind}" + " scaled by an exponential" * scaled, "(H_(v-1) - H_(v+1)) / 2"),
        cases=[*uniform((-1, 3), (0.5, 6), slow=True), lambda rng: (2, rng.uniform(0.5, 3, 2) + 0.5j)],
    )


hankel1: Primitive = _hankel("hankel1", 1, False)
hankel1e: Primitive = _hankel("hankel1e", 1, True)
hankel2: Primitive = _hankel("hankel2", 2, False)
hankel2e: Primitive = _hankel("hankel2e", 2, True)

_INTEGER = "the order is an integer"
yn: Primitive = elementwise(
    sp.yn,
    _INTEGER,
    lambda xp, y, n, x: (yn(n - 1, x) - yn(n + 1, x)) / 2,
    names="n x",
    doc="Y_n(x) of integer order.  Derivation: (Y_(n-1) - Y_(n+1)) / 2.",
    cases=[*uniform(2, (0.5, 6)), lambda rng: (np.array([0, 1, -2]), rng.uniform(0.5, 6, 3))],
)
kn: Primitive = elementwise(
    sp.kn,
    _INTEGER,
    lambda xp, y, n, x: -(kn(abs(n - 1), x) + kn(n + 1, x)) / 2,
    names="n x",
    doc="K_n(x) of integer order.  Derivation: -(K_(n-1) + K_(n+1)) / 2.",
    cases=[*uniform(2, (0.5, 6)), lambda rng: (np.array([0, 1, 3]), rng.uniform(0.5, 6, 3))],
)


def _quotient(sign: float, x: Any, n: int) -> Any:
    """J_n(x) / x^n or I_n(x) / x^n, an entire function: by 0F1 near zero (DLMF 10.16.9, 10.39.9)."""
    x = np.asarray(x)
    near = np.abs(x) < 1
    apart = np.where(near, 1.0, x)
    bessel = (sp.j1 if sign < 0 else sp.i1)(apart) if n == 1 else (sp.jv if sign < 0 else sp.iv)(float(n), apart)
    far = bessel / apart**n
    if near.any():
        far = np.where(near, sp.hyp0f1(n + 1.0, sign * x * x / 4) * sp.poch(n + 1.0, -n) / 2.0**n, far)
    return far[()]


def _j_quotient(x: Any, *, n: int) -> Any:
    """J_n(x) / x^n."""
    return _quotient(-1.0, x, n)


def _i_quotient(x: Any, *, n: int) -> Any:
    """I_n(x) / x^n."""
    return _quotient(1.0, x, n)


j_quotient: Primitive = elementwise(
    _j_quotient,
    lambda xp, y, x, n: -x * j_quotient(x, n=n + 1),
    name="j_quotient",
    cases=[lambda rng: rb.case(rng.uniform(-3, 3, 3), n=1)],
)
i_quotient: Primitive = elementwise(
    _i_quotient,
    lambda xp, y, x, n: x * i_quotient(x, n=n + 1),
    name="i_quotient",
    cases=[lambda rng: rb.case(rng.uniform(-3, 3, 3), n=1)],
)
j0: Primitive = elementwise(sp.j0, lambda xp, y, x: -j1(x), doc="J_0(x).  Derivation: -J_1 (DLMF 10.6.3).", cases=uniform((-6, 6)))
j1: Primitive = elementwise(
    sp.j1,
    lambda xp, y, x: j0(x) - j_quotient(x, n=1),
    doc="J_1(x).  Derivation: J_0 - J_1 / x (DLMF 10.6.2), regular at 0.",
    cases=uniform((-6, 6)),
)
y0: Primitive = elementwise(sp.y0, lambda xp, y, x: -y1(x), doc="Y_0(x).  Derivation: -Y_1 (DLMF 10.6.3).", cases=uniform((0.5, 6)))
y1: Primitive = elementwise(
    sp.y1, lambda xp, y, x: y0(x) - y / x, doc="Y_1(x).  Derivation: Y_0 - Y_1 / x (DLMF 10.6.2).", cases=uniform((0.5, 6))
)
i0: Primitive = elementwise(sp.i0, lambda xp, y, x: i1(x), doc="I_0(x).  Derivation: I_1 (DLMF 10.29.3).", cases=uniform((-4, 4)))
i1: Primitive = elementwise(
    sp.i1,
    lambda xp, y, x: i0(x) - i_quotient(x, n=1),
    doc="I_1(x).  Derivation: I_0 - I_1 / x (DLMF 10.29.2), regular at 0.",
    cases=uniform((-4, 4)),
)
k0: Primitive = elementwise(sp.k0, lambda xp, y, x: -k1(x), doc="K_0(x).  Derivation: -K_1 (DLMF 10.29.3).", cases=uniform((0.5, 6)))
k1: Primitive = elementwise(
    sp.k1, lambda xp, y, x: -k0(x) - y / x, doc="K_1(x).  Derivation: -K_0 - K_1 / x (DLMF 10.29.2).", cases=uniform((0.5, 6))
)


i_scaled: Primitive = elementwise(
    _scaled.i_scaled,
    lambda xp, y, x, order, n: i_scaled(x, order=order, n=n + 1),
    name="i_scaled",
    cases=[lambda rng: rb.case(rng.uniform(0.5, 50, 3), order=0, n=1)],
)
k_scaled: Primitive = elementwise(
    _scaled.k_scaled,
    lambda xp, y, x, order, n: k_scaled(x, order=order, n=n + 1),
    name="k_scaled",
    cases=[lambda rng: rb.case(rng.uniform(0.5, 50, 3), order=0, n=1)],
)
i0e: Primitive = elementwise(
    sp.i0e,
    lambda xp, y, x: xp.sign(x) * i_scaled(xp.abs(x), order=0, n=1),
    doc="I_0(x) exp(-|x|).  Derivation: sign(x) (I_1 - I_0) exp(-|x|), for large x by the expansion DLMF 10.40.1; 0 at the kink x = 0.",
    cases=uniform((0.5, 6)),
)
i1e: Primitive = elementwise(
    sp.i1e,
    lambda xp, y, x: i_scaled(xp.abs(x), order=1, n=1),
    doc="I_1(x) exp(-|x|).  Derivation: (I_0 - I_1 / |x| - I_1) exp(-|x|), for large x by the expansion DLMF 10.40.1.",
    cases=uniform((0.5, 6)),
)
k0e: Primitive = elementwise(
    sp.k0e,
    lambda xp, y, x: k_scaled(x, order=0, n=1),
    doc="K_0(x) exp(x).  Derivation: (K_0 - K_1) exp(x), for large x by the expansion DLMF 10.40.2.",
    cases=uniform((0.5, 6)),
)
k1e: Primitive = elementwise(
    sp.k1e,
    lambda xp, y, x: k_scaled(x, order=1, n=1),
    doc="K_1(x) exp(x).  Derivation: (K_1 - K_0 - K_1 / x) exp(x), for large x by the expansion DLMF 10.40.2.",
    cases=uniform((0.5, 6)),
)
