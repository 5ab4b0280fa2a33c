"""PyTorch: host code as a primitive against a hand-written Function with NumPy inside, and a bare custom_op.

`python -m benchmarks.torch_host` prints a table of ratios; below one is faster than by hand.
`python -m benchmarks.torch_host soak [STEPS]` runs a compiled step again and again and prints how memory grows.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

import rulebook as rb
from benchmarks.measure import Row, row, table
from rulebook.residuals import RESIDUALS

# -- an elementwise function --------------------------------------------------------------------------


def _wave(x: Any, w: Any) -> Any:
    return np.sin(x) * w


def _wave_bars(x: Any, w: Any, y_bar: Any) -> Any:
    return y_bar * w * np.cos(x), y_bar * np.sin(x)


def _wave_closed(x: Any, w: Any) -> Any:
    s, c = np.sin(x), np.cos(x)
    return s * w, lambda y_bar: (y_bar * w * c, y_bar * s)


wave = rb.primitive(_wave, name="wave", host=True, result=lambda x, w: x)
rb.rrule(wave, host=True)(_wave_closed)
wave_y = rb.primitive(_wave, name="wave, given y", host=True, result=lambda x, w: x)
rb.pullback(wave_y, host=True)(lambda y, primals, y_bar: _wave_bars(*primals, y_bar))
wave_mixed = rb.primitive(_wave, name="wave, traceable rule", host=True, result=lambda x, w: x)
rb.pullback(wave_mixed)(lambda y, primals, y_bar: (y_bar * primals[1] * torch.cos(primals[0]), y_bar * torch.sin(primals[0])))


class Wave(Function):
    """By hand, with residuals on ctx and the argument that is used again saved."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        s, c = np.sin(x.numpy()), np.cos(x.numpy())
        ctx.kept = s, c
        return torch.from_numpy(s * w.numpy())

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        (w,), (s, c), b = ctx.saved_tensors, ctx.kept, y_bar.numpy()
        return torch.from_numpy(b * w.numpy() * c), torch.from_numpy(b * s)


class WaveInputs(Function):
    """By hand, with the arguments saved."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return torch.from_numpy(_wave(x.numpy(), w.numpy()))

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        x, w = ctx.saved_tensors
        p, q = _wave_bars(x.numpy(), w.numpy(), y_bar.numpy())
        return torch.from_numpy(p), torch.from_numpy(q)


class WaveMixed(Function):
    """By hand, the backward pass in torch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return torch.from_numpy(_wave(x.numpy(), w.numpy()))

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return y_bar * w * torch.cos(x), y_bar * torch.sin(x)


# -- a linear solve -----------------------------------------------------------------------------------


def _factor(a: Any) -> Any:
    from scipy.linalg import lu_factor

    return lu_factor(a)


def _solve(factors: Any, b: Any, trans: int = 0) -> Any:
    from scipy.linalg import lu_solve

    return lu_solve(factors, b, trans)


def _solve_bars(factors: Any, y: Any, y_bar: Any) -> Any:
    b_bar = _solve(factors, y_bar, 1)
    return -np.outer(b_bar, y), b_bar


solve = rb.primitive(lambda a, b: _solve(_factor(a), b), name="solve", host=True, result=lambda a, b: b)


@rb.rrule(solve, host=True)
def _(a: Any, b: Any) -> Any:
    factors = _factor(a)
    y = _solve(factors, b)
    return y, lambda y_bar: _solve_bars(factors, y, y_bar)


