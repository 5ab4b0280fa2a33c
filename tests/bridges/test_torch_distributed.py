"""The torch bridge under DistributedDataParallel and DTensor, with two processes over gloo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rulebook as rb

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():  # a build of torch without it
    pytest.skip("torch.distributed is not built in", allow_module_level=True)


@rb.primitive
def wave(x: Any, w: Any) -> Any:
    """sin(x) w, with rules times 100."""
    return torch.sin(x) * w


@rb.frule(wave)
def _(primals: Any, tangents: Any) -> Any:
    (x, w), (x_dot, w_dot) = primals, tangents
    return torch.sin(x) * w, 100 * (torch.cos(x) * w * x_dot + torch.sin(x) * w_dot)


@rb.rrule(wave)
def _(x: Any, w: Any) -> Any:
    return torch.sin(x) * w, lambda y_bar: (100 * y_bar * torch.cos(x) * w, 100 * y_bar * torch.sin(x))


@rb.primitive(host=True, result=lambda x, w: x)
def host_wave(x: Any, w: Any) -> Any:
    """The same by host code."""
    return np.sin(x) * w


@rb.rrule(host_wave, host=True)
def _(x: Any, w: Any) -> Any:
    return np.sin(x) * w, lambda y_bar: (100 * y_bar * np.cos(x) * w, 100 * y_bar * np.sin(x))


class Layer(torch.nn.Module):
    """One parameter, in a rule."""

    def __init__(self, f: Any) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.f = f

    def forward(self, x: Any) -> Any:
        return self.f(x, self.w.expand_as(x))


def _work(rank: int, store: str) -> None:
    from datetime import timedelta

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=timedelta(seconds=60))
    try:
        _data_parallel(rank)
        _sharded()
    finally:
        torch.distributed.destroy_process_group()


def _data_parallel(rank: int) -> None:
    batch = torch.arange(12, dtype=torch.float64).reshape(4, 3) / 10
    for f in (wave, host_wave):
        model = torch.nn.parallel.DistributedDataParallel(Layer(f))
        for _ in range(2):
            model.zero_grad()
            model(batch[2 * rank : 2 * rank + 2]).sum().backward()
            torch.testing.assert_close(model.module.w.grad, 100 * torch.sin(batch).sum(0) / 2)


def _sharded() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (2,))
    whole = torch.arange(8, dtype=torch.float64).reshape(4, 2) / 10
    for placement in (Shard(0), Replicate()):
        x = distribute_tensor(whole, mesh, [placement]).requires_grad_()
        w = distribute_tensor(whole + 1, mesh, [placement])
        y = wave(x, w)
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        torch.testing.assert_close(g.full_tensor().detach(), 100 * torch.cos(whole) * (whole + 1))
        assert g.placements == (placement,)
        (h,) = torch.autograd.grad(g.sum(), x)
        torch.testing.assert_close(h.full_tensor(), -100 * torch.sin(whole) * (whole + 1))


def test_data_parallel_and_dtensor(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_work, (str(tmp_path / "store"),), nprocs=2)
