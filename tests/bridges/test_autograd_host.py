"""Host code in autograd: primal and rules host or traceable, each on its own; counted, marked, nested; memory."""

import gc
import threading
import weakref

import numpy as np
import pytest

autograd = pytest.importorskip("autograd")

import autograd.numpy as anp  # noqa: E402
from autograd import grad, hessian, jacobian, make_jvp, make_vjp  # noqa: E402

import rulebook as rb  # noqa: E402
from tests.host_model import Made, Spec, W, X, linear_map, native, specs  # noqa: E402

Z = np.concatenate([X, W])
T, U, C = (np.random.default_rng(n).normal(size=size) for n, size in enumerate((6, 6, 3)))


def of_z(f):
    """The function of one vector, and a linear loss of it: the mark of a derivative is then that of the innermost rule."""
    g = lambda z: f(z[:3], z[3:])
    return g, lambda z: anp.sum(C * g(z))


def along(loss):
    return lambda z: make_jvp(loss)(z)(T)[1]


# name -> (the directions, innermost first; what it does)
TRANSFORMS = {
    "make_jvp": (["forward"], lambda f: make_jvp(of_z(f)[0])(Z)(T)[1]),
    "grad": (["reverse"], lambda f: grad(of_z(f)[1])(Z)),
    "make_vjp": (["reverse"], lambda f: make_vjp(of_z(f)[0])(Z)[0](C)),
    "jacobian": (["reverse"], lambda f: jacobian(of_z(f)[0])(Z)),
    "rb.jvp": (["forward"], lambda f: rb.jvp(f, (X, W), (T[:3], None), engine="autograd")[1]),
    "rb.vjp": (["reverse"], lambda f: np.stack(rb.vjp(f, X, W, engine="autograd")[1](C))),
    "rb.jacobian": (["reverse"], lambda f: rb.jacobian(f, engine="autograd", argnums=1)(X, W)),
    "jvp of grad": (["reverse", "forward"], lambda f: make_jvp(grad(of_z(f)[1]))(Z)(T)[1]),
    "hessian": (["reverse", "reverse"], lambda f: hessian(of_z(f)[1])(Z)),
    "grad of jvp": (["forward", "reverse"], lambda f: grad(along(of_z(f)[1]))(Z)),
    "jvp of jvp": (["forward", "forward"], lambda f: make_jvp(along(of_z(f)[1]))(Z)(U)[1]),
    "third, reverse": (["reverse"] * 3, lambda f: jacobian(hessian(of_z(f)[1]))(Z)),
    "third, forward": (["forward"] * 3, lambda f: make_jvp(lambda z: make_jvp(along(of_z(f)[1]))(z)(U)[1])(Z)(T)[1]),
    "third, mixed": (["reverse", "forward", "reverse"], lambda f: grad(lambda z: anp.sum(make_jvp(grad(of_z(f)[1]))(z)(T)[1] * U))(Z)),
}

TRANSFORMS_OF_Z = [
    ("jacobian", lambda g: jacobian(g)(Z)),
    ("make_jvp", lambda g: make_jvp(g)(Z)(T)[1]),
    ("hessian", lambda g: hessian(lambda z: anp.sum(C * g(z)))(Z)),
    ("jvp of grad", lambda g: make_jvp(grad(lambda z: anp.sum(C * g(z))))(Z)(T)[1]),
    ("grad of jvp", lambda g: grad(along(lambda z: anp.sum(C * g(z))))(Z)),
    ("third", lambda g: jacobian(hessian(lambda z: anp.sum(C * g(z))))(Z)),
    ("third, forward", lambda g: make_jvp(lambda z: make_jvp(along(lambda z: anp.sum(C * g(z))))(z)(U)[1])(Z)(T)[1]),
]


@pytest.fixture(scope="module")
def expected():
    return {name: run(native) for name, (_, run) in TRANSFORMS.items()}


