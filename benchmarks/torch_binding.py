"""PyTorch: a primitive with its rules against the hand-written autograd.Function for the same math.

`python -m benchmarks.torch_binding` prints a table of ratios; below one is faster than by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

import rulebook as rb
from benchmarks.measure import Row, row, table


@rb.primitive
def wave(x: Tensor, w: Tensor) -> Tensor:
    """sin(x) w, with rules that close over what they need."""
    return torch.sin(x) * w


@rb.frule(wave)
def _(primals: Any, tangents: Any) -> Any:
    (x, w), (x_dot, w_dot) = primals, tangents
    s, c = torch.sin(x), torch.cos(x)
    return s * w, c * w * x_dot + s * w_dot


@rb.rrule(wave)
def _(x: Tensor, w: Tensor) -> Any:
    s, c = torch.sin(x), torch.cos(x)
    return s * w, lambda y_bar: (y_bar * w * c, y_bar * s)


class Wave(Function):
    """By hand, with the residuals saved."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        s, c = torch.sin(x), torch.cos(x)
        ctx.save_for_backward(w, s, c)
        return s * w

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        w, s, c = ctx.saved_tensors
        return y_bar * w * c, y_bar * s


@rb.primitive
def wave_y(x: Tensor, w: Tensor) -> Tensor:
    """The same with rules that are given y."""
    return torch.sin(x) * w


@rb.pushforward(wave_y)
def _(y: Tensor, primals: Any, tangents: Any) -> Tensor:
    (x, w), (x_dot, w_dot) = primals, tangents
    return torch.cos(x) * w * x_dot + torch.sin(x) * w_dot


@rb.pullback(wave_y)
def _(y: Tensor, primals: Any, y_bar: Tensor) -> Any:
    x, w = primals
    return y_bar * w * torch.cos(x), y_bar * torch.sin(x)


class WaveInputs(Function):
    """By hand, with the inputs saved, for torch.func: it has a jvp and batches itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.sin(x) * w

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return y_bar * w * torch.cos(x), y_bar * torch.sin(x)

    @staticmethod
    def jvp(ctx: Any, x_dot: Tensor, w_dot: Tensor) -> Tensor:
        x, w = ctx.saved_tensors
        return torch.cos(x) * w * x_dot + torch.sin(x) * w_dot


class WaveContext(Function):
    """By hand, with the inputs saved, for autograd alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return torch.sin(x) * w

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return y_bar * w * torch.cos(x), y_bar * torch.sin(x)


@rb.primitive
def wave_dict(params: dict[str, Tensor]) -> Tensor:
    """The same function of a dict."""
    return torch.sin(params["x"]) * params["w"]


@rb.rrule(wave_dict)
def _(params: dict[str, Tensor]) -> Any:
    s, c, w = torch.sin(params["x"]), torch.cos(params["x"]), params["w"]
    return s * w, lambda y_bar: ({"x": y_bar * w * c, "w": y_bar * s},)


