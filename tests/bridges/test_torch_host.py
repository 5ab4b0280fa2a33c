"""Host code in the torch bridge: every mix of host and traceable parts, memory, batches, and bad input."""

from __future__ import annotations

import functools
import gc
import itertools
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rulebook as rb

torch = pytest.importorskip("torch")

from torch import func  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

FORWARD, REVERSE = 100.0, 1000.0
KINDS = ("closed", "given y", "partials")


def plain(x: Any, w: Any) -> Any:
    return torch.sin(x) * w


def make(kind: str, primal: bool, forward: str, reverse: str) -> tuple[Any, dict[str, int]]:
    """sin(x) w; forward and reverse are "host", "traceable" or "none".  Host code refuses anything but read-only NumPy arrays."""
    runs = {"primal": 0, "forward": 0, "reverse": 0}

    def seen(what: str, host: bool, *values: Any) -> Any:
        runs[what] += 1
        if host:
            assert all(type(v) is np.ndarray and not v.flags.writeable for v in values)
        return rb.xp(*values)

    @functools.partial(rb.primitive, host=primal, result=lambda x, w: x)
    def f(x, w):
        return seen("primal", primal, x, w).sin(x) * w

    if kind == "partials":
        for direction, how, marker in (("forward", forward, FORWARD), ("reverse", reverse, REVERSE)):
            kept = {d: getattr(f, d) for d in ("forward", "reverse") if d != direction}

            @rb.scalar_rule(f, host=how == "host", replace=True)
            def _(y, x, w, marker=marker, how=how, direction=direction):
                xp = seen(direction, how == "host", y, x, w)
                return marker * xp.cos(x) * w, marker * xp.sin(x)

            for d, rule in kept.items():
                setattr(f, d, rule)
            if how == "none":
                setattr(f, direction, None)
        return f, runs
    closed = kind == "closed"
    if forward != "none":

        def push(primals: Any, tangents: Any) -> Any:
            (x, w), (x_dot, w_dot) = primals, tangents
            xp = seen("forward", forward == "host", *primals, *tangents)
            return xp.sin(x) * w, FORWARD * (xp.cos(x) * w * x_dot + xp.sin(x) * w_dot)

        decorate = (rb.frule if closed else rb.pushforward)(f, host=forward == "host")
        decorate(push if closed else lambda y, primals, tangents: push(primals, tangents)[1])
    if reverse != "none":

        def start(x: Any, w: Any) -> Any:
            xp = seen("reverse", reverse == "host", x, w)
            return xp.sin(x) * w, lambda y_bar: (REVERSE * xp.cos(x) * w * y_bar, REVERSE * xp.sin(x) * y_bar)

        decorate = (rb.rrule if closed else rb.pullback)(f, host=reverse == "host")
        decorate(start if closed else lambda y, primals, y_bar: start(*primals)[1](y_bar))
    return f, runs


def point(n: int = 3) -> Any:
    return torch.linspace(1.1, 2.3, n, dtype=torch.float64), torch.linspace(0.5, 1.5, n, dtype=torch.float64)


def tracked(n: int = 3) -> Any:
    return tuple(v.requires_grad_() for v in point(n))


def _backward(f: Any, **options: Any) -> Any:
    xs = tracked()
    return torch.autograd.grad(f(*xs).sum(), xs, **options)


def _checkpointed(f: Any, reentrant: bool) -> Any:
    xs = tracked()
    checkpoint(f, *xs, use_reentrant=reentrant).sum().backward()
    return [x.grad for x in xs]


def _hooked(f: Any) -> Any:
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x.numpy(force=True).copy(), torch.from_numpy):
        return _backward(f)


def _batched_by_engine(f: Any) -> Any:
    xs = tracked()
    y = f(*xs)
    return torch.autograd.grad(y, xs, torch.eye(3, dtype=torch.float64), is_grads_batched=True)


def _dual(f: Any, *, track: bool = False) -> Any:
    with forward_ad.dual_level():
        xs = [forward_ad.make_dual(x, t) for x, t in zip(tracked() if track else point(), _directions(), strict=True)]
        return forward_ad.unpack_dual(f(*xs)).tangent


def _directions() -> Any:
    x, w = point()
    return torch.cos(x), w + 2


def _rows() -> Any:
    x, w = point()
    return torch.stack([x, 2 * x], 1), w


