"""Buffers in autograd: both modes, both orders; functions that take boxes apart before they see a buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.buffers.errors import BufferReadError, BufferWriteError, EscapedBufferError
from tests.buffers.programs import PROGRAMS, Program, check, hessian, jacobian

autograd = pytest.importorskip("autograd")
anp = pytest.importorskip("autograd.numpy")
programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@pytest.fixture(autouse=True)
def _no_trace_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that raises leaves autograd's stack of traces one deeper."""
    monkeypatch.setattr(autograd.tracer.trace_stack, "top", -1)


def _forward_jacobian(f: Any, x: Any) -> Any:
    columns = [autograd.make_jvp(f)(x)(e.reshape(x.shape))[1] for e in np.eye(x.size)]
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


_x = np.array([1.2, 0.7])


def _b(x: Any) -> Any:
    b = rb.DiffCache(np.zeros(2)).get(x)
    b[...] = x * x
    return b


@pytest.mark.parametrize(
    ("f", "exact"),
    [
        (lambda x: x + _b(x), lambda x: x + x**2),
        (lambda x: _b(x) * x, lambda x: x**3),
        (lambda x: x / _b(x), lambda x: 1 / x),
        (lambda x: x @ _b(x) * x, lambda x: (x[0] ** 3 + x[1] ** 3) * x),
        (lambda x: anp.multiply(x, _b(x)), lambda x: x**3),
        (lambda x: np.multiply(_b(x), x), lambda x: x**3),
        (lambda x: np.array([2.0, 3.0]) * _b(x), lambda x: np.array([2.0, 3.0]) * x**2),
        (lambda x: anp.sin(_b(x)), lambda x: np.sin(x**2)),
        (lambda x: x * anp.sum(_b(x)), lambda x: x * np.sum(x**2)),
        (lambda x: x * np.sum(_b(x)), lambda x: x * np.sum(x**2)),
        (lambda x: anp.concatenate([x, _b(x)[...]])[1:3], lambda x: np.stack([x[1], x[0] ** 2])),
        (lambda x: rb.xp(_b(x)).exp(_b(x)[...]), lambda x: np.exp(x**2)),
    ],
)
def test_operands_and_functions(f: Any, exact: Any) -> None:
    program = Program(f, exact, _x)
    check(autograd.jacobian(f)(_x), jacobian(program))
    check(_forward_jacobian(f, _x), jacobian(program))
    check(autograd.jacobian(autograd.jacobian(f))(_x), hessian(program))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: anp.dot(x, _b(x)),
        lambda x: anp.where(x > 1.0, x, _b(x)),
        lambda x: anp.concatenate([x, _b(x)]),
        lambda x: anp.stack([x, _b(x)]),
        lambda x: anp.einsum("i,i", x, _b(x)),
        lambda x: anp.array(_b(x)),
    ],
)
def test_functions_that_would_lose_the_part_of_the_buffer(f: Any) -> None:
    for run in (autograd.jacobian(f), lambda x: autograd.make_jvp(f)(x)(np.ones(2))):
        with pytest.raises((NotImplementedError, TypeError, AttributeError)):
            run(_x)
    with pytest.raises(NotImplementedError, match=r"Do: read the buffer by b\[\.\.\.\] first"):
        autograd.grad(lambda x: anp.dot(x, _b(x)))(_x)


def test_an_inner_derivative_reads_an_outer_buffer() -> None:
    def outer(x: Any) -> Any:
        b = _b(x)
        inner = lambda y: anp.sum(y * b + anp.multiply(b, y) * y)
        slope = autograd.grad(inner)(x * 1.0)  # b + 2 b y
        b[...] = 0.0  # after the inner function read it, and before the outer one is differentiated
        return slope + b

    program = Program(outer, lambda x: x**2 + 2 * x**3, _x)
    check(autograd.jacobian(outer)(_x), jacobian(program))


def test_an_inner_value_in_an_outer_buffer_is_differentiated_once() -> None:
    def outer(x: Any) -> Any:
        def inner(y: Any) -> Any:
            b = rb.Buffer(np.ones(2))
            b[0] = x * y
            b[1] = b[0] * y
            return rb.freeze(b)[1]

        return autograd.grad(inner)(x)  # 2 x y at y = x

    assert autograd.grad(outer)(3.0) == pytest.approx(12.0)


def test_broadcast_and_real_values_in_complex_buffers() -> None:
    def f(x: Any) -> Any:
        b = rb.DiffCache(np.zeros((2, 2), complex)).get(x)
        b[...] = x
        b[0] = x * 1j
        b[1] += x
        return anp.real(anp.sum(rb.freeze(b) * np.array([[1.0, 2j], [3.0, 1.0]])))

    # Re(1j x0 - 2 x1) + 6 x0 + 2 x1
    check(autograd.grad(f)(_x), np.array([6.0, 0.0]))
    assert autograd.grad(f)(_x).dtype == float


def test_constants_that_are_added_to() -> None:
    cache = rb.DiffCache(np.zeros(3))

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[...] = 0.0
        b[1:] += x
        b[0] += x[0] * x[1]
        return rb.freeze(b)

    expected = np.array([[0.7, 1.2], [1.0, 0.0], [0.0, 1.0]])
    check(autograd.jacobian(f)(_x), expected)
    check(_forward_jacobian(f, _x), expected)


def test_a_constant_result() -> None:
    def f(x: Any) -> Any:
        b = rb.DiffCache(np.zeros(2)).get(x)
        b[...] = 1.0
        b[...] = 2.0
        return rb.freeze(b)

    check(autograd.jacobian(f)(_x), np.zeros((2, 2)))
    check(_forward_jacobian(f, _x), np.zeros((2, 2)))
    check(autograd.jacobian(lambda x: x * f(x))(_x), 2.0 * np.eye(2))


def test_bad_input() -> None:
    kept: list[Any] = []

    def f(x: Any, key: Any, value: Any) -> Any:
        b = rb.DiffCache(np.zeros(3)).get(x)
        kept.append(b)
        b[key] = value * x
        return anp.sum(rb.freeze(b))

    assert autograd.grad(f)(1.0, ..., 1.0) == 3.0
    for use in (lambda b: b[0], lambda b: b + 1.0):
        with pytest.raises(EscapedBufferError, match=r"engine autograd(.|\n)*inside the function"):
            use(kept[-1])
    with pytest.raises(rb.FrozenBufferError):
        kept[-1][0] = 1.0
    with pytest.raises(BufferWriteError, match=r"engine autograd(.|\n)*Got: shape \(2,\)"):
        autograd.grad(f)(1.0, 0, np.ones(2))
    with pytest.raises(BufferWriteError, match="Got: a complex one"):
        autograd.grad(f)(1.0, 0, 1j)
    with pytest.raises(BufferReadError, match="2 of 3"):
        autograd.grad(f)(1.0, 0, 1.0)
