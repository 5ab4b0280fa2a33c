"""Linear solves that are differentiable in the matrix and the right-hand side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleSignatureError
from rulebook.implicit import dense
from rulebook.implicit.captured import find
from rulebook.implicit.options import Options
from rulebook.implicit.space import Space
from rulebook.implicit.system import System, linear_primitive
from rulebook.namespace import engine_for, stop_gradient, xp as namespace
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
            with it; "auto" is "dense" for a matrix and for up to 128 unknowns, else "bicgstab", or "cg" where `symmetric`, and "gmres"
            where that fails.  A function `(operator, b) -> z` solves it itself; see `rb.implicit.root`.
        symmetric: the matrix is symmetric (Hermitian) and positive definite.
        tol: the relative accuracy of a matrix-free method; a few roundings by default.
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
    options = Options(_NAME, method, "cg, gmres" if symmetric else "bicgstab, gmres", tol, on_failure)
    if not callable(matrix):
        if method in ("auto", "dense"):
            return _by_matrix(matrix, b, options)
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


def _by_matrix(matrix: Any, b: Any, options: Options) -> Any:
    """By a factor, which is an argument of its own so that all derivatives share it."""
    shape, other = tuple(np.shape(matrix)), tuple(np.shape(b))
    if len(shape) != 2 or shape[0] != shape[1] or len(other) not in (1, 2) or other[0] != shape[0]:
        raise RuleSignatureError(
            f"{_NAME}.",
            "a matrix of shape (n, n) and b of shape (n,) or (n, k)",
            f"{shape} and {other}",
            "pass a square matrix that fits b",
        )
    engine = engine_for((matrix, b), _NAME)
    matrix, b = _together(engine, engine.asarray(matrix), engine.asarray(b))
    return _solve(b, matrix, dense.factorise(engine, stop_gradient(matrix), options), adjoint=False)


def _together(engine: Engine, matrix: Any, b: Any) -> tuple[Any, Any]:
    """Both in the floating dtype that they promote to."""
    dtypes = [engine.spec(v).dtype for v in (matrix, b)]
    if dtypes[0] == dtypes[1] and engine.has_tangent(b):
        return matrix, b
    one = engine.asarray(np.zeros((), np.result_type(*dtypes, np.float32 if np.float32 in dtypes else np.float64)), b)
    return matrix + one, b + one


def _push(z: Any, primals: Any, tangents: Any, *, adjoint: bool) -> Any:
    _, matrix, factor = primals
    b_dot, matrix_dot, _ = tangents
    if matrix_dot is not None:
        moved = _adjoint(matrix_dot) @ z if adjoint else matrix_dot @ z
        b_dot = -moved if b_dot is None else b_dot - moved
    return None if b_dot is None else _solve(b_dot, matrix, factor, adjoint=adjoint)


def _pull(z: Any, primals: Any, z_bar: Any, *, adjoint: bool) -> Any:
    _, matrix, factor = primals
    w = _solve(z_bar, matrix, factor, adjoint=not adjoint)
    left, right = (z, w) if adjoint else (w, z)
    return w, Thunk(lambda: -_outer(left, right)), None


_solve = linear_primitive(
    lambda b, matrix, factor, *, adjoint: dense.solve(engine_for((b, matrix), _NAME), factor, b, adjoint),
    _push,
    _pull,
    "rb.implicit.linear_solve",
)


def _adjoint(a: Any) -> Any:
    xp = namespace(a)
    return xp.conj(xp.swapaxes(a, -1, -2))


def _outer(left: Any, right: Any) -> Any:
    """left right^H."""
    xp = namespace(left, right)
    return left[:, None] * xp.conj(right) if len(right.shape) == 1 else left @ _adjoint(right)


# -- a function ------------------------------------------------------------------------------------


def _by_product(product: Callable[[Any], Any], b: Any, options: Options) -> Any:
    """By products alone; what the function captured are the parameters of the matrix."""
    captured = find((product,), _NAME)
    values = () if captured is None else tuple(captured.values)
    engine = engine_for((b, values), _NAME)
    leaves, structure = trees.flatten(b)
    b = structure.unflatten(iter([_floating(engine, leaf) for leaf in leaves]))
    zero = _zeros(engine, b)
    found = _checked(engine, product(zero), zero)
    b = structure.unflatten(iter([_raised(engine, x, y) for x, y in zip(trees.leaves_of(b), trees.leaves_of(found), strict=True)]))
    params = _zeros(engine, b), values
    function = _at_zero(_always(product) if captured is None else captured.rebuild)
    system, space = System(_NAME, function, options), Space(engine, b)
    return space.unravel(system.solve(space.ravel(b), params, system.factor(engine, params, space.size)))


def _at_zero(rebuild: Callable[[Any], tuple[Any, ...]]) -> Callable[[Engine, Any], tuple[Any, Any]]:
    """The linear function of captured values; its Jacobian is the matrix anywhere, as at zero."""
    return lambda engine, params: (params[0], rebuild(params[1])[0])


def _always(product: Any) -> Callable[[Any], tuple[Any, ...]]:
    return lambda _: (product,)


def _floating(engine: Engine, value: Any) -> Any:
    value = engine.asarray(value)
    return value if engine.has_tangent(value) else value + engine.asarray(np.zeros(()), value)


def _zeros(engine: Engine, b: Any) -> Any:
    leaves, structure = trees.flatten(b)
    return structure.unflatten(iter([engine.zeros_like(stop_gradient(leaf)) for leaf in leaves]))


def _raised(engine: Engine, b: Any, image: Any) -> Any:
    """A right-hand side in the dtype of the product, where that is complex."""
    return b + 0 * stop_gradient(image) if engine.is_complex(image) and not engine.is_complex(b) else b


def _checked(engine: Engine, image: Any, zero: Any) -> Any:
    """The product with zero, which shows whether the function is linear and gives what b is like."""
    leaves, structure = trees.flatten(zero)
    found, other = trees.flatten(image)
    shapes = [tuple(np.shape(v)) for v in found], [tuple(v.shape) for v in leaves]
    if other != structure or shapes[0] != shapes[1]:
        raise RuleSignatureError(
            f"{_NAME}.",
            f"a product like b, {structure!r} of shapes {shapes[1]}",
            f"{other!r} of shapes {shapes[0]}",
            "return A v for v like b",
        )
    arrays = engine.concrete([stop_gradient(v) for v in found])
    if arrays is not None and any(np.any(a != 0) for a in arrays):
        raise RuleSignatureError(_NAME + ".", "a linear function, zero at zero", "another value there", "move the constant to b")
    return image
