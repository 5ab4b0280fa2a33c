"""Host code over batches: which results are mapped, in which order examples run, whose error it is, on which threads."""

from __future__ import annotations

import contextvars
import threading
import time

import numpy as np
import pytest

import rulebook as rb
from rulebook import host
from rulebook.config import SETTINGS
from rulebook.host import BatchedCall, HostCall, Vectorized, WideCall, run_each
from rulebook.tangents import ShapeDtype

RNG = np.random.default_rng(3)
A = RNG.normal(size=(4, 3))


def specs_of(arrays):
    return [ShapeDtype(np.shape(a), np.asarray(a).dtype) for a in arrays]


class Dot(HostCall):
    """(a @ b, a + 1), of which the second reads a alone; it counts."""

    def __init__(self):
        super().__init__("primal", "dot", "none")
        self.ran = 0

    def run(self, arrays):
        self.ran += 1
        a, b = arrays
        assert type(a) is type(b) is np.ndarray
        return [np.asarray(a @ b), a + 1]

    def specs(self, operands):
        return [ShapeDtype((), operands[0].dtype), operands[0]]

    def reads(self, k):
        return 1 if k else None


class WideDot(Dot, Vectorized):
    """The same, of any leading axes."""

    def __init__(self):
        super().__init__()
        self.learnt = []

    def reads(self, k):
        return None

    def wide(self, arrays, leads):
        self.ran += 1
        a, b = arrays
        return [(a * b).sum(-1), a + 1]

    def learn(self, operands, ys):
        self.learnt.append((operands, ys))

    def batched(self, axes, size):
        return WideCall(self, axes, size)


def check(call, arrays, expected):
    """The results are the expected ones, and of the shapes and dtypes that were promised."""
    ys = call.run(arrays)
    assert [(s.shape, s.dtype) for s in call.specs(specs_of(arrays))] == [(y.shape, y.dtype) for y in ys]
    for y, e in zip(ys, expected, strict=True):
        np.testing.assert_allclose(y, e, rtol=1e-14)
        assert y.shape == np.shape(e)


@pytest.mark.parametrize("kind", [Dot, WideDot])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_batch_over_any_axis(kind, axis):
    b = RNG.normal(size=(4, 3))
    call = kind()
    check(call.batched((axis, 0), 4), [np.moveaxis(A, 0, axis), b], [(A * b).sum(1), A + 1])
    assert call.ran == (4 if kind is Dot else 1)


@pytest.mark.parametrize("kind", [Dot, WideDot])
def test_an_operand_without_the_axis_is_shared(kind):
    check(kind().batched((0, None), 4), [A, A[0]], [A @ A[0], A + 1])


def test_a_result_that_no_operand_of_the_batch_goes_into_is_not_mapped():
    batched = Dot().batched((None, 0), 4)
    assert (batched.maps(0), batched.maps(1)) == (True, False)
    check(batched, [A[0], A], [A @ A[0], A[0] + 1])


@pytest.mark.parametrize("kind", [Dot, WideDot])
@pytest.mark.parametrize("axes", [(0, 0), (0, None)])
def test_one_example(kind, axes):
    b = A[:1] if axes[1] == 0 else A[0]
    check(kind().batched(axes, 1), [A[:1], b], [np.array([A[0] @ A[0]]), A[:1] + 1])


@pytest.mark.parametrize("kind", [Dot, WideDot])
def test_no_example_runs_nothing(kind):
    call = kind()
    check(call.batched((0, 1), 0), [np.zeros((0, 3)), np.zeros((3, 0))], [np.zeros(0), np.zeros((0, 3))])
    assert call.ran == 0


def test_what_a_batch_of_no_example_does_not_map_is_still_there():
    check(Dot().batched((None, 0), 0), [A[0], np.zeros((0, 3))], [np.zeros(0), A[0] + 1])