def _twice(f: Any) -> Any:
    x, w = point()
    return func.vmap(func.vmap(f, in_dims=(0, None)), in_dims=(1, None))(x * torch.arange(1.0, 9.0).reshape(2, 4, 1), w)


SUM = lambda f: lambda *xs: f(*xs).sum()
REVERSE_MODE: dict[str, Callable[[Any], Any]] = {
    "backward": _backward,
    "create_graph": lambda f: _backward(f, create_graph=True),
    "checkpoint": lambda f: _checkpointed(f, False),
    "reentrant checkpoint": lambda f: _checkpointed(f, True),
    "saved-tensor hooks": _hooked,
    "is_grads_batched": _batched_by_engine,
    "func.grad": lambda f: func.grad(SUM(f), (0, 1))(*point()),
    "func.vjp": lambda f: func.vjp(f, *point())[1](point()[0]),
    "jacrev": lambda f: func.jacrev(f, (0, 1))(*point()),
    "vmap of grad": lambda f: func.vmap(func.grad(SUM(f), (0, 1)), in_dims=(1, None))(*_rows()),
    "grad of vmap": lambda f: func.grad(lambda *xs: func.vmap(f, in_dims=(1, None))(*xs).sum(), (0, 1))(*_rows()),
    "vmap of vmap of grad": lambda f: _twice(func.grad(SUM(f), (0, 1))),
    "vmap of jacrev": lambda f: func.vmap(func.jacrev(f), in_dims=(1, None))(*_rows()),
}
FORWARD_MODE: dict[str, Callable[[Any], Any]] = {
    "dual_level": _dual,
    "dual_level with grad": lambda f: _dual(f, track=True),
    "func.jvp": lambda f: func.jvp(f, point(), _directions())[1],
    "jacfwd": lambda f: func.jacfwd(f, (0, 1))(*point()),
    "vmap of jvp": lambda f: func.vmap(lambda x, w: func.jvp(f, (x, w), (x, w))[1], in_dims=(1, None))(*_rows()),
    "jvp of vmap": lambda f: func.jvp(func.vmap(f, in_dims=(1, None), out_dims=1), _rows(), _rows())[1],
    "vmap of tangents": lambda f: func.vmap(lambda t: func.jvp(f, point(), (t, t))[1])(torch.eye(3, dtype=torch.float64)),
}
VALUES: dict[str, Callable[[Any], Any]] = {
    "call": lambda f: f(*point()),
    "recorded call": lambda f: f(*tracked()).detach(),
    "vmap": lambda f: func.vmap(f, in_dims=(1, None), out_dims=1)(*_rows()),
    "vmap of vmap": lambda f: _twice(f),
    "value of grad": lambda f: func.grad_and_value(SUM(f))(*point())[1],
}
SECOND: dict[str, Callable[[Any], Any]] = {
    "hessian": lambda f: func.hessian(SUM(f))(*point()),
    "hessian by the last": lambda f: func.hessian(lambda w: SUM(f)(point()[0], w))(point()[1]),
    "rows of a hessian by the last": lambda f: rb.hessian(lambda w: SUM(f)(point()[0], w), engine="torch")(point()[1]),
    "grad of grad": lambda f: func.grad(lambda x, w: func.grad(SUM(f))(x, w).sum())(*point()),
    "jvp of grad": lambda f: func.jvp(lambda x: func.grad(SUM(f))(x, point()[1]), point()[:1], point()[1:])[1],
    "grad of jvp": lambda f: func.grad(lambda x: func.jvp(f, (x, point()[1]), _directions())[1].sum())(point()[0]),
    "jvp of jvp": lambda f: func.jvp(lambda x: func.jvp(f, (x, point()[1]), _directions())[1], point()[:1], point()[1:])[1],
    "vmap of hessian": lambda f: func.vmap(func.hessian(SUM(f)), in_dims=(1, None))(*_rows()),
    "double backward": lambda f: _double(f),
}


def _double(f: Any) -> Any:
    xs = tracked()
    (g,) = torch.autograd.grad(f(*xs).sum(), xs[:1], create_graph=True)
    return torch.autograd.grad(g.sum(), xs)


WAYS = ("host", "traceable", "none")
MIXES = [
    pytest.param(kind, primal, forward, reverse, id=f"{kind}-{'host' if primal else 'traceable'}-{forward}-{reverse}")
    for kind, primal, forward, reverse in itertools.product(KINDS, (True, False), WAYS, WAYS)
    if (forward, reverse) != ("none", "none") and (primal or "host" in (forward, reverse))
]


