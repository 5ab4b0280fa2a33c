"""Linear algebra.  Solving with k tangents is one factorisation and one call for all right-hand sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lapack import factor
from rulebook.dual.parts import join, primal, tag_of, tangent
from rulebook.dual.registry import rule

__all__ = ["solve_with"]


def _columns(t: Any) -> Any:
    """k stacked vectors or matrices (k, ..., n, m) side by side: (..., n, k * m)."""
    moved = np.moveaxis(t, 0, -2)  # (..., n, k, m)
    return np.reshape(moved, (*moved.shape[:-2], moved.shape[-2] * moved.shape[-1]))


def _uncolumns(x: Any, k: int) -> Any:
    return np.moveaxis(np.reshape(x, (*x.shape[:-1], k, x.shape[-1] // k if k else 0)), -2, 0)


def solve_with(solver: Any, a_dot: Any, x: Any, b_dot: Any, product: Any = np.matmul) -> Any:
    """The tangents of x, A x = b: A x_dot = b_dot - A_dot x, all k right-hand sides in one call.

    Args:
        solver: solves with A for a matrix of columns.
        a_dot, b_dot: stacked tangents of A and b, or None.
        x: the solution, with axes (..., n, m).
    """
    right = b_dot
    if a_dot is not None:
        moved = product(a_dot, x)
        right = -moved if right is None else right - moved
    k = right.shape[0]
    if right.ndim - 1 < np.ndim(x):
        right = np.reshape(right, (k, *(1,) * (np.ndim(x) + 1 - right.ndim), *right.shape[1:]))
    return _uncolumns(solver(_columns(right)), k)


@rule(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    if np.ndim(b) == 1:
        return _solve(a, np.reshape(b, (-1, 1)))[..., 0]
    tag = max(tag_of(a), tag_of(b))
    p, q = primal(a, tag), primal(b, tag)
    if type(p) is np.ndarray and p.ndim == 2 and type(q) is np.ndarray and q.ndim == 2:
        return _solve_factored(a, b, tag, p, q)
    x = np.linalg.solve(p, q)
    ndim = np.ndim(x)
    t = solve_with(lambda r: np.linalg.solve(p, r), tangent(a, tag, ndim), x, tangent(b, tag, ndim))
    return join(x, t, tag)


def _solve_factored(a: Any, b: Any, tag: int, p: Any, q: Any) -> Any:
    """One LU factorisation for the primal and the tangents: np.linalg.solve factors in each call."""
    solver = factor(p)
    if solver is None:
        x = np.linalg.solve(p, q)
        solver = lambda r: np.linalg.solve(p, r)
    else:
        x = solver(q)
    return join(x, solve_with(solver, tangent(a, tag), x, tangent(b, tag)), tag)


@rule(np.linalg.inv)
def _inv(a: Any) -> Any:
    y = np.linalg.inv(a.p)
    return join(y, -np.matmul(np.matmul(y, a.tangent), y), a.tag)


@rule(np.linalg.det)
def _det(a: Any) -> Any:
    """By the adjugate, so that it is right for singular matrices too: from the singular value decomposition."""
    y = np.linalg.det(a.p)
    t = np.trace(np.matmul(_adjugate(a.p), a.tangent), axis1=-2, axis2=-1)
    return join(y, t, a.tag)


def _adjugate(p: Any) -> Any:
    if tag_of(p):
        return np.reshape(np.linalg.det(p), (*p.shape[:-2], 1, 1)) * np.linalg.inv(p)
    u, s, vh = np.linalg.svd(p)
    n = s.shape[-1]
    others = np.stack([np.prod(np.delete(s, i, axis=-1), axis=-1) for i in range(n)], axis=-1) if n else s
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return np.reshape(sign, (*sign.shape, 1, 1)) * np.matmul(
        np.conjugate(np.swapaxes(vh, -1, -2)) * others[..., None, :], np.conjugate(np.swapaxes(u, -1, -2))
    )


@rule(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    sign, logabs = np.linalg.slogdet(a.p)
    t = np.trace(np.linalg.solve(a.p, a.tangent), axis1=-2, axis2=-1)
    if a.dtype.kind == "c":
        return _Slogdet(join(sign, 1j * np.imag(t) * sign, a.tag), join(logabs, np.real(t), a.tag))
    return _Slogdet(sign, join(logabs, t, a.tag))


_Slogdet = type(np.linalg.slogdet(np.eye(1)))


@rule(np.linalg.trace)
def _linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.trace(x, offset, -2, -1, dtype)
