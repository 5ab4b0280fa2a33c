"""Programs of users, which only type checkers read: signatures survive, and a mistake is found where it is made.

A line with `# type: ignore[...]` is a mistake that mypy and pyright must find: an ignore that is not needed is an error too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import rulebook as rb
from rulebook.engines import load_engine
from rulebook.testing import Report, check_engines, check_rules

Array = npt.NDArray[np.float64]


# -- primitives keep their signatures ------------------------------------------------------------------


@rb.primitive
def kepler(mean_anomaly: Array, eccentricity: float, *, tol: float = 1e-14) -> Array:
    """The eccentric anomaly."""
    return mean_anomaly + eccentricity * tol


@rb.primitive(host=True, cases=[rb.case(1.0)], result=lambda x: x)
def halved(x: float) -> float:
    return x / 2


def lengths(words: list[str]) -> dict[str, int]:
    return {word: len(word) for word in words}


x = np.ones(3)
assert_type(kepler(x, 0.3), Array)
assert_type(kepler(mean_anomaly=x, eccentricity=0.3, tol=1e-9), Array)
assert_type(halved(1.0), float)
assert_type(rb.primitive(lengths)(["a"]), dict[str, int])
kepler(x)  # type: ignore[call-arg]
kepler(x, 0.3, 1e-9)  # type: ignore[call-arg]
kepler(x, "0.3")  # type: ignore[arg-type]
kepler(x, 0.3, tolerance=1e-9)  # type: ignore[call-arg]
halved.rule  # type: ignore[attr-defined]  # noqa: B018
rb.primitive(hosts=True)  # type: ignore[call-overload]
rb.primitive(3)  # type: ignore[call-overload]


class Planet:
    """A primitive as a method."""

    @rb.primitive
    def position(self, time: float) -> Array:
        return np.array([time])


assert_type(Planet().position(1.0), Array)
Planet().position()  # type: ignore[call-arg]


# -- rules come back unchanged ---------------------------------------------------------------------------


@rb.frule(kepler)
def forward(primals: tuple[Array, float], tangents: tuple[Array, float], *, tol: float) -> tuple[Array, Array]:
    return primals[0], tangents[0]


@rb.pullback(kepler, symbolic_zeros=True)
def backward(y: Array, primals: tuple[Array, float], y_bar: Array | None, *, tol: float) -> tuple[Any, Any]:
    return rb.thunk(lambda: y_bar), rb.ZeroTangent()


@rb.scalar_rule(halved)
def slope(y: float, x: float) -> float:
    return 0.5


@halved.case
def example(rng: np.random.Generator) -> tuple[float]:
    return (rng.normal(),)


assert_type(slope(1.0, 2.0), float)
assert_type(example(np.random.default_rng(0)), tuple[float])
forward((x, 1.0))  # type: ignore[call-arg]
slope("y", 1.0)  # type: ignore[arg-type]
rb.frule(lengths)  # type: ignore[arg-type]
rb.rrule(kepler, hosts=True)  # type: ignore[call-arg]
rb.rules(lengths)  # type: ignore[arg-type]
assert_type(rb.rules(kepler).forward, str | None)
assert_type(rb.bind(kepler, "dual")(x, 0.3), Any)
rb.bind(kepler, "dual")(x)  # type: ignore[call-arg]
assert_type(rb.non_differentiable(lengths)(["a"]), dict[str, int])


# -- operators -------------------------------------------------------------------------------------------


def energy(x: Array, scale: float) -> float:
    return float(scale * (x**2).sum())


rb.grad(energy)(x, 2.0)
value, gradient = rb.value_and_grad(energy, engine="dual", argnums=(0, 1))(x, 2.0)
rb.grad(lambda x: (x**2).sum(), engine="dual")(x)
rb.hessian(lambda x: (x**2).sum())(x)
rb.jacobian(energy, constants=(2.0,))(x)
rb.grad(energy, constants={"scale": 2.0}, caches=[x])(x)
y, y_dot = rb.jvp(energy, (x, 1.0), (x, 1.0), engine="jax")
y, pullback = rb.vjp(energy, x, 2.0, engine="torch", batch=True)
pullback(1.0)
rb.hvp(energy, (x, 1.0), x, engine=("jax", "dual"))
ready = rb.prepare(rb.grad, energy, x, 2.0, engine="jax")
ready(x, 3.0)
crossed = rb.differentiate_with(energy, "torch")
assert_type(crossed(x, 2.0), float)
crossed(x)  # type: ignore[call-arg]
rb.grad(energy)(x)  # type: ignore[call-arg]
rb.grad(energy)(x, "2")  # type: ignore[arg-type]
rb.grad(energy, engine=3)(x, 2.0)  # type: ignore[call-overload]
rb.grad(energy, argnum=0)  # type: ignore[call-overload]
rb.grad(kepler(x, 0.3))  # type: ignore[call-overload]
rb.derivative(halved)(1.0)
rb.derivative(halved)(1.0, 2.0)  # type: ignore[call-arg]


# -- solvers, buffers, containers, checks ------------------------------------------------------------------


@rb.implicit.root(lambda x, a: a * x + x**3 - 1.0, host=True, tol=1e-10)
def solve(x0: Array, a: Array) -> Array:
    return x0 + a


assert_type(solve(x, x), Array)
solve(x)  # type: ignore[call-arg]
rb.implicit.root(lambda x, a: x, tolerance=1.0)  # type: ignore[call-arg]


@rb.register_dataclass
@dataclass
class State:
    position: Array


@rb.register_dataclass(static=("name",))
@dataclass
class Named:
    position: Array
    name: str


assert_type(State(x).position, Array)
assert_type(Named(x, "a").name, str)
State(1.0, 2.0)  # type: ignore[call-arg, arg-type]
assert_type(rb.stop_gradient(State(x)), State)

cache = rb.DiffCache(np.zeros(3))
work = cache.get(x, 1.0)
work[0] = 1.0
rb.freeze(work)
buffer = rb.Buffer(rb.ShapeDtype((3,), np.float64))
buffer[1:] = x
assert_type(buffer.shape, tuple[int, ...])
rb.DiffCache()  # type: ignore[call-arg]
rb.DiffCache(x, chunk=3)  # type: ignore[call-arg]

assert_type(check_rules(kepler, x, 0.3, raise_=False), Report)
assert_type(check_engines(kepler, engines=["dual"]).ok, bool)
with rb.config(host_threads=4):
    pass
as_function: Callable[[float], float] = halved
wrong: Callable[[str], float] = halved  # type: ignore[assignment]
assert_type(load_engine("dual").name, str)
