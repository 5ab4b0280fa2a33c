"""The mode in which code of other libraries lets duals through: what it replaces, that all is put back, and that nothing is lost."""

from __future__ import annotations

import builtins
import copy
import functools
import importlib
import math
import numbers
import random
import sys
import threading
import types

import numpy as np
import pytest

import rulebook as rb
from rulebook import trees
from rulebook.dual import Dual, DualArray, live
from rulebook.dual.drivers import seed
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.tags import new_tag
from rulebook.dual.third_party import passing
from rulebook.dual.third_party.code import calls_float
from rulebook.dual.third_party.coercions import coercions
from rulebook.dual.third_party.lists import dispatching
from rulebook.dual.third_party.scalars import functions_of_math
from tests.dual.test_no_silent_drop import STEPS, _calls, _drops, _try, _wrong

X = np.array([0.4, 0.7, 1.2])


def _library(x):
    """As code of libraries begins and ends."""
    x = np.asarray(x, dtype=np.float64)
    y = np.empty(x.shape)
    y[:] = x**3
    return np.array([y.sum(), float(y[0]), math.exp(y[1])])


def _expected(x):
    first = 3 * x**2
    return np.stack([first, first * [1, 0, 0], np.exp(x**3) * first * [0, 1, 0]])


def test_code_runs_in_the_mode_and_is_refused_outside():
    with passing():
        np.testing.assert_allclose(rb.jacobian(_library, engine="dual")(X), _expected(X), rtol=1e-14)
    with pytest.raises(DroppedTangentError, match="tangent would be lost"):
        rb.jacobian(_library, engine="dual")(X)


def test_higher_derivatives():
    def third(f):
        for _ in range(3):
            f = rb.derivative(f, engine="dual")
        return f

    with passing():
        assert third(lambda x: _library(np.array([x, 1.0]))[0])(0.5) == pytest.approx(6.0)


@pytest.mark.parametrize("body, expected", [(lambda x, y: x + y, 1.0), (lambda x, y: x * y, 2.0), (lambda x, y: x * y * y, 6.0)])
def test_tangents_of_nested_calls_are_kept_apart(body, expected):
    def through_a_buffer(v):
        made = np.zeros(2)
        made[1] = np.asarray(v)
        return made[1]

    def outer(x):
        return x * rb.derivative(lambda y: through_a_buffer(body(x, y)), engine="dual")(1.0)

    with passing():  # x * 1, x * x, x * 2 x
        assert rb.derivative(outer, engine="dual")(1.5) == pytest.approx({1.0: 1.0, 2.0: 3.0, 6.0: 6.0}[expected])


COERCIONS = ["array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asarray_chkfinite", "require"]


TAG = new_tag()


def _dual(value):
    value = np.asarray(value)[()]
    return seed(value, np.ones((1, *np.shape(value))), TAG)


@pytest.mark.parametrize("name", COERCIONS)
def test_coercions(name):
    x, s = _dual(X), _dual(0.5)
    with passing():
        coerce = getattr(np, name)
        for value, plain in ((x, X), (s, 0.5), (X, X)):
            assert np.shape(coerce(value)) == coerce(plain).shape
        assert type(coerce(x)) is DualArray and type(coerce(X)) is np.ndarray
        assert coerce(x, np.float32).dtype == np.float32
        if name != "require":
            made = coerce([s, 2.0, [x, x][0][0]])
            assert made.shape == (3,)
            np.testing.assert_array_equal(made.tangent, [[1.0, 0.0, 1.0]])
        for dtype in (int, bool, object):
            with pytest.raises(TypeError):
                coerce(x, dtype)
    with pytest.raises(DroppedTangentError):
        getattr(np, name)(x)


def test_an_array_of_a_number_can_be_written_to():
    s = _dual(0.5)
    with passing():
        made = np.asarray(s)
        made[...] = 2 * s
        assert made.shape == () and made[()].t == 2.0 and s.t == 1.0
        assert np.array(s, ndmin=2).shape == (1, 1)


def test_copies_are_copies():
    x = _dual(X)
    with passing():
        for made in (np.array(x), np.asarray(x, copy=True)):
            made[0] = 9.0
            assert x.p[0] == X[0] and x.tangent[0, 0] == 1.0
        assert np.asarray(x) is x and np.array(x, copy=None) is x


MAKERS = {
    "empty": lambda: np.empty(2),
    "zeros": lambda: np.zeros((2,)),
    "ones": lambda: np.ones(2),
    "full": lambda: np.full(2, 3.0),
    "empty_like": lambda: np.empty_like(np.arange(2.0)),
    "zeros_like": lambda: np.zeros_like(np.arange(2.0)),
    "ones_like": lambda: np.ones_like(np.arange(2.0)),
    "full_like": lambda: np.full_like(np.arange(2.0), 3.0),
    "eye": lambda: np.eye(2)[0],
}