@pytest.mark.parametrize("kind", [Dot, WideDot])
def test_batches_nest(kind):
    a, b = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(5, 3))
    call = kind()
    inner = call.batched((1, None), 4)  # a: (3, 4)
    outer = inner.batched((0, None), 2)
    check(outer, [a, b[0]], [np.einsum("ikj,k->ij", a, b[0]), np.moveaxis(a, 2, 1) + 1])
    assert call.ran == (8 if kind is Dot else 1)
    crossed = call.batched((1, None), 4).batched((None, 0), 5)
    shifted = a[0].T + 1
    check(crossed, [a[0], b], [np.einsum("kj,ik->ij", a[0], b), shifted if kind is Dot else np.stack([shifted] * 5)])


def test_three_batches_of_square_arrays_are_one_call():
    """Square, so that an axis in the wrong place would not show in the shapes."""
    a, b = RNG.normal(size=(3, 3, 3, 3)), RNG.normal(size=(3, 3))
    wide, loop = [kind().batched((1, None), 3).batched((2, None), 3).batched((1, 1), 3) for kind in (WideDot, Dot)]
    check(wide, [a, b], loop.run([a, b]))
    assert wide.inner.inner.inner.ran == 1


@pytest.mark.parametrize("sizes", [(0, 2), (2, 0)])
def test_a_batch_of_no_example_in_a_batch_runs_nothing(sizes):
    inner, outer = sizes
    call = WideDot()
    check(
        call.batched((0, None), inner).batched((1, None), outer),
        [np.zeros((inner, outer, 3)), A[0]],
        [np.zeros((outer, inner)), np.zeros((outer, inner, 3))],
    )
    assert call.ran == 0


def test_a_batch_of_a_batch_maps_what_either_maps():
    call = Dot().batched((0, None), 4).batched((None, 0), 5)
    assert [call.maps(k) for k in (0, 1)] == [True, False]


def test_a_vectorized_function_that_is_not_is_told_so():
    class Sum(WideDot):
        def wide(self, arrays, leads):
            return [np.asarray((arrays[0] * arrays[1]).sum())]

    with pytest.raises(rb.ResultSpecError, match=r"(?s)primal of dot.*result 0.*shape \(4,\).*as vectorized=True promises.*shape \(\)"):
        Sum().batched((0, 0), 4).run([A, A])


def test_a_vectorized_call_learns_what_one_example_looks_like():
    call = WideDot()
    call.batched((1, None), 4).batched((0, None), 2).run([RNG.normal(size=(2, 3, 4)), A[0]])
    ((operands, ys),) = call.learnt
    assert [s.shape for s in operands] == [(3,), (3,)]
    assert [s.shape for s in ys] == [(), (3,)]


# -- one by one -----------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 3], ids=["serial", "threads"])
def threads(request):
    with rb.config(host_threads=request.param):
        yield request.param


def test_results_come_in_order(threads):
    def slow_first(i):
        time.sleep(0.01 if i == 0 else 0)
        return i

    assert run_each(slow_first, range(7)) == list(range(7))


def test_the_first_error_in_order_is_raised(threads):
    def fails(i):
        if i == 2:
            time.sleep(0.02)  # later than the others
        if i >= 2:
            raise ValueError(f"no {i}")
        return i

    with pytest.raises(ValueError, match="no 2") as found:
        run_each(fails, range(6))
    assert found.value.__notes__ == ["In example 2 of a batch."]
    assert run_each(lambda i: -i, range(3)) == [0, -1, -2]


def test_threads_are_used():
    both = threading.Barrier(2, timeout=20)  # passed only if two examples run at once
    with rb.config(host_threads=2):
        run_each(lambda i: both.wait(), range(2))


def test_one_thread_runs_in_the_caller():
    assert run_each(lambda i: threading.get_ident(), range(2)) == [threading.get_ident()] * 2


def test_context_and_numpy_settings_are_those_of_the_caller(threads):
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(5)
    with np.errstate(divide="raise"):
        with pytest.raises(FloatingPointError):
            run_each(lambda i: np.ones(1) / np.zeros(1), range(4))
        assert run_each(lambda i: variable.get(), range(4)) == [5] * 4


