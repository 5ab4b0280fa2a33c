"""The torch bridge under torch.compile and torch.export: the rules run, or the call raises."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import rulebook as rb
from rulebook.engines import engine_names, load_engine

torch = pytest.importorskip("torch")

from torch import func  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402


class Pair(NamedTuple):
    """A result of two parts."""

    s: Any
    p: Any


def make() -> Any:
    """sin(x) x with rules times 100."""

    @rb.primitive
    def f(x):
        return torch.sin(x) * x

    def slope(x: Any) -> Any:
        return 100 * (torch.cos(x) * x + torch.sin(x))

    @rb.frule(f)
    def _(primals, tangents):
        return torch.sin(primals[0]) * primals[0], slope(primals[0]) * tangents[0]

    @rb.rrule(f)
    def _(x):
        d = slope(x)
        return torch.sin(x) * x, lambda y_bar: (d * y_bar,)

    return f


def point(n: int = 4, track: bool = False) -> Any:
    return torch.linspace(0.3, 1.7, n, dtype=torch.float64).requires_grad_(track)


def slope(x: Any) -> Any:
    return torch.cos(x) * x + torch.sin(x)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    # A bridge that is loaded while dynamo records changes a table that dynamo has guarded: it raises.
    for name in engine_names():
        if name in sys.modules:
            load_engine(name)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return torch.compile(f, fullgraph=True, **{"backend": "aot_eager", **options})


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # inductor, as it is loaded
@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_backward_from_the_first_call_on(backend: str) -> None:
    f = make()
    run = compiled(lambda x: f(x).sum() * 2, backend=backend)
    for x in (point(track=True), (point() * 2).requires_grad_()):
        (g,) = torch.autograd.grad(run(x), x)
        torch.testing.assert_close(g, 200 * slope(x.detach()))


def test_dynamic_shapes_share_a_graph() -> None:
    f = make()
    frames = []
    run = compiled(lambda x: f(x).sum(), backend=lambda graph, _: frames.append(graph) or graph, dynamic=True)
    for n in (3, 5, 7):
        x = point(n, track=True)
        (g,) = torch.autograd.grad(run(x), x)
        torch.testing.assert_close(g, 100 * slope(x.detach()))
    assert len(frames) == 1


TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, x: func.grad(lambda x: f(x).sum())(x),
    "vjp": lambda f, x: func.vjp(f, x)[1](torch.ones_like(x))[0],
    "jvp": lambda f, x: func.jvp(f, (x,), (torch.ones_like(x),))[1],
    "vmap of grad": lambda f, x: func.vmap(func.grad(f))(x),
    "jacrev": lambda f, x: func.jacrev(f)(x),
    "jacfwd": lambda f, x: func.jacfwd(f)(x),
    "hessian": lambda f, x: func.hessian(lambda x: f(x).sum())(x),
    "grad of grad": lambda f, x: func.grad(lambda x: func.grad(lambda x: f(x).sum())(x).sum())(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transformations_inside_compiled_code_run_the_rules(name: str) -> None:
    """torch itself goes past the rule of an autograd.Function here, without a word."""
    f = make()
    x = point()
    found = compiled(lambda x: TRANSFORMS[name](f, x))(x)
    torch.testing.assert_close(found, 100 * TRANSFORMS[name](lambda x: torch.sin(x) * x, x))


def test_dual_level_inside_compiled_code() -> None:
    f = make()

    def push(x: Any) -> Any:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(f(forward_ad.make_dual(x, torch.ones_like(x)))).tangent

    for backend in ("eager", "aot_eager"):
        torch.testing.assert_close(compiled(push, backend=backend)(point()), 100 * slope(point()))


def test_transformations_around_compiled_code_run_the_rules_or_raise() -> None:
    f = make()
    x, one = point(), torch.ones(4, dtype=torch.float64)
    around = {
        "grad": lambda run: func.grad(lambda x: run(x).sum())(x),
        "jvp": lambda run: func.jvp(run, (x,), (one,))[1],
        "dual": lambda run: _pushed(run, x, one),
    }
    for name, transform in around.items():
        torch._dynamo.reset()
        whole = compiled(f)
        whole(x)
        with pytest.raises(Exception, match=r"[Ff]unctorch|disable"):
            transform(whole)
        torch._dynamo.reset()
        broken = torch.compile(f, backend="aot_eager")
        broken(x)
        torch.testing.assert_close(transform(broken), 100 * slope(x), msg=name)
        torch.testing.assert_close(broken(x), torch.sin(x) * x)


def _pushed(run: Any, x: Any, t: Any) -> Any:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(run(forward_ad.make_dual(x, t))).tangent


def test_containers_statics_and_numbers() -> None:
    @rb.primitive
    def f(params, x, n=2.0, *, scale=1.0):
        return {"a": Pair(params["w"] * x * scale, x + params["b"][0]), "n": n * x}

    @rb.pullback(f)
    def _(y, primals, y_bar, *, scale):
        params, x, n = primals
        s, p = y_bar["a"]
        w_bar = 100 * s * x * scale
        return {"w": w_bar, "b": [100 * p]}, 100 * (s * params["w"] * scale + p + n * y_bar["n"]), None

    def loss(w: Any, b: Any, x: Any) -> Any:
        y = f({"w": w, "b": [b]}, x, scale=3.0)
        return (y["a"].s + y["a"].p * y["n"]).sum()

    args = [(point() + i).requires_grad_() for i in range(3)]
    expected = torch.autograd.grad(loss(*args), args)
    found = torch.autograd.grad(compiled(loss)(*args), args)
    for e, g in zip(expected, found, strict=True):
        torch.testing.assert_close(g, e)


def test_a_replaced_rule_is_seen_by_compiled_code() -> None:
    f = make()
    run = compiled(lambda x: f(x).sum())
    x = point(track=True)
    torch.autograd.grad(run(x), x)

    @rb.rrule(f, replace=True)
    def _(x):
        return torch.sin(x) * x, lambda y_bar: (7 * y_bar,)

    torch.testing.assert_close(torch.autograd.grad(run(x), x)[0], torch.full_like(x, 7.0))


def test_many_primitives_at_one_call_site() -> None:
    run = compiled(lambda f, x: f(x).sum())
    x = point(track=True)
    for _ in range(4):
        torch.testing.assert_close(torch.autograd.grad(run(make(), x), x)[0], 100 * slope(x.detach()))


@pytest.mark.parametrize("strict", [True, False])
def test_export(strict: bool) -> None:
    f = make()

    class Module(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return f(x) + 1

    exported = torch.export.export(Module(), (point(),), strict=strict)
    torch.testing.assert_close(exported.module()(point() * 2), torch.sin(2 * point()) * 2 * point() + 1)


def test_statics_that_compare_equal_are_told_apart_in_compiled_code() -> None:
    f = rb.primitive(lambda x, *, a=1: x * (5.0 if a is True else 3.0 if type(a) is float else 2.0))
    rb.pullback(f)(lambda y, p, b, *, a: (b * (500.0 if a is True else 300.0 if type(a) is float else 200.0),))
    for a, slope in ((1, 200.0), (True, 500.0), (1.0, 300.0)):
        x = torch.ones(3, requires_grad=True)
        compiled = torch.compile(lambda x, a=a: f(x, a=a).sum(), fullgraph=True, backend="aot_eager")
        (x_bar,) = torch.autograd.grad(compiled(x), x)
        assert x_bar.tolist() == [slope] * 3
