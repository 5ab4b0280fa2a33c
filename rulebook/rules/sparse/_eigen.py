"""Some eigenvalues of Hermitian sparse matrices, and some singular values of any."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.errors import RuleSignatureError
from rulebook.rules import _along
from rulebook.rules.sparse._matrix import SparseMatrix, as_sparse, assembled, block_array, scipy_matrix
from rulebook.rules.sparse._pattern import Pattern
from rulebook.rules.sparse._products import contracted
from rulebook.rules.sparse._systems import solved

__all__ = ["eigenpairs", "eigsh", "svds"]


def _tridiagonal(n: int) -> Pattern:
    i = np.arange(n)
    rows, cols = np.concatenate([i, i[:-1], i[1:]]), np.concatenate([i, i[1:], i[:-1]])
    order = np.lexsort((cols, rows))
    return Pattern(rows[order], cols[order], (n, n))


def _draw(n: int, dtype: Any = float, **static: Any) -> Any:
    """A tridiagonal matrix with eigenvalues apart."""

    def case(rng: np.random.Generator) -> Any:
        main, beside = np.arange(n) * 2.0 + rng.uniform(-0.3, 0.3, n), rng.uniform(0.2, 0.6, n - 1)
        a = np.diag(main) + np.diag(beside, 1) + np.diag(beside, -1)
        pattern = _tridiagonal(n)
        options = {"which": "LA", "sigma": None, "ncv": None, "maxiter": None, "tol": 0.0, **static}
        return rb.case(a[pattern.rows, pattern.cols].astype(dtype), pattern=pattern, **options)

    return case


def _symmetric(argument: int, tangent: Any) -> Any:
    """Tangents of the tridiagonal cases for which the matrix stays symmetric."""
    pattern = _tridiagonal((tangent.shape[0] + 2) // 3)
    return (tangent + tangent[np.lexsort((pattern.rows, pattern.cols))]) / 2


def _result(data: Any, *, pattern: Pattern, k: int, **_: Any) -> Any:
    real = np.zeros((), data.dtype).real.dtype
    return rb.ShapeDtype((k,), real), rb.ShapeDtype((k, pattern.shape[0]), data.dtype)


@rb.primitive(
    host=True,
    result=_result,
    cases=[_draw(5, k=2), _draw(4, k=1, sigma=1.1, which="LM"), _draw(6, k=3, which="SA")],
    tangent_space=_symmetric,
    accuracy=1e-12,
)
def eigenpairs(
    data: Any,
    *,
    pattern: Pattern,
    k: int,
    which: str,
    sigma: float | None,
    ncv: int | None,
    maxiter: int | None,
    tol: float,
) -> Any:
    """k eigenvalues of a Hermitian matrix, and eigenvectors as rows: the element of each that is largest is real and positive.

    Args:
        data: array of shape (nnz,), the entries of A.
        pattern: where they are; entries that mirror each other are conjugate.
        k, which, sigma, ncv, maxiter, tol: as in scipy.sparse.linalg.eigsh.

    Returns:
        (w, v), of shapes (k,) and (k, n).

    Derivation:
        With A v = w v and v^H v = 1, w_dot = v^H A_dot v and v_dot = -(A - w)^+ A_dot v, with the phase for which v^H v_dot = 0 (J. R.
        Magnus, On differentiating eigenvalues and eigenvectors, Econometric Theory 1, 1985, theorem 1).  The pseudo-inverse needs no other
        eigenvector: u = (A - w)^+ r solves the bordered system [[A - w, v], [v^H, 0]] [u, m] = [r, 0], which is regular for a simple w and
        sparse (R. B. Nelson, Simplified calculation of eigenvector derivatives, AIAA Journal 14, 1976).  Reverse:
        A_bar = w_bar v v^H - ((A - w)^+ v_bar) v^H.

        A_dot counts by its Hermitian part, as it is for Hermitian A alone that there are these eigenvalues.  Where one is not simple, the
        bordered system is singular, and derivatives of its vector are NaN; those of eigenvalues do not need it.  For complex matrices
        only what does not depend on the phases of v has a derivative that means something.

    Example:
        >>> eye = Pattern([0, 1, 2], [0, 1, 2], (3, 3))
        >>> options = {"which": "LA", "sigma": None, "ncv": None, "maxiter": None, "tol": 0.0}
        >>> eigenpairs(np.array([1.0, 3.0, 2.0]), pattern=eye, k=1, **options)[0].round(12)
        array([3.])
    """
    data = np.asarray(data)
    linalg = importlib.import_module("scipy.sparse.linalg")
    n = pattern.shape[0]
    start = np.cos(np.arange(1.0, n + 1)).astype(data.dtype)  # the same eigenvectors each time
    w, v = linalg.eigsh(scipy_matrix(data, pattern), k, sigma=sigma, which=which, v0=start, ncv=ncv, maxiter=maxiter, tol=tol)
    order = np.argsort(w, kind="stable")
    w, v = w[order], v[:, order].T
    # The first of those that are largest up to rounding: which one is does not hang on the last bits.
    size = np.abs(v)
    first = np.argmax(size > size.max(axis=1, keepdims=True) * (1 - 1e-6), axis=1)
    pivot = v[np.arange(k), first][:, None]
    return w.astype(np.zeros((), data.dtype).real.dtype), (v * np.conj(pivot) / np.abs(pivot)).astype(data.dtype)


def _deflated(data: Any, pattern: Pattern, w: Any, v: Any, r: Any) -> Any:
    """(A - w)^+ r for a simple eigenvalue w with eigenvector v."""
    n = pattern.shape[0]
    xp = rb.xp(data, w, v, r)
    i = np.arange(n)
    rows = np.concatenate([pattern.rows, i, i, np.full(n, n)])
    cols = np.concatenate([pattern.cols, i, np.full(n, n), i])
    # A sum with 0 * v, so that all parts have one dtype.
    border = assembled(rows, cols, _along.joined([data, 0 * v - w, v, xp.conj(v)]), (n + 1, n + 1))
    u = solved(border.data, _along.fitted(r, n + 1), pattern=border.pattern, adjoint=False, permc_spec=None, careful=True)
    return u[:n]


@rb.pushforward(eigenpairs, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, pattern: Pattern, k: int, **_: Any) -> Any:
    (w, v), (data,), (data_dot,) = y, primals, tangents
    if data_dot is None:
        return None
    xp = rb.xp(w, v, data_dot)
    data_dot = _hermitian(data_dot, pattern)
    w_dot, v_dot = [], []
    for i in range(k):
        moved = contracted(data_dot, v[i], plan=pattern.product)
        w_dot.append(xp.real(xp.sum(xp.conj(v[i]) * moved)))
        v_dot.append(_deflated(data, pattern, w[i], v[i], -moved))
    return xp.stack(w_dot), xp.stack(v_dot)


@rb.pullback(eigenpairs, symbolic_zeros=True)
def _(y: Any, primals: Any, y_bar: Any, *, pattern: Pattern, k: int, **_: Any) -> Any:
    (w, v), (data,), (w_bar, v_bar) = y, primals, y_bar
    xp = rb.xp(w, v, w_bar, v_bar)
    total = None
    for i in range(k):
        left = None if w_bar is None else w_bar[i] * v[i]
        if v_bar is not None:
            u = _deflated(data, pattern, w[i], v[i], -v_bar[i])
            left = u if left is None else left + u
        if left is not None:
            share = contracted(left, xp.conj(v[i]), plan=pattern.sampled)
            total = share if total is None else total + share
    return (None if total is None else _hermitian(total, pattern),)


def _hermitian(data: Any, pattern: Pattern) -> Any:
    """The Hermitian part, for which alone the eigenvalues are defined; of a pattern that is no mirror image of itself, the data."""
    if pattern.transposed[0] != pattern:
        return data
    mirrored = SparseMatrix(data, pattern).H.data
    return (data + mirrored) / 2


# -- the names of scipy.sparse.linalg ----------------------------------------------------------------------


class SingularValues(NamedTuple):
    """What `svds` gives: A is about U diag(s) Vh.

    Attributes:
        U: array of shape (m, k).
        s: array of shape (k,), the smallest first.
        Vh: array of shape (k, n).
    """

    U: Any
    s: Any
    Vh: Any


def eigsh(
    A: Any,
    k: int = 6,
    M: Any = None,
    sigma: float | None = None,
    which: str = "LM",
    v0: Any = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0,
    return_eigenvectors: bool = True,
    **options: Any,
) -> Any:
    """k eigenvalues and eigenvectors of a Hermitian sparse matrix, differentiable in its entries.

    Derivatives are those along Hermitian perturbations.  Eigenvalues may be multiple as long as no derivative of their vectors is used:
    those are NaN then.

    Args:
        A: sparse matrix of shape (n, n).
        k: how many, less than n.
        sigma: those nearest to it.
        which: "LM", "SM", "LA", "SA" or "BE".
        ncv, maxiter, tol: of ARPACK.
        return_eigenvectors: (w, v), and not w alone.
        M, v0, options: refused: make the problem a standard one.

    Returns:
        (w, v) of shapes (k,) and (n, k), or w.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> eigsh(diags_array(np.array([1.0, 3.0, 2.0])), k=1, return_eigenvectors=False).round(12)
        array([3.])
    """
    if M is not None or v0 is not None or options:
        raise RuleSignatureError(
            "eigsh.", "a standard problem", "M, v0, Minv, OPinv, mode or rng", "transform it, and leave the start to eigsh"
        )
    a = as_sparse(A, "eigsh")
    data = _along.floating(a.data)
    w, v = eigenpairs(data, pattern=a.pattern, k=int(k), which=which, sigma=sigma, ncv=ncv, maxiter=maxiter, tol=float(tol))
    return (w, rb.xp(v).moveaxis(v, -1, -2)) if return_eigenvectors else w


def svds(
    A: Any,
    k: int = 6,
    ncv: int | None = None,
    tol: float = 0,
    which: str = "LM",
    v0: Any = None,
    maxiter: int | None = None,
    return_singular_vectors: Any = True,
    **options: Any,
) -> Any:
    """The k largest singular values and vectors of a sparse matrix, differentiable in its entries.

    They are the positive eigenvalues of [[0, A], [A^H, 0]], whose eigenvectors are (u, v) / sqrt(2) (G. H. Golub and W. Kahan, 1965).

    Args:
        A: sparse matrix of shape (m, n).
        k: how many, less than min(m, n).
        ncv, tol, maxiter: of ARPACK.
        which: "LM" only.
        return_singular_vectors: (U, s, Vh), and not s alone.
        v0, options: refused.

    Returns:
        (U, s, Vh), or s, the smallest first.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> svds(diags_array(np.array([1.0, 3.0, 2.0])), k=1, return_singular_vectors=False).round(12)
        array([3.])
    """
    if which != "LM" or v0 is not None or options:
        raise RuleSignatureError("svds.", 'which="LM" and no start', f"which={which!r}, v0 or options", "use eigsh of A^H A for others")
    a = as_sparse(A, "svds")
    a = a.with_data(_along.floating(a.data))
    if not 0 < k < min(a.shape):
        raise ValueError(f"k has to be above 0 and below min(m, n), which is {min(a.shape)}, and is {k}.")
    w, z = eigsh(_augmented(a), k=k, which="LA", ncv=ncv, tol=tol, maxiter=maxiter)
    if return_singular_vectors is False:
        return w
    xp = rb.xp(w, z)
    u, v = z[: a.shape[0]] * 2**0.5, z[a.shape[0] :] * 2**0.5
    return SingularValues(u, w, xp.conj(xp.moveaxis(v, -1, -2)))


def _augmented(a: SparseMatrix) -> SparseMatrix:
    """[[0, A], [A^H, 0]]."""
    empty: Callable[[int], SparseMatrix] = lambda n: SparseMatrix(a.data[:0], Pattern([], [], (n, n)))
    return block_array([[empty(a.shape[0]), a], [a.H, empty(a.shape[1])]])
