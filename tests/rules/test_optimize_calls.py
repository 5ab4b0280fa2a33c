"""scipy.optimize by rules: how often the solvers run, batches, captured values, dtypes, failures and bad input."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import rulebook as rb
from rulebook.rules import _procedures, optimize
from tests.rules.engines import ENGINES, staged
from tests.rules.optimize_cases import bowl, cubic, residuals, step, system

scipy_optimize = pytest.importorskip("scipy.optimize")

CALLS = {
    "root": lambda t: optimize.root(system, [1.0, 1.0], args=(t,)).x[0],
    "brentq": lambda t: optimize.brentq(cubic, 0.0, 5.0, args=(t,)),
    "newton": lambda t: optimize.newton(cubic, 1.0, args=(t,)),
    "fixed_point": lambda t: optimize.fixed_point(step, 1.0, args=(t,)),
    "minimize": lambda t: optimize.minimize(bowl, [0.5, 0.5], args=(t,)).x[1],
    "least_squares": lambda t: optimize.least_squares(residuals, [1.0], args=(t,)).x[0],
}
AT = np.array(2.0)


@pytest.fixture
def runs(monkeypatch):
    """How often SciPy's solvers ran, by name."""
    found = dict.fromkeys(CALLS, 0)

    def counted(name, solver):
        def run(*args, **options):
            found[name] += 1
            return solver(*args, **options)

        return run

    for name in CALLS:
        monkeypatch.setattr(scipy_optimize, name, counted(name, getattr(scipy_optimize, name)))
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CALLS)
def test_the_solver_runs_once_for_value_and_gradient_and_for_the_hessian(runs, name, engine):
    rb.value_and_grad(CALLS[name], engine=engine)(AT)
    assert runs[name] == 1
    staged(engine, rb.hessian(CALLS[name], engine=engine))(AT)
    assert runs[name] == 2


# -- batches ---------------------------------------------------------------------------------------

MANY = np.array([0.9, 2.0, 3.5])


@pytest.mark.parametrize("name", CALLS)
def test_vmap_of_jax(name):
    jax = pytest.importorskip("jax")
    g = CALLS[name]
    expected = [[float(rb.grad(g, engine="dual")(t)), float(g(t))] for t in MANY]
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda t: jax.numpy.stack([jax.grad(g)(t), g(t)])))(MANY), expected, rtol=1e-9)


