"""Linear systems, inverse and determinant: `scipy.linalg` with rules of every order.

The rules are those of M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation
(2008), for complex matrices, for stacks, and for what each function reads of a stored matrix.  X^H is the conjugate transpose;
the pairing is <A, B> = Re tr(A^H B).  Options are SciPy's and keyword-only; `overwrite_a` and `overwrite_b` change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._matrices import adjoint, cotangents, matrices, quotient, tangents_of
from rulebook.rules.linalg import _cases
from rulebook.rules.linalg._columns import Columns, batch_of_systems, solution
from rulebook.rules.linalg._reading import matrix, matrix_bar, structure_of, transpose, triangle
from rulebook.rules.linalg._stacks import batches, dtype_of, lead_of, like, scipy_linalg, spec, stacked

__all__ = ["det", "inv", "solve", "solve_triangular"]


def _same(a: Any, **_: Any) -> Any:
    return spec(a.shape[:-2], a.shape[-2:], dtype_of(a))


def _inv(a: Any, *, assume_a: str | None, lower: bool, **_: Any) -> Any:
    return rb.xp(a).linalg.inv(matrix(a, structure_of(assume_a), lower))


@rb.primitive(host=True, result=_same, cases=_cases.INV, native={"jax": _inv, "torch": _inv, "dual": _inv})
def inv(a: Any, *, assume_a: str | None = None, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The inverse.

    Args:
        a: array of shape (..., n, n).
        assume_a: what is known of it, as in `solve`.
        lower: which triangle is read of a symmetric or Hermitian matrix.
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n, n).

    Raises:
        numpy.linalg.LinAlgError: a is singular.

    Derivation:
        A Y = 1 gives Y_dot = -Y A_dot Y, and <Y_bar, Y_dot> = <-Y^H Y_bar Y^H, A_dot> (Giles 2008, section 2.2.3).

    Example:
        >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
        array([[0.5 , 0.  ],
               [0.  , 0.25]])
    """
    (a,) = like(a)
    full, structure = matrix(a, structure_of(assume_a), lower), "general"
    return (
        stacked(lambda m: scipy_linalg().inv(m, check_finite=check_finite), _same(a), full)
        if a.size
        else np.zeros_like(matrix(a, structure))
    )


@rb.pushforward(inv)
def _(y: Any, primals: Any, tangents: Any, *, assume_a: str | None, lower: bool, **_: Any) -> Any:
    (a_dot,) = tangents
    return -y @ matrix(a_dot, structure_of(assume_a), lower) @ y


@rb.pullback(inv)
def _(y: Any, primals: Any, y_bar: Any, *, assume_a: str | None, lower: bool, **_: Any) -> Any:
    return (matrix_bar(-adjoint(y) @ y_bar @ adjoint(y), structure_of(assume_a), lower),)


batches(inv)


