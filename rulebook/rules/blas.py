"""Functions of `scipy.linalg.blas` and `scipy.linalg.lapack` on every engine's values.

On NumPy arrays they are SciPy's own; elsewhere they are made of the engine's products and of `rulebook.rules.linalg`, whose
derivatives they have, to every order.  Arguments are SciPy's, without offsets, increments and `overwrite_*`.  Values of an engine
are never factored in place, so `info` is zero: what LAPACK tells by it raises.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import linalg
from rulebook.rules._matrices import adjoint
from rulebook.rules.linalg._reading import matrix, transpose, triangle

__all__ = [
    "dasum",
    "ddot",
    "dgemm",
    "dgemv",
    "dgetrf",
    "dnrm2",
    "dpotrf",
    "dsymm",
    "dsyrk",
    "dtrsm",
    "dtrsyl",
    "dznrm2",
    "zdotc",
]

_NUMPY = (np.ndarray, np.generic, int, float, complex, list, tuple, type(None))


def _plain(*values: Any) -> bool:
    """Whether all values are NumPy's."""
    return all(type(v) in _NUMPY or isinstance(v, np.generic) for v in values)


def _own(module: str, name: str, *args: Any, **options: Any) -> Any:
    """SciPy's, on NumPy arrays."""
    return getattr(importlib.import_module(f"scipy.linalg.{module}"), name)(*args, **options)


def _plus(product: Any, beta: Any, c: Any) -> Any:
    return product if c is None else product + beta * c


def _op(x: Any, trans: int) -> Any:
    return (x, transpose(x), adjoint(x))[int(trans)] if int(trans) else x


def ddot(x: Any, y: Any) -> Any:
    """The sum of x_i y_i.

    Example:
        >>> ddot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
        11.0
    """
    return _own("blas", "ddot", x, y) if _plain(x, y) else rb.xp(x, y).sum(x * y)


def zdotc(x: Any, y: Any) -> Any:
    """The sum of conj(x_i) y_i.

    Example:
        >>> zdotc(np.array([1j]), np.array([2j]))
        (2+0j)
    """
    if _plain(x, y):
        return _own("blas", "zdotc", x, y)
    xp = rb.xp(x, y)
    return xp.sum(xp.conj(x) * y)


def _vectors(dtype: Any) -> Any:
    return [lambda rng: ((rng.normal(size=3) + (1j * rng.normal(size=3) if dtype is complex else 0.0)),)]


def _norm(x: Any) -> Any:
    xp = rb.xp(x)
    size = xp.max(xp.abs(x)) if x.shape[0] else xp.sum(xp.abs(x))
    unit = xp.where(size == 0, xp.ones_like(size), size)  # no overflow of the squares
    return unit * xp.sqrt(xp.sum(xp.abs(x / unit) ** 2))


@rb.primitive(cases=_vectors(float))
def dnrm2(x: Any) -> Any:
    """The length of a vector.

    Derivation:
        y_dot = Re(x^H x_dot) / y, and 0 where y is 0, as for every norm of the library.

    Example:
        >>> dnrm2(np.array([3.0, 4.0]))
        np.float64(5.0)
    """
    return np.asarray(_own("blas", "dnrm2", x))[()] if _plain(x) else _norm(x)


@rb.primitive(cases=_vectors(complex))
def dznrm2(x: Any) -> Any:
    """The length of a complex vector.

    Derivation:
        That of `dnrm2`.

    Example:
        >>> dznrm2(np.array([3.0, 4.0j]))
        np.float64(5.0)
    """
    return np.asarray(_own("blas", "dznrm2", x))[()] if _plain(x) else _norm(x)


def _direction(y: Any, x: Any) -> Any:
    """x / y, zero for y = 0."""
    xp = rb.xp(x, y)
    return x / xp.where(y == 0, xp.ones_like(y), y)


def _push_norm(y: Any, primals: Any, tangents: Any) -> Any:
    xp = rb.xp(y, tangents[0])
    return xp.sum(xp.real(xp.conj(_direction(y, primals[0])) * tangents[0]))


def _pull_norm(y: Any, primals: Any, y_bar: Any) -> Any:
    return (y_bar * _direction(y, primals[0]),)


rb.pushforward(dnrm2)(_push_norm)
rb.pullback(dnrm2)(_pull_norm)
rb.pushforward(dznrm2)(_push_norm)
rb.pullback(dznrm2)(_pull_norm)


def dasum(x: Any) -> Any:
    """The sum of absolute values.

    Example:
        >>> dasum(np.array([3.0, -4.0]))
        7.0
    """
    if _plain(x):
        return _own("blas", "dasum", x)
    xp = rb.xp(x)
    return xp.sum(xp.abs(x))


def dgemv(alpha: Any, a: Any, x: Any, beta: Any = 0.0, y: Any = None, *, trans: int = 0) -> Any:
    """alpha A x + beta y; A^T for trans=1.

    Example:
        >>> dgemv(2.0, np.eye(2), np.array([1.0, 2.0]))
        array([2., 4.])
    """
    if _plain(alpha, a, x, beta, y):
        return _own("blas", "dgemv", alpha, a, x, trans=trans, **({} if y is None else {"beta": beta, "y": y}))
    return _plus(alpha * (_op(a, trans) @ x), beta, y)


