"""Functions with their derivatives by hand, and one way to call operators, prepared or not."""

from __future__ import annotations

import importlib.util
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook import engines

ENGINES = [name for name in engines.engine_names() if name == "dual" or importlib.util.find_spec(name)]
WRITES = [name for name in ENGINES if name in ("dual", "torch")]  # engines whose arrays can be written to


def marker(**options: Any) -> Any:
    """sin(x), with a derivative that is 100 times too large: what uses the rule shows it."""

    @rb.primitive(name="marker", **options)
    def wave(x):
        return rb.xp(x).sin(x)

    @rb.pushforward(wave)
    def _(y, primals, tangents):
        return 100 * rb.xp(primals[0]).cos(primals[0]) * tangents[0]

    @rb.pullback(wave)
    def _(y, primals, y_bar):
        xp = rb.xp(primals[0])
        return (rb.project(primals[0], 100 * xp.conj(xp.cos(primals[0])) * y_bar),)

    return wave


WAVE = marker()


def product(x):
    """The marker times x."""
    return WAVE(x) * x


def first(x):
    """The derivative of `product`."""
    return 100 * np.cos(x) * x + np.sin(x)


def second(x):
    """The second derivative of `product`."""
    return -100 * np.sin(x) * x + 200 * np.cos(x)


def total(x):
    """The sum of `product`."""
    return rb.xp(x).sum(product(x))


class Kind(NamedTuple):
    """Two arguments of one layout, and a direction."""

    name: str
    example: Any
    x: Any
    v: Any

    def __repr__(self) -> str:
        return self.name


def _kind(name: str, shape: tuple[int, ...], dtype: str = "float64") -> Kind:
    rng = np.random.default_rng(3)
    made = [
        np.asarray(rng.uniform(0.2, 1.4, shape) + (1j * rng.uniform(0.1, 0.4, shape) if dtype == "complex128" else 0), dtype)
        for _ in range(3)
    ]
    return Kind(name, *made)


KINDS = [
    _kind("array", (3,)),
    _kind("matrix", (2, 3)),
    _kind("float32", (3,), "float32"),
    _kind("complex", (2,), "complex128"),
    _kind("empty", (0, 2)),
    _kind("zero-d", ()),
]
REAL = [k for k in KINDS if k.name != "complex"]


def call(operator: Any, fn: Any, example: tuple[Any, ...], args: tuple[Any, ...], prepared: bool, **options: Any) -> Any:
    """The result of an operator at args; prepared for another example of the same layout."""
    if prepared:
        return rb.prepare(operator, fn, *example, **options)(*args)
    if operator in (rb.jvp, rb.vjp, rb.hvp):
        return operator(fn, *args, **options)
    return operator(fn, **options)(*args)


def close(got: Any, expected: Any) -> None:
    """NumPy's numbers in the same containers, of the same shapes and dtypes."""
    got_leaves, got_structure = rb.trees.flatten(got)
    leaves, structure = rb.trees.flatten(expected)
    assert got_structure == structure
    for a, b in zip(got_leaves, leaves, strict=True):
        b = np.asarray(b)
        assert isinstance(a, (np.ndarray, np.generic)), type(a)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-5 if b.dtype == np.float32 else 1e-12, atol=1e-4 if b.dtype == np.float32 else 1e-12)


def diagonal(values: Any) -> Any:
    """The Jacobian of an elementwise function: shape x.shape + x.shape."""
    values = np.asarray(values)
    return np.diag(values.ravel()).reshape(values.shape * 2).astype(values.dtype)
