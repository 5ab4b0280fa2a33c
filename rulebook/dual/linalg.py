"""Products and linear algebra.  Solving with k tangents is one factorisation and one call for all right-hand sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.array import DualArray
from rulebook.dual.axes import lead
from rulebook.dual.errors import unsupported
from rulebook.dual.identity import is_identity
from rulebook.dual.lapack import factor
from rulebook.dual.parts import join, primal, tag_of, tangent, top
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


@ufunc_rule(np.matmul)
def _matmul(x: Any, z: Any, **options: Any) -> Any:
    x, z = (np.asarray(v) if isinstance(v, (list, tuple)) else v for v in (x, z))
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
    if out is not None:
        raise unsupported("np.dot", "out=", "leave it away")
    a, b = (np.asarray(v) if isinstance(v, (list, tuple)) else v for v in (a, b))
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
        return _matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2))


@rule(np.vdot)
def _vdot(a: Any, b: Any, /) -> Any:
    return _dot(np.conjugate(np.reshape(a, (-1,))), np.reshape(b, (-1,)))


@ufunc_rule(np.vecdot)
def _vecdot(x: Any, z: Any, **options: Any) -> Any:
    return np.sum(np.conjugate(x) * z, axis=-1)


@rule(np.inner)
def _inner(a: Any, b: Any, /) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, axes=(-1, -1))


@rule(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Any:
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@rule(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Any:
    return _outer(x1, x2)


@rule(np.kron)
def _kron(a: Any, b: Any) -> Any:
    n = max(np.ndim(a), np.ndim(b))
    sa, sb = ((1,) * (n - np.ndim(v)) + np.shape(v) for v in (a, b))
    left = np.reshape(a, [m for i in sa for m in (i, 1)])
    right = np.reshape(b, [m for i in sb for m in (1, i)])
    return np.reshape(left * right, [i * j for i, j in zip(sa, sb, strict=True)])


@rule(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None or (axisa, axisb, axisc) != (-1, -1, -1) or np.shape(a)[-1] != 3 or np.shape(b)[-1] != 3:
        raise unsupported("np.cross", "axes other than the last, of length 3", "move the axis to the end")
    pairs = ((1, 2), (2, 0), (0, 1))
    return np.stack([a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in pairs], axis=-1)


@rule(np.tensordot, np.linalg.tensordot)
def _tensordot(a: Any, b: Any, /, axes: Any = 2, **options: Any) -> Any:
    n, m = np.ndim(a), np.ndim(b)
    if isinstance(axes, (int, np.integer)):
        left, right = list(range(n - axes, n)), list(range(axes))
    else:
        left, right = ([int(i) for i in ((v,) if np.ndim(v) == 0 else v)] for v in axes)

    def on_right(p: Any, t: Any) -> Any:
        return np.moveaxis(np.tensordot(p, t, axes=(left, list(lead(right, m)))), n - len(left), 0)

    product = lambda p, q: np.tensordot(p, q, axes=(left, right))
    return bilinear(product, a, b, lambda t, q: np.tensordot(t, q, axes=(list(lead(left, n)), right)), on_right)


@rule(np.einsum)
def _einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    if not isinstance(operands[0], str) or out is not None:
        raise unsupported("np.einsum", "operands before their indices, or out=", "give the indices as a string")
    subscripts, xs = operands[0].replace(" ", ""), list(operands[1:])
    ins, arrow, result = subscripts.partition("->")
    terms = ins.split(",")
    if not arrow:
        letters = ins.replace(",", "").replace("...", "")
        result = ("..." if "..." in ins else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    tag = top(xs)
    ps = [primal(x, tag) for x in xs]
    free = next(c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in subscripts)
    t: Any = None
    for i, x in enumerate(xs):
        if tag_of(x) != tag:
            continue
        tx = tangent(x, tag)
        spec = ",".join(free + s if j == i else s for j, s in enumerate(terms)) + "->" + free + result
        part = np.einsum(spec, *ps[:i], tx, *ps[i + 1 :], optimize=optimize)
        t = part if t is None else t + part
    return join(np.einsum(f"{ins}->{result}", *ps, optimize=optimize), t, tag)


@rule(np.linalg.multi_dot)
def _multi_dot(arrays: Any, *, out: Any = None) -> Any:
    y = arrays[0]
    for a in arrays[1:]:
        y = np.dot(y, a)
    return y


@rule(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1])
    y = +a
    for _ in range(n - 1):
        y = y @ a
    return y


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


@rule(np.linalg.cholesky)
def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """L_dot = L phi(L^-1 A_dot L^-H), phi the lower triangle with half the diagonal (Murray 2016)."""
    low = np.linalg.cholesky(a.p)
    half = np.linalg.solve(low, _hermitian(a.tangent))
    inner = np.conjugate(np.swapaxes(np.linalg.solve(low, np.conjugate(np.swapaxes(half, -1, -2))), -1, -2))
    n = low.shape[-1]
    phi = inner * (np.tril(np.ones((n, n))) - 0.5 * np.eye(n))
    y = join(low, np.matmul(low, phi), a.tag)
    return np.conjugate(np.swapaxes(y, -1, -2)) if upper else y


def _hermitian(t: Any) -> Any:
    """What LAPACK reads of a tangent: the lower triangle, mirrored; a real diagonal."""
    low = np.tril(t, -1)
    n = t.shape[-1]
    return low + np.conjugate(np.swapaxes(low, -1, -2)) + np.real(t) * np.eye(n)


@rule(np.linalg.eigh)
def _eigh(a: Any, UPLO: str = "L") -> Any:
    if UPLO != "L":
        raise unsupported("np.linalg.eigh", f"UPLO={UPLO!r}", "use the lower triangle")
    w, v = np.linalg.eigh(a.p)
    vh = np.conjugate(np.swapaxes(v, -1, -2))
    inner = np.matmul(np.matmul(vh, _hermitian(a.tangent)), v)
    n = w.shape[-1]
    gap = w[..., None, :] - w[..., :, None] + np.eye(n)
    turn = inner * ((1 - np.eye(n)) / gap)
    return _Eigh(join(w, np.real(np.diagonal(inner, axis1=-2, axis2=-1)), a.tag), join(v, np.matmul(v, turn), a.tag))


_Eigh = type(np.linalg.eigh(np.eye(1)))


@rule(np.linalg.eigvalsh)
def _eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return _eigh(a, UPLO)[0]


@rule(np.linalg.trace)
def _linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.trace(x, offset, -2, -1, dtype)
