"""The engine's own arguments, counts of primal calls, threads, mistakes."""

import threading

import numpy as np
import pytest

import rulebook as rb
from rulebook.engines import load_engine
from tests.operators.subjects import ENGINES, call, close, first, marker, product, second, total

each_engine = pytest.mark.parametrize("engine", ENGINES)
both = pytest.mark.parametrize("prepared", [False, True], ids=["", "prepared"])
X, V = np.array([0.3, 0.6, 0.9]), np.array([2.0, -1.0, 0.5])


# -- the engine's own values in, its own out ---------------------------------------------------------------------


@both
@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("jax", "torch")])
def test_own_values_give_own_values(engine, prepared):
    use = load_engine(engine)
    x, v = use.asarray(X), use.asarray(V)
    cases = [
        (rb.grad, total, (x,), first(X)),
        (rb.value_and_grad, total, (x,), (np.sum(np.sin(X) * X), first(X))),
        (rb.jvp, product, ((x,), (v,)), (np.sin(X) * X, first(X) * V)),
        (rb.jacobian, product, (x,), np.diag(first(X))),
        (rb.hessian, total, (x,), np.diag(second(X))),
        (rb.hvp, total, ((x,), v), second(X) * V),
    ]
    for operator, fn, args, expected in cases:
        got = call(operator, fn, args, args, prepared)  # the engine is that of the values
        for a, b in zip(rb.trees.leaves_of(got), rb.trees.leaves_of(expected), strict=True):
            assert use.owns(type(a))
            np.testing.assert_allclose(use.to_numpy(a), b, rtol=1e-12)
    y, pull = call(rb.vjp, product, (x,), (x,), prepared)
    assert use.owns(type(y))
    np.testing.assert_allclose(use.to_numpy(pull(v)[0]), first(X) * V, rtol=1e-12)


@both
def test_gradients_in_torch_are_recorded_where_something_outside_records(prepared):
    torch = pytest.importorskip("torch")
    x, c = torch.tensor(X, requires_grad=True), torch.tensor(V, requires_grad=True)
    fn = lambda x: (x**3 * c).sum()
    for at in (x, x.detach()):
        gradient = call(rb.grad, fn, (at,), (at,), prepared)
        (by_c,) = torch.autograd.grad(gradient.sum(), c, retain_graph=True)
        np.testing.assert_allclose(by_c, 3 * X**2)
        product_by_c = torch.autograd.grad(call(rb.hvp, fn, ((at,), at), ((at,), at), prepared).sum(), c)[0]
        np.testing.assert_allclose(product_by_c, 6 * X**2)
        pulled = call(rb.vjp, lambda x: x**3 * c, (at,), (at,), prepared)[1](torch.ones(3, dtype=torch.float64))[0]
        np.testing.assert_allclose(torch.autograd.grad(pulled.sum(), c)[0], 3 * X**2)
    (by_x,) = torch.autograd.grad(call(rb.grad, fn, (x,), (x,), prepared).sum(), x)
    np.testing.assert_allclose(by_x, 6 * X * V)
    plain = lambda x: (x**3).sum()
    assert not call(rb.grad, plain, (x.detach(),), (x.detach(),), prepared).requires_grad
    with torch.no_grad():
        assert not call(rb.grad, fn, (x,), (x,), prepared).requires_grad
    captured = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    value, gradient = call(rb.value_and_grad, lambda x: captured, (x.detach(),), (x.detach(),), prepared)
    assert value.requires_grad and not gradient.any()


@both
@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("jax", "torch")])
def test_prepared_operators_inside_transformations(engine, prepared):
    use = load_engine(engine)
    x = use.asarray(np.stack([X, 2 * X]))
    gradient = rb.prepare(rb.grad, total, x[0]) if prepared else rb.grad(total)
    vmap, jvp = (pytest.importorskip("jax").vmap, pytest.importorskip("jax").jvp) if engine == "jax" else _torch_transformations()
    np.testing.assert_allclose(use.to_numpy(vmap(gradient)(x)), first(np.stack([X, 2 * X])), rtol=1e-12)
    np.testing.assert_allclose(use.to_numpy(jvp(gradient, (x[0],), (x[1],))[1]), second(X) * 2 * X, rtol=1e-12)


