"""The functions of the library with the arguments of SciPy's functions that are no ufuncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy.special as sp

from rulebook import native
from rulebook.rules.special.expint import lambertw
from rulebook.rules.special.gamma import polygamma, zeta
from rulebook.rules.special.spherical import spherical_in, spherical_jn, spherical_kn, spherical_yn
from rulebook.rules.special.sums import log_softmax, logsumexp, softmax

__all__ = ["AS_IN_SCIPY"]


def _zeta(x: Any, q: Any = None) -> Any:
    return zeta(x) if q is None else zeta(x, q)


def _lambertw(z: Any, k: Any = 0, tol: Any = 1e-8) -> Any:
    return lambertw(z, k=int(k), tol=float(tol))


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    return logsumexp(a, b, axis=axis, keepdims=keepdims)


def _with_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=None: function(x, axis=axis)


def _with_derivative(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda n, z, derivative=False: function(n, z, derivative=derivative)


_SPHERICAL = {"spherical_jn": spherical_jn, "spherical_yn": spherical_yn, "spherical_in": spherical_in, "spherical_kn": spherical_kn}

AS_IN_SCIPY: dict[str, Callable[..., Any]] = {
    "polygamma": polygamma,
    "zeta": _zeta,
    "lambertw": _lambertw,
    "logsumexp": _logsumexp,
    "softmax": _with_axis(softmax),
    "log_softmax": _with_axis(log_softmax),
    **{name: _with_derivative(function) for name, function in _SPHERICAL.items()},
}


def _stand(name: str, function: Callable[..., Any]) -> None:
    """For the ufunc that a function of SciPy written in Python calls with its arguments as they are, where this SciPy has it."""
    ufunc = getattr(sp._ufuncs, name, None)
    if ufunc is not None:
        native.stand_for(function, ufunc)


_stand("_riemann_zeta", zeta)
_stand("_zeta", zeta)
_stand("_lambertw", _lambertw)