@pytest.mark.parametrize("name", MAKERS)
def test_buffers(name):
    def fill(x):
        made = MAKERS[name]()
        made[1] = x
        return made * made

    with passing():
        np.testing.assert_allclose(rb.derivative(fill, engine="dual")(0.5)[1], 1.0)
        assert type(MAKERS[name]()) is np.ndarray  # no derivative call is running


def test_filled_with_a_dual():
    with passing():
        np.testing.assert_allclose(rb.derivative(lambda x: np.full(3, x) * np.full_like(np.ones(3), x), engine="dual")(2.0), 4.0)


def test_lists_of_duals():
    with passing():
        assert rb.derivative(lambda x: np.sum([x, x**2, 1.0]) + np.dot([x, 1.0], [1.0, x]), engine="dual")(0.5) == pytest.approx(4.0)


MATH = [
    *(
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "atanh",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
    ),
    *("log1p", "sqrt", "cbrt", "fabs", "degrees", "radians"),
]
SPECIAL = ["gamma", "lgamma", "erf", "erfc"]


@pytest.mark.parametrize("name", [*MATH, *SPECIAL])
def test_functions_of_math(name):
    if name in SPECIAL:
        pytest.importorskip("scipy")
    h = 1e-5
    with passing():
        fn = getattr(math, name)
        slope = rb.derivative(lambda x: fn(x), engine="dual")(0.4)
        assert fn(0.4) == pytest.approx(getattr(math, name)(0.4))
    assert slope == pytest.approx((fn(0.4 + h) - fn(0.4 - h)) / (2 * h), rel=1e-7)


def test_functions_of_math_of_several():
    def f(x):
        return (
            math.hypot(x, 2.0, x)
            + math.atan2(x, 2.0)
            + math.pow(x, 3)
            + math.fsum([x, x])
            + math.prod([x, x])
            + math.dist([x], [3.0])
            + math.log(x, 2)
        )

    x, h = 0.7, 1e-5
    with passing():
        slope = rb.derivative(f, engine="dual")(x)
        with pytest.raises(ValueError):
            rb.derivative(lambda x: math.sqrt(x), engine="dual")(-1.0)
        assert rb.derivative(lambda x: x * math.floor(x) * math.isfinite(x), engine="dual")(2.5) == 2.0
    assert slope == pytest.approx((f(x + h) - f(x - h)) / (2 * h), rel=1e-7)


def test_duals_look_like_arrays_to_other_code_alone():
    s, x = _dual(0.5), _dual(X)
    with passing():
        assert isinstance(x, np.ndarray) and isinstance(s, float) and isinstance(s, numbers.Real) and isinstance(s, np.generic)
        assert type(x) is DualArray and isinstance(x, DualArray) and isinstance(s, Dual)
    assert not isinstance(x, np.ndarray) and not isinstance(s, float)


def _held():
    """What every module holds."""
    return {
        (name, key): value for name, module in list(sys.modules.items()) for key, value in list(getattr(module, "__dict__", {}).items())
    }


def test_everything_is_put_back():
    for _ in range(2):
        before, importing = _held(), builtins.__import__
        with pytest.raises(ZeroDivisionError), passing():
            assert sys.modules[__name__].np is not np.linalg and builtins.__import__ != importing
            with passing():
                rb.grad(lambda x: _library(x)[0], engine="dual")(X)
            assert live.is_on()
            raise ZeroDivisionError
        after = _held()
        assert builtins.__import__ is importing and not live.is_on()
        changed = {key for key in before.keys() & after.keys() if before[key] is not after[key] and key[0] != __name__}
        assert not {key for key in changed if callable(before[key]) or key[1] in ("np", "numpy", "math")}
        assert "float" not in vars(sys.modules[__name__]) and np is sys.modules["numpy"]


def test_other_threads_are_not_in_the_mode():
    x, found = _dual(X), {}

    def other():
        found["on"] = live.is_on()
        found["zeros"] = type(np.zeros(2))
        found["instance"] = isinstance(x, np.ndarray)
        try:
            np.asarray(x)
        except DroppedTangentError:
            found["refused"] = True

    with passing():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == {"on": False, "zeros": np.ndarray, "instance": False, "refused": True}


def test_threads_enter_and_leave_in_any_order():
    errors, start = [], threading.Barrier(4)

    def work(number):
        pause = random.Random(number)
        start.wait()
        for _ in range(25):
            try:
                with passing():
                    np.testing.assert_allclose(rb.jacobian(_library, engine="dual")(X), _expected(X), rtol=1e-13)
                if pause.random() < 0.5:
                    with pytest.raises(DroppedTangentError):
                        rb.jacobian(_library, engine="dual")(X)
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert np is sys.modules["numpy"] and math is sys.modules["math"]


