"""Norms of vectors and matrices, and condition numbers.  At zero, the derivative of a norm is taken as zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import flag, fold, plain
from rulebook.dual.reductions import root
from rulebook.dual.registry import rule

__all__: list[str] = []


def _squares(x: Any) -> Any:
    return np.real(x * np.conjugate(x)) if x.dtype.kind == "c" else x * x


def _vector(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return root(np.sum(_squares(x), axis=axis, keepdims=keepdims))
    if ord == 0:
        return np.sum(np.not_equal(x, 0), axis=axis, keepdims=keepdims).astype(x.real.dtype)
    size = np.absolute(x)
    if ord == np.inf or ord == -np.inf:
        return (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    total = np.sum(size**ord, axis=axis, keepdims=keepdims)
    zero = np.equal(total, 0)
    return np.where(zero, np.zeros((), total.dtype)[()], np.where(zero, np.ones((), total.dtype)[()], total) ** (1.0 / ord))


def _singular_values(x: Any) -> Any:
    """Those of a matrix with something in it that is not finite are NaN: LAPACK may not return from one."""
    finite = np.all(np.isfinite(x), axis=(-2, -1), keepdims=True)
    if np.all(finite):
        return np.linalg.svdvals(x)
    s = np.linalg.svdvals(np.where(finite, x, np.eye(*x.shape[-2:], dtype=x.dtype)))
    return np.where(finite[..., 0], s, np.nan * s)


def _matrix(x: Any, ord: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    row, col = (a % x.ndim for a in axes)
    if row == col:
        raise ValueError("Duplicate axes given.")
    if ord in (None, "fro", "f"):
        return root(np.sum(_squares(x), axis=(row, col), keepdims=keepdims))
    if ord in (1, -1, np.inf, -np.inf):
        first, second = (row, col) if abs(ord) == 1 else (col, row)
        sums = np.sum(np.absolute(x), axis=first, keepdims=True)
        y = (np.max if ord > 0 else np.min)(sums, axis=second, keepdims=True)
    elif ord in (2, -2, "nuc"):
        s = _singular_values(np.moveaxis(x, (row, col), (-2, -1)))
        y = np.sum(s, axis=-1) if ord == "nuc" else np.max(s, axis=-1) if ord == 2 else np.min(s, axis=-1)
        y = np.expand_dims(y, (row, col))
    else:
        raise ValueError("Invalid norm order for matrices.")
    return y if keepdims else np.squeeze(y, axis=(row, col))


@rule(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and (ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)):
        y = root(np.sum(_squares(np.reshape(x, (-1,)))))
        return np.reshape(y, (1,) * x.ndim) if flag(keepdims) and x.ndim else y
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
    if len(axes) == 1:
        return _vector(x, ord, axes[0], flag(keepdims))
    if len(axes) == 2:
        return _matrix(x, ord, axes, flag(keepdims))
    raise ValueError("Improper number of dimensions to norm.")


@rule(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    y = _vector(fold(x, axis), ord, -1, False)
    if not flag(keepdims):
        return y
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in ((axis,) if np.ndim(axis) == 0 else axis)]
    return np.reshape(y, [1 if i in axes else n for i, n in enumerate(x.shape)])


@rule(np.linalg.matrix_norm)
def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _matrix(x, ord, (-2, -1), flag(keepdims))


@rule(np.linalg.cond)
def _cond(x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        s = _singular_values(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    if not np.all(np.isfinite(np.linalg.cond(plain(x, "np.linalg.cond()"), p))):
        return np.linalg.cond(plain(x, "np.linalg.cond()"), p) * np.sum(x, axis=(-2, -1)) * np.nan
    return np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, axis=(-2, -1))
