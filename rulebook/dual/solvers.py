"""SciPy's solvers with one factorisation or matrix for many right-hand sides, on dual arrays.

`rb.xp(x).linalg` gives them; on plain arrays they are SciPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from rulebook.dual.linalg import solve_with
from rulebook.dual.parts import is_dual, join, peel, primal, tag_of, tangent

__all__ = ["LU", "cho_solve", "expm", "lu_factor", "lu_solve", "solve_triangular"]


def _trans(trans: Any) -> int:
    return int({"N": 0, "T": 1, "C": 2}.get(trans, trans))


def _turn(a: Any, trans: int) -> Any:
    """a, its transpose or its adjoint; of stacked tangents too."""
    if trans == 0:
        return a
    turned = np.swapaxes(a, -1, -2)
    return np.conjugate(turned) if trans == 2 else turned


def _linear_solve(a: Any, b: Any, solver: Any, read: Any) -> Any:
    """The solution for a matrix or factor a; solver(a, b) runs on plain or outer values, read(t) is what it sees of a tangent of a."""
    if np.ndim(b) == 1:
        return _linear_solve(a, np.reshape(b, (-1, 1)), solver, read)[..., 0]
    tag = max(tag_of(a), tag_of(b))
    if not tag:
        return solver(a, b)
    p = primal(a, tag)
    x = _linear_solve(p, primal(b, tag), solver, read)
    ndim = np.ndim(x)
    a_dot = tangent(a, tag, ndim)
    t = solve_with(lambda r: _linear_solve(p, r, solver, read), None if a_dot is None else read(a_dot), x, tangent(b, tag, ndim))
    return join(x, t, tag)


def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False, **options: Any) -> Any:
    """As scipy.linalg.solve_triangular."""
    trans = _trans(trans)

    def solver(p: Any, r: Any) -> Any:
        return scipy.linalg.solve_triangular(p, r, trans=trans, lower=lower, unit_diagonal=unit_diagonal, **options)

    def read(t: Any) -> Any:
        seen = (np.tril if lower else np.triu)(t, 0 if not unit_diagonal else (-1 if lower else 1))
        return _turn(seen, trans)

    return _linear_solve(a, b, solver, read)


class LU(tuple):  # type: ignore[type-arg]
    """The factors of a dual matrix: the pair of SciPy's at its primal, and the matrix itself, which carries the tangents."""

    matrix: Any


def lu_factor(a: Any, **options: Any) -> Any:
    """As scipy.linalg.lu_factor; the pair of a dual matrix is for lu_solve alone."""
    if not is_dual(a):
        return scipy.linalg.lu_factor(a, **options)
    pair = LU(scipy.linalg.lu_factor(peel(a), **options))
    pair.matrix = a
    return pair


def lu_solve(lu_and_piv: Any, b: Any, trans: Any = 0, **options: Any) -> Any:
    """As scipy.linalg.lu_solve."""
    trans = _trans(trans)
    factors = tuple(lu_and_piv)

    def solver(p: Any, r: Any) -> Any:
        return scipy.linalg.lu_solve(factors, r, trans=trans, **options)

    return _linear_solve(getattr(lu_and_piv, "matrix", None), b, solver, lambda t: _turn(t, trans))


def cho_solve(c_and_lower: Any, b: Any, **options: Any) -> Any:
    """As scipy.linalg.cho_solve."""
    c, lower = c_and_lower
    if not is_dual(c):
        return _linear_solve(None, b, lambda p, r: scipy.linalg.cho_solve((c, lower), r, **options), lambda t: t)
    first, second = (0, 2) if lower else (2, 0)
    return solve_triangular(c, solve_triangular(c, b, trans=first, lower=lower), trans=second, lower=lower)


def expm(a: Any) -> Any:
    """As scipy.linalg.expm: the derivative is the upper right block of expm([[A, A_dot], [0, A]])."""
    if not is_dual(a):
        return scipy.linalg.expm(a)
    n = a.shape[-1]
    t = a.tangent
    p = np.broadcast_to(a.p, t.shape)
    upper = np.concatenate([p, t], axis=-1)
    lower = np.concatenate([np.zeros_like(p) * 1.0, p], axis=-1)
    whole = expm(np.concatenate([upper, lower], axis=-2))
    return join(expm(a.p), whole[..., :n, n:], a.tag)
