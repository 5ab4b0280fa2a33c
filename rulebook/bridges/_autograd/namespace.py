"""The array namespace of autograd's boxes: autograd.numpy, with what rule bodies need beside it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import autograd.numpy.fft as afft
import autograd.numpy.linalg as alinalg
import numpy as np

from rulebook.bridges._autograd.trace import BOXES
from rulebook.namespace import Namespace

__all__ = ["NAMESPACE"]


def _asarray(a: Any, dtype: Any = None) -> Any:
    """An array of numbers, boxes or nested lists of them; a box stays one (autograd's own asarray has no derivative)."""
    if type(a) not in BOXES:
        a = anp.array(a) if isinstance(a, (list, tuple)) else np.asarray(a)
    return a if dtype is None or a.dtype == dtype else a.astype(dtype)


def _copy(a: Any) -> Any:
    """An array of its own (autograd's copy has no derivative)."""
    return a * 1 if type(a) in BOXES else np.copy(a)


def _scipy(name: str) -> Callable[[], Any]:
    return lambda: getattr(importlib.import_module("autograd.scipy.linalg"), name)


def _cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """`a @ x = b`, given the Cholesky factor of a as (c, lower); by triangular solves, which autograd differentiates."""
    solve = _scipy("solve_triangular")()
    c, lower = c_and_lower
    first, second = ("N", "C") if lower else ("C", "N")
    if not anp.iscomplexobj(c):
        first, second = first.replace("C", "T"), second.replace("C", "T")
    return solve(c, solve(c, b, trans=first, lower=lower), trans=second, lower=lower)


def _lacking(name: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise NotImplementedError(f"xp.{name} has no counterpart in autograd.")

    return fail


# autograd wraps all of scipy.linalg; of these names it can differentiate the following, and none of the others.
_LINALG = Namespace(
    "autograd.linalg",
    alinalg,
    {"cho_solve": _cho_solve},
    {n: _scipy(n) for n in ("solve_triangular", "solve_banded", "solve_sylvester", "sqrtm")}
    | {n: _lacking(f"linalg.{n}") for n in ("lu_factor", "lu_solve", "expm")},
)


def _special() -> Namespace:
    """The special functions, loaded when one is asked for: SciPy is no requirement of the bridge."""
    return Namespace("autograd.special", importlib.import_module("autograd.scipy.special"), {})


NAMESPACE = Namespace(
    "autograd",
    anp,
    # NumPy's concat is another name of concatenate, but autograd's concat bypasses boxes in a list.
    {"linalg": _LINALG, "fft": Namespace("autograd.fft", afft, {}), "asarray": _asarray, "copy": _copy, "concat": anp.concatenate},
    {"special": _special},
)
