"""Distribution functions and their inverses: gamma, beta, chi-square, F, Student, binomial, Poisson, normal.

All are incomplete gamma and beta functions, P(a, x) and I_x(a, b), of scaled arguments; the chain rule and the inverse function rule
do the rest.  P_a, I_a and I_b are the derivatives with respect to parameters, p(a, x) and i(a, b, x) the densities.
"""

from __future__ import annotations

import math
from typing import Any

import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise, uniform
from rulebook.rules.special.elementary import lambda_slope
from rulebook.rules.special.error import ndtri
from rulebook.rules.special.gamma import beta
from rulebook.rules.special.incomplete import beta_density, beta_order, gamma_density, gamma_order

__all__ = [
    "bdtr",
    "bdtrc",
    "bdtri",
    "btdtria",
    "btdtrib",
    "chdtr",
    "chdtrc",
    "chdtri",
    "chdtriv",
    "fdtr",
    "fdtrc",
    "fdtri",
    "gdtr",
    "gdtrc",
    "gdtria",
    "gdtrib",
    "gdtrix",
    "nbdtr",
    "nbdtrc",
    "nbdtri",
    "nrdtrimn",
    "nrdtrisd",
    "pdtr",
    "pdtrc",
    "pdtri",
    "pdtrik",
    "stdtr",
    "stdtridf",
    "stdtrit",
    "tklmbda",
]

_SQRT_2PI = math.sqrt(2 * math.pi)


def _p(a: Any, x: Any) -> Any:
    return gamma_density(a, x, n=0)


def _p_a(a: Any, x: Any) -> Any:
    return gamma_order(a, x, n=1)


def _i(a: Any, b: Any, x: Any) -> Any:
    return beta_density(a, b, x, i=0, j=0)


def _i_a(a: Any, b: Any, x: Any) -> Any:
    return beta_order(a, b, x, i=1, j=0)


def _i_b(a: Any, b: Any, x: Any) -> Any:
    return beta_order(a, b, x, i=0, j=1)


