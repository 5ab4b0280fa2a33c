"""Small linear systems: the matrix, factored once by Gaussian elimination, serves every right-hand side and the transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.errors import EngineMissingError
from rulebook.implicit import reports
from rulebook.implicit.options import Options
from rulebook.namespace import arrays_of

__all__ = ["factorise", "solve"]

Factor = tuple[Any, Any, Any, Any]


def factorise(engine: Engine, matrix: Any, options: Options) -> Factor:
    """The LU factors of a matrix whose rows and columns are scaled to one, and the scales.

    Scaling takes the units out of the equations and unknowns, so that a pivot that vanishes says that the matrix is singular.

    Args:
        engine: what the values belong to.
        matrix: array of shape (n, n).
        options: those of what the matrix belongs to.

    Returns:
        The factors, their pivots, and the scales of the rows and of the columns, of shape (n,).

    Raises:
        SingularError: the matrix is singular to rounding.  Where the numbers are traced the factors are NaN then.
    """
    xp = arrays_of(engine, matrix)
    rows = _scale(xp, xp.max(xp.abs(matrix), axis=1))
    columns = _scale(xp, xp.max(xp.abs(matrix) * rows[:, None], axis=0))
    scaled = matrix * rows[:, None] * columns[None, :]  # not by rank promotion, which JAX may be told to refuse
    lu, pivots = _by_lapack(scaled) if type(scaled) is np.ndarray else xp.linalg.lu_factor(scaled)
    diagonal = xp.abs(xp.diagonal(lu))
    limit = matrix.shape[0] * float(np.finfo(engine.spec(matrix).dtype).eps) * xp.max(diagonal)
    lu = reports.regular(engine, options, lu, xp.min(diagonal), limit, matrix)
    return lu, pivots, rows, columns


def _scale(xp: Any, largest: Any) -> Any:
    """What makes the largest entry one; zero stays zero."""
    return 1 / xp.where(largest > 0, largest, 1.0)


def _by_lapack(matrix: Any) -> tuple[Any, Any]:
    """As scipy.linalg.lu_factor, which warns of a pivot that is zero; here that is raised, and warnings are not every thread's own."""
    try:
        from scipy.linalg import get_lapack_funcs  # noqa: PLC0415  # asked for where it is needed first
    except ImportError as error:
        raise EngineMissingError(
            "rb.implicit on NumPy arrays.", "the package 'scipy'", "it is not installed", "pip install scipy"
        ) from error
    (getrf,) = get_lapack_funcs(("getrf",), (matrix,))
    lu, pivots, _ = getrf(matrix)
    return lu, pivots


def solve(engine: Engine, factor: Factor, b: Any, adjoint: bool) -> Any:
    """The solution for the matrix or its adjoint, of the shape of b, (n,) or (n, k)."""
    lu, pivots, rows, columns = factor
    left, right = (columns, rows) if adjoint else (rows, columns)
    if len(b.shape) == 2:
        left, right = left[:, None], right[:, None]
    return right * arrays_of(engine, b).linalg.lu_solve((lu, pivots), left * b, trans=2 if adjoint else 0)