def dgemm(alpha: Any, a: Any, b: Any, beta: Any = 0.0, c: Any = None, *, trans_a: int = 0, trans_b: int = 0) -> Any:
    """alpha A B + beta C; A^T for trans_a=1, B^T for trans_b=1.

    Example:
        >>> dgemm(2.0, np.eye(2), np.eye(2))
        array([[2., 0.],
               [0., 2.]])
    """
    if _plain(alpha, a, b, beta, c):
        rest = {} if c is None else {"beta": beta, "c": c}
        return _own("blas", "dgemm", alpha, a, b, trans_a=trans_a, trans_b=trans_b, **rest)
    return _plus(alpha * (_op(a, trans_a) @ _op(b, trans_b)), beta, c)


def dsymm(alpha: Any, a: Any, b: Any, beta: Any = 0.0, c: Any = None, *, side: int = 0, lower: int = 0) -> Any:
    """alpha A B + beta C for a symmetric A, of which one triangle is read; B A for side=1.

    Example:
        >>> dsymm(1.0, np.array([[1.0, 2.0], [9.0, 1.0]]), np.eye(2))
        array([[1., 2.],
               [2., 1.]])
    """
    if _plain(alpha, a, b, beta, c):
        return _own("blas", "dsymm", alpha, a, b, side=side, lower=lower, **({} if c is None else {"beta": beta, "c": c}))
    full = matrix(a, "symmetric", bool(lower))
    return _plus(alpha * (b @ full if side else full @ b), beta, c)


def dsyrk(alpha: Any, a: Any, beta: Any = 0.0, c: Any = None, *, trans: int = 0, lower: int = 0) -> Any:
    """One triangle of alpha A A^T + beta C; of alpha A^T A + beta C for trans=1.  The other is that of C, or zero.

    Example:
        >>> dsyrk(1.0, np.array([[1.0], [2.0]]))
        array([[1., 2.],
               [0., 4.]])
    """
    if _plain(alpha, a, beta, c):
        return _own("blas", "dsyrk", alpha, a, trans=trans, lower=lower, **({} if c is None else {"beta": beta, "c": c}))
    product = alpha * (transpose(a) @ a if trans else a @ transpose(a))
    if c is None:
        return triangle(product, bool(lower))
    return triangle(product + beta * c, bool(lower)) + triangle(c, not lower, strict=True)


def dtrsm(alpha: Any, a: Any, b: Any, *, side: int = 0, lower: int = 0, trans_a: int = 0, diag: int = 0) -> Any:
    """X with A X = alpha B for a triangular A; X A = alpha B for side=1.  diag=1 takes the diagonal for one.

    Example:
        >>> dtrsm(1.0, np.array([[2.0, 0.0], [0.0, 4.0]]), np.eye(2))
        array([[0.5 , 0.  ],
               [0.  , 0.25]])
    """
    if _plain(alpha, a, b):
        return _own("blas", "dtrsm", alpha, a, b, side=side, lower=lower, trans_a=trans_a, diag=diag)
    options = {"lower": bool(lower), "unit_diagonal": bool(diag)}
    if not side:
        return alpha * linalg.solve_triangular(a, b, trans=trans_a, **options)
    return alpha * transpose(linalg.solve_triangular(a, transpose(b), trans=0 if trans_a else 1, **options))


_TRANS = {"N": 0, "T": 1, "C": 2}


def dtrsyl(a: Any, b: Any, c: Any, *, trana: str = "N", tranb: str = "N", isgn: int = 1) -> Any:
    """X, scale and info with A X + isgn X B = scale C, for quasi-triangular A and B, transposed for trana="T" and tranb="T".

    Raises:
        numpy.linalg.LinAlgError: on values of an engine, the equation is singular.

    Example:
        >>> dtrsyl(np.eye(1), np.eye(1), np.array([[4.0]]))[0]
        array([[2.]])
    """
    if _plain(a, b, c):
        return _own("lapack", "dtrsyl", a, b, c, trana=trana, tranb=tranb, isgn=isgn)
    xp = rb.xp(a, b, c)
    left, right = _op(xp.triu(a, -1), _TRANS[trana]), _op(xp.triu(b, -1), _TRANS[tranb])
    return linalg.solve_sylvester(left, isgn * right, c), 1.0, 0


def dgetrf(a: Any) -> Any:
    """The LU factors in one matrix, the pivots and info.

    Example:
        >>> dgetrf(np.array([[2.0]]))[0]
        array([[2.]])
    """
    return _own("lapack", "dgetrf", a) if _plain(a) else (*linalg.lu_factor(a), 0)


def dpotrf(a: Any, *, lower: int = 0, clean: int = 1) -> Any:
    """The Cholesky factor and info; the other triangle is zero, or with clean=0 that of a.

    Raises:
        numpy.linalg.LinAlgError: on values of an engine, a is not positive definite.

    Example:
        >>> dpotrf(np.array([[4.0]]))[0]
        array([[2.]])
    """
    if _plain(a):
        return _own("lapack", "dpotrf", a, lower=lower, clean=clean)
    return (linalg.cholesky if clean else _kept)(a, lower=bool(lower)), 0


def _kept(a: Any, *, lower: bool) -> Any:
    return linalg.cho_factor(a, lower=lower)[0]
