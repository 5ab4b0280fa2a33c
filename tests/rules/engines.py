"""Derivatives of scalar functions of a number, by each engine's own operators: one for every step of a mode as "frf"."""

from __future__ import annotations

import importlib.util

import rulebook as rb

ENGINES = [e for e in ("jax", "torch", "autograd", "dual") if e == "dual" or importlib.util.find_spec(e)]


def _jax():
    import jax

    # Compiled without optimisation, which takes most of the time and is not what is tested.
    plain = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}
    compiled = lambda g: jax.jit(g, compiler_options=plain)
    return {"f": lambda g: lambda t: jax.jvp(g, (t,), (1.0,))[1], "r": jax.grad, "j": compiled}, float


def _torch():
    import torch

    def forward(g):
        return lambda t: torch.func.jvp(g, (t,), (torch.ones_like(t),))[1]

    operators = {"f": forward, "F": torch.func.jacfwd, "r": torch.func.grad, "b": _double_backward}
    return operators, lambda t: torch.tensor(t, dtype=torch.float64)


def _double_backward(g):
    """torch.autograd.grad that can be differentiated again."""
    import torch

    def derivative(t):
        t = t if t.requires_grad else t.clone().requires_grad_()
        return torch.autograd.grad(g(t), t, create_graph=True)[0]

    return derivative


def _autograd():
    import autograd

    return {"f": lambda g: lambda t: autograd.make_jvp(g)(t)(1.0)[1], "r": autograd.grad}, float


def _dual():
    return {"f": lambda g: rb.derivative(g, engine="dual"), "r": lambda g: rb.grad(g, engine="dual")}, float


def staged(engine, g):
    """g; in JAX as one program, which else compiles each operation of each step by itself."""
    return _jax()[0]["j"](g) if engine == "jax" else g


_OPERATORS = {"jax": _jax, "torch": _torch, "autograd": _autograd, "dual": _dual}


def differentiate(engine, g, mode, at=0.0):
    """The derivative of g at a number, one letter of `mode` after the other.

    f is forward, r reverse, j compiles (JAX), b is double backward and F forward over a basis (torch).
    """
    operators, number = _OPERATORS[engine]()
    for step in mode:
        g = operators[step](g)
    found = g(number(at))
    return float(found.detach() if engine == "torch" else found)