def _torch_transformations():
    func = pytest.importorskip("torch").func
    return func.vmap, func.jvp


@each_engine
def test_prepared_operators_nest(engine):
    inner = rb.prepare(rb.grad, total, X, engine=engine)
    close(rb.jvp(inner, (X,), (V,), engine=engine)[1], second(X) * V)
    close(rb.jacobian(inner, engine=engine)(X), np.diag(second(X)))


# -- how often the primal runs -----------------------------------------------------------------------------------

MANY = np.eye(3)
ONCE = {
    "grad": lambda f, **o: rb.grad(lambda x: rb.xp(x).sum(f(x)), **o)(X),
    "value_and_grad": lambda f, **o: rb.value_and_grad(lambda x: rb.xp(x).sum(f(x)), **o)(X),
    "jvp": lambda f, **o: rb.jvp(f, (X,), (V,), **o),
    "vjp": lambda f, **o: rb.vjp(f, X, **o)[1](V),
    "vjp of many": lambda f, **o: rb.vjp(f, X, batch=True, **o)[1](MANY),
    "derivative": lambda f, **o: rb.derivative(f, **o)(0.5),
    "second derivative": lambda f, **o: rb.second_derivative(f, **o)(0.5),
    "jacobian": lambda f, **o: rb.jacobian(f, **o)(X),
    "wide jacobian": lambda f, **o: rb.jacobian(lambda x: f(x)[:1], **o)(X),
    "tall jacobian": lambda f, **o: rb.jacobian(lambda x: rb.xp(x).stack([f(x), x]), **o)(X),
    "hessian": lambda f, **o: rb.hessian(lambda x: rb.xp(x).sum(f(x)), **o)(X),
    "hvp": lambda f, **o: rb.hvp(lambda x: rb.xp(x).sum(f(x)), (X,), V, **o),
    "hvp of many": lambda f, **o: rb.hvp(lambda x: rb.xp(x).sum(f(x)), (X,), MANY, batch=True, **o),
    "jvp of many": lambda f, **o: rb.jvp(f, (X,), (MANY,), batch=True, **o),
}


@each_engine
@pytest.mark.parametrize("name", ONCE)
def test_the_function_runs_once(engine, name):
    ran = []

    def fn(x):
        ran.append(1)
        return rb.xp(x).sin(x) * x

    ONCE[name](fn, engine=engine)
    assert len(ran) == (3 if (engine, name) == ("autograd", "jvp of many") else 1)  # autograd has one tangent at a time


@each_engine
@pytest.mark.parametrize("name", ["grad", "jvp", "vjp", "jacobian"])
def test_the_primal_of_a_primitive_runs_once(engine, name):
    ran = []

    @rb.primitive(name="counted", host=True, result=lambda x: rb.ShapeDtype(x.shape, x.dtype))
    def counted(x):
        ran.append(1)
        return np.sin(x)

    rb.pushforward(counted, host=True)(lambda y, primals, tangents: np.cos(primals[0]) * tangents[0])
    rb.pullback(counted, host=True)(lambda y, primals, y_bar: (np.cos(primals[0]) * y_bar,))
    ONCE[name](counted, engine=engine)
    assert len(ran) == 1


@each_engine
def test_a_prepared_operator_runs_the_function_as_rarely(engine):
    ran = []

    def fn(x):
        ran.append(1)
        return rb.xp(x).sum(rb.xp(x).sin(x) * x)

    for operator, args in ((rb.grad, (X,)), (rb.hessian, (X,)), (rb.hvp, ((X,), V))):
        prepared = rb.prepare(operator, fn, *args, engine=engine)
        ran.clear()
        prepared(*args)
        assert len(ran) == (0 if engine == "jax" else 1)  # a compiled program has no Python left


