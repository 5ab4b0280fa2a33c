"""The torch bridge in eager mode: nestings, graphs, memory, and what it refuses."""

from __future__ import annotations

import functools
import gc
import itertools
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rulebook as rb

torch = pytest.importorskip("torch")

from torch import Tensor, func  # noqa: E402
from torch.autograd import forward_ad, gradcheck, gradgradcheck  # noqa: E402

KINDS = ("rules that close", "rules given y", "partials", "rrule alone", "pullback alone", "frule alone", "pushforward alone")


def plain(x: Any) -> Any:
    return torch.sin(x) * x


def slope(x: Any) -> Any:
    return torch.cos(x) * x + torch.sin(x)


def make(kind: str, marker: float = 1.0) -> tuple[Any, list[int]]:
    """sin(x) x with rules of one kind, and a counter of how often its value was computed."""
    runs = [0]

    @rb.primitive
    def f(x):
        runs[0] += 1
        return plain(x)

    if kind in ("rules that close", "frule alone"):

        @rb.frule(f)
        def _(primals, tangents):
            runs[0] += 1
            return plain(primals[0]), marker * slope(primals[0]) * tangents[0]

    if kind in ("rules that close", "rrule alone"):

        @rb.rrule(f)
        def _(x):
            runs[0] += 1
            d = marker * slope(x)
            return plain(x), lambda y_bar: (d * y_bar,)

    if kind in ("rules given y", "pushforward alone"):

        @rb.pushforward(f)
        def _(y, primals, tangents):
            return marker * slope(primals[0]) * tangents[0]

    if kind in ("rules given y", "pullback alone"):

        @rb.pullback(f)
        def _(y, primals, y_bar):
            return (marker * slope(primals[0]) * y_bar,)

    if kind == "partials":

        @rb.scalar_rule(f)
        def _(y, x):
            return (marker * (torch.cos(x) * x + y / x),)

    return f, runs


def point(n: int = 3, track: bool = False) -> Tensor:
    return (torch.linspace(1.1, 2.3, n, dtype=torch.float64)).requires_grad_(track)


def nested(f: Callable[..., Any], path: tuple[str, ...]) -> Callable[..., Any]:
    wraps = {
        "jvp": lambda h: lambda x: func.jvp(h, (x,), (torch.cos(x) + 2,))[1],
        "grad": lambda h: lambda x: func.grad(lambda z: (h(z) * torch.arange(1, z.numel() + 1).reshape(z.shape)).sum())(x),
        "vmap": lambda h: lambda x: func.vmap(h)(torch.stack([x, 2 * x, x * x])).sum(0),
    }
    for name in path:
        f = wraps[name](f)
    return f


@pytest.mark.parametrize("kind", KINDS)
def test_every_nesting_of_jvp_grad_and_vmap_to_depth_four(kind: str) -> None:
    f, _ = make(kind)
    paths = [p for n in range(1, 5) for p in itertools.product(("jvp", "grad", "vmap"), repeat=n)]
    assert len(paths) == 120
    wrong = [p for p in paths if not torch.allclose(nested(f, p)(point()), nested(plain, p)(point()), rtol=1e-9)]
    assert not wrong


def test_tangents_of_a_level_outside_of_vmap_stay_there() -> None:
    """torch shows the tangent of a value that is not mapped, and cannot make one there."""
    f = rb.primitive(lambda x, w: torch.sin(x) * w)
    rb.scalar_rule(f)(lambda y, x, w: (100 * torch.cos(x) * w, 100 * torch.sin(x)))
    native = lambda x, w: torch.sin(x) * w
    rows, w = torch.stack([point(), 2 * point()], 1), point() + 1
    pushed = lambda f: func.jvp(func.vmap(f, in_dims=(1, None), out_dims=1), (rows, w), (rows.cos(), w.cos()))[1]
    torch.testing.assert_close(pushed(f), 100 * pushed(native))
    rb.scalar_rule(f, replace=True)(lambda y, x, w: (torch.cos(x) * w, torch.sin(x)))
    for path in itertools.product((func.jacfwd, func.jacrev), repeat=3):
        third = lambda f: functools.reduce(lambda h, d: d(h), path, lambda t: f(t * t, torch.cos(t)))(torch.tensor(0.3))
        torch.testing.assert_close(third(f), third(native))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck_and_gradgradcheck_with_all_options(kind: str, fast: bool) -> None:
    f, _ = make(kind)
    x = point(track=True)
    every = {"check_batched_grad": True, "check_undefined_grad": True, "fast_mode": fast}
    assert gradcheck(f, (x,), check_forward_ad=True, check_batched_forward_grad=True, **every)
    assert gradgradcheck(f, (x,), check_fwd_over_rev=True, check_rev_over_rev=True, **every)


