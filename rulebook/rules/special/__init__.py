"""Functions of scipy.special.  Loaded when one of them meets a dual, or by `rb.xp(x).special`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.dual.elementwise import binary, combine, unary
from rulebook.dual.parts import is_dual, peel, top

__all__ = ["log_softmax", "logsumexp", "polygamma", "softmax", "zeta"]

_TWO_OVER_SQRT_PI = 2.0 / np.sqrt(np.pi)
_SQRT_2PI = np.sqrt(2.0 * np.pi)


def _half_at_zero(y: Any, x: Any) -> Any:
    """y / x for Bessel functions of order 1, whose quotient is 1/2 at zero."""
    zero = np.equal(x, 0)
    return np.where(zero, 0.5, y / np.where(zero, 1.0, x))


def _log_ndtr_slope(x: Any, y: Any) -> Any:
    return np.exp(-0.5 * x * x - y) / _SQRT_2PI


unary(sp.gammaln, lambda x, y: sp.psi(x))
unary(sp.gamma, lambda x, y: y * sp.psi(x))
unary(sp.psi, lambda x, y: polygamma(1, x))
unary(sp.erf, lambda x, y: _TWO_OVER_SQRT_PI * np.exp(-x * x))
unary(sp.erfc, lambda x, y: -_TWO_OVER_SQRT_PI * np.exp(-x * x))
unary(sp.erfcx, lambda x, y: 2 * x * y - _TWO_OVER_SQRT_PI)
unary(sp.erfinv, lambda x, y: np.exp(y * y) / _TWO_OVER_SQRT_PI)
unary(sp.erfcinv, lambda x, y: -np.exp(y * y) / _TWO_OVER_SQRT_PI)
unary(sp.expit, lambda x, y: y * (1 - y))
unary(sp.logit, lambda x, y: np.reciprocal(x * (1 - x)))
unary(sp.log_expit, lambda x, y: sp.expit(-x))
unary(sp.ndtr, lambda x, y: np.exp(-0.5 * x * x) / _SQRT_2PI)
unary(sp.ndtri, lambda x, y: np.exp(0.5 * y * y) * _SQRT_2PI)
unary(sp.log_ndtr, _log_ndtr_slope)
unary(sp.entr, lambda x, y: -np.log(x) - 1)
unary(sp.j0, lambda x, y: -sp.j1(x))
unary(sp.j1, lambda x, y: sp.j0(x) - _half_at_zero(y, x))
unary(sp.y0, lambda x, y: -sp.y1(x))
unary(sp.y1, lambda x, y: sp.y0(x) - y / x)
unary(sp.i0, lambda x, y: sp.i1(x))
unary(sp.i1, lambda x, y: sp.i0(x) - _half_at_zero(y, x))
unary(sp.i0e, lambda x, y: sp.i1e(x) - np.sign(x) * y)
unary(sp.i1e, lambda x, y: sp.i0e(x) - y * np.sign(x) - _half_at_zero(y, x))
unary(sp.expm1, lambda x, y: y + 1)
unary(sp.log1p, lambda x, y: np.reciprocal(1 + x))
unary(sp.exp2, lambda x, y: y * np.log(2.0))
unary(sp.exp10, lambda x, y: y * np.log(10.0))
binary(sp.xlogy, lambda a, b, y: np.log(b), lambda a, b, y: a / b)
binary(sp.xlog1py, lambda a, b, y: np.log1p(b), lambda a, b, y: a / (1 + b))
binary(sp.rel_entr, lambda a, b, y: np.log(a / b) + 1, lambda a, b, y: -a / b)
binary(sp.kl_div, lambda a, b, y: np.log(a / b), lambda a, b, y: 1 - a / b)
binary(sp.betaln, lambda a, b, y: sp.psi(a) - sp.psi(a + b), lambda a, b, y: sp.psi(b) - sp.psi(a + b))
binary(sp.beta, lambda a, b, y: y * (sp.psi(a) - sp.psi(a + b)), lambda a, b, y: y * (sp.psi(b) - sp.psi(a + b)))


def polygamma(n: Any, x: Any) -> Any:
    """As scipy.special.polygamma; differentiable in x."""
    if top(n):
        return sp.polygamma(n, x)  # refused there: the order is an integer
    if not is_dual(x):
        return sp.polygamma(n, x)
    return combine(x.tag, polygamma(n, x.p), [(polygamma(n + 1, x.p), x)])


def zeta(x: Any, q: Any = None) -> Any:
    """As scipy.special.zeta; differentiable in q."""
    if top(x) or not is_dual(q):
        return sp.zeta(x, q)  # refuses a dual x
    return combine(q.tag, zeta(x, q.p), [(-x * zeta(x + 1, q.p), q)])


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    """As scipy.special.logsumexp."""
    if not top(a, b):
        return sp.logsumexp(a, axis=axis, b=b, keepdims=keepdims)
    shift = np.max(peel(a), axis=axis, keepdims=True)
    shift = np.where(np.isfinite(shift), shift, 0.0)
    scaled = np.exp(a - shift) if b is None else b * np.exp(a - shift)
    y = np.log(np.sum(scaled, axis=axis, keepdims=True)) + shift
    return y if keepdims else np.squeeze(y, axis=axis)


def softmax(x: Any, axis: Any = None) -> Any:
    """As scipy.special.softmax."""
    return np.exp(x - logsumexp(x, axis=axis, keepdims=True))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """As scipy.special.log_softmax."""
    return x - logsumexp(x, axis=axis, keepdims=True)


def __getattr__(name: str) -> Any:
    """The rest of scipy.special: what has no rule raises when it meets a dual."""
    return getattr(sp, name)