@pytest.mark.parametrize(("kind", "primal", "forward", "reverse"), MIXES)
def test_first_order_is_right_whatever_is_host_code(kind: str, primal: bool, forward: str, reverse: str) -> None:
    f, _ = make(kind, primal, forward, reverse)
    pushes = FORWARD if forward != "none" else REVERSE
    pulls = REVERSE if reverse != "none" else FORWARD
    for names, marker in ((VALUES, 1.0), (REVERSE_MODE, pulls), (FORWARD_MODE, pushes)):
        for name, run in names.items():
            expected = run(plain)
            found = run(f)
            scaled = tuple(marker * e for e in expected) if isinstance(expected, (tuple, list)) else marker * expected
            torch.testing.assert_close(
                tuple(found) if isinstance(found, (tuple, list)) else found, scaled, msg=lambda m, name=name: name + m
            )


@pytest.mark.parametrize(("kind", "primal", "forward", "reverse"), MIXES)
def test_second_order_is_right_or_raises(kind: str, primal: bool, forward: str, reverse: str) -> None:
    f, _ = make(kind, primal, forward, reverse)
    markers = {FORWARD if forward != "none" else REVERSE, REVERSE if reverse != "none" else FORWARD}
    traceable = "host" not in (forward, reverse)
    for name, run in SECOND.items():
        expected = run(plain)
        try:
            found = run(f)
        except rb.HigherOrderError as error:
            assert not traceable, f"{name}: {error}"
            assert "which is host code" in str(error)
            continue
        near = lambda e, g, m: torch.allclose(g, m * e, rtol=1e-9)
        pairs = list(zip(expected, found, strict=True)) if isinstance(expected, tuple) else [(expected, found)]
        assert any(all(near(e, g, m) for e, g in pairs) for m in markers), name
        if forward == reverse == "host":
            pytest.fail(f"{name} gave a result by host rules alone")


def test_a_host_primal_is_right_to_third_order() -> None:
    f, _ = make("given y", True, "traceable", "traceable")
    wraps = {
        "jvp": lambda h: lambda x: func.jvp(h, (x,), (torch.cos(x),))[1],
        "grad": lambda h: lambda x: func.grad(lambda z: h(z).sum())(x),
        "vmap": lambda h: lambda x: func.vmap(h)(torch.stack([x, 2 * x])).sum(0),
    }

    def nested(h: Any, path: Any) -> Any:
        return functools.reduce(lambda g, name: wraps[name](g), path, h)

    x, w = point()
    for path in itertools.product(wraps, repeat=3):
        expected = nested(lambda x: plain(x, w[: x.shape[-1]]), path)(x)
        found = nested(lambda x: f(x, w), path)(x)
        derivatives = [name for name in path if name != "vmap"]
        marker = 1.0 if not derivatives else FORWARD if derivatives[0] == "jvp" else REVERSE
        torch.testing.assert_close(found, marker * expected, msg=lambda m, path=path: f"{path} {m}")


@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node")  # torch.func.linearize
def test_torchs_own_checks_and_functional_transformations() -> None:
    functional = torch.autograd.functional
    for way in ("host", "traceable"):
        f = _host(lambda x, w: np.sin(x) * w, result=lambda x, w: x)
        xp = lambda x: rb.xp(x)
        rb.pushforward(f, host=way == "host")(lambda y, p, t: xp(p[0]).cos(p[0]) * p[1] * t[0] + xp(p[0]).sin(p[0]) * t[1])
        rb.pullback(f, host=way == "host")(lambda y, p, b: (xp(p[0]).cos(p[0]) * p[1] * b, xp(p[0]).sin(p[0]) * b))
        every = {"check_batched_grad": True, "check_undefined_grad": True}
        assert torch.autograd.gradcheck(f, tracked(), check_forward_ad=True, check_batched_forward_grad=True, **every)
        expected = func.jacrev(plain, (0, 1))(*point())
        for options in ({}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}):
            torch.testing.assert_close(functional.jacobian(f, point(), **options), expected)
        linear = func.linearize(f, *point())[1]
        torch.testing.assert_close(linear(*_directions()), func.jvp(plain, point(), _directions())[1])
        seconds = lambda f=f: torch.autograd.gradgradcheck(f, tracked(), check_fwd_over_rev=True, check_rev_over_rev=True)
        if way == "traceable":
            assert seconds()
        else:
            with pytest.raises(rb.HigherOrderError, match="pullback of h"):
                seconds()


