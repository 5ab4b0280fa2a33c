"""Eigenvalues and eigenvectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.dual.parts import peel
from rulebook.native import stand_for
from rulebook.rules._matrices import adjoint, quotient
from rulebook.rules.numpy import _cases
from rulebook.rules.numpy._support import is_complex, stands
from rulebook.rules.numpy.linalg._hermitian import diagonal, gaps, mirror, mirror_adjoint, real_first, row_zero, to_diagonal, unused

__all__ = ["EigResult", "EighResult", "eig", "eigh", "eigvals", "eigvalsh"]


class EighResult(NamedTuple):
    """Eigenvalues, ascending, and eigenvectors, the columns."""

    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    """Eigenvalues and eigenvectors, the columns."""

    eigenvalues: Any
    eigenvectors: Any


def _phase(x: Any, v: Any) -> Any:
    """What keeps the first entry of each vector real, as LAPACK has it: x is moved by i phi v."""
    xp = rb.xp(x, v)
    first = v[..., :1, :]
    phi = -xp.imag(x[..., :1, :]) / xp.where(first == 0, np.inf, xp.real(first))
    return x + 1j * phi * v


def _phase_adjoint(v_bar: Any, v: Any) -> Any:
    xp = rb.xp(v_bar, v)
    first = v[..., :1, :]
    turned = xp.imag(xp.sum(xp.conj(v) * v_bar, axis=-2, keepdims=True))
    return v_bar - row_zero(1j * turned / xp.where(first == 0, np.inf, xp.real(first)) + xp.zeros_like(v_bar))


@stands(np.linalg.eigh)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.eigh",
    cases=[_cases.symmetric, _cases.symmetric_stack, _cases.hermitian, _cases.hermitian_upper],
)
def eigh(a: Any, *, UPLO: str = "L") -> EighResult:
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices.

    Args:
        a: array of shape (..., n, n), of which one triangle is read and the real part of the diagonal.
        UPLO: "L" for the lower triangle, "U" for the upper.

    Returns:
        (eigenvalues, eigenvectors).

    Derivation:
        With P = V^H A_dot V, w_dot = diag(P) and V_dot = V (F o P), F_ij = 1 / (w_j - w_i) off the diagonal (M. Giles, Collected
        matrix derivative results, 2008, section 3.1).  The adjoint is A_bar = V (diag(w_bar) + F o (V^H V_bar)) V^H, of which the
        triangle that is read takes what its mirror image takes.  The phase of a complex vector is LAPACK's: its first entry is
        real (for UPLO="U" the last), which adds i phi_j v_j to each.  Vectors of equal eigenvalues are not differentiable: their
        tangents are NaN, and so is A_bar where the cotangent of one of them is not zero.  The eigenvalues' are right: as a set
        their sum over equal ones.

    Example:
        >>> eigh(np.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        array([1., 2.])
    """
    if type(a) is np.ndarray:
        return EighResult(*np.linalg.eigh(a, UPLO))  # type: ignore[call-overload]  # "L" or "U"
    w, v = rb.xp(a).linalg.eigh(mirror(a, UPLO == "U"), UPLO)
    return EighResult(w, _flipped(real_first(_flipped(v, UPLO), _flipped(v, UPLO)), UPLO))


def _flipped(v: Any, uplo: str) -> Any:
    """LAPACK's phase makes the last entry real for the upper triangle."""
    return v[..., np.arange(v.shape[-2] - 1, -1, -1), :] if uplo == "U" else v


@rb.pushforward(eigh)
def _(y: Any, primals: Any, tangents: Any, *, UPLO: str) -> Any:
    w, v = y
    inner = adjoint(v) @ mirror(tangents[0], UPLO == "U") @ v
    v_dot = v @ (gaps(w) * inner)
    if is_complex(v):
        v_dot = _flipped(_phase(_flipped(v_dot, UPLO), _flipped(v, UPLO)), UPLO)
    return EighResult(rb.xp(inner).real(diagonal(inner)), v_dot)


@rb.pullback(eigh, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, UPLO: str) -> Any:
    (w, v), (w_bar, v_bar) = y, y_bar
    if w_bar is None and v_bar is None:
        return (None,)
    inner = 0.0 if w_bar is None else to_diagonal(w_bar)
    if v_bar is not None:
        if is_complex(v):
            v_bar = _flipped(_phase_adjoint(_flipped(v_bar, UPLO), _flipped(v, UPLO)), UPLO)
        inner = inner + rb.xp(v_bar, v).where(unused(v_bar), 0.0, gaps(w)) * (adjoint(v) @ v_bar)
    return (mirror_adjoint(v @ inner @ adjoint(v), UPLO == "U"),)


@stands(np.linalg.eigvalsh)
@rb.primitive(
    name="rulebook.rules.numpy.linalg.eigvalsh",
    cases=[_cases.symmetric, _cases.symmetric_stack, _cases.hermitian, _cases.hermitian_upper],
    native={e: (lambda a, *, UPLO: rb.xp(a).linalg.eigvalsh(mirror(a, UPLO == "U"))) for e in ("jax", "torch")},
)
def eigvalsh(a: Any, *, UPLO: str = "L") -> Any:
    """Eigenvalues of Hermitian matrices, ascending; arguments and derivation as for `eigh`.

    Example:
        >>> eigvalsh(np.array([[2.0, 0.0], [0.0, 1.0]]))
        array([1., 2.])
    """
    return rb.xp(a).linalg.eigvalsh(a, UPLO)


