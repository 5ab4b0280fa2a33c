"""Norms and condition numbers.  The slope of a norm at zero is 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._reductions import max as _max, min as _min, sum as _sum
from rulebook.rules.numpy._support import stands
from rulebook.rules.numpy.linalg._singular import svdvals
from rulebook.rules.numpy.linalg._solving import inv

__all__ = ["cond", "matrix_norm", "norm", "vector_norm"]

Axis = int | tuple[int, ...] | None
_CASES = [
    normal((3,), axis=None, ord=2),
    normal((2, 3), axis=0, ord=1),
    normal((2, 3), axis=(0, 1), ord=3, keepdims=True),
    complex_normal((3,), axis=None, ord=2),
    complex_normal((2, 2), axis=-1, ord=2.5),
    normal((2, 3), axis=1, ord=math.inf),
    normal((3,), axis=None, ord=-math.inf),
    lambda rng: rb.case(np.zeros(2), axis=None, ord=2),
]


@rb.primitive(name="rulebook.rules.numpy.linalg._lengths", cases=_CASES[:-1])
def _lengths(x: Any, *, ord: float, axis: Axis, keepdims: bool = False) -> Any:
    """The p-norm of vectors, for any p but 0.

    Derivation:
        y^p = sum |x|^p gives y_dot = sum Re(conj(d) x_dot) with d = x / |x| (|x| / y)^(p-1); for p = 2, d = x / y.  For p = inf and -inf
        the elements that attain it have equal parts.
    """
    xp = rb.xp(x)
    if ord == 2:
        return xp.sqrt(xp.sum(xp.real(x * xp.conj(x)), axis=axis, keepdims=keepdims))
    size = xp.abs(x)
    if math.isinf(ord):
        return (xp.max if ord > 0 else xp.min)(size, axis=axis, keepdims=keepdims)
    found = xp.sum(size**ord, axis=axis, keepdims=keepdims)
    return found if ord == 1 else found ** (1 / ord)


def _direction(y: Any, x: Any, ord: float, axis: Axis, keepdims: bool) -> Any:
    xp = rb.xp(y, x)
    if not keepdims:
        gone = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
        y = xp.reshape(y, tuple(1 if i in gone else n for i, n in enumerate(x.shape)))
    if ord == 2:
        return x / xp.where(y == 0, 1.0, y)
    size = xp.abs(x)
    unit = x / xp.where(size == 0, 1.0, size)
    if ord == 1:
        return unit
    if math.isinf(ord):
        hit = xp.where(size == y, 1.0, 0.0)
        return unit * hit / xp.sum(hit, axis=axis, keepdims=True)
    part = xp.where(size == 0, 1.0, size) / xp.where(y == 0, 1.0, y)
    return unit * part ** (ord - 1)


@rb.pushforward(_lengths)
def _(y: Any, primals: Any, tangents: Any, *, ord: float, axis: Axis, keepdims: bool) -> Any:
    (x,), (x_dot,) = primals, tangents
    xp = rb.xp(x, x_dot)
    return _sum(xp.real(xp.conj(_direction(y, x, ord, axis, keepdims)) * x_dot), axis=axis, keepdims=keepdims)


@rb.pullback(_lengths)
def _(y: Any, primals: Any, y_bar: Any, *, ord: float, axis: Axis, keepdims: bool) -> Any:
    (x,) = primals
    if not keepdims:
        gone = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
        y_bar = rb.xp(y_bar).reshape(y_bar, tuple(1 if i in gone else n for i, n in enumerate(x.shape)))
    return (_direction(y, x, ord, axis, keepdims) * y_bar,)


def vector_norm(x: Any, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Any:
    """The p-norm of vectors, of all elements by default.

    Example:
        >>> vector_norm(np.array([3.0, 4.0]))
        np.float64(5.0)
    """
    if ord == 0:
        xp = rb.xp(x)
        return xp.sum(xp.where(x != 0, 1.0, 0.0), axis=axis, keepdims=keepdims)
    return _lengths(x, ord=float(ord), axis=axis, keepdims=keepdims)


def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """A norm of matrices: "fro", "nuc", 2, -2, 1, -1, inf or -inf.

    Example:
        >>> matrix_norm(np.array([[3.0, 0.0], [0.0, 4.0]]), ord="nuc")
        np.float64(7.0)
    """
    y = _matrix_norm(x, "fro" if ord is None else ord)
    return rb.xp(y).reshape(y, (*tuple(y.shape), 1, 1)) if keepdims else y


def _matrix_norm(x: Any, ord: Any) -> Any:
    if ord == "fro":
        return _lengths(x, ord=2.0, axis=(-2, -1))
    if ord == "nuc":
        return _sum(svdvals(x), axis=-1)
    best = _max if ord in (1, 2, math.inf) else _min
    if ord in (2, -2):
        return best(svdvals(x), axis=-1)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(f"matrix_norm, ord={ord!r}: expected 'fro', 'nuc', 2, -2, 1, -1, inf or -inf")
    return best(_lengths(x, ord=1.0, axis=-2 if abs(ord) == 1 else -1), axis=-1)


@stands(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """The norm of vectors or of matrices; of all elements by default.

    Example:
        >>> norm(np.array([[3.0, 4.0]]))
        np.float64(5.0)
    """
    if axis is None and (ord is None or x.ndim == 1):
        return vector_norm(x, axis=None, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError("norm: one axis or two are needed")
    xp = rb.xp(x)
    y = matrix_norm(xp.moveaxis(x, axes, (-2, -1)), ord=ord)
    return _kept(y, tuple(1 if i in {a % x.ndim for a in axes} else n for i, n in enumerate(x.shape))) if keepdims else y


def _kept(y: Any, shape: tuple[int, ...]) -> Any:
    return rb.xp(y).reshape(y, shape)


@stands(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """The condition number of matrices.

    Example:
        >>> cond(np.array([[4.0, 0.0], [0.0, 2.0]]))
        np.float64(2.0)
    """
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)
