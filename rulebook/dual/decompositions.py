"""The Cholesky decomposition.  The others come from the rule library, `rulebook.rules.numpy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lapack import cholesky_tangents
from rulebook.dual.parts import join
from rulebook.dual.registry import rule

__all__: list[str] = []


def _h(x: Any) -> Any:
    """The adjoint."""
    return np.conjugate(np.swapaxes(x, -1, -2))


def _hermitian(t: Any) -> Any:
    """What LAPACK reads of a tangent: the lower triangle, mirrored; a real diagonal."""
    low = np.tril(t, -1)
    whole = low + _h(low)
    if type(t) is np.ndarray:
        i = np.arange(t.shape[-1])
        whole[..., i, i] = np.real(t[..., i, i])
        return whole
    return whole + np.real(t) * np.eye(t.shape[-1])


@rule(np.linalg.cholesky)
def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """L_dot = L phi(L^-1 A_dot L^-H), phi the lower triangle with half the diagonal (Murray 2016)."""
    if upper:
        return _h(_cholesky(_h(a)))
    low = np.linalg.cholesky(a.p)
    read = _hermitian(a.tangent)
    if type(low) is np.ndarray and low.ndim == 2 and type(read) is np.ndarray:
        t = cholesky_tangents(low, read)
        if t is not None:
            return join(low, t, a.tag)
    half = np.linalg.solve(low, read)
    inner = _h(np.linalg.solve(low, _h(half)))
    n = low.shape[-1]
    return join(low, np.matmul(low, inner * (np.tril(np.ones((n, n))) - 0.5 * np.eye(n))), a.tag)
