"""The array namespace of duals: NumPy's names, which dispatch on them, and what rule bodies need beside."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual.parts import is_dual, top
from rulebook.namespace import Namespace

__all__ = ["NAMESPACE"]


def _asarray(a: Any, dtype: Any = None) -> Any:
    """An array of numbers, duals or nested lists of them; a dual stays one."""
    if isinstance(a, (list, tuple)) and top(a):
        a = np.stack([_asarray(v) for v in a])
    if not is_dual(a):
        return np.asarray(a, dtype)
    return a if dtype is None or a.dtype == dtype else a.astype(dtype)


def _lazily(module: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(importlib.import_module(f"rulebook.dual.{module}"), name)


def _special() -> Namespace:
    """All of scipy.special: its ufuncs have their rules, and for what is no ufunc there is the rule library."""
    library = importlib.import_module("rulebook.rules.special")
    return Namespace("dual.special", importlib.import_module("scipy.special"), dict(library.AS_IN_SCIPY))


_SOLVERS = ("solve_triangular", "lu_factor", "lu_solve", "cho_solve", "expm")

NAMESPACE = Namespace(
    "dual",
    np,
    {
        "linalg": Namespace("dual.linalg", np.linalg, {}, {n: _lazily("solvers", n) for n in _SOLVERS}),
        "fft": Namespace("dual.fft", np.fft, {}),
        "asarray": _asarray,
        "array": _asarray,
    },
    {"special": _special},
)
