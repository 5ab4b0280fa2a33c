"""An engine's own function in the place of the rules, and the library function that stands for one of NumPy or SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook import native
from rulebook.testing import check_engines


def marked(**options):
    """The cube, whose rules are a hundred times too large: where they run shows."""
    f = rb.primitive(lambda x: x**3, name="marked", **options)
    rb.scalar_rule(f)(lambda y, x: (300 * x**2,))
    return f


def test_where_an_engine_has_the_function_its_own_is_called():
    jax = pytest.importorskip("jax")
    f = marked(native={"jax": lambda x: x * x * x})
    assert jax.jit(jax.grad(f))(2.0) == 12.0
    assert jax.jvp(jax.vmap(f), (np.ones(2),), (np.ones(2),))[1].tolist() == [3.0, 3.0]
    assert rb.derivative(f, engine="dual")(2.0) == 1200.0
    assert rb.rules(f).native == ("jax",)


def test_a_path_leads_into_the_namespace_of_the_engine():
    torch = pytest.importorskip("torch")
    f = marked(native={"torch": "special.i0e"})
    x = torch.tensor(2.0, dtype=torch.float64)
    assert f(x) == torch.special.i0e(x)


def test_numbers_and_numpy_arrays_become_values_of_the_engine():
    torch = pytest.importorskip("torch")
    f = rb.primitive(lambda pair, x: pair[0] + x, native={"torch": lambda pair, x: torch.add(pair[0], x)})
    assert f((1.0, np.ones(2)), torch.ones(2, dtype=torch.float64)).tolist() == [2.0, 2.0]


def test_statics_are_passed_on():
    torch = pytest.importorskip("torch")
    f = rb.primitive(lambda x, *, n=2: x * n, native={"torch": lambda x, *, n: x * n * 10})
    assert f(torch.tensor(1.0)) == 20.0
    assert f(torch.tensor(1.0), n=3) == 30.0


def test_what_stands_for_a_function_is_called_with_duals():
    ufunc = np.frompyfunc(lambda x: x, 1, 1)
    f = marked()
    native.stand_for(f, ufunc)
    assert rb.derivative(lambda x: ufunc(x), engine="dual")(2.0) == 1200.0


def test_the_counterpart_of_a_function_is_named():
    assert native.counterpart("scipy.linalg._solvers", "solve_sylvester") == "rulebook.rules.linalg.solve_sylvester"
    assert native.counterpart("scipy.linalg._solvers", "nothing") is None
    assert native.counterpart("elsewhere", "solve_sylvester") is None


def test_a_function_of_scipy_that_coerces_a_dual_is_told_its_counterpart():
    linalg = pytest.importorskip("scipy.linalg")
    a = np.eye(2)
    with pytest.raises(TypeError, match=r"Do: call rulebook.rules.linalg.solve_sylvester in the place of scipy.linalg.solve_sylvester"):
        rb.jvp(lambda a: linalg.solve_sylvester(a, a, a), (a,), (a,), engine="dual")
    with pytest.raises(TypeError, match=r"Do: use functions of numpy on x itself"):
        rb.jvp(linalg.bandwidth, (a,), (a,), engine="dual")


def test_the_checker_checks_an_engine_with_its_own_function():
    """Its values and derivatives; there is no rule to mark."""
    torch = pytest.importorskip("torch")
    for own, right in ((lambda x: x**3, True), (lambda x: x.detach() ** 3 + 0 * x, False)):
        f = rb.primitive(lambda x: x**3, native={"torch": own}, cases=[lambda rng: (rng.uniform(1, 2, 3),)])
        rb.scalar_rule(f)(lambda y, x: (3 * x**2,))
        report = check_engines(f, engines=["torch"], raise_=False)
        assert report.ok == right
        assert torch.is_tensor(f(torch.ones(2)))


def test_a_rule_that_replaces_another_is_used_in_every_engine():
    torch = pytest.importorskip("torch")
    f = marked(native={"torch": lambda x: x**3})
    rb.scalar_rule(f, replace=True)(lambda y, x: (7 * x,))
    x = torch.tensor(2.0, requires_grad=True)
    f(x).backward()
    assert x.grad == 14.0
