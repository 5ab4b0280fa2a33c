"""`rulebook.compat.torch.function`: an autograd.Function as a primitive of every engine.

The rules carry markers: backward gives 10 times the derivative and jvp 100 times, so that each result tells which of them ran.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

import rulebook as rb
from rulebook.compat.torch import function

REVERSE, FORWARD = 10.0, 100.0
X = 0.7
SIN, COS = np.sin(X), np.cos(X)
T = torch.tensor(X, dtype=torch.float64)
ONE = torch.ones_like(T)

ENGINES = ["torch", "dual", *(name for name in ("jax", "autograd") if find_spec(name))]
every_engine = pytest.mark.parametrize("engine", ENGINES)
every_style = pytest.mark.parametrize("style", ["ctx", "setup_context"])


def make(rules: str, style: str = "ctx", calls: list[str] | None = None) -> type[Function]:
    """sin as a Function with backward, jvp, or both; forward notes its calls."""
    note = [].append if calls is None else calls.append

    def value(x):
        note("forward")
        return torch.sin(x)

    def keep(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    def forward(ctx, x):
        keep(ctx, (x,), None)
        return value(x)

    def backward(ctx, y_bar):
        note("backward")
        (x,) = ctx.saved_tensors
        return REVERSE * torch.cos(x) * y_bar

    def jvp(ctx, x_dot):
        note("jvp")
        (x,) = ctx.saved_tensors
        return FORWARD * torch.cos(x) * x_dot

    parts: dict[str, Any] = {"forward": forward} if style == "ctx" else {"forward": value, "setup_context": keep}
    if "backward" in rules:
        parts["backward"] = backward
    if "jvp" in rules:
        parts["jvp"] = jvp
    return type("Sine", (Function,), {k: staticmethod(v) for k, v in parts.items()})


def forward_marker(rules: str) -> float:
    return FORWARD if "jvp" in rules else REVERSE


def reverse_marker(rules: str, engine: str) -> float:
    """Dual numbers have forward mode alone."""
    return forward_marker(rules) if engine == "dual" or "backward" not in rules else REVERSE


every_rules = pytest.mark.parametrize("rules", ["backward", "jvp", "backward jvp"])


# -- which rule runs ----------------------------------------------------------------------------------


@every_engine
@every_rules
@every_style
def test_each_mode_runs_its_rule(engine, rules, style):
    f = function(make(rules, style))
    np.testing.assert_allclose(rb.derivative(f, engine=engine)(X), forward_marker(rules) * COS, rtol=1e-12)
    np.testing.assert_allclose(rb.grad(f, engine=engine)(X), reverse_marker(rules, engine) * COS, rtol=1e-12)


@every_engine
@every_rules
@pytest.mark.parametrize("operator", ["jvp", "vjp"])
def test_forward_runs_once(engine, rules, operator):
    calls: list[str] = []
    f, x = function(make(rules, calls=calls)), np.array([X, 0.1])
    for _ in range(2):  # an engine may look at a first call to learn what the result is
        calls.clear()
        if operator == "jvp":
            rb.jvp(f, (x,), (np.ones(2),), engine=engine)
        else:
            rb.vjp(f, x, engine=engine)[1](np.ones(2))
    assert calls.count("forward") == 1


@every_engine
@every_rules
def test_second_derivatives(engine, rules):
    f = function(make(rules))
    found = rb.hessian(f, engine=engine)(X)
    marker = abs(found / SIN)
    assert any(np.isclose(marker, m) for m in (FORWARD, REVERSE)), marker
    np.testing.assert_allclose(found, -marker * SIN, rtol=1e-10)


@every_engine
def test_numpy_values_give_numpy_values(engine):
    y = function(make("backward"))(np.array([X]))
    assert type(y) is np.ndarray
    np.testing.assert_allclose(y, [SIN])


# -- torch ----------------------------------------------------------------------------------------------


@every_rules
@every_style
def test_plain_torch(rules, style):
    f = function(make(rules, style))
    x = T.clone().requires_grad_()
    (first,) = torch.autograd.grad(f(x), x, create_graph=True)
    marker = reverse_marker(rules, "torch")
    np.testing.assert_allclose(first.item(), marker * COS)
    (second,) = torch.autograd.grad(first, x)
    np.testing.assert_allclose(second.item(), -marker * SIN)


@every_rules
def test_torch_func(rules):
    f = function(make(rules, "setup_context"))
    forward, reverse = forward_marker(rules), reverse_marker(rules, "torch")
    batch = torch.stack([T, 2 * T])
    sin, cos = batch.sin().numpy(), batch.cos().numpy()
    np.testing.assert_allclose(torch.func.grad(f)(T), reverse * COS)
    np.testing.assert_allclose(torch.func.jvp(f, (T,), (ONE,))[1], forward * COS)
    np.testing.assert_allclose(torch.func.vmap(f)(batch), sin)
    np.testing.assert_allclose(torch.func.vmap(torch.func.grad(f))(batch), reverse * cos)
    np.testing.assert_allclose(torch.func.jacrev(f)(batch), np.diag(reverse * cos))
    np.testing.assert_allclose(torch.func.jacfwd(f)(batch), np.diag(forward * cos))
    np.testing.assert_allclose(torch.func.grad(torch.func.grad(f))(T), -reverse * SIN)


def test_compiled_torch_on_a_second_input():
    f = function(make("backward", "setup_context"))
    compiled = torch.compile(lambda x: 2 * f(x), backend="aot_eager", fullgraph=True)
    for value in (X, 1.1):
        x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        (x_bar,) = torch.autograd.grad(compiled(x), x)
        np.testing.assert_allclose(x_bar.item(), 2 * REVERSE * np.cos(value))


def test_the_result_is_that_of_apply():
    sine = make("backward")
    f = function(sine)
    np.testing.assert_array_equal(f(T), sine.apply(T))
    x = T.clone().requires_grad_()
    np.testing.assert_array_equal(torch.autograd.grad(f(x), x)[0], torch.autograd.grad(sine.apply(x), x)[0])


# -- jax ------------------------------------------------------------------------------------------------


@every_rules
def test_jax_transformations(rules):
    jax = pytest.importorskip("jax")
    f = function(make(rules))
    forward, reverse = forward_marker(rules), reverse_marker(rules, "jax")
    batch = np.array([X, 0.1, 1.3])
    gradient = jax.jit(jax.grad(f))
    for value in batch:
        np.testing.assert_allclose(gradient(value), reverse * np.cos(value))
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(batch), reverse * np.cos(batch))
    np.testing.assert_allclose(jax.jit(jax.vmap(f))(batch), np.sin(batch))
    np.testing.assert_allclose(jax.jacfwd(f)(batch), np.diag(forward * np.cos(batch)), atol=1e-12)
    np.testing.assert_allclose(jax.jacrev(f)(batch), np.diag(reverse * np.cos(batch)), atol=1e-12)


# -- arguments and results -----------------------------------------------------------------------------


class Affine(Function):
    """a * x ** n + b for a constant a, with an output that is not differentiable."""

    @staticmethod
    def forward(ctx, x, a, b, mode="cube", sizes=None):
        assert type(a) is float and mode in ("cube", "square") and sizes in (None, [1, 2])
        assert ctx.needs_input_grad[:3] == (True, False, True)
        ctx.n, ctx.a = {"cube": 3, "square": 2}[mode], a
        ctx.save_for_backward(x)
        sign = torch.sign(x)
        ctx.mark_non_differentiable(sign)
        return a * x**ctx.n + b, sign

    @staticmethod
    def backward(ctx, y_bar, sign_bar):
        assert not sign_bar.any()
        (x,) = ctx.saved_tensors
        return REVERSE * ctx.n * ctx.a * x ** (ctx.n - 1) * y_bar, None, REVERSE * y_bar, None, None


@every_engine
def test_constants_arrive_as_they_are(engine):
    f = function(Affine)
    for mode, n in (("cube", 3), ("square", 2)):
        value = lambda x, b, mode=mode: sum(f(x, 0.5, b, mode, [1, 2]))
        x_bar, b_bar = rb.grad(value, argnums=(0, 1), engine=engine)(X, 2.0)
        np.testing.assert_allclose([x_bar, b_bar], [REVERSE * 0.5 * n * X ** (n - 1), REVERSE])


@every_engine
def test_several_outputs(engine):
    f = function(Affine)
    (y, sign), pull = rb.vjp(lambda x, b: f(x, 0.5, b), X, 2.0, engine=engine)
    np.testing.assert_allclose([y, sign], [0.5 * X**3 + 2, 1])
    np.testing.assert_allclose(pull((np.array(1.0), np.array(5.0))), [REVERSE * 1.5 * X**2, REVERSE])
    np.testing.assert_allclose(pull((None, np.array(5.0)))[0], 0)


class Unmaterialised(Function):
    """Two results; a cotangent that is zero is None in backward."""

    seen: threading.local = threading.local()

    @staticmethod
    def forward(x):
        return x * 2, x * 3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, *bars):
        Unmaterialised.seen.nones = [b is None for b in bars]
        parts = [k * b for k, b in zip((2, 3), bars, strict=True) if b is not None]
        return sum(parts) if parts else None


def test_cotangents_that_are_none():
    f = function(Unmaterialised)
    x = T.clone().requires_grad_()
    (x_bar,) = torch.autograd.grad(f(x)[1], x)
    assert Unmaterialised.seen.nones == [True, False] and x_bar.item() == 3
    assert rb.grad(lambda x: f(x)[0], engine="torch")(X) == 2


class Times(Function):
    """a * b, which computes what is needed."""

    needed: threading.local = threading.local()

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, y_bar):
        a, b = ctx.saved_tensors
        Times.needed.flags = ctx.needs_input_grad
        return (y_bar * b if ctx.needs_input_grad[0] else None), (y_bar * a if ctx.needs_input_grad[1] else None)


def test_needs_input_grad():
    f = function(Times)
    x = T.clone().requires_grad_()
    assert torch.autograd.grad(f(x, 2 * T), x)[0] == 2 * X and Times.needed.flags == (True, False)
    assert torch.autograd.grad(f(2 * T, x), x)[0] == 2 * X and Times.needed.flags == (False, True)
    assert torch.func.grad(lambda x: f(x, 2 * T))(T) == 2 * X and Times.needed.flags == (True, True)
    for engine in ENGINES:
        np.testing.assert_allclose(rb.grad(f, argnums=(0, 1), engine=engine)(2.0, 3.0), [3, 2])


def test_torchs_own_checks():
    x = torch.tensor([0.5, 0.8], dtype=torch.float64, requires_grad=True)
    y = (2 * x).detach().requires_grad_()
    assert torch.autograd.gradcheck(function(Times), (x, y), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function(Times), (x, y))


class Exponential(Function):
    """Keeps its result."""

    @staticmethod
    def forward(ctx, x):
        y = torch.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, y_bar):
        (y,) = ctx.saved_tensors
        return y * y_bar


@every_engine
def test_a_kept_result_is_linked_in_second_derivatives(engine):
    np.testing.assert_allclose(rb.hessian(function(Exponential), engine=engine)(X), np.exp(X))


def test_third_derivatives():
    g = torch.func.grad(torch.func.grad(torch.func.grad(function(Exponential))))
    np.testing.assert_allclose(g(T), np.exp(X))


class Vectorised(Function):
    """A NumPy body, which vmap could not map, with a vmap of its own."""

    @staticmethod
    def forward(x):
        return torch.from_numpy(np.sort(x.numpy(), axis=-1))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, y_bar):
        (x,) = ctx.saved_tensors
        return torch.zeros_like(x).scatter(-1, torch.argsort(x), y_bar)

    @staticmethod
    def vmap(info, in_dims, x):
        return Vectorised.apply(x.movedim(in_dims[0], 0)), 0


def test_a_vmap_of_its_own():
    f = function(Vectorised)
    x = torch.tensor([[3.0, 1.0, 2.0], [6.0, 5.0, 4.0]])
    np.testing.assert_array_equal(torch.func.vmap(f, in_dims=1)(x.T), np.sort(x))
    np.testing.assert_array_equal(rb.grad(lambda x: f(x)[0], engine="dual")(np.array([3.0, 1.0, 2.0])), [0, 1, 0])


class Square(Function):
    """Of complex numbers."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z**2

    @staticmethod
    def backward(ctx, y_bar):
        (z,) = ctx.saved_tensors
        return 2 * z.conj() * y_bar


