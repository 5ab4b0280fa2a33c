"""Host code under everything that a program does to it: threads, processes, pickles, exceptions, Ctrl-C; in every engine."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import rulebook as rb
from tests import host_targets
from tests.host_targets import ENGINES, errors_of, solve, value_and_grad, wrapped

ROOT = Path(__file__).parents[1]
COMPILED = ["jax.jit"] if "jax" in ENGINES else []
each_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(autouse=True)
def double_precision():
    if "jax" not in ENGINES:
        yield
        return
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def runner(engine, f=solve):
    """The derivative of (a, b) in an engine; compiled for "jax.jit"."""
    if engine != "jax.jit":
        return value_and_grad(engine, f)
    import jax

    return jax.jit(jax.value_and_grad(lambda a, b: (f(a, b) ** 2).sum(), argnums=1))


def in_threads(n, work):
    """`work(i)` in n threads at once; their results, or the first error."""
    start, found = threading.Barrier(n), [None] * n

    def run(i):
        try:
            start.wait(30)
            found[i] = work(i)
        except BaseException as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not any(t.is_alive() for t in threads), "deadlock"
    for value in found:
        if isinstance(value, BaseException):
            raise value
    return found


def python(code, *, check=True):
    """What a new process prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_X64": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# -- threads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [*ENGINES, *COMPILED])
def test_eight_threads_differentiate_one_primitive(engine):
    run = runner(engine)
    errors = in_threads(8, lambda i: errors_of(engine, range(5 * i, 5 * i + 5), run=run))
    assert max(errors) < 1e-12


@each_engine
def test_threads_with_nested_derivatives(engine):
    cube = rb.primitive(lambda x: np.asarray(x) ** 3, host=True, name="cube")
    cube.result = lambda x: x
    rb.pushforward(cube)(lambda y, primals, dots: 3 * primals[0] ** 2 * dots[0])
    hessian = rb.hessian(lambda x: cube(x).sum(), engine=engine)

    def work(i):
        x = np.arange(1.0, 4.0) + i
        return max(np.abs(hessian(x) - np.diag(6 * x)).max() for _ in range(10))

    assert max(in_threads(8, work)) < 1e-12


@each_engine
def test_threads_and_settings_of_numpy(engine):
    """Each thread has its own error state, which its host code sees."""
    f = rb.primitive(lambda x: x / np.zeros(1), host=True, name="f", result=lambda x: x)
    rb.rrule(f, host=True)(lambda x: (x / np.zeros(1), lambda bar: (bar,)))
    run = rb.value_and_grad(lambda x: f(x).sum(), engine=engine)

    def work(i):
        with np.errstate(divide="raise" if i % 2 else "ignore"):
            try:
                return float(run(np.ones(1))[0])
            except FloatingPointError:
                return "raised"

    assert in_threads(4, work) == [np.inf, "raised"] * 2


# -- processes ---------------------------------------------------------------------------------------------


def test_a_pool_of_new_processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(host_targets.all_engines, range(4), timeout=120))
    assert os.getpid() not in [pid for pid, _ in found]
    assert max(error for _, error in found) < 1e-12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_pool_of_forked_processes():
    """In a process of its own: JAX, where it is loaded, warns of a fork."""
    assert float(python("from tests.host_targets import fork_pool; fork_pool()")) < 1e-12


def test_a_pickle_is_the_primitive_itself_where_it_is_loaded():
    for f in (solve, wrapped):
        assert pickle.loads(pickle.dumps(f)) is f is copy.copy(f) is copy.deepcopy(f)
    code = f"import pickle; f = pickle.loads({pickle.dumps(wrapped)!r})\n"
    code += "import sys; assert 'autograd' not in sys.modules\n"
    code += "from tests.host_targets import errors_of, wrapped; assert f is wrapped; print(errors_of('dual', range(3), f))"
    assert float(python(code)) < 1e-12


def test_a_primitive_that_no_module_holds_is_not_pickled():
    local = rb.primitive(np.linalg.solve, host=True, name="local")
    with pytest.raises(rb.RuleSignatureError, match=r"local, pickle\.\nExpected: .*\nGot: one that no module holds\nDo: define it at"):
        pickle.dumps(local)
    assert copy.deepcopy([local])[0] is local


# -- what goes wrong ------------------------------------------------------------------------------------------


# Dual numbers go forward where there is a forward rule.
RULES = [
    (engine, part)
    for engine in [*ENGINES, *COMPILED]
    for part in ["primal", "pushforward", *(["rrule", "pullback"] if engine != "dual" else [])]
]


class Diverged(Exception):
    pass


