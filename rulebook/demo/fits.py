"""One fit per engine: the same likelihood and the same two rules, each minimised in the engine's own way."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import approx_fprime, least_squares, minimize

import rulebook as rb
from rulebook.demo.model import negative_log_likelihood, residuals, unknowns, with_best_sigma
from rulebook.demo.solver import solves

__all__ = ["DIFFERENCES", "ENGINES", "Fit", "fit", "is_installed", "reference_gradient"]

Step = Callable[[], None]
Gradient = Callable[[Any], Any]

DIFFERENCES = "finite differences"


@dataclass(frozen=True)
class Fit:
    """What one engine found.

    Attributes:
        engine: its name.
        method: what minimised.
        logs: the logarithms of the parameters at the minimum.
        gradient: of the loss at the start.
        solves: how often an equation was solved in the fit, by kind.
        seconds: the time of the fit.
    """

    engine: str
    method: str
    logs: Any
    gradient: Any
    solves: dict[str, int]
    seconds: float


def reference_gradient(logs: Any) -> Any:
    """The gradient by the complex step f(x + ih).imag / h: no engine, no rule, and no cancellation.

    SciPy's solver runs on complex numbers.  See Squire and Trapp, SIAM Review 40 (1998), 110-112.
    """
    h = 1e-30
    return np.array([negative_log_likelihood(logs + 1j * h * e).imag / h for e in np.eye(len(logs))])


def _counted(fn: Callable[..., Any], step: Step) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        step()
        return fn(*args)

    return run


def _bfgs(value_and_grad: Any, logs: Any, step: Step, **options: Any) -> Any:
    return minimize(_counted(value_and_grad, step), logs, method="BFGS", options={"gtol": 1e-6}, **options).x


@contextlib.contextmanager
def _dual() -> Iterator[tuple[Gradient, Any]]:
    jacobian = rb.jacobian(residuals, engine="dual")

    def run(logs: Any, step: Step) -> Any:
        found = least_squares(_counted(residuals, step), logs[:6], jac=jacobian, method="lm", xtol=1e-12, ftol=1e-12, gtol=1e-12)
        return with_best_sigma(found.x, found.fun)

    yield rb.grad(negative_log_likelihood, engine="dual"), run


@contextlib.contextmanager
def _autograd() -> Iterator[tuple[Gradient, Any]]:
    autograd: Any = importlib.import_module("autograd")
    both = autograd.value_and_grad(negative_log_likelihood)
    yield autograd.grad(negative_log_likelihood), lambda logs, step: _bfgs(both, logs, step, jac=True)


@contextlib.contextmanager
def _torch() -> Iterator[tuple[Gradient, Any]]:
    torch: Any = importlib.import_module("torch")

    def gradient(logs: Any) -> Any:
        p = torch.tensor(logs, requires_grad=True)
        negative_log_likelihood(p).backward()
        return p.grad.numpy()

    def run(logs: Any, step: Step) -> Any:
        p = torch.tensor(logs, requires_grad=True)
        optimizer = torch.optim.LBFGS([p], line_search_fn="strong_wolfe", max_iter=200, tolerance_grad=1e-6, tolerance_change=1e-12)

        def closure() -> Any:
            step()
            optimizer.zero_grad()
            loss = negative_log_likelihood(p)
            loss.backward()
            return loss

        optimizer.step(closure)
        return p.detach().numpy()

    yield gradient, run


@contextlib.contextmanager
def _jax() -> Iterator[tuple[Gradient, Any]]:
    jax: Any = importlib.import_module("jax")
    double = jax.enable_x64 if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental").enable_x64
    with double(True):  # within this block alone
        derive = jax.value_and_grad(negative_log_likelihood)

        def both(logs: Any) -> tuple[Any, Any]:
            value, gradient = derive(jax.numpy.asarray(logs))
            return float(value), np.asarray(gradient)

        yield lambda logs: both(logs)[1], lambda logs, step: _bfgs(both, logs, step, jac=True)


@contextlib.contextmanager
def _differences() -> Iterator[tuple[Gradient, Any]]:
    yield (
        lambda logs: approx_fprime(logs, negative_log_likelihood),
        lambda logs, step: _bfgs(negative_log_likelihood, logs, step, jac="2-point"),
    )


_FITS: dict[str, tuple[str, Any]] = {
    "dual": ("least_squares", _dual),
    "autograd": ("BFGS", _autograd),
    "torch": ("LBFGS", _torch),
    "jax": ("BFGS", _jax),
    DIFFERENCES: ("BFGS", _differences),
}
ENGINES = tuple(name for name in _FITS if name != DIFFERENCES)


def is_installed(engine: str) -> bool:
    """Whether the package of an engine can be imported; dual numbers are part of rulebook."""
    return engine in ("dual", DIFFERENCES) or importlib.util.find_spec(engine) is not None


def fit(engine: str, step: Step) -> Fit:
    """Fit the model.

    Args:
        engine: one of `ENGINES`, or `DIFFERENCES`.
        step: called once per evaluation of the loss.
    """
    method, start = _FITS[engine]
    logs = unknowns()
    with start() as (gradient, run):
        first = np.asarray(gradient(logs))
        solves.clear()
        began = time.perf_counter()
        found = np.asarray(run(logs, step))
        seconds = time.perf_counter() - began
    return Fit(engine, method, found, first, dict(solves), seconds)
