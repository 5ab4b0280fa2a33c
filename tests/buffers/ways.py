"""How each engine differentiates a function of one array; what it makes of an array; all by name, for tests that ask the same of all."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rulebook as rb

__all__ = ["FIRST", "SECOND", "array", "engine"]

Way = Callable[[Any, Any], Any]


def engine(name: str) -> Any:
    """The module of an engine's functions; the test is skipped where it is not installed."""
    if name in ("numpy", "dual"):
        return None
    pytest.importorskip(name)
    return importlib.import_module({"torch": "torch", "jax": "jax", "autograd": "autograd"}[name])


def array(name: str, x: Any) -> Any:
    """An array as an active of an engine, outside of any derivative where there is such a thing."""
    if name == "torch":
        return engine("torch").tensor(x)
    return engine("jax").numpy.asarray(x) if name == "jax" else x


def _along(jvp: Callable[[Any], Any], x: Any) -> Any:
    """The Jacobian from derivatives along the basis."""
    columns = [np.asarray(jvp(e.reshape(x.shape))) for e in np.eye(x.size)]
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


def _jax(f: Any, x: Any) -> Any:
    """Reverse mode, in a batch of one, compiled."""
    jax = engine("jax")
    return jax.jit(jax.vmap(jax.jacrev(f)))(x[None])[0]


def _torch_forward(f: Any, x: Any) -> Any:
    torch = engine("torch")

    def jvp(e: Any) -> Any:
        with torch.autograd.forward_ad.dual_level():
            y = f(torch.autograd.forward_ad.make_dual(torch.tensor(x), torch.tensor(e)))
            y_dot = torch.autograd.forward_ad.unpack_dual(y).tangent
        return torch.zeros_like(y) if y_dot is None else y_dot

    return _along(jvp, x)


def _torch_backward(f: Any, x: Any, compiled: bool = False) -> Any:
    torch = engine("torch")
    if compiled:
        torch._dynamo.reset()
        f = torch.compile(f, fullgraph=True, backend="aot_eager")
    t = torch.tensor(x, requires_grad=True)
    shape = tuple(f(t).shape)
    # one forward pass for each row: a compiled one cannot be kept; the sum is for results that are constant
    rows = [torch.autograd.grad((f(t) + 0.0 * t.sum()).ravel()[i], t)[0] for i in range(int(np.prod(shape)))]
    return torch.stack(rows).reshape(*shape, *x.shape)


def _torch_batch(f: Any, x: Any) -> Any:
    torch = engine("torch")
    return torch.func.vmap(torch.func.jacrev(f))(torch.tensor(x)[None])[0]


def _autograd_forward(f: Any, x: Any) -> Any:
    return _along(lambda e: engine("autograd").make_jvp(f)(x)(e)[1], x)


FIRST: dict[str, Way] = {
    "dual": lambda f, x: rb.jacobian(f, engine="dual")(x),
    "jax-jacfwd": lambda f, x: engine("jax").jit(engine("jax").jacfwd(f))(x),
    "jax-jacrev-vmap": _jax,
    "jax-rulebook": lambda f, x: rb.jacobian(f, engine="jax")(x),
    "torch-jacfwd": lambda f, x: engine("torch").func.jacfwd(f)(array("torch", x)),
    "torch-jacrev-vmap": _torch_batch,
    "torch-backward": _torch_backward,
    "torch-forward": _torch_forward,
    "torch-compile": lambda f, x: _torch_backward(f, x, compiled=True),
    "torch-rulebook": lambda f, x: rb.jacobian(f, engine="torch")(x),
    "autograd-jacobian": lambda f, x: engine("autograd").jacobian(f)(x),
    "autograd-make_jvp": _autograd_forward,
    "autograd-rulebook": lambda f, x: rb.jacobian(f, engine="autograd")(x),
}

SECOND: dict[str, Way] = {
    "dual": lambda f, x: rb.jacobian(lambda x: rb.jacobian(f, engine="dual")(x), engine="dual")(x),
    "jax-hessian": lambda f, x: engine("jax").jit(engine("jax").hessian(f))(x),
    "jax-reverse-over-reverse": lambda f, x: engine("jax").jit(engine("jax").jacrev(engine("jax").jacrev(f)))(x),
    "jax-reverse-over-forward": lambda f, x: engine("jax").jit(engine("jax").jacrev(engine("jax").jacfwd(f)))(x),
    "torch-hessian": lambda f, x: engine("torch").func.hessian(f)(array("torch", x)),
    "torch-reverse-over-reverse": lambda f, x: engine("torch").func.jacrev(engine("torch").func.jacrev(f))(array("torch", x)),
    "autograd-reverse-over-reverse": lambda f, x: engine("autograd").jacobian(engine("autograd").jacobian(f))(x),
    "autograd-forward-over-reverse": lambda f, x: _autograd_forward(engine("autograd").jacobian(f), x),
}
