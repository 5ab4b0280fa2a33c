"""Cells that are not run where an engine compiles every one of them, and what is run in their place.

Whatever is left out, each transformation of each engine runs with each set of rules in some case, and each case and set of rules
under some transformation of each kind of derivative: a test holds this list to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.conformance import implicit_cases
from tests.conformance.cases import CASES
from tests.conformance.model import DIRECTIONS, Case, Transform, load

EVERYWHERE = "elementwise"  # the case of which nothing is left out
HOSTED = ", host "  # in the names of the same cases with host code


@dataclass(frozen=True)
class LeftOut:
    """A group of cells of one engine.

    Args:
        engine: its name.
        why: what they cost, and what shows the same.
        covers: `(transform, case, rules) -> bool`, with a key of `model.DIRECTIONS` for the rules.
    """

    engine: str
    why: str
    covers: Callable[[Transform, Case, str], bool]


# Un-jitted, JAX traces and compiles what a solver's rules hold at each call, for a second and more; a staged twin of each of these runs.
COMPILED_ANEW = {
    "grad": "jit of grad",
    "vjp": "jit of grad",
    "jvp": "jit of jvp",
    "jacfwd": "jit of jvp",
    "jacrev": "jit of grad",
    "jvp of vmap": "jvp of jit",
    "grad of vmap, shared argument": "grad of vmap",
    "checkpoint with a policy": "checkpoint",
    "forward over forward": "forward over forward, jit",
    "forward over reverse": "forward over reverse, jit",
    "reverse over forward": "reverse over forward, jit",
    "reverse over reverse": "reverse over reverse, jit",
}
IN_FULL = {"minimum", "fixed point, vectorized host"}  # a traceable solver and one that is host code

# A primitive is bound to JAX once for each set of rules, in a way that no case takes part in, and every transformation meets the same
# primitive.  So in all cases but one, transformations other than the staged ones of each kind take turns with the sets of rules.
STAGED = {
    "jit of grad",
    "jit of jvp",
    *(f"{outer} over {inner}, jit" for outer in ("forward", "reverse") for inner in ("forward", "reverse")),
}


_NAMES = {case.name for case in CASES}


def is_hosted(case: Case) -> bool:
    """Whether it is one of the cases with host code in place of its own."""
    name, hosted, _ = case.name.partition(HOSTED)
    return bool(hosted) and name in _NAMES


@functools.cache
def _place(transform: str, case: str) -> int:
    """Where a cell stands, for what takes turns."""
    return [t.name for t in load("jax").TRANSFORMS].index(transform) + [c.name for c in CASES].index(case.partition(HOSTED)[0])


def _turn(transform: str, case: str) -> str:
    """The set of rules with which a transformation runs in a case."""
    return list(DIRECTIONS)[_place(transform, case) % len(DIRECTIONS)]


def _in_full(case: Case) -> bool:
    return case.name.partition(HOSTED)[0] == EVERYWHERE


LEFT_OUT = [
    LeftOut(
        "jax",
        "no rule takes part in a value: it is run with both rules",
        lambda transform, case, rules: transform.quantity.endswith("value") and rules != "both" and not _in_full(case),
    ),
    LeftOut(
        "jax",
        "a program of its own for each cell, alike but for the set of rules: they take turns, and each meets each in a third of the cases",
        lambda transform, case, rules: (
            case in CASES
            and not _in_full(case)
            and transform.name not in STAGED
            and not transform.quantity.endswith("value")
            and rules != _turn(transform.name, case.name)
        ),
    ),
    LeftOut(
        "jax",
        "as above, of host code, which is one operation of JAX for all cases: transformations take turns, and each meets half of the cases",
        lambda transform, case, rules: (
            is_hosted(case)
            and not _in_full(case)
            and transform.name not in STAGED
            and bool((_place(transform.name, case.name) + len(case.host) + list(DIRECTIONS).index(rules)) % 2)
        ),
    ),
    LeftOut(
        "jax",
        "most of a minute a case, for solvers of the same kinds as others that run",
        lambda transform, case, rules: case in implicit_cases.CASES and case.name in implicit_cases.NOT_COMPILED,
    ),
    LeftOut(
        "jax",
        "compiled anew at each call; the staged twin is run, and two solvers in full",
        lambda transform, case, rules: case in implicit_cases.CASES and case.name not in IN_FULL and transform.name in COMPILED_ANEW,
    ),
]


def left_out(engine: str, transform: Transform, case: Case, rules: str) -> bool:
    """Whether a cell is not run."""
    return any(group.engine == engine and group.covers(transform, case, rules) for group in LEFT_OUT)


def transforms(engine: str, case: Case, rules: str) -> list[Transform]:
    """What is run of a case with a set of rules."""
    every = [t for t in load(engine).TRANSFORMS if t.order == 1 or case.second]
    return [t for t in every if not left_out(engine, t, case, rules)]


def cells(engine: str, hosted: Sequence[tuple[Case, str]] = ()) -> Iterator[tuple[Transform, Case, str]]:
    """Every cell of an engine, with those that are left out: those of the cases with host code where these are given, else all others."""
    plain = [(c, r) for c in CASES for r in DIRECTIONS] + [(c, "both") for c in implicit_cases.CASES]
    for transform in load(engine).TRANSFORMS:
        for case, rules in hosted or plain:
            if transform.order == 1 or case.second:
                yield transform, case, rules