@rb.pushforward(eigvalsh)
def _(w: Any, primals: Any, tangents: Any, *, UPLO: str) -> Any:
    v = eigh(primals[0], UPLO=UPLO)[1]
    inner = adjoint(v) @ mirror(tangents[0], UPLO == "U") @ v
    return rb.xp(inner).real(diagonal(inner))


@rb.pullback(eigvalsh)
def _(w: Any, primals: Any, w_bar: Any, *, UPLO: str) -> Any:
    v = eigh(primals[0], UPLO=UPLO)[1]
    return (mirror_adjoint((v * w_bar[..., None, :]) @ adjoint(v), UPLO == "U"),)


def _largest(v: Any) -> Any:
    """Which entry of each vector LAPACK makes real: the largest."""
    xp = rb.xp(v)
    return xp.arange(v.shape[-2])[:, None] == xp.argmax(xp.abs(v), axis=-2)[..., None, :]


@rb.primitive(name="rulebook.rules.numpy.linalg.eig", cases=[_cases.simple_spectrum, _cases.complex_spectrum])
def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors of square matrices, complex in every case.

    Args:
        a: array of shape (..., n, n).

    Returns:
        (eigenvalues, eigenvectors).

    Derivation:
        With P = V^-1 A_dot V, w_dot = diag(P) and V_dot = V (F o P) + V diag(c), F_ij = 1 / (w_j - w_i) off the diagonal
        (M. Giles 2008, section 3.1); c keeps the vectors as LAPACK has them, of length 1 and with a real largest entry, k:
        c_j = -Re(v_j^H x_j) - i Im(x_kj) / v_kj, where x = V (F o P).  The adjoint has, with s_j = v_j^H v_bar_j,
        x_bar_j = v_bar_j - Re(s_j) v_j - i Im(s_j) / v_kj e_k and A_bar = V^-H (diag(w_bar) + conj(F) o (V^H x_bar)) V^H.
        Where two eigenvalues are equal the vectors' derivatives are NaN.

    Example:
        >>> np.sort(eig(np.array([[0.0, 1.0], [1.0, 0.0]])).eigenvalues.real)
        array([-1.,  1.])
    """
    return EigResult(*map(_complex, rb.xp(a).linalg.eig(a)))


@rb.pushforward(eig)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    w, v = y
    p = quotient(v, _complex(tangents[0]) @ v)
    x = v @ (gaps(w) * p)
    xp = rb.xp(x)
    c = -xp.sum(xp.real(xp.conj(v) * x), axis=-2, keepdims=True)
    c = c - 1j * xp.sum(xp.imag(xp.where(_largest(v), x / xp.where(v == 0, 1.0, v), 0.0)), axis=-2, keepdims=True)
    return EigResult(diagonal(p), x + c * v)


@rb.pullback(eig, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    (w, v), (w_bar, v_bar) = y, y_bar
    if w_bar is None and v_bar is None:
        return (None,)
    inner = 0.0 if w_bar is None else to_diagonal(w_bar)
    if v_bar is not None:
        xp = rb.xp(v_bar, v)
        s = xp.sum(xp.conj(v) * v_bar, axis=-2, keepdims=True)
        x_bar = v_bar - xp.real(s) * v
        x_bar = x_bar - xp.where(_largest(v), 1j * xp.imag(s) / xp.where(v == 0, 1.0, xp.conj(v)), 0.0)
        inner = inner + xp.where(unused(v_bar), 0.0, xp.conj(gaps(w))) * (adjoint(v) @ x_bar)
    return (quotient(adjoint(v), inner @ adjoint(v)),)


@rb.primitive(name="rulebook.rules.numpy.linalg.eigvals", cases=[_cases.simple_spectrum, _cases.complex_spectrum])
def eigvals(a: Any) -> Any:
    """Eigenvalues of square matrices, complex in every case; arguments and derivation as for `eig`.

    Example:
        >>> np.sort(eigvals(np.array([[0.0, 1.0], [1.0, 0.0]])).real)
        array([-1.,  1.])
    """
    return _complex(rb.xp(a).linalg.eigvals(a))


def _complex(x: Any) -> Any:
    """NumPy gives real numbers where all happen to be: the dtype would depend on values."""
    return x if is_complex(x) else x + 0j


@rb.pushforward(eigvals)
def _(w: Any, primals: Any, tangents: Any) -> Any:
    v = eig(primals[0])[1]
    return diagonal(quotient(v, _complex(tangents[0]) @ v))


@rb.pullback(eigvals)
def _(w: Any, primals: Any, w_bar: Any) -> Any:
    v = eig(primals[0])[1]
    return (quotient(adjoint(v), w_bar[..., :, None] * adjoint(v)),)


def _eig_of_dual(a: Any) -> EigResult:
    return EigResult(*_as_numpy(*eig(a), a))


def _eigvals_of_dual(a: Any) -> Any:
    return _as_numpy(eigvals(a), a)[0]


def _as_numpy(*values: Any) -> tuple[Any, ...]:
    """Eigenvalues and vectors with their argument; real for real ones, as NumPy gives them."""
    *found, a = values
    if is_complex(a) or np.any(np.imag(peel(found[0]))):
        return tuple(found)
    return tuple(np.real(x) for x in found)


stand_for(_eig_of_dual, np.linalg.eig)
stand_for(_eigvals_of_dual, np.linalg.eigvals)
