"""An equation that reads what changes between two calls with equal arguments, while the factor of its matrix is kept."""

from __future__ import annotations

import importlib.util
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit import dense

ENGINES = [name for name in ("jax", "torch", "autograd", "dual") if name == "dual" or importlib.util.find_spec(name)]
every_engine = pytest.mark.parametrize("engine", ENGINES)
A = np.array([0.5, -0.25])

_scale = 1.0


class _Holder:
    def __init__(self) -> None:
        self.scale = 1.0

    def residual(self, x: Any, a: Any) -> Any:
        return self.scale * (x - a)


@rb.primitive
def _scaled(v):
    return _scale * v


@rb.scalar_rule(_scaled)
def _(y, v):
    return (_scale,)


@rb.primitive(host=True)
def _scaled_host(v):
    return _scale * np.asarray(v)


@rb.scalar_rule(_scaled_host)
def _(y, v):
    return (_scale,)


# Each gives a residual scale * (x - a), whose solution does not depend on the scale, and what changes that.


def _global(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    return lambda x, a: _scale * (x - a), lambda: monkeypatch.setitem(globals(), "_scale", 10.0)


def _called(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    times = lambda v: _scale * v
    return lambda x, a: times(x - a), lambda: monkeypatch.setitem(globals(), "_scale", 10.0)


def _cell(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    scale = 1.0

    def change() -> None:
        nonlocal scale
        scale = 10.0

    return lambda x, a: scale * (x - a), change


def _array(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    scale = np.ones(2)
    return lambda x, a: rb.xp(x, a).asarray(scale) * (x - a), lambda: scale.fill(10.0)


def _list(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    scale = [1.0]
    return lambda x, a: scale[0] * (x - a), lambda: scale.__setitem__(0, 10.0)


def _dict(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    known = {"scale": 1.0}
    return lambda x, a: known["scale"] * (x - a), lambda: known.update(scale=10.0)


def _attribute(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    holder = types.SimpleNamespace(scale=1.0)
    return lambda x, a: holder.scale * (x - a), lambda: setattr(holder, "scale", 10.0)


def _method(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    holder = _Holder()
    return holder.residual, lambda: setattr(holder, "scale", 10.0)


def _primitive(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    return lambda x, a: _scaled(x - a), lambda: monkeypatch.setitem(globals(), "_scale", 10.0)


def _host_primitive(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    return lambda x, a: _scaled_host(x - a), lambda: monkeypatch.setitem(globals(), "_scale", 10.0)


def _another_solver(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    inner = rb.implicit.root(lambda x, v: x - _scale * v, host=True)(lambda x0, v: _scale * v)
    return lambda x, a: inner(0.0 * a, x - a), lambda: monkeypatch.setitem(globals(), "_scale", 10.0)


CHANGES = [_global, _called, _cell, _array, _list, _dict, _attribute, _method, _primitive, _host_primitive, _another_solver]


def _jacobian(engine: str, solve: Any) -> np.ndarray:
    return np.asarray(rb.jacobian(lambda a: solve(np.zeros(2), a), engine=engine)(A))


@pytest.mark.parametrize("make", CHANGES, ids=lambda make: make.__name__)
@every_engine
def test_a_change_is_noticed(engine: str, make: Callable[[pytest.MonkeyPatch], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the old factor, the derivative would be ten times too large."""
    residual, change = make(monkeypatch)
    solve = rb.implicit.root(residual, host=True)(lambda x0, a: a * 1.0)
    np.testing.assert_allclose(_jacobian(engine, solve), np.eye(2), rtol=1e-12)
    change()
    np.testing.assert_allclose(_jacobian(engine, solve), np.eye(2), rtol=1e-12)


@every_engine
def test_a_static_that_reads_what_changes(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = rb.implicit.root(lambda x, a, *, times: times(x - a), host=True)(lambda x0, a, *, times: a * 1.0)
    times = lambda v: _scale * v
    bound = lambda x0, a: solve(x0, a, times=times)
    np.testing.assert_allclose(_jacobian(engine, bound), np.eye(2), rtol=1e-12)
    monkeypatch.setitem(globals(), "_scale", 10.0)
    np.testing.assert_allclose(_jacobian(engine, bound), np.eye(2), rtol=1e-12)


@every_engine
def test_an_argument_that_is_no_array(engine: str) -> None:
    scales = {"one": 1.0, "ten": 10.0}
    solve = rb.implicit.root(lambda x, a, unit: scales[unit] * (x - a), host=True)(lambda x0, a, unit: a * 1.0)
    for unit in ("one", "ten"):
        np.testing.assert_allclose(_jacobian(engine, lambda x0, a, unit=unit: solve(x0, a, unit)), np.eye(2), rtol=1e-12)


@every_engine
def test_a_parameter_whose_class_reads_what_changes(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @rb.register_dataclass
    @dataclass
    class Rate:
        a: Any

        def scaled(self, x: Any) -> Any:
            return _scale * (x - self.a)

    solve = rb.implicit.root(lambda x, rate: rate.scaled(x), host=True)(lambda x0, rate: rate.a * 1.0)
    wrapped = lambda x0, a: solve(x0, Rate(a))
    np.testing.assert_allclose(_jacobian(engine, wrapped), np.eye(2), rtol=1e-12)
    monkeypatch.setitem(globals(), "_scale", 10.0)
    np.testing.assert_allclose(_jacobian(engine, wrapped), np.eye(2), rtol=1e-12)


@every_engine
def test_what_a_captured_value_stands_beside(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fn(w: Any) -> Any:
        solve = rb.implicit.root(lambda x, a: _scale * (x - a * w))(lambda x0, a: a * w)
        return solve(np.zeros(2), A)

    for value in (1.0, 10.0):
        monkeypatch.setitem(globals(), "_scale", value)
        np.testing.assert_allclose(rb.jacobian(fn, engine=engine)(np.ones(2)), np.diag(A), rtol=1e-12)


# -- what is kept is used ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [_global, _called, _cell, _array, _list, _dict, _primitive, _host_primitive], ids=lambda f: f.__name__)
@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine in ("torch", "autograd")])
def test_what_stays_the_same_is_factored_once(engine: str, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a Jacobian in reverse mode, one cotangent at a time."""
    count = []
    factorise = dense.factorise
    monkeypatch.setattr(dense, "factorise", lambda *args: count.append(1) or factorise(*args))
    residual, change = make(monkeypatch)
    solve = rb.implicit.root(residual, host=True)(lambda x0, a: a * 1.0)
    _jacobian(engine, solve)
    assert len(count) == 1
    change()
    _jacobian(engine, solve)
    assert len(count) == 2


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine in ("torch", "autograd")])
def test_so_is_what_captured_values_are_in(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = []
    factorise = dense.factorise
    monkeypatch.setattr(dense, "factorise", lambda *args: count.append(1) or factorise(*args))
    fn = lambda w: rb.implicit.root(lambda x, a: _scale * (x - a * w))(lambda x0, a: a * w)(np.zeros(2), A)
    rb.jacobian(fn, engine=engine)(np.ones(2))
    assert len(count) == 1