chdtr: Primitive = elementwise(
    sp.chdtr,
    lambda xp, y, v, x: _p_a(v / 2, x / 2) / 2,
    lambda xp, y, v, x: _p(v / 2, x / 2) / 2,
    names="v x",
    doc="The chi-square distribution function P(v / 2, x / 2).  Derivation: chain rule.",
    cases=uniform((1, 6), (0.5, 6), slow=True),
)
chdtrc: Primitive = elementwise(
    sp.chdtrc,
    lambda xp, y, v, x: -_p_a(v / 2, x / 2) / 2,
    lambda xp, y, v, x: -_p(v / 2, x / 2) / 2,
    names="v x",
    doc="1 - chdtr(v, x).  Derivation: as chdtr.",
    cases=uniform((1, 6), (0.5, 6), slow=True),
)
chdtri: Primitive = elementwise(
    sp.chdtri,
    lambda xp, x, v, p: -_p_a(v / 2, x / 2) / _p(v / 2, x / 2),
    lambda xp, x, v, p: -2 / _p(v / 2, x / 2),
    names="v p",
    doc="x with chdtrc(v, x) = p.  Derivation: inverse function.",
    cases=uniform((1, 6), (0.1, 0.9), slow=True),
)
chdtriv: Primitive = elementwise(
    sp.chdtriv,
    lambda xp, v, p, x: 2 / _p_a(v / 2, x / 2),
    lambda xp, v, p, x: -_p(v / 2, x / 2) / _p_a(v / 2, x / 2),
    names="p x",
    doc="v with chdtr(v, x) = p.  Derivation: inverse function.",
    cases=uniform((0.2, 0.8), (1, 6), slow=True),
)
gdtr: Primitive = elementwise(
    sp.gdtr,
    lambda xp, y, a, b, x: x * _p(b, a * x),
    lambda xp, y, a, b, x: _p_a(b, a * x),
    lambda xp, y, a, b, x: a * _p(b, a * x),
    names="a b x",
    doc="The gamma distribution function P(b, a x).  Derivation: chain rule.",
    cases=uniform((0.5, 2), (0.5, 3), (0.5, 3), slow=True),
)
gdtrc: Primitive = elementwise(
    sp.gdtrc,
    lambda xp, y, a, b, x: -x * _p(b, a * x),
    lambda xp, y, a, b, x: -_p_a(b, a * x),
    lambda xp, y, a, b, x: -a * _p(b, a * x),
    names="a b x",
    doc="1 - gdtr(a, b, x).  Derivation: as gdtr.",
    cases=uniform((0.5, 2), (0.5, 3), (0.5, 3), slow=True),
)
gdtrix: Primitive = elementwise(
    sp.gdtrix,
    lambda xp, x, a, b, p: -x / a,
    lambda xp, x, a, b, p: -_p_a(b, a * x) / (a * _p(b, a * x)),
    lambda xp, x, a, b, p: 1 / (a * _p(b, a * x)),
    names="a b p",
    doc="x with gdtr(a, b, x) = p.  Derivation: inverse function.",
    cases=uniform((0.5, 2), (0.5, 3), (0.1, 0.9), slow=True),
)
gdtria: Primitive = elementwise(
    sp.gdtria,
    lambda xp, a, p, b, x: 1 / (x * _p(b, a * x)),
    lambda xp, a, p, b, x: -_p_a(b, a * x) / (x * _p(b, a * x)),
    lambda xp, a, p, b, x: -a / x,
    names="p b x",
    doc="a with gdtr(a, b, x) = p.  Derivation: inverse function.",
    cases=uniform((0.1, 0.9), (0.5, 3), (0.5, 3), slow=True),
)
gdtrib: Primitive = elementwise(
    sp.gdtrib,
    lambda xp, b, a, p, x: -x * _p(b, a * x) / _p_a(b, a * x),
    lambda xp, b, a, p, x: 1 / _p_a(b, a * x),
    lambda xp, b, a, p, x: -a * _p(b, a * x) / _p_a(b, a * x),
    names="a p x",
    doc="b with gdtr(a, b, x) = p.  Derivation: inverse function.",
    cases=uniform((0.5, 2), (0.2, 0.8), (0.5, 3), slow=True),
)
_STEPS = "of a distribution on the integers: its parameter is rounded down, so the derivative with respect to it is zero"
pdtr: Primitive = elementwise(
    sp.pdtr,
    None,
    lambda xp, y, k, m: -_p(xp.floor(k) + 1.0, m),
    names="k m",
    doc=f"The Poisson distribution function, {_STEPS}.  Derivation: it is 1 - P(k + 1, m).",
    cases=[*uniform(2, (0.5, 4)), lambda rng: (rng.uniform(0.1, 0.9, 2) + 2, rng.uniform(0.5, 4, 2))],
)
pdtrc: Primitive = elementwise(
    sp.pdtrc,
    None,
    lambda xp, y, k, m: _p(xp.floor(k) + 1.0, m),
    names="k m",
    doc=f"The Poisson survival function, {_STEPS}.  Derivation: it is P(k + 1, m).",
    cases=uniform(2, (0.5, 4)),
)
pdtri: Primitive = elementwise(
    sp.pdtri,
    "the number of events is an integer",
    lambda xp, m, k, y: -1 / _p(k + 1.0, m),
    names="k y",
    doc="m with pdtr(k, m) = y.  Derivation: inverse function.",
    cases=uniform(2, (0.1, 0.9)),
)
pdtrik: Primitive = elementwise(
    sp.pdtrik,
    lambda xp, k, p, m: xp.where(k == 0, 0.0, -1 / _p_a(k + 1.0, m)),
    lambda xp, k, p, m: xp.where(k == 0, 0.0, -_p(k + 1.0, m) / _p_a(k + 1.0, m)),
    names="p m",
    doc="k with 1 - P(k + 1, m) = p, continuous in k; 0, and constant, where no k has it.  Derivation: inverse function.",
    cases=uniform((0.3, 0.8), (2, 5), slow=True),
)


