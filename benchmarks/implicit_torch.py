"""PyTorch: value and gradient of a loss of z = tanh(z W^T + x), by N iterations of a solver."""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

import rulebook as rb
from benchmarks.implicit import TOL, Row, Thunk, attempt, by_turns, relative_error

ITERATIONS = (10, 100, 1000)
Solver = Callable[[Tensor, Tensor, Tensor], Tensor]
solves = [0]


def step(z: Tensor, w: Tensor, x: Tensor) -> Tensor:
    """One iteration; a contraction at rate 0.6 about."""
    return torch.tanh(z @ w.T + x)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """z0, W, x."""
    torch.manual_seed(0)
    w = torch.randn(200, 200, dtype=torch.float64) * (0.85 / 200**0.5)
    return torch.zeros(64, 200, dtype=torch.float64), w, torch.randn(64, 200, dtype=torch.float64)


def _loop(n: int, z: Tensor, w: Tensor, x: Tensor) -> Tensor:
    solves[0] += 1
    for _ in range(n):
        z = step(z, w, x)
    return z


def _unrolled(n: int) -> Solver:
    return functools.partial(_loop, n)


def _by_hand(n: int) -> Solver:
    """The adjoint equation by its own iteration, as long as it takes."""

    class Solve(Function):
        @staticmethod
        def forward(ctx: Any, z: Tensor, w: Tensor, x: Tensor) -> Tensor:
            z = _loop(n, z, w, x)
            ctx.save_for_backward(z, w, x)
            return z

        @staticmethod
        def backward(ctx: Any, z_bar: Tensor) -> Any:
            z, w, x = (t.detach().requires_grad_() for t in ctx.saved_tensors)
            with torch.enable_grad():
                y = step(z, w, x)
            u, limit, change = z_bar, TOL * z_bar.abs().amax(), None
            while change is None or change > limit:
                new = z_bar + torch.autograd.grad(y, z, u, retain_graph=True)[0]
                u, change = new, (new - u).abs().amax()
            return None, *torch.autograd.grad(y, (w, x), u)

    return Solve.apply


def _by_rulebook(n: int, **options: Any) -> Solver:
    return rb.implicit.fixed_point(step, **options)(lambda z, w, x: _loop(n, z, w, x))


def _by_torchopt(n: int, **options: Any) -> Solver:
    import torchopt

    residual = lambda z, w, x: step(z, w, x) - z
    linear = torchopt.linear_solve.solve_normal_cg(**options)
    return torchopt.diff.implicit.custom_root(residual, argnums=(1, 2), solve=linear)(lambda z, w, x: _loop(n, z, w, x))


def _methods() -> dict[str, Callable[[int], Solver]]:
    """What there is to compare, each made for a number of iterations."""
    found: dict[str, Callable[[int], Solver]] = {"unrolled": _unrolled, "by hand": _by_hand}
    if hasattr(rb, "implicit"):
        found["rulebook"] = _by_rulebook
        found["rulebook, bicgstab"] = functools.partial(_by_rulebook, linear_solver="bicgstab")
    if importlib.util.find_spec("torchopt") is not None:
        found["torchopt, its defaults"] = _by_torchopt
        found[f"torchopt, normal_cg to {TOL:.0e}"] = functools.partial(_by_torchopt, rtol=TOL)
    return found


def _loss(solve: Solver, w: Tensor, x: Tensor) -> Tensor:
    return 0.5 * (solve(inputs()[0], w, x) ** 2).sum()


def _gradient(solve: Solver) -> Callable[[], Any]:
    z, w, x = inputs()
    w, x = w.requires_grad_(), x.requires_grad_()

    def run() -> Any:
        return torch.autograd.grad(0.5 * (solve(z, w, x) ** 2).sum(), (w, x))

    return run


def _resident() -> int:
    """The largest memory that this process has had, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found.group(1))


def _growth(name: str, n: int) -> None:
    """Print by how much the peak memory grows with n iterations, after ten of them."""
    torch.set_num_threads(1)
    make = _methods()[name]
    for _ in range(3):
        _gradient(make(10))()
    before = _resident()
    _gradient(make(n))()
    print(_resident() - before)


def _memory(name: str, n: int) -> int | None:
    """The same in a process of its own, where the system tells it."""
    if not Path("/proc/self/status").exists():
        return None
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.implicit_torch", name, str(n)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]).stdout)


def _first_order(n: int, expected: Any) -> list[Row]:
    thunks: dict[str, Thunk] = {name: _gradient(make(n)) for name, make in _methods().items()}
    found: list[Row] = []
    for name, times in by_turns(thunks, "unrolled", rounds=9, seconds=0.0).items():
        row = {"problem": "contraction, torch, 64 x 200", "method": name, "iterations": n, **times, "memory KiB": _memory(name, n)}
        found.append(row | {"error": relative_error(thunks[name](), expected)})
    return found


def _double_backward(solve: Solver, v: Tensor) -> Tensor:
    _, w, x = inputs()
    w.requires_grad_()
    (g,) = torch.autograd.grad(_loss(solve, w, x), w, create_graph=True)
    return torch.autograd.grad((g * v).sum(), w)[0]


def _forward_over_reverse(solve: Solver, v: Tensor) -> Tensor:
    _, w, x = inputs()
    return torch.func.jvp(torch.func.grad(lambda w: _loss(solve, w, x)), (w,), (v,))[1]


def _reverse_over_reverse(solve: Solver, v: Tensor) -> Tensor:
    _, w, x = inputs()
    return torch.func.vjp(torch.func.grad(lambda w: _loss(solve, w, x)), w)[1](v)[0]


def _second_order(n: int) -> list[Row]:
    modes = {"double backward": _double_backward, "func.jvp of grad": _forward_over_reverse, "func.vjp of grad": _reverse_over_reverse}
    v = torch.randn(200, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = _double_backward(_unrolled(n), v)
    found = []
    for name, make in _methods().items():
        row: Row = {"problem": "contraction, torch: Hessian-vector product", "method": name, "iterations": n}
        for label, mode in modes.items():
            solves[0] = 0
            row[f"error, {label}"] = attempt(lambda mode=mode, make=make: relative_error([mode(make(n), v)], [expected]))
            row[f"solves, {label}"] = solves[0]
        found.append(row)
    return found


def rows() -> list[Row]:
    """Every comparison."""
    torch.set_num_threads(1)
    expected = _gradient(_unrolled(2 * ITERATIONS[-1]))()
    found = [r for n in ITERATIONS for r in _first_order(n, expected)]
    return found + _second_order(ITERATIONS[-1])


if __name__ == "__main__":
    _growth(sys.argv[1], int(sys.argv[2]))
