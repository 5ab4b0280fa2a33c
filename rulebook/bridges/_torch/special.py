"""The names of `scipy.special` on torch values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rulebook.bridges._torch import wrap as xp
from rulebook.bridges._torch.wrap import Axis, axes_of, tensor


def _one(name: str) -> Any:
    return xp.floating(getattr(torch.special, name))


def _two(name: str) -> Any:
    return xp.binary(getattr(torch.special, name))


_NAMES = (
    *("digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "i0e", "i1", "i1e"),
    *("log1p", "log_ndtr", "ndtr", "ndtri"),
)
globals().update({name: _one(name) for name in _NAMES})
globals().update({name: _two(name) for name in ("gammainc", "gammaincc", "xlog1py", "xlogy", "zeta")})
j0, j1, y0, y1 = (_one(name) for name in ("bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"))
psi = _one("digamma")


def logit(x: Any) -> Tensor:
    """log(x / (1 - x))."""
    return torch.logit(tensor(x))


def gamma(z: Any) -> Tensor:
    """The gamma function; by the reflection formula left of zero."""
    z = tensor(z)
    right = torch.where(z > 0, z, 1 - z)
    magnitude = torch.exp(torch.lgamma(right))
    return torch.where(z > 0, magnitude, torch.pi / (torch.sin(torch.pi * z) * magnitude))


def betaln(a: Any, b: Any) -> Tensor:
    """The logarithm of the beta function."""
    a, b = xp.tensors(a, b)
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


def beta(a: Any, b: Any) -> Tensor:
    """The beta function of positive arguments."""
    return torch.exp(betaln(a, b))


def polygamma(n: int, x: Any) -> Tensor:
    """A derivative of the digamma function."""
    return torch.polygamma(n, tensor(x))


def logsumexp(a: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(a)))."""
    a = tensor(a)
    return torch.logsumexp(a, axes_of(axis, a.ndim), keepdim=keepdims)


def log_softmax(x: Any, axis: Axis = None) -> Tensor:
    """The logarithm of `softmax`."""
    return tensor(x) - logsumexp(x, axis, keepdims=True)


def softmax(x: Any, axis: Axis = None) -> Tensor:
    """exp(x), divided by its sum."""
    return torch.exp(log_softmax(x, axis))


def rel_entr(x: Any, y: Any) -> Tensor:
    """x log(x / y), zero where x is zero."""
    x, y = xp.tensors(x, y)
    return torch.special.xlogy(x, x) - torch.special.xlogy(x, y)
