"""Calls of the solvers for tests of transformations, and how often SciPy decomposes a matrix for them."""

from __future__ import annotations

import contextlib

import numpy as np

from rulebook.rules import _equations
from tests.rules.problems import SOLVERS

_ORDER = {"solve_sylvester": "abq", "solve_continuous_lyapunov": "aq", "solve_discrete_lyapunov": "aq"}


def arguments(f, *lead, seed=0, dtype=float):
    """Well-conditioned arguments with these leading axes."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(*lead, 3, 3))
    made = {
        "a": rng.uniform(-0.2, 0.2, (*lead, 3, 3)) - 0.3 * np.eye(3),
        "b": rng.uniform(-0.2, 0.2, (*lead, 3, 3)) - 0.3 * np.eye(3),
        "q": half @ half.mT,
        "r": np.eye(3) + np.zeros((*lead, 3, 3)),
    }
    return [made[name].astype(dtype) for name in _ORDER.get(f.__name__, "abqr")]


@contextlib.contextmanager
def decompositions(monkeypatch):
    """A list that grows with every Schur form."""
    scipy_linalg = _equations._scipy()
    calls, schur = [], scipy_linalg.schur
    with monkeypatch.context() as patch:
        patch.setattr(scipy_linalg, "schur", lambda *args, **options: calls.append(1) or schur(*args, **options))
        yield calls


__all__ = ["SOLVERS", "arguments", "decompositions"]
