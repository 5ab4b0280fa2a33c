"""The same programs, with buffers, by every way of differentiation of every engine: exact."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from tests.buffers import random_programs
from tests.buffers.programs import PROGRAMS, check, hessian, jacobian
from tests.buffers.ways import FIRST, SECOND, array, engine

programs = pytest.mark.parametrize("name", PROGRAMS)


@pytest.fixture(autouse=True)
def _no_trace_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that raises leaves autograd's stack of traces one deeper."""
    try:
        import autograd
    except ImportError:
        return
    monkeypatch.setattr(autograd.tracer.trace_stack, "top", -1)


@programs
@pytest.mark.parametrize("kind", ["numpy", "jax", "torch"])
def test_values(kind: str, name: str) -> None:
    engine(kind)
    program = PROGRAMS[name]
    run = engine("jax").jit(program.run) if kind == "jax" else program.run
    check(run(array(kind, program.x)), program.exact(program.x))
    check(run(array(kind, program.x * 1.5)), program.exact(program.x * 1.5))  # a second input


@programs
@pytest.mark.parametrize("way", FIRST)
def test_first_derivatives(way: str, name: str) -> None:
    program = PROGRAMS[name]
    check(FIRST[way](program.run, program.x), jacobian(program))


@programs
@pytest.mark.parametrize("way", SECOND)
def test_second_derivatives(way: str, name: str) -> None:
    program = PROGRAMS[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Output seems independent of input")  # autograd, of the linear one
        check(SECOND[way](program.run, program.x), hessian(program))


def _compare(way: str, seeds: range) -> None:
    cache = rb.DiffCache(np.zeros((4, 3)), warn=False)
    for seed in seeds:
        program = random_programs.statements(seed)
        run = random_programs.buffered(program, cache, array(way.partition("-")[0], random_programs.CONSTANT))
        found = np.asarray(FIRST[way](run, random_programs.POINT))
        expected = random_programs.jacobian(program)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10, err_msg=f"seed {seed}: " + "; ".join(program))
        run = random_programs.buffered(program, cache)
        np.testing.assert_array_equal(run(random_programs.POINT), random_programs.exact(program, random_programs.POINT))


SEEDS = {"jax": 3, "torch-compile": 2, "torch-forward": 6}


@pytest.mark.parametrize("way", [way for way in FIRST if "rulebook" not in way])
def test_random_programs(way: str) -> None:
    _compare(way, range(SEEDS.get(way, SEEDS.get(way.partition("-")[0], 12))))


def test_random_programs_twice_in_dual_numbers() -> None:
    cache = rb.DiffCache(np.zeros((4, 3)), warn=False)
    for seed in range(20, 26):
        program = random_programs.statements(seed, 4)
        run = random_programs.buffered(program, cache)
        columns: list[Any] = []
        for e in np.eye(3):
            step = random_programs.POINT + 1e-30j * e  # complex numbers as the values of dual ones
            columns.append(np.asarray(rb.jacobian(run, engine="dual")(step)).imag / 1e-30)
        second = SECOND["dual"](run, random_programs.POINT)
        np.testing.assert_allclose(second, np.stack(columns, axis=-1), rtol=1e-9, atol=1e-9, err_msg="; ".join(program))
