"""The exponential of a sparse matrix times vectors, differentiable in the entries, the vectors and the times."""

from __future__ import annotations

import functools
import importlib
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules.sparse._matrix import SparseMatrix, as_sparse, scipy_matrix
from rulebook.rules.sparse._pattern import Moves, Pattern, canonical
from rulebook.rules.sparse._products import moved

__all__ = ["action", "expm_multiply", "gradient"]

_RING = Pattern([0, 0, 1, 2, 2], [0, 1, 2, 0, 2], (3, 3))


def _draw(vectors: int, lead: tuple[int, ...] = (), dtype: Any = float) -> Any:
    def case(rng: np.random.Generator) -> Any:
        made = [rng.uniform(-1.0, 1.0, _RING.nnz), *[rng.normal(size=(*lead, 3)) for _ in range(vectors)]]
        if np.dtype(dtype).kind == "c":
            made = [x + 1j * rng.uniform(-1.0, 1.0, x.shape) for x in made]
        return rb.case(*[x.astype(dtype) for x in made], pattern=_RING)

    return case


@rb.primitive(
    host=True,
    result=lambda data, b, *, pattern: rb.ShapeDtype(b.shape, np.result_type(data.dtype, b.dtype)),
    cases=[_draw(1), _draw(1, (2,), complex)],
)
def action(data: Any, b: Any, *, pattern: Pattern) -> Any:
    """exp(A) b, along the last axis.

    Args:
        data: array of shape (nnz,), the entries of A.
        b: array of shape (..., n).
        pattern: where the entries are.

    Returns:
        An array of the shape of b.

    Derivation:
        y_dot = exp(A) b_dot + L(A, A_dot) b with the Frechet derivative L, the upper right block of the exponential of [[A, A_dot], [0, A]]
        (R. Mathias, A chain rule for matrix functions and applications, 1996, theorem 2.1): the upper half of that times (0, b).
        Reverse: b_bar = exp(A^H) y_bar, and A_bar is `gradient`.

    Example:
        >>> action(np.log([2.0, 3.0]), np.ones(2), pattern=Pattern([0, 1], [0, 1], (2, 2))).round(12)
        array([2., 3.])
    """
    data, b = np.asarray(data), np.asarray(b)
    dtype = np.result_type(data, b)
    if not b.size:
        return np.zeros(b.shape, dtype)
    rows = b.reshape((-1, b.shape[-1])).T.astype(dtype)
    matrix = scipy_matrix(data.astype(dtype if data.dtype.kind == "c" else np.zeros((), dtype).real.dtype), pattern)
    if pattern.shape[0] <= _SMALL:  # a small exponential costs a twentieth of SciPy's choice of steps
        y = importlib.import_module("scipy.linalg").expm(matrix.toarray()) @ rows
    else:
        y = importlib.import_module("scipy.sparse.linalg").expm_multiply(matrix, rows, traceA=matrix.trace())
    return np.asarray(y.T.reshape(b.shape), dtype)


@functools.lru_cache(maxsize=32)
def _doubled(pattern: Pattern) -> tuple[Pattern, Moves, Moves]:
    """The pattern of the doubled matrix, how (A, E, A) move to it, and how its diagonal blocks are summed."""
    n, nnz = pattern.shape[0], pattern.nnz
    rows = np.concatenate([pattern.rows, pattern.rows, pattern.rows + n])
    cols = np.concatenate([pattern.cols, pattern.cols + n, pattern.cols + n])
    whole, moves = canonical(rows, cols, (2 * n, 2 * n))
    entries = np.arange(nnz)
    diagonal = np.concatenate([moves.target[:nnz], moves.target[2 * nnz :]])
    return whole, moves, Moves(diagonal, np.concatenate([entries, entries]), 3 * nnz, nnz)


class _Doubled:
    """[[A, E], [0, A]] for entries E in the places of those of A."""

    def __init__(self, data: Any, other: Any, pattern: Pattern) -> None:
        whole, moves, self._diagonal = _doubled(pattern)
        self.matrix = SparseMatrix(moved(_along.joined([data, other, data]), moves=moves), whole)
        self._n = pattern.shape[0]

    def above(self, b: Any) -> Any:
        """(b, 0)."""
        return _along.fitted(b, 2 * self._n)

    def below(self, b: Any) -> Any:
        """(0, b)."""
        return _along.fitted(b, 2 * self._n, before=self._n)

    def derivative(self, b: Any) -> Any:
        """L(A, E) b."""
        return action(self.matrix.data, self.below(b), pattern=self.matrix.pattern)[..., : self._n]

    def adjoint_derivative(self, c: Any) -> Any:
        """L(A, E)^H c."""
        adjoint = self.matrix.H
        return action(adjoint.data, self.above(c), pattern=adjoint.pattern)[..., self._n :]

    def gradient(self, b: Any, c: Any) -> Any:
        """The derivative of <c, L(A, E) b> by the entries of A."""
        whole = gradient(self.matrix.data, self.below(b), self.above(c), pattern=self.matrix.pattern)
        return moved(whole, moves=self._diagonal)