def test_a_cotangent_with_a_tangent() -> None:
    one = torch.ones(3, dtype=torch.float64)

    def pulled(f: Any) -> Any:
        with forward_ad.dual_level():
            xs = tracked()
            y = f(*xs)
            (g,) = torch.autograd.grad(y, xs[0], forward_ad.make_dual(one, 2 * one))
            return forward_ad.unpack_dual(g).tangent

    f, _ = make("given y", True, "traceable", "traceable")
    torch.testing.assert_close(pulled(f), REVERSE * pulled(plain))
    for kind in KINDS:
        with pytest.raises(rb.HigherOrderError, match="which is host code"):
            pulled(make(kind, True, "host", "host")[0])


# -- work ---------------------------------------------------------------------------------------------


def test_how_often_host_code_runs() -> None:
    f, runs = make("closed", True, "host", "host")
    g, runs_y = make("given y", True, "host", "host")
    counts = {}
    for name in ("backward", "create_graph", "func.grad", "func.vjp", "jacrev", "is_grads_batched"):
        for kind, h, n in (("closed", f, runs), ("given y", g, runs_y)):
            n.update(dict.fromkeys(n, 0))
            REVERSE_MODE[name](h)
            counts[name, kind] = n["primal"] + (n["reverse"] if kind == "closed" else 0)
    for name in ("dual_level", "func.jvp", "jacfwd"):  # an frule runs once per tangent
        runs_y["primal"] = 0
        FORWARD_MODE[name](g)
        counts[name, "given y"] = runs_y["primal"]
    assert counts == dict.fromkeys(counts, 1)


def test_nothing_is_computed_that_nobody_asked_for() -> None:
    asked = []
    f = rb.primitive(lambda x, w: (x * w, x + w), host=True, result=lambda x, w: (x, x))

    @rb.rrule(f, host=True)
    def _(x, w):
        def pull(y_bar):
            asked.append("pull")
            p, s = y_bar
            return rb.thunk(lambda: asked.append("x") or p * w + s), rb.thunk(lambda: asked.append("w") or p * x + s)

        return (x * w, x + w), pull

    x, w = tracked()
    y, unused = f(x, w.detach())
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], w.detach())
    assert asked == ["pull", "x"]
    asked.clear()
    assert unused.requires_grad


# -- memory -------------------------------------------------------------------------------------------


def _host(fn: Callable[..., Any], **options: Any) -> Any:
    return rb.primitive(fn, host=True, name=options.pop("name", "h"), **options)


def test_results_share_no_memory_with_anything() -> None:
    x, _ = point()
    kept = np.ones(3)
    for fn in (lambda x: x, lambda x: x[:2], lambda x: kept, lambda x: kept[:2], lambda x: [kept, kept]):
        out = _host(fn)(x)
        for y in out if isinstance(out, list) else [out]:
            y.fill_(7.0)
    assert kept.tolist() == [1.0] * 3
    torch.testing.assert_close(x, point()[0])
    a, b = _host(lambda x: (lambda y: (y, y))(x + 1))(x)
    a.fill_(5.0)
    torch.testing.assert_close(b, x + 1)


def test_a_result_is_not_copied_where_nobody_else_has_it() -> None:
    places: list[int] = []

    def fn(x):
        y = x + 1
        places.append(y.__array_interface__["data"][0])
        return y

    assert _host(fn)(point()[0]).data_ptr() == places[0]


def test_a_result_that_the_pullback_keeps_may_be_changed() -> None:
    f = _host(lambda x: np.exp(x))

    @rb.rrule(f, host=True)
    def _(x):
        y = np.exp(x)
        return y, lambda y_bar: (y_bar * y,)

    x = point()[0].requires_grad_()
    y = f(x)
    with torch.no_grad():
        y.detach().fill_(0.0)
    torch.testing.assert_close(torch.autograd.grad(y, x, torch.ones_like(x))[0], torch.exp(x.detach()))


