"""Several arguments: which are differentiated, constants, work arrays, closures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing.scenario.exact import Array, Formula, draw, made
from rulebook.testing.scenario.model import Scenario

__all__ = ["scenarios"]

_X, _U = draw((3,), 50), draw((3,), 51)
_W, _V = draw((3,), 52), draw((3,), 53)
_T, _S = draw((3,), 54), draw((3,), 55)


def _mixed(x: Any, w: Any, s: Any) -> Any:
    return rb.xp(x, w).sum(x**2 * w) * s


def _vector(x: Any, w: Any) -> Any:
    return x**2 * w


def _mixed_hessian(x: Array, w: Array, s: float) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    return (np.diag(2 * w * s), np.diag(2 * x * s)), (np.diag(2 * x * s), np.zeros((3, 3)))


def _argnums() -> Iterator[Scenario]:
    a, b = (_X, _W, 2.0), (_U, _V, -0.5)
    tags = ("argnums",)
    g0: Formula = lambda x, w, s: 2 * x * w * s
    g1: Formula = lambda x, w, s: x**2 * s
    g2: Formula = lambda x, w, s: np.sum(x**2 * w)
    yield made("mixed-grad-of-1", "grad", _mixed, g1, a, b, argnums=1, tags=tags)
    both: Formula = lambda *args: (g0(*args), g2(*args))
    yield made("mixed-grad-of-0-2", "grad", _mixed, both, a, b, argnums=(0, 2), tags=tags)
    every: Formula = lambda *args: (g0(*args), g1(*args), g2(*args))
    yield made("mixed-value_and_grad-of-all", "value_and_grad", _mixed, every, a, b, argnums=(0, 1, 2), tags=tags)
    yield made("mixed-hessian-of-0-1", "hessian", _mixed, _mixed_hessian, a, b, argnums=(0, 1), tags=tags)
    product: Formula = lambda x, w, s, d: (2 * s * (w * d[0] + x * d[1]), 2 * s * x * d[0])
    yield made("mixed-hvp-of-0-1", "hvp", _mixed, product, a, b, argnums=(0, 1), along=((_T, _S), (_S, _T)), tags=tags)
    yield made("mixed-derivative-of-2", "derivative", _mixed, g2, a, b, argnums=2, tags=("number-in", *tags))
    c, d = (_X, _W), (_U, _V)
    forward: Formula = lambda x, w, dots: 2 * x * w * dots[0] + x**2 * dots[1]
    yield made("vector-jvp-of-all", "jvp", _vector, forward, c, d, along=((_T, _S), (_S, _T)), tags=tags)
    one: Formula = lambda x, w, dot: x**2 * dot
    yield made("vector-jvp-of-1", "jvp", _vector, one, c, d, along=(_T, _S), argnums=1, tags=tags)
    reverse: Formula = lambda x, w, bar: (2 * x * w * bar, x**2 * bar)
    yield made("vector-vjp-of-all", "vjp", _vector, reverse, c, d, along=(_T, _S), tags=tags)
    last: Formula = lambda x, w, bar: x**2 * bar
    yield made("vector-vjp-of-1", "vjp", _vector, last, c, d, along=(_T, _S), argnums=1, tags=tags)
    blocks: Formula = lambda x, w: (np.diag(2 * x * w), np.diag(x**2))
    yield made("vector-jacobian-of-0-1", "jacobian", _vector, blocks, c, d, argnums=(0, 1), tags=tags)


def _scaled(x: Any, scale: Any, shift: Any = 0.0) -> Any:
    return scale * x**2 + shift * x


def _energy(x: Any, matrix: Any) -> Any:
    return x @ (matrix @ x) / 2


def _constants() -> Iterator[Scenario]:
    """Their values matter, and another value may be given to the same prepared operator."""
    x, u, tags = (_X,), (_U,), ("constant", "vector-in")
    values = (_W, 2.0), (_V, -1.0)
    named = tuple({"scale": scale, "shift": shift} for scale, shift in values)
    first: Formula = lambda x, scale, shift: np.diag(2 * scale * x + shift)
    yield made("scaled-jacobian", "jacobian", _scaled, first, x, u, constants=values, tags=tags)
    yield made("scaled-named-jacobian", "jacobian", _scaled, first, x, u, constants=named, tags=tags)
    forward: Formula = lambda x, scale, shift, d: (2 * scale * x + shift) * d[0]
    yield made("scaled-jvp", "jvp", _scaled, forward, x, u, along=((_T,), (_S,)), constants=values, tags=tags)
    reverse: Formula = lambda x, scale, shift, b: ((2 * scale * x + shift) * b,)
    yield made("scaled-vjp", "vjp", _scaled, reverse, x, u, along=(_T, _S), constants=values, tags=tags)
    a, b = draw((3, 3), 56), draw((3, 3), 57)
    both = (a,), (b,)
    sym: Formula = lambda m: (m + m.T) / 2
    yield made("energy-grad", "grad", _energy, lambda x, m: sym(m) @ x, x, u, constants=both, tags=tags)
    yield made("energy-value_and_grad", "value_and_grad", _energy, lambda x, m: sym(m) @ x, x, u, constants=both, tags=tags)
    yield made("energy-hessian", "hessian", _energy, lambda x, m: sym(m), x, u, constants=both, tags=tags)
    yield made("energy-hvp", "hvp", _energy, lambda x, m, d: sym(m) @ d, x, u, along=(_T, _S), constants=both, tags=tags)
    yield made(
        "scaled-number-derivative",
        "derivative",
        _scaled,
        lambda x, scale, shift: 2 * scale * x + shift,
        (0.5,),
        (1.5,),
        constants=values,
        tags=("constant", "number-in"),
    )


def _staged(x: Any, work: Any) -> Any:
    """Writes every element of the work array before it reads it."""
    work[0] = x[0] * x[1]
    work[1] = x[1] * x[2]
    work[2] = work[0] * work[1]
    return work * 2.0


def _staged_first(x: Array) -> Any:
    a, b, c = x
    return 2 * np.array([[b, a, 0], [0, c, b], [b**2 * c, 2 * a * b * c, a * b**2]])


def _staged_number(x: Any, work: Any) -> Any:
    return rb.xp(x).sum(_staged(x, work)[2:])


def _staged_number_second(x: Array) -> Any:
    a, b, c = x
    return 2 * np.array([[0, 2 * b * c, b**2], [2 * b * c, 2 * a * c, 2 * a * b], [b**2, 2 * a * b, 0]])


def _staged_scaled(x: Any, scale: Any, work: Any) -> Any:
    return scale * _staged(x, work)


def _filled(x: Any, work: Any) -> Any:
    """Writes the whole work array at once."""
    work[...] = x**2
    return work * x


def _filled_number(x: Any, work: Any) -> Any:
    return rb.xp(x).sum(_filled(x, work))


def _caches() -> Iterator[Scenario]:
    """Work arrays, whose values when the function starts must not matter."""
    x, u, tags = (_X,), (_U,), ("cache", "vector-in")
    options: dict[str, Any] = {"caches": (np.ones(3),), "tags": tags}
    yield made("filled-jacobian", "jacobian", _filled, lambda x: np.diag(3 * x**2), x, u, **options)
    yield made("filled-jvp", "jvp", _filled, lambda x, d: 3 * x**2 * d[0], x, u, along=((_T,), (_S,)), **options)
    yield made("filled-vjp", "vjp", _filled, lambda x, b: (3 * x**2 * b,), x, u, along=(_T, _S), **options)
    yield made("filled-grad", "grad", _filled_number, lambda x: 3 * x**2, x, u, **options)
    yield made("filled-hessian", "hessian", _filled_number, lambda x: np.diag(6 * x), x, u, **options)
    yield made("filled-hvp", "hvp", _filled_number, lambda x, d: 6 * x * d, x, u, along=(_T, _S), **options)
    options["tags"] = (*tags, "overwritten")
    yield made("staged-jacobian", "jacobian", _staged, _staged_first, x, u, **options)
    yield made("staged-jvp", "jvp", _staged, lambda x, d: _staged_first(x) @ d[0], x, u, along=((_T,), (_S,)), **options)
    yield made("staged-vjp", "vjp", _staged, lambda x, b: (b @ _staged_first(x),), x, u, along=(_T, _S), **options)
    yield made("staged-value_and_grad", "value_and_grad", _staged_number, lambda x: _staged_first(x)[2], x, u, **options)
    yield made("staged-hessian", "hessian", _staged_number, _staged_number_second, x, u, **options)
    scaled: Formula = lambda x, scale: scale[:, None] * _staged_first(x)
    yield made(
        "staged-scaled-jvp",
        "jvp",
        _staged_scaled,
        lambda x, scale, d: scaled(x, scale) @ d[0],
        x,
        u,
        along=((_T,), (_S,)),
        constants=((_W,), (_V,)),
        **options,
    )


class _Model:
    """A callable object whose parameters are captured."""

    def __init__(self, weights: Array) -> None:
        self.weights = weights

    def __call__(self, x: Any) -> Any:
        """The weighted sum of cubes."""
        xp = rb.xp(x)
        return xp.sum(xp.asarray(self.weights) * x**3)

    def twice(self, x: Any) -> Any:
        """A method."""
        return 2.0 * self(x)


def _closure(weights: Array) -> Any:
    def weighted(x: Any) -> Any:
        return rb.xp(x).asarray(weights) * rb.xp(x).sin(x)

    return weighted


def _closures() -> Iterator[Scenario]:
    x, u, tags = (_X,), (_U,), ("closure", "vector-in")
    model = _Model(_W)
    yield made("closure-jacobian", "jacobian", _closure(_W), lambda x: np.diag(_W * np.cos(x)), x, u, tags=tags)
    forward: Formula = lambda x, d: _W * np.cos(x) * d[0]
    yield made("closure-jvp", "jvp", _closure(_W), forward, x, u, along=((_T,), (_S,)), tags=tags)
    yield made("object-grad", "grad", model, lambda x: 3 * _W * x**2, x, u, tags=tags)
    yield made("method-hessian", "hessian", model.twice, lambda x: np.diag(12 * _W * x), x, u, tags=tags)
    yield made("method-hvp", "hvp", model.twice, lambda x, d: 12 * _W * x * d, x, u, along=(_T, _S), tags=tags)


def scenarios() -> Iterator[Scenario]:
    """Arguments of all kinds."""
    yield from _argnums()
    yield from _constants()
    yield from _caches()
    yield from _closures()
