"""The same cells with host code: the primal alone, or the primal and all rules."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook import trees
from rulebook.adjoint import host_transpose
from rulebook.forms import LinearForward, LinearReverse, ZeroForward, ZeroReverse
from tests.conformance import model
from tests.conformance.cases import CASES
from tests.conformance.left_out import HOSTED
from tests.conformance.test_conformance import ENGINES, wrong_cells

PARTS = {"primal": frozenset({"primal"}), "all": frozenset({"primal", "forward", "reverse"})}


def hosted(case: model.Case, parts: frozenset[str]) -> model.Case:
    """A case whose primitive is host code in some of its parts; its result is declared."""

    def build(directions: frozenset[str]) -> Any:
        f = case.build(directions)
        f.host = "primal" in parts
        f.result = _like(f.fn(*case.args(np.random.default_rng(0)), **case.static))
        for direction in parts - {"primal"}:
            setattr(f, direction, _as_host(f, getattr(f, direction)))
        return f

    return replace(case, build=build, name=f"{case.name}{HOSTED}{' '.join(sorted(parts))}", host=parts)


def _as_host(f: Any, rule: Any) -> Any:
    if isinstance(rule, LinearReverse):
        return host_transpose(f, rule.fn, rule.wrt)
    if rule is None or isinstance(rule, (LinearForward, ZeroForward, ZeroReverse)):  # no code of their own
        return rule
    made = copy.copy(rule)
    made.host = True
    return made


def _like(y: Any) -> Any:
    leaves, structure = trees.flatten(y)
    specs = [rb.ShapeDtype(np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves]
    return lambda *_, **__: structure.unflatten(iter(specs))


FORMS = ("elementwise", "given output", "complex")
CELLS = [  # everything as host code in each case; the rest for each form of a rule and kind of argument
    pytest.param(case, parts, rules, id=f"{case.name}-{parts}-{rules}")
    for case in CASES
    for parts, rules in [("all", "both"), ("all", "forward"), ("all", "reverse"), ("primal", "both")]
    if (parts, rules) == ("all", "both") or case.name in FORMS
]


@pytest.mark.parametrize(("case", "parts", "rules"), CELLS)
@pytest.mark.parametrize("engine", ENGINES)
def test_host_code(engine: str, case: model.Case, parts: str, rules: str) -> None:
    """First order is right whatever is host code; second order is right where the rules are traceable, and raises where not."""
    wrong = wrong_cells(engine, hosted(case, PARTS[parts]), rules)
    assert not wrong, "\n".join(wrong)
