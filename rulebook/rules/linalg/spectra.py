"""Eigenvalues, eigenvectors and singular values: `scipy.linalg` with the rules of `rulebook.rules.numpy.linalg`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: F401  # for the examples

import rulebook as rb
from rulebook.rules._matrices import adjoint, cotangents, matrices, tangents_of
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._reading import matrix, matrix_bar
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
from rulebook.rules.numpy import linalg as numpy_linalg
from rulebook.rules.numpy.linalg._hermitian import diagonal, gaps, to_diagonal, unused

__all__ = ["eigh", "eigvalsh", "svd", "svdvals"]


def _svd_spec(a: Any, *, full_matrices: bool, compute_uv: bool, **_: Any) -> Any:
    lead, (m, n), dtype = a.shape[:-2], a.shape[-2:], dtype_of(a)
    k = min(m, n)
    s = spec(lead, (k,), real_dtype(dtype))
    if not compute_uv:
        return s
    return spec(lead, (m, m if full_matrices else k), dtype), s, spec(lead, (n if full_matrices else k, n), dtype)


@rb.primitive(host=True, result=_svd_spec, cases=_cases.SVD)
def svd(
    a: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """U, the singular values, descending, and V^H with A = U S V^H; the values alone for compute_uv=False.

    Args:
        a: array of shape (..., m, n).
        full_matrices: U and V^H are square; where m is not n the columns that this adds are determined up to a rotation, and have no
            derivative.
        compute_uv: whether U and V^H are given.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.
        lapack_driver: "gesdd" or "gesvd".

    Returns:
        (u, s, vh), or s.

    Derivation:
        That of `rulebook.rules.numpy.linalg.svd`: vectors of equal singular values have no derivative, and complex vectors have the
        phases that LAPACK gives them.

    Example:
        >>> svd(np.array([[3.0, 0.0], [0.0, 2.0]]), compute_uv=False)
        array([3., 2.])
    """
    (a,) = like(a)
    out = _svd_spec(a, full_matrices=full_matrices, compute_uv=compute_uv)
    options = {"full_matrices": full_matrices, "compute_uv": compute_uv, "check_finite": check_finite, "lapack_driver": lapack_driver}
    return stacked(lambda m: scipy_linalg().svd(m, **options), out, a)


@rb.pushforward(svd)
def _(y: Any, primals: Any, tangents: Any, *, full_matrices: bool, compute_uv: bool, **_: Any) -> Any:
    found = push_of(numpy_linalg.svd)(y, primals, tangents, full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(found) if isinstance(found, tuple) else found


@rb.pullback(svd, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, full_matrices: bool, compute_uv: bool, **_: Any) -> Any:
    return pull_of(numpy_linalg.svd)(y, primals, y_bar, full_matrices=full_matrices, compute_uv=compute_uv)


batches(svd)


# No engine's own: at equal or zero singular values their second derivatives are finite numbers that mean nothing.
@rb.primitive(host=True, result=lambda a, **_: _svd_spec(a, full_matrices=False, compute_uv=False), cases=_cases.SVDVALS)
def svdvals(a: Any, *, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The singular values, descending.

    Args:
        a: array of shape (..., m, n).
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., min(m, n)).

    Derivation:
        s_dot = Re diag(U^H A_dot V), and A_bar = U diag(s_bar) V^H (M. Giles 2008, section 3.2).

    Example:
        >>> svdvals(np.array([[3.0, 0.0], [0.0, 2.0]]))
        array([3., 2.])
    """
    (a,) = like(a)
    out = _svd_spec(a, full_matrices=False, compute_uv=False)
    return stacked(lambda m: scipy_linalg().svdvals(m, check_finite=check_finite), out, a)


@rb.pushforward(svdvals)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    u, _, vh = svd(primals[0], full_matrices=False)
    return rb.xp(u, vh).real(diagonal(adjoint(u) @ tangents[0] @ adjoint(vh)))


@rb.pullback(svdvals)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    u, _, vh = svd(primals[0], full_matrices=False)
    return ((u * y_bar[..., None, :]) @ vh,)


batches(svdvals)


def _eigh_spec(a: Any, b: Any, *, eigvals_only: bool, subset_by_index: Any, **_: Any) -> Any:
    lead, n, dtype = lead_of(a) if b is None else lead_of(a, b), a.shape[-1], dtype_of(a, b)
    k = n if subset_by_index is None else int(subset_by_index[1]) - int(subset_by_index[0]) + 1
    w = spec(lead, (k,), real_dtype(dtype))
    return w if eigvals_only else (w, spec(lead, (n, k), dtype))


def _no_subset_by_value(subset_by_value: Any) -> None:
    if subset_by_value is not None:
        raise NotImplementedError("eigh: subset_by_value has no rule, as the number of eigenvalues is not known; pass subset_by_index")


def _run_eigh(a: Any, b: Any, options: dict[str, Any]) -> Any:
    found = scipy_linalg().eigh(a, b, **options)
    return tuple(found) if isinstance(found, tuple) else found


