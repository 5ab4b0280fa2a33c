"""Functions written for every engine, with their derivatives by hand: what each pair of engines has to give."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rulebook as rb

OUTER = ("jax", "torch", "autograd", "dual")
INNER = (*OUTER, "differences")
_NAMESPACES = {"jax": "jax.numpy", "torch": "torch", "autograd": "autograd.numpy", "dual": "numpy", "differences": "numpy"}
TOLERANCE = {"float64": 1e-7, "float32": 2e-4}  # of differences, too


def namespace(engine: str) -> Any:
    """The array functions that a user of the engine writes with."""
    return importlib.import_module(_NAMESPACES[engine])


@dataclass(frozen=True)
class Case:
    """A function and its pushforward.

    Attributes:
        make: array functions -> the function.
        push: (primals, tangents) -> (y, y_dot), in NumPy.
        args: the primals.
        static: the options.
        dtype: of the floats.
    """

    name: str
    make: Callable[[Any], Callable[..., Any]]
    push: Callable[..., tuple[Any, Any]]
    args: tuple[Any, ...]
    static: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float64"

    def primitive(self, inner: str) -> Any:
        """The function for an engine, callable from all."""
        return rb.differentiate_with(self.make(namespace(inner)), inner)


def _one(xp: Any) -> Callable[..., Any]:
    return lambda x: xp.sin(x) * x


def _one_push(primals: Any, tangents: Any) -> Any:
    (x,), (v,) = primals, tangents
    return np.sin(x) * x, (np.cos(x) * x + np.sin(x)) * v


def _several(xp: Any) -> Callable[..., Any]:
    return lambda x, a, c: xp.exp(x) * a + c * xp.sum(a)


def _several_push(primals: Any, tangents: Any) -> Any:
    (x, a, c), (u, v, w) = primals, tangents
    return np.exp(x) * a + c * a.sum(), np.exp(x) * (a * u + v) + w * a.sum() + c * v.sum()


def _tree(xp: Any) -> Callable[..., Any]:
    def f(p: Any, q: Any) -> Any:
        return {"sum": p["a"] + p["b"][0], "rest": (p["b"][0] * q, xp.sum(p["a"]))}

    return f


def _tree_push(primals: Any, tangents: Any) -> Any:
    (p, q), (u, v) = primals, tangents
    b, b_dot = p["b"][0], u["b"][0]
    return (
        {"sum": p["a"] + b, "rest": (b * q, p["a"].sum())},
        {"sum": u["a"] + b_dot, "rest": (b_dot * q + b * v, u["a"].sum())},
    )


def _static(xp: Any) -> Callable[..., Any]:
    def f(x: Any, *, power: int = 2, mode: str = "plain") -> Any:
        return x**power if mode == "plain" else -(x**power)

    return f


def _static_push(primals: Any, tangents: Any) -> Any:
    (x,), (v,) = primals, tangents
    return -(x**3), -3 * x**2 * v


def _complex(xp: Any) -> Callable[..., Any]:
    return lambda z: z * xp.conj(z) * 1j + z**2  # not holomorphic


def _complex_push(primals: Any, tangents: Any) -> Any:
    (z,), (v,) = primals, tangents
    return z * z.conj() * 1j + z**2, 1j * (v * z.conj() + z * v.conj()) + 2 * z * v


def _integer(xp: Any) -> Callable[..., Any]:
    return lambda x, n, flag: (x**n, n + 1, xp.where(flag, x, -x))


def _integer_push(primals: Any, tangents: Any) -> Any:
    (x, n, flag), (v, *_) = primals, tangents
    return (x**n, n + 1, np.where(flag, x, -x)), (n * x ** (n - 1) * v, None, np.where(flag, v, -v))


def _number(xp: Any) -> Callable[..., Any]:
    return lambda x: xp.sum(x**3)


def _number_push(primals: Any, tangents: Any) -> Any:
    (x,), (v,) = primals, tangents
    return np.sum(x**3), np.sum(3 * x**2 * v)


_X = np.array([0.3, -0.7, 1.2])
_INTEGER_ARGS = (np.array([0.5, 1.5, 2.0]), np.array([2, 3, 1]), np.array([True, False, True]))
CASES = (
    Case("one", _one, _one_push, (_X,)),
    Case("several", _several, _several_push, (_X, np.array([1.0, 2.0, 0.5]), np.array([0.1, 0.2, 0.3]))),
    Case("tree", _tree, _tree_push, ({"a": _X, "b": (2 * _X, None)}, np.array([2.0, 1.0, -1.0]))),
    Case("static", _static, _static_push, (_X,), {"power": 3, "mode": "minus"}),
    Case("float32", _several, _several_push, tuple(x.astype("f4") for x in (_X, _X + 1, 2 * _X)), dtype="float32"),
    Case("complex", _complex, _complex_push, (np.array([0.3 + 0.4j, -0.2 + 1.0j]),)),
    Case("integer", _integer, _integer_push, _INTEGER_ARGS),
    Case("number", _number, _number_push, (np.array([1.0, 2.0, -0.5]),)),
    Case("empty", _one, _one_push, (np.zeros((0, 2)),)),
)
BY_NAME = {case.name: case for case in CASES}


def draw(tree: Any, seed: int) -> Any:
    """A tangent or cotangent: normal numbers in the dtypes of a tree, None where there is no tangent."""
    rng = np.random.default_rng(seed)

    def one(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: one(v) for k, v in x.items()}
        if isinstance(x, tuple):
            return tuple(one(v) for v in x)
        if x is None or np.asarray(x).dtype.kind not in "fc":
            return None
        made = rng.normal(size=np.shape(x)) + (1j * rng.normal(size=np.shape(x)) if np.iscomplexobj(x) else 0)
        return np.asarray(made, np.asarray(x).dtype)

    return one(tree)


def leaves(tree: Any) -> list[Any]:
    """The arrays of a tree."""
    if isinstance(tree, dict):
        return [leaf for k in sorted(tree) for leaf in leaves(tree[k])]  # JAX sorts them
    if isinstance(tree, (tuple, list)):
        return [leaf for v in tree for leaf in leaves(v)]
    return [] if tree is None else [tree]


def pairing(y_bar: Any, y_dot: Any) -> float:
    """Re sum(conj(y_bar) y_dot)."""
    return float(sum(np.sum(np.conj(b) * d).real for b, d in zip(leaves(y_bar), leaves(y_dot), strict=True)))


def agree(got: Any, expected: Any, dtype: str) -> None:
    """Compare trees of arrays, with their dtypes."""
    mine, theirs = leaves(got), leaves(expected)
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