def test_what_an_example_sets_stays_with_it():
    variable = contextvars.ContextVar("variable", default=0)

    def example(i):
        before = variable.get()
        variable.set(i)
        return before

    with rb.config(host_threads=2):
        assert run_each(example, range(1, 5)) == [0] * 4


def test_a_batch_in_a_batch_does_not_wait_for_its_own_threads():
    with rb.config(host_threads=2):
        found = run_each(lambda i: run_each(lambda j: (i, j), range(3)), range(4))
    assert found == [[(i, j) for j in range(3)] for i in range(4)]


def test_batches_of_several_callers_share_the_threads():
    found = {}

    def caller(n):
        found[n] = run_each(lambda i: (n, i), range(20))

    with rb.config(host_threads=3):
        callers = [threading.Thread(target=caller, args=(n,)) for n in range(6)]
        for c in callers:
            c.start()
        for c in callers:
            c.join(30)
    assert found == {n: [(n, i) for i in range(20)] for n in range(6)}


def test_another_number_of_threads_while_a_batch_runs():
    """A pool that is replaced still finishes what it was given."""

    def example(i):
        if i == 0:
            with rb.config(host_threads=2):
                thread = threading.Thread(target=lambda: run_each(lambda j: j, range(3)))
                thread.start()
                thread.join(30)
        return i

    with rb.config(host_threads=3):
        assert run_each(example, range(8)) == list(range(8))


def test_ctrl_c_in_an_example_arrives_as_itself(threads):
    def interrupted(i):
        if i == 1:
            raise KeyboardInterrupt
        return i

    with pytest.raises(KeyboardInterrupt):
        run_each(interrupted, range(4))
    assert run_each(lambda i: i, range(4)) == list(range(4))


def test_a_forked_child_has_threads_of_its_own(monkeypatch):
    with rb.config(host_threads=2):
        run_each(lambda i: i, range(2))
        (parent,) = host._pools.values()
        monkeypatch.setattr(host.os, "getpid", lambda: -1)
        assert run_each(lambda i: i, range(2)) == [0, 1]
        (child,) = host._pools.values()
    host._pools.clear()
    assert child is not parent


# -- settings -----------------------------------------------------------------------------------------


def test_settings_hold_inside_with_and_come_back():
    before = SETTINGS.host_threads, SETTINGS.host_memory
    with pytest.raises(KeyError), rb.config(host_threads=np.int64(5), host_memory=10):
        assert (SETTINGS.host_threads, SETTINGS.host_memory) == (5, 10)
        with rb.config(host_threads=6):
            assert (SETTINGS.host_threads, SETTINGS.host_memory) == (6, 10)
        assert SETTINGS.host_threads == 5
        raise KeyError
    assert (SETTINGS.host_threads, SETTINGS.host_memory) == before


def test_settings_hold_from_the_call_on():
    undo = rb.config(host_threads=2)
    assert SETTINGS.host_threads == 2
    with undo:
        pass
    assert SETTINGS.host_threads == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host_thread": 2}, r"rb.config, setting 'host_thread'.\nExpected: host_memory or host_threads\nGot: 'host_thread'\nDo: check"),
        ({"host_threads": 0}, r"rb.config, setting 'host_threads'.\nExpected: a positive integer\nGot: 0\nDo: pass 1"),
        ({"host_threads": True}, r"Got: True"),
        ({"host_memory": 1e9}, r"Got: 1000000000.0"),
        ({"host_memory": np.zeros(2)}, r"Got: a ndarray"),
    ],
)
def test_a_wrong_setting_changes_nothing(settings, message):
    before = SETTINGS.host_threads, SETTINGS.host_memory
    with pytest.raises(rb.RuleSignatureError, match=message):
        rb.config(**{"host_threads": 7, **settings})
    assert (SETTINGS.host_threads, SETTINGS.host_memory) == before


def test_a_batched_call_is_of_the_kind_its_function_is():
    assert type(Dot().batched((0, 0), 2)) is BatchedCall
    assert type(WideDot().batched((0, 0), 2).batched((0, 0), 2)) is WideCall