@pytest.mark.parametrize("kind", KINDS)
def test_third_derivatives_by_repeated_backward(kind: str) -> None:
    def third(f: Any) -> Any:
        x = point(track=True)
        y, found = f(x).sum(), []
        for _ in range(3):
            (g,) = torch.autograd.grad(y, x, create_graph=True)
            found.append(g.detach())
            y = g.sum()
        return torch.stack(found)

    torch.testing.assert_close(third(make(kind)[0]), third(plain))


@pytest.mark.parametrize("kind", KINDS)
def test_the_primal_runs_once(kind: str) -> None:
    f, runs = make(kind)
    x, tracked = point(), point(track=True)

    def dual() -> None:
        with forward_ad.dual_level():
            f(forward_ad.make_dual(x, x))

    cases = {
        "backward": lambda: f(tracked).sum().backward(),
        "create_graph": lambda: torch.autograd.grad(f(tracked).sum(), tracked, create_graph=True),
        "grad_and_value": lambda: func.grad_and_value(lambda x: f(x).sum())(x),
        "jacfwd": lambda: func.jacfwd(f)(x),
        "jacrev": lambda: func.jacrev(f)(x),
        "grad of vmap": lambda: func.grad(lambda x: func.vmap(f)(x).sum())(x),
        "dual_level": dual,
        "value_and_grad": lambda: rb.value_and_grad(lambda x: f(x).sum(), engine="torch")(np.ones(3)),
        "jacobian": lambda: rb.jacobian(f, engine="torch")(np.ones(3)),
    }
    counts = {}
    for name, run in cases.items():
        runs[0] = 0
        run()
        counts[name] = runs[0]
    assert counts == dict.fromkeys(cases, 1)


@pytest.mark.parametrize("host", [False, True])
def test_a_primal_of_several_results_runs_once_from_the_first_call_on(host: bool) -> None:
    runs = []

    def pair(x: Any) -> Any:
        runs.append(x)
        return rb.xp(x).sin(x), 2 * x

    f = rb.primitive(pair, host=host)
    rb.pullback(f)(lambda y, primals, y_bar: (rb.xp(*primals).cos(primals[0]) * y_bar[0] + 2 * y_bar[1],))
    for n in range(1, 4):
        x = point(track=True)
        first, second = f(x)
        torch.testing.assert_close(torch.autograd.grad(first.sum() + second.sum(), x)[0], torch.cos(point()) + 2)
        assert len(runs) == n


