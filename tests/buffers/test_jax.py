"""Buffers in JAX: every transformation, compiled and not; tracing costs; buffers that escape."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.buffers.errors import BufferReadError, BufferWriteError, EscapedBufferError, UnrolledWritesWarning
from tests.buffers.programs import PROGRAMS, Program, check, jacobian

jax = pytest.importorskip("jax")
jnp = jax.numpy
programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@pytest.mark.parametrize("name", ["foo", "writes"])
def test_without_jit(name: str) -> None:
    program = PROGRAMS[name]
    x = jnp.asarray(program.x)
    check(program.run(x), program.exact(program.x))
    check(jax.jacfwd(program.run)(x), jacobian(program))
    check(jax.vmap(jax.grad(lambda x: program.run(x).sum()))(x[None])[0], jacobian(program).sum(axis=tuple(range(x.ndim))))


def test_a_batch_of_gradients_inside_jit() -> None:
    cache = rb.DiffCache(np.zeros(3))

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[0] = x
        b[1:] = b[0] * x * jnp.arange(1.0, 3.0)
        return rb.freeze(b).sum()

    x = jnp.arange(4.0)
    check(jax.jit(jax.vmap(jax.grad(f)))(x), 1 + 6 * np.arange(4.0))
    check(jax.vmap(f, in_axes=0)(x), np.arange(4.0) + 3 * np.arange(4.0) ** 2)
    check(jax.jit(jax.grad(jax.checkpoint(f)))(2.0), np.asarray(13.0))


def test_inside_loops_of_the_engine() -> None:
    cache = rb.DiffCache(np.zeros(5))

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[...] = x

        def step(i: Any, a: Any) -> Any:
            inner = rb.Buffer(a)
            inner[i] = inner[i - 1] * x
            return rb.freeze(inner)

        return jax.lax.fori_loop(1, 5, step, rb.freeze(b))

    check(jax.jit(f)(2.0), 2.0 ** np.arange(1, 6))
    check(jax.jacfwd(f)(2.0), np.arange(1, 6) * 2.0 ** np.arange(5))
    _, ys = jax.lax.scan(lambda c, v: (c, f(v)), 0.0, jnp.array([1.0, 2.0]))
    check(ys[1], 2.0 ** np.arange(1, 6))


def test_traced_indices_and_masks() -> None:
    def f(x: Any, i: Any) -> Any:
        b = rb.Buffer(jnp.zeros(4))
        b[i] = x
        b[b[...] == 0.0] = x * x
        b[jnp.array([1, 2])] += 1.0
        return rb.freeze(b)

    for run in (f, jax.jit(f)):
        check(run(3.0, 1), np.array([9.0, 4.0, 10.0, 9.0]))
        check(jax.jacfwd(run)(3.0, 1), np.array([6.0, 1.0, 6.0, 6.0]))


def test_operands_and_functions() -> None:
    def f(x: Any) -> Any:
        b = rb.Buffer(x)
        b += 1.0
        out = rb.Buffer(x)
        np.multiply(b, x, out=out)
        y = np.sin(b) + np.sum(out) + x @ b + b @ x + rb.xp(b).cos(b[...]) + np.linalg.norm(b) + jnp.concatenate([b, x])[:2]
        return y * (b > 0) + 0.0 * len(b) + sum(b)

    def exact(x: Any) -> Any:
        b = x + 1.0
        norm = np.sqrt(np.sum(b * b))
        return np.sin(b) + np.sum(b * x) + 2 * x @ b + np.cos(b) + norm + b + np.sum(b)

    program = Program(f, exact, np.array([0.3, 0.8]))
    check(f(jnp.asarray(program.x)), exact(program.x))
    check(jax.jit(jax.jacrev(f))(program.x), jacobian(program))


def test_dtypes() -> None:
    for dtype in (jnp.float32, jnp.bfloat16):
        b = rb.DiffCache(np.zeros(2, np.float32)).get(jnp.ones(2, dtype))
        assert b.dtype == jnp.float32
    assert rb.DiffCache(np.zeros(2)).get(jnp.ones(2, jnp.complex64)).dtype == jnp.complex128
    b = rb.DiffCache(np.zeros(2, np.float32)).get(jnp.ones(2, jnp.float32))
    b[...] = np.float64(0.1)
    assert rb.freeze(b).dtype == jnp.float32


# -- many writes ----------------------------------------------------------------------------------------


def _loop(n: int) -> Any:
    cache = rb.DiffCache(np.zeros(n))

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[0] = x
        for i in range(1, n):
            b[i] = x * i
        return rb.freeze(b)

    return f


def test_too_many_writes_in_a_traced_program_are_warned_of_once() -> None:
    with pytest.warns(UnrolledWritesWarning, match=r"more than 50 writes(.|\n)*Do: write slices or whole arrays") as found:
        jax.make_jaxpr(_loop(70))(1.0)
    assert len(found) == 1
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jax.make_jaxpr(_loop(50))(1.0)
        _loop(60)(jnp.asarray(1.0))  # concrete values are not compiled


# -- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [jax.jit, jax.grad, jax.vmap], ids=["jit", "grad", "vmap"])
def test_a_buffer_that_escapes(transform: Any) -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        b = rb.Buffer(jnp.zeros(2))
        b[0] = x
        kept.append(b)
        return b[0]

    transform(f)(jnp.ones(3) if transform is jax.vmap else 1.0)
    for use in (lambda b: b[0], lambda b: b + 1.0, rb.freeze, lambda b: b.__setitem__(1, 2.0), rb.xp):
        with pytest.raises(EscapedBufferError, match=r"engine jax(.|\n)*Do: call DiffCache\.get, or make the rb\.Buffer, inside"):
            use(kept[0])


def test_a_buffer_that_escapes_into_another_trace() -> None:
    b = rb.Buffer(jnp.zeros(2))

    def f(x: Any) -> Any:
        b[0] = x
        return x

    jax.jit(f)(1.0)
    with pytest.raises((EscapedBufferError, jax.errors.UnexpectedTracerError)):
        jax.jit(lambda x: x + b[0])(1.0)


def test_writes_that_do_not_fit() -> None:
    def f(x: Any, key: Any, value: Any) -> Any:
        b = rb.DiffCache(np.zeros(3)).get(x)
        b[key] = value * x
        return rb.freeze(b)

    for run in (f, jax.jit(f, static_argnums=(1,))):
        with pytest.raises(BufferWriteError, match=r"engine jax(.|\n)*Got: shape \(2,\)"):
            run(jnp.asarray(1.0), 0, np.ones(2))
        with pytest.raises(BufferWriteError, match="Got: a complex one"):
            run(jnp.asarray(1.0), ..., 1j)
        with pytest.raises(IndexError, match="out of bounds"):
            run(jnp.asarray(1.0), 3, 1.0)
        with pytest.raises(BufferReadError, match="2 of 3"):
            run(jnp.asarray(1.0), 0, 1.0)


def test_a_frozen_buffer() -> None:
    b = rb.DiffCache(np.zeros(1)).get(jnp.ones(1))
    b[...] = 1.0
    rb.freeze(b)
    with pytest.raises(rb.FrozenBufferError, match="engine jax, frozen"):
        b[0] = 2.0


def test_values_of_another_engine() -> None:
    torch = pytest.importorskip("torch")
    b = rb.Buffer(jnp.zeros(2))
    with pytest.raises(rb.MixedEnginesError, match=r"Got: a value of engine torch"):
        b[0] = torch.ones(())
    with pytest.raises(rb.MixedEnginesError):
        rb.DiffCache(np.zeros(2)).get(torch.ones(2), jnp.ones(2))


def test_numbers_of_traced_values() -> None:
    def f(x: Any) -> Any:
        b = rb.Buffer(x)
        return np.asarray(b)

    with pytest.raises(TypeError, match=r"np\.asarray of(.|\n)*Do: read the buffer by b\[\.\.\.\]"):
        jax.jit(f)(jnp.ones(2))
    assert type(f(jnp.ones(2))) is np.ndarray


def test_a_part_is_no_buffer() -> None:
    with pytest.raises(TypeError, match="freeze the buffer itself"):
        rb.freeze(jnp.ones(2))
