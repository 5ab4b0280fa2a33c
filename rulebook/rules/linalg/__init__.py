"""`scipy.linalg` with rules: names and arguments are SciPy's, options are keyword-only."""

from __future__ import annotations

from rulebook.rules.linalg.equations import (
    solve_continuous_are,
    solve_continuous_lyapunov,
    solve_discrete_are,
    solve_discrete_lyapunov,
    solve_sylvester,
)
from rulebook.rules.linalg.solving import det, inv, solve, solve_triangular

__all__ = [
    "det",
    "inv",
    "solve",
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
    "solve_discrete_lyapunov",
    "solve_sylvester",
    "solve_triangular",
]
