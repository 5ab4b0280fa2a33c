"""Implicit primitives keep every law of the checker, without an option that is tuned to them."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.testing import check_engines, check_rules

ENGINES = [name for name in ("jax", "torch", "autograd", "dual") if name == "dual" or importlib.util.find_spec(name)]


def _newton(residual: Any, slope: Any, x: Any, rounds: int = 60) -> Any:
    for _ in range(rounds):
        x = x - residual(x) / slope(x)
    return x


@rb.implicit.root(
    lambda x, a: x**3 + x - a,
    host=True,
    cases=[rb.case(np.zeros(3), np.array([0.5, -2.0, 10.0])), lambda rng: (rng.normal(size=2), rng.normal(size=2))],
)
def cubic(x0, a):
    """To rounding."""
    return _newton(lambda x: x**3 + x - a, lambda x: 3 * x**2 + 1, x0)


@rb.implicit.root(
    lambda x, a: x**3 + x - a,
    host=True,
    linear_solver="gmres",
    cases=[lambda rng: (np.zeros(4), rng.normal(size=4))],
)
def matrix_free(x0, a):
    """With matrix-free linear solves."""
    return _newton(lambda x: x**3 + x - a, lambda x: 3 * x**2 + 1, x0)


@rb.implicit.fixed_point(
    lambda x, p, *, rate: {"u": rate * rb.xp(p).tanh(x["v"]) + p["b"], "v": rate * rb.xp(p).sin(x["u"]) * p["k"][0]},
    cases=[
        lambda rng: rb.case(
            {"u": rng.normal(size=2), "v": rng.normal(size=2)}, {"b": rng.normal(size=2), "k": (rng.uniform(0.2, 1.0),)}, rate=0.3
        )
    ],
)
def coupled(x0, p, *, rate=0.5):
    """Containers, an option, a traceable solver; a step leaves 0.3 of the error at most, and a program holds every round."""
    x = x0
    for _ in range(34):
        xp = rb.xp(x, p)
        x = {"u": rate * xp.tanh(x["v"]) + p["b"], "v": rate * xp.sin(x["u"]) * p["k"][0]}
    return x


@rb.implicit.minimizer(
    lambda x, target, weight: rb.xp(x).sum((x - target) ** 2) / 2 + weight**2 * rb.xp(x).sum(x**4) / 4,
    host=True,
    cases=[lambda rng: (np.zeros(3), rng.normal(size=3), rng.uniform(0.2, 2.0))],
)
def smooth(x0, target, weight):
    """A minimum."""
    return _newton(lambda x: x - target + weight**2 * x**3, lambda x: 1 + 3 * weight**2 * x**2, x0 + 0 * target)


@rb.implicit.root(
    lambda z, w, a: z + rb.xp(z).conj(z) * a / 4 - w,
    host=True,
    cases=[lambda rng: (np.zeros(2, complex), rng.normal(size=2) + 1j * rng.normal(size=2), rng.uniform(0.5, 1.5, size=2))],
)
def wave(z0, w, a):
    """Complex, not holomorphic."""
    return w.real / (1 + a / 4) + 1j * w.imag / (1 - a / 4) + 0 * z0


@rb.implicit.root(
    lambda x, a: x - rb.xp(x).cos(x) * a,
    has_aux=True,
    host=True,
    cases=[lambda rng: (np.array(0.0), rng.uniform(0.1, 0.9))],
)
def chatty(x0, a):
    """With aux, and an iteration whose number of rounds depends on the argument."""
    x, rounds = x0, 0
    while abs(x - np.cos(x) * a) > 1e-15:
        x, rounds = x - (x - np.cos(x) * a) / (1 + np.sin(x) * a), rounds + 1
        if rounds == 50:
            break
    return x, rounds


EVERY = [cubic, matrix_free, coupled, smooth, wave, chatty]


@pytest.mark.parametrize("primitive", EVERY, ids=lambda f: f.__name__)
def test_rules(primitive: Any) -> None:
    report = check_rules(primitive)
    assert report.ok, report


@pytest.mark.parametrize(
    ("primitive", "engine"),
    [(f, engine) for engine in ENGINES for f in (coupled, chatty, matrix_free) if f is coupled or engine != "jax"],  # compiling is slow
    ids=lambda f: getattr(f, "__name__", f),
)
def test_engines(primitive: Any, engine: str) -> None:
    report = check_engines(primitive, engines=[engine])
    assert report.ok, report


def test_a_wrong_equation_is_found() -> None:
    """The rules of another equation than the one that the solver solves."""

    @rb.implicit.root(lambda x, a: x**3 + x - 1.001 * a, tol=1e-2, cases=[lambda rng: (np.zeros(2), rng.normal(size=2))], host=True)
    def wrong(x0, a):
        return cubic.fn(x0, a)

    with pytest.raises(rb.RuleCheckError, match="differences"):
        check_rules(wrong)