@rb.primitive(host=True, result=_eigh_spec, cases=_cases.EIGH)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Eigenvalues, ascending, and eigenvectors of Hermitian A, or of A v = w B v, A B v = w v, B A v = w v with a positive definite B.

    Args:
        a: array of shape (..., n, n), of which one triangle is read.
        b: array of shape (..., n, n), of which the same triangle is read; or None for the identity.
        lower: whether it is the lower triangle.
        eigvals_only: whether the eigenvalues alone are given.
        overwrite_a, overwrite_b: change nothing.
        type: 1, 2 or 3, which of the problems with b.
        check_finite: whether NaN and infinity raise.
        subset_by_index: a pair of the first and the last eigenvalue that is given; for the eigenvalues alone.
        subset_by_value: has no rule and raises.
        driver: LAPACK's, as SciPy names it.

    Returns:
        (w, v), or w.

    Derivation:
        Without b that of `rulebook.rules.numpy.linalg.eigh`.  With b and type 1, V^H B V = 1: with P_ij = v_i^H (A_dot - w_j B_dot) v_j and
        F_ij = 1 / (w_j - w_i) off the diagonal,

            w_dot = Re diag(P),    V_dot = V (F o P - diag(V^H B_dot V) / 2)

        and the adjoint for real matrices, M = diag(w_bar) + F o (V^H V_bar): A_bar = V M V^H,
        B_bar = -V (M diag(w) + diag(V^H V_bar) / 2) V^H.  The phase of a complex vector depends on the factor of b inside of LAPACK:
        with a complex b there are derivatives of the eigenvalues alone.  Types 2 and 3 are of the eigenvalues alone as well:
        A B v = w v is B A B v = w B v, and B A u = w u with u = B v.

    Example:
        >>> eigh(np.array([[2.0, 0.0], [0.0, 1.0]]), eigvals_only=True)
        array([1., 2.])
    """
    _no_subset_by_value(subset_by_value)
    out = _eigh_spec(a, b, eigvals_only=eigvals_only, subset_by_index=subset_by_index)
    options: dict[str, Any] = {"lower": lower, "eigvals_only": eigvals_only, "type": type, "check_finite": check_finite}
    options |= {"subset_by_index": subset_by_index, "driver": driver}
    if b is None:
        (a,) = like(a)
        return stacked(lambda m: _run_eigh(m, None, options), out, a)
    a, b = like(a, b)
    return stacked(lambda m, n: _run_eigh(m, n, options), out, a, b)


_VECTORS = "eigh: eigenvectors of a part of the spectrum, of types 2 and 3, or with a complex b have no rule; their eigenvalues have"


def _refused(v: Any, b: Any, kind: int, subset: Any) -> bool:
    return subset is not None or (b is not None and (kind != 1 or "complex" in str(v.dtype)))


def _whole(y: Any, primals: Any, lower: bool, kind: int, subset: Any, only: bool) -> tuple[Any, Any]:
    """The eigenvalues and their vectors."""
    if not only:
        return y[0], y[1]
    w, v = eigh(*primals, lower=lower, type=kind)
    if subset is None:
        return w, v
    first, last = int(subset[0]), int(subset[1]) + 1
    return w[..., first:last], v[..., :, first:last]


def _full(x: Any, lower: bool) -> Any:
    return matrix(x, "hermitian", lower)


def _column_dots(x: Any, y: Any) -> Any:
    """Re x_j^H y_j for the columns."""
    xp = rb.xp(x, y)
    return xp.real(xp.sum(xp.conj(x) * y, axis=-2))


def _values_dot(a_dot: Any, b_dot: Any, a: Any, b: Any, w: Any, v: Any, kind: int) -> Any:
    """The tangents of the eigenvalues.

    Type 1, v^H B v = 1: v^H (A_dot - w B_dot) v.  Type 2, A B v = w v with v^H B v = 1: x = B v has x^H A x = w, x^H B^-1 x = 1, so that
    w_dot = x^H A_dot x + w v^H B_dot v.  Type 3, B A v = w v with v^H B^-1 v = 1: u = B^-1 v gives w_dot = v^H A_dot v + w u^H B_dot u.
    """
    if b is None:
        return _column_dots(v, a_dot @ v)
    if kind == 1:
        return _column_dots(v, a_dot @ v) - w * _column_dots(v, b_dot @ v)
    x, u = _sides(a, b, w, v, kind)
    return _column_dots(x, a_dot @ x) + w * _column_dots(u, b_dot @ u)


def _sides(a: Any, b: Any, w: Any, v: Any, kind: int) -> tuple[Any, Any]:
    """The vectors that A_dot and B_dot meet, of types 2 and 3."""
    if kind == 2:
        return b @ v, v
    return v, (a @ v) / w[..., None, :]


@rb.pushforward(eigh)
def _(y: Any, primals: Any, tangents: Any, *, lower: bool, eigvals_only: bool, type: int, subset_by_index: Any, **_: Any) -> Any:
    uplo = "L" if lower else "U"
    if primals[1] is None and not eigvals_only and subset_by_index is None:
        return tuple(push_of(numpy_linalg.eigh)(y, primals[:1], tangents[:1], UPLO=uplo))
    like_ = y if eigvals_only else y[1]
    w, v = _whole(y, primals, lower, type, subset_by_index, eigvals_only)
    a, b = (None if x is None else _full(x, lower) for x in matrices(v, primals))
    a_dot, b_dot = (None if t is None else _full(t, lower) for t in tangents_of(v, primals, tangents))
    w_dot = _values_dot(a_dot, b_dot, a, b, w, v, type)
    if eigvals_only:
        return w_dot
    if _refused(like_, b, type, subset_by_index):
        return w_dot, rb.NotImplementedTangent(_VECTORS)
    inner = adjoint(v) @ (a_dot @ v - b_dot @ v * w[..., None, :])
    return w_dot, v @ (gaps(w) * inner - to_diagonal(diagonal(adjoint(v) @ b_dot @ v)) / 2)


@rb.pullback(eigh, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, lower: bool, eigvals_only: bool, type: int, subset_by_index: Any, **_: Any) -> Any:
    w_bar, v_bar = (y_bar, None) if eigvals_only else y_bar
    if w_bar is None and v_bar is None:
        return None, None
    if primals[1] is None and not eigvals_only and subset_by_index is None:
        uplo = "L" if lower else "U"
        return *pull_of(numpy_linalg.eigh)(y, primals[:1], y_bar, UPLO=uplo), None
    w, v = _whole(y, primals, lower, type, subset_by_index, eigvals_only)
    if v_bar is not None and _refused(v, primals[1], type, subset_by_index):
        return tuple(None if x is None else rb.NotImplementedTangent(_VECTORS) for x in primals)
    a, b = (None if x is None else _full(x, lower) for x in matrices(v, primals))
    a_bar, b_bar = _bars(a, b, w, v, w_bar, v_bar, type)

    def stored(bar: Callable[[], Any]) -> Any:
        return matrix_bar(bar(), "hermitian", lower)

    return cotangents(primals, lambda: stored(a_bar), lambda: stored(b_bar))


def _bars(a: Any, b: Any, w: Any, v: Any, w_bar: Any, v_bar: Any, kind: int) -> tuple[Any, Any]:
    """The cotangents of A and B, each computed if it is needed."""
    xp = rb.xp(w, v)
    weights = xp.zeros_like(w) if w_bar is None else w_bar
    if b is not None and kind != 1:
        x, u = _sides(a, b, w, v, kind)
        return lambda: (x * weights[..., None, :]) @ adjoint(x), lambda: (u * (weights * w)[..., None, :]) @ adjoint(u)
    if v_bar is None:
        return lambda: (v * weights[..., None, :]) @ adjoint(v), lambda: -(v * (weights * w)[..., None, :]) @ adjoint(v)
    inner = adjoint(v) @ v_bar
    m = to_diagonal(weights) + xp.where(unused(v_bar), 0.0, gaps(w)) * inner
    half = to_diagonal(diagonal(inner)) / 2
    return lambda: v @ m @ adjoint(v), lambda: -v @ (m * w[..., None, :] + half) @ adjoint(v)


@rb.batch_rule(eigh)
def _(axis_size: int, in_batched: Any, a: Any, b: Any, **static: Any) -> Any:
    if b is None:
        return eigh(a, **static), True
    return eigh(*aligned(in_batched, (a, b), (2, 2)), **static), True


@rb.primitive(host=True, result=lambda a, b, **static: _eigh_spec(a, b, **static, eigvals_only=True), cases=_cases.EIGVALSH)
def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """The eigenvalues that `eigh` gives, ascending, of the same arguments.

    Derivation:
        That of `eigh`, which the rules call.

    Example:
        >>> eigvalsh(np.array([[2.0, 0.0], [0.0, 1.0]]))
        array([1., 2.])
    """
    options: dict[str, Any] = {"subset_by_index": subset_by_index, "subset_by_value": subset_by_value, "driver": driver}
    return eigh.fn(a, b, lower=lower, eigvals_only=True, type=type, check_finite=check_finite, **options)


@rb.pushforward(eigvalsh)
def _(y: Any, primals: Any, tangents: Any, *, lower: bool, type: int, subset_by_index: Any, **_: Any) -> Any:
    return push_of(eigh)(y, primals, tangents, lower=lower, eigvals_only=True, type=type, subset_by_index=subset_by_index)


@rb.pullback(eigvalsh)
def _(y: Any, primals: Any, y_bar: Any, *, lower: bool, type: int, subset_by_index: Any, **_: Any) -> Any:
    return pull_of(eigh)(y, primals, y_bar, lower=lower, eigvals_only=True, type=type, subset_by_index=subset_by_index)


@rb.batch_rule(eigvalsh)
def _(axis_size: int, in_batched: Any, a: Any, b: Any, **static: Any) -> Any:
    return eigvalsh(a, **static) if b is None else eigvalsh(*aligned(in_batched, (a, b), (2, 2)), **static), True
