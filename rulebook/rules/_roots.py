"""SciPy's root finders on NumPy arrays, and how their linear systems are solved: what `rulebook.rules.optimize` runs."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engine import Engine
from rulebook.errors import RuleOutputError, RuleSignatureError
from rulebook.implicit.failures import SingularError
from rulebook.namespace import engine_for, stop_gradient
from rulebook.rules._procedures import as_array, scipy, stopped

__all__ = ["bracketed", "diagonal", "exact_jacobian", "fixed_point_solver", "newton_solver", "root_solver"]

Function = Callable[..., Any]

_WITH_JACOBIAN = ("hybr", "lm")


def exact_jacobian(fn: Function) -> Function:
    """The Jacobian of fn(x, *args) with respect to x, on NumPy arrays."""
    return lambda x, *args: rb.jacobian(lambda x: as_array(fn(x, *args)), engine="dual")(x)


def numbers(fn: Function) -> Function:
    """fn as SciPy has to have it: what it gives is an array."""
    return lambda x, *args: np.asarray(as_array(fn(x, *args)))


def fitting(fn: Function, name: str) -> Function:
    """The same of a function that gives as many numbers as x has.

    Raises:
        RuleOutputError: it does not.
    """

    def checked(x: Any, *args: Any) -> Any:
        value = numbers(fn)(x, *args)
        if value.shape != np.shape(x):
            do = "let the function give one value per unknown"
            raise RuleOutputError(f"{name}.", f"the shape of x, {np.shape(x)}", f"{value.shape}", do)
        return value

    return checked


def root_solver(fn: Function, jac: Any, method: str, tol: float | None, options: dict[str, Any], name: str, on_failure: str) -> Function:
    """scipy.optimize.root as a function of (x0, *args)."""
    fitted = fitting(fn, name)
    use = exact_jacobian(fn) if jac is None and method in _WITH_JACOBIAN else jac

    def solve(x0: Any, *args: Any) -> Any:
        fitted(_wide(x0), *args)  # before SciPy says it in words of its own
        found = scipy("optimize").root(fitted, _wide(x0), args=args, method=method, jac=use, tol=tol, options=options)
        rounds = found.get("nit", found.get("nfev", 0))
        if not found.success:
            stopped(name, on_failure, found.message, _norm(found.fun), rounds)
        aux = (
            np.asarray(found.fun).astype(x0.dtype),
            np.bool_(found.success),
            np.int32(found.get("status", 0)),
            np.int32(found.get("nfev", 0)),
        )
        return found.x.reshape(x0.shape), aux

    return solve


def newton_solver(functions: tuple[Any, ...], options: dict[str, Any], name: str, on_failure: str) -> Function:
    """scipy.optimize.newton, with a function and its derivatives, as a function of (x0, *args)."""
    fitted = fitting(functions[0], name)
    fprime, fprime2 = (None if d is None else numbers(d) for d in functions[1:])

    def solve(x0: Any, *args: Any) -> Any:
        last = [x0]

        def tracked(x: Any, *args: Any) -> Any:
            last[0] = np.array(x)
            return fitted(x, *args)

        at = _wide(x0) if x0.ndim else _wide(x0)[()]
        try:
            with np.errstate(all="ignore"), _quiet, warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # that elements did not converge: reported below
                x, info, *_ = scipy("optimize").newton(tracked, at, fprime, args, fprime2=fprime2, full_output=True, disp=False, **options)
        except RuntimeError as error:  # no element of an array converged
            if "failed to converge" not in str(error):
                raise
            x, info = last[0], np.False_
        many = isinstance(info, (np.ndarray, np.bool_))
        x, converged, rounds = np.asarray(x), np.all(info) if many else info.converged, options["maxiter"] if many else info.iterations
        if not converged:
            stopped(name, on_failure, "Failed to converge", _norm(fitted(x, *args)), rounds)
        return x.reshape(x0.shape)

    return solve


_quiet = threading.Lock()  # the filters of warnings belong to all threads


def bracketed(fn: Function, options: dict[str, Any], name: str, on_failure: str) -> Function:
    """The root between a and b as a function of (a, b, *args): by scipy.optimize.brentq for numbers."""
    fitted = fitting(fn, name)

    def solve(a: Any, b: Any, *args: Any) -> Any:
        if a.ndim:
            x, converged, rounds = chandrupatla(lambda x: fitted(x, *args), _wide(a), _wide(b), **options)
        else:
            one = lambda x: float(fitted(np.asarray(x), *args))
            x, info = scipy("optimize").brentq(one, float(a), float(b), full_output=True, disp=False, **options)
            converged, rounds = info.converged, info.iterations
        x = np.asarray(x)
        if not converged:
            stopped(name, on_failure, "Failed to converge", _norm(fitted(x, *args)), rounds)
        return x

    return solve


def chandrupatla(fn: Function, a: Any, b: Any, xtol: float, rtol: float, maxiter: int) -> tuple[Any, bool, int]:
    """The roots of an elementwise function in many brackets at once.

    Inverse quadratic interpolation where it is safe, else bisection (T. R. Chandrupatla, A new hybrid quadratic/bisection algorithm for
    finding the zero of a nonlinear function without using derivatives, 1997).

    Args:
        fn: of an array, gives an array of its shape.
        a, b: the brackets.
        xtol, rtol: the absolute and relative accuracy.
        maxiter: the most rounds.

    Returns:
        The roots, whether all converged, and the number of rounds.

    Raises:
        ValueError: fn has the same sign at both ends of a bracket.
    """
    f_a, f_b = fn(a), fn(b)
    same = np.sign(f_a) * np.sign(f_b) > 0
    if same.any():
        raise ValueError(f"f(a) and f(b) must have different signs; at element {np.argwhere(same)[0].tolist()} they have not")
    t = np.full(a.shape, 0.5)
    best, done = np.where(np.abs(f_a) < np.abs(f_b), a, b), (f_a == 0) | (f_b == 0)
    for rounds in range(maxiter):
        if done.all():
            return best, True, rounds
        x = np.where(done, best, a + t * (b - a))
        f = fn(x)
        kept = np.sign(f) == np.sign(f_a)
        c, f_c = np.where(kept, a, b), np.where(kept, f_a, f_b)
        b, f_b = np.where(kept, b, a), np.where(kept, f_b, f_a)
        a, f_a = x, f
        best = np.where(done, best, np.where(np.abs(f_b) < np.abs(f_a), b, a))
        with np.errstate(all="ignore"):
            least = (xtol + rtol * np.abs(best)) / np.abs(b - a)
            done |= (least > 0.5) | (np.minimum(np.abs(f_a), np.abs(f_b)) == 0)
            t = np.clip(_interpolated((a, b, c), (f_a, f_b, f_c)), least, 1 - np.minimum(least, 0.5))
    return best, bool(done.all()), maxiter


def _interpolated(points: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
    """Where between the first two points the inverse parabola through all three vanishes; the middle where it may not."""
    (a, b, c), (f_a, f_b, f_c) = points, values
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    inside = f_a / (f_b - f_a) * f_c / (f_b - f_c) + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return np.where(safe & np.isfinite(inside), inside, 0.5)


def fixed_point_solver(fn: Function, options: dict[str, Any], name: str, on_failure: str) -> Function:
    """scipy.optimize.fixed_point as a function of (x0, *args)."""
    fitted = fitting(fn, name)

    def solve(x0: Any, *args: Any) -> Any:
        last = [x0]

        def step(x: Any, *args: Any) -> Any:
            last[0] = x
            return fitted(x, *args)

        try:
            return np.asarray(scipy("optimize").fixed_point(step, _wide(x0), args=args, **options)).reshape(x0.shape)
        except RuntimeError as error:
            if "Failed to converge" not in str(error):
                raise
            x = np.asarray(last[0]).reshape(x0.shape)
            stopped(name, on_failure, "Failed to converge", _norm(x - fitted(x, *args)), options["maxiter"])
            return x

    return solve


def diagonal(name: str) -> Function:
    """What solves the linear systems of an elementwise equation, by a division."""

    def solve(operator: Any, b: Any) -> Any:
        engine = engine_for((operator.params, b), name)
        xp = engine.namespace()
        slope = operator(engine.zeros_like(b) + 1)
        # The slopes are the matrix if it is diagonal: then it has the same product with any other vector.
        other = engine.asarray(np.random.default_rng(0).uniform(1, 2, b.shape).astype(engine.spec(b).dtype), b)
        miss = xp.max(xp.abs(operator(other) - slope * other))
        limit = float(np.sqrt(np.finfo(engine.spec(b).dtype).eps)) * xp.max(xp.abs(slope))
        found = engine.concrete(stop_gradient([miss, limit, slope]))
        if found is None:
            return xp.where(miss <= limit, b / slope, np.nan)
        _refuse(engine, name, *found)
        return b / slope

    return solve


def _refuse(engine: Engine, name: str, miss: Any, limit: Any, slope: Any) -> None:
    if miss > limit:
        raise RuleSignatureError(
            f"{name} (engine {engine.name}).",
            "an elementwise function of x",
            "one whose values depend on several elements of x",
            "use rulebook.rules.optimize.root for systems of equations",
        )
    if not slope.all():
        raise SingularError(
            f"{name}, its slope at the root.",
            "one that does not vanish",
            f"0 at element {np.argwhere(slope == 0)[0].tolist()}",
            "find a simple root",
        )


def _wide(x: Any) -> Any:
    """In double precision, which SciPy computes with."""
    return x.astype(np.result_type(x.dtype, np.float64))


def _norm(value: Any) -> float:
    return float(np.linalg.norm(np.ravel(value)))
