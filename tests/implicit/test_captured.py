"""Values that solver or equation capture: differentiated as if they were arguments, or refused by name."""

from __future__ import annotations

import functools
import importlib.util
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rulebook as rb

ENGINES = [name for name in ("jax", "torch", "autograd", "dual") if name == "dual" or importlib.util.find_spec(name)]
A = np.array([0.4, -0.7])
W = np.array([1.5, 0.8])
RIGHT = A / np.sqrt(1 + (A * W) ** 2)  # of arcsinh(a w) with respect to w


def _residual(x, a, w):
    return rb.xp(x, a, w).sinh(x) - a * w


def _solve(a, w):
    return rb.xp(a, w).arcsinh(a * w)


# -- ways to reach w ---------------------------------------------------------------------------------


def _closure(w):
    return lambda x, a: _residual(x, a, w)


def _default(w):
    return lambda x, a, *, w=w: _residual(x, a, w)


def _partial(w):
    return functools.partial(_residual, w=w)


def _nested(w):
    def outer(x, a):
        def inner():
            return _residual(x, a, w)

        return inner()

    return outer


def _function_in_closure(w):
    scaled = lambda a: a * w
    return lambda x, a: rb.xp(x, a).sinh(x) - scaled(a)


def _list(w):
    values = [None, (w, 1.0)]
    return lambda x, a: _residual(x, a, values[1][0])


def _dict(w):
    values = {"layer": {"w": w}}
    return lambda x, a: _residual(x, a, values["layer"]["w"])


def _attribute(w):
    holder = types.SimpleNamespace(deep=types.SimpleNamespace(w=w))
    return lambda x, a: _residual(x, a, holder.deep.w)


class _Model:
    def __init__(self, w: Any) -> None:
        self.w = w

    def residual(self, x, a):
        return _residual(x, a, self.w)

    def __call__(self, x, a):
        return self.residual(x, a)


def _method(w):
    return _Model(w).residual


def _callable_object(w):
    return _Model(w)


def _partial_of_method(w):
    return functools.partial(_Model.residual, _Model(w))


def _wrapped(w):
    inner = _closure(w)

    @functools.wraps(inner)
    def outer(x, a):
        return inner(x, a)

    return outer


def _recursive(w):
    def residual(x, a, *, depth=1):
        return residual(x, a, depth=depth - 1) if depth else _residual(x, a, w)

    return residual


def _function_attribute(w):
    def residual(x, a):
        return _residual(x, a, residual.w)

    residual.w = w
    return residual


def _primitive(w):
    """Another solver that captured w."""
    inner = rb.implicit.root(lambda x, a: x - a * w)(lambda x0, a: a * w)
    return lambda x, a: rb.xp(x, a).sinh(x) - inner(0 * a, a)


class _Slots:
    __slots__ = ("w",)

    def __init__(self, w: Any) -> None:
        self.w = w


def _slots(w):
    holder = _Slots(w)
    return lambda x, a: _residual(x, a, holder.w)


def _mapping(w):
    values = types.MappingProxyType({"w": w})
    return lambda x, a: _residual(x, a, values["w"])


def _global(w):
    globals()["_captured_global"] = w
    return lambda x, a: _times_global(x, a)


def _times_global(x, a):
    return _residual(x, a, _captured_global)  # noqa: F821


WAYS = [
    _closure,
    _default,
    _partial,
    _nested,
    _function_in_closure,
    _list,
    _dict,
    _attribute,
    _method,
    _callable_object,
    _partial_of_method,
    _wrapped,
    _recursive,
    _function_attribute,
    _primitive,
    _slots,
    _mapping,
    _global,
]


def _class_attribute(w):
    class Holder:
        kept = w

    return lambda x, a: _residual(x, a, Holder.kept)


def _iterator(w):
    values = iter([w] * 99)
    return lambda x, a: _residual(x, a, next(values))


HARD = {_class_attribute: "its residual", _iterator: "its residual"}


def _solution(way: Callable[[Any], Any], both: bool) -> Callable[[Any], Any]:
    """The solution as a function of w, which the equation captures, and the solver as well or not."""

    def fn(w):
        kept = rb.stop_gradient(w)

        @rb.implicit.root(way(w))
        def solve(x0, a):
            return _solve(a, w if both else kept)

        return solve(np.zeros(2), A)

    return fn


