"""Eigenvalues and eigenvectors of general matrices, and of pencils: `scipy.linalg.eig`."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, cotangents, matrices, quotient, tangents_of
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._stacks import aligned, dtype_of, lead_of, like, pull_of, push_of, scipy_linalg, spec, stacked
from rulebook.rules.numpy import linalg as numpy_linalg
from rulebook.rules.numpy.linalg._hermitian import diagonal

__all__ = ["eig", "eigvals"]


def _eig_spec(a: Any, b: Any, *, left: bool, right: bool, **_: Any) -> Any:
    lead, n, dtype = lead_of(a) if b is None else lead_of(a, b), a.shape[-1], np.result_type(dtype_of(a, b), np.complex64)
    w = spec(lead, (n,), dtype)
    vectors = (spec(lead, (n, n), dtype),) * (left + right)
    return (w, *vectors) if vectors else w


@rb.primitive(host=True, result=_eig_spec, cases=_cases.EIG)
def eig(
    a: Any,
    b: Any = None,
    *,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues and eigenvectors of A v = w v or of A v = w B v; complex in every case.

    Args:
        a: array of shape (..., n, n).
        b: array of shape (..., n, n), or None for the identity.
        left, right: whether the left and the right vectors are given.
        overwrite_a, overwrite_b: change nothing.
        check_finite: whether NaN and infinity raise.
        homogeneous_eigvals: has no rule and raises.

    Returns:
        (w, vl, vr), (w, vl), (w, vr) or w.

    Derivation:
        Without b that of `rulebook.rules.numpy.linalg.eig`: vectors of length one, their largest entry real, as LAPACK gives
        them.  Left vectors are right ones of A^H, whose eigenvalues are the conjugates.  With b, A V = B V diag(w) gives
        w_dot = diag((B V)^-1 (A_dot V - B_dot V diag(w))), and with M = (B V)^-H diag(w_bar), A_bar = M V^H and
        B_bar = -M diag(conj(w)) V^H; the vectors have no rule.

    Example:
        >>> eig(np.array([[2.0, 0.0], [0.0, 1.0]]), right=False)
        array([2.+0.j, 1.+0.j])
    """
    if homogeneous_eigvals:
        raise NotImplementedError("eig: homogeneous_eigvals=True has no rule; leave it away")
    out = _eig_spec(a, b, left=left, right=right)

    def run(*pencil: Any) -> Any:
        found = scipy_linalg().eig(*pencil, left=left, right=right, check_finite=check_finite)
        kept = [
            np.asarray(x).astype(np.result_type(pencil[0].dtype, np.complex64), copy=False) for x in (found if left or right else [found])
        ]
        return tuple(kept) if left or right else kept[0]

    return stacked(run, out, *(like(a) if b is None else like(a, b)))


_VECTORS = "eig: the eigenvectors of a pencil have no rule; its eigenvalues have"


def _vectors(y: Any, left: bool, right: bool) -> tuple[Any, Any, Any]:
    """w, vl and vr; None for what is not given."""
    if not left and not right:
        return y, None, None
    return y[0], y[1] if left else None, y[-1] if right else None


@rb.pushforward(eig)
def _(y: Any, primals: Any, tangents: Any, *, left: bool, right: bool, **_: Any) -> Any:
    w, vl, vr = _vectors(y, left, right)
    if primals[1] is not None:
        v = eig(*primals)[1] if vr is None else vr
        a, b = matrices(v, primals)
        a_dot, b_dot = tangents_of(v, primals, tangents)
        w_dot = diagonal(quotient(b @ v, a_dot @ v - b_dot @ v * w[..., None, :]))
        return (w_dot, *(rb.NotImplementedTangent(_VECTORS) for _ in range(left + right))) if left or right else w_dot
    v = eig(primals[0])[1] if vr is None and vl is None else vr
    (a,), (a_dot,) = matrices(w, primals[:1]), tangents_of(w, primals[:1], tangents[:1])
    found: dict[str, Any] = {}
    if v is not None:
        w_dot, found["right"] = push_of(numpy_linalg.eig)((w, v), (a,), (a_dot,))
    if vl is not None:
        conj = rb.xp(w).conj
        other, found["left"] = push_of(numpy_linalg.eig)((conj(w), vl), (adjoint(a),), (adjoint(a_dot),))
        w_dot = conj(other) if v is None else w_dot
    vectors = [found[name] for name, given in (("left", left), ("right", right)) if given]
    return (w_dot, *vectors) if vectors else w_dot


@rb.pullback(eig, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, left: bool, right: bool, **_: Any) -> Any:
    w, vl, vr = _vectors(y, left, right)
    w_bar, vl_bar, vr_bar = _vectors(y_bar, left, right)
    if w_bar is None and vl_bar is None and vr_bar is None:
        return None, None
    if primals[1] is not None:
        if vl_bar is not None or vr_bar is not None:
            return tuple(rb.NotImplementedTangent(_VECTORS) for _ in primals)
        return _pencil_bars(primals, w, eig(*primals)[1] if vr is None else vr, w_bar)
    conj = rb.xp(w).conj
    (a,) = matrices(w, primals[:1])
    a_bar = None
    if vr_bar is not None or w_bar is not None:
        v = eig(primals[0])[1] if vr is None else vr
        (a_bar,) = pull_of(numpy_linalg.eig)((w, v), (a,), (w_bar, vr_bar))
    if vl_bar is not None:
        (other,) = pull_of(numpy_linalg.eig)((conj(w), vl), (adjoint(a),), (None, vl_bar))
        a_bar = adjoint(other) if a_bar is None else a_bar + adjoint(other)
    return a_bar, None


def _pencil_bars(primals: Any, w: Any, v: Any, w_bar: Any) -> tuple[Any, ...]:
    """The cotangents of A and B from those of the eigenvalues."""
    _, b = matrices(v, primals)
    conj = rb.xp(w).conj

    def rows(weights: Any) -> Any:
        return quotient(adjoint(b @ v), weights[..., :, None] * adjoint(v))

    return cotangents(primals, lambda: rows(w_bar), lambda: -rows(w_bar * conj(w)))


@rb.batch_rule(eig)
def _(axis_size: int, in_batched: Any, a: Any, b: Any, **static: Any) -> Any:
    y = eig(a, **static) if b is None else eig(*aligned(in_batched, (a, b), (2, 2)), **static)
    return y, True


@rb.primitive(host=True, result=lambda a, b, **_: _eig_spec(a, b, left=False, right=False), cases=_cases.EIGVALS)
def eigvals(
    a: Any,
    b: Any = None,
    *,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """The eigenvalues that `eig` gives.

    Derivation:
        That of `eig`, which the rules call.

    Example:
        >>> eigvals(np.array([[2.0, 0.0], [0.0, 1.0]]))
        array([2.+0.j, 1.+0.j])
    """
    return eig.fn(a, b, right=False, check_finite=check_finite, homogeneous_eigvals=homogeneous_eigvals)


@rb.pushforward(eigvals)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    return push_of(eig)(y, primals, tangents, left=False, right=False)


@rb.pullback(eigvals)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    return pull_of(eig)(y, primals, y_bar, left=False, right=False)


@rb.batch_rule(eigvals)
def _(axis_size: int, in_batched: Any, a: Any, b: Any, **static: Any) -> Any:
    return eigvals(a, **static) if b is None else eigvals(*aligned(in_batched, (a, b), (2, 2)), **static), True
