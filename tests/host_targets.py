"""Host primitives that other processes import, and what those processes run."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import rulebook as rb
from rulebook.host import run_each

ENGINES = [name for name in ("autograd", "dual", "jax", "torch") if importlib.util.find_spec("rulebook.dual" if name == "dual" else name)]


@rb.primitive(host=True, result=lambda a, b: b)
def solve(a, b):
    return np.linalg.solve(a, b)


@rb.rrule(solve, host=True)
def _(a, b):
    inverse = np.linalg.inv(a)
    x = inverse @ b

    def pullback(x_bar):
        b_bar = inverse.T @ x_bar
        return -np.outer(b_bar, x), b_bar

    return x, pullback


@rb.frule(solve, host=True)
def _(primals, tangents):
    inverse = np.linalg.inv(primals[0])
    x = inverse @ primals[1]
    return x, inverse @ (tangents[1] - tangents[0] @ x)


wrapped = rb.primitive(np.linalg.solve, host=True, result=lambda a, b: b)  # of a function that another module owns
rb.pullback(wrapped)(lambda x, primals, x_bar: (None, wrapped(primals[0].T, x_bar)))


def problem(seed, n=3):
    """A system, and the value and gradient of |solve(a, b)|^2 with respect to b."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, n)) + 2 * n * np.eye(n), rng.normal(size=n)
    x = np.linalg.solve(a, b)
    return a, b, x @ x, 2 * np.linalg.solve(a.T, x)


def value_and_grad(engine, f=solve):
    """The function of (a, b) that an engine differentiates with respect to b."""
    return rb.value_and_grad(lambda a, b: (f(a, b) ** 2).sum(), engine=engine, argnums=1)


def errors_of(engine, seeds, f=solve, run=None):
    """How far an engine is off, at worst, over problems of several sizes."""
    run = run or value_and_grad(engine, f)
    worst = 0.0
    for seed in seeds:
        a, b, value, gradient = problem(seed, 2 + seed % 3)
        got, b_bar = run(a, b)
        worst = max(worst, abs(float(got) - value), np.abs(np.asarray(b_bar) - gradient).max())
    return worst


def all_engines(seed):
    """In a process of its own: (the process, the worst error over all engines)."""
    if "jax" in ENGINES:
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    return os.getpid(), max(errors_of(engine, [seed]) for engine in ENGINES)


def numpy_engines(seed):
    """The same for the engines that may be forked, with a batch on threads."""
    with rb.config(host_threads=2):
        assert run_each(lambda i: i * i, range(5)) == [0, 1, 4, 9, 16]
    return os.getpid(), max(errors_of(engine, [seed]) for engine in ("autograd", "dual") if engine in ENGINES)


def fork_pool():
    """Fork after engines and threads were used; each child uses them again."""
    parent, error = numpy_engines(0)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        found = list(pool.map(numpy_engines, range(6), timeout=60))
    assert all(pid != parent for pid, _ in found)
    print(max(error, *(e for _, e in found)))


# -- Ctrl-C ------------------------------------------------------------------------------------------------

interrupt = [False]


@rb.primitive(host=True, result=lambda x: x)
def slow(x):
    if interrupt[0]:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
    return x * 2


rb.rrule(slow, host=True)(lambda x: (slow(x), lambda bar: (bar * 2,)))


def ctrl_c(engine):
    """Ctrl-C during a solve, by a real signal; then the same call again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests in the background has it ignored
    if engine == "jax":
        import jax

        run = jax.jit(jax.value_and_grad(lambda x: slow(x).sum()))
    else:
        run = rb.value_and_grad(lambda x: slow(x).sum(), engine=engine)
    run(np.ones(3))
    interrupt[0] = True
    try:
        np.asarray(run(np.ones(3))[0])
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted")
    interrupt[0] = False
    value, gradient = run(np.ones(3))
    print(float(value), np.asarray(gradient).tolist())
