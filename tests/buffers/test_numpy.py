"""Buffers on NumPy arrays and dual numbers: values, derivatives of both orders, what is refused."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import warnings
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.buffers.errors import BufferReadError, BufferWriteError
from rulebook.dual import DualArray
from rulebook.dual.tags import new_tag
from rulebook.errors import RuleSignatureError
from tests.buffers.programs import PROGRAMS, Program, check, claytonsample, hessian, jacobian

programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@programs
def test_values_are_numpys_own(program: Program) -> None:
    y = program.run(program.x)
    assert type(y) is np.ndarray
    check(y, program.exact(program.x))
    check(program.run(program.x.astype(complex)), program.exact(program.x.astype(complex)))


@programs
def test_derivatives_by_complex_steps_through_the_buffers(program: Program) -> None:
    step = np.zeros(program.x.shape, complex)
    step.reshape(-1)[0] = 1e-30j
    check(program.run(program.x + step).imag / 1e-30, jacobian(program).reshape(*program.exact(program.x).shape, -1)[..., 0])


def test_a_buffer_of_one_number() -> None:
    cache = rb.DiffCache(np.zeros(()), warn=False)

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[...] = x * x
        return rb.freeze(b)

    assert f(2.0) == 4.0
    assert rb.derivative(f, engine="dual")(2.0) == 4.0
    assert rb.derivative(lambda x: rb.derivative(f, engine="dual")(x), engine="dual")(2.0) == 2.0


def test_dual_arrays_beside_buffers() -> None:
    def f(x: Any) -> Any:
        b = rb.Buffer(x)
        b[0] = x[1]
        return np.concatenate([x, b]) + np.add(np.sum(b), x[0]) * np.multiply(x[0], np.stack([b, x]).ravel()) + (x / b)[0] - (x @ b)

    exact = lambda x: np.concatenate([x, x[[1, 1]]]) + (2 * x[1] + x[0]) * x[0] * x[[1, 1, 0, 1]] + x[0] / x[1] - x[1] * (x[0] + x[1])
    program = Program(f, exact, np.array([2.0, 3.0]))
    check(f(program.x), exact(program.x))
    check(rb.jacobian(f, engine="dual")(program.x), jacobian(program))
    check(rb.jacobian(lambda x: rb.jacobian(f, engine="dual")(x), engine="dual")(program.x), hessian(program))


def test_an_inner_derivative_reads_an_outer_buffer() -> None:
    def outer(x: Any) -> Any:
        b = rb.Buffer(x * np.ones(2))
        return rb.derivative(lambda y: np.sum(y * b + b * y * y), engine="dual")(x)  # 2 x + 4 x y at y = x

    assert rb.derivative(outer, engine="dual")(3.0) == pytest.approx(26.0)


def test_third_derivative_of_a_nested_call_with_its_own_buffers() -> None:
    cache = rb.DiffCache(np.zeros(2), warn=False)

    def cube(x: Any) -> Any:
        b = cache.get(x)
        b[0] = x * x
        b[1] = b[0] * x
        return rb.freeze(b)[1]

    def slope(x: Any) -> Any:
        b = cache.get(x)
        b[0] = rb.derivative(cube, engine="dual")(x)  # takes buffers of the same cache while this one is in use
        b[1] = b[0] * x
        return rb.freeze(b)[1]  # 3 x**3

    curve = lambda x: rb.derivative(slope, engine="dual")(x)
    assert rb.derivative(curve, engine="dual")(2.0) == pytest.approx(36.0, rel=1e-14)


@programs
def test_the_checking_mode_gives_the_same(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(self: Any, *actives: Any) -> Any:
        return rb.DiffCache(self._prototype, check=True)._fitting(actives)

    monkeypatch.setattr(rb.DiffCache, "get", get)
    check(program.run(program.x), program.exact(program.x))
    check(rb.jacobian(program.run, engine="dual")(program.x), jacobian(program))
    check(rb.jacobian(lambda x: rb.jacobian(program.run, engine="dual")(x), engine="dual")(program.x), hessian(program))


# -- which memory ---------------------------------------------------------------------------------------


def test_a_buffer_is_used_again_when_nobody_refers_to_it() -> None:
    cache = rb.DiffCache(np.zeros(3))
    b = cache.get(1.0)
    where = id(b)
    del b
    assert id(cache.get(2.0)) == where


@pytest.mark.parametrize("keep", [lambda b: b, lambda b: b[1:], lambda b: b.T[::-1], lambda b: memoryview(b), lambda b: [rb.freeze(b)]])
def test_a_result_that_is_alive_is_never_overwritten(keep: Any) -> None:
    cache = rb.DiffCache(np.zeros(3))
    b = cache.get(1.0)
    b[...] = 1.0
    kept = keep(b)
    before = np.array(kept).copy()
    del b
    for _ in range(10):
        other = cache.get(2.0)
        other[...] = 7.0
    np.testing.assert_array_equal(np.array(kept), before)


def test_collected_results_stay_what_they_are() -> None:
    cache = rb.DiffCache(np.zeros(2))

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[...] = x
        return rb.freeze(b)

    for run in (f, rb.derivative(lambda x: f(x * x), engine="dual")):
        found = [run(float(i)) for i in range(20)]
        expected = [float(i) * (1 if run is f else 2) for i in range(20)]
        np.testing.assert_array_equal(np.stack(found)[:, 0], expected)


def test_duals_that_share_tangents_with_a_buffer_keep_them() -> None:
    cache = rb.DiffCache(np.zeros(2), warn=False)
    x = DualArray(np.ones(2), None, np.ones((3, 2)), new_tag())
    kept = []
    for i in range(6):
        b = cache.get(x)
        b[...] = x * float(i)
        kept.append((np.sin(b), b[:1], b if i % 2 else None))  # a shared base, a view, the buffer itself
        del b
    for i, (sine, view, whole) in enumerate(kept):
        np.testing.assert_allclose(sine.tangent, np.cos(i) * i)
        np.testing.assert_allclose(view.tangent, float(i))
        assert whole is None or np.all(whole.tangent == i)


def test_dual_memory_is_used_again_for_another_derivative_call() -> None:
    cache = rb.DiffCache(np.zeros(2))
    seen = set()
    for _ in range(5):
        x = DualArray(np.ones(2), None, np.ones((3, 2)), new_tag())
        b = cache.get(x)
        b[...] = x
        assert b.tag == x.tag
        seen.add((id(b), id(b.p), id(b.b)))
        rb.freeze(b)
        del b
    assert len(seen) == 1


def test_plain_values_written_have_no_tangent() -> None:
    cache = rb.DiffCache(np.zeros(3))
    x = DualArray(np.ones(3), None, np.ones((2, 3)), new_tag())
    b = cache.get(x)
    b[...] = x
    del b
    b = cache.get(x)
    b[...] = 5.0
    b[1] = x[1]
    np.testing.assert_array_equal(b.tangent, [[0, 1, 0], [0, 1, 0]])


def test_recursion() -> None:
    cache = rb.DiffCache(np.zeros(2), warn=False)

    def f(n: int, x: Any) -> Any:
        b = cache.get(x)
        b[0] = x
        b[1] = f(n - 1, x)[1] + b[0] if n else x * 0.0
        return rb.freeze(b)

    assert f(9, 2.0)[1] == 18.0
    assert rb.derivative(lambda x: f(9, x), engine="dual")(2.0)[1] == 9.0


@pytest.mark.parametrize("engine", [None, "dual"])
def test_threads_do_not_share(engine: str | None) -> None:
    cache = rb.DiffCache(np.zeros(50), warn=False)

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[...] = x
        for _ in range(3):
            b += x
        return rb.freeze(b)

    run = f if engine is None else rb.derivative(lambda x: f(x * x), engine=engine)
    wrong: list[Any] = []

    def work(x: float) -> None:
        for _ in range(300 if engine is None else 60):
            expected = 4 * x if engine is None else 8 * x
            if not np.all(run(x) == expected):
                wrong.append(x)

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(1, 7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_cache_is_copied_and_pickled_without_its_memory() -> None:
    cache = rb.DiffCache(np.zeros(3), tangents=2)
    b = cache.get(1.0)
    for other in (copy.deepcopy(cache), copy.copy(cache), pickle.loads(pickle.dumps(cache))):
        assert other.get(1.0).shape == (3,) and not np.shares_memory(other.get(1.0), b)


def test_memory_does_not_grow() -> None:
    cache = rb.DiffCache(np.zeros(3), warn=False)
    kept = [cache.get(1.0) for _ in range(50)]
    kept += [cache.get(DualArray(np.ones(3), None, np.ones((2, 3)), new_tag())) for _ in range(50)]
    gc.collect()
    assert all(len(pool.arrays) <= 4 for pools in cache._pools.values() for pool in pools.values())


# -- dtypes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prototype", "active", "dtype"),
    [
        (np.float64, 1.0, np.float64),
        (np.float64, 1j, np.complex128),
        (np.float64, np.ones(2, np.complex64), np.complex128),
        (np.float32, 1.0, np.float32),
        (np.float32, 2, np.float32),
        (np.float32, np.float64(1.0), np.float64),
        (np.float32, np.ones(2, np.float32), np.float32),
        (np.float32, np.ones(2), np.float64),
        (np.float32, np.ones(2, np.complex64), np.complex64),
        (np.complex64, 1.0, np.complex64),
        (np.float64, {"a": 1.0, "b": [np.ones(2, complex)]}, np.complex128),
    ],
)
def test_the_dtype_is_that_of_numpys_promotion(prototype: Any, active: Any, dtype: Any) -> None:
    for checked in (False, True):
        assert rb.DiffCache(np.zeros(3, prototype), check=checked).get(active).dtype == dtype
    x = np.asarray(active) if not isinstance(active, dict) else None
    if x is not None and x.ndim and x.dtype.kind in "fc":
        d = DualArray(x, None, np.ones((2, *x.shape), x.dtype), new_tag())
        b = rb.DiffCache(np.zeros(3, prototype)).get(d)
        assert b.dtype == dtype and b.tangent.dtype == dtype and b.tangent.shape == (2, 3)


def test_a_dual_number_is_as_weak_as_one_of_python() -> None:
    cache = rb.DiffCache(np.zeros(2, np.float32))

    def f(x: Any) -> Any:
        b = cache.get(x)
        b[...] = x
        return rb.freeze(b)

    assert f(2.0).dtype == rb.derivative(f, engine="dual")(2.0).dtype == np.float32


# -- more tangents --------------------------------------------------------------------------------------


def _gets(cache: rb.DiffCache, *counts: int) -> list[Any]:
    return [cache.get(DualArray(np.ones(2), None, np.ones((k, 2)), new_tag())) for k in counts]


def test_growing_warns_once() -> None:
    cache = rb.DiffCache(np.zeros(2))
    with pytest.warns(UserWarning, match=r"held 3 tangents and grows to 5(.|\n)*tangents=5"):
        found = _gets(cache, 3, 2, 5, 9)
    assert [b.tangent.shape[0] for b in found] == [3, 2, 5, 9]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _gets(cache, 20)
        _gets(rb.DiffCache(np.zeros(2), warn=False), 1, 2, 3)
        _gets(rb.DiffCache(np.zeros(2), tangents=9), 3, 9, 1)
    with pytest.warns(UserWarning, match="held 4 tangents and grows to 6"):
        _gets(rb.DiffCache(np.zeros(2), tangents=4), 6)


# -- rb.Buffer ------------------------------------------------------------------------------------------


def test_a_buffer_starts_with_the_values_of_an_array() -> None:
    x = np.arange(3.0)
    b = rb.Buffer(x)
    b[0] = 5.0
    assert x[0] == 0.0
    np.testing.assert_array_equal(rb.freeze(b), [5.0, 1.0, 2.0])


def test_a_buffer_adopts_the_engine_of_what_is_written() -> None:
    def f(x: Any) -> Any:
        b = rb.Buffer(np.arange(3.0))
        b[1] = x * x
        b[2] = b[1] * b[2] + rb.derivative(lambda y: _filled(y * x), engine="dual")(x)
        return rb.freeze(b)

    def _filled(y: Any) -> Any:
        b = rb.Buffer(rb.ShapeDtype((2,), float))
        b[0] = 3.0
        b[1] = y * y
        return b[1] + b[0]

    # x**2 * 2 + 2 y x**2 at y = x
    np.testing.assert_allclose(rb.derivative(f, engine="dual")(2.0), [0.0, 4.0, 8.0 + 24.0])


def test_what_a_buffer_does_as_an_array() -> None:
    x = np.array([[3.0, 1.0], [2.0, 5.0]])
    b = rb.Buffer(x)
    assert (b.shape, b.ndim, b.size, len(b), b.dtype) == ((2, 2), 2, 4, 2, x.dtype)
    np.testing.assert_array_equal(np.stack(list(b)), x)
    for op in (
        lambda v: v + 1,
        lambda v: 1 - v,
        lambda v: v * v,
        lambda v: 2 / v,
        lambda v: v**2,
        lambda v: 2**v,
        lambda v: v @ x,
        lambda v: x @ v,
        lambda v: -v,
        abs,
        np.sin,
        np.sum,
        lambda v: np.add.reduce(v, axis=0),
        lambda v: np.concatenate([v, x]),
        lambda v: v > 2.0,
        lambda v: v == x,
        np.linalg.inv,
        np.asarray,
    ):
        np.testing.assert_array_equal(op(b), op(x))
    out = rb.Buffer(rb.ShapeDtype((2, 2), float))
    assert np.matmul(b, x, out=out) is out
    np.testing.assert_array_equal(out, x @ x)
    assert np.sum(b, axis=0, out=rb.Buffer(np.zeros(2)))[1] == 6.0
    b += 1.0
    b[0] *= 2.0
    b.fill(b[0, 0])
    np.testing.assert_array_equal(rb.freeze(b), np.full((2, 2), 8.0))
    assert "engine numpy, frozen" in repr(b)
    with pytest.raises(TypeError, match="unhashable"):
        hash(b)


def test_what_was_read_does_not_change() -> None:
    b = rb.Buffer(np.zeros(3))
    row = b[:2]
    b[0] = 1.0
    assert row[0] == 0.0
    b[1:] += row + 2.0
    np.testing.assert_array_equal(rb.freeze(b), [1.0, 2.0, 2.0])


# -- bad input ------------------------------------------------------------------------------------------


def test_a_write_after_freeze() -> None:
    b = rb.Buffer(np.zeros(2))
    rb.freeze(b)
    with pytest.raises(rb.FrozenBufferError, match=r"A write to <rb.Buffer of shape \(2,\).*frozen>(.|\n)*Do: take a new buffer"):
        b[0] = 1.0
    with pytest.raises(rb.FrozenBufferError):
        b += 1.0
    assert rb.freeze(b)[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        rb.freeze(b)[0] = 1.0
    for active in (1.0, DualArray(np.ones(1), None, np.ones((2, 1)), new_tag())):
        b = rb.DiffCache(np.zeros(2)).get(active)
        b[...] = 0.0
        rb.freeze(b)
        with pytest.raises(ValueError, match="read-only"):
            b[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            b += 1.0
    with pytest.raises(rb.FrozenBufferError):
        b = rb.DiffCache(np.zeros(2), check=True).get(1.0)
        b[...] = 0.0
        rb.freeze(b)
        b[0] = 1.0


def test_a_frozen_buffer_is_writable_when_it_comes_again() -> None:
    cache = rb.DiffCache(np.zeros(2))
    for x in (1.0, 2.0, DualArray(np.ones(1), None, np.ones((2, 1)), new_tag()), DualArray(np.ones(1), None, np.ones((2, 1)), new_tag())):
        b = cache.get(x)
        b[...] = x
        rb.freeze(b)
        del b


@pytest.mark.parametrize("make", [lambda: rb.DiffCache(np.zeros(3), check=True).get(1.0), lambda: rb.Buffer(rb.ShapeDtype((3,), float))])
@pytest.mark.parametrize("read", [lambda b: b[1], lambda b: b[:2], lambda b: b + 1, np.sum, rb.freeze, lambda b: rb.xp(b), np.asarray])
def test_a_read_of_what_was_never_written(make: Any, read: Any) -> None:
    b = make()
    b[0] = 1.0
    assert b[0] == 1.0
    with pytest.raises(BufferReadError, match=r"(1|2) of (1|2|3) that never were(.|\n)*b\[\.\.\.\] = 0\.0"):
        read(b)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (0, np.ones(2), r"Expected: shape \(\), or one that broadcasts(.|\n)*Got: shape \(2,\)"),
        (..., np.ones(4), r"Expected: shape \(3,\)(.|\n)*Got: shape \(4,\)"),
        (slice(2), np.ones((2, 2)), r"Expected: shape \(2,\)(.|\n)*Got: shape \(2, 2\)"),
        (0, 1j, "Got: a complex one, whose imaginary part would be lost"),
        (..., np.ones(3, complex), "Got: a complex one"),
        (0, "text", "Got: a str"),
        (0, None, "Got: a NoneType"),
        (..., np.array([1.0, None, 2.0]), "Got: an array of objects"),
        ([0, 0], np.ones(2), "names an element twice"),
    ],
)
def test_a_value_that_does_not_fit(key: Any, value: Any, message: str) -> None:
    b = rb.Buffer(np.zeros(3))
    with pytest.raises(BufferWriteError, match=message):
        b[key] = value
    np.testing.assert_array_equal(rb.freeze(b), np.zeros(3))


def test_a_real_value_in_a_buffer_of_integers() -> None:
    b = rb.Buffer(np.zeros(3, int))
    b[0] = 1
    with pytest.raises(BufferWriteError, match=r"Expected: an integer value(.|\n)*Got: a real one"):
        b[1] = 0.5


def test_a_dual_in_a_buffer_for_numbers() -> None:
    cache = rb.DiffCache(np.zeros(2))

    def forgets(x: Any) -> Any:
        b = cache.get(1.0)
        b[0] = x
        return b

    with pytest.raises(TypeError, match="tangent"):
        rb.derivative(forgets, engine="dual")(1.0)


def test_an_inner_value_in_an_outer_buffer() -> None:
    cache = rb.DiffCache(np.zeros(2), warn=False)

    def outer(x: Any) -> Any:
        b = cache.get(x)
        b[...] = x

        def inner(y: Any) -> Any:
            b[0] = y
            return b[0]

        return rb.derivative(inner, engine="dual")(x)

    with pytest.raises(TypeError, match="inner call"):
        rb.derivative(outer, engine="dual")(1.0)


@pytest.mark.parametrize("prototype", [np.zeros(3, int), np.array(["a"]), "text", None, [1.0, 2.0]])
def test_prototypes_that_are_none(prototype: Any) -> None:
    with pytest.raises(RuleSignatureError, match=r"rb\.DiffCache, prototype"):
        rb.DiffCache(prototype)


class _Array(np.ndarray):
    """A subclass, whose dtype its type does not tell."""


def test_actives_of_all_kinds_again_and_again() -> None:
    cache = rb.DiffCache(np.zeros(2, np.float32))
    tau = DualArray(np.ones(2), None, np.ones((3, 2)), new_tag())
    for _ in range(2):  # what is known of types is kept
        for actives, dtype in (
            ((1.0, 2), np.float32),
            ((np.float32(1.0), np.ones(3, np.float32)), np.float32),
            ((np.ones(3, np.float32), 1.0, np.float64(2.0)), np.float64),
            ((1.0, np.ones(3)), np.float64),
            ((np.ones(2, np.float32).view(_Array), 1.0), np.float32),
            ((np.ones(2).view(_Array), 1.0), np.float64),
            ((1.0, 2.0, 3.0, 1j), np.complex64),
            ((1.0, None, "text", [np.ones(1)]), np.float64),
            ((1.0, [1.0]), np.float32),
        ):
            b = cache.get(*actives)
            assert type(b) is np.ndarray and b.dtype == dtype
        for actives in ((tau, 1.0), (1.0, tau), (np.ones(2), np.float64(1.0), tau), ([tau], 1.0)):
            b = cache.get(*actives)
            assert type(b) is DualArray and b.tag == tau.tag and b.dtype == np.float64


def test_get_without_values() -> None:
    with pytest.raises(RuleSignatureError, match=r"cache\.get\(x\)"):
        rb.DiffCache(np.zeros(3)).get()


@pytest.mark.parametrize("value", [1.0, None, "text", [1.0]])
def test_what_cannot_be_frozen_or_buffered(value: Any) -> None:
    with pytest.raises(RuleSignatureError, match=r"rb\.freeze"):
        rb.freeze(value)
    with pytest.raises(RuleSignatureError, match=r"rb\.Buffer"):
        rb.Buffer(value)


def test_an_index_out_of_bounds() -> None:
    b = rb.Buffer(np.zeros(3))
    for key in (3, (0, 0), "a", 0.5):
        with pytest.raises(IndexError):
            b[key] = 1.0
        with pytest.raises(IndexError):
            b[key]


def test_the_first_lines_of_the_thread() -> None:
    """`ForwardDiff.derivative(tau -> claytonsample(stod, tau, 0.0), 0.3)`."""
    slope = rb.derivative(lambda tau: claytonsample(rb.DiffCache(np.empty((3, 2))), tau, 0.0), engine="dual")(0.3)
    check(slope[:, 1], jacobian(PROGRAMS["claytonsample"])[:, 1, 0])
    assert not slope[:, 0].any()
