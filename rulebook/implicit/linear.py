"""Linear solves that are differentiable in the matrix and the right-hand side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import captures, trees
from rulebook.engines import Engine, engine_of
from rulebook.errors import RuleSignatureError
from rulebook.forms import Pullback
from rulebook.implicit import dense
from rulebook.implicit.captured import Captured, find
from rulebook.implicit.options import NAMES, Options
from rulebook.implicit.space import Space
from rulebook.implicit.system import Inside, LinearIn, System
from rulebook.namespace import engine_for, stop_gradient
from rulebook.primitive import Primitive
from rulebook.tangents import Thunk

__all__ = ["linear_solve"]

_NAME = "rb.implicit.linear_solve"


def linear_solve(
    matrix: Any,
    b: Any,
    *,
    method: str | Callable[..., Any] = "auto",
    symmetric: bool = False,
    tol: float | None = None,
    on_failure: str = "warn",
) -> Any:
    """z with A z = b, differentiable to every order in b and in A: in the matrix, or in what its product captured.

    Args:
        matrix: array of shape (n, n), real or complex; or a linear function of a tree like b that gives one, the product with A.
        b: array of shape (n,) or, for a matrix, (n, k) for k right-hand sides at once; or a tree for a function.
        method: "dense" factors the matrix once for all right-hand sides and derivatives, "gmres", "cg" and "bicgstab" only multiply
            with it; "auto" is "dense" for a matrix and for up to 128 unknowns, else "gmres", or "cg" where `symmetric`.  A function
            `(operator, b) -> z` solves it itself; see `rb.implicit.root`.
        symmetric: the matrix is symmetric (Hermitian) and positive definite.
        tol: the relative accuracy; 3/4 of the digits of the dtype by default.
        on_failure: "warn", "raise" or "ignore", where a matrix-free method does not converge.

    Returns:
        A value like b, in the dtype that matrix and b promote to.

    Raises:
        SingularError: the matrix is singular to rounding.
        RuleSignatureError: the shapes do not fit, or an option is unknown.

    Derivation:
        With A z = b, z_dot = A^-1 (b_dot - A_dot z), and with A^H w = z_bar, b_bar = w and A_bar = -w z^H (M. B. Giles, Collected
        Matrix Derivative Results for Forward and Reverse Mode Algorithmic Differentiation, 2008, section 2.3.1).

    Example:
        >>> linear_solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.ones(2))
        array([0.5 , 0.25])
        >>> linear_solve(lambda v: 2 * v, np.ones(2))
        array([0.5, 0.5])
    """
    options = Options(_NAME, method, "cg" if symmetric else "gmres", tol, on_failure)
    if not callable(matrix):
        if method in ("auto", "dense"):
            return _by_matrix(matrix, b)
        product = _Product(matrix)
        return _by_product(product, b, options)
    return _by_product(matrix, b, options)


class _Product:
    """The product with a matrix."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix

    def __call__(self, v: Any) -> Any:
        return self.matrix @ v


# -- a matrix --------------------------------------------------------------------------------------


def _by_matrix(matrix: Any, b: Any) -> Any:
    """By a factor, which is an argument of its own so that all derivatives share it."""
    engine = engine_of((matrix, b), _NAME)
    shape, other = tuple(np.shape(matrix)), tuple(np.shape(b))
    if len(shape) != 2 or shape[0] != shape[1] or len(other) not in (1, 2) or other[0] != shape[0]:
        raise RuleSignatureError(
            f"{_NAME}.", "a matrix of shape (n, n) and b of shape (n,) or (n, k)", f"{shape} and {other}", "pass a square matrix that fits b"
        )
    use = engine or engine_for((matrix, b), _NAME)
    matrix, b = _floating(use, matrix), _floating(use, b)
    factor = dense.factorise(use, stop_gradient(matrix), _NAME)
    return _solve(b, matrix, factor, adjoint=False)
