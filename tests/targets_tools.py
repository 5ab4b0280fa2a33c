"""Modules with primitives, written into a folder, for the tests of the commands and of the pytest plugin."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from rulebook.testing.plan import Plan

FEW = 6  # points of a case; the checker takes some forty

RIGHT = """
import numpy as np
import rulebook as rb

@rb.primitive(cases=[rb.case(1.5), rb.case(np.array([0.5, -2.0]), times=3)])
def cube(x, *, times=1):
    return times * x**3

@rb.scalar_rule(cube)
def _(y, x, *, times):
    return (3 * times * x**2,)

inverse = rb.primitive(np.linalg.inv, name="mine.inverse", host=True, cases=[rb.case(np.array([[2.0, 1.0], [0.5, 3.0]]))])

@rb.pullback(inverse)
def _(y, primals, y_bar):
    return (-y.T @ y_bar @ y.T,)
"""

WRONG = """
import rulebook as rb

@rb.primitive(cases=[rb.case(1.5)])
def square(x):
    return x**2

@rb.frule(square)
def _(primals, tangents):
    return primals[0]**2, 2 * primals[0] * tangents[0]

@rb.rrule(square)
def its_reverse(x):
    return x**2, lambda y_bar: (-2 * x * y_bar,)

class Holder:
    @rb.primitive
    def method(self, x):
        return x
"""

NO_CASE = """
import rulebook as rb

@rb.primitive
def lonely(x):
    return 2 * x

@rb.pushforward(lonely)
def _(y, primals, tangents):
    return 2 * tangents[0]
"""


def package(folder: Path, name: str, **modules: str) -> str:
    """Write a package; gives its name."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    for module, source in modules.items():
        (folder / name / f"{module}.py").write_text(source)
    return name


def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the checker look at the first points alone, in this process: what commands and items make of a report is the same."""
    every = Plan.points
    monkeypatch.setattr(Plan, "points", lambda plan: itertools.islice(every(plan), FEW))