def _rates(z: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.tanh(z @ w + b)


@rb.primitive
def steady(w: Tensor, b: Tensor, *, tol: float = 1e-12) -> Tensor:
    """z with z = tanh(z w + b), by iteration."""
    z = torch.zeros_like(b)
    for _ in range(1000):
        new = _rates(z, w, b)
        if (new - z).abs().amax() <= tol:
            return new
        z = new
    return z


@rb.pullback(steady)
def _(z: Tensor, primals: Any, z_bar: Tensor, *, tol: float) -> Any:
    w, b = primals
    _, pull_z = rb.vjp(lambda z: _rates(z, w, b), z)
    u = z_bar
    for _ in range(1000):
        new = z_bar + pull_z(u)[0]
        done = (new - u).abs().amax() <= tol
        u = new
        if done:
            break
    return rb.vjp(lambda w, b: _rates(z, w, b), w, b)[1](u)


def _unrolled(w: Tensor, b: Tensor, iterations: int) -> Tensor:
    z = torch.zeros_like(b)
    for _ in range(iterations):
        z = _rates(z, w, b)
    return z


def _inputs(n: int) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.linspace(0.1, 1.0, n, dtype=torch.float64).requires_grad_()
    return x, torch.full((n,), 2.0, dtype=torch.float64).requires_grad_(), torch.ones(n, dtype=torch.float64)


def _both(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, y_bar = _inputs(n)
    return lambda: torch.autograd.grad(f(x, w), (x, w), y_bar)


def _forward(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, _ = _inputs(n)
    return lambda: f(x, w)


def _no_grad(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, _ = _inputs(n)

    def run() -> Tensor:
        with torch.no_grad():
            return f(x, w)

    return run


def _jvp(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, y_bar = (a.detach() for a in _inputs(n))
    return lambda: torch.func.jvp(f, (x, w), (y_bar, y_bar))


def _func_grad(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, _ = (a.detach() for a in _inputs(n))
    return lambda: torch.func.grad(lambda x, w: f(x, w).sum(), (0, 1))(x, w)


def _hessian(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, _ = (a.detach() for a in _inputs(n))
    return lambda: torch.func.hessian(lambda x: f(x, w).sum())(x)


def _double(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, y_bar = _inputs(n)

    def run() -> Any:
        g = torch.autograd.grad(f(x, w), (x, w), y_bar, create_graph=True)
        return torch.autograd.grad(g, (x, w), (y_bar, y_bar))

    return run


def _compiled(f: Callable[..., Tensor], n: int) -> Callable[[], Any]:
    x, w, y_bar = _inputs(n)
    g = torch.compile(lambda x, w: f(x, w) * 2.0, fullgraph=True)
    return lambda: torch.autograd.grad(g(x, w), (x, w), y_bar)


def _solver() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return (torch.randn(200, 200, dtype=torch.float64) * 0.06).requires_grad_(), torch.randn(64, 200, dtype=torch.float64).requires_grad_()


def _solved(f: Callable[..., Tensor]) -> Callable[[], Any]:
    w, b = _solver()
    return lambda: torch.autograd.grad(f(w, b).sum(), (w, b))


def rows() -> list[Row]:
    """One row per case."""
    torch.set_num_threads(1)
    x, w, y_bar = _inputs(10)
    of_dict = lambda: torch.autograd.grad(wave_dict({"x": x, "w": w}), (x, w), y_bar)
    found = [
        row("torch", "forward+backward, 10 elements", _both(wave, 10), _both(Wave.apply, 10), 1.05, 201),
        row("torch", "forward+backward, rule given y, 10 elements", _both(wave_y, 10), _both(WaveContext.apply, 10), 1.05, 201),
        row("torch", "forward+backward, 100000 elements", _both(wave, 100_000), _both(Wave.apply, 100_000), 1.05),
        row("torch", "forward, 10 elements", _forward(wave, 10), _forward(Wave.apply, 10), None, 201),
        row("torch", "forward under no_grad, 10 elements", _no_grad(wave, 10), _no_grad(Wave.apply, 10), 0.9, 201),
        row("torch", "dict arguments (flat by hand), 10 elements", of_dict, _both(Wave.apply, 10), 1.3, 201),
        row("torch", "double backward, 10 elements", _double(wave_y, 10), _double(WaveInputs.apply, 10)),
        row("torch", "func.grad, 10 elements", _func_grad(wave_y, 10), _func_grad(WaveInputs.apply, 10)),
        row("torch", "func.jvp, 10 elements", _jvp(wave_y, 10), _jvp(WaveInputs.apply, 10)),
        row("torch", "func.hessian, 10 elements", _hessian(wave_y, 10), _hessian(WaveInputs.apply, 10)),
        row("torch", "compiled forward+backward, 100000 elements", _compiled(wave, 100_000), _compiled(Wave.apply, 100_000), 1.05, 101),
    ]
    for n in (100, 1000):
        case = f"implicit solver to 1e-12 (unrolled, {n} iterations)"
        found.append(row("torch", case, _solved(steady), _solved(lambda w, b, n=n: _unrolled(w, b, n)), 0.75 if n == 100 else 0.35, 7))
    return found


if __name__ == "__main__":
    print(table(rows()))