def failing(parts, error):
    """x * 2, whose primal, forward or reverse rule raises while `fails` says so."""
    fails = []

    def check(part):
        if part in parts and fails:
            raise error

    def primal(x):
        check("primal")
        return x * 2

    def rrule(x):
        check("rrule")

        def pullback(bar):
            check("pullback")
            return (bar * 2,)

        return x * 2, pullback

    def push(y, primals, dots):
        check("pushforward")
        return dots[0] * 2

    f = rb.primitive(primal, host=True, name="mine.f", result=lambda x: x)
    rb.rrule(f, host=True)(rrule)
    rb.pushforward(f, host=True)(push)
    return f, fails


X = np.array([1.0, 2.0])


def reverse_of(engine, f):
    if engine != "jax.jit":
        return rb.value_and_grad(lambda x: f(x).sum(), engine=engine)
    import jax

    compiled = jax.jit(jax.value_and_grad(lambda x: f(x).sum()))
    return lambda x: jax.block_until_ready(compiled(x))


def forward_of(engine, f):
    if engine != "jax.jit":
        return lambda x: rb.jvp(lambda x: f(x).sum(), (x,), (np.ones(2),), engine=engine)
    import jax

    compiled = jax.jit(lambda x: jax.jvp(lambda x: f(x).sum(), (x,), (np.ones(2),)))
    return lambda x: jax.block_until_ready(compiled(x))


@pytest.mark.parametrize("error", [Diverged("no solution"), KeyboardInterrupt()], ids=["exception", "Ctrl-C"])
@pytest.mark.parametrize(("engine", "part"), RULES)
def test_what_host_code_raises_arrives_as_itself_and_the_next_call_is_right(engine, part, error):
    f, fails = failing([part], error)
    forward = part in ("primal", "pushforward") or engine == "dual"
    run = (forward_of if forward else reverse_of)(engine, f)
    for _ in range(2):
        fails.append(True)
        with pytest.raises(type(error)) as found:
            run(X)
        if isinstance(error, Diverged):
            assert "no solution" in str(found.value)
            assert any(f"Raised in the {'rrule' if part == 'pullback' else part} of mine.f" in n for n in found.value.__notes__)
        fails.clear()
        value, derivative = run(X)
        np.testing.assert_allclose(value, 6.0)
        np.testing.assert_allclose(derivative, 4.0 if forward else [2.0, 2.0])


@each_engine
def test_ctrl_c_by_a_signal(engine):
    out = python(f"from tests.host_targets import ctrl_c; ctrl_c({engine!r})")
    assert out.splitlines() == ["interrupted", "6.0 [2.0, 2.0, 2.0]"]


@pytest.mark.parametrize("engine", [*ENGINES, *COMPILED])
def test_nan_passes_through(engine):
    f = rb.primitive(lambda x: x * np.nan, host=True, name="f", result=lambda x: x)
    rb.rrule(f, host=True)(lambda x: (x * np.nan, lambda bar: (bar * np.nan,)))
    value, gradient = reverse_of(engine, f)(X)
    assert np.isnan(value) and np.isnan(gradient).all()


@pytest.mark.parametrize("returned", [np.float32, np.int64], ids=["single precision", "integers"])
@pytest.mark.parametrize("engine", [*ENGINES, *COMPILED])
def test_another_dtype_than_declared_is_refused_and_the_next_call_is_right(engine, returned):
    dtypes = [np.float64]
    f = rb.primitive(lambda x: (x * 2).astype(dtypes[0]), host=True, name="f", result=lambda x: x)
    rb.pullback(f, host=True)(lambda y, primals, bar: (bar * 2,))
    run = reverse_of(engine, f)
    for _ in range(2):
        dtypes[:] = [returned]
        with pytest.raises(
            rb.ResultSpecError,
            match=rf"(?s)primal of f .*result 0.*Expected: shape \(2,\), float64.*Got: shape \(2,\), {np.dtype(returned)}",
        ):
            run(X)
        dtypes[:] = [np.float64]
        np.testing.assert_allclose(run(X)[1], [2.0, 2.0])


@pytest.mark.parametrize(("engine", "part"), RULES)
def test_host_code_that_changes_its_arguments_is_refused(engine, part):
    """In every part, in every engine; the caller's array stays as it is."""

    def change(name, x):
        if name == part:
            x *= 2
            return x
        return x * 2

    f = rb.primitive(lambda x: change("primal", x), host=True, name="f", result=lambda x: x)
    rb.pushforward(f, host=True)(lambda y, primals, dots: change("pushforward", dots[0]))
    if part == "rrule":
        rb.rrule(f, host=True)(lambda x: (change("rrule", x), lambda bar: (bar * 2,)))
    else:
        rb.pullback(f, host=True)(lambda y, primals, bar: (change("pullback", bar),))
    x = X.copy()
    with pytest.raises(ValueError, match="read-only") as found:
        (forward_of if part == "pushforward" else reverse_of)(engine, f)(x)
    assert any("changed its arguments, which are read-only: copy them first" in n for n in found.value.__notes__)
    np.testing.assert_array_equal(x, X)