@rb.pushforward(action, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, pattern: Pattern) -> Any:
    (data, b), (data_dot, b_dot) = primals, tangents
    y_dot = None if b_dot is None else action(data, b_dot, pattern=pattern)
    if data_dot is not None:
        moving = _Doubled(data, data_dot, pattern).derivative(b)
        y_dot = moving if y_dot is None else y_dot + moving
    return y_dot


@rb.pullback(action)
def _(y: Any, primals: Any, y_bar: Any, *, pattern: Pattern) -> Any:
    data, b = primals
    adjoint = SparseMatrix(data, pattern).H
    return (
        rb.thunk(lambda: gradient(data, b, y_bar, pattern=pattern)),
        rb.thunk(lambda: action(adjoint.data, y_bar, pattern=adjoint.pattern)),
    )


@rb.primitive(
    host=True,
    result=lambda data, b, c, *, pattern: rb.ShapeDtype(data.shape, np.result_type(data.dtype, b.dtype, c.dtype)),
    cases=[_draw(2), _draw(2, (2,), complex)],
)
def gradient(data: Any, b: Any, c: Any, *, pattern: Pattern) -> Any:
    """The derivative of <c, exp(A) b> by the entries of A: the integral over s in [0, 1] of (exp((1 - s) A^H) c) (exp(s A) b)^H at them.

    Args:
        data: array of shape (nnz,), the entries of A.
        b: array of shape (..., n).
        c: array of that shape; leading axes are summed.
        pattern: where the entries are.

    Returns:
        An array of shape (nnz,).

    Derivation:
        exp(A + E) = exp(A) + int exp((1 - s) A) E exp(s A) ds + ... (N. J. Higham, Functions of Matrices, 2008, equation 10.15).  The
        integrand is entire in s, so that a Gauss rule of twelve nodes on panels of length 4 / |A| leaves less than a rounding; nothing is
        ever dense.  It is linear in c and, conjugated, in b.  In A: with the doubled matrix [[A, E], [0, A]], <E, gradient> =
        <(c, 0), exp (0, b)>, whose derivative by A is the sum of the diagonal blocks of the gradient of the doubled matrix: the rules
        call it again.

    Example:
        >>> gradient(np.zeros(1), np.ones(1), np.ones(1), pattern=Pattern([0], [0], (1, 1)))
        array([1.])
    """
    data, b, c = np.asarray(data), np.asarray(b), np.asarray(c)
    dtype = np.result_type(data, b, c)
    n = pattern.shape[0]
    total = np.zeros(pattern.nnz, dtype)
    if not b.size or not pattern.nnz:
        return total
    scale = _balance(np.abs(data), pattern)
    ratio = scale[pattern.cols] / scale[pattern.rows]
    starts = [b.reshape((-1, n)).T.astype(dtype) / scale[:, None]]
    w = c.reshape((-1, n)).T.astype(dtype) * scale[:, None]
    if n <= _SMALL:
        return (_by_frechet(data * ratio, pattern, starts[0], w) * ratio).astype(dtype)
    flow = _Flow(data * ratio, pattern)
    for _ in range(flow.panels - 1):
        starts.append(flow.through(starts[-1])[-1])
    for start in reversed(starts):
        right, left = flow.through(start), flow.through(w, adjoint=True)
        for weight, x, z in zip(flow.weights, left[-2::-1], right, strict=False):
            total += weight * np.sum(x[pattern.rows] * np.conj(z[pattern.cols]), axis=1)
        w = left[-1]
    return (total * flow.factor * ratio).astype(dtype)


def _by_frechet(data: Any, pattern: Pattern, b: Any, c: Any) -> Any:
    """The integral as the Frechet derivative of a small dense matrix, which is cheaper."""
    adjoint = scipy_matrix(data, pattern).toarray().conj().T
    whole = importlib.import_module("scipy.linalg").expm_frechet(adjoint, c @ b.conj().T, compute_expm=False, check_finite=False)
    return whole[pattern.rows, pattern.cols]


def _balance(size: Any, pattern: Pattern) -> Any:
    """d for which d_i^-1 A d_j has rows and columns of like size (E. E. Osborne, 1960): what doubles a matrix may be of any size."""
    n = pattern.shape[0]
    d = np.ones(n)
    for _ in range(30):
        now = size * (d[pattern.cols] / d[pattern.rows])
        rows, cols = (np.bincount(i, now, n) for i in (pattern.rows, pattern.cols))
        factor = ((rows + 1) / (cols + 1)) ** 0.25
        if np.all(np.abs(factor - 1) < 0.5):
            break
        d *= factor
    return d


