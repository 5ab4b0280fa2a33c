"""Containers as arguments and as results: tuple, list, dict, namedtuple, dataclass, nested, with None and integers among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Array, Formula, draw, made
from rulebook.testing.scenario.model import Scenario

__all__ = ["Orbit", "Pair", "scenarios"]

_X, _U = draw((2,), 40), draw((2,), 41)
_M, _N = draw((2, 2), 42), draw((2, 2), 43)


class Pair(NamedTuple):
    """Two values."""

    first: Any
    second: Any


@rb.register_dataclass(static=("name",))
@dataclasses.dataclass
class Orbit:
    """A dataclass with an option."""

    radius: Any
    phase: Any
    name: str = "orbit"


def _affine(p: Any) -> Any:
    """Half the squared length of W x + b."""
    xp = rb.xp(p["w"])
    return xp.sum((p["w"] @ xp.asarray(_X) + p["b"]) ** 2) / 2


def _affine_first(p: dict[str, Array]) -> dict[str, Array]:
    r = p["w"] @ _X + p["b"]
    return {"w": np.outer(r, _X), "b": r}


def _affine_second(p: dict[str, Array]) -> dict[str, dict[str, Array]]:
    eye = np.eye(2)
    return {
        "w": {"w": np.einsum("ik,j,l->ijkl", eye, _X, _X), "b": np.einsum("ik,j->ijk", eye, _X)},
        "b": {"w": np.einsum("ik,l->ikl", eye, _X), "b": eye},
    }


def _affine_product(p: dict[str, Array], d: dict[str, Array]) -> dict[str, Array]:
    r_dot = d["w"] @ _X + d["b"]
    return {"w": np.outer(r_dot, _X), "b": r_dot}


def _pair(p: Any) -> Any:
    return rb.xp(p.first).sum(p.first**2) * p.second


def _orbit(o: Any) -> Any:
    xp = rb.xp(o.radius)
    return Orbit(o.radius * xp.cos(o.phase), o.radius * xp.sin(o.phase), o.name)


def _orbit_forward(o: Orbit, d: tuple[Orbit]) -> Orbit:
    r, q, r_dot, q_dot = o.radius, o.phase, d[0].radius, d[0].phase
    return Orbit(r_dot * np.cos(q) - r * np.sin(q) * q_dot, r_dot * np.sin(q) + r * np.cos(q) * q_dot)


def _orbit_reverse(o: Orbit, b: Orbit) -> tuple[Orbit]:
    r, q = o.radius, o.phase
    return (Orbit(b.radius * np.cos(q) + b.phase * np.sin(q), r * (b.phase * np.cos(q) - b.radius * np.sin(q))),)


def _nested(p: Any) -> Any:
    """Containers in containers, with None and an integer, which have no tangents."""
    (a, [b]), nothing, n = p["deep"], p["nothing"], p["n"]
    assert nothing is None
    return {"sum": a + b, "products": [a * b, (b**n,)]}


def _nested_forward(p: dict[str, Any], d: tuple[dict[str, Any]]) -> dict[str, Any]:
    (a, [b]), (a_dot, [b_dot]) = p["deep"], d[0]["deep"]
    return {"sum": a_dot + b_dot, "products": [a_dot * b + a * b_dot, (2 * b * b_dot,)]}


def _nested_reverse(p: dict[str, Any], bar: dict[str, Any]) -> tuple[dict[str, Any]]:
    a, [b] = p["deep"]
    s, [m, (q,)] = bar["sum"], bar["products"]
    return ({"deep": (s + m * b, [s + m * a + 2 * b * q]), "nothing": None, "n": None},)


def _several(x: Any) -> Any:
    """One array in, a tuple out."""
    xp = rb.xp(x)
    return xp.sum(x**2), x * x[0]


def _several_first(x: Array) -> tuple[Array, Array]:
    return 2 * x, x[0] * np.eye(2) + np.outer(x, np.eye(2)[0])


def _number(t: Any) -> Any:
    """One number in, a dict out."""
    xp = rb.xp(t)
    return {"square": t**2, "wave": xp.sin(t * xp.asarray(_X))}


def _parts(p: Any) -> Any:
    """A container in and out, for Jacobians in both."""
    return {"y": p[0] * p[1], "z": p[1] ** 2}


def _parts_first(p: tuple[Array, Array]) -> dict[str, tuple[Array, Array]]:
    a, b = p
    return {"y": (np.diag(b), np.diag(a)), "z": (np.zeros((2, 2)), np.diag(2 * b))}


def scenarios() -> Iterator[Scenario]:
    """Containers."""
    p, q = ({"w": _M, "b": _X},), ({"w": _N, "b": _U},)
    tags = ("container", "dict")
    yield made("affine-grad", "grad", _affine, _affine_first, p, q, tags=tags)
    yield made("affine-value_and_grad", "value_and_grad", _affine, _affine_first, p, q, tags=tags)
    yield made("affine-jacobian", "jacobian", _affine, _affine_first, p, q, tags=tags)
    yield made("affine-hessian", "hessian", _affine, _affine_second, p, q, tags=tags)
    yield made("affine-hvp", "hvp", _affine, _affine_product, p, q, along=(q[0], p[0]), tags=tags)
    pair, other = (Pair(_X, 0.5),), (Pair(_U, 1.5),)
    exact: Formula = lambda p: Pair(2 * p.first * p.second, np.sum(p.first**2))
    yield made("pair-grad", "grad", _pair, exact, pair, other, tags=("container", "namedtuple"))
    orbit, second = (Orbit(_X, _U),), (Orbit(_U, _X),)
    tags = ("container", "dataclass")
    yield made("orbit-jvp", "jvp", _orbit, _orbit_forward, orbit, second, along=(second, orbit), tags=tags)
    yield made("orbit-vjp", "vjp", _orbit, _orbit_reverse, orbit, second, along=(second[0], orbit[0]), tags=tags)
    yield from _deep()
    x, u = (_X,), (_U,)
    yield made("several-jacobian", "jacobian", _several, _several_first, x, u, tags=("container", "tuple"))
    along = (np.array(2.0), _U), (np.array(-1.0), _X)
    reverse: Formula = lambda x, b: (2 * b[0] * x + b[1] * x[0] + np.sum(b[1] * x) * np.eye(2)[0],)
    yield made("several-vjp", "vjp", _several, reverse, x, u, along=along, tags=("container", "tuple"))
    exact_number: Formula = lambda t: {"square": 2 * t, "wave": _X * np.cos(t * _X)}
    yield made("number-to-dict-derivative", "derivative", _number, exact_number, (0.4,), (1.1,), tags=("container", "number-in", "dict"))
    exact_second: Formula = lambda t: {"square": 2.0, "wave": -(_X**2) * np.sin(t * _X)}
    yield made("number-to-dict-second", "second_derivative", _number, exact_second, (0.4,), (1.1,), tags=("container", "number-in", "dict"))
    both = ((_X, _U),), ((_U, _X),)
    yield made("parts-jacobian", "jacobian", _parts, _parts_first, *both, tags=("container", "tuple", "dict"))


def _deep() -> Iterator[Scenario]:
    def point(a: Array, b: Array, n: Any) -> dict[str, Any]:
        return {"deep": (a, [b]), "nothing": None, "n": n}

    p, q, tags = (point(_X, _U, 2),), (point(_U, _X, 2),), ("container", "nested", "integer")
    along = (point(_U, _X, None),), (point(_M[0], _N[0], None),)
    yield made("nested-jvp", "jvp", _nested, _nested_forward, p, q, along=along, tags=tags)
    bars = {"sum": _X, "products": [_U, (_X,)]}, {"sum": _U, "products": [_X, (_X,)]}
    yield made("nested-vjp", "vjp", _nested, _nested_reverse, p, q, along=bars, tags=tags)
