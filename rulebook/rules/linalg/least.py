"""Pseudoinverse and least squares: `scipy.linalg.pinv` and `lstsq`, where the rank does not change."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, cotangents, matrices, tangents_of
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._columns import Columns
from rulebook.rules.linalg._stacks import (
    aligned,
    batches,
    dtype_of,
    lead_of,
    like,
    pull_of,
    push_of,
    real_dtype,
    scipy_linalg,
    spec,
    stacked,
)
from rulebook.rules.linalg.spectra import svd
from rulebook.rules.numpy import linalg as numpy_linalg
from rulebook.rules.numpy.linalg._hermitian import diagonal

__all__ = ["lstsq", "pinv"]

_ZERO = 100  # a singular value below this many roundings of the largest is zero


def _same(a: Any, **_: Any) -> Any:
    return spec(a.shape[:-2], a.shape[-2:], dtype_of(a))


@rb.primitive(host=True, result=_same, cases=_cases.CUT)
def cut_cleanly(a: Any, *, atol: float | None = None, rtol: float | None = None) -> Any:
    """A itself, if the singular values that are cut off are zero: then the derivative of the pseudoinverse is that of constant rank.

    Raises:
        numpy.linalg.LinAlgError: a singular value is cut off that is not zero.

    Derivation:
        The derivative of the identity.
    """
    (a,) = like(a)
    s = np.linalg.svd(a, compute_uv=False)
    eps = np.finfo(s.dtype).eps * max(a.shape[-2:])
    top = s.max(axis=-1, keepdims=True, initial=0.0)
    limit = (0.0 if atol is None else atol) + (eps if rtol is None else rtol) * top
    if np.any((s <= limit) & (s > _ZERO * eps * top)):
        raise np.linalg.LinAlgError("singular values are cut off that are not zero: there is no rule for a truncated pseudoinverse")
    return a.copy()


@rb.pushforward(cut_cleanly)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    return tangents[0]


@rb.pullback(cut_cleanly)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    return (y_bar,)


batches(cut_cleanly)


def _pinv_spec(a: Any, *, return_rank: bool, **_: Any) -> Any:
    y = spec(a.shape[:-2], a.shape[-2:][::-1], dtype_of(a))
    return (y, spec(a.shape[:-2], (), np.int64)) if return_rank else y


@rb.primitive(host=True, result=_pinv_spec, cases=_cases.PINV)
def pinv(a: Any, *, atol: float | None = None, rtol: float | None = None, return_rank: bool = False, check_finite: bool = True) -> Any:
    """The pseudoinverse; a derivative where the rank does not change.

    Args:
        a: array of shape (..., m, n).
        atol, rtol: singular values below atol + rtol * the largest count as zero.
        return_rank: whether the rank is given as well.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n, m), or (it, rank).

    Raises:
        numpy.linalg.LinAlgError: in a rule, singular values are cut off that are not zero.

    Derivation:
        That of `rulebook.rules.numpy.linalg.pinv` (G. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least
        squares problems whose variables separate, 1973).

    Example:
        >>> pinv(np.array([[2.0], [0.0]]))
        array([[0.5, 0. ]])
    """
    (a,) = like(a)
    out = _pinv_spec(a, return_rank=return_rank)
    if not a.size:
        empty = np.zeros((*a.shape[:-2], *a.shape[-2:][::-1]), a.dtype)
        return (empty, np.zeros(a.shape[:-2], np.int64)) if return_rank else empty
    run = lambda m: scipy_linalg().pinv(m, atol=atol, rtol=rtol, return_rank=return_rank, check_finite=check_finite)
    return stacked(run, out, a)


@rb.pushforward(pinv)
def _(y: Any, primals: Any, tangents: Any, *, atol: Any, rtol: Any, return_rank: bool, **_: Any) -> Any:
    a = cut_cleanly(primals[0], atol=atol, rtol=rtol)
    moved = push_of(numpy_linalg.pinv)(y[0] if return_rank else y, (a,), tangents, rcond=rtol, hermitian=False)
    return (moved, None) if return_rank else moved


@rb.pullback(pinv)
def _(y: Any, primals: Any, y_bar: Any, *, atol: Any, rtol: Any, return_rank: bool, **_: Any) -> Any:
    a = cut_cleanly(primals[0], atol=atol, rtol=rtol)
    y, y_bar = (y[0], y_bar[0]) if return_rank else (y, y_bar)
    return pull_of(numpy_linalg.pinv)(y, (a,), y_bar, rcond=rtol, hermitian=False)


batches(pinv)


def _lstsq_spec(a: Any, b: Any, *, lapack_driver: str | None, **_: Any) -> Any:
    (m, n), dtype = a.shape[-2:], dtype_of(a, b)
    vector = len(b.shape) == 1
    lead = lead_of(a) if vector else lead_of(a, b)
    k = () if vector else b.shape[-1:]
    left = spec(lead, k if m > n and lapack_driver != "gelsy" else (0,), real_dtype(dtype))
    s = None if lapack_driver == "gelsy" else spec(lead, (min(m, n),), real_dtype(dtype))
    return spec(lead, (n, *k), dtype), left, spec(lead, (), np.int32), s


@rb.primitive(host=True, result=_lstsq_spec, cases=_cases.LSTSQ)
def lstsq(
    a: Any,
    b: Any,
    *,
    cond: float | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: str | None = None,
) -> Any:
    """The x of least length that makes |A x - b| least, |A x - b|^2, the rank and the singular values of A.

    Args:
        a: array of shape (..., m, n).
        b: array of shape (m,) or (..., m, k).
        cond: singular values below this times the largest count as zero.
        overwrite_a, overwrite_b: change nothing.
        check_finite: whether NaN and infinity raise.
        lapack_driver: "gelsd", "gelsy" (no residues and no singular values) or "gelss".

    Returns:
        (x, residues, rank, s).  The residues are empty for m <= n; for m > n they are given for a deficient rank too.

    Raises:
        numpy.linalg.LinAlgError: in a rule, singular values are cut off that are not zero.

    Derivation:
        x = A^+ b; with r = b - A x and the derivative of A^+ (Golub and Pereyra 1973)

            x_dot = A^+ (b_dot - A_dot x) + A^+ A^+H A_dot^H r + (1 - A^+ A) A_dot^H A^+H x,

        and since A^H r = 0, (r^H r)_dot = 2 Re r^H (b_dot - A_dot x).  The adjoint: b_bar = A^+H x_bar + 2 r residues_bar,
        A_bar = -b_bar x^H + r (A^+ A^+H x_bar)^H + A^+H x ((1 - A^+ A) x_bar)^H, and from the singular values as in `svdvals`.

    Example:
        >>> lstsq(np.array([[2.0], [0.0]]), np.array([4.0, 1.0]))[0]
        array([2.])
    """
    out = _lstsq_spec(a, b, lapack_driver=lapack_driver)
    a, b = like(a, b)
    run = lambda p, q: _one(p, q, scipy_linalg().lstsq(p, q, cond=cond, check_finite=check_finite, lapack_driver=lapack_driver), out)
    found = stacked(run, out[:3] if out[3] is None else out, a, b, core=(2, 1 if b.ndim == 1 else 2))
    return found if out[3] is not None else (*found, None)


def _one(a: Any, b: Any, found: Any, out: Any) -> Any:
    x, left, rank, s = found
    left = np.real(np.asarray(left)).astype(out[1].dtype)
    if not left.size and len(a) > a.shape[-1] and s is not None:  # of deficient rank: SciPy gives none, and the shape would hang on values
        left = np.sum(np.abs(b - a @ x) ** 2, axis=0).astype(out[1].dtype)
    kept = x.astype(out[0].dtype, copy=False), left, np.asarray(rank, np.int32)
    return kept if out[3] is None else (*kept, s)


def _parts(y: Any, primals: Any, cond: Any, columns: Columns) -> tuple[Any, Any, Any, Any]:
    """A, its pseudoinverse, x as columns and what is left of b."""
    x = columns.matrix(y[0])
    a, b = matrices(x, (primals[0], columns.matrix(primals[1])))
    cut = float(np.finfo(real_dtype(str(x.dtype).removeprefix("torch."))).eps) if cond is None else cond
    return cut_cleanly(a, rtol=cut), pinv(a, rtol=cut), x, b - a @ x


def _has_residues(y: Any, a: Any) -> bool:
    """There are none where the number of rows is not higher, or from "gelsy"."""
    return bool(a.shape[-2] > a.shape[-1] and y[3] is not None)


@rb.pushforward(lstsq)
def _(y: Any, primals: Any, tangents: Any, *, cond: Any, **_: Any) -> Any:
    columns = Columns(primals[1])
    a, inverse, x, r = _parts(y, primals, cond, columns)
    a_dot, b_dot = tangents_of(x, (primals[0], x), (tangents[0], columns.matrix(tangents[1])))
    xp = rb.xp(x, a_dot, b_dot)
    moved, turned = b_dot - a_dot @ x, adjoint(a_dot)
    outside = turned @ (adjoint(inverse) @ x)
    x_dot = inverse @ (moved + adjoint(inverse) @ (turned @ r)) + outside - inverse @ (a @ outside)
    left_dot = xp.real(2 * xp.sum(xp.conj(r) * moved, axis=-2))
    left_dot = columns.back(left_dot) if _has_residues(y, a) else None
    s_dot = None
    if y[3] is not None:
        u, _, vh = svd(a, full_matrices=False)
        s_dot = xp.real(diagonal(adjoint(u) @ a_dot @ adjoint(vh)))
    return columns.back(x_dot), left_dot, None, s_dot


@rb.pullback(lstsq)
def _(y: Any, primals: Any, y_bar: Any, *, cond: Any, **_: Any) -> Any:
    columns = Columns(primals[1])
    a, inverse, x, r = _parts(y, primals, cond, columns)
    x_bar, left_bar, s_bar = columns.matrix(y_bar[0]), y_bar[1], y_bar[3]
    b_bar = adjoint(inverse) @ x_bar
    a_bar = r @ adjoint(inverse @ b_bar) + adjoint(inverse) @ x @ adjoint(x_bar - inverse @ (a @ x_bar))
    if _has_residues(y, a):
        b_bar = b_bar + 2 * r * columns.matrix(left_bar)[..., None, :]
    a_bar = a_bar - b_bar @ adjoint(x)
    if s_bar is not None:
        u, _, vh = svd(a, full_matrices=False)
        a_bar = a_bar + (u * s_bar[..., None, :]) @ vh
    if columns.vector:
        return *cotangents(primals[:1], lambda: a_bar), rb.thunk(lambda: rb.project(primals[1], b_bar[..., 0]))
    return cotangents(primals, lambda: a_bar, lambda: b_bar)


@rb.batch_rule(lstsq)
def _(axis_size: int, in_batched: Any, a: Any, b: Any, **static: Any) -> Any:
    vector = b.ndim - bool(in_batched[1]) == 1
    x, left, rank, s = lstsq(*aligned(in_batched, (a, b[..., None] if vector else b), (2, 2)), **static)
    if vector:
        x, left = x[..., 0], left[..., 0] if left.shape[-1] == 1 else left
    return (x, left, rank, s), True