def test_a_changed_argument_is_detected() -> None:
    for kind in KINDS:
        f, _ = make(kind, True, "host", "host")
        x, w = tracked()
        z = x * 1
        y = f(z, w)
        z.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_residuals_are_freed() -> None:
    kept: list[weakref.ref[Any]] = []
    f = _host(lambda x: np.exp(x))

    class Factor:
        pass

    @rb.rrule(f, host=True)
    def _(x):
        factor = Factor()
        kept.append(weakref.ref(factor))
        return np.exp(x), lambda y_bar: (y_bar * np.exp(x) * (factor is not None),)

    gc.disable()
    try:
        x = point()[0].requires_grad_()
        f(x)
        assert kept[-1]() is None
        y = f(x)
        y.sum().backward()
        assert kept[-1]() is None  # y lives, its graph was used up
    finally:
        gc.enable()


def test_dtypes_layouts_and_numbers() -> None:
    x, _ = point()
    double = _host(lambda x: 2 * x)
    z = torch.complex(x, x)
    for value in (z.conj(), z.conj().imag, z[None].mH, x.flip(0), x.expand(2, 3), x[:0], x[0], x.float(), x.half(), torch.arange(3)):
        torch.testing.assert_close(double(value), 2 * value.resolve_conj().resolve_neg())
    torch.testing.assert_close(double(x.bfloat16()), 2 * x.bfloat16().float())
    torch.testing.assert_close(_host(lambda x: x[::-1])(x), x.flip(0))
    torch.testing.assert_close(_host(lambda x: x.sum())(x), x.sum())
    torch.testing.assert_close(_host(lambda x: np.asfortranarray(np.outer(x, x)))(x), torch.outer(x, x))
    torch.testing.assert_close(_host(lambda x: x.astype(">f8"))(x), x)
    assert _host(lambda x: 3)(x).item() == 3
    with pytest.raises(rb.ResultSpecError, match=r"Expected: a dtype that torch has\nGot: (float128|float96|longdouble)"):
        if np.dtype(np.longdouble) == np.dtype(np.float64):
            raise rb.ResultSpecError("", "a dtype that torch has", "longdouble")
        _host(lambda x: x.astype(np.longdouble))(x)
    out = _host(lambda x: {"a": x * 2, "b": (x.sum(), [None, x > 1.5])})(x)
    assert out["b"][1][0] is None
    assert out["b"][1][1].tolist() == [False, True, True]


def test_complex_float32_and_integer_arguments() -> None:
    f = _host(lambda z, n: (z**n).astype(z.dtype), result=lambda z, n: z)

    @rb.pullback(f, host=True)
    def _(y, primals, y_bar):
        z, n = primals
        return REVERSE * np.conj(n * z ** (n - 1)) * y_bar, None

    n = torch.tensor(3)
    for dtype in (torch.complex64, torch.complex128, torch.float32):
        z = torch.tensor([1.5, 2.0], dtype=dtype) * (1 + 0.5j if dtype.is_complex else 1)
        z.requires_grad_()
        y = f(z, n)
        (g,) = torch.autograd.grad(y, z, torch.ones_like(y))
        assert y.dtype is g.dtype is dtype
        torch.testing.assert_close(g, REVERSE * (3 * z.detach() ** 2).conj().resolve_conj())
        again = func.vmap(lambda z: func.vjp(lambda z: f(z, n), z)[1](torch.ones((), dtype=dtype))[0])(z.detach())
        torch.testing.assert_close(again, g)


def test_autocast() -> None:
    f = _host(lambda a: a @ a, result=lambda a: a)
    rb.rrule(f, host=True)(lambda a: (a @ a, lambda y_bar: (y_bar @ a.T + a.T @ y_bar,)))
    a = torch.rand(3, 3).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = f(a @ a)
    y.sum().backward()
    assert a.grad is not None and a.grad.dtype is torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_tensors_travel_to_the_host_and_back() -> None:
    f, _ = make("closed", True, "host", "host")
    xs = tuple(v.cuda().requires_grad_() for v in point())
    y = f(*xs)
    assert y.is_cuda
    for g, e in zip(torch.autograd.grad(y.sum(), xs), _backward(plain), strict=True):
        assert g.is_cuda
        torch.testing.assert_close(g.cpu(), REVERSE * e)
    compiled = torch.compile(lambda *xs: f(*xs).sum(), fullgraph=True)
    torch.testing.assert_close(torch.autograd.grad(compiled(*xs), xs)[0].cpu(), REVERSE * _backward(plain)[0])


# -- batches ------------------------------------------------------------------------------------------