@pytest.mark.parametrize("name", CALLS)
def test_vmap_of_torch(name):
    torch = pytest.importorskip("torch")
    g = CALLS[name]
    expected = [[float(rb.grad(g, engine="dual")(t)), float(g(t))] for t in MANY]
    many = torch.tensor(MANY)
    found = torch.stack([torch.func.vmap(torch.func.grad(g))(many), torch.func.vmap(g)(many)], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    moving = many.requires_grad_()
    torch.func.vmap(g)(moving).sum().backward()
    np.testing.assert_allclose(moving.grad, np.array(expected)[:, 0], rtol=1e-9)


def test_batches_run_on_threads():
    jax = pytest.importorskip("jax")
    expected = MANY ** (1 / 3)
    with rb.config(host_threads=3):
        np.testing.assert_allclose(jax.vmap(CALLS["brentq"])(MANY), expected, rtol=1e-9)


def test_an_elementwise_root_of_many_elements_makes_no_matrix(monkeypatch):
    from rulebook.implicit import dense

    monkeypatch.setattr(dense, "factorise", lambda *_: pytest.fail("a matrix was factored"))
    a = np.linspace(1.0, 5.0, 2000)
    for engine in ENGINES:
        if engine == "dual":
            continue  # its gradient is as many tangents as elements
        for solve in (
            lambda a: optimize.newton(cubic, np.ones(2000), args=(a,)),
            lambda a: optimize.brentq(cubic, 0.0, np.full(2000, 9.0), a),
        ):
            found = rb.grad(lambda a, solve=solve: solve(a).sum(), engine=engine)(a)
            np.testing.assert_allclose(found, a ** (-2 / 3) / 3, rtol=1e-9)


# -- captured values -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_captured_values_are_differentiated(engine):
    def through(t):
        xp = rb.xp(t)
        held = {"t": t}
        parts = [
            optimize.root(lambda x: x**3 - held["t"], [1.0]).x[0],
            optimize.brentq(lambda x: x**3 - t, 0.0, 5.0),
            optimize.newton(lambda x: x**3 - t, 1.0, lambda x: 3 * x**2 + 0 * t),
            optimize.fixed_point(lambda x: xp.sqrt(t / x), 1.0),
            optimize.minimize(lambda x: (x**4).sum() / 4 - t * x.sum(), [1.0]).x[0],
            optimize.least_squares(lambda x: x**3 - t, [1.0]).x[0],
        ]
        return sum(parts)

    assert float(through(AT)) == pytest.approx(6 * 2 ** (1 / 3), rel=1e-7)
    assert float(rb.grad(through, engine=engine)(AT)) == pytest.approx(2 * 2 ** (-2 / 3), rel=1e-7)
    assert float(rb.hessian(through, engine=engine)(AT)) == pytest.approx(-4 / 3 * 2 ** (-5 / 3), rel=1e-7)


# -- what is kept ----------------------------------------------------------------------------------


def test_functions_with_the_same_code_share_a_primitive():
    _procedures._kept.clear()
    for t in (1.0, 2.0, 3.0):
        optimize.brentq(lambda x, a: x - a, 0.0, 5.0, args=(t,))
    assert len(_procedures._kept) == 1
    optimize.brentq(lambda x, a: x - a, 0.0, 5.0, args=(t,), xtol=1e-3)
    assert len(_procedures._kept) == 2


def test_functions_that_differ_do_not_share_one():
    _procedures._kept.clear()
    found = [optimize.brentq(f, 0.0, 5.0) for f in [lambda x, k=k: x - k for k in (1.0, 2.0, 3.0)]]
    found += [optimize.brentq(f, 0.0, 5.0) for f in [(lambda k: lambda x: x - k)(k) for k in (1.0, 2.0, 3.0)]]
    np.testing.assert_allclose(found, [1.0, 2.0, 3.0] * 2)


def test_no_more_than_a_few_closures_are_kept():
    data = [np.full(3, float(k)) for k in range(100)]
    alive = [weakref.ref(d) for d in data]
    for d in data:
        optimize.root(lambda x, d=d: x - d, np.zeros(3))
    del data, d
    gc.collect()
    assert sum(a() is not None for a in alive) <= _procedures._MOST


def test_a_captured_graph_is_not_kept():
    torch = pytest.importorskip("torch")
    t = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    held = [t * 1.0]
    alive = weakref.ref(held[0])
    optimize.brentq(lambda x, held=held: x - held[0], 0.0, 5.0)
    held.clear()
    gc.collect()
    assert alive() is None


# -- starts and dtypes -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_float32_stays(engine):
    a = np.array([2.0, 3.0], np.float32)
    solvers = [
        lambda a: optimize.root(lambda x, a: x**3 - a, [1, 1], args=(a,)).x,
        lambda a: optimize.newton(cubic, [1.0, 1.0], args=(a,)),
        lambda a: optimize.brentq(cubic, 0, [5, 5], args=(a,)),
        lambda a: optimize.fixed_point(step, [1.0, 1.0], args=(a,)),
        lambda a: optimize.minimize(lambda x, a: (x**4 / 4 - a * x).sum(), [1.0, 1.0], args=(a,)).x,
        lambda a: optimize.least_squares(lambda x, a: x**3 - a, [1.0, 1.0], args=(a,)).x,
    ]
    for solve in solvers:
        x, gradient = staged(engine, rb.value_and_grad(lambda a, solve=solve: solve(a).sum(), engine=engine))(a)
        assert x.dtype == gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, a ** (-2 / 3) / 3, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_start_has_no_derivative(engine):
    start = np.array([1.0, 1.5])
    loss = lambda x0: optimize.root(system, x0, args=(2.0,)).x.sum() + optimize.newton(cubic, x0, args=(2.0,)).sum()
    np.testing.assert_array_equal(rb.grad(loss, engine=engine)(start), np.zeros(2))
    bracket = lambda b: optimize.brentq(cubic, 0.0, b, args=(2.0,))
    assert rb.grad(bracket, engine=engine)(np.array(5.0)) == 0


def test_results_have_scipys_numbers():
    ours, theirs = optimize.root(system, [1.0, 1.0], args=(2.0,)), scipy_optimize.root(system, [1.0, 1.0], args=(2.0,))
    assert ours.success
    assert ours.status == theirs.status == 1
    np.testing.assert_allclose(ours.x, theirs.x)
    np.testing.assert_allclose(ours.fun, 0, atol=1e-10)
    ours = optimize.minimize(bowl, [0.5, 0.1], args=(2.0,))
    assert ours.success
    assert ours.nfev > 0
    assert float(ours.fun) == pytest.approx(2 - 2 * np.log(2))
    ours = optimize.least_squares(residuals, [1.0], args=(2.0,))
    theirs = scipy_optimize.least_squares(residuals, [1.0], args=(2.0,))
    assert float(ours.cost) == pytest.approx(theirs.cost)
    np.testing.assert_allclose(ours.fun, theirs.fun, rtol=1e-5)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_losses_are_scipys(loss):
    t = np.linspace(0.0, 1.0, 6)
    line = lambda x, y: x[0] + x[1] * t - y
    y = 1 + 2 * t + np.array([0.0, 0.1, -0.05, 3.0, 0.02, -0.1])
    solve = lambda y: optimize.least_squares(line, [0.5, 2.5], loss=loss, f_scale=0.3, args=(y,))
    theirs = scipy_optimize.least_squares(line, [0.5, 2.5], loss=loss, f_scale=0.3, args=(y,), ftol=1e-15, xtol=1e-15, gtol=1e-15)
    np.testing.assert_allclose(solve(y).x, theirs.x, rtol=1e-7)
    assert float(solve(y).cost) == pytest.approx(theirs.cost, rel=1e-9)
    found = rb.jacobian(lambda y: solve(y).x, engine="dual")(y)
    h = 1e-5
    expected = np.stack([(solve(y + h * e).x - solve(y - h * e).x) / (2 * h) for e in np.eye(6)], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_refined_minimum_is_accurate_to_rounding():
    rough = scipy_optimize.minimize(bowl, [0.5, 0.1], args=(2.0,), options={"gtol": 1e-2})
    assert abs(rough.x - np.log(2)).max() > 1e-4
    np.testing.assert_allclose(optimize.minimize(bowl, [0.5, 0.1], args=(2.0,), options={"gtol": 1e-2}).x, np.log(2), rtol=1e-13)


# -- failures --------------------------------------------------------------------------------------


def _no_root(x, a):
    return x * x + a


def _cone(x):
    return (1e3 * x**2).sum() ** 0.5 - x[0]


@pytest.mark.parametrize(
    ("solve", "options", "message"),
    [
        ((optimize.root, _no_root, [1.0]), {"args": 1.0}, "The iteration is not making good progress"),
        ((optimize.newton, _no_root, 1.0), {"args": 1.0}, "Failed to converge; residual norm .* after 50 iterations"),
        ((optimize.newton, _no_root, [1.0, 2.0]), {"args": 1.0}, "Failed to converge; .* after 50 iterations"),
        ((optimize.brentq, cubic, 0.0, 5.0), {"args": 2.0, "maxiter": 3}, "Failed to converge; .* after 3 iterations"),
        ((optimize.brentq, cubic, 0.0, [5.0, 6.0]), {"args": 2.0, "maxiter": 3}, "Failed to converge; .* after 3 iterations"),
        ((optimize.fixed_point, lambda x: 2 * x + 1, 1.0), {"maxiter": 5, "method": "iteration"}, "after 5 iterations"),
        ((optimize.minimize, _cone, [3.0, 1.0]), {"options": {"maxiter": 1}}, "Maximum number of iterations has been exceeded"),
        ((optimize.least_squares, lambda x: np.exp(x) - 9, [-9.0]), {"max_nfev": 2}, "maximum number of function evaluations"),
    ],
)
def test_a_solver_that_stops_early_is_reported(solve, options, message):
    solver, *args = solve
    with pytest.warns(rb.implicit.NotConvergedWarning, match=message):
        solver(*args, **options)
    with pytest.raises(rb.implicit.NotConvergedError, match=message):
        solver(*args, **options, on_failure="raise")
    solver(*args, **options, on_failure="ignore")


def test_a_failure_inside_a_compiled_program_is_raised():
    jax = pytest.importorskip("jax")
    with pytest.raises(rb.implicit.NotConvergedError, match="Failed to converge"):
        jax.jit(jax.grad(lambda a: optimize.newton(_no_root, 1.0, args=(a,), on_failure="raise")))(1.0).block_until_ready()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_double_root_has_no_derivative(engine):
    with pytest.raises(rb.implicit.SingularError, match="newton of"):
        rb.grad(lambda a: optimize.newton(lambda x, a: x * x * a, np.zeros(2), args=(a,)).sum(), engine=engine)(np.ones(2))
    with pytest.raises(rb.implicit.SingularError, match="root of"):
        rb.grad(lambda a: optimize.root(lambda x, a: x * x * a, np.zeros(2), args=(a,)).x.sum(), engine=engine)(np.ones(2))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_that_couples_elements_is_refused(engine):
    coupled = lambda x, a: x + 0.01 * x.sum() - a
    with pytest.raises(rb.RuleSignatureError, match="an elementwise function of x"):
        rb.grad(lambda a: optimize.newton(coupled, np.ones(3), args=(a,), on_failure="ignore").sum(), engine=engine)(np.arange(3.0))


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optimize.root(system, [1.0, 1.0]), rb.RuleSignatureError, r"root of system, args\.\nExpected: .*\('t',\)\nGot: 0"),
        (lambda: optimize.root(system, [1.0, 1.0], args=(1.0, 2.0)), rb.RuleSignatureError, r"args\.\nExpected: 1 arguments .*\nGot: 2"),
        (lambda: optimize.newton(lambda x, a, b: x - a, 1.0, args=(1.0, 2.0)), rb.RuleSignatureError, "parameter 'b'.*never read"),
        (lambda: optimize.root(system, np.ones((2, 1)), args=(1.0,)), rb.RuleSignatureError, r"x0\.\nExpected: an array of shape \(n,\)"),
        (lambda: optimize.minimize(bowl, [1j, 1.0], args=1.0), rb.RuleSignatureError, r"x0\.\nExpected: real numbers"),
        (lambda: optimize.root(system, "here", args=(1.0,)), rb.RuleSignatureError, r"x0\.\nExpected: an array of numbers\nGot: a str"),
        (lambda: optimize.brentq(cubic, 2.0, 5.0, args=(1.0,)), ValueError, "must have different signs"),
        (lambda: optimize.brentq(cubic, [0.0, 2.0], 5.0, args=(1.0,)), ValueError, r"different signs; at element \[1\]"),
        (lambda: optimize.minimize(bowl, [1.0, 1.0], (1.0,), bounds=[(0, 1)] * 2), rb.RuleSignatureError, "bounds and constraints"),
        (lambda: optimize.least_squares(residuals, [1.0], bounds=(0, 1), args=(1.0,)), rb.RuleSignatureError, "bounds"),
        (lambda: optimize.least_squares(residuals, [1.0], loss="hubert", args=(1.0,)), rb.RuleSignatureError, "did you mean 'huber'"),
        (lambda: optimize.least_squares(residuals, [1.0], f_scale=[1], args=1.0), rb.RuleSignatureError, "f_scale.*\nGot: a list"),
        (lambda: optimize.root(system, [1.0, 1.0], (1.0,), on_failure="rise"), rb.RuleSignatureError, "did you mean 'raise'"),
        (lambda: optimize.root(system, [1.0, 1.0], (1.0,), method="hybrid"), ValueError, "Unknown solver hybrid"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        call()


@pytest.mark.parametrize("solve", [optimize.fixed_point, optimize.root, optimize.newton])
def test_an_equation_of_another_shape_than_x(solve):
    with pytest.raises(rb.RuleOutputError, match=r"of falls_short\.\nExpected: the shape of x, \(2,\)\nGot: \(1,\)"):
        solve(falls_short, np.ones(2), args=(np.ones(2),))


def falls_short(x, a):
    return (x - a)[:1]


def test_data_that_a_function_holds_may_be_the_engines():
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(9, 3)), rng.normal(size=9)

    def ridge(a, y):
        loss = lambda w, penalty: ((a @ w - y) ** 2).sum() + penalty * (w * w).sum()
        return lambda penalty: optimize.minimize(loss, np.zeros(3), args=(penalty,)).x.sum()

    expected = float(rb.grad(ridge(a, y), engine="dual")(AT))
    exact = -np.linalg.solve(a.T @ a + 2 * np.eye(3), np.linalg.solve(a.T @ a + 2 * np.eye(3), a.T @ y)).sum()
    assert expected == pytest.approx(exact, rel=1e-9)
    torch = pytest.importorskip("torch")
    g = ridge(torch.tensor(a), torch.tensor(y))
    assert float(torch.func.grad(g)(torch.tensor(2.0, dtype=torch.float64))) == pytest.approx(exact, rel=1e-9)
    jax = pytest.importorskip("jax")
    g = jax.jit(jax.grad(ridge(jax.numpy.asarray(a), jax.numpy.asarray(y))))
    assert float(g(2.0)) == pytest.approx(exact, rel=1e-9)


def test_a_complex_fixed_point():
    step = lambda x, c: (x + c / x) / 2
    assert complex(optimize.fixed_point(step, 1.0, args=(np.array(2j),))) == pytest.approx(1 + 1j)
    for engine in ENGINES:
        found = rb.grad(lambda c: rb.xp(c).real(optimize.fixed_point(step, 1.0 + 0.5j, args=(c,), xtol=1e-13)), engine=engine)(np.array(2j))
        assert complex(found) == pytest.approx(np.conj(0.5 / (1 + 1j)))


def test_a_whole_result_leaves_a_compiled_program():
    jax = pytest.importorskip("jax")
    found = jax.jit(lambda t: optimize.minimize(bowl, [0.5, 0.5], args=(t,)))(2.0)
    assert isinstance(found, optimize.OptimizeResult)
    assert bool(found.success)
    assert found.x.shape == (2,)