MODULE = """
import math
import numpy as np
from math import sqrt
from numpy import asarray, zeros

def plain(x):
    made = zeros(2)
    made[0] = sqrt(asarray(x)) * float(x)
    return made.sum()

def inside(x):
    import numpy as numeric
    from math import exp
    made = numeric.zeros(2)
    made[1] = exp(numeric.asarray(x))
    return made.sum()

def mapped(x):
    return sum(map(float, [x, x]))
"""


def test_modules_imported_in_the_mode(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "imported_before.py").write_text(MODULE)
    (tmp_path / "imported_within.py").write_text(MODULE)
    before = importlib.import_module("imported_before")
    with passing():
        within = importlib.import_module("imported_within")
        assert rb.derivative(before.plain, engine="dual")(4.0) == pytest.approx(3.0)
        assert rb.derivative(before.inside, engine="dual")(0.5) == pytest.approx(math.exp(0.5))
        assert rb.derivative(before.mapped, engine="dual")(0.5) == 2.0
    for module in (before, within):
        assert module.np is sys.modules["numpy"] and module.asarray is np.asarray and module.zeros is np.zeros
        assert module.math is sys.modules["math"] and module.sqrt is math.sqrt and "float" not in vars(module)
    with passing():
        assert rb.derivative(within.plain, engine="dual")(4.0) == pytest.approx(3.0)
    del sys.modules["imported_before"], sys.modules["imported_within"]


def test_float_is_left_alone_where_it_is_compared_by_identity():
    namespace = {"__name__": "some_library"}
    exec("def f(x):\n    return float(x)\n", namespace)
    assert calls_float(namespace)
    exec("def g(x):\n    return type(x) is float\n", namespace)
    assert not calls_float(namespace)
    only_named = {"__name__": "some_library"}
    exec("def f(x):\n    return x.astype(float)\n", only_named)
    assert not calls_float(only_named)


def test_what_a_library_keeps_between_calls_is_refused():
    kept = {}

    def remembering(x):
        return np.sum(np.asarray(x)) * kept.setdefault("scale", np.asarray(x)[0])

    with passing():
        assert rb.grad(remembering, engine="dual")(X)[1] == X[0]
        with pytest.raises(DroppedTangentError, match="a derivative call that has ended"):
            rb.grad(remembering, engine="dual")(2 * X)
    with passing():  # in another block it is not known to have ended, but does not come out plain
        y, slope = rb.jvp(remembering, (2 * X,), (X,), engine="dual")
    assert type(y) is Dual and type(slope) is Dual


def test_a_cache_of_the_library_does_not_take_duals():
    cached = functools.lru_cache(lambda x: np.asarray(x) * 2.0)
    with passing(), pytest.raises(TypeError, match="unhashable"):
        rb.derivative(cached, engine="dual")(0.5)


def test_host_code_works_on_plain_arrays():
    kinds = []

    @rb.primitive(host=True)
    def cube(x):
        y = np.zeros(np.shape(x))
        kinds.append(type(y))
        y[...] = x**3
        return y

    rb.frule(cube, host=True)(lambda primals, tangents: (cube(*primals), 3 * primals[0] ** 2 * tangents[0]))
    with passing():
        np.testing.assert_allclose(rb.grad(lambda x: np.sum(cube(np.asarray(x))), engine="dual")(X), 3 * X**2)
    assert set(kinds) == {np.ndarray}


def test_compiled_code():
    lapack = pytest.importorskip("scipy.linalg.lapack")

    def on_a_buffer(x):
        return x * np.trace(lapack.dgetrf(2 * np.eye(3))[0])

    def after_it_was_handed_out(x):
        made = np.zeros((2, 2))
        lapack.dgetrf(made)
        made[0, 0] = x
        return made

    with passing():
        assert rb.derivative(on_a_buffer, engine="dual")(0.5) == 6.0
        with pytest.raises(DroppedTangentError, match="handed to compiled code"):
            rb.derivative(after_it_was_handed_out, engine="dual")(0.5)
        with pytest.raises(DroppedTangentError, match="tangent would be lost"):
            rb.derivative(lambda x: lapack.dgetrf(x * np.eye(3))[0], engine="dual")(0.5)


