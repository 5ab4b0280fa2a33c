"""Second order in two engines: one gives the gradient, the other differentiates it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rulebook.crossing import differentiate_with
from rulebook.engine import Engine
from rulebook.engines import load_engine
from rulebook.errors import RuleSignatureError
from rulebook.operators import kernels
from rulebook.operators.arguments import Point
from rulebook.operators.call import evaluate
from rulebook.operators.options import Options

__all__ = ["crossed"]


def crossed(kernel: kernels.Kernel, options: Options) -> tuple[kernels.Kernel, Options]:
    """A kernel and its options for one engine: for a pair, those that differentiate the inner engine's derivative."""
    names = options.engine
    if names is None or isinstance(names, str):
        return kernel, options
    outer, inner = _pair(options, names)
    if outer == inner:
        return kernel, replace(options, engine=outer)
    return _OUTER[kernel], replace(options, fn=_inner(kernel, options, inner), engine=outer, constants=(), caches=())


def _pair(options: Options, names: Any) -> tuple[str, str]:
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise RuleSignatureError(
            f"{options.where}, engine.", "a name, or a pair of names (outer, inner)", repr(names), 'pass engine=("jax", "dual"), say'
        )
    for name in names:
        load_engine(name)
    return names[0], names[1]


def _inner(kernel: kernels.Kernel, options: Options, inner: str) -> Callable[..., Any]:
    """The inner engine's derivative as a function that the outer engine differentiates."""
    operator = "derivative" if kernel is kernels.second_derivative else "grad"
    options = replace(options, operator=operator, engine=inner, batch=False)
    first = kernels.derivative if operator == "derivative" else kernels.grad

    def derived(*args: Any) -> Any:
        return evaluate(first, options, args)

    name = f"{options.which} (engine {inner})"
    derived.__name__ = derived.__qualname__ = name
    return differentiate_with(derived, inner, name=name)


def _along(use: Engine, options: Options, point: Point, xs: kernels.Arrays, tangents: kernels.Tangents) -> Any:
    return kernels.jvp(use, options, point, xs, tangents)[1]


_OUTER: dict[kernels.Kernel, kernels.Kernel] = {
    kernels.hessian: kernels.jacobian,
    kernels.hvp: _along,
    kernels.second_derivative: kernels.derivative,
}
