"""What odeint refuses, and what a field may capture."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit.ode import odeint
from tests.implicit.ode_problems import logistic, logistic_solution
from tests.rules.engines import ENGINES

T = np.array([0.0, 0.5, 1.0])


def solve(y0=0.5, t=T, method="rk4", field=logistic, **options):
    return odeint(field, y0, t, 1.3, 2.0, method=method, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "rk45"}, r"odeint, method\.\nExpected: one of 'euler'.*'LSODA'\nGot: 'rk45'\nDo: did you mean 'RK45'\?"),
        ({"method": "dopri"}, r"method\.\nExpected: one of .*\nGot: 'dopri'\nDo: pass method='euler'"),
        ({"method": None}, r"method\.\nExpected: one of .*\nGot: None"),
        ({"steps": 0}, r"steps\.\nExpected: a positive integer.*\nGot: 0\nDo: pass steps=1 or more"),
        ({"steps": 2.0}, r"steps\.\nExpected: a positive integer.*\nGot: 2\.0"),
        (
            {"rtol": 1e-3},
            r"rtol\.\nExpected: no rtol for method='rk4', which is one with a fixed step\nGot: 0\.001\nDo: drop it, or set steps=",
        ),
        (
            {"method": "BDF", "steps": 3},
            r"steps\.\nExpected: no steps for method='BDF', which is one of SciPy\nGot: 3\nDo: drop it, or set rtol=",
        ),
        ({"method": "BDF", "atol": -1.0}, r"atol\.\nExpected: a positive number\nGot: -1\.0\nDo: pass atol=1e-08"),
        ({"sensitivity": "adjoint"}, r"sensitivity\.\nExpected: one of 'auto', 'discrete', 'continuous'\nGot: 'adjoint'"),
        ({"sensitivity": "continuous"}, r"sensitivity\.\nExpected: for method='rk4' 'discrete', the exact.*\nGot: 'continuous'"),
        (
            {"method": "BDF", "sensitivity": "discrete"},
            r"sensitivity\.\nExpected: for method='BDF' 'continuous', the adjoint.*\nGot: 'discrete'",
        ),
        ({"events": lambda t, y: y}, r"events\.\nExpected: None: .* out of scope\nGot: a function\nDo: call scipy.integrate.solve_ivp"),
        ({"t": np.array([1.0])}, r"odeint, t\.\nExpected: an array of at least two.*\nGot: shape \(1,\)\nDo: pass the time of y0 first"),
        ({"t": 1.0}, r"odeint, t\.\n.*\nGot: shape \(\)"),
        ({"t": np.array([0.0, 1.0, 1.0])}, r"odeint, t\.\n.*\nGot: t\[1\] = 1 and t\[2\] = 1"),
        ({"t": np.array([0.0, 2.0, 1.0])}, r"odeint, t\.\n.*\nGot: t\[1\] = 2 and t\[2\] = 1"),
        ({"t": np.array([0.0, np.nan])}, r"odeint, t\.\n.*\nGot: t\[0\] = 0 and t\[1\] = nan"),
        ({"t": np.array([0.0, np.inf])}, r"odeint, t\.\n.*\nGot: t\[0\] = 0 and t\[1\] = inf"),
        ({"t": np.array([0.0, 1j])}, r"odeint, t\.\n.*\nGot: complex numbers, complex128"),
        ({"y0": 1}, r"odeint, y0\.\nExpected: floating numbers to start from\nGot: dtype int64\nDo: pass floats, as 1\.0 for 1"),
        ({"y0": (1.0, np.arange(2))}, r"odeint, y0\[1\]\.\nExpected: floating numbers"),
        ({"y0": {"a": "x"}}, r"odeint, y0\['a'\]\.\nExpected: floating numbers\nGot: a str\nDo: pass an array"),
        ({"y0": ()}, r"odeint, y0\.\nExpected: an array or number, or a container of them\nGot: structure \(\)"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(rb.RuleSignatureError, match=f"(?s){message}"):
        solve(**options)


def test_wrong_times_are_found_in_every_engine():
    for engine in ENGINES:
        with pytest.raises(rb.RuleSignatureError, match=r"odeint, t\.\n.*\nGot: t\[0\] = 1 and t\[1\] = 1"):
            rb.grad(lambda y: solve(y, np.array([1.0, 1.0]))[-1], engine=engine)(0.5)


@pytest.mark.parametrize("method", ["rk4", "RK45"])
@pytest.mark.parametrize(
    ("y0", "rate", "message"),
    [
        (
            np.ones(2),
            lambda y: y[0],
            r"the result of field field\.\nExpected: shape \(2,\), that of y\nGot: shape \(\)\nDo: let field return",
        ),
        ({"a": 1.0, "b": np.ones(2)}, lambda y: {"a": y["a"], "b": 1.0}, r"field field, y\['b'\]\.\nExpected: shape \(2,\)"),
        ({"a": 1.0}, lambda y: y["a"], r"field field\.\nExpected: structure \{'a': \*\}\nGot: a "),
        ({"a": 1.0}, lambda y: {"b": y["a"]}, r"field field\.\nExpected: the keys \('a',\)\nGot: the keys \('b',\)"),
        (1.0, lambda y: None, r"field field\.\nExpected: shape \(\), that of y\nGot: a NoneType"),
        (1.0, lambda y: 1j * y, r"field field\.\nExpected: real numbers, float64, as in y\nGot: complex ones, complex128"),
    ],
)
def test_a_field_that_gives_something_else(method, y0, rate, message):
    def field(y, t):
        return rate(y)

    with pytest.raises(rb.RuleOutputError, match=f"(?s){message}"):
        odeint(field, y0, T, method=method)


class Growth:
    """A field with data."""

    def __init__(self, rate):
        self.rate = {"r": rate}

    def __call__(self, y, t):
        return self.rate["r"] * y * (1 - y / 2.0)

    def method(self, y, t):
        return self(y, t)


CAPTURES = {
    "closure": lambda r: lambda y, t: r * y * (1 - y / 2.0),
    "object": Growth,
    "method": lambda r: Growth(r).method,
    "default": lambda r: lambda y, t, r=r: r * y * (1 - y / 2.0),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", CAPTURES)
def test_captured_values_are_differentiated(engine, kind):
    exact = rb.derivative(lambda r: logistic_solution(0.5, T, r, 2.0)[-1], engine="dual")(1.3)
    run = lambda r: odeint(CAPTURES[kind](r), 0.5, T, method="rk4", steps=40)[-1]
    assert rb.grad(run, engine=engine)(1.3) == pytest.approx(exact, rel=1e-6)
    assert rb.jvp(run, (1.3,), (1.0,), engine=engine)[1] == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_captured_values_are_differentiated_by_scipy_too(engine):
    pytest.importorskip("scipy")
    exact = rb.derivative(lambda r: logistic_solution(0.5, T, r, 2.0)[-1], engine="dual")(1.3)
    run = lambda r: odeint(CAPTURES["closure"](r), 0.5, T)[-1]
    assert rb.grad(run, engine=engine)(1.3) == pytest.approx(exact, rel=1e-6)


def test_a_global_that_changes_is_seen(monkeypatch):
    """Also where JAX has compiled the steps."""
    for engine in ENGINES:
        for rate in (1.3, 0.4):
            monkeypatch.setattr("tests.implicit.test_odeint_calls.RATE", rate)
            found = rb.grad(lambda y: odeint(_by_global, y, T, method="rk4", steps=40)[-1], engine=engine)(0.5)
            exact = rb.derivative(lambda y, r=rate: logistic_solution(y, T, r, 2.0)[-1], engine="dual")(0.5)
            assert found == pytest.approx(exact, rel=1e-6)


RATE = 1.3


def _by_global(y, t):
    return RATE * y * (1 - y / 2.0)


def test_fields_that_hold_data_are_forgotten():
    """A training loop makes a field for every batch."""
    import gc
    import weakref

    class Batch:
        pass

    kept = []
    for _ in range(12):
        batch = Batch()
        kept.append(weakref.ref(batch))
        odeint(lambda y, t, batch=batch: -y, 1.0, T, method="rk4")
        for engine in ENGINES[1:]:
            rb.grad(lambda y, batch=batch: odeint(lambda y, t: -y if batch else y, y, T, method="rk4")[-1], engine=engine)(1.0)
    gc.collect()
    assert sum(ref() is not None for ref in kept) <= 8


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["rk4", "RK45"])
def test_a_state_without_elements(engine, method):
    found = rb.grad(lambda y: odeint(lambda y, t: -y, y, T, method=method).sum(), engine=engine)(np.ones((0, 2)))
    assert found.shape == (0, 2)


def test_a_field_that_takes_no_numpy_arrays():
    """The errors of other packages are theirs, with a note that says what ran."""
    import math

    with pytest.raises(TypeError) as caught:
        odeint(lambda y, t: np.array([math.sin(y)]), np.ones(2), T)
    assert "runs field on NumPy arrays" in "".join(caught.value.__notes__)