@every_engine
def test_complex_numbers(engine):
    f, z, y_bar = function(Square), np.array(1 + 2j), np.array(0.5 - 1j)
    np.testing.assert_allclose(rb.vjp(f, z, engine=engine)[1](y_bar)[0], 2 * np.conj(z) * y_bar)
    np.testing.assert_allclose(rb.jvp(f, (z,), (y_bar,), engine=engine)[1], 2 * z * y_bar)


class Scale(Function):
    """x * c with a keyword; vjp is another name of backward."""

    @staticmethod
    def forward(x, c=3.0):
        return x * c

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.c = inputs[1]

    @staticmethod
    def vjp(ctx, y_bar):
        return ctx.c * y_bar, None


def test_keywords_defaults_and_vjp():
    f = function(Scale)
    assert rb.grad(f, engine="dual")(2.0) == 3
    assert rb.grad(lambda x: f(x, c=5.0), engine="dual")(2.0) == 5
    assert rb.grad(lambda x: f(c=5.0, x=x), engine="torch")(2.0) == 5
    with pytest.raises(rb.RuleSignatureError, match=r"Scale\.\nExpected: the arguments \(x, c=3\.0\)"):
        f(2.0, d=1)


def test_the_primitive_is_one():
    f = function(make("backward jvp"), name="sine")
    assert isinstance(rb.rules(f), object) and rb.rules(f).name == "sine"
    np.testing.assert_allclose(rb.bind(f, "torch")(T), SIN)
    np.testing.assert_allclose(rb.bind(f, "dual")(np.array(X)), SIN)


