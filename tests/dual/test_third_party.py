"""Unmodified functions of other libraries on dual numbers: value, first and second derivative against differences of high order."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual import Dual, DualArray
from rulebook.dual.third_party import passing
from tests.dual.third_party_cases import CASES, NOTHING, Case

PAGE = Path(__file__).parents[2] / "docs/manual/third_party.md"
TOLERANCES = (1e-12, 1e-9, 1e-6)  # of value, first and second derivative, relative to 1 + the size


def _direction(x):
    return np.cos(1.0 + np.arange(np.size(x))).reshape(np.shape(x)) if np.ndim(x) else 1.0


def _extrapolated(difference, levels=5):
    """Richardson's extrapolation of a central difference."""
    table = [difference(0.02 / 2**i) for i in range(levels)]
    for k in range(1, levels):
        table = [(4**k * finer - coarser) / (4**k - 1) for coarser, finer in itertools.pairwise(table)]
    return table[0]


def _along(case):
    """The function along a line through the point, of one number."""
    fn, x, t = case.function(), case.at, _direction(case.at)
    return lambda s: fn(x + s * t)


def _by_differences(along):
    plain = lambda s: np.asarray(along(s), dtype=float)
    y = plain(0.0)
    first = _extrapolated(lambda h: (plain(h) - plain(-h)) / (2 * h))
    second = _extrapolated(lambda h: (plain(h) - 2 * y + plain(-h)) / h**2)
    return y, first, second


def _by_duals(along):
    first = lambda s: rb.jvp(along, (s,), (1.0,), engine="dual")
    (y, y_dot), (_, y_ddot) = rb.jvp(first, (0.0,), (1.0,), engine="dual")
    return y, y_dot, y_ddot


def errors(case: Case) -> list[float]:
    """The largest errors of value, first and second derivative, relative to 1 + the size."""
    along = _along(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _by_differences(along)
        with contextlib.nullcontext() if case.needs == NOTHING else passing():
            found = _by_duals(along)
    assert not any(isinstance(v, (Dual, DualArray)) for v in found)
    assert all(np.shape(v) == np.shape(e) for v, e in zip(found, expected, strict=True))
    return [float(np.max(np.abs(np.asarray(v) - e) / (1 + np.abs(e)))) for v, e in zip(found, expected, strict=True)]


def _parameters():
    return [pytest.param(case, id=f"{case.library}.{case.name}") for case in CASES]


@pytest.mark.parametrize("case", _parameters())
def test_a_function_of_a_library(case):
    pytest.importorskip(case.library)
    found = errors(case)
    assert all(error < tolerance for error, tolerance in zip(found, TOLERANCES, strict=True)), found


@pytest.mark.parametrize("case", [p for p in _parameters() if p.values[0].needs != NOTHING])
@pytest.mark.filterwarnings("ignore")
def test_it_is_refused_without_the_mode(case):
    pytest.importorskip(case.library)
    with pytest.raises((TypeError, ValueError, AttributeError, SystemError)):
        rb.jvp(_along(case), (0.0,), (1.0,), engine="dual")


def test_the_page_lists_them():
    rows = [
        line.split("|")[1:3] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.count("|") == 7 and line.startswith("| `")
    ]
    assert [(name.strip(" `"), library.strip(" `")) for library, name in rows] == [(case.name, case.library) for case in CASES]


def table() -> str:
    """The rows of the page, measured: `python -m tests.dual.test_third_party`."""
    rows = []
    for case in CASES:
        sizes = " | ".join(f"{error:.0e}" for error in errors(case))
        rows.append(f"| `{case.library}` | `{case.name}` | {case.needs} | {sizes} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
