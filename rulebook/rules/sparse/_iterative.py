"""Iterative solvers of sparse systems and least squares: differentiated by what they solve, with the same solver."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.errors import RuleSignatureError
from rulebook.implicit.failures import NotConvergedError
from rulebook.rules import _along
from rulebook.rules.sparse._matrix import SparseMatrix, as_sparse, scipy_matrix, vstack
from rulebook.rules.sparse._pattern import Pattern
from rulebook.rules.sparse._products import contracted
from rulebook.rules.sparse._systems import _RING, inverse_pull, inverse_push, square

__all__ = ["LeastSquares", "bicgstab", "cg", "gmres", "iterated", "least", "lsmr", "lsqr"]


class Settings(NamedTuple):
    """How a solver iterates.

    Attributes:
        method: its name in scipy.sparse.linalg.
        options: pairs of names and values.
        guess: the preconditioner and the start, static objects, or None.
    """

    method: str
    options: tuple[tuple[str, Any], ...]
    guess: Any = None


class _Held:
    """Objects that are told apart by what they are, and not by their value."""

    def __init__(self, M: Any, x0: Any) -> None:
        self.M, self.x0 = M, x0


def _case(settings: Settings, dtype: Any = float, **static: Any) -> Any:
    def draw(rng: np.random.Generator) -> Any:
        data, b = rng.uniform(-1.0, 1.0, _RING.nnz), rng.normal(size=3)
        data = data + 4.0 * (_RING.rows == _RING.cols)
        if np.dtype(dtype).kind == "c":
            data, b = data + 1j * rng.uniform(-1.0, 1.0, data.shape), b + 1j * rng.normal(size=3)
        return rb.case(data.astype(dtype), b.astype(dtype), pattern=_RING, settings=settings, **static)

    return draw


_TIGHT = (("atol", 0.0), ("rtol", 1e-13))


def _result(data: Any, b: Any, **_: Any) -> Any:
    return rb.ShapeDtype(b.shape, np.result_type(data.dtype, b.dtype)), rb.ShapeDtype((), np.int32)


@rb.primitive(
    host=True,
    result=_result,
    cases=[
        _case(Settings("gmres", _TIGHT), adjoint=False, derived=False),
        _case(Settings("bicgstab", _TIGHT), complex, adjoint=True, derived=False),
    ],
    accuracy=1e-11,
)
def iterated(data: Any, b: Any, *, pattern: Pattern, adjoint: bool, settings: Settings, derived: bool) -> Any:
    """x with A x = b, or A^H x = b, by an iterative solver, and SciPy's word on whether it converged.

    Args:
        data: array of shape (nnz,), the entries of A.
        b: array of shape (n,).
        pattern: where the entries are.
        adjoint: the system with the conjugate transpose.
        settings: how it iterates.
        derived: it is a tangent or cotangent: no start, no absolute tolerance, and an error where it does not converge.

    Returns:
        (x, info).

    Raises:
        NotConvergedError: the solver stopped early on the way to a derivative.

    Derivation:
        That of x = A^-1 b (M. Giles, 2008, section 2.3.1): A x_dot = b_dot - A_dot x; A^H w = x_bar, b_bar = w, A_bar = -w x^H at the
        entries.  The derivative is that of the exact solution, solved for to the same relative tolerance.

    Example:
        >>> settings = Settings("cg", (("rtol", 1e-12), ("atol", 0.0)))
        >>> eye = Pattern([0, 1], [0, 1], (2, 2))
        >>> iterated(np.array([2.0, 4.0]), np.ones(2), pattern=eye, adjoint=False, settings=settings, derived=False)[0].round(12)
        array([0.5 , 0.25])
    """
    data, b = np.asarray(data), np.asarray(b)
    linalg = importlib.import_module("scipy.sparse.linalg")
    matrix = scipy_matrix(data, pattern)
    held, options = settings.guess, dict(settings.options)
    if held is not None and held.M is not None:
        options["M"] = linalg.aslinearoperator(held.M).H if adjoint else held.M
    if derived:
        options["atol"] = 0.0
    elif held is not None and held.x0 is not None:
        options["x0"] = held.x0
    if adjoint:
        matrix = matrix.conj().T.tocsr()
    x, info = getattr(linalg, settings.method)(matrix, b, **options)
    if derived and info != 0:
        x = _again(matrix, b, x, settings.method, options)
    return np.asarray(x, np.result_type(data, b)), np.asarray(info, np.int32)


def _again(matrix: Any, b: Any, x: Any, method: str, options: dict[str, Any]) -> Any:
    """What a derivative needs where its solver broke down: that x, if it is as good as was asked for, or that of gmres."""
    linalg = importlib.import_module("scipy.sparse.linalg")
    good: Callable[[Any], Any] = lambda x: np.linalg.norm(b - matrix @ x) <= 10 * max(options["rtol"], 1e-13) * np.linalg.norm(b)
    if not good(x) and method != "gmres":
        x = linalg.gmres(matrix, b, **{k: v for k, v in options.items() if k != "x0"})[0]
    if not good(x):
        raise NotConvergedError(
            f"A derivative of {method}.", "a solution to the tolerance", "none", "raise maxiter or rtol, or pass a preconditioner M"
        )
    return x


@rb.pushforward(iterated, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, pattern: Pattern, adjoint: bool, settings: Settings, derived: bool) -> Any:
    data = primals[0]
    solve = lambda rhs, back: iterated(data, rhs, pattern=pattern, adjoint=back, settings=settings, derived=True)[0]
    return inverse_push(data, y[0], tangents, pattern, adjoint, solve), None


@rb.pullback(iterated)
def _(y: Any, primals: Any, y_bar: Any, *, pattern: Pattern, adjoint: bool, settings: Settings, derived: bool) -> Any:
    data, b = primals
    solve = lambda rhs, back: iterated(data, rhs, pattern=pattern, adjoint=back, settings=settings, derived=True)[0]
    return inverse_pull(data, b, y[0], y_bar[0], pattern, adjoint, solve)


def _iterative(name: str, A: Any, b: Any, x0: Any, M: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    a, b = square(A, b, name)
    if b.ndim != 1:
        raise ValueError(f"{name}: b has to have shape ({a.shape[0]},), and has shape {tuple(b.shape)}.")
    if options.pop("callback", None) is not None or options.pop("callback_type", None) is not None:
        raise RuleSignatureError(f"{name}, callback.", "none", "one", "call SciPy's for a history of the residuals")
    if M is not None and isinstance(M, SparseMatrix):
        M = M.toscipy()
    held = None if x0 is None and M is None else _Held(M, None if x0 is None else _start(x0))
    settings = Settings(name, tuple(sorted(options.items())), held)
    return iterated(a.data, b, pattern=a.pattern, adjoint=False, settings=settings, derived=False)  # type: ignore[no-any-return]


def _start(x0: Any) -> Any:
    """A start as numbers; the solution does not depend on it."""
    x0 = rb.stop_gradient(x0)
    try:
        return np.array(x0)
    except Exception:  # whatever an engine raises for a traced value
        return None


def cg(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None, **rest: Any
) -> Any:
    """x with A x = b for a Hermitian positive definite A, by conjugate gradients.

    Differentiable in the entries of A and in b, as the exact solution; tangents and cotangents are solved for with the same method and
    relative tolerance.

    Args:
        A: sparse matrix of shape (n, n).
        b: array of shape (n,).
        x0: start.
        rtol, atol, maxiter: when it stops.
        M: preconditioner, numbers.
        rest: no callback.

    Returns:
        (x, info), info as SciPy has it.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> cg(diags_array(np.array([2.0, 4.0])), np.ones(2), rtol=1e-12)[0].round(12)
        array([0.5 , 0.25])
    """
    return _iterative("cg", A, b, x0, M, {"rtol": rtol, "atol": atol, "maxiter": maxiter, **rest})


def bicgstab(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None, **rest: Any
) -> Any:
    """x with A x = b by stabilised bi-conjugate gradients; arguments, results and derivatives as in `cg`, for any regular A.

    Args:
        A: sparse matrix of shape (n, n).
        b: array of shape (n,).
        x0, rtol, atol, maxiter, M, rest: as in `cg`.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> bicgstab(diags_array(np.array([2.0, 4.0])), np.ones(2), rtol=1e-12)[0].round(12)
        array([0.5 , 0.25])
    """
    return _iterative("bicgstab", A, b, x0, M, {"rtol": rtol, "atol": atol, "maxiter": maxiter, **rest})


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    restart: int | None = None,
    maxiter: int | None = None,
    M: Any = None,
    **rest: Any,
) -> Any:
    """x with A x = b by generalised minimal residuals; arguments, results and derivatives as in `cg`, for any regular A.

    Args:
        A: sparse matrix of shape (n, n).
        b: array of shape (n,).
        x0, rtol, atol, maxiter, M, rest: as in `cg`.
        restart: iterations between restarts.

    Example:
        >>> from rulebook.rules.sparse import diags_array
        >>> gmres(diags_array(np.array([2.0, 4.0])), np.ones(2), rtol=1e-12)[0].round(12)
        array([0.5 , 0.25])
    """
    return _iterative("gmres", A, b, x0, M, {"rtol": rtol, "atol": atol, "restart": restart, "maxiter": maxiter, **rest})


# -- least squares ---------------------------------------------------------------------------------------

_TALL = Pattern([0, 0, 1, 2, 2, 3], [0, 1, 1, 0, 1, 0], (4, 2))


def _tall(method: str, dtype: Any = float, adjoint: bool = False) -> Any:
    def draw(rng: np.random.Generator) -> Any:
        made = [rng.uniform(0.5, 1.5, 6) * [1, -1, 1, 1, 1, -1], rng.normal(size=2 if adjoint else 4)]
        if np.dtype(dtype).kind == "c":
            made = [x + 0.5j * rng.normal(size=x.shape) for x in made]
        options = (("atol", 1e-15), ("btol", 1e-15), ("conlim", 0.0))
        return rb.case(*[x.astype(dtype) for x in made], pattern=_TALL, adjoint=adjoint, settings=Settings(method, options))

    return draw


def _fitted(data: Any, b: Any, *, pattern: Pattern, adjoint: bool, **_: Any) -> Any:
    number = rb.ShapeDtype((), np.int32)
    return rb.ShapeDtype((pattern.shape[0 if adjoint else 1],), np.result_type(data.dtype, b.dtype)), number, number


@rb.primitive(
    host=True,
    result=_fitted,
    cases=[_tall("lsqr"), _tall("lsqr", adjoint=True), _tall("lsmr", adjoint=True), _tall("lsmr")],
    accuracy=1e-10,
)
def least(data: Any, b: Any, *, pattern: Pattern, adjoint: bool, settings: Settings) -> Any:
    """x = A^+ b, or (A^H)^+ b: the shortest x with the least residual, by an iterative solver.

    Args:
        data: array of shape (nnz,), the entries of A.
        b: array of shape (m,), or (n,) for the adjoint.
        pattern: where the entries are.
        adjoint: with the conjugate transpose.
        settings: how it iterates.

    Returns:
        (x, istop, itn).

    Derivation:
        G. H. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate
        (1973), equation 4.12, for a rank that does not change: with r = b - A x and v = A^H+ x,

            x_dot = A^+ (b_dot - A_dot x) + A^+ A^H+ (A_dot^H r) + (1 - A^+ A) A_dot^H v.

        The adjoint, with w = A^H+ x_bar, u = A^+ w and q = x_bar - A^+ A x_bar:

            b_bar = w,    A_bar = -w x^H + r u^H + v q^H.

    Example:
        >>> settings = Settings("lsqr", (("atol", 1e-14), ("btol", 1e-14)))
        >>> column = Pattern([0, 1], [0, 0], (2, 1))
        >>> least(np.ones(2), np.array([1.0, 3.0]), pattern=column, adjoint=False, settings=settings)[0].round(12)
        array([2.])
    """
    data, b = np.asarray(data), np.asarray(b)
    matrix = scipy_matrix(data, pattern)
    solver = getattr(importlib.import_module("scipy.sparse.linalg"), settings.method)
    x, istop, itn = solver(matrix.conj().T.tocsr() if adjoint else matrix, b, **dict(settings.options))[:3]
    return np.asarray(x, np.result_type(data, b)), np.asarray(istop, np.int32), np.asarray(itn, np.int32)


class _Inverse:
    """The matrix, or its adjoint, that x = B^+ b is of, with its products and those of its pseudo-inverse."""

    def __init__(self, data: Any, pattern: Pattern, adjoint: bool, settings: Settings) -> None:
        self.data, self.pattern, self.adjoint, self.settings = data, pattern, adjoint, settings

    def solve(self, b: Any, back: bool = False) -> Any:
        """B^+ b, or (B^H)^+ b."""
        return least(self.data, b, pattern=self.pattern, adjoint=self.adjoint != back, settings=self.settings)[0]

    def times(self, x: Any, data: Any = None, back: bool = False) -> Any:
        """B x or B^H x, also of other entries."""
        data = self.data if data is None else data
        if self.adjoint != back:
            return contracted(rb.xp(data).conj(data), x, plan=self.pattern.adjoint_product)
        return contracted(data, x, plan=self.pattern.product)

    def outer(self, left: Any, right: Any) -> Any:
        """left right^H as a cotangent of the entries."""
        if self.adjoint:
            left, right = right, left
        return contracted(left, rb.xp(right).conj(right), plan=self.pattern.sampled)


@rb.pushforward(least, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, pattern: Pattern, adjoint: bool, settings: Settings) -> Any:
    (x, *_), (data, b), (data_dot, b_dot) = y, primals, tangents
    inverse = _Inverse(data, pattern, adjoint, settings)
    if data_dot is None:
        return (None if b_dot is None else inverse.solve(b_dot)), None, None
    moved = inverse.times(x, data_dot)
    r, v = b - inverse.times(x), inverse.solve(x, back=True)
    turned = inverse.times(v, data_dot, back=True)
    inner = (-moved if b_dot is None else b_dot - moved) - inverse.times(turned)
    inner = inner + inverse.solve(inverse.times(r, data_dot, back=True), back=True)
    return inverse.solve(inner) + turned, None, None


@rb.pullback(least)
def _(y: Any, primals: Any, y_bar: Any, *, pattern: Pattern, adjoint: bool, settings: Settings) -> Any:
    (x, *_), (data, b), x_bar = y, primals, y_bar[0]
    inverse = _Inverse(data, pattern, adjoint, settings)
    w = inverse.solve(x_bar, back=True)

    def entries() -> Any:
        r, v, u = b - inverse.times(x), inverse.solve(x, back=True), inverse.solve(w)
        q = x_bar - inverse.solve(inverse.times(x_bar))
        return rb.project(data, -inverse.outer(w, x) + inverse.outer(r, u) + inverse.outer(v, q))

    return rb.thunk(entries), w


class LeastSquares(NamedTuple):
    """What `lsqr` and `lsmr` give, the first numbers of what SciPy gives.

    Attributes:
        x: the solution, which is differentiable.
        istop: why it stopped.
        itn: after how many iterations.
    """

    x: Any
    istop: Any
    itn: Any


def _least_squares(name: str, A: Any, b: Any, damp: Any, options: dict[str, Any]) -> LeastSquares:
    if any(options.pop(k, None) is not None for k in ("x0",)) or options.pop("show", False) or options.pop("calc_var", False):
        raise RuleSignatureError(f"{name}.", "no x0, show or calc_var", "one of them", "leave it away")
    a, b = as_sparse(A, name), _along.floating(b)
    if tuple(b.shape) != a.shape[:1]:
        raise ValueError(f"{name}: b has to have shape {a.shape[:1]}, and has shape {tuple(b.shape)}.")
    a = a.with_data(_along.floating(a.data))
    if not isinstance(damp, (int, float)) or damp:  # min |A x - b|^2 + |damp x|^2 is a problem of least squares with more rows
        n = a.shape[1]
        ones, damp = _along.alike([_along.numbers(a.data, np.ones(n)), damp])
        diagonal = SparseMatrix(ones * damp, Pattern(np.arange(n), np.arange(n), (n, n)))
        a, b = vstack([a, diagonal]), _along.fitted(b, a.shape[0] + n)
    settings = Settings(name, tuple(sorted((k, v) for k, v in options.items() if v is not None)))
    return LeastSquares(*least(a.data, b, pattern=a.pattern, adjoint=False, settings=settings))


def lsqr(
    A: Any,
    b: Any,
    damp: Any = 0.0,
    atol: float = 1e-6,
    btol: float = 1e-6,
    conlim: float = 1e8,
    iter_lim: int | None = None,
    **rest: Any,
) -> LeastSquares:
    """The shortest x with the least |A x - b|^2 + |damp x|^2, differentiable in the entries of A, in b and in damp.

    Args:
        A: sparse matrix of shape (m, n), of a rank that does not change.
        b: array of shape (m,).
        damp: a number.
        atol, btol, conlim, iter_lim: when it stops, for the value and for each solve of a derivative.
        rest: no x0, show or calc_var.

    Returns:
        (x, istop, itn).

    Example:
        >>> from rulebook.rules.sparse import csr_array
        >>> lsqr(csr_array(np.ones((2, 1))), np.array([1.0, 3.0]))[0].round(12)
        array([2.])
    """
    return _least_squares("lsqr", A, b, damp, {"atol": atol, "btol": btol, "conlim": conlim, "iter_lim": iter_lim, **rest})


def lsmr(
    A: Any,
    b: Any,
    damp: Any = 0.0,
    atol: float = 1e-6,
    btol: float = 1e-6,
    conlim: float = 1e8,
    maxiter: int | None = None,
    **rest: Any,
) -> LeastSquares:
    """The same as `lsqr`, by another method.

    Args:
        A: sparse matrix of shape (m, n), of a rank that does not change.
        b: array of shape (m,).
        damp: a number.
        atol, btol, conlim, maxiter: when it stops.
        rest: no x0 or show.

    Returns:
        (x, istop, itn).

    Example:
        >>> from rulebook.rules.sparse import csr_array
        >>> lsmr(csr_array(np.ones((2, 1))), np.array([1.0, 3.0]))[0].round(12)
        array([2.])
    """
    return _least_squares("lsmr", A, b, damp, {"atol": atol, "btol": btol, "conlim": conlim, "maxiter": maxiter, **rest})