def test_a_batch_is_one_call_a_batch_rule_or_a_loop() -> None:
    shapes: list[Any] = []

    def fn(x, w):
        shapes.append((x.shape, w.shape))
        return np.sin(x) * w

    rows = _rows()
    expected = VALUES["vmap"](plain)
    for options, seen in (({"vectorized": True}, [((2, 3), (2, 3))]), ({}, [((3,), (3,))] * 2)):
        shapes.clear()
        h = _host(fn, **options)
        torch.testing.assert_close(func.vmap(h, in_dims=(1, None), out_dims=1)(*rows), expected)
        assert shapes == seen
    flags: list[Any] = []
    ruled = _host(fn)

    @rb.batch_rule(ruled)
    def _(axis_size, in_batched, x, w):
        assert type(x) is np.ndarray
        flags.append((axis_size, in_batched, x.shape))
        return np.sin(x) * w, True

    rb.pullback(ruled, host=True)(lambda y, p, y_bar: (REVERSE * np.cos(p[0]) * p[1] * y_bar, REVERSE * np.sin(p[0]) * y_bar))
    torch.testing.assert_close(func.vmap(ruled, in_dims=(1, None), out_dims=1)(*rows), expected)
    torch.testing.assert_close(REVERSE_MODE["grad of vmap"](ruled)[0], REVERSE * REVERSE_MODE["grad of vmap"](plain)[0])
    assert flags == [(2, (True, False), (2, 3))] * 2


def test_a_batch_on_threads_is_that_of_the_loop() -> None:
    names: set[str] = set()
    barrier = threading.Barrier(2, timeout=20)

    def fn(x):
        names.add(threading.current_thread().name)
        barrier.wait()
        if x[0] < 0:
            raise KeyError("negative")
        return np.sin(x)

    h = _host(fn)
    x = torch.stack([point()[0], 2 * point()[0]])
    with rb.config(host_threads=2):
        torch.testing.assert_close(func.vmap(h)(x), torch.sin(x))
        with pytest.raises(KeyError, match="negative") as caught:
            func.vmap(h)(-x)
    assert len(names) == 2
    assert "In example 0 of a batch." in caught.value.__notes__


def test_an_empty_batch() -> None:
    f, runs = make("given y", True, "host", "host")
    x = torch.zeros(0, 3, dtype=torch.float64)
    assert func.vmap(f)(x, x).shape == (0, 3)
    assert func.vmap(func.grad(SUM(f)))(x, x).shape == (0, 3)
    assert runs["primal"] == 0


# -- bad input ----------------------------------------------------------------------------------------