def test_solvers_of_scipy_are_refused():
    so = pytest.importorskip("scipy.optimize")
    runs = {
        "minimize": lambda x: so.minimize(lambda t: (t[0] - x) ** 2, [0.5], method="Nelder-Mead").x,
        "golden": lambda x: so.golden(lambda t: (t - x) ** 2),
        "brent": lambda x: so.brent(lambda t: (t - x) ** 2),
        "minimize_scalar": lambda x: so.minimize_scalar(lambda t: (t - x) ** 2).x,
        "bisect": lambda x: so.bisect(lambda t: t - x, 0.0, 2.0),
    }
    for name, run in runs.items():
        with passing(), pytest.raises(DroppedTangentError, match=f"given to scipy.optimize.{name} returns"):
            rb.derivative(run, engine="dual")(0.9)
    with passing():
        assert rb.derivative(lambda x: x * so.bisect(lambda t: t**2 - 4.0, 0.0, 3.0), engine="dual")(0.9) == pytest.approx(2.0)


def test_solvers_that_the_rule_library_has():
    so, si = pytest.importorskip("scipy.optimize"), pytest.importorskip("scipy.integrate")
    with passing():
        assert rb.derivative(lambda x: so.brentq(lambda t: t**3 - x, 0.0, 2.0), engine="dual")(1.3) == pytest.approx(1.3 ** (-2 / 3) / 3)
        twice = rb.derivative(
            rb.derivative(lambda x: si.quad(lambda t, c: np.exp(-t * c), 0.0, x, args=(x,))[0], engine="dual"), engine="dual"
        )
        x = 1.3  # the integral is (1 - exp(-x**2)) / x
        e = math.exp(-(x**2))
        assert twice(x) == pytest.approx((2 - 2 * e) / x**3 - 2 * e / x - 4 * x * e, rel=1e-8)


def test_compiled_integrators_are_not_reached():
    """LSODA crashes where an argument, or what the function returns, refuses to be an array."""
    si = pytest.importorskip("scipy.integrate")
    runs = [
        lambda x: si.solve_ivp(lambda t, y: -y, (0.0, 1.0), np.stack([x]), method="LSODA").y,
        lambda x: si.solve_ivp(lambda t, y: -x * y, (0.0, 1.0), [1.0], method="LSODA").y,
        lambda x: si.odeint(lambda y, t: -x * y, 1.0, [0.0, 1.0]),
        lambda x: si.ode(lambda t, y: -x * y).set_integrator("vode").set_initial_value([1.0]).integrate(1.0),
        lambda x: si.ode(lambda t, y: -x * y).set_integrator("dopri5").set_initial_value([1.0]).integrate(1.0),
    ]
    for run in runs:
        with passing(), pytest.raises(DroppedTangentError, match=r"scipy\.integrate"):
            rb.derivative(run, engine="dual")(0.9)
    with passing():
        y = si.solve_ivp(lambda t, y: -y, (0.0, 1.0), [1.0], method="LSODA", rtol=1e-10, atol=1e-10).y[0, -1]
    assert y == pytest.approx(math.exp(-1), rel=1e-8)
    assert isinstance(si._ode.lsoda.runner, types.BuiltinFunctionType)


@pytest.mark.parametrize(
    "write", [lambda a, v: np.place(a, True, v), lambda a, v: np.putmask(a, np.array(True), v), lambda a, v: np.put(a, [0], v)]
)
def test_writes_into_a_buffer_without_axes(write):
    def fill(x):
        made = np.empty(())
        write(made, np.stack([x, 2 * x]))
        return made[()]

    with passing():
        assert rb.derivative(fill, engine="dual")(0.5) == 1.0


def _in_the_mode(home, name):
    fn = getattr(home, name)

    def call(*args):
        with live.turned_on():
            return fn(*args)

    call.__name__ = name
    return call


def _replaced(numpy):
    """Module and name of each function that the mode replaces, and the calls to try."""
    of_lists = [args for args in _calls() if any(isinstance(a, (list, tuple)) for a in args)]
    of_one = [args for args in _calls() if len(args) == 1 or not isinstance(args[1], np.ndarray)]
    for fn in (*coercions(), numpy.full, numpy.full_like):
        yield np, fn.__name__, list(_calls())
    for fn in dispatching(numpy):
        yield np, fn.__name__, of_lists
    for fn in functions_of_math():
        yield math, fn.__name__, of_one


@pytest.mark.filterwarnings("ignore")
def test_no_plain_float_comes_out_of_what_is_replaced():
    tried = 0
    with passing(), live.suspended():
        for home, name, calls in _replaced(sys.modules["numpy"]):
            fn = _in_the_mode(home, name)
            for args in calls if name not in STEPS | {"trim_zeros"} else ():  # which gives a list for a list
                if any(isinstance(v, (Dual, DualArray)) for v in trees.flatten(args)[0]):
                    made, tried = _try(fn, copy.deepcopy(args))[1], tried + 1
                    assert not (made and _drops(fn, args)), (name, args)
                    wrong = made and _wrong(fn, args)
                    assert not wrong, (name, args, wrong)
    assert tried > 2000