class Double(Function):
    """A linear function: its cotangent does not depend on its argument."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, y_bar):
        return 2 * y_bar


@every_engine
def test_second_derivatives_of_a_linear_function_are_zero(engine):
    f = function(Double)
    assert rb.hessian(f, engine=engine)(X) == 0
    np.testing.assert_allclose(rb.hessian(lambda x: f(x) ** 2, engine=engine)(X), 8)
    hessian = torch.func.grad(torch.func.grad(lambda x: f(x) * x))
    np.testing.assert_allclose(hessian(T), 4)


# -- what is refused -----------------------------------------------------------------------------------


def static(name: str, **parts: Callable[..., Any]) -> type[Function]:
    return type(name, (Function,), {k: staticmethod(v) for k, v in parts.items()})


def saved(ctx, x):
    ctx.save_for_backward(x)
    return x * x * x


def halfway(ctx, x):
    ctx.save_for_backward(w := x * x)
    return w * x


def measured(ctx, x):
    ctx.x = x.item()
    return x**3


def dirty(ctx, x):
    ctx.mark_dirty(x)
    return x.add_(1)


def cube_bar(ctx, y_bar):
    return 3 * ctx.saved_tensors[0] ** 2 * y_bar


def by_square(ctx, y_bar):
    return 3 * ctx.saved_tensors[0] * y_bar


def by_number(ctx, y_bar):
    return 3 * ctx.x**2 * y_bar


def by_numpy(ctx, y_bar):
    return torch.as_tensor(3 * ctx.saved_tensors[0].detach().numpy() ** 2 * y_bar.detach().numpy())


def by_switching_off(ctx, y_bar):
    with torch.set_grad_enabled(False):
        return cube_bar(ctx, y_bar)


def by_kernel(ctx, y_bar):
    """A result that torch has not recorded, as of compiled code."""
    return _KERNEL(ctx.saved_tensors[0], y_bar)


def by_class(ctx, y_bar):
    return Parts.pull(ctx.saved_tensors[0], y_bar)


class Parts:
    @staticmethod
    def pull(x, y_bar):
        return 3 * x.detach() ** 2 * y_bar


class Kernel:
    def __call__(self, x, y_bar):
        return 3 * x.detach() ** 2 * y_bar.detach()


_KERNEL = Kernel()


def too_few(ctx, y_bar):
    return ()


first = lambda f: rb.grad(f, engine="torch")(2.0)
forward = lambda f: rb.derivative(f, engine="torch")(2.0)
second = lambda f: rb.hessian(f, engine="torch")(2.0)
second_in_dual = lambda f: rb.hessian(f, engine="dual")(2.0)

GAPS = {  # Function, what is asked for, error, message
    "once differentiable, twice": (static("F", forward=saved, backward=once_differentiable(cube_bar)), second, "once_differentiable"),
    "once differentiable, forward": (static("F", forward=saved, backward=once_differentiable(cube_bar)), forward, "write jvp"),
    "backward in NumPy, twice": (static("F", forward=saved, backward=by_numpy), second, "backward with detach, numpy"),
    "backward in NumPy, forward": (static("F", forward=saved, backward=by_numpy), forward, "write jvp"),
    "grad mode switched off": (static("F", forward=saved, backward=by_switching_off), second, "backward with set_grad_enabled"),
    "an unknown kernel, forward": (static("F", forward=saved, backward=by_kernel), forward, "that torch computed without recording"),
    "an unknown kernel, twice": (static("F", forward=saved, backward=by_kernel), second, "that torch computed without recording"),
    "cuts in a class": (static("F", forward=saved, backward=by_class), second, "backward with detach"),
    "an intermediate value, twice": (static("F", forward=halfway, backward=by_square), second, "kept as save_for_backward"),
    "the same in another engine": (static("F", forward=halfway, backward=by_square), second_in_dual, "kept as save_for_backward"),
    "a number read from a tensor, twice": (static("F", forward=measured, backward=by_number), second, r"kept as ctx\.x"),
    "mark_dirty": (static("F", forward=dirty, backward=cube_bar), first, "leaves its arguments as they are"),
    "a gradient too few": (static("F", forward=saved, backward=too_few), first, "1 gradients, one per argument of forward"),
}


@pytest.mark.parametrize("gap", GAPS)
def test_gaps(gap):
    kind, ask, message = GAPS[gap]
    f = function(kind)
    with pytest.raises(rb.RulebookError, match=message):
        ask(f)
    if kind.backward not in (too_few,) and "dirty" not in gap:
        assert first(f) == 12  # the first derivative is there all the same


class MarkedSquare(Function):
    """A cube whose backward needs the square, returned beside it; `marked` as not differentiable, which it is not."""

    marked = True

    @staticmethod
    def forward(x):
        return x**3, x**2

    @classmethod
    def setup_context(cls, ctx, inputs, outputs):
        ctx.save_for_backward(inputs[0], outputs[1])
        if cls.marked:
            ctx.mark_non_differentiable(outputs[1])

    @staticmethod
    def backward(ctx, y_bar, square_bar):
        x, square = ctx.saved_tensors
        return 3 * square * y_bar + 2 * x * square_bar


def test_a_kept_result_that_is_marked_has_a_first_derivative_alone():
    f = function(MarkedSquare)
    cube = lambda x: f(x)[0]
    assert rb.grad(cube, engine="torch")(2.0) == rb.grad(cube, engine="jax")(2.0) == 12
    for engine in ("torch", "dual"):
        with pytest.raises(rb.HigherOrderError, match=r"(?s)kept as save_for_backward.*from forward, unmarked"):
            rb.hessian(cube, engine=engine)(2.0)
    unmarked = function(type("UnmarkedSquare", (MarkedSquare,), {"marked": False}))
    assert rb.hessian(lambda x: unmarked(x)[0], engine="torch")(2.0) == 12


def test_tensors_in_a_container_have_no_derivative():
    f = function(static("F", forward=lambda ctx, xs: xs[0] * xs[1], backward=lambda ctx, y_bar: None))
    np.testing.assert_allclose(f([T, T]), X**2)
    with pytest.raises(rb.RuleMissingError, match="does not differentiate tensors inside of a container"):
        torch.func.grad(lambda x: f([x, x]))(T)


def test_what_is_no_function():
    with pytest.raises(rb.RuleSignatureError, match=r"a subclass of torch\.autograd\.Function"):
        function(make("backward").apply)
    with pytest.raises(rb.RuleSignatureError, match="a Function with backward or jvp"):
        function(static("F", forward=lambda ctx, x: x))


def test_a_captured_tensor_is_refused():
    w = T.clone().requires_grad_()
    f = function(static("F", forward=lambda ctx, x: x * w, backward=lambda ctx, y_bar: y_bar))
    with pytest.raises(rb.RuleSignatureError, match="captured"):
        torch.autograd.grad(f(T.clone().requires_grad_()), w)
