"""Solvers with shortcuts, and primitives whose rules say a hundred times the derivative, so that it shows whether they are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import implicit
from rulebook.primitive import Primitive
from rulebook.testing.scenario.exact import Array, Formula, draw, made
from rulebook.testing.scenario.model import Scenario

__all__ = ["MARK", "scenarios"]

MARK = 100.0
_X, _U = draw((3,), 60), draw((3,), 61)
_T, _S = draw((3,), 62), draw((3,), 63)
_MATRIX = 3 * np.eye(3) + draw((3, 3), 64)
_ROUNDS = 60


@implicit.root(lambda x, a: x**2 - a, cases=[lambda rng: (np.ones(3), rng.uniform(0.5, 1.5, 3))])
def _newton(x0: Any, a: Any) -> Any:
    """The square roots of a."""
    x = x0
    for _ in range(8):
        x = (x + a / x) / 2
    return x


@implicit.fixed_point(lambda x, a: rb.xp(x, a).cos(x) * a, cases=[lambda rng: (np.full(3, 0.5), rng.uniform(0.1, 0.4, 3))])
def _iterate(x0: Any, a: Any) -> Any:
    """x = a cos(x), for a below 1."""
    x = x0
    for _ in range(_ROUNDS):
        x = rb.xp(x, a).cos(x) * a
    return x


def _roots(a: Any) -> Any:
    return _newton(np.ones(3), a)


def _fixed(a: Any) -> Any:
    return _iterate(np.full(3, 0.5), a / 4)


def _fixed_slope(a: Array) -> Any:
    """x = b cos(x), b = a/4: dx/db = cos(x) / (1 + b sin(x))."""
    x, b = np.full(3, 0.5), a / 4
    for _ in range(2 * _ROUNDS):
        x = np.cos(x) * b
    return np.cos(x) / (1 + b * np.sin(x)) / 4


def _linear(b: Any) -> Any:
    return implicit.linear_solve(rb.xp(b).asarray(_MATRIX), b)


def _inverse_form(m: Any) -> Any:
    """b^T M^-1 b, by the matrix."""
    xp = rb.xp(m)
    b = xp.asarray(_X)
    return b @ implicit.linear_solve(m, b)


def _inverse_form_first(m: Array) -> Any:
    return -np.outer(np.linalg.solve(m.T, _X), np.linalg.solve(m, _X))


def _decay(rate: Any) -> Any:
    """Euler's method for y' = -rate y, twenty steps to t = 1, from 2."""
    xp = rb.xp(rate)
    y = implicit.odeint(
        lambda y, t, k: -k * y, xp.asarray(np.array(2.0)) + 0 * rate, np.linspace(0.0, 1.0, 3), rate, method="euler", steps=10
    )
    return y[-1]


# Not listed: `rulebook check` would find their rules wrong, as they are.
_marked = Primitive(lambda x: x**3, name="rulebook.testing.marked", listed=False)
_host = Primitive(lambda x: np.sin(x), name="rulebook.testing.host_marked", host=True, result=lambda x: x, listed=False)


@rb.pushforward(_marked)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return MARK * 3 * primals[0] ** 2 * tangents[0]


@rb.pullback(_marked)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (MARK * 3 * primals[0] ** 2 * y_bar,)


@rb.scalar_rule(_host)
def _(y: Any, x: Any) -> Any:
    return (MARK * rb.xp(x).cos(x),)


def _marked_sum(x: Any) -> Any:
    return rb.xp(x).sum(_marked(x))


def _implicit() -> Iterator[Scenario]:
    a, b = (_X,), (_U,)
    options: dict[str, Any] = {"tags": ("solver", "vector-in"), "needs": ("scipy",)}
    slope: Formula = lambda a: 0.5 / np.sqrt(a)
    yield made("root-jacobian", "jacobian", _roots, lambda a: np.diag(slope(a)), a, b, **options)
    yield made("root-jvp", "jvp", _roots, lambda a, d: slope(a) * d[0], a, b, along=((_T,), (_S,)), **options)
    yield made("root-vjp", "vjp", _roots, lambda a, bar: (slope(a) * bar,), a, b, along=(_T, _S), **options)
    total: Formula = lambda a: rb.xp(a).sum(_roots(a))
    yield made("root-hessian", "hessian", total, lambda a: np.diag(-0.25 * a**-1.5), a, b, **options)
    yield made("fixed_point-vjp", "vjp", _fixed, lambda a, bar: (_fixed_slope(a) * bar,), a, b, along=(_T, _S), **options)
    yield made("fixed_point-jvp", "jvp", _fixed, lambda a, d: _fixed_slope(a) * d[0], a, b, along=((_T,), (_S,)), **options)
    yield made("linear_solve-jacobian", "jacobian", _linear, lambda b: np.linalg.inv(_MATRIX), a, b, **options)
    matrices = (_MATRIX,), (_MATRIX + np.diag(_X),)
    yield made("inverse-form-grad", "grad", _inverse_form, _inverse_form_first, *matrices, tags=("solver", "matrix-in"), needs=("scipy",))
    # y_20 = 2 (1 - k/20)^20
    yield made("decay-derivative", "derivative", _decay, lambda k: -2 * (1 - k / 20) ** 19, (0.6,), (1.2,), tags=("solver", "number-in"))


def _rules() -> Iterator[Scenario]:
    x, u = (_X,), (_U,)
    tags: tuple[str, ...] = ("rule", "vector-in")
    slope: Formula = lambda x: MARK * 3 * x**2
    yield made("marked-jacobian", "jacobian", _marked, lambda x: np.diag(slope(x)), x, u, tags=tags)
    yield made("marked-jvp", "jvp", _marked, lambda x, d: slope(x) * d[0], x, u, along=((_T,), (_S,)), tags=tags)
    yield made("marked-vjp", "vjp", _marked, lambda x, b: (slope(x) * b,), x, u, along=(_T, _S), tags=tags)
    yield made("marked-grad", "grad", _marked_sum, slope, x, u, tags=tags)
    yield made("marked-hessian", "hessian", _marked_sum, lambda x: np.diag(MARK * 6 * x), x, u, tags=tags)
    yield made("marked-hvp", "hvp", _marked_sum, lambda x, d: MARK * 6 * x * d, x, u, along=(_T, _S), tags=tags)
    tags = (*tags, "host")
    yield made("host-jacobian", "jacobian", _host, lambda x: np.diag(MARK * np.cos(x)), x, u, tags=tags)
    yield made("host-jvp", "jvp", _host, lambda x, d: MARK * np.cos(x) * d[0], x, u, along=((_T,), (_S,)), tags=tags)
    yield made("host-vjp", "vjp", _host, lambda x, b: (MARK * np.cos(x) * b,), x, u, along=(_T, _S), tags=tags)


def scenarios() -> Iterator[Scenario]:
    """Primitives and solvers."""
    yield from _implicit()
    yield from _rules()