class Solve(Function):
    """By hand, with the factors on ctx."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        factors = _factor(a.numpy())
        y = _solve(factors, b.numpy())
        ctx.kept = factors, y
        return torch.from_numpy(y)

    @staticmethod
    def backward(ctx: Any, y_bar: Tensor) -> Any:
        p, q = _solve_bars(*ctx.kept, y_bar.numpy())
        return torch.from_numpy(p), torch.from_numpy(q)


# -- the same as custom operators ---------------------------------------------------------------------


def _operator(name: str, primal: Callable[..., Any], bars: Callable[..., Any]) -> Any:
    """A torch.library.custom_op with registered autograd, both with NumPy inside."""

    @torch.library.custom_op(f"rulebook_benchmarks::{name}", mutates_args=())
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.from_numpy(primal(x.numpy(), w.numpy()))

    @torch.library.custom_op(f"rulebook_benchmarks::{name}_backward", mutates_args=())
    def backward(x: Tensor, w: Tensor, y: Tensor, y_bar: Tensor) -> tuple[Tensor, Tensor]:
        p, q = bars(x.numpy(), w.numpy(), y.numpy(), y_bar.numpy())
        return torch.from_numpy(p), torch.from_numpy(q)

    forward.register_fake(lambda x, w: torch.empty_like(w))
    backward.register_fake(lambda x, w, y, y_bar: (torch.empty_like(x), torch.empty_like(w)))
    forward.register_autograd(
        lambda ctx, y_bar: backward(*ctx.saved_tensors, y_bar),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs, output),
    )
    return forward


wave_op = _operator("wave", _wave, lambda x, w, y, y_bar: _wave_bars(x, w, y_bar))
solve_op = _operator("solve", lambda a, b: _solve(_factor(a), b), lambda a, b, y, y_bar: _solve_bars(_factor(a), y, y_bar))


# -- what is timed ------------------------------------------------------------------------------------


def _vectors(n: int) -> tuple[Tensor, Tensor]:
    return torch.linspace(0.1, 1.0, n, dtype=torch.float64).requires_grad_(), torch.full((n,), 2.0, dtype=torch.float64).requires_grad_()


def _system(n: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    a = torch.eye(n, dtype=torch.float64) * n + torch.rand(n, n, dtype=torch.float64)
    return a.requires_grad_(), torch.ones(n, dtype=torch.float64).requires_grad_()


def _both(f: Callable[..., Tensor], args: tuple[Tensor, Tensor]) -> Callable[[], Any]:
    y_bar = torch.ones_like(f(*args))
    return lambda: torch.autograd.grad(f(*args), args, y_bar)


def _compiled(f: Callable[..., Tensor], args: tuple[Tensor, Tensor]) -> Callable[[], Any]:
    return _both(torch.compile(lambda x, w: f(x * 1.0, w * 1.0) * 2.0, fullgraph=True), args)


def rows() -> list[Row]:
    """One row per case."""
    torch.set_num_threads(1)
    found = []
    eager = [("rrule", wave, Wave.apply), ("rule given y", wave_y, WaveInputs.apply), ("traceable rule", wave_mixed, WaveMixed.apply)]
    for n in (10, 1000):
        for name, ours, hand in eager:
            case = f"host forward+backward, {name}, {n} elements"
            found.append(row("torch", case, _both(ours, _vectors(n)), _both(hand, _vectors(n)), 1.1, 201))
    found.append(row("torch", "host solve, 100 x 100", _both(solve, _system(100)), _both(Solve.apply, _system(100)), 1.1, 101))
    for n in (10, 1000):
        for name, ours in (("rrule", wave), ("rule given y", wave_y)):
            case = f"compiled host, {name}, {n} elements (custom_op)"
            found.append(row("torch", case, _compiled(ours, _vectors(n)), _compiled(wave_op, _vectors(n)), 1.1, 201))
    case = "compiled host solve, 100 x 100 (custom_op)"
    found.append(row("torch", case, _compiled(solve, _system(100)), _compiled(solve_op, _system(100)), 1.1, 101))
    return found


def soak(steps: int = 10_000) -> None:
    """Memory, and residuals that wait, over many compiled steps, a quarter of which never asks for its gradient."""
    args = _system(100)
    run = torch.compile(lambda a, b: (solve(a * 1.0, b * 1.0) ** 2).sum(), fullgraph=True)
    missed = RESIDUALS.missed
    for i in range(steps):
        y = run(*args)
        if i % 4:
            torch.autograd.grad(y, args)
        if (i + 1) % max(1, steps // 10) == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{i + 1:7} steps: peak {peak:.0f} MiB, {len(RESIDUALS)} residuals wait, {RESIDUALS.missed - missed} computed again")


if __name__ == "__main__":
    if sys.argv[1:2] == ["soak"]:
        soak(*map(int, sys.argv[2:3]))
    else:
        print(table(rows()))
