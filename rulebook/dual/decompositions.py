"""Decompositions: Cholesky, QR, eigenvalues of Hermitian matrices, singular values."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.errors import unsupported
from rulebook.dual.parts import join
from rulebook.dual.registry import rule

__all__: list[str] = []


def _h(x: Any) -> Any:
    """The adjoint."""
    return np.conjugate(np.swapaxes(x, -1, -2))


def _hermitian(t: Any) -> Any:
    """What LAPACK reads of a tangent: the lower triangle, mirrored; a real diagonal."""
    low = np.tril(t, -1)
    return low + _h(low) + np.real(t) * np.eye(t.shape[-1])


def _gaps(x: Any) -> Any:
    """1 / (x_j - x_i), zero on the diagonal."""
    eye = np.eye(x.shape[-1])
    return (1 - eye) / (x[..., None, :] - x[..., :, None] + eye)


@rule(np.linalg.cholesky)
def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """L_dot = L phi(L^-1 A_dot L^-H), phi the lower triangle with half the diagonal (Murray 2016)."""
    low = np.linalg.cholesky(a.p)
    half = np.linalg.solve(low, _hermitian(a.tangent))
    inner = _h(np.linalg.solve(low, _h(half)))
    n = low.shape[-1]
    y = join(low, np.matmul(low, inner * (np.tril(np.ones((n, n))) - 0.5 * np.eye(n))), a.tag)
    return _h(y) if upper else y


@rule(np.linalg.qr)
def _qr(a: Any, mode: str = "reduced") -> Any:
    """With S = Q^H A_dot R^-1 and its strict lower triangle L: Q_dot = Q (L - L^H - S) + A_dot R^-1, R_dot = (S - L + L^H) R."""
    if mode != "reduced" or a.shape[-2] < a.shape[-1]:
        raise unsupported(
            "np.linalg.qr", f"mode={mode!r} of shape {a.shape}", "use mode='reduced', of a matrix with no more columns than rows"
        )
    q, r = np.linalg.qr(a.p)
    scaled = np.swapaxes(np.linalg.solve(np.swapaxes(r, -1, -2), np.swapaxes(a.tangent, -1, -2)), -1, -2)
    s = np.matmul(_h(q), scaled)
    low = np.tril(s, -1)
    turn = low - _h(low)
    if a.dtype.kind == "c":
        turn = turn + 1j * np.imag(s) * np.eye(s.shape[-1])
    return _QR(join(q, np.matmul(q, turn - s) + scaled, a.tag), join(r, np.matmul(s - turn, r), a.tag))


_QR = type(np.linalg.qr(np.eye(1)))


@rule(np.linalg.eigh)
def _eigh(a: Any, UPLO: str = "L") -> Any:
    if UPLO != "L":
        raise unsupported("np.linalg.eigh", f"UPLO={UPLO!r}", "use the lower triangle")
    w, v = np.linalg.eigh(a.p)
    inner = np.matmul(np.matmul(_h(v), _hermitian(a.tangent)), v)
    values = join(w, np.real(np.diagonal(inner, axis1=-2, axis2=-1)), a.tag)
    return _Eigh(values, join(v, np.matmul(v, inner * _gaps(w)), a.tag))


_Eigh = type(np.linalg.eigh(np.eye(1)))


@rule(np.linalg.eigvalsh)
def _eigvalsh(a: Any, UPLO: str = "L") -> Any:
    if UPLO != "L":
        raise unsupported("np.linalg.eigvalsh", f"UPLO={UPLO!r}", "use the lower triangle")
    w, v = np.linalg.eigh(a.p)
    inner = np.matmul(np.matmul(_h(v), _hermitian(a.tangent)), v)
    return join(w, np.real(np.diagonal(inner, axis1=-2, axis2=-1)), a.tag)


@rule(np.linalg.svd)
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Singular vectors of a real matrix in the reduced form; values of any."""
    u, s, vh = np.linalg.svd(a.p, full_matrices=False)
    v, t = _h(vh), a.tangent
    inner = np.matmul(np.matmul(_h(u), t), v)
    values = join(s, np.real(np.diagonal(inner, axis1=-2, axis2=-1)), a.tag)
    if not compute_uv:
        return values
    if a.dtype.kind == "c" or (full_matrices and a.shape[-1] != a.shape[-2]):
        raise unsupported("np.linalg.svd", "vectors of a complex matrix, or full_matrices", "use a real matrix and full_matrices=False")
    gaps = _gaps(s * s)
    right, left = inner * s[..., None, :], inner * s[..., :, None]
    u_dot = np.matmul(u, gaps * (right + _h(right))) + _outside(u, np.matmul(t, v), s)
    v_dot = np.matmul(v, gaps * (left + _h(left))) + _outside(v, np.matmul(_h(t), u), s)
    return _SVD(join(u, u_dot, a.tag), values, join(vh, _h(v_dot), a.tag))


_SVD = type(np.linalg.svd(np.eye(1)))


def _outside(u: Any, moved: Any, s: Any) -> Any:
    """What turns the vectors out of the space they span: zero for a square matrix."""
    if u.shape[-1] == u.shape[-2]:
        return 0.0
    return (moved - np.matmul(u, np.matmul(_h(u), moved))) / s[..., None, :]


@rule(np.linalg.svdvals)
def _svdvals(x: Any, /) -> Any:
    return _svd(x, compute_uv=False)
