"""Cases of `rb.implicit`: solvers whose derivative is not that of their code.

The rules are not the author's here, so the marker is in the solver: to an engine that differentiates its code, only a hundredth
of the solution depends on the arguments.  Solutions have a closed form, so that the suite compiles the rules and little else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from tests.conformance.model import MARKER as M, Case

Build = Callable[[frozenset[str]], Any]


def _hidden(x: Any, host: bool) -> Any:
    """A solution of which a hundredth is linked to what it was computed from; host code must have concrete numbers."""
    leaves, structure = trees.flatten(x)
    if host:
        return structure.unflatten(iter([np.array(a.tolist(), a.dtype) for a in leaves]))
    return structure.unflatten(iter([rb.stop_gradient(a) + (a - rb.stop_gradient(a)) / M for a in leaves]))


def _root(host: bool) -> Build:
    """A dict with a tuple for the state, nested parameters, an equation that is not symmetric; keys in another order."""

    def residual(x, force, rates):
        xp = rb.xp(x, force, rates)
        u, (v,) = x["u"], x["rest"]
        return {"rest": (v - rates["of"][0] * u[0] * u[1],), "u": xp.sinh(u) + rates["k"] * xp.stack([0 * u[0], u[0]]) - force}

    def build(directions: frozenset[str]) -> Any:
        @rb.implicit.root(residual, host=host)
        def equilibrium(x0, force, rates):
            xp = rb.xp(x0, force, rates)
            first = xp.arcsinh(force[0])
            second = xp.arcsinh(force[1] - rates["k"] * first)
            return _hidden({"u": xp.stack([first, second]), "rest": (rates["of"][0] * first * second,)}, host)

        return equilibrium

    return build


def _root_args(rng: np.random.Generator) -> tuple[Any, ...]:
    x0 = {"u": rng.normal(size=2), "rest": (rng.normal(size=()),)}
    return x0, rng.normal(size=2), {"k": rng.uniform(0.5, 1.0, size=()), "of": [rng.uniform(0.5, 1.5, size=())]}


def _fixed_point(host: bool, vectorized: bool = False) -> Build:
    """A vector; an option that goes to the step as well, and one that does not."""

    def step(x, b, *, scale):
        xp = rb.xp(x, b)
        return x - scale * (xp.sinh(x) - b)

    def build(directions: frozenset[str]) -> Any:
        @rb.implicit.fixed_point(step, host=host, vectorized=vectorized)
        def settle(x0, b, *, scale=0.5, label="plain"):
            assert label == "mine"
            return _hidden(rb.xp(x0, b).arcsinh(b), host)

        return settle

    return build


def _minimizer(host: bool) -> Build:
    """A strictly convex function of a vector."""

    def objective(x, rate, slope):
        xp = rb.xp(x, rate, slope)
        return xp.exp(x[0]) - rate * x[0] + (x[1] - slope * x[0]) ** 2 / 2

    def build(directions: frozenset[str]) -> Any:
        @rb.implicit.minimizer(objective, host=host)
        def smooth(x0, rate, slope):
            xp = rb.xp(x0, rate, slope)
            first = xp.log(rate)
            return _hidden(xp.stack([first, slope * first]), host)

        return smooth

    return build


def _scalar(host: bool) -> Build:
    """Python numbers."""

    def residual(x, a, b):
        return rb.xp(x, a, b).sinh(b * x) - a

    def build(directions: frozenset[str]) -> Any:
        @rb.implicit.root(residual, host=host)
        def solve(x0, a, b):
            return _hidden(rb.xp(x0, a, b).arcsinh(a) / b, host)

        return solve

    return build


def _complex(host: bool) -> Build:
    """Complex numbers, an equation that is not holomorphic, a real parameter."""

    def residual(z, w, a):
        xp = rb.xp(z, w, a)
        return xp.real(z) + 1j * xp.sinh(xp.imag(z)) - a * (xp.real(w) - 1j * xp.imag(w))

    def build(directions: frozenset[str]) -> Any:
        @rb.implicit.root(residual, host=host)
        def wave(z0, w, a):
            xp = rb.xp(z0, w, a)
            return _hidden(a * xp.real(w) - 1j * xp.arcsinh(a * xp.imag(w)), host)

        return wave

    return build


def _complex_args(rng: np.random.Generator) -> tuple[Any, ...]:
    draw = lambda: rng.normal(size=2) + 1j * rng.normal(size=2)
    return draw(), draw(), rng.uniform(0.5, 1.0, size=2)


def _aux(host: bool) -> Build:
    """A solver that also says how it went: numbers without a derivative."""

    def residual(x, b):
        return rb.xp(x, b).sinh(x) - b

    result = lambda x0, b: (x0, {"start": x0, "rounds": rb.ShapeDtype((), np.int64)})

    def build(directions: frozenset[str]) -> Any:
        @rb.implicit.root(residual, host=host, has_aux=True, result=result if host else None)
        def settle(x0, b):
            return _hidden(rb.xp(x0, b).arcsinh(b), host), {"start": 2 * x0, "rounds": np.array(7)}

        return settle

    return build


def _floats(*sizes: tuple[int, ...], dtype: Any = float) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda rng: tuple(np.asarray(rng.normal(size=s)).astype(dtype) for s in sizes)


def _rates(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=2), rng.uniform(0.5, 2.0, size=()), rng.normal(size=())


NOT_COMPILED = {"root, host", "fixed point, float32", "scalar root, host"}  # in engines that compile for most of a minute a case

_HOST = frozenset({"primal"})

CASES = [
    Case("root", _root(host=False), _root_args),
    Case("root, host", _root(host=True), _root_args, host=_HOST),
    Case("fixed point, float32", _fixed_point(host=False), _floats((3,), (3,), dtype=np.float32), {"label": "mine"}),
    Case(
        "fixed point, vectorized host",
        _fixed_point(host=True, vectorized=True),
        _floats((3,), (3,)),
        {"scale": 0.4, "label": "mine"},
        host=_HOST,
    ),
    Case("minimum", _minimizer(host=False), _rates),
    Case("scalar root, host", _scalar(host=True), lambda rng: (*map(float, rng.normal(size=2)), float(rng.uniform(0.5, 1.0))), host=_HOST),
    Case("complex root", _complex(host=False), _complex_args),
    Case("root with aux, host", _aux(host=True), _floats((2,), (2,)), host=_HOST),
]