def _f(dfn: Any, dfd: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """(dfn / 2, dfd / 2, w, dw/dx) of fdtr = I_w(dfn / 2, dfd / 2), w = dfn x / (dfd + dfn x)."""
    total = dfd + dfn * x
    return dfn / 2, dfd / 2, dfn * x / total, dfn * dfd / total**2


def _fdtr_n(dfn: Any, dfd: Any, x: Any) -> Any:
    a, b, w, slope = _f(dfn, dfd, x)
    return _i_a(a, b, w) / 2 + _i(a, b, w) * slope * x / dfn


def _fdtr_d(dfn: Any, dfd: Any, x: Any) -> Any:
    a, b, w, slope = _f(dfn, dfd, x)
    return _i_b(a, b, w) / 2 - _i(a, b, w) * slope * x / dfd


def _fdtr_x(dfn: Any, dfd: Any, x: Any) -> Any:
    a, b, w, slope = _f(dfn, dfd, x)
    return _i(a, b, w) * slope


fdtr: Primitive = elementwise(
    sp.fdtr,
    lambda xp, y, dfn, dfd, x: _fdtr_n(dfn, dfd, x),
    lambda xp, y, dfn, dfd, x: _fdtr_d(dfn, dfd, x),
    lambda xp, y, dfn, dfd, x: _fdtr_x(dfn, dfd, x),
    names="dfn dfd x",
    doc="The F distribution function I_w(dfn / 2, dfd / 2), w = dfn x / (dfd + dfn x).  Derivation: chain rule.",
    cases=uniform((1, 6), (1, 6), (0.3, 3), slow=True),
)
fdtrc: Primitive = elementwise(
    sp.fdtrc,
    lambda xp, y, dfn, dfd, x: -_fdtr_n(dfn, dfd, x),
    lambda xp, y, dfn, dfd, x: -_fdtr_d(dfn, dfd, x),
    lambda xp, y, dfn, dfd, x: -_fdtr_x(dfn, dfd, x),
    names="dfn dfd x",
    doc="1 - fdtr(dfn, dfd, x).  Derivation: as fdtr.",
    cases=uniform((1, 6), (1, 6), (0.3, 3), slow=True),
)
fdtri: Primitive = elementwise(
    sp.fdtri,
    lambda xp, x, dfn, dfd, p: -_fdtr_n(dfn, dfd, x) / _fdtr_x(dfn, dfd, x),
    lambda xp, x, dfn, dfd, p: -_fdtr_d(dfn, dfd, x) / _fdtr_x(dfn, dfd, x),
    lambda xp, x, dfn, dfd, p: 1 / _fdtr_x(dfn, dfd, x),
    names="dfn dfd p",
    doc="x with fdtr(dfn, dfd, x) = p.  Derivation: inverse function.",
    cases=uniform((1, 6), (1, 6), (0.1, 0.9), slow=True),
)


def _student(xp: Any, df: Any, t: Any) -> Any:
    """The density."""
    return xp.exp(-(df + 1) / 2 * xp.log1p(t * t / df)) / (xp.sqrt(df) * beta(df / 2, 0.5))


def _student_df(xp: Any, df: Any, t: Any) -> Any:
    """F is 1/2 + sign(t) I_z(1/2, df / 2) / 2 with z = t^2 / (df + t^2); for large z by the complement, which keeps the digits of 1 - z."""
    total = df + t * t
    z, rest = t * t / total, df / total
    small = z < 0.5
    near = _i_b(0.5, df / 2, xp.where(small, z, 0.25))
    slope = xp.where(small, near, -_i_a(df / 2, 0.5, xp.where(small, 0.25, rest)))
    return xp.sign(t) * slope / 4 - _student(xp, df, t) * t / (2 * df)


stdtr: Primitive = elementwise(
    sp.stdtr,
    lambda xp, y, df, t: _student_df(xp, df, t),
    lambda xp, y, df, t: _student(xp, df, t),
    names="df t",
    doc="Student's distribution function 1/2 + sign(t) I_z(1/2, df / 2) / 2, z = t^2 / (df + t^2).  Derivation: chain rule.",
    cases=uniform((1, 6), (0.3, 3), slow=True),
)
stdtrit: Primitive = elementwise(
    sp.stdtrit,
    lambda xp, t, df, p: -_student_df(xp, df, t) / _student(xp, df, t),
    lambda xp, t, df, p: 1 / _student(xp, df, t),
    names="df p",
    doc="t with stdtr(df, t) = p.  Derivation: inverse function.",
    cases=uniform((1, 6), (0.6, 0.9), slow=True),
)
_MOST = 0.99e10  # where, to rounding, SciPy's search for the degrees of freedom ends
stdtridf: Primitive = elementwise(
    sp.stdtridf,
    lambda xp, df, p, t: xp.where(df >= _MOST, 0.0, 1 / _student_df(xp, df, t)),
    lambda xp, df, p, t: xp.where(df >= _MOST, 0.0, -_student(xp, df, t) / _student_df(xp, df, t)),
    names="p t",
    doc="df with stdtr(df, t) = p; SciPy's limit, 1e10, and constant, where no df has it.  Derivation: inverse function.",
    cases=uniform((0.76, 0.8), (0.9, 1.0), slow=True),
)
_TRIALS = "the number of trials is an integer"
bdtr: Primitive = elementwise(
    sp.bdtr,
    None,
    _TRIALS,
    lambda xp, y, k, n, p: -_i(n - xp.floor(k), xp.floor(k) + 1.0, 1 - p),
    names="k n p",
    doc=f"The binomial distribution function, {_STEPS}.  Derivation: it is I_(1-p)(n - k, k + 1).",
    cases=uniform(2, 5, (0.1, 0.9)),
)
bdtrc: Primitive = elementwise(
    sp.bdtrc,
    None,
    _TRIALS,
    lambda xp, y, k, n, p: _i(n - xp.floor(k), xp.floor(k) + 1.0, 1 - p),
    names="k n p",
    doc=f"The binomial survival function, {_STEPS}.  Derivation: 1 - bdtr.",
    cases=uniform(2, 5, (0.1, 0.9)),
)
bdtri: Primitive = elementwise(
    sp.bdtri,
    _TRIALS,
    _TRIALS,
    lambda xp, p, k, n, y: -1 / _i(n - xp.floor(k), xp.floor(k) + 1.0, 1 - p),
    names="k n y",
    doc="p with bdtr(k, n, p) = y.  Derivation: inverse function.",
    cases=uniform(2, 5, (0.1, 0.9)),
)
nbdtr: Primitive = elementwise(
    sp.nbdtr,
    None,
    _TRIALS,
    lambda xp, y, k, n, p: _i(1.0 * n, xp.floor(k) + 1.0, p),
    names="k n p",
    doc=f"The negative binomial distribution function, {_STEPS}.  Derivation: it is I_p(n, k + 1).",
    cases=uniform(2, 5, (0.1, 0.9)),
)
nbdtrc: Primitive = elementwise(
    sp.nbdtrc,
    None,
    _TRIALS,
    lambda xp, y, k, n, p: -_i(1.0 * n, xp.floor(k) + 1.0, p),
    names="k n p",
    doc=f"The negative binomial survival function, {_STEPS}.  Derivation: 1 - nbdtr.",
    cases=uniform(2, 5, (0.1, 0.9)),
)
nbdtri: Primitive = elementwise(
    sp.nbdtri,
    _TRIALS,
    _TRIALS,
    lambda xp, p, k, n, y: 1 / _i(1.0 * n, xp.floor(k) + 1.0, p),
    names="k n y",
    doc="p with nbdtr(k, n, p) = y.  Derivation: inverse function.",
    cases=uniform(2, 5, (0.1, 0.9)),
)
btdtria: Primitive = elementwise(
    sp.btdtria,
    lambda xp, a, p, b, x: 1 / _i_a(a, b, x),
    lambda xp, a, p, b, x: -_i_b(a, b, x) / _i_a(a, b, x),
    lambda xp, a, p, b, x: -_i(a, b, x) / _i_a(a, b, x),
    names="p b x",
    doc="a with I_x(a, b) = p.  Derivation: inverse function.",
    cases=uniform((0.2, 0.8), (0.5, 3), (0.3, 0.7), slow=True),
)
btdtrib: Primitive = elementwise(
    sp.btdtrib,
    lambda xp, b, a, p, x: -_i_a(a, b, x) / _i_b(a, b, x),
    lambda xp, b, a, p, x: 1 / _i_b(a, b, x),
    lambda xp, b, a, p, x: -_i(a, b, x) / _i_b(a, b, x),
    names="a p x",
    doc="b with I_x(a, b) = p.  Derivation: inverse function.",
    cases=uniform((0.5, 3), (0.2, 0.8), (0.3, 0.7), slow=True),
)


def _quantile_slope(xp: Any, p: Any) -> Any:
    """d ndtri(p) / dp."""
    z = ndtri(p)
    return _SQRT_2PI * xp.exp(0.5 * z * z)


nrdtrimn: Primitive = elementwise(
    sp.nrdtrimn,
    lambda xp, y, p, std, x: -std * _quantile_slope(xp, p),
    lambda xp, y, p, std, x: -ndtri(p),
    lambda xp, y, p, std, x: 1.0,
    names="p std x",
    doc="The mean x - std ndtri(p) of the normal distribution with quantile x at p.  Derivation: term by term.",
    cases=uniform((0.1, 0.9), (0.5, 2), (-2, 2)),
)
nrdtrisd: Primitive = elementwise(
    sp.nrdtrisd,
    lambda xp, y, mn, p, x: -1 / ndtri(p),
    lambda xp, y, mn, p, x: -y / ndtri(p) * _quantile_slope(xp, p),
    lambda xp, y, mn, p, x: 1 / ndtri(p),
    names="mn p x",
    doc="The standard deviation (x - mn) / ndtri(p) of the normal distribution with quantile x at p.  Derivation: quotient rule.",
    cases=uniform((-1, 0), (0.6, 0.9), (0.5, 2)),
)


def _tukey(xp: Any, p: Any, lmbda: Any) -> tuple[Any, Any]:
    """The slope of the quantile function boxcox(p, lambda) - boxcox(1 - p, lambda) in p, and its derivative in lambda."""
    return p ** (lmbda - 1) + (1 - p) ** (lmbda - 1), lambda_slope(xp.log(p), lmbda) - lambda_slope(xp.log1p(-p), lmbda)


def _tukey_lambda(xp: Any, p: Any, x: Any, lmbda: Any) -> Any:
    slope, moved = _tukey(xp, p, lmbda)
    return -moved / slope


tklmbda: Primitive = elementwise(
    sp.tklmbda,
    lambda xp, p, x, lmbda: 1 / _tukey(xp, p, lmbda)[0],
    _tukey_lambda,
    names="x lmbda",
    doc="Tukey's lambda distribution function.  Derivation: inverse function of its quantile, boxcox(p, lambda) - boxcox(1 - p, lambda).",
    cases=uniform((-0.8, 0.8), (0.1, 0.8)),
)
