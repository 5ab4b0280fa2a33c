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
from benchmarks.implicit import TOL, Row, Thunk, attempt, by_turns, mark_accurate, relative_error

ITERATIONS = (10, 100, 1000)
SIZES = ((32, 64), (64, 200))
Size = tuple[int, int]
Solver = Callable[[Tensor, Tensor, Tensor], Tensor]
solves = [0]


def step(z: Tensor, w: Tensor, x: Tensor) -> Tensor:
    """One iteration; a contraction at rate 0.6 about."""
    return torch.tanh(z @ w.T + x)


def inputs(size: Size) -> tuple[Tensor, Tensor, Tensor]:
    """z0, W, x."""
    torch.manual_seed(0)
    n = size[1]
    w = torch.randn(n, n, dtype=torch.float64) * (0.85 / n**0.5)
    return torch.zeros(size, dtype=torch.float64), w, torch.randn(size, dtype=torch.float64)


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
    found["rulebook"] = _by_rulebook
    if importlib.util.find_spec("torchopt") is not None:
        found["torchopt, its defaults"] = _by_torchopt
        found["torchopt, normal_cg to 1e-14"] = functools.partial(_by_torchopt, rtol=TOL / 100)
    return found


def _loss(solve: Solver, z: Tensor, w: Tensor, x: Tensor) -> Tensor:
    return 0.5 * (solve(z, w, x) ** 2).sum()


def _gradient(solve: Solver, size: Size) -> Thunk:
    z, w, x = inputs(size)
    w, x = w.requires_grad_(), x.requires_grad_()
    return lambda: torch.autograd.grad(_loss(solve, z, w, x), (w, x))


def _alone(n: int, size: Size) -> Thunk:
    z, w, x = inputs(size)
    return lambda: _loop(n, z, w, x)


def _resident() -> int:
    """The largest memory that this process has had, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found.group(1))


def _growth(name: str, *size: int) -> None:
    """Print by how much the peak memory has grown with each number of iterations, after some runs of ten."""
    torch.set_num_threads(1)
    make, (rows, columns) = _methods()[name], size
    for _ in range(3):
        _gradient(make(10), (rows, columns))()
    before = _resident()
    for n in ITERATIONS:
        _gradient(make(n), (rows, columns))()
        print(_resident() - before)


def _memory(name: str, size: Size) -> list[Any]:
    """The same in a process of its own, where the system tells it."""
    if not Path("/proc/self/status").exists():
        return [None] * len(ITERATIONS)
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.implicit_torch", name, *map(str, size)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return [int(line) for line in found.stdout.split()]


def _first_order(n: int, size: Size, expected: Any, memory: dict[str, list[Any]]) -> list[Row]:
    thunks: dict[str, Thunk] = {name: _gradient(make(n), size) for name, make in _methods().items()}
    alone = "(the solver alone)"
    times = by_turns(thunks | {alone: _alone(n, size)}, "unrolled", rounds=7, seconds=0.01)
    same = {"problem": f"contraction, torch, {size[0]} x {size[1]}", "iterations": n}
    found: list[Row] = [same | {"method": alone, **times[alone], "memory growth KiB": None, "error": None}]
    for name, thunk in thunks.items():
        row = same | {"method": name, **times[name], "memory growth KiB": memory[name][ITERATIONS.index(n)]}
        found.append(row | {"error": relative_error(thunk(), expected)})
    return found


def _captured(name: str, n: int, size: Size, expected: Any) -> Row:
    """The gradient with respect to W where the step captures it."""
    z, w, x = inputs(size)
    w.requires_grad_()
    captured = lambda z, x: torch.tanh(z @ w.T + x)

    def loop(z: Tensor, x: Tensor) -> Tensor:
        for _ in range(n):
            z = captured(z, x)
        return z

    def loss() -> Tensor:
        if name == "rulebook":
            return 0.5 * (rb.implicit.fixed_point(captured)(loop)(z, x) ** 2).sum()
        import torchopt

        return 0.5 * (torchopt.diff.implicit.custom_root(lambda z, x: captured(z, x) - z, argnums=1)(loop)(z, x) ** 2).sum()

    error = attempt(lambda: relative_error(torch.autograd.grad(loss(), w), expected[:1]))
    return {"problem": "contraction, torch: W captured by the step", "method": name, "iterations": n, "error": error}


def _double_backward(solve: Solver, size: Size, v: Tensor) -> Tensor:
    z, w, x = inputs(size)
    w.requires_grad_()
    (g,) = torch.autograd.grad(_loss(solve, z, w, x), w, create_graph=True)
    return torch.autograd.grad((g * v).sum(), w)[0]


def _forward_over_reverse(solve: Solver, size: Size, v: Tensor) -> Tensor:
    z, w, x = inputs(size)
    return torch.func.jvp(torch.func.grad(lambda w: _loss(solve, z, w, x)), (w,), (v,))[1]


def _reverse_over_reverse(solve: Solver, size: Size, v: Tensor) -> Tensor:
    z, w, x = inputs(size)
    return torch.func.vjp(torch.func.grad(lambda w: _loss(solve, z, w, x)), w)[1](v)[0]


def _second_order(n: int, size: Size) -> list[Row]:
    modes = {"double backward": _double_backward, "func.jvp of grad": _forward_over_reverse, "func.vjp of grad": _reverse_over_reverse}
    v = torch.randn(inputs(size)[1].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = _double_backward(_unrolled(n), size, v)
    found = []
    for name, make in _methods().items():
        row: Row = {"problem": "contraction, torch: Hessian-vector product", "method": name, "iterations": n}
        for label, mode in modes.items():
            solves[0] = 0
            row[f"error, {label}"] = attempt(lambda mode=mode, make=make: relative_error([mode(make(n), size, v)], [expected]))
            row[f"solves, {label}"] = solves[0] if isinstance(row[f"error, {label}"], float) else None
        found.append(row)
    return found


def _of_size(size: Size) -> list[Row]:
    expected = _gradient(_unrolled(2 * ITERATIONS[-1]), size)()
    memory = {name: _memory(name, size) for name in _methods()}
    found = [r for n in ITERATIONS for r in _first_order(n, size, expected, memory)]
    mark_accurate(found)
    return found


def rows() -> list[Row]:
    """Every comparison."""
    torch.set_num_threads(1)
    found = [r for size in SIZES for r in _of_size(size)]
    n, size = ITERATIONS[-1], SIZES[0]
    expected = _gradient(_unrolled(n), size)()
    others = ["torchopt"] if importlib.util.find_spec("torchopt") is not None else []
    return [*found, *(_captured(name, n, size, expected) for name in ("rulebook", *others)), *_second_order(n, size)]


if __name__ == "__main__":
    _growth(sys.argv[1], *map(int, sys.argv[2:]))
