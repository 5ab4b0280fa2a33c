"""What waits between the two passes of a compiled program: found by its owner, bounded, safe in threads and after a fork."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import rulebook as rb
from rulebook import trees
from rulebook.engines import load_engine
from rulebook.normal import NormalForm
from rulebook.residuals import RESIDUALS, Residuals, size_of

OWNER, OTHER = object(), object()


def pull_of(n):
    return lambda: n


@pytest.fixture
def store():
    return Residuals()


def test_a_token_finds_its_pullback_again_and_again(store):
    tokens = [store.keep(OWNER, pull_of(n), 10) for n in range(3)]
    assert len(set(tokens)) == 3
    for _ in range(2):
        assert [store.find(OWNER, t)() for t in tokens] == [0, 1, 2]
    assert (len(store), store.missed) == (3, 0)


def test_a_token_of_another_owner_finds_nothing_and_takes_nothing_away(store):
    token = store.keep(OWNER, pull_of(1), 10)
    assert store.find(OTHER, token) is None
    assert store.find(OWNER, token + 1) is None
    assert store.missed == 2
    assert store.find(OWNER, token)() == 1


def test_memory_is_bounded_oldest_first(store):
    with rb.config(host_memory=100):
        tokens = [store.keep(OWNER, pull_of(n), 30) for n in range(5)]
        assert [store.find(OWNER, t) is not None for t in tokens] == [False, False, True, True, True]


def test_what_was_used_goes_before_what_waits(store):
    with rb.config(host_memory=100):
        tokens = [store.keep(OWNER, pull_of(n), 30) for n in range(3)]
        store.find(OWNER, tokens[2])
        tokens.append(store.keep(OWNER, pull_of(3), 30))
        assert [store.find(OWNER, t) is not None for t in tokens] == [True, True, False, True]


def test_the_newest_stays_however_large_it_is(store):
    with rb.config(host_memory=100):
        first, second = (store.keep(OWNER, pull_of(n), 1000) for n in range(2))
        assert store.find(OWNER, first) is None
        assert store.find(OWNER, second)() == 1
        assert len(store) == 1


def test_of_those_used_a_few_stay(store):
    tokens = [store.keep(OWNER, pull_of(n), 1) for n in range(100)]
    assert all(store.find(OWNER, t) for t in tokens)
    assert len(store) <= 8
    assert store.find(OWNER, tokens[-1])() == 99


def test_the_sum_of_bytes_stays_right_through_all_that_happens(store):
    rng = np.random.default_rng(0)
    tokens = []
    with rb.config(host_memory=500):
        for n in range(400):
            tokens.append(store.keep(OWNER, pull_of(n), int(rng.integers(1, 100))))
            store.find([OWNER, OTHER][rng.integers(2)], tokens[rng.integers(len(tokens))])
            held = [e[2] for part in (store._waiting, store._used) for e in part.values()]
            assert store._bytes == sum(held) <= 500
    store.clear()
    assert (len(store), store._bytes) == (0, 0)


def test_what_is_dropped_is_freed(store):
    array = np.zeros(3)
    freed = weakref.ref(array)
    with rb.config(host_memory=100):
        store.keep(OWNER, functools.partial(np.dot, array), 60)
        del array
        store.keep(OWNER, pull_of(0), 60)
    gc.collect()
    assert freed() is None


def test_many_threads_keep_and_find(store):
    wrong = []

    def work(n):
        owner = object()
        for i in range(300):
            token = store.keep(owner, pull_of((n, i)), 10)
            found = store.find(owner, token)
            if found is None or found() != (n, i):
                wrong.append((n, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong
    assert store._bytes == 10 * len(store) <= 80


def test_what_frees_itself_may_come_back(store):
    """The code of a destructor runs outside the lock."""

    class Back:
        def __del__(self):
            store.find(OWNER, 0)

    def holding(back):
        return lambda: back

    with rb.config(host_memory=100):
        store.keep(OWNER, holding(Back()), 80)
        store.keep(OWNER, pull_of(1), 80)
    assert store.missed == 1


FORKED = """
import os
from rulebook.residuals import RESIDUALS

owner = object()
token = RESIDUALS.keep(owner, lambda: 7, 10)
with RESIDUALS._lock:  # as another thread may hold it
    child = os.fork()
    if not child:
        found = RESIDUALS.find(owner, token)
        os._exit(0 if found() == 7 and RESIDUALS.keep(owner, found, 1) != token + 1 else 1)
    print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_does_not_wait_for_a_lock_of_its_parent():
    """In a process of its own: engines that are loaded, and threads, warn of a fork."""
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\n"


# -- how much a pullback keeps ------------------------------------------------------------------------


class Factor:
    def __init__(self, matrix):
        self.matrix = matrix

    def pull(self, bar):
        return self.matrix @ bar


def closure_over(*values):
    return lambda bar: (bar, values)


@pytest.mark.parametrize(
    "make",
    [
        closure_over,
        lambda a: closure_over({"lu": (a, [1, 2])}),
        lambda a: closure_over(closure_over(a)),
        lambda a: functools.partial(np.dot, a),
        lambda a: Factor(a).pull,
        lambda a: closure_over(Factor(a)),
        lambda a: a.dot,
        lambda a: closure_over(a[:1]),  # a view keeps all of it
    ],
    ids=["closure", "containers", "closures", "partial", "method", "object", "method of an array", "view"],
)
def test_the_arrays_that_a_pullback_keeps_are_counted(make):
    a = np.zeros((100, 100))
    assert a.nbytes <= size_of(make(a)) < a.nbytes + 2000


def test_memory_that_cannot_be_seen_counts_as_much():
    assert size_of(closure_over(object())) > 1e6
    assert size_of(closure_over(np, int, "text", 3.0, None)) < 1000


def test_a_variable_that_is_not_bound_yet_is_no_error():
    def outer():
        inner = lambda: late
        size = size_of(inner)
        late = 1
        return size

    assert outer() < 1000


def test_a_pullback_counts_what_its_author_keeps_and_no_more():
    """What belongs to rulebook is shared by all pullbacks: counted, 256 MiB would be full after a hundred of them."""
    f = rb.primitive(lambda x: x**2, host=True, name="f")

    @rb.rrule(f, host=True)
    def _(x):
        kept = np.zeros(1000)
        return x**2, lambda bar: (bar * 2 * x + kept[0],)

    form = NormalForm(f, load_engine("dual"), trees.flatten((np.ones(3),))[1], {}, {})
    _, _, pull = form._host_reverse.begin([np.ones(3)])
    assert 8000 <= size_of(pull) < 12_000


def test_arguments_of_another_size_are_measured_anew():
    f = rb.primitive(lambda x: x**2, host=True, name="f")
    rb.rrule(f, host=True)(lambda x: (x**2, lambda bar: (bar * 2 * x,)))
    host = NormalForm(f, load_engine("dual"), trees.flatten((np.ones(3),))[1], {}, {})._host_reverse
    before = RESIDUALS._bytes
    for n in (3, 3, 3, 100_000):
        x = np.ones(n)
        host.keep([x], host.begin([x])[2])
    assert 800_000 <= RESIDUALS._bytes - before < 4_000_000
    RESIDUALS.clear()
