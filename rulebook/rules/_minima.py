"""SciPy's minimisers on NumPy arrays, and the refinement of what they find: what `rulebook.rules.optimize` runs."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.errors import RuleSignatureError
from rulebook.rules._procedures import as_array, scipy, stopped
from rulebook.rules._roots import exact_jacobian, numbers

__all__ = ["check_loss", "cost", "least_squares_solver", "minimize_solver", "refined"]

Function = Callable[..., Any]

_WITHOUT_GRADIENT = ("nelder-mead", "powell", "cobyla", "cobyqa")
_WITH_HESSIAN = ("dogleg", "trust-ncg", "trust-krylov", "trust-exact")


def minimize_solver(functions: tuple[Any, ...], options: dict[str, Any], name: str, on_failure: str) -> Function:
    """scipy.optimize.minimize, with a function and its derivatives, as a function of (x0, *args)."""
    fn, jac, hess = functions
    method = (options["method"] or "BFGS").lower()
    gradient: Function = lambda x, *args: rb.grad(lambda x: fn(x, *args), engine="dual")(x)
    with_value: Function = lambda x, *args: rb.value_and_grad(lambda x: fn(x, *args), engine="dual")(x)
    exact = jac is None and method not in _WITHOUT_GRADIENT
    run: dict[str, Any] = {"jac": True if exact else jac, "hess": hess}
    if hess is None and method in _WITH_HESSIAN:
        run["hess"] = lambda x, *args: rb.hessian(lambda x: fn(x, *args), engine="dual")(x)

    def solve(x0: Any, *args: Any) -> Any:
        use = with_value if exact else lambda x, *args: float(fn(x, *args))
        found = scipy("optimize").minimize(use, x0.astype(float), args=args, **run, **options)
        x, good = found.x, bool(found.success)
        if jac is None:
            x, refined_ = refined(lambda x: gradient(x, *args), x)
            good = good or refined_
        if not good:
            norm = float(np.linalg.norm(found.get("jac", np.nan)))
            stopped(name, on_failure, found.message, norm, found.get("nit", found.nfev))
        return x, (np.bool_(good), np.int32(found.status), np.int32(found.nfev))

    return solve


def least_squares_solver(functions: tuple[Any, ...], options: dict[str, Any], name: str, on_failure: str) -> Function:
    """scipy.optimize.least_squares, with a function and its Jacobian, as a function of (x0, *args)."""
    fn, jac = functions
    use = exact_jacobian(fn) if jac is None else jac
    half_sum = cost(fn, options["loss"], options["f_scale"])
    gradient: Function = lambda x, *args: rb.grad(lambda x: half_sum(x, *args), engine="dual")(x)

    def solve(x0: Any, *args: Any) -> Any:
        found = scipy("optimize").least_squares(numbers(fn), x0.astype(float), use, args=args, **options)
        x, good = found.x, bool(found.success)
        if jac is None:
            x, refined_ = refined(lambda x: gradient(x, *args), x)
            good = good or refined_
        if not good:
            stopped(name, on_failure, found.message, float(np.linalg.norm(found.grad)), found.nfev)
        return x, (np.bool_(good), np.int32(found.status), np.int32(found.nfev))

    return solve


# -- losses ----------------------------------------------------------------------------------------


def _huber(xp: Any, z: Any) -> Any:
    return xp.where(z <= 1, z, 2 * xp.sqrt(xp.where(z <= 1, 1.0, z)) - 1)


_LOSSES: dict[str, Function] = {  # of the square of a residual
    "linear": lambda xp, z: z,
    "soft_l1": lambda xp, z: 2 * (xp.sqrt(1 + z) - 1),
    "huber": _huber,
    "cauchy": lambda xp, z: xp.log1p(z),
    "arctan": lambda xp, z: xp.arctan(z),
}


def check_loss(loss: Any, scale: Any, name: str) -> None:
    """Refuse a loss that there is not, and a scale that may be differentiated.

    Raises:
        RuleSignatureError: there is none of that name, or the scale is no positive number.
    """
    if not isinstance(scale, (int, float, np.number)) or not scale > 0:
        got = repr(scale) if isinstance(scale, (int, float, np.number)) else f"a {type(scale).__name__}"
        raise RuleSignatureError(f"{name}, f_scale.", "a positive number", got, "divide the residuals by it in fun, and pass it in args")
    if loss not in _LOSSES:
        near = difflib.get_close_matches(str(loss), _LOSSES, 1)
        do = f"did you mean {near[0]!r}?" if near else "pass loss='linear'"
        raise RuleSignatureError(f"{name}, loss.", f"one of {', '.join(map(repr, _LOSSES))}", repr(loss), do)


def cost(fn: Function, loss: str, scale: float) -> Function:
    """Half the sum of the losses of the residuals fn(x, *args), in any engine."""

    def half_sum(x: Any, *args: Any) -> Any:
        r = as_array(fn(x, *args))
        xp = rb.xp(r)
        if loss == "linear":
            return 0.5 * xp.sum(r * r)
        return 0.5 * scale**2 * xp.sum(_LOSSES[loss](xp, (r / scale) ** 2))

    return half_sum


# -- refinement ------------------------------------------------------------------------------------

_UNKNOWNS = 128  # up to which the Hessian of a solution is formed, as in the rules
_NEAR = 0.01  # how far, relative to x, a solver's result may be from what it is refined to


def refined(gradient: Function, x: Any) -> tuple[Any, bool]:
    """A minimum made accurate to rounding, and whether that worked.

    Newton's method with one Hessian, by central differences of the exact gradient.  Each step makes the gradient smaller by about
    the relative error of x, so that two or three are enough; one that does not halve it is not taken.

    Args:
        gradient: of x.
        x: close to a minimum, of shape (n,).
    """
    if not 0 < x.size <= _UNKNOWNS:
        return x, False
    g = gradient(x)
    scale = np.maximum(np.abs(x), np.linalg.norm(x) / np.sqrt(x.size)) if x.any() else np.ones_like(x)
    steps = np.cbrt(np.finfo(float).eps) * scale
    hessian = np.stack([(gradient(x + e) - gradient(x - e)) / (2 * h) for e, h in zip(np.diag(steps), steps, strict=True)])
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian + hessian.T)[0] <= 0:
        return x, False
    first, best = x, np.linalg.norm(g)
    for _ in range(_STEPS):
        step = np.linalg.solve(hessian, g)
        new = x - step
        g = gradient(new)
        size = np.linalg.norm(g)
        if not size < 0.5 * best or np.linalg.norm(new - first) > _NEAR * np.linalg.norm(scale):
            break
        x, best = new, size
    return x, bool(np.linalg.norm(step) <= np.sqrt(np.finfo(float).eps) * np.linalg.norm(scale))


_STEPS = 5
