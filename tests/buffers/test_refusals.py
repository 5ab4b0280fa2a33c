"""What buffers refuse, in the same words in every engine; what NumPy refuses for its own arrays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.buffers.errors import BufferReadError, BufferWriteError, EscapedBufferError
from rulebook.dual import DualArray
from rulebook.dual.tags import new_tag
from tests.buffers.ways import array, engine

ENGINES = ("numpy", "dual", "jax", "torch", "autograd")
BUFFERS = ("jax", "torch", "autograd")  # whose work buffers are Buffers
everywhere = pytest.mark.parametrize("kind", ENGINES)
in_buffers = pytest.mark.parametrize("kind", BUFFERS)


def inside(kind: str, use: Any) -> Any:
    """`use(x)` with an active of the engine, below a derivative where there is no other."""
    engine(kind)
    x = np.array([0.5, 2.0, -1.0])
    if kind == "dual":
        return use(DualArray(x, None, np.ones((2, 3)), new_tag()))
    if kind == "autograd":
        found: list[Any] = []
        autograd = engine(kind)
        before = autograd.tracer.trace_stack.top

        def f(x: Any) -> Any:
            found.append(use(x))
            return autograd.numpy.sum(x)

        try:
            autograd.grad(f)(x)
        finally:
            autograd.tracer.trace_stack.top = before
        return found[0]
    return use(array(kind, x))


@everywhere
def test_a_write_after_freeze(kind: str) -> None:
    def use(x: Any) -> None:
        b = rb.DiffCache(np.zeros(3), warn=False).get(x)
        b[...] = x
        rb.freeze(b)
        error, message = (rb.FrozenBufferError, f"engine {kind}, frozen") if kind in BUFFERS else (ValueError, "read-only")
        for write in (lambda: b.__setitem__(0, 1.0), lambda: b.__setitem__(..., x), lambda: np.multiply(x, 2.0, out=b)):
            with pytest.raises(error, match=message):
                write()
        with pytest.raises(error, match=message):
            b += 1.0

    inside(kind, use)


@everywhere
def test_values_of_two_engines(kind: str) -> None:
    other = engine("jax" if kind == "torch" else "torch").ones(2) if kind != "torch" else engine("jax").numpy.ones(2)

    def use(x: Any) -> None:
        cache = rb.DiffCache(np.zeros(3), warn=False)
        if kind == "numpy":
            cache.get(x, other)  # NumPy's values mix with any
            return
        for actives in ((x, other), (other, x), ({"a": [other]}, 1.0, x)):
            with pytest.raises(rb.MixedEnginesError, match=rf"rb\.DiffCache\.get(.|\n)*{kind}(.|\n)*Do: convert them"):
                cache.get(*actives)
        cache.get(other)
        cache.get(x)
        with pytest.raises(rb.MixedEnginesError):  # known by now, each by itself
            cache.get(x, other)

    inside(kind, use)


@pytest.mark.parametrize("kind", ["dual", *BUFFERS])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (..., np.ones(4), r"shape \(4,\)"),
        (0, np.ones(2), r"shape \(2,\)"),
        (slice(2), np.ones((2, 2)), r"shape \(2, 2\)"),
        (..., 1j, "a complex one, whose imaginary part would be lost"),
        (..., np.array([1.0, None, 2.0]), "an array of objects"),
        (0, "text", "a str"),
        ([0, 0], np.ones(2), "names an element twice"),
    ],
)
def test_a_value_that_does_not_fit(kind: str, key: Any, value: Any, message: str) -> None:
    def use(x: Any) -> None:
        b = rb.DiffCache(np.zeros(3), check=True).get(x)
        b[...] = x
        with pytest.raises(BufferWriteError, match=message):
            b[key] = value

    inside(kind, use)


@everywhere
def test_a_read_of_what_was_never_written(kind: str) -> None:
    def use(x: Any) -> None:
        b = rb.DiffCache(np.zeros(3), check=True).get(x)
        b[0] = x[0]
        for read in (lambda: b[1], lambda: b[...], lambda: b + 1.0, lambda: rb.freeze(b), lambda: np.sin(b)):
            with pytest.raises(BufferReadError, match=r"that never were(.|\n)*Do: write them first"):
                read()
        empty = rb.DiffCache(np.zeros((0, 3))).get(x)  # nothing to write
        assert rb.freeze(empty).shape == (0, 3)

    inside(kind, use)


@everywhere
def test_a_result_stays_what_it_is(kind: str) -> None:
    def use(x: Any) -> None:
        cache = rb.DiffCache(np.zeros(3), warn=False)
        kept = []
        for factor in (1.0, 2.0, 3.0):
            b = cache.get(x)
            b[...] = x * factor
            kept.append(rb.freeze(b))
            del b
        below = lambda y: getattr(y, "p", getattr(y, "_value", y))
        np.testing.assert_allclose(np.stack([np.asarray(below(y)) for y in kept]), np.outer([1, 2, 3], [0.5, 2.0, -1.0]))

    inside(kind, use)


@pytest.mark.parametrize("kind", ["jax", "torch"])
def test_threads_do_not_share(kind: str) -> None:
    cache = rb.DiffCache(np.zeros(3))
    wrong: list[Any] = []

    def work(value: float) -> None:
        x = array(kind, np.full(3, value))
        for _ in range(20):
            b = cache.get(x)
            b[...] = x
            b[1] = b[0] * x[0]
            if not np.array_equal(np.asarray(rb.freeze(b)), [value, value * value, value]):
                wrong.append(value)

    engine(kind)
    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(2, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@everywhere
def test_a_write_to_a_part_that_was_read_reaches_the_buffer_or_raises(kind: str) -> None:
    def use(x: Any) -> None:
        b = rb.DiffCache(np.zeros(3), warn=False).get(x)
        b[...] = x
        if kind in ("numpy", "dual"):
            b[1:3][0] = x[0]
            b[::-1][0] = x[0]
            np.testing.assert_array_equal(getattr(b, "p", b), np.full(3, 0.5))
        else:
            with pytest.raises((BufferWriteError, TypeError), match=r"not support (in-place )?item assignment|Do: write b"):
                _chained(b, x)

    inside(kind, use)


def _chained(b: Any, x: Any) -> None:
    b[1:3][0] = x[0]
    rb.freeze(b)


@pytest.mark.parametrize("transform", ["jax-jit", "jax-vmap", "jax-grad", "torch-vmap", "torch-grad", "torch-jacfwd", "autograd-grad"])
def test_a_buffer_that_escapes(transform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, _, name = transform.partition("-")
    module = engine(kind)
    if kind == "autograd":  # which counts one trace too many for each function that raised inside it
        monkeypatch.setattr(module.tracer.trace_stack, "top", -1)
    kept: list[Any] = []

    def f(x: Any) -> Any:
        b = rb.DiffCache(np.zeros(2)).get(x)
        b[...] = x * x
        kept.append(b)
        return b[0]

    home = module.func if kind == "torch" else module
    x = array(kind, np.ones(3) if name == "vmap" else np.float64(1.0))
    getattr(home, name)(f)(x)
    for use in (lambda b: b + 1.0, rb.freeze, lambda b: b.__setitem__(1, 2.0)):
        with pytest.raises(EscapedBufferError, match=rf"engine {kind}(.|\n)*Do: call DiffCache\.get"):
            use(kept[0])
