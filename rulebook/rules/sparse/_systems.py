"""Sparse linear systems: the solution as a primitive of the entries and the right-hand side, by one LU factorisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.errors import RuleSignatureError
from rulebook.rules import _along
from rulebook.rules._stacked import stacked
from rulebook.rules.sparse._factors import factor_of
from rulebook.rules.sparse._matrix import SparseMatrix, as_sparse, is_sparse
from rulebook.rules.sparse._pattern import Pattern
from rulebook.rules.sparse._products import contracted

__all__ = ["FactoredMatrix", "factorized", "inverse_pull", "inverse_push", "solved", "splu", "spsolve"]

_RING = Pattern([0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 2, 0, 1, 2], (3, 3))


def _draw(lead: tuple[int, ...] = (), dtype: Any = float, **static: Any) -> Any:
    """A matrix with a strong diagonal."""

    def case(rng: np.random.Generator) -> Any:
        made = [rng.uniform(-1.0, 1.0, _RING.nnz), rng.normal(size=(*lead, 3))]
        if np.dtype(dtype).kind == "c":
            made = [x + 1j * rng.uniform(-1.0, 1.0, x.shape) for x in made]
        made[0] = made[0] + 3.0 * (_RING.rows == _RING.cols)
        return rb.case(*[x.astype(dtype) for x in made], pattern=_RING, permc_spec=None, **static)

    return case


def _result(data: Any, b: Any, **_: Any) -> Any:
    return rb.ShapeDtype(b.shape, np.result_type(data.dtype, b.dtype))


@rb.primitive(
    host=True,
    result=_result,
    cases=[_draw(adjoint=False), _draw(dtype=complex, adjoint=True), _draw((2,), adjoint=True), _draw((2,), np.complex64, adjoint=False)],
)
def solved(data: Any, b: Any, *, pattern: Pattern, adjoint: bool, permc_spec: str | None, careful: bool = False) -> Any:
    """x with A x = b, or A^H x = b, along the last axis.

    Args:
        data: array of shape (nnz,), the entries of A.
        b: array of shape (..., n).
        pattern: where the entries are.
        adjoint: the system with the conjugate transpose.
        permc_spec: how the columns are ordered for sparsity, as in scipy.sparse.linalg.splu.
        careful: NaN, and no numbers, where A is singular to rounding; a right-hand side of zeros gives zeros all the same.

    Returns:
        An array of the shape of b.

    Raises:
        RuntimeError: A is exactly singular.

    Derivation:
        A x_dot = b_dot - A_dot x.  With A^H w = x_bar, b_bar = w and A_bar = -w x^H (M. Giles, Collected matrix derivative results for
        forward and reverse mode algorithmic differentiation, 2008, section 2.3.1), of which the entries of A are all that is computed.
        For the adjoint system, A^H x_dot = b_dot - A_dot^H x, A w = x_bar and A_bar = -x w^H.

    Example:
        >>> solved(np.array([2.0, 4.0]), np.ones(2), pattern=Pattern([0, 1], [0, 1], (2, 2)), adjoint=False, permc_spec=None)
        array([0.5 , 0.25])
    """
    data, b = np.asarray(data), np.asarray(b)
    dtype = np.result_type(data, b)
    if not b.size:
        return np.zeros(b.shape, dtype)
    kind = dtype if data.dtype.kind == "c" else np.zeros((), dtype).real.dtype  # a real matrix has real factors, also for complex b
    try:
        factor = factor_of(data.astype(kind, copy=False), pattern, permc_spec)
    except RuntimeError:
        if not careful:
            raise
        return np.where(np.any(b != 0, axis=-1, keepdims=True), np.nan, b).astype(dtype)
    x = factor.solve(b.reshape((-1, b.shape[-1])).T if b.ndim > 1 else b, adjoint)
    x = np.asarray(x if b.ndim == 1 else x.T.reshape(b.shape), dtype)
    return np.where(np.any(b != 0, axis=-1, keepdims=True), np.asarray(np.nan, dtype), x) if careful and factor.is_singular else x


def inverse_push(data: Any, x: Any, tangents: Any, pattern: Pattern, adjoint: bool, solve: Callable[[Any, bool], Any]) -> Any:
    """The tangent of x = A^-1 b, or A^-H b, by a function that solves: `(right-hand side, adjoint) -> x`."""
    data_dot, b_dot = tangents
    if data_dot is not None:
        if adjoint:
            data_dot = rb.xp(data_dot).conj(data_dot)
        moved = contracted(data_dot, x, plan=pattern.adjoint_product if adjoint else pattern.product)
        b_dot = -moved if b_dot is None else b_dot - moved
    return None if b_dot is None else solve(b_dot, adjoint)


def inverse_pull(
    data: Any, b: Any, x: Any, x_bar: Any, pattern: Pattern, adjoint: bool, solve: Callable[[Any, bool], Any]
) -> tuple[Any, Any]:
    """The cotangents of the entries and of the right-hand side."""
    w = solve(x_bar, not adjoint)
    left, right = (x, w) if adjoint else (w, x)
    entries = lambda: rb.project(data, -contracted(left, rb.xp(right).conj(right), plan=pattern.sampled))
    return rb.thunk(entries), w


@rb.pushforward(solved, symbolic_zeros=True)
def _push(x: Any, primals: Any, tangents: Any, *, pattern: Pattern, adjoint: bool, permc_spec: str | None, careful: bool = False) -> Any:
    data = primals[0]
    solve = lambda rhs, back: solved(data, rhs, pattern=pattern, adjoint=back, permc_spec=permc_spec, careful=careful)
    return inverse_push(data, x, tangents, pattern, adjoint, solve)


@rb.pullback(solved)
def _(x: Any, primals: Any, x_bar: Any, *, pattern: Pattern, adjoint: bool, permc_spec: str | None, careful: bool = False) -> Any:
    data, b = primals
    solve = lambda rhs, back: solved(data, rhs, pattern=pattern, adjoint=back, permc_spec=permc_spec, careful=careful)
    return inverse_pull(data, b, x, x_bar, pattern, adjoint, solve)


@rb.batch_rule(solved)
def _(axis_size: int, in_batched: Any, data: Any, b: Any, **static: Any) -> Any:
    if not in_batched[0]:
        return solved(data, b, **static), True
    each = [solved(data[i], b[i] if in_batched[1] else b, **static) for i in range(axis_size)]
    return (np.stack(each) if each else np.zeros((0, *b.shape[in_batched[1] :]), np.result_type(data, b))), True


stacked(solved, _push)


# -- the names of scipy.sparse.linalg ----------------------------------------------------------------------


def square(A: Any, b: Any, name: str) -> tuple[SparseMatrix, Any]:
    """The matrix and the right-hand side, checked and of one kind.

    Raises:
        RuleSignatureError: A is no sparse square matrix, or b does not fit.
    """
    a = as_sparse(A, name)
    if is_sparse(b):
        raise RuleSignatureError(f"{name}, b.", "a dense right-hand side", f"a {type(b).__name__}", "call b.toarray()")
    b = _along.floating(b)
    if a.shape[0] != a.shape[1] or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise RuleSignatureError(
            f"{name}.", "a square matrix and b of shape (n,) or (n, k)", f"{a.shape} and {tuple(b.shape)}", "pass a b that fits A"
        )
    return a.with_data(_along.floating(a.data)), b


def spsolve(A: Any, b: Any, permc_spec: str | None = None, use_umfpack: bool = False) -> Any:
    """x with A x = b, differentiable in the entries of A and in b.

    Value, all tangents and the adjoint system of a pullback share one LU factorisation.

    Args:
        A: sparse matrix of shape (n, n).
        b: array of shape (n,) or (n, k).
        permc_spec: how the columns are ordered for sparsity.
        use_umfpack: SuperLU is used always.

    Returns:
        An array of the shape of b.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> spsolve(diags_array(np.array([2.0, 4.0])), np.ones(2))
        array([0.5 , 0.25])
    """
    return _solve(*square(A, b, "spsolve"), False, permc_spec)


def _solve(a: SparseMatrix, b: Any, adjoint: bool, permc_spec: str | None) -> Any:
    options: dict[str, Any] = {"pattern": a.pattern, "adjoint": adjoint, "permc_spec": permc_spec}
    if b.ndim == 1:
        return solved(a.data, b, **options)
    turned: Callable[[Any], Any] = lambda x: rb.xp(x).moveaxis(x, -1, -2)
    return turned(solved(a.data, turned(b), **options))


class FactoredMatrix:
    """What `splu` gives: a matrix whose systems are solved with one factorisation.

    Attributes:
        matrix: the SparseMatrix.
        shape: of it.
    """

    def __init__(self, matrix: SparseMatrix, permc_spec: str | None) -> None:
        self.matrix = matrix
        self.shape = matrix.shape
        self._permc_spec = permc_spec

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """x with A x = rhs, with the transpose for trans "T", with its conjugate for "H"; differentiable in A and rhs."""
        if trans not in ("N", "T", "H"):
            raise ValueError(f"trans must be N, T, or H, and is {trans!r}.")
        a, b = square(self.matrix, rhs, "splu")
        if trans == "T":
            conj: Callable[[Any], Any] = lambda x: rb.xp(x).conj(x)
            return conj(_solve(a, conj(b), True, self._permc_spec))
        return _solve(a, b, trans == "H", self._permc_spec)


def splu(A: Any, permc_spec: str | None = None, **options: Any) -> FactoredMatrix:
    """A matrix to solve systems with, factored when it is first used.

    Args:
        A: sparse matrix of shape (n, n).
        permc_spec: how the columns are ordered for sparsity.
        options: none; SuperLU's others change no result.

    Returns:
        An object with `solve(rhs, trans="N")`, differentiable in rhs and in the entries of A.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> splu(diags_array(np.array([2.0, 4.0]))).solve(np.ones(2))
        array([0.5 , 0.25])
    """
    if options:
        raise RuleSignatureError("splu.", "A and permc_spec", f"{sorted(options)}", "leave them away")
    return FactoredMatrix(as_sparse(A, "splu"), permc_spec)


def factorized(A: Any) -> Callable[[Any], Any]:
    """The function b -> x with A x = b.

    Args:
        A: sparse matrix of shape (n, n).

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> factorized(diags_array(np.array([2.0, 4.0])))(np.ones(2))
        array([0.5 , 0.25])
    """
    return splu(A).solve