def test_a_function_of_a_rule_inside_func_grad_may_call_autograd_grad() -> None:
    def inner(f: Any) -> Any:
        def of(x: Any) -> Any:
            (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
            return (g * g).sum()

        return func.grad(of)(point())

    for kind in KINDS:
        torch.testing.assert_close(inner(make(kind)[0]), inner(plain))


def test_a_changed_input_is_detected() -> None:
    for kind in KINDS:
        x = point(track=True)
        z = x * 1
        y = make(kind)[0](z)
        z.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_a_changed_result_gives_the_right_gradient_or_raises() -> None:
    @rb.primitive
    def exp(x):
        return torch.exp(x)

    @rb.rrule(exp)
    def _(x):
        y = torch.exp(x)
        alias = y.detach()
        return y, lambda y_bar: (y_bar * alias,)

    x = point(track=True)
    y = exp(x).mul_(3)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], 3 * torch.exp(x.detach()))

    @rb.pullback(exp, replace=True)
    def _(y, primals, y_bar):
        return (y * y_bar,)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        exp(x).mul_(3).sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_backward_needs_retain_graph(kind: str) -> None:
    x = point(track=True)
    y = make(kind)[0](x).sum()
    first = torch.autograd.grad(y, x, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(y, x)[0], first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(y, x)


def test_residuals_are_freed() -> None:
    kept: list[weakref.ref[Any]] = []

    @rb.primitive
    def exp(x):
        return torch.exp(x)

    @rb.rrule(exp)
    def _(x):
        y = torch.exp(x)
        kept.append(weakref.ref(y))
        return y, lambda y_bar: (y_bar * y,)

    gc.disable()
    try:
        x = point(track=True)
        exp(x)
        assert kept[-1]() is None  # no cycle through the result
        y = exp(x)
        y.sum().backward()
        assert kept[-1]() is None  # the graph was freed, y lives
        y = exp(x)
        y.sum().backward(retain_graph=True)
        assert kept[-1]() is not None
    finally:
        gc.enable()


def test_autocast_is_restored_in_the_backward_pass() -> None:
    @rb.primitive
    def dense(x, w):
        return x @ w

    @rb.rrule(dense)
    def _(x, w):
        return x @ w, lambda y_bar: (y_bar @ w.mT, x.mT @ y_bar)

    @rb.primitive
    def dense_y(x, w):
        return x @ w

    @rb.pullback(dense_y)
    def _(y, primals, y_bar):
        x, w = primals
        return y_bar @ w.mT, x.mT @ y_bar

    for f in (dense, dense_y):
        x, w = torch.ones(2, 3, requires_grad=True), torch.ones(3, 2, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = f(x, w)
        assert y.dtype is torch.bfloat16
        y.sum().backward()
        assert x.grad is not None and x.grad.dtype is torch.float32
        torch.testing.assert_close(x.grad, torch.full((2, 3), 2.0))


def test_dtypes_and_numbers() -> None:
    @rb.primitive
    def scale(x, a):
        return x * a

    seen = []

    @rb.rrule(scale)
    def _(x, a):
        seen.append((a.dtype, a.shape))
        return x * a, lambda y_bar: (y_bar * a, (y_bar * x).sum())

    x = torch.ones(3, requires_grad=True)
    assert scale(x, 0.1).dtype is torch.float32
    assert scale(x, 2).dtype is torch.float32
    assert scale(x, np.float64(0.1)).dtype is torch.float32
    assert seen == [(torch.float32, ()), (torch.int64, ()), (torch.float64, ())]
    a = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    y = scale(x, a)
    y.sum().backward()
    assert x.grad is not None and x.grad.dtype is torch.float32
    assert a.grad is not None and a.grad.dtype is torch.float64
    assert scale(torch.ones(3, dtype=torch.bfloat16), 0.5).dtype is torch.bfloat16
    assert scale(2.0, 3.0) == 6.0


def test_parameters_subclasses_and_strides() -> None:
    f, _ = make("rules that close", 100.0)
    p = torch.nn.Parameter(point(6).reshape(2, 3))
    f(p.mT).sum().backward()
    torch.testing.assert_close(p.grad, 100 * slope(p.detach()))

    class Sub(Tensor):
        pass

    x = point().as_subclass(Sub).requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(f(x).sum(), x)[0].as_subclass(Tensor), 100 * slope(point()))
    spread = rb.primitive(lambda x: x.expand(4, 3), name="spread")

    @rb.frule(spread)
    def _(primals, tangents):
        return primals[0].expand(4, 3), 100 * tangents[0].expand(4, 3)

    _, y_dot = func.jvp(spread, (point(),), (point(),))
    torch.testing.assert_close(y_dot, 100 * point().expand(4, 3))


def test_the_batch_rule_is_used() -> None:
    sizes = []

    @rb.primitive
    def total(x, w):
        if float(x.sum()) > 1e9:  # no batched tensor can be asked for its value
            raise ValueError
        return (x * w).sum()

    @rb.rrule(total)
    def _(x, w):
        return total(x, w), lambda y_bar: (100 * w * y_bar, 100 * x * y_bar)

    @rb.batch_rule(total)
    def _(axis_size, in_batched, x, w):
        sizes.append((axis_size, in_batched))
        return (x * w).sum(-1), True

    xs, w = torch.arange(6.0).reshape(2, 3), torch.ones(3)
    torch.testing.assert_close(func.vmap(total, in_dims=(1, None))(xs.mT, w), xs.sum(1))
    assert sizes == [(2, (True, False))]
    torch.testing.assert_close(func.grad(lambda w: func.vmap(total, in_dims=(0, None))(xs, w).sum())(w), 100 * xs.sum(0))


def test_captured_tensors_are_right_or_refused() -> None:
    w = torch.nn.Parameter(point())

    def times(c: Any) -> Any:
        @rb.primitive
        def f(x):
            return x * c

        @rb.frule(f)
        def _(primals, tangents):
            return primals[0] * c, tangents[0] * c

        @rb.rrule(f)
        def _(x):
            return x * c, lambda y_bar: (y_bar * c,)

        return f

    x = point()
    refused = [
        lambda: times(w)(point(track=True)),
        lambda: times(torch.nn.Linear(3, 3).double().weight)(point(track=True)),
        lambda: func.grad(lambda c: times(c)(c * 2).sum())(x),
        lambda: func.grad(lambda c: times(c)(x).sum())(x),
        lambda: func.jvp(lambda c: times(c)(c * 2), (x,), (x,)),
        lambda: func.jvp(lambda c: times(c)(x), (x,), (x,)),
        lambda: func.grad(lambda x: func.vmap(lambda c, x: times(c)(x))(x.detach(), x).sum())(x),
    ]
    for run in refused:
        with pytest.raises(rb.RuleSignatureError, match=r"a captured tensor that is being differentiated[\s\S]*pass it as an argument"):
            run()
    with forward_ad.dual_level(), pytest.raises(rb.RuleSignatureError, match="pass it as an argument"):
        c = forward_ad.make_dual(x, x)
        times(c)(c * 2)
    torch.testing.assert_close(torch.autograd.grad(times(w)(x).sum(), w)[0], x)  # nothing but w is differentiated: plain code
    torch.testing.assert_close(func.vmap(lambda c: times(c)(c * 2))(x), 2 * x * x)
    outer = func.grad(lambda c: func.grad(lambda x: times(c)(x * x).sum())(x).sum())(x)
    torch.testing.assert_close(outer, 2 * x)


BAD: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "none": (lambda x: None, rb.RuleOutputError, r"rrule of bad \(engine torch\)\.\nExpected: the pair \(y, pullback\)\nGot: None"),
    "arity": (lambda x: (x, lambda b: (b, b)), rb.RuleOutputError, r"Expected: a tuple of 1 cotangent, for x\nGot: a tuple of 2"),
    "shape": (
        lambda x: (x * 1, lambda b: (b[None] + torch.zeros(4, 1),)),
        rb.RuleOutputError,
        r"cotangent of x\.\nExpected: shape \(3,\)[\s\S]*Got: shape \(4, 3\)",
    ),
    "type": (lambda x: (x * 1, lambda b: ("no",)), rb.RuleOutputError, r"Expected: an array of torch\nGot: a str"),
    "not implemented": (
        lambda x: (x * 1, lambda b: (rb.NotImplementedTangent("later"),)),
        rb.RuleMissingError,
        "NotImplementedTangent: later",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rules_are_named(name: str) -> None:
    rule, error, message = BAD[name]
    f = rb.primitive(lambda x: x * 1, name="bad")
    rb.rrule(f)(rule)
    for run in (
        lambda: f(point(track=True)).sum().backward(),
        lambda: torch.autograd.grad(f(x := point(track=True)).sum(), x, create_graph=True),
        lambda: func.grad(lambda x: f(x).sum())(point()),
    ):
        with pytest.raises(error, match=message):
            run()


def test_the_rule_that_raises_is_named() -> None:
    f = rb.primitive(lambda x: x * 1, name="clumsy")

    @rb.rrule(f)
    def _(x):
        def pull(y_bar):
            raise KeyError("oops")

        return x * 1, pull

    @rb.frule(f)
    def _(primals, tangents):
        raise ZeroDivisionError

    with pytest.raises(KeyError) as caught:
        f(point(track=True)).sum().backward()
    assert caught.value.__notes__ == ["Raised in the rrule of clumsy, engine torch."]
    with pytest.raises(ZeroDivisionError) as zero:
        func.jvp(f, (point(),), (point(),))
    assert zero.value.__notes__ == ["Raised in the frule of clumsy, engine torch."]
    torch.testing.assert_close(f(point()), point())


def test_numpy_code_that_meets_a_traced_tensor_says_so() -> None:
    f = rb.primitive(lambda x: np.sin(x), name="in NumPy")
    with pytest.raises(rb.RuleSignatureError, match=r"primal of in NumPy \(engine torch\)[\s\S]*rb\.xp, or mark it host=True"):
        func.vmap(f)(point())


def test_a_missing_rule_and_two_engines() -> None:
    f = rb.primitive(lambda x: x * 1, name="bare")
    torch.testing.assert_close(f(point()), point())
    with pytest.raises(rb.RuleMissingError, match=r"bare \(engine torch\)[\s\S]*a reverse rule"):
        f(point(track=True))
    with pytest.raises(rb.RuleMissingError, match="a forward rule"):
        func.jvp(f, (point(),), (point(),))


def test_operators_take_and_give_numpy() -> None:
    f, _ = make("rules given y", 100.0)
    x = np.linspace(1.1, 2.3, 3)
    d = slope(torch.from_numpy(x)).numpy()
    value, gradient = rb.value_and_grad(lambda x: f(x).sum(), engine="torch")(x)
    assert isinstance(gradient, np.ndarray)
    np.testing.assert_allclose(gradient, 100 * d)
    np.testing.assert_allclose(rb.jvp(f, (x,), (np.ones(3),), engine="torch")[1], 100 * d)
    np.testing.assert_allclose(rb.jacobian(f, engine="torch")(x), np.diag(100 * d))
    np.testing.assert_allclose(rb.derivative(f, engine="torch")(x[0]), 100 * d[0])
    h = rb.hessian(lambda x: plain(x).sum(), engine="torch")(x)
    np.testing.assert_allclose(h, func.hessian(lambda x: plain(x).sum())(torch.from_numpy(x)).numpy())
    assert value == pytest.approx(float(plain(torch.from_numpy(x)).sum()))


def test_rules_may_call_back_into_torch() -> None:
    @rb.primitive
    def f(x):
        return plain(x)

    @rb.frule(f)
    def _(primals, tangents):
        return rb.jvp(plain, primals, tangents)

    @rb.rrule(f)
    def _(x):
        return rb.vjp(plain, x)

    for path in [("grad",), ("jvp",), ("grad", "grad"), ("jvp", "grad"), ("vmap", "grad", "jvp")]:
        torch.testing.assert_close(nested(f, path)(point()), nested(plain, path)(point()))
    x = point(track=True)
    torch.testing.assert_close(torch.autograd.grad(f(x).sum(), x)[0], slope(point()))


def test_threads_hooks_anomaly_mode_and_inference_mode() -> None:
    f, _ = make("rules that close", 100.0)
    x = point(track=True)
    seen = []
    y = f(x)
    y.register_hook(lambda g: seen.append("tensor"))
    y.grad_fn.register_hook(lambda *g: seen.append("node"))
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        y.sum().backward()
    assert seen == ["tensor", "node"]
    with torch.inference_mode():
        torch.testing.assert_close(f(point()), plain(point()))


def test_a_primitive_in_a_module_is_copied_and_pickled() -> None:
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    x = point(track=True)
    torch.testing.assert_close(torch.autograd.grad(module_level(x).sum(), x)[0], torch.full((3,), 7.0, dtype=torch.float64))


@rb.primitive
def module_level(x: Any) -> Any:
    return x * 1


@rb.pullback(module_level)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    return (7.0 * y_bar,)
