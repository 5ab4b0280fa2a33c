"""`python -m benchmarks.crossing`: functions of one engine called from another.

Crossings are compared with the bare round trip by DLPack, gradients with those of the function in its own engine.
The times are those of the processor.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from autograd import grad as autograd_grad

import rulebook as rb
from benchmarks.measure import Row, row, table

__all__ = ["rows"]

CLOCK = time.process_time  # both sides wait for their results
LAYERS = 30
N = 100  # the gradient is one of N * N numbers


def _waiting(fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: jax.block_until_ready(fn(*args))


def _crossings() -> list[Row]:
    """A function of one operation, so that the crossing is all."""
    negative = lambda x: -x
    by_torch, by_jax = rb.differentiate_with(negative, "torch"), rb.differentiate_with(negative, "jax")
    found = []
    for n in (10, 1000, 10_000, 100_000, 1_000_000):
        x = jnp.arange(float(n))
        bare = lambda x: jnp.from_dlpack(negative(torch.from_dlpack(x)))
        found.append(row("jax", f"jax -> torch -> jax, {n}", _waiting(by_torch, x), _waiting(bare, x), 1.2, clock=CLOCK))
        t = torch.arange(float(n), dtype=torch.float64)
        back = lambda: torch.from_dlpack(jax.block_until_ready(negative(jnp.from_dlpack(t))))
        found.append(row("torch", f"torch -> jax -> torch, {n}", lambda: by_jax(t), back, clock=CLOCK))
    return found


def _model(xp: Any, w: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        h = x.reshape(N, N)
        for _ in range(LAYERS):
            h = xp.tanh(h @ w)
        return (h * h).sum()

    return f


def _by_hand(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of torch in un-jitted JAX, as one writes it without rulebook: first order, reverse mode."""
    kept: list[Any] = []

    def forward(x: Any) -> tuple[Any, None]:
        leaf = torch.from_dlpack(x).requires_grad_()
        y = f(leaf)
        kept.append((leaf, y))
        return jnp.asarray(y.detach().numpy()), None

    def backward(_: None, y_bar: Any) -> tuple[Any]:
        leaf, y = kept.pop()
        return (jnp.from_dlpack(torch.autograd.grad(y, leaf, torch.from_dlpack(y_bar))[0]),)

    made = jax.custom_vjp(lambda x: forward(x)[0])
    made.defvjp(forward, backward)
    return made


def _gradients() -> list[Row]:
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(N, N)) / np.sqrt(N), rng.normal(size=N * N)
    xj, xt = jnp.asarray(x), torch.tensor(x)
    in_torch, in_jax = _model(torch, torch.tensor(w)), jax.jit(_model(jnp, jnp.asarray(w)))

    def gradient_of(f: Callable[..., Any]) -> Callable[[], Any]:
        def gradient() -> Any:
            leaf = xt.detach().requires_grad_()
            return torch.autograd.grad(f(leaf), leaf)

        return gradient

    by_torch, by_jax = rb.differentiate_with(in_torch, "torch"), rb.differentiate_with(in_jax, "jax")
    torch_own, jax_own = gradient_of(in_torch), _waiting(jax.grad(in_jax), xj)
    case = lambda engine, text, ours, own: row(engine, f"gradient of a {text} function", ours, own, 1.3, rounds=31, clock=CLOCK)
    return [
        case("jax", "torch", _waiting(jax.grad(by_torch), xj), torch_own),
        case("jax", "torch, by hand (jax.custom_vjp)", _waiting(jax.grad(_by_hand(in_torch)), xj), torch_own),
        case("jax", "torch, jitted", _waiting(jax.jit(jax.grad(by_torch)), xj), torch_own),
        case("autograd", "torch", lambda: autograd_grad(by_torch)(x), torch_own),
        case("torch", "jax", gradient_of(by_jax), jax_own),
        case("autograd", "jax", lambda: autograd_grad(by_jax)(x), jax_own),
    ]


def rows() -> list[Row]:
    """Every comparison."""
    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(1)
    return [*_crossings(), *_gradients()]


if __name__ == "__main__":
    print(table(rows()))