class _Flow:
    """exp(s A) at the nodes of Gauss rules on panels of [0, 1], less its mean growth.

    Attributes:
        panels: how many; in each, |A| times its length is at most four, for which twelve nodes leave less than 1e-16.
        weights: of the nodes of one.
        factor: the growth that was left out, conjugated.
    """

    def __init__(self, data: Any, pattern: Pattern) -> None:
        n = pattern.shape[0]
        mean = data[pattern.rows == pattern.cols].sum() / n
        self.factor = np.exp(np.conj(mean))
        self._matrix = (scipy_matrix(data, pattern) - mean * importlib.import_module("scipy.sparse").eye_array(n)).tocsr()
        self._adjoint = self._matrix.conj().T.tocsr()
        norm = abs(self._matrix).sum(axis=0).max()
        if not norm < _LARGEST:
            raise ValueError(f"expm_multiply: the gradient by the matrix takes a 1-norm below {_LARGEST:.0e}, and it is {norm:.1e}.")
        self.panels = max(int(np.ceil(norm / 4)), 1)
        nodes, weights = np.polynomial.legendre.leggauss(12)
        self.weights = weights / (2 * self.panels)
        self._steps = np.diff([0.0, *(nodes + 1) / (2 * self.panels), 1 / self.panels])  # the same from both ends

    def through(self, v: Any, adjoint: bool = False) -> list[Any]:
        """At the nodes of a panel, and at its end."""
        matrix, found = self._adjoint if adjoint else self._matrix, []
        for h in self._steps:
            v = _flow(matrix, v, float(h))
            found.append(v)
        return found


_LARGEST = 1e5
_SMALL = 50  # rows up to which dense matrices are cheaper


def _flow(matrix: Any, v: Any, h: float) -> Any:
    """exp(h A) v for |h A| below one, by the Taylor series."""
    total, term, j = v, v, 0
    while j < 60:
        j += 1
        term = (h / j) * (matrix @ term)
        total = total + term
        if np.abs(term).max() <= np.finfo(total.dtype).eps / 8 * np.abs(total).max():
            break
    return total


@rb.pushforward(gradient, symbolic_zeros=True)
def _(g: Any, primals: Any, tangents: Any, *, pattern: Pattern) -> Any:
    (data, b, c), (data_dot, b_dot, c_dot) = primals, tangents
    terms = [gradient(data, x, z, pattern=pattern) for x, z in ((b_dot, c), (b, c_dot)) if x is not None and z is not None]
    if data_dot is not None:
        terms.append(_Doubled(data, data_dot, pattern).gradient(b, c))
    return sum(terms[1:], terms[0]) if terms else None


@rb.pullback(gradient)
def _(g: Any, primals: Any, g_bar: Any, *, pattern: Pattern) -> Any:
    data, b, c = primals
    doubled = _Doubled(data, g_bar, pattern)
    return (
        rb.thunk(lambda: doubled.gradient(b, c)),
        rb.thunk(lambda: doubled.adjoint_derivative(c)),
        rb.thunk(lambda: doubled.derivative(b)),
    )


def expm_multiply(
    A: Any,
    B: Any,
    start: Any = None,
    stop: Any = None,
    num: int | None = None,
    endpoint: bool | None = None,
    traceA: Any = None,
) -> Any:
    """exp(A) B, or exp(t A) B at equally spaced times, differentiable in the entries of A, in B, and in start and stop.

    Args:
        A: sparse matrix of shape (n, n).
        B: array of shape (n,) or (n, k).
        start, stop: times.
        num: how many, 50 by default.
        endpoint: whether stop is the last of them, which it is by default.
        traceA: the trace is known.

    Returns:
        An array of the shape of B; with times, of shape (num, *B.shape).

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> expm_multiply(diags_array(np.log([2.0, 3.0])), np.ones(2)).round(12)
        array([2., 3.])
    """
    a, b = as_sparse(A, "expm_multiply"), _along.floating(B)
    if a.shape[0] != a.shape[1] or b.ndim not in (1, 2) or b.shape[0] != a.shape[1]:
        raise ValueError(f"expected A to be like a square matrix and B to fit it, got {a.shape} and {tuple(b.shape)}")
    data = _along.floating(a.data)
    b = b if b.ndim == 1 else rb.xp(b).moveaxis(b, -1, -2)
    back: Callable[[Any], Any] = lambda y: y if y.ndim == 1 else rb.xp(y).moveaxis(y, -1, -2)
    if start is None and stop is None and num is None:
        return back(action(data, b, pattern=a.pattern))
    start, num = 0.0 if start is None else start, 50 if num is None else operator.index(num)
    steps = num - 1 if endpoint is None or endpoint else num
    y = action(data * start, b, pattern=a.pattern)
    found = [y]
    for _ in range(num - 1):
        y = action(data * ((stop - start) / steps), y, pattern=a.pattern)
        found.append(y)
    return rb.xp(*found).stack([back(y) for y in found])
