"""Products of arrays, linear in each factor."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.axes import lead
from rulebook.dual.errors import counts_differ, unsupported
from rulebook.dual.identity import is_identity
from rulebook.dual.lifting import lift
from rulebook.dual.parts import join, primal, tag_of, tangent
from rulebook.dual.registry import rule, ufunc_rule

__all__ = ["bilinear"]


def bilinear(product: Any, x: Any, z: Any, on_left: Any, on_right: Any) -> Any:
    """A product that is linear in both; on_left(tx, z) and on_right(x, tz) are the same on stacked tangents."""
    tag = max(tag_of(x), tag_of(z))
    a, b = primal(x, tag), primal(z, tag)
    t: Any = None
    if tag_of(x) == tag:
        t = on_left(tangent(x, tag), b)
    if tag_of(z) == tag:
        right = on_right(a, tangent(z, tag))
        if t is not None and t.shape[0] != right.shape[0]:
            raise counts_differ(t.shape[0], right.shape[0])
        t = right if t is None else t + right
    return join(product(a, b), t, tag)


def _matmul_left(t: Any, b: Any) -> Any:
    """(k, ..., m, n) @ b: for a matrix b without stack one product of k * m rows."""
    if np.ndim(b) == 1 or (t.ndim == 2 and np.ndim(b) == 2):
        return np.matmul(t, b)
    if np.ndim(b) == 2:
        return np.reshape(np.matmul(np.reshape(t, (-1, t.shape[-1])), b), (*t.shape[:-1], np.shape(b)[-1]))
    if t.ndim == 2:  # a vector times a stack of matrices
        return np.matmul(np.reshape(t, (t.shape[0], *(1,) * (np.ndim(b) - 1), t.shape[-1])), b)[..., 0, :]
    return np.matmul(np.reshape(t, (t.shape[0], *(1,) * (np.ndim(b) + 1 - t.ndim), *t.shape[1:])), b)


def _matmul_right(a: Any, t: Any) -> Any:
    if t.ndim == 2:  # vectors: a @ each of k, which is one product with k columns
        if np.ndim(a) == 1:
            return np.matmul(t, a)
        if np.ndim(a) == 2:
            return np.matmul(t, np.transpose(a))
        return np.moveaxis(np.matmul(a, np.transpose(t)), -1, 0)
    if np.ndim(a) > t.ndim - 1:
        t = np.reshape(t, (t.shape[0], *(1,) * (np.ndim(a) - t.ndim + 1), *t.shape[1:]))
    return np.matmul(a, t)


def _with_axes(product: Any, x: Any, z: Any, options: dict[str, Any], cores: tuple[int, int, int]) -> Any:
    """A product with axes= (or axis=, keepdims=), by moving them to the end.

    Args:
        cores: how many axes each factor and the result use.
    """
    axes = options.pop("axes", None)
    if "axis" in options:
        axes = [(options["axis"],)] * 2
    keepdims = options.pop("keepdims", False)
    options.pop("axis", None)
    if options:
        raise unsupported("This product of numpy", "=, ".join(options) + "=", "leave it away")
    places = [(a,) if np.ndim(a) == 0 else tuple(a) for a in (axes or [tuple(range(-n, 0)) for n in cores])]
    x, z = (np.moveaxis(v, at, tuple(range(-len(at), 0))) for v, at in zip((x, z), places, strict=False))
    y = product(x, z)
    if cores[2] == 0:
        return np.expand_dims(y, places[0][0]) if keepdims else y
    at = places[2] if len(places) > 2 else tuple(range(-cores[2], 0))
    return np.moveaxis(y, tuple(range(-len(at), 0)), at)


@ufunc_rule(np.matmul)
def _matmul(x: Any, z: Any, **options: Any) -> Any:
    if options:
        return _with_axes(_matmul, x, z, options, (2, 2, 2))
    x, z = (lift(v) if type(v) is not DualArray else v for v in (x, z))
    found = _of_identity(x, z)
    if found is not None:
        return found
    if np.ndim(x) == 0 or np.ndim(z) == 0:
        raise ValueError("matmul: Input operand does not have enough dimensions (use * with a scalar)")
    return bilinear(np.matmul, x, z, _matmul_left, _matmul_right)


def _of_identity(x: Any, z: Any) -> Any:
    """The product of a plain matrix and a vector whose tangents are the identity: they become the matrix."""
    vector, matrix = (z, x) if type(x) is np.ndarray else (x, z)
    if type(vector) is not DualArray or type(matrix) is not np.ndarray or matrix.ndim != 2 or vector.p.ndim != 1:
        return None
    c, b = vector.parts()
    if not is_identity(b) or type(vector.p) is not np.ndarray or not (c is None or type(c) is np.ndarray):
        return None
    turned = matrix.T if vector is z else matrix
    t = np.array(turned, np.result_type(turned, b), order="C") if c is None else turned * np.reshape(c, (-1, 1))
    return join(np.matmul(x if vector is z else x.p, z.p if vector is z else z), t, vector.tag)


@rule(np.linalg.matmul)
def _linalg_matmul(x1: Any, x2: Any, /) -> Any:
    return _matmul(x1, x2)


@rule(np.dot)
def _dot(a: Any, b: Any, out: Any = None) -> Any:
    a, b = (lift(v) if type(v) is not DualArray else v for v in (a, b))
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
        return _matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2))


@rule(np.vdot)
def _vdot(a: Any, b: Any, /) -> Any:
    a, b = lift(a), lift(b)
    return _dot(np.conjugate(np.reshape(a, (-1,))), np.reshape(b, (-1,)))


def _inner_of_last(x: Any, z: Any) -> Any:
    if np.shape(x)[-1:] != np.shape(z)[-1:] or not np.ndim(x) or not np.ndim(z):
        raise ValueError("vecdot: the last axes differ, or there is none")
    return np.sum(np.conjugate(x) * z, axis=-1)


@ufunc_rule(np.vecdot)
def _vecdot(x: Any, z: Any, **options: Any) -> Any:
    return _with_axes(_inner_of_last, lift(x), lift(z), options, (1, 1, 0))


@rule(np.linalg.vecdot)
def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return _vecdot(x1, x2, axis=axis)


@ufunc_rule(getattr(np, "matvec", None))  # NumPy 2.2
def _matvec(x: Any, z: Any, **options: Any) -> Any:
    if options:
        return _with_axes(_matvec, lift(x), lift(z), options, (2, 1, 1))
    return np.matmul(lift(x), lift(z)[..., None])[..., 0]


@ufunc_rule(getattr(np, "vecmat", None))
def _vecmat(x: Any, z: Any, **options: Any) -> Any:
    if options:
        return _with_axes(_vecmat, lift(x), lift(z), options, (1, 2, 1))
    return np.matmul(np.conjugate(lift(x))[..., None, :], lift(z))[..., 0, :]


@rule(np.inner)
def _inner(a: Any, b: Any, /) -> Any:
    a, b = lift(a), lift(b)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, axes=(-1, -1))


@rule(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Any:
    a, b = lift(a), lift(b)
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@rule(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Any:
    return _outer(x1, x2)


@rule(np.kron)
def _kron(a: Any, b: Any) -> Any:
    a, b = lift(a), lift(b)
    n = max(np.ndim(a), np.ndim(b))
    sa, sb = ((1,) * (n - np.ndim(v)) + np.shape(v) for v in (a, b))
    left = np.reshape(a, [m for i in sa for m in (i, 1)])
    right = np.reshape(b, [m for i in sb for m in (1, i)])
    return np.reshape(left * right, [i * j for i, j in zip(sa, sb, strict=True)])


@rule(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(lift(a), axisa, -1), np.moveaxis(lift(b), axisb, -1)
    lengths = (a.shape[-1], b.shape[-1])
    if not set(lengths) <= {2, 3}:
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    if lengths == (2, 2):
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a, b = (np.concatenate([v, np.zeros_like(v[..., :1])], axis=-1) if v.shape[-1] == 2 else v for v in (a, b))
    pairs = ((1, 2), (2, 0), (0, 1))
    return np.moveaxis(np.stack([a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in pairs], axis=-1), -1, axisc)


@rule(np.linalg.cross)
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    return _cross(x1, x2, axis=axis)


@rule(np.tensordot, np.linalg.tensordot)
def _tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    a, b = lift(a), lift(b)
    n, m = np.ndim(a), np.ndim(b)
    if isinstance(axes, (int, np.integer)):
        left, right = list(range(n - axes, n)), list(range(axes))
    else:
        left, right = ([int(i) for i in ((v,) if np.ndim(v) == 0 else v)] for v in axes)

    def on_right(p: Any, t: Any) -> Any:
        return np.moveaxis(np.tensordot(p, t, axes=(left, list(lead(right, m)))), n - len(left), 0)

    product = lambda p, q: np.tensordot(p, q, axes=(left, right))
    return bilinear(product, a, b, lambda t, q: np.tensordot(t, q, axes=(list(lead(left, n)), right)), on_right)
