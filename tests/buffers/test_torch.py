"""Buffers in PyTorch: backward and forward, torch.func, torch.compile; dtypes and devices; buffers used twice."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.buffers.errors import BufferReadError, BufferWriteError
from tests.buffers.programs import PROGRAMS, Program, check, hessian, jacobian

torch = pytest.importorskip("torch")
programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


def _numbers(y: Any) -> Any:
    return y.detach().numpy()


@programs
def test_backward(program: Program) -> None:
    x = torch.tensor(program.x, requires_grad=True)
    y = program.run(x)
    weights = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).reshape(y.shape)
    (y * weights).sum().backward()
    expected = np.tensordot(weights.numpy(), jacobian(program), axes=y.ndim)
    check(x.grad, expected)
    x.grad = None
    (program.run(x) * weights).sum().backward()  # the same cache, again
    check(x.grad, expected)


@programs
def test_double_backward(program: Program) -> None:
    x = torch.tensor(program.x, requires_grad=True)
    assert torch.autograd.gradgradcheck(program.run, x)
    check(torch.func.hessian(program.run)(x.detach()), hessian(program))
    check(torch.func.jacrev(torch.func.jacrev(program.run))(x.detach()), hessian(program))


def test_traced_indices_and_masks() -> None:
    def f(x: Any, i: Any) -> Any:
        b = rb.DiffCache(np.zeros(4)).get(x)
        b[...] = 0.0
        b[i] = x
        b[b[...] == 0.0] = x * x
        b[torch.tensor([1, 2])] += 1.0
        return rb.freeze(b)

    x, i = torch.tensor([3.0, 2.0], dtype=torch.float64), torch.tensor([1, 0])
    expected = np.array([[9.0, 4.0, 10.0, 9.0], [2.0, 5.0, 5.0, 4.0]])
    check(f(x[0], i[0]), expected[0])
    check(torch.func.vmap(f)(x, i), expected)
    check(torch.func.vmap(torch.func.jacrev(f), in_dims=(0, 0))(x, i)[1], np.array([1.0, 4.0, 4.0, 4.0]))


def test_operands_and_functions() -> None:
    def f(x: Any) -> Any:
        b = rb.Buffer(x)
        b += 1.0
        out = rb.Buffer(x)
        np.multiply(b, x, out=out)
        y = np.sin(b) + np.sum(out) + x @ b + b @ x + rb.xp(b).cos(b[...]) + np.linalg.norm(b) + torch.cat([b[...], x])[:2]
        return y * (b > 0) + x * 0.0 * len(b) + sum(b) + torch.sin(b) + torch.stack([b, x])[0]

    def exact(x: Any) -> Any:
        b = x + 1.0
        return 2 * np.sin(b) + np.sum(b * x) + 2 * x @ b + np.cos(b) + np.sqrt(np.sum(b * b)) + 2 * b + np.sum(b)

    program = Program(f, exact, np.array([0.3, 0.8]))
    x = torch.tensor(program.x)
    check(f(x), exact(program.x))
    check(torch.func.jacrev(f)(x), jacobian(program))


@pytest.mark.parametrize(
    ("prototype", "actives", "dtype"),
    [
        (np.float64, (torch.ones(2, dtype=torch.float32),), torch.float32),
        (np.float32, (torch.ones(2, dtype=torch.float64),), torch.float64),
        (np.float64, (torch.ones(2, dtype=torch.bfloat16),), torch.bfloat16),
        (np.complex128, (torch.ones(2, dtype=torch.float32),), torch.complex64),
        (np.float64, (torch.ones(2, dtype=torch.float32), 1j), torch.complex64),
        (np.float64, (torch.ones(2, dtype=torch.float32), torch.ones(1, dtype=torch.float64)), torch.float64),
        (np.float32, (torch.ones(2, dtype=torch.int64),), torch.float32),
    ],
)
def test_the_dtype_is_that_of_the_actives(prototype: Any, actives: Any, dtype: Any) -> None:
    assert rb.DiffCache(np.zeros(3, prototype)).get(*actives).dtype is dtype


def test_the_device_is_that_of_the_actives() -> None:
    b = rb.DiffCache(np.zeros(3)).get(torch.ones(2, device="meta"))
    b[...] = 1.0
    b[0] = torch.ones((), device="meta")
    assert rb.freeze(b).device.type == "meta"


def test_what_was_written_is_a_copy() -> None:
    v = torch.zeros(2)
    b = rb.DiffCache(np.zeros(2)).get(v)
    b[...] = v
    v += 1.0
    assert not rb.freeze(b).any()


def _chained(b: Any) -> None:
    b[1:3][0] = 1.0


def _kept(b: Any) -> None:
    row = b[0:2]
    row += 1.0


@pytest.mark.parametrize("write", [_chained, _kept])
@pytest.mark.parametrize("after", [rb.freeze, lambda b: b[0], lambda b: b + 1.0, lambda b: b.fill(1.0)])
def test_a_write_to_what_was_read_is_not_lost(write: Any, after: Any) -> None:
    for make in (lambda x: rb.Buffer(x), lambda x: rb.Buffer(x * 2.0)):
        b = make(torch.ones(3, requires_grad=True))
        write(b)
        with pytest.raises(BufferWriteError, match=r"to a copy(.|\n)*Do: write b\[i, j\] = v instead of b\[i\]\[j\] = v"):
            after(b)


def test_a_buffer_written_anew_for_the_next_backward_pass() -> None:
    b = rb.Buffer(torch.zeros(2))
    for _ in range(2):
        x = torch.ones(2, requires_grad=True)
        b[...] = x * 3.0  # the whole of it: what came before is gone
        b[0] = x[0] * 2.0
        b[...].sum().backward()
        check(x.grad, np.array([2.0, 3.0], np.float32))


def test_a_buffer_that_escapes_a_backward_pass() -> None:
    b = rb.Buffer(torch.zeros(2))
    x = torch.ones(2, requires_grad=True)
    b[0] = (x * x)[0]
    b[...].sum().backward()
    b[1] = (x * x)[1]
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        b[...].sum().backward()


@pytest.mark.parametrize("convert", [torch.tensor, torch.as_tensor, torch.asarray, lambda b: rb.xp(b).cos(b)])
def test_a_conversion_does_not_lose_the_derivative(convert: Any) -> None:
    with pytest.raises(TypeError, match=r"Do: read the buffer by b\[\.\.\.\] first"):
        convert(rb.Buffer(torch.ones(2, requires_grad=True)))


def test_bad_input() -> None:
    def f(x: Any, key: Any, value: Any) -> Any:
        b = rb.DiffCache(np.zeros(3)).get(x)
        b[key] = value * x
        return rb.freeze(b)

    x = torch.ones((), requires_grad=True)
    with pytest.raises(BufferWriteError, match=r"engine torch(.|\n)*Got: shape \(2,\)"):
        f(x, 0, torch.ones(2))
    with pytest.raises(BufferWriteError, match="Got: a complex one"):
        f(x, ..., 1j)
    with pytest.raises(BufferReadError, match="2 of 3"):
        f(x, 0, 1.0)
    with pytest.raises(IndexError, match="out of bounds"):
        f(x, 3, 1.0)
    with pytest.raises(BufferWriteError, match="names an element twice"):
        f(x, [1, 1], torch.ones(2))
    b = rb.Buffer(x.reshape(1))
    with pytest.raises(TypeError, match=r"np\.asarray of"):
        np.asarray(b)
    rb.freeze(b)
    with pytest.raises(rb.FrozenBufferError, match="engine torch, frozen"):
        b[0] = 1.0
    with pytest.raises(TypeError, match="freeze the buffer itself"):
        rb.freeze(x)


_PLAIN = (operator.sub, operator.truediv, operator.pow, operator.matmul, operator.lt)
_IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow, operator.imatmul)


@pytest.mark.parametrize("order", ["buffer first", "tensor first"])
def test_operators_while_a_program_is_recorded(order: str) -> None:
    """torch.compile changes the order of operands that are no tensors, and takes `b -= x` for `x - b`."""

    def f(x: Any, v: Any) -> list[Any]:
        found = []
        for op in _PLAIN + _IN_PLACE:
            b = rb.Buffer(x)
            same, t = b, v * 1.0
            if order == "buffer first":
                found += [op(b, t)[...], same[...]]
            elif op in _PLAIN:
                found.append(op(t, b))
        return found

    x, v = torch.tensor([[3.0, 1.0], [2.0, 5.0]]), torch.tensor([[2.0, 1.0], [0.5, 3.0]])
    torch._dynamo.reset()
    for ours, expected in zip(torch.compile(f, fullgraph=True, backend="eager")(x, v), f(x, v), strict=True):
        check(ours, _numbers(expected))


def test_a_recorder_that_was_not_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebook.buffers.arithmetic.TAUGHT", set())
    b = rb.Buffer(torch.ones(2, 2))
    torch._dynamo.reset()
    with pytest.raises(RuntimeError, match=r"recorded by torch\.compile(.|\n)*Do: read the buffer by b\[\.\.\.\] first"):
        torch.compile(lambda b, x: torch.Tensor.matmul(x, b), backend="eager", fullgraph=True)(b, torch.ones(2, 2))


def test_functions_of_torch_that_write() -> None:
    b = rb.Buffer(torch.zeros(2))
    assert torch.add(torch.ones(2), 1.0, out=b) is b
    check(b[...], np.full(2, 2.0, np.float32))
    with pytest.raises(TypeError, match=r"relu_ of(.|\n)*Do: write b\[\.\.\.\] = v"):
        torch.relu_(b)
    y = rb.freeze(b)
    with pytest.raises(rb.FrozenBufferError):
        torch.add(y, 1.0, out=b)
    check(y, np.full(2, 2.0, np.float32))


def test_a_result_that_may_be_its_argument_is_copied() -> None:
    x = torch.ones(2)
    for function in (np.positive, np.conjugate):
        b = rb.DiffCache(np.zeros(2)).get(x)
        function(x, out=b)
        x += 1.0
        assert rb.freeze(b)[0] == x[0] - 1.0
