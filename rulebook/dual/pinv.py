"""The pseudoinverse (Golub and Pereyra 1973)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import unsupported
from rulebook.dual.lifting import UNSET, given, plain
from rulebook.dual.parts import join
from rulebook.dual.registry import rule

__all__: list[str] = []


def _h(x: Any) -> Any:
    return np.conjugate(np.swapaxes(x, -1, -2))


@rule(np.linalg.pinv)
def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = UNSET) -> Any:
    """Defined where the tangents keep the rank; NaN where they do not."""
    if hermitian:  # what is read of it
        low = np.tril(a, -1)
        a = low + _h(low) + np.real(np.diagonal(a, axis1=-2, axis2=-1))[..., None] * np.eye(a.shape[-1], dtype=a.dtype)
    cut = {"rcond": rcond} if given(rcond) else {} if rtol is UNSET else {"rtol": rtol}
    inverse = np.linalg.pinv(a.p, hermitian=hermitian, **cut)
    return join(inverse, _turned(a.p, a.tangent, inverse), a.tag)


def _turned(a: Any, a_dot: Any, inverse: Any) -> Any:
    m, n = a.shape[-2:]
    left = np.eye(m, dtype=inverse.dtype) - np.matmul(a, inverse)  # projects on what a does not reach
    right = np.eye(n, dtype=inverse.dtype) - np.matmul(inverse, a)  # on what it maps to zero
    h = _h(a_dot)
    t = -np.matmul(inverse, np.matmul(a_dot, inverse))
    t = t + np.matmul(np.matmul(inverse, _h(inverse)), np.matmul(h, left))
    t = t + np.matmul(right, np.matmul(h, np.matmul(_h(inverse), inverse)))
    values, bare = plain(a, "np.linalg.pinv()"), plain(inverse, "np.linalg.pinv()")
    if not values.size or np.all(np.linalg.matrix_rank(bare) == min(m, n)):
        return t
    small = 1e3 * max(m, n) * np.finfo(values.dtype).eps
    if np.any(_size(np.matmul(np.matmul(values, bare), values) - values) > small * _size(values)):
        raise unsupported("np.linalg.pinv", "rcond= that drops singular values that are not zero", "use a smaller rcond")
    leaves = _size(plain(np.matmul(left, np.matmul(a_dot, right)), "np.linalg.pinv()"))
    return np.where(leaves > small * _size(plain(a_dot, "np.linalg.pinv()")), np.nan, t)


def _size(x: Any) -> Any:
    return np.max(np.abs(x), axis=(-2, -1), keepdims=True)