@pytest.mark.parametrize("spec", list(specs()), ids=str)
def test_every_cell_is_right_or_raises(spec, expected):
    made = Made(spec)
    for name, (directions, run) in TRANSFORMS.items():
        if any(map(spec.is_host, directions[:-1])):  # all but the outermost are differentiated again, if only in y
            with pytest.raises(rb.HigherOrderError, match=r"of f \(engine autograd\), which is host code"):
                run(made.f)
            continue
        np.testing.assert_allclose(run(made.f), spec.mark(directions[0]) * expected[name], rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("host", [False, True])
def test_partials_are_a_rule_for_both_directions(host, expected):
    f = rb.primitive(lambda x, w: np.asarray(native(x, w)), host=True, name="f")
    partials = lambda y, x, w: ((rb.xp(x).cos(x) + 0.5) * w * 10.0, (rb.xp(x).sin(x) + 0.5 * x) * 10.0)
    rb.scalar_rule(f, host=host)(partials)
    for name, (directions, run) in TRANSFORMS.items():
        if len(directions) > 1 and host:
            with pytest.raises(rb.HigherOrderError, match=r"scalar_rule of f \(engine autograd\), which is host code"):
                run(f)
        else:
            np.testing.assert_allclose(run(f), 10.0 * expected[name], rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("kind", ["pushforward", "pullback", "scalar_rule"])
def test_a_rule_that_uses_y_keeps_it_linked_at_every_order(kind):
    """exp, whose derivative is its own value: a y cut from x would lose every order but the first."""
    f = rb.primitive(lambda x: np.exp(x), host=True, name="f")
    rules = {
        "pushforward": lambda y, primals, dots: y * dots[0],
        "pullback": lambda y, primals, bar: (y * bar,),
        "scalar_rule": lambda y, x: y,
    }
    getattr(rb, kind)(f)(rules[kind])
    g = lambda z: f(z[:3])
    loss = lambda z: anp.sum(C * g(z))
    for run in (
        lambda loss: jacobian(hessian(loss))(Z),
        lambda loss: make_jvp(make_second(loss))(Z)(T)[1],
        lambda loss: grad(lambda z: anp.sum(make_jvp(grad(loss))(z)(T)[1] * U))(Z),
    ):
        np.testing.assert_allclose(run(loss), run(lambda z: anp.sum(C * anp.exp(z[:3]))), rtol=1e-12)


def make_second(loss):
    return lambda z: make_jvp(along(loss))(z)(U)[1]


def test_without_rules_the_error_says_what_to_write():
    f = rb.primitive(lambda x: x * 2, host=True, name="f")
    for run in (lambda: grad(lambda x: anp.sum(f(x)))(X), lambda: make_jvp(f)(X)(X)):
        with pytest.raises(rb.RuleMissingError, match=r"f \(engine autograd\)"):
            run()
    np.testing.assert_array_equal(f(X), X * 2)


def test_a_linear_host_function_is_differentiable_to_every_order():
    """By itself and its transpose; nonlinear around it, so that no order vanishes."""
    f, native_map, ran = linear_map()
    around = lambda f: lambda z: f(anp.sin(z[:3]) * z[3:], W) ** 3
    for _, run in TRANSFORMS_OF_Z:
        np.testing.assert_allclose(run(around(f)), run(around(native_map)), rtol=1e-10)
    assert ran["map"] and ran["transpose"]
    with pytest.raises(rb.RuleMissingError, match=r"f \(engine autograd\), w"):
        grad(lambda w: anp.sum(f(X, w)))(W)


# -- how often ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rrule", "pullback"])
@pytest.mark.parametrize("primal", ["host", "traceable"])
@pytest.mark.parametrize("host", [False, True])
def test_a_jacobian_solves_the_primal_once(kind, primal, host):
    made = Made(Spec(primal, None, kind, False, host))
    jacobian(of_z(made.f)[0])(Z)
    assert made.ran == {"primal": 1, "pull": 3}
    made.ran.clear()
    grad(of_z(made.f)[1])(Z)
    assert made.ran == {"primal": 1, "pull": 1}


@pytest.mark.parametrize("kind", ["frule", "pushforward"])
@pytest.mark.parametrize("host", [False, True])
def test_a_tangent_solves_the_primal_once(kind, host):
    made = Made(Spec("host", kind, None, host, False))
    make_jvp(of_z(made.f)[0])(Z)(T)
    assert made.ran == {"primal": 1, "push": 1}


def test_a_swept_gradient_solves_the_primal_once():
    made = Made(Spec("host", "pushforward", None, True, False))
    grad(lambda x: anp.sum(made.f(x, W)))(X)
    assert made.ran == {"primal": 1, "push": 3}  # one for each element of x, none for w


def test_nothing_is_done_for_an_argument_that_is_constant():
    ran = []
    f = rb.primitive(lambda x, w: x * w, host=True, name="f")

    @rb.rrule(f, host=True)
    def _(x, w):
        thunk = lambda name, value: rb.thunk(lambda: (ran.append(name), value)[1])
        return x * w, lambda bar: (thunk("x", bar * w), thunk("w", bar * x))

    np.testing.assert_array_equal(grad(lambda x: anp.sum(f(x, W)))(X), W)
    assert ran == ["x"]
    grad(lambda w: anp.sum(f(X, w)))(W)
    assert ran == ["x", "w"]


def pair(symbolic_zeros=True):
    """(x**2, x**3) with a host pullback, and the cotangents that it got."""
    got = []
    f = rb.primitive(lambda x: (x**2, x**3), host=True, name="f")

    @rb.pullback(f, host=True, symbolic_zeros=symbolic_zeros)
    def _(y, primals, bars):
        got.append([b is not None for b in bars])
        terms = [n * primals[0] ** (n - 1) * b for n, b in ((2, bars[0]), (3, bars[1])) if b is not None]
        return (sum(terms),)

    return f, got


@pytest.mark.parametrize("used", [0, 1])
def test_no_work_for_a_result_that_nobody_uses(used):
    f, got = pair()
    np.testing.assert_allclose(grad(lambda x: anp.sum(f(x)[used]))(X), (2 * X, 3 * X**2)[used])
    assert got == [[used == 0, used == 1]]
    f, got = pair(symbolic_zeros=False)
    np.testing.assert_allclose(grad(lambda x: anp.sum(f(x)[used]))(X), (2 * X, 3 * X**2)[used])
    assert got == [[True, True]]


def test_both_results_used_at_once():
    f, got = pair()
    np.testing.assert_allclose(grad(lambda x: anp.sum(f(x)[0] * f(x)[1]))(X), 5 * X**4)
    assert got == [[False, True], [True, False]] or got == [[True, False], [False, True]]
    got.clear()

    def both(x):
        u, v = f(x)
        return anp.sum(u * v)

    np.testing.assert_allclose(grad(both)(X), 5 * X**4)
    assert got == [[True, True]]


def test_zeros_below_a_trace_are_no_zeros():
    """d/da of the gradient of a u + v at a = 0: the cotangent of u is zero there and its derivative is not."""
    f = rb.primitive(lambda x: (x**2, x**3), name="f")
    rb.pullback(f, symbolic_zeros=True)(
        lambda y, primals, bars: (sum(n * primals[0] ** (n - 1) * b for n, b in ((2, bars[0]), (3, bars[1])) if b is not None),)
    )
    gradient = lambda a: anp.sum(grad(lambda x: anp.sum(a * f(x)[0] + f(x)[1]))(X))
    np.testing.assert_allclose(grad(gradient)(0.0), np.sum(2 * X))


# -- memory ------------------------------------------------------------------------------------------------


def buffered():
    """A solver that returns its own buffer, which it writes to again, from every part of it."""
    buffer = np.zeros(3)

    def into(value):
        buffer[...] = value
        return buffer

    f = rb.primitive(lambda x: into(x**2), host=True, name="f")
    rb.pushforward(f, host=True)(lambda y, primals, dots: into(2 * primals[0] * dots[0]))
    rb.pullback(f, host=True)(lambda y, primals, bar: (into(2 * primals[0] * bar),))
    return f


def test_a_buffer_that_is_written_again_changes_no_result():
    f = buffered()
    chain = lambda x: anp.sum(anp.sin(f(x)) * f(f(x + 1.0)))
    plain = lambda x: anp.sum(anp.sin(x**2) * ((x + 1.0) ** 2) ** 2)
    np.testing.assert_allclose(grad(chain)(X), grad(plain)(X), rtol=1e-12)
    np.testing.assert_allclose(make_jvp(chain)(X)(W)[1], make_jvp(plain)(X)(W)[1], rtol=1e-12)
    y, pullback = rb.vjp(lambda x: (f(x), f(2 * x)), X, engine="autograd")
    np.testing.assert_array_equal(y[0], X**2)
    first, second = pullback((W, W))[0], pullback((X, X))[0]
    np.testing.assert_allclose(first, 10 * X * W)
    np.testing.assert_allclose(second, 10 * X * X)


@pytest.mark.parametrize("kind", ["rrule", "pullback"])
def test_a_function_that_returns_its_argument_shares_no_memory_with_it(kind):
    f = rb.primitive(lambda x: x, host=True, name="f")
    if kind == "rrule":
        rb.rrule(f, host=True)(lambda x: (x, lambda bar: (bar,)))
    else:
        rb.pullback(f, host=True)(lambda y, primals, bar: (bar,))
    for _ in range(2):
        x = X.copy()
        pull, y = make_vjp(f)(x)
        bar = np.ones(3)
        x_bar = pull(bar)
        for found, given in ((y, x), (x_bar, bar)):
            assert not np.shares_memory(found, given) and found.flags.writeable
        y += 1.0
        np.testing.assert_array_equal(x, X)


def test_a_new_result_is_not_copied():
    made = []

    def fn(x):
        y = x * 2
        made.append(y.__array_interface__["data"][0])
        return y

    f = rb.primitive(fn, host=True, name="f")
    rb.pullback(f, host=True)(lambda y, primals, bar: (bar * 2,))
    rb.pushforward(f, host=True)(lambda y, primals, dots: fn(dots[0]))
    for run in (lambda: rb.bind(f, "autograd")(X), lambda: make_vjp(f)(X)[1], lambda: make_jvp(f)(X)(X)[1]):
        for _ in range(2):
            y = run()
            assert y.__array_interface__["data"][0] == made[-1]


def test_what_an_rrule_keeps_is_its_own():
    """A pullback that goes on using y: nobody else's write reaches it."""
    f = rb.primitive(lambda x: np.exp(x), host=True, name="f")

    @rb.rrule(f, host=True)
    def _(x):
        y = np.exp(x)
        return y, lambda bar: (y * bar,)

    pull, y = make_vjp(f)(X)
    y[...] = 0.0
    np.testing.assert_allclose(pull(np.ones(3)), np.exp(X))


def test_what_an_rrule_keeps_is_freed_with_the_derivative():
    class Factor:
        pass

    kept = []
    f = rb.primitive(lambda x: x * 2, host=True, name="f")

    @rb.rrule(f, host=True)
    def _(x):
        factor = Factor()
        kept.append(weakref.ref(factor))
        return x * 2, lambda bar: (bar * 2, factor)[:1]

    grad(lambda x: anp.sum(f(x)))(X)
    gc.collect()
    assert len(kept) == 1 and kept[0]() is None


# -- what comes in, what goes wrong -----------------------------------------------------------------------------


def test_host_code_gets_numpy_from_its_namespace():
    """And not autograd's, as rules do."""
    seen = []

    def fn(x):
        seen.append(rb.xp(x))
        return x * 2

    f = rb.primitive(fn, host=True, name="f")
    rb.rrule(f, host=True)(lambda x: (fn(x), lambda bar: (fn(bar),)))
    grad(lambda x: anp.sum(f(x)))(X)
    assert seen and all(found is rb.xp(X) for found in seen)


def test_an_exception_in_the_pullback_arrives_as_itself_and_the_next_call_is_right():
    f = rb.primitive(lambda x: x * 2, host=True, name="f")
    fails = [True]

    def pull(y, primals, bar):
        if fails.pop():
            raise ZeroDivisionError("once")
        return (bar * 2,)

    rb.pullback(f, host=True)(pull)
    with pytest.raises(ZeroDivisionError, match="once") as found:
        grad(lambda x: anp.sum(f(x)))(X)
    assert found.value.__notes__ == ["Raised in the pullback of f, engine autograd."]
    fails[:] = [False]
    np.testing.assert_array_equal(grad(lambda x: anp.sum(f(x)))(X), np.full(3, 2.0))


def test_complex_host_code():
    f = rb.primitive(lambda z: z**2 * np.conj(z), host=True, name="f")
    rb.pullback(f, host=True)(lambda y, primals, bar: (2 * np.abs(primals[0]) ** 2 * bar + primals[0] ** 2 * np.conj(bar),))
    z = np.array([0.3 + 0.4j, -1.2 + 0.1j])
    loss = lambda z: anp.sum(anp.real(f(z)) * anp.imag(z))
    plain = lambda z: anp.sum(anp.real(z**2 * anp.conj(z)) * anp.imag(z))
    np.testing.assert_allclose(grad(loss)(z), grad(plain)(z), rtol=1e-12)
    np.testing.assert_allclose(make_jvp(loss)(z)(z)[1], np.real(np.sum(np.conj(np.conj(grad(plain)(z))) * z)), rtol=1e-12)


def test_nested_calls_in_other_arguments_are_first_order():
    """Each argument is differentiated once, in nested calls: host rules suffice where the inner result does not depend on the outer."""
    made = Made(Spec())
    outer = lambda x: anp.sum(x * anp.sum(grad(lambda w: anp.sum(made.f(X, w)))(W)))
    np.testing.assert_allclose(grad(outer)(X), 1000 * np.full(3, np.sum(np.sin(X) + 0.5 * X)))
    with pytest.raises(rb.HigherOrderError, match="pullback of f"):
        grad(lambda x: anp.sum(grad(lambda w: anp.sum(made.f(x, w)))(W)))(X)


# -- threads -----------------------------------------------------------------------------------------------


class _Other:
    """A trace in another thread, from `start` to `end`."""

    def __init__(self):
        self._started, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: grad(self._wait)(1.0), daemon=True)

    def _wait(self, x):
        self._started.set()
        self._go.wait(30)
        return x

    def start(self):
        self._thread.start()
        assert self._started.wait(30)

    def end(self):
        self._go.set()
        self._thread.join(30)


@pytest.mark.parametrize("outer", ["rulebook's", "autograd's"])
def test_a_trace_that_another_thread_ends_confuses_no_nested_traces(outer):
    """autograd numbers the traces of all threads together; the inner one must not get the number of the outer one."""
    other = _Other()
    made = Made(Spec("host", "pushforward", "pullback", False, False))

    def inner_gradient(x):
        other.end()
        return anp.sum(rb.grad(lambda x: anp.sum(made.f(x, W)), engine="autograd")(x))

    other.start()
    found = (rb.grad(inner_gradient, engine="autograd") if outer == "rulebook's" else grad(inner_gradient))(X)
    np.testing.assert_allclose(found, 1000 * -np.sin(X) * W)


def test_a_forward_rule_is_transposed_in_one_thread_while_another_uses_it():
    """Whether a call belongs to a transposition is a matter of its thread."""
    inside, go = threading.Event(), threading.Event()
    f = rb.primitive(lambda x: x**3, name="f")

    @rb.pushforward(f)
    def _(y, primals, dots):
        if not inside.is_set():
            inside.set()
            go.wait(30)
        return 100.0 * 3 * primals[0] ** 2 * dots[0]

    found = []
    thread = threading.Thread(target=lambda: found.append(grad(lambda x: anp.sum(f(x)))(X)), daemon=True)
    thread.start()
    assert inside.wait(30)
    hessian_here = hessian(lambda x: anp.sum(f(x)))(X)
    go.set()
    thread.join(30)
    np.testing.assert_allclose(hessian_here, np.diag(600 * X))
    np.testing.assert_allclose(found[0], 300 * X**2)


# -- the same call again, which may go a shorter way -----------------------------------------------------------


RESULTS = {
    "tuple": (lambda x, xp: (x**2, x**3), lambda y: anp.sum(y[0] * 2.0) + anp.sum(y[1])),
    "number": (lambda x, xp: xp.sum(x**2), lambda y: y * 3.0),
    "complex": (lambda x, xp: x**2 * (1.0 + 2.0j), lambda y: anp.sum(anp.real(y)) + anp.sum(anp.imag(y))),
    "integers": (lambda x, xp: (x**2, np.arange(3)), lambda y: anp.sum(y[0])),
    "array": (lambda x, xp: x**2, lambda y: anp.sum(y)),
    "by the shape": (lambda x, xp: (x**2, x**3) if x.shape == (3,) else x**2, lambda y: anp.sum(y[0] * 2.0) + anp.sum(y[1])),
}


@pytest.mark.parametrize("primal", ["host", "traceable"])
@pytest.mark.parametrize("host", [False, True])
@pytest.mark.parametrize("kind", ["pushforward", "frule", "pullback", "rrule"])
@pytest.mark.parametrize("result", RESULTS)
def test_every_kind_of_result_again_and_again(result, kind, host, primal):
    """The derivatives of dual numbers are those of the function itself: they make the rules."""
    fn, loss = RESULTS[result]
    f = rb.primitive(lambda x: fn(x, rb.xp(x)), host=primal == "host", name="f")
    value = (lambda x: fn(x, np)) if host else f

    def push(x, dot):
        return rb.jvp(lambda x: fn(x, np), (x,), (dot,), engine="dual")[1]

    def pull(x, bar):
        return rb.vjp(lambda x: fn(x, np), x, engine="dual")[1](bar)

    rules = {
        "pushforward": lambda y, primals, dots: push(primals[0], dots[0]),
        "frule": lambda primals, dots: (value(*primals), push(primals[0], dots[0])),
        "pullback": lambda y, primals, bar: pull(primals[0], bar),
        "rrule": lambda x: (value(x), lambda bar: pull(x, bar)),
    }
    getattr(rb, kind)(f, host=host)(rules[kind])
    for x in (X[:2], X[:2], X, X, X[:2]) if result == "by the shape" else (X, X):
        gradient = grad(lambda x: loss(fn(x, anp)))(x)
        if kind in ("pushforward", "frule") or host:  # a traceable rule made by dual numbers cannot be transposed by tracing it
            np.testing.assert_allclose(make_jvp(lambda x: loss(f(x)))(x)(W[: len(x)])[1], gradient @ W[: len(x)], rtol=1e-12)
        if kind in ("pullback", "rrule") or host:
            np.testing.assert_allclose(grad(lambda x: loss(f(x)))(x), gradient, rtol=1e-12)


# -- captured values -------------------------------------------------------------------------------------


def reading(a, part, again):
    """A host function that reads a in one part of it, past its arguments; used before with a number in place of a."""
    read = [2.0]
    times = lambda name, v: (read[0] if name == part else 2.0) * v
    f = rb.primitive(lambda x: times("primal", x), host=True, name="f")
    rb.pullback(f, host=True)(lambda y, primals, bar: (times("pullback", bar),))
    rb.pushforward(f, host=True)(lambda y, primals, dots: times("pushforward", dots[0]))
    if again:
        make_jvp(f)(X)(X)
        make_vjp(f)(X)[0](X)
    read[0] = a[0]
    return f


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("part", ["primal", "pullback", "pushforward"])
@pytest.mark.parametrize("nested", [False, True], ids=["of this trace", "of an outer trace"])
def test_a_captured_value_in_host_code_is_refused(part, nested, again):
    """Its derivative would be lost: NumPy makes an array of objects of it, which counts as a constant."""
    if part == "pushforward":
        inner = lambda a, x: make_jvp(lambda x: anp.sum(reading(a, part, again)(x)))(x)(X)[1]
    else:
        inner = lambda a, x: anp.sum(grad(lambda x: anp.sum(reading(a, part, again)(x)))(x))
    with pytest.raises(
        rb.RuleOutputError, match=rf"{part} of f \(engine autograd\).*\nExpected: a NumPy array\nGot: a value of autograd that is"
    ):
        if nested:
            grad(lambda a: inner(a, X))(X)
        elif part == "pushforward":
            make_jvp(lambda a: anp.sum(reading(a, part, again)(a)))(X)(X)
        else:
            grad(lambda a: anp.sum(reading(a, part, again)(a)))(X)


def test_an_array_of_objects_is_no_result():
    """NumPy makes one of a list of numbers and boxes, silently."""

    def gradient(a):
        f = rb.primitive(lambda x: np.array([a[0] * x[0], x[1]]), name="f")
        rb.pullback(f)(lambda y, primals, bar: (bar,))
        return anp.sum(grad(lambda x: anp.sum(f(x)))(X[:2]))

    with pytest.raises(
        rb.RuleOutputError, match=r"pullback of f .*, y\.\nExpected: an array of numbers\nGot: an array of objects: .*a ArrayBox"
    ):
        grad(gradient)(X)
