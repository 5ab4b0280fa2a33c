"""Any function of a matrix: `scipy.linalg.funm`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._stacks import dtype_of, like, scipy_linalg, spec, stacked

__all__ = ["funm"]

_CLOSE = 1e-5  # eigenvalues closer than this, relative to the largest, have their quotient from the derivative between them
_CONDITION = 1e8  # of the eigenvectors


@rb.primitive(host=True, result=lambda a, func: spec(a.shape[:-2], a.shape[-2:], dtype_of(a)), cases=_cases.FUNM)
def funm(A: Any, func: Callable[..., Any]) -> Any:
    """The function of a matrix that extends one of numbers.

    Args:
        A: array of shape (..., n, n).
        func: takes an array of complex numbers; analytic, and made of NumPy's functions, where it is differentiated.

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: in a rule, the matrix is defective, or nearly so.

    Derivation:
        With A = V diag(w) V^-1 the derivative along E is V (F o (V^-1 E V)) V^-1, F_ij = (f(w_i) - f(w_j)) / (w_i - w_j) and f'(w_i)
        where the two are equal (Daleckii and Krein; Higham 2008, theorem 3.11).  The adjoint is V^-H (conj(F) o (V^H Y V^-H)) V^H.
        f' comes from dual numbers.  SciPy's method is not made for eigenvalues that are equal, so that [[A, E], [0, A]] is no way
        here.  There is no second order.

    Example:
        >>> funm(np.diag([4.0, 9.0]), np.sqrt)
        array([[2., 0.],
               [0., 3.]])
    """
    (a,) = like(A)
    return stacked(lambda m: _one(m, func), spec(a.shape[:-2], a.shape[-2:], a.dtype), a) if a.size else a.copy()


def _one(m: Any, func: Any) -> Any:
    found, _ = scipy_linalg().funm(m, func, disp=False)
    kind = np.result_type(m.dtype, np.complex64) if np.iscomplexobj(found) else m.dtype
    return np.asarray(found).astype(kind, copy=False)


def _quotients(w: Any, func: Any) -> Any:
    """F."""
    values = func(w)
    middle = (w[:, None] + w[None, :]) / 2
    _, slopes = rb.jvp(func, (middle.ravel(),), (np.ones(middle.size, middle.dtype),), engine="dual")
    gap = w[:, None] - w[None, :]
    close = np.abs(gap) <= _CLOSE * np.abs(w).max(initial=0.0)
    return np.where(close, np.reshape(slopes, gap.shape), (values[:, None] - values[None, :]) / np.where(close, 1.0, gap))


def _along(m: Any, e: Any, func: Any, adjoint: bool) -> Any:
    w, v = np.linalg.eig(m)
    w, v = w + 0j, v + 0j
    if w.size and not np.linalg.cond(v) < _CONDITION:
        raise np.linalg.LinAlgError("funm: A is defective, or nearly so: there is no rule for its function")
    f = _quotients(w, func)
    if not adjoint:
        return v @ (f * np.linalg.solve(v, e @ v)) @ np.linalg.inv(v)
    back = np.linalg.inv(v).conj().T
    return back @ (f.conj() * (v.conj().T @ e @ back)) @ v.conj().T


def _over_stack(a: Any, e: Any, func: Any, adjoint: bool, like_: Any) -> Any:
    a, e = np.asarray(a), np.asarray(e)
    found = stacked(lambda m, x: _along(m, x, func, adjoint), spec(a.shape[:-2], a.shape[-2:], complex), a, e)
    return (found if like_.dtype.kind == "c" else found.real).astype(like_.dtype, copy=False)


@rb.pushforward(funm, host=True)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return _over_stack(primals[0], tangents[0], primals[1], False, y)


@rb.pullback(funm, host=True)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return _over_stack(primals[0], y_bar, primals[1], True, primals[0]), None


@rb.batch_rule(funm)
def _(axis_size: int, in_batched: Any, A: Any, func: Any) -> Any:
    return funm(A, func), True