def _jacobian(engine: str, fn: Callable[[Any], Any]) -> np.ndarray:
    return np.asarray(rb.jacobian(fn, engine=engine)(W))


@pytest.mark.parametrize("both", [True, False], ids=["solver too", "equation alone"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("engine", ENGINES)
def test_captured_values_are_differentiated(engine: str, way: Callable[[Any], Any], both: bool) -> None:
    try:
        np.testing.assert_allclose(_jacobian(engine, _solution(way, both)), np.diag(RIGHT), rtol=1e-10, atol=1e-12)
    finally:
        globals().pop("_captured_global", None)


@pytest.mark.parametrize("both", [True, False], ids=["solver too", "equation alone"])
@pytest.mark.parametrize("way", HARD, ids=lambda way: way.__name__)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_replaced_is_refused(engine: str, way: Callable[[Any], Any], both: bool) -> None:
    """By name where it is found; JAX says itself that a tracer came past the arguments of a rule, where it is not."""
    error, message = rb.RuleSignatureError, HARD[way]
    if engine == "jax":
        error, message = importlib.import_module("jax").errors.UnexpectedTracerError, "unexpected tracer"
    with pytest.raises(error, match=message):
        _jacobian(engine, _solution(way, both))


def test_torch_a_module_that_holds_its_own_solver_and_is_called_with_other_parameters():
    torch = pytest.importorskip("torch")

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.linear = torch.nn.Linear(3, 3, dtype=torch.float64)
            self.solve = rb.implicit.fixed_point(self.step)(self.run)

        def step(self, z, x):
            return torch.tanh(0.3 * self.linear(z) + x)

        def run(self, z, x):
            for _ in range(80):
                z = self.step(z, x)
            return z

        def forward(self, x):
            return self.solve(torch.zeros_like(x), x)

    layer, x = Layer(), torch.tensor([0.1, -0.5, 0.3], dtype=torch.float64)
    parameters = dict(layer.named_parameters())
    expected = torch.autograd.grad(layer.run(torch.zeros_like(x), x).sum(), list(parameters.values()))
    plain = torch.autograd.grad(layer(x).sum(), list(parameters.values()))
    # The pullback runs when functional_call has put the module's own parameters back.
    called = torch.func.grad(lambda p: torch.func.functional_call(layer, p, (x,)).sum())(parameters)
    for one, other, third in zip(expected, plain, called.values(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(third, one, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_options_are_called_without_what_was_captured(engine: str) -> None:
    """A declared result and a linear solver of the user's know the arguments alone."""
    known = []

    def linear_solver(operator: Any, b: Any) -> Any:
        x, theta = operator.params
        known.append(len(theta))
        return b / rb.xp(x).cosh(x)

    def fn(w):
        @rb.implicit.root(lambda x, a: _residual(x, a, w), host=True, result=lambda x0, a: x0, linear_solver=linear_solver)
        def solve(x0, a):
            return np.arcsinh(a * w)

        return solve(np.zeros(2), A)

    np.testing.assert_allclose(_jacobian(engine, fn), np.diag(RIGHT), rtol=1e-10, atol=1e-12)
    assert set(known) == {1}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_option_that_captured_is_refused(engine: str) -> None:
    """A function given as a static, whatever else is differentiated."""

    @rb.implicit.root(lambda x, a, *, f: f(x) - a, host=True)
    def solve(x0, a, *, f):
        return a / W

    for other in (lambda w: A, lambda w: w * 1.0):
        with pytest.raises(rb.RuleSignatureError, match="positional"):
            _jacobian(engine, lambda w, other=other: solve(np.zeros(2), other(w), f=lambda x: x * w))


@pytest.mark.parametrize("both", [True, False], ids=["solver too", "equation alone"])
@pytest.mark.parametrize("engine", ENGINES)
def test_captured_values_of_the_engines_own_function(engine: str, both: bool) -> None:
    """Without dispatch, in the first and second order."""

    def fn(w):
        kept = rb.stop_gradient(w)
        solve = rb.implicit.root(_closure(w))(lambda x0, a: _solve(a, w if both else kept))
        return rb.bind(solve, engine)(np.zeros(2), A)

    np.testing.assert_allclose(_jacobian(engine, fn), np.diag(RIGHT), rtol=1e-10, atol=1e-12)
    second = rb.hessian(lambda w: (w * fn(w)).sum(), engine=engine)(W)
    np.testing.assert_allclose(second, np.diag(2 * RIGHT - W * A**3 * W / np.sqrt(1 + (A * W) ** 2) ** 3), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine in ("torch", "autograd")])
def test_what_cannot_be_replaced_is_refused_by_the_engines_own_function(engine: str) -> None:
    bound = lambda w: rb.bind(rb.implicit.root(_class_attribute(w))(lambda x0, a: _solve(a, rb.stop_gradient(w))), engine)
    with pytest.raises(rb.RuleSignatureError, match="its residual"):
        _jacobian(engine, lambda w: bound(w)(np.zeros(2), A))


@pytest.mark.parametrize("first", [None, 2.0], ids=["not there", "a number"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_global_that_is_bound_after_the_decorator(engine: str, first: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if first is not None:
        monkeypatch.setitem(globals(), "_captured_later", first)
    solve = rb.implicit.root(_times_later, host=True)(lambda x0, a: a * np.array([1.5, 0.8]))

    def fn(w):
        monkeypatch.setitem(globals(), "_captured_later", w)
        return solve(np.zeros(2), A)

    np.testing.assert_allclose(_jacobian(engine, fn), np.diag(A), rtol=1e-12)


def _times_later(x, a):
    return x - a * _captured_later  # noqa: F821


class TestJax:
    """Tracers of every kind."""

    def test_transformations(self) -> None:
        jax = pytest.importorskip("jax")
        loss = lambda w: _solution(_closure, both=True)(w).sum()
        one = lambda w, a: rb.implicit.root(_closure(w))(lambda x0, a: _solve(a, w))(jax.numpy.zeros(()), a)
        for gradient in (jax.jit(jax.grad(loss)), jax.grad(jax.jit(loss)), jax.grad(jax.checkpoint(loss))):
            np.testing.assert_allclose(gradient(W), RIGHT, rtol=1e-10)
        np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(one)))(W, A), RIGHT, rtol=1e-10)
        np.testing.assert_allclose(jax.jit(lambda w: jax.jvp(loss, (w,), (w,))[1])(W), RIGHT @ W, rtol=1e-10)

    def test_a_compiled_residual_is_refused(self) -> None:
        """What JAX compiled cannot be made again of other values."""
        jax = pytest.importorskip("jax")
        with pytest.raises(rb.RuleSignatureError, match="leads to w"):
            _jacobian("jax", _solution(lambda w: jax.jit(_closure(w)), both=True))


class TestTorch:
    """Tensors that require gradients, of plain torch and of torch.func, of forward mode, and in compiled code."""

    def test_transformations(self) -> None:
        torch = pytest.importorskip("torch")
        a, start = torch.tensor(A), torch.zeros(2, dtype=torch.float64)

        def solution(w: Any, a: Any = a, start: Any = start) -> Any:
            return rb.implicit.root(_closure(w))(lambda x0, a: _solve(a, w))(start, a)

        w = torch.tensor(W, requires_grad=True)
        np.testing.assert_allclose(torch.autograd.grad(solution(w).sum(), w)[0], RIGHT, rtol=1e-10)
        free = w.detach()
        np.testing.assert_allclose(torch.func.grad(lambda w: solution(w).sum())(free), RIGHT, rtol=1e-10)
        np.testing.assert_allclose(torch.func.vmap(torch.func.grad(lambda w, a: solution(w, a, start[0])))(free, a), RIGHT, rtol=1e-10)
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(free, free)
            found = torch.autograd.forward_ad.unpack_dual(solution(dual)).tangent
        np.testing.assert_allclose(found, RIGHT * W, rtol=1e-10)

    def test_compiled_code_refuses(self) -> None:
        torch = pytest.importorskip("torch")
        w = torch.tensor(W, requires_grad=True)
        solve = rb.implicit.root(_closure(w))(lambda x0, a: _solve(a, w))
        loss = torch.compile(lambda a: solve(torch.zeros(2, dtype=torch.float64), a).sum(), backend="aot_eager")
        with pytest.raises(Exception, match="the captured variable w"):  # inside an error of torch's
            loss(torch.tensor(A, requires_grad=True))
