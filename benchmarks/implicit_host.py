"""A root of four unknowns by SciPy, x^3 + A x = b, in every engine: value and gradient of a loss, and Hessian-vector products."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

import rulebook as rb
from benchmarks.implicit import Row, Thunk, attempt, by_turns, mark_accurate, relative_error

ENGINES = ("torch", "autograd", "jax")
Solver = Callable[[Any, Any, Any], Any]
solves = [0]


def residual(x: Any, a: Any, b: Any) -> Any:
    """What vanishes at the root."""
    return x**3 + a @ x - b


def solve(x0: Any, a: Any, b: Any) -> Any:
    """The root, of NumPy arrays."""
    solves[0] += 1
    return scipy.optimize.root(residual, x0, args=(a, b), jac=lambda x, a, b: np.diag(3 * x**2) + a, tol=1e-14).x


def inputs() -> tuple[Any, Any, Any]:
    """x0, A, b."""
    rng = np.random.default_rng(0)
    return np.zeros(4), rng.normal(size=(4, 4)) + 4 * np.eye(4), rng.normal(size=4)


def _adjoint(x: Any, a: Any, x_bar: Any) -> tuple[Any, Any]:
    """The cotangents of A and b."""
    w = np.linalg.solve((np.diag(3 * x**2) + a).T, x_bar)
    return -np.outer(w, x), w


def _numpy_alone() -> Any:
    x0, a, b = inputs()

    def run() -> Any:
        x = solve(x0, a, b)
        return _adjoint(x, a, x)

    return run


def _curvature(v: Any) -> Any:
    """H v, with H the Hessian of |x|^2 / 2 with respect to b, by hand."""
    x0, a, b = inputs()
    x = solve(x0, a, b)
    jacobian = np.diag(3 * x**2) + a
    x_dot, w = np.linalg.solve(jacobian, v), np.linalg.solve(jacobian.T, x)
    return np.linalg.solve(jacobian.T, x_dot - 6 * x * x_dot * w)


def _torch_by_hand() -> Solver:
    import torch

    class Solve(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x0: Any, a: Any, b: Any) -> Any:
            x = torch.from_numpy(solve(x0.numpy(), a.detach().numpy(), b.detach().numpy()))
            ctx.save_for_backward(x, a)
            return x

        @staticmethod
        def backward(ctx: Any, x_bar: Any) -> Any:
            x, a = ctx.saved_tensors
            return None, *map(torch.from_numpy, _adjoint(x.numpy(), a.detach().numpy(), x_bar.numpy()))

    return Solve.apply


def _torchopt() -> Solver:
    import torch
    import torchopt

    host = lambda x0, a, b: torch.from_numpy(solve(x0.numpy(), a.detach().numpy(), b.detach().numpy()))
    return torchopt.diff.implicit.custom_root(residual, argnums=(1, 2), solve=torchopt.linear_solve.solve_inv())(host)


def _autograd_by_hand() -> Solver:
    from autograd.extend import defvjp, primitive

    found = primitive(solve)
    cotangent = lambda k: lambda x, x0, a, b: lambda x_bar: _adjoint(x, a, x_bar)[k]
    defvjp(found, None, cotangent(0), cotangent(1))
    return found


def _jax_by_hand() -> Solver:
    import jax
    from jax import numpy as jnp

    def call(x0, a, b):
        return jax.pure_callback(lambda *args: solve(*map(np.asarray, args)), jax.ShapeDtypeStruct(x0.shape, x0.dtype), x0, a, b)

    found = jax.custom_vjp(call)

    def forward(x0, a, b):
        x = found(x0, a, b)
        return x, (x, a)

    def backward(saved, x_bar):
        x, a = saved
        w = jnp.linalg.solve((jnp.diag(3 * x**2) + a).T, x_bar)
        return jnp.zeros_like(x), -jnp.outer(w, x), w

    found.defvjp(forward, backward)
    return found


def _jaxopt(jitted: bool) -> Solver:
    import jax
    import jaxopt

    def callback(x0, a, b):
        return jax.pure_callback(lambda *args: solve(*map(np.asarray, args)), jax.ShapeDtypeStruct(x0.shape, x0.dtype), x0, a, b)

    host = callback if jitted else lambda x0, a, b: solve(*map(np.asarray, (x0, a, b)))
    return jaxopt.implicit_diff.custom_root(residual, solve=jaxopt.linear_solve.solve_lu)(host)


def _methods(engine: str) -> dict[str, Solver]:
    """What there is to compare."""
    found: dict[str, Solver] = {"by hand": {"torch": _torch_by_hand, "autograd": _autograd_by_hand, "jax": _jax_by_hand}[engine]()}
    found["rulebook"] = rb.implicit.root(residual, host=True)(solve)
    if engine == "torch" and importlib.util.find_spec("torchopt") is not None:
        found["torchopt, inverse"] = _torchopt()
    if engine == "jax" and importlib.util.find_spec("jaxopt") is not None:
        found["jaxopt, LU, solver by pure_callback"] = _jaxopt(True)
        found["jaxopt, LU, solver called"] = _jaxopt(False)
    return found


def _torch_gradient(f: Solver) -> Thunk:
    import torch

    x0, a, b = map(torch.from_numpy, inputs())
    a.requires_grad_(), b.requires_grad_()
    return lambda: torch.autograd.grad(0.5 * (f(x0, a, b) ** 2).sum(), (a, b))


def _torch_curvature(f: Solver, v: Any) -> Any:
    import torch

    x0, a, b = map(torch.from_numpy, inputs())
    b.requires_grad_()
    (g,) = torch.autograd.grad(0.5 * (f(x0, a, b) ** 2).sum(), b, create_graph=True)
    return torch.autograd.grad(g @ torch.from_numpy(v), b)[0].numpy()


def _autograd_gradient(f: Solver) -> Thunk:
    import autograd

    x0, a, b = inputs()
    gradient = autograd.grad(lambda ab: 0.5 * (f(x0, *ab) ** 2).sum())
    return lambda: gradient((a, b))


def _autograd_curvature(f: Solver, v: Any) -> Any:
    import autograd

    x0, a, b = inputs()
    return autograd.grad(lambda b: autograd.grad(lambda b: 0.5 * (f(x0, a, b) ** 2).sum())(b) @ v)(b)


def _jax_gradient(f: Solver) -> Thunk:
    import jax
    from jax import numpy as jnp

    x0, a, b = map(jnp.asarray, inputs())
    gradient = jax.jit(jax.grad(lambda a, b: 0.5 * (f(x0, a, b) ** 2).sum(), (0, 1)))
    return lambda: jax.block_until_ready(gradient(a, b))


def _jax_curvature(f: Solver, v: Any) -> Any:
    import jax
    from jax import numpy as jnp

    x0, a, b = map(jnp.asarray, inputs())
    gradient = jax.grad(lambda b: 0.5 * (f(x0, a, b) ** 2).sum())
    return jax.jit(jax.grad(lambda b: gradient(b) @ jnp.asarray(v)))(b)


_GRADIENT = {"torch": _torch_gradient, "autograd": _autograd_gradient, "jax": _jax_gradient}
_CURVATURE = {"torch": _torch_curvature, "autograd": _autograd_curvature, "jax": _jax_curvature}


def _of_engine(engine: str) -> list[Row]:
    methods = _methods(engine)
    thunks = {name: _GRADIENT[engine](f) for name, f in methods.items()}
    raised = {name: found for name, thunk in thunks.items() if isinstance(found := attempt(thunk), str)}
    times = by_turns({"NumPy alone": _numpy_alone()} | {n: t for n, t in thunks.items() if n not in raised}, "by hand")
    v, expected = np.array([1.0, -2.0, 0.5, 1.5]), _numpy_alone()()
    found = [{"problem": f"a root of 4 unknowns by SciPy, {engine}", "method": "NumPy alone", **times["NumPy alone"], "error": 0.0}]
    for name, f in methods.items():
        row: Row = {"problem": found[0]["problem"], "method": name, **times.get(name, {})}
        row["error"] = raised.get(name) or relative_error(thunks[name](), expected)
        curvature = _CURVATURE[engine]
        solves[0] = 0
        row["error of H v"] = attempt(lambda f=f: relative_error([curvature(f, v)], [_curvature(v)]))
        row["solves for H v"] = solves[0] - 1 if isinstance(row["error of H v"], float) else None
        found.append(row)
    mark_accurate(found)
    return found


def rows() -> list[Row]:
    """Every comparison."""
    engines = [e for e in ENGINES if importlib.util.find_spec(e) is not None]
    if "torch" in engines:
        import torch

        torch.set_num_threads(1)
    if "jax" in engines:
        import jax

        jax.config.update("jax_enable_x64", True)
    return [r for engine in engines for r in _of_engine(engine)]