class _Rogue:
    """A host function that behaves as it is told, and one step of it under each transformation."""

    def __init__(self) -> None:
        self.mood = "well"
        self.f = _host(self.run, name="rogue", result=lambda x: x)
        rb.pullback(self.f, host=True)(self.pull)

    def run(self, x: Any) -> Any:
        if self.mood == "raises":
            raise FileNotFoundError("no mesh")
        if self.mood == "interrupted":
            raise KeyboardInterrupt
        if self.mood == "writes":
            x[0] = 1.0
        y = np.sin(x)
        return {"shape": y[:2], "dtype": y.astype("float32"), "nan": y * np.nan}.get(self.mood, y)

    def pull(self, y: Any, primals: Any, y_bar: Any) -> Any:
        if self.mood == "raises in the pullback":
            raise ZeroDivisionError("no pivot")
        return (REVERSE * np.cos(primals[0]) * (y_bar[:2] if self.mood == "cotangent" else y_bar),)

    def steps(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        x = point()[0]
        yield "backward", lambda: torch.autograd.grad(self.f(z := point()[0].requires_grad_()).sum(), z)[0]
        yield "grad", lambda: func.grad(lambda x: self.f(x).sum())(x)
        yield "vmap", lambda: func.vmap(func.grad(lambda x: self.f(x).sum()))(x[None])[0]


MOODS: dict[str, tuple[type[BaseException], str, str]] = {
    "raises": (FileNotFoundError, "no mesh", "Raised in the primal of rogue, engine torch."),
    "raises in the pullback": (ZeroDivisionError, "no pivot", "Raised in the pullback of rogue, engine torch."),
    "interrupted": (KeyboardInterrupt, "^$", ""),
    "writes": (ValueError, "read-only", "The primal of rogue is host code and changed its arguments"),
    "shape": (rb.ResultSpecError, r"rogue \(engine torch\)[\s\S]*shape \(3,\), float64[\s\S]*Got: shape \(2,\), float64", ""),
    "dtype": (rb.ResultSpecError, r"Expected: shape \(3,\), float64[\s\S]*Got: shape \(3,\), float32", ""),
    "cotangent": (ValueError, "operands could not be broadcast", "Raised in the pullback of rogue, engine torch."),
}


@pytest.mark.parametrize("mood", MOODS)
def test_bad_host_code_is_named_and_the_next_call_is_right(mood: str) -> None:
    rogue = _Rogue()
    error, message, note = MOODS[mood]
    expected = REVERSE * torch.cos(point()[0])
    for name, step in rogue.steps():
        rogue.mood = mood
        with pytest.raises(error, match=message) as caught:
            step()
        assert not note or any(n.startswith(note) for n in caught.value.__notes__), name
        rogue.mood = "well"
        torch.testing.assert_close(step(), expected, msg=name)


def test_nan_passes_through() -> None:
    rogue = _Rogue()
    rogue.mood = "nan"
    assert rogue.f(point()[0]).isnan().all()


def test_threads_and_processes() -> None:
    f, _ = make("closed", True, "host", "host")
    expected = [REVERSE * g for g in _backward(plain)]
    found: list[Any] = [None] * 8

    def work(i: int) -> None:
        for _ in range(20):
            found[i] = _backward(f), REVERSE_MODE["vmap of grad"](f)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for gradients, rows in found:
        torch.testing.assert_close(list(gradients), expected)
        torch.testing.assert_close(rows[0], REVERSE * REVERSE_MODE["vmap of grad"](plain)[0])


def test_programs_that_trace_plain_tensors_hold_the_call() -> None:
    """A trace with concrete values would have baked the numbers in."""
    from torch.fx.experimental.proxy_tensor import make_fx

    f, _ = make("closed", True, "host", "host")
    x, w = point()
    rows = lambda x, w: func.vmap(func.grad(SUM(f)))(torch.stack([x, w]), torch.stack([w, x]))
    for run in (f, func.grad(SUM(f)), lambda x, w: func.jvp(f, (x, w), (x, w))[1], rows):
        for mode in ("real", "fake"):
            graph = make_fx(run, tracing_mode=mode)(x, w)
            torch.testing.assert_close(graph(2 * x, 3 * w), run(2 * x, 3 * w))
    torch.testing.assert_close(func.functionalize(f)(x, w), plain(x, w))
    on_meta = f(x.to("meta"), w.to("meta"))
    assert on_meta.is_meta and on_meta.shape == (3,)


def test_captured_tensors_of_host_code_are_refused() -> None:
    with pytest.raises(rb.RuleSignatureError, match="a captured tensor that is being differentiated"):
        func.grad(lambda v: _capturing(v)(point()[0] * v).sum())(point()[1])


def _capturing(v: Any) -> Any:
    f = _host(lambda x: x * 2 + 0 * np.asarray(v.shape[0]), name="holds")
    rb.pullback(f, host=True)(lambda y, p, y_bar: (2 * y_bar,))
    return f


def test_a_primitive_in_a_new_process() -> None:
    code = (
        "import pickle, torch, rulebook.rules.linalg as l\n"
        "f = pickle.loads(pickle.dumps(l.solve_sylvester))\n"
        "a = torch.eye(2, dtype=torch.float64).requires_grad_()\n"
        "print(torch.autograd.grad(f(a, a.detach(), a.detach()).sum(), a)[0].sum().item())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(-1.0)


def test_a_forward_rule_that_calls_its_host_function_says_that_the_reverse_rule_is_missing() -> None:
    cumulated = rb.primitive(lambda x: np.cumsum(x), host=True, result=lambda x: x, name="cumulated")
    rb.pushforward(cumulated)(lambda y, primals, tangents: cumulated(tangents[0]))
    x = torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(func.jvp(cumulated, (x,), (x,))[1], torch.arange(1.0, 4.0, dtype=torch.float64))
    with pytest.raises(rb.HigherOrderError, match=r"primal of cumulated[\s\S]*Do: write the rule for the other direction as well"):
        func.grad(lambda x: cumulated(x).sum())(x)
    rb.pullback(cumulated)(lambda y, primals, y_bar: (y_bar.flip(0).cumsum(0).flip(0),))
    torch.testing.assert_close(func.grad(lambda x: cumulated(x).sum())(x), torch.arange(3.0, 0.0, -1.0, dtype=torch.float64))