# torch's own is not used: forward mode gives 0 at a singular matrix, and forward over reverse numbers of 1e15.
@rb.primitive(
    host=True,
    result=lambda a, **_: spec(a.shape[:-2], (), dtype_of(a)),
    cases=_cases.DET,
    native={"jax": lambda a, **_: rb.xp(a).linalg.det(a)},
)
def det(a: Any, *, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The determinant.

    Args:
        a: array of shape (..., n, n).
        overwrite_a: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (...).

    Derivation:
        y_dot = tr(adj(A) A_dot) with the adjugate, which a singular matrix has as well (Jacobi's formula; Giles 2008,
        section 2.2.4, has the regular case), so that A_bar = y_bar adj(A)^H.

    Example:
        >>> det(np.array([[2.0, 1.0], [0.0, 4.0]]))
        np.float64(8.0)
    """
    (a,) = like(a)
    found = stacked(lambda m: scipy_linalg().det(m, check_finite=check_finite), spec(a.shape[:-2], (), a.dtype), a)
    return found.astype(a.dtype, copy=False)[()]


@rb.pushforward(det)
def _(y: Any, primals: Any, tangents: Any, **_: Any) -> Any:
    (a,), (a_dot,) = primals, tangents
    return (transpose(adjugate(a)) * a_dot).sum((-2, -1))


@rb.pullback(det)
def _(y: Any, primals: Any, y_bar: Any, **_: Any) -> Any:
    return (y_bar[..., None, None] * adjoint(adjugate(primals[0])),)


batches(det)


@rb.primitive(host=True, result=lambda a: _same(a), cases=_cases.ADJUGATE)
def adjugate(a: Any) -> Any:
    """The adjugate: det(A) A^-1, which a singular matrix has as well.

    Args:
        a: array of shape (..., n, n).

    Returns:
        An array of shape (..., n, n).

    Derivation:
        From the singular values, adj(U S V^H) = det(U V^H) V adj(S) U^H.  The derivative is `adjugate_change`.

    Example:
        >>> adjugate(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
        array([[ 4., -2.],
               [-2.,  1.]])
    """
    (a,) = like(a)
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    others = [np.prod(np.delete(s, i, axis=-1), axis=-1) for i in range(n)]
    sizes = np.stack(others, axis=-1) if n else s
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return (sign[..., None, None] * (_h(vh) * sizes[..., None, :]) @ _h(u)).astype(a.dtype, copy=False)


def _h(x: Any) -> Any:
    return np.conjugate(np.swapaxes(x, -1, -2))


@rb.pushforward(adjugate)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return adjugate_change(primals[0], tangents[0])


@rb.pullback(adjugate)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (adjugate_change(adjoint(primals[0]), y_bar),)


batches(adjugate)


@rb.primitive(host=True, result=lambda a, e: spec(lead_of(a, e), a.shape[-2:], dtype_of(a, e)), cases=_cases.ADJUGATE_CHANGE)
def adjugate_change(a: Any, e: Any) -> Any:
    """The derivative of the adjugate of A along E, of a singular matrix as well.

    Args:
        a: array of shape (..., n, n).
        e: array of shape (..., n, n).

    Returns:
        An array of shape (..., n, n).

    Derivation:
        With A = U S V^H, F = U^H E V it is det(U V^H) V G U^H, where G is the derivative of the adjugate of the diagonal matrix S:
        G_ij = -F_ij prod of the s_k, k not i or j; G_ii = the sum over j not i of F_jj times that product.  It is linear in E, and its
        adjoint is the derivative of the adjugate of A^H.  For a regular A it is tr(adj(A) E) A^-1 - A^-1 E adj(A), which is what
        is differentiated with respect to A: of a singular matrix the third derivative of the determinant raises.

    Example:
        >>> adjugate_change(np.zeros((2, 2)), np.eye(2))
        array([[1., 0.],
               [0., 1.]])
    """
    a, e = like(a, e)
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    f = _h(u) @ e @ _h(vh)
    g = np.zeros_like(f)
    for i in range(n):
        for j in range(i + 1, n):
            others = np.prod(np.delete(s, [i, j], axis=-1), axis=-1)
            g[..., i, j] = -f[..., i, j] * others
            g[..., j, i] = -f[..., j, i] * others
            g[..., i, i] += f[..., j, j] * others
            g[..., j, j] += f[..., i, i] * others
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return (sign[..., None, None] * (_h(vh) @ g @ _h(u))).astype(a.dtype, copy=False)


@rb.primitive(host=True, result=_same, cases=_cases.REGULAR)
def regular(a: Any) -> Any:
    """A itself, if it is regular.

    Raises:
        numpy.linalg.LinAlgError: it is singular, to rounding.

    Derivation:
        The derivative of the identity.
    """
    if a.size and np.linalg.cond(a).max() > 1e-3 / np.finfo(a.dtype).eps:
        raise np.linalg.LinAlgError("a is singular: there is a rule for the first and second derivative of its determinant only")
    return a.copy()


@rb.pushforward(regular)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return tangents[0]


@rb.pullback(regular)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (y_bar,)


batches(regular)


def _trace(p: Any, q: Any) -> Any:
    """The trace of P Q, as a matrix."""
    return (transpose(p) * q).sum((-2, -1))[..., None, None]


@rb.pushforward(adjugate_change, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a, e), (a_dot, e_dot) = primals, tangents
    along_e = None if e_dot is None else adjugate_change(a, e_dot)
    if a_dot is None:
        return along_e
    x, adj = inv(regular(a)), adjugate(a)
    x_dot, adj_dot = -x @ a_dot @ x, adjugate_change(a, a_dot)
    along_a = _trace(adj_dot, e) * x + _trace(adj, e) * x_dot - x_dot @ e @ adj - x @ e @ adj_dot
    return along_a if along_e is None else along_a + along_e


@rb.pullback(adjugate_change)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    a, e = primals
    return cotangents(primals, lambda: _bar_of_matrix(a, e, y_bar), lambda: adjugate_change(adjoint(a), y_bar))


def _bar_of_matrix(a: Any, e: Any, y_bar: Any) -> Any:
    """The derivative along A is symmetric in A_dot and E, so its adjoint is that of A^H along E^H, applied to y_bar."""
    ah, eh = adjoint(a), adjoint(e)
    x, adj = inv(regular(ah)), adjugate(ah)
    x_dot, adj_dot = -x @ eh @ x, adjugate_change(ah, eh)
    return _trace(adj_dot, y_bar) * x + _trace(adj, y_bar) * x_dot - x_dot @ y_bar @ adj - x @ y_bar @ adj_dot


batches(adjugate_change)


def _solve(a: Any, b: Any, *, assume_a: str | None, lower: bool, transposed: bool, **_: Any) -> Any:
    columns = Columns(b)
    return columns.back(quotient(_operator(a, assume_a, lower, transposed), columns.matrix(b)))


def _operator(a: Any, assume_a: str | None, lower: bool, transposed: bool) -> Any:
    full = matrix(a, structure_of(assume_a), lower)
    return transpose(full) if transposed else full


@rb.primitive(
    host=True, result=lambda a, b, **_: solution(a, b), cases=_cases.SOLVE, native={"jax": _solve, "torch": _solve, "dual": _solve}
)
def solve(
    a: Any,
    b: Any,
    *,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """x with A x = b.

    Args:
        a: array of shape (..., n, n).
        b: array of shape (n,) or (..., n, k).
        lower: which triangle is read of a symmetric or Hermitian matrix.
        overwrite_a, overwrite_b: change nothing.
        check_finite: whether NaN and infinity raise.
        assume_a: "gen", "sym", "her", "pos", "diagonal", "tridiagonal", "banded", "upper triangular", "lower triangular"; None looks
            at the whole matrix.  Only what is read of a has a derivative.
        transposed: whether A^T x = b is solved.

    Returns:
        An array of shape (..., n) or (..., n, k).

    Raises:
        numpy.linalg.LinAlgError: a is singular.

    Derivation:
        A x_dot = b_dot - A_dot x.  With b_bar = A^-H x_bar, <x_bar, x_dot> = <b_bar, b_dot - A_dot x>, so that A_bar = -b_bar x^H
        (Giles 2008, section 2.3.1).

    Example:
        >>> solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.ones(2))
        array([0.5 , 0.25])
    """
    out = solution(a, b)
    columns = Columns(b)
    a, b = like(a, columns.matrix(np.asarray(b)))
    structure_of(assume_a)
    if transposed:
        a, assume_a = _operator(a, assume_a, lower, True), "gen"
    run = lambda p, q: scipy_linalg().solve(p, q, lower=lower, check_finite=check_finite, assume_a=assume_a)
    return columns.back(columns.over(run, a, b)).reshape(out.shape)


@rb.pushforward(solve)
def _(y: Any, primals: Any, tangents: Any, *, assume_a: str | None, lower: bool, transposed: bool, **_: Any) -> Any:
    columns = Columns(primals[1])
    y = columns.matrix(y)
    a, _ = matrices(y, (primals[0], y))
    a_dot, b_dot = tangents_of(y, (primals[0], y), (tangents[0], columns.matrix(tangents[1])))
    change = b_dot - _operator(a_dot, assume_a, lower, transposed) @ y
    return columns.back(quotient(_operator(a, assume_a, lower, transposed), change))


@rb.pullback(solve)
def _(y: Any, primals: Any, y_bar: Any, *, assume_a: str | None, lower: bool, transposed: bool, **_: Any) -> Any:
    columns = Columns(primals[1])
    y, y_bar = columns.matrix(y), columns.matrix(y_bar)
    a, _ = matrices(y, (primals[0], y))
    w = quotient(adjoint(_operator(a, assume_a, lower, transposed)), y_bar)

    def a_bar() -> Any:
        bar = -w @ adjoint(y)
        return matrix_bar(transpose(bar) if transposed else bar, structure_of(assume_a), lower)

    return columns.cotangents(primals, a_bar, lambda: w)


batch_of_systems(solve)


_TRANS = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _triangular(a: Any, b: Any, *, trans: Any, lower: bool, unit_diagonal: bool, **_: Any) -> Any:
    columns = Columns(b)
    found = rb.xp(a, b).linalg.solve_triangular(a, columns.matrix(b), trans=_TRANS[trans], lower=lower, unit_diagonal=unit_diagonal)
    return columns.back(found)


def _seen(a: Any, lower: bool, unit_diagonal: bool) -> Any:
    """What is read of a tangent."""
    return triangle(a, lower, strict=unit_diagonal)


def turned(x: Any, trans: Any) -> Any:
    """A matrix, its transpose or its adjoint, as `trans` of SciPy says."""
    return (x, transpose(x), adjoint(x))[_TRANS[trans]] if _TRANS[trans] else x


def against(f: Any, trans: Any, *args: Any) -> Any:
    """The solution for the adjoint of the operator: f(*args, trans) solves with the operator that `trans` says; the last is b."""
    xp = rb.xp(*args)
    if _TRANS[trans] != 1:
        return f(*args, 2 - _TRANS[trans])
    return xp.conj(f(*args[:-1], xp.conj(args[-1]), 0))


@rb.primitive(
    host=True,
    result=lambda a, b, **_: solution(a, b),
    cases=_cases.SOLVE_TRIANGULAR,
    native={"jax": _triangular, "torch": _triangular, "dual": _triangular},
)
def solve_triangular(
    a: Any,
    b: Any,
    *,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """x with A x = b, A^T x = b or A^H x = b, for a triangular A.

    Args:
        a: array of shape (..., n, n), of which one triangle is read.
        b: array of shape (n,) or (..., n, k).
        trans: 0 or "N", 1 or "T", 2 or "C".
        lower: whether it is the lower triangle.
        unit_diagonal: whether the diagonal is one, and not read.
        overwrite_b: changes nothing.
        check_finite: whether NaN and infinity raise.

    Returns:
        An array of shape (..., n) or (..., n, k).

    Raises:
        numpy.linalg.LinAlgError: a is singular.

    Derivation:
        That of `solve`, of what is read: A_bar = -b_bar x^H, transposed or adjoint as A is, and its triangle.

    Example:
        >>> solve_triangular(np.array([[2.0, 9.0], [1.0, 1.0]]), np.array([2.0, 3.0]), lower=True)
        array([1., 2.])
    """
    out = solution(a, b)
    columns = Columns(b)
    a, b = like(a, columns.matrix(np.asarray(b)))
    options = {"trans": _TRANS[trans], "lower": lower, "unit_diagonal": unit_diagonal, "check_finite": check_finite}
    return columns.back(columns.over(lambda p, q: scipy_linalg().solve_triangular(p, q, **options), a, b)).reshape(out.shape)


@rb.pushforward(solve_triangular)
def _(y: Any, primals: Any, tangents: Any, *, trans: Any, lower: bool, unit_diagonal: bool, **_: Any) -> Any:
    columns = Columns(primals[1])
    y = columns.matrix(y)
    a, _ = matrices(y, (primals[0], y))
    a_dot, b_dot = tangents_of(y, (primals[0], y), (tangents[0], columns.matrix(tangents[1])))
    change = b_dot - turned(_seen(a_dot, lower, unit_diagonal), trans) @ y
    return columns.back(solve_triangular(a, change, trans=trans, lower=lower, unit_diagonal=unit_diagonal, check_finite=False))


@rb.pullback(solve_triangular)
def _(y: Any, primals: Any, y_bar: Any, *, trans: Any, lower: bool, unit_diagonal: bool, **_: Any) -> Any:
    columns = Columns(primals[1])
    y, y_bar = columns.matrix(y), columns.matrix(y_bar)
    a, _ = matrices(y, (primals[0], y))
    run = lambda p, q, t: solve_triangular(p, q, trans=t, lower=lower, unit_diagonal=unit_diagonal, check_finite=False)
    w = against(run, trans, a, y_bar)
    return columns.cotangents(primals, lambda: _seen(turned(-w @ adjoint(y), trans), lower, unit_diagonal), lambda: w)


batch_of_systems(solve_triangular)