@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("torch", "autograd")])
def test_a_prepared_jacobian_with_more_rows_than_columns_goes_forward(engine):
    pulled = []
    wave = rb.primitive(name="watched", jit=False)(lambda x: rb.xp(x).sin(x))
    rb.pushforward(wave)(lambda y, primals, tangents: rb.xp(primals[0]).cos(primals[0]) * tangents[0])

    @rb.pullback(wave)
    def _(y, primals, y_bar):
        pulled.append(1)
        return (rb.project(primals[0], rb.xp(primals[0]).cos(primals[0]) * y_bar),)

    tall = rb.prepare(rb.jacobian, lambda x: rb.xp(x).stack([wave(x)] * 3), X, engine=engine)
    pulled.clear()
    expected = np.stack([np.diag(np.cos(2 * X))] * 3)
    close(tall(2 * X), expected)
    assert not pulled


# -- threads -----------------------------------------------------------------------------------------------------


@each_engine
@pytest.mark.parametrize("operator", [rb.grad, rb.hvp, rb.vjp], ids=lambda o: o.__name__)
def test_threads_share_a_prepared_operator(engine, operator):
    fn = lambda x, c: rb.xp(x).sum(product(x) * c)
    example = ((X,), V) if operator is rb.hvp else (X,)
    prepared = rb.prepare(operator, fn, *example, engine=engine, constants=(V,))
    wrong = []

    def work(k):
        x, c = X + 0.1 * k, V * k
        for _ in range(10):
            got = prepared((x,), V, constants=(c,)) if operator is rb.hvp else prepared(x, constants=(c,))
            got = got[1](1.0)[0] if operator is rb.vjp else got
            expected = second(x) * c * V if operator is rb.hvp else first(x) * c
            if not np.allclose(got, expected, rtol=1e-12):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# -- results -----------------------------------------------------------------------------------------------------


@both
@each_engine
def test_results_share_no_memory_with_arguments(engine, prepared):
    x, bar = X.copy(), V.copy()
    y, pull = call(rb.vjp, lambda x: x, (X,), (x,), prepared, engine=engine)
    (x_bar,) = pull(bar)
    gradient = call(rb.grad, lambda x: rb.xp(x).sum(x), (X,), (x,), prepared, engine=engine)
    again = call(rb.grad, lambda x: rb.xp(x).sum(x), (X,), (x,), prepared, engine=engine)
    for array in (x, bar, gradient):
        array[...] = 7
    close((y, x_bar, again), (X, V, np.ones(3)))


@both
@each_engine
def test_constant_functions(engine, prepared):
    close(call(rb.grad, lambda x: 1.0, (X,), (X,), prepared, engine=engine), np.zeros(3))
    close(call(rb.hvp, lambda x: rb.xp(x).sum(2.0 * x), ((X,), V), ((X,), V), prepared, engine=engine), np.zeros(3))
    close(call(rb.hessian, lambda x: rb.xp(x).sum(2.0 * x), (X,), (X,), prepared, engine=engine), np.zeros((3, 3)))
    close(call(rb.jacobian, lambda x: np.ones(2), (X,), (X,), prepared, engine=engine), np.zeros((2, 3)))


@each_engine
def test_rules_are_used(engine):
    assert rb.derivative(marker(), engine=engine)(0.0) == 100


@pytest.mark.parametrize("engine", ENGINES)
def test_what_changes_between_calls_is_one_of_the_constants(engine):
    """What a compiled program reads from outside stays as it was, as in jax.jit; a constant does not."""
    scale = 2.0
    outside = rb.prepare(rb.grad, lambda x: scale * total(x), X, engine=engine)
    passed = rb.prepare(rb.grad, lambda x, c: c * total(x), X, engine=engine, constants=(scale,))
    scale = 5.0
    close(outside(X), (2.0 if engine == "jax" else 5.0) * first(X))
    close(passed(X, constants=(scale,)), 5.0 * first(X))
