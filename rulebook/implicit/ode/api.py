"""rb.implicit.odeint."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rulebook import captures
from rulebook.engines import engine_of
from rulebook.forms import Frule, Rrule
from rulebook.implicit.captured import Captured, find
from rulebook.implicit.ode import fixed
from rulebook.implicit.ode.choice import Choice, choose
from rulebook.implicit.ode.field import NAME, Field, Parameters
from rulebook.implicit.ode.flow import flows
from rulebook.implicit.ode.methods import FIXED
from rulebook.implicit.ode.problem import start_of, times_of
from rulebook.implicit.ode.rates import FieldRate
from rulebook.implicit.ode.recurrence import recurrence
from rulebook.implicit.ode.scipy import Options
from rulebook.namespace import engine_for
from rulebook.primitive import Primitive
from rulebook.trees import leaves_of

__all__ = ["odeint"]


def odeint(
    field: Callable[..., Any],
    y0: Any,
    t: Any,
    *theta: Any,
    method: str = "RK45",
    steps: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_step: float | None = None,
    sensitivity: str = "auto",
    events: None = None,
) -> Any:
    """The solution of dy/dt = field(y, t, *theta) at the times t, from y0 at the first of them.

    Differentiable to every order with respect to y0, each time in t and theta, by forward and reverse mode, in every engine.

    Args:
        field: gives the rate of change of a state, of its structure, shapes and dtypes.  For a method with a fixed step it is code for the
            values of the engine; for one of SciPy it gets NumPy arrays, so write it with `rb.xp`, or as a host primitive with rules.
            Values being differentiated that it captures are differentiated as well.
        y0: the state at t[0]: floating numbers, real or complex, an array or a container of them.
        t: array of shape (n,), n >= 2, increasing or decreasing.
        theta: parameters of the field, arrays or containers of them; integers, strings and other objects are constants.
        method: "RK45", "RK23", "DOP853", or for stiff equations "Radau", "BDF" or "LSODA", of scipy.integrate.solve_ivp;
            "euler", "midpoint", "heun" or "rk4" with a fixed step, traced by the engine.
        steps: for a fixed step, how many lie between two times; 1 by default.
        rtol, atol: the relative and absolute error that SciPy allows in a step, 1e-8 by default; that of derivatives is relative to
            tangents and cotangents of size 1.
        max_step: the longest step that SciPy takes.
        sensitivity: what reverse mode computes. "discrete" is the exact derivative of the steps, of the methods with a fixed one; the state
            at the end of each step is stored, and nothing else. "continuous" is the adjoint equation, of SciPy's methods; the state
            at the times t is stored. "auto" is the one that the method has.
        events: not supported.

    Returns:
        The states, stacked on a first axis of length n, in the structure and dtypes of y0; the first is y0.

    Raises:
        RuleSignatureError: an option is unknown, or y0 or t is none.
        RuleOutputError: field gives something else than y has.
        NotConvergedError: SciPy found no solution.
        EngineMissingError: SciPy is not installed.

    Derivation:
        The tangent v of y follows the variational equation dv/dt = f_y v + f_theta theta_dot; the steps of a Runge-Kutta method for it are
        the derivatives of the steps (E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, 1993, section
        I.14). The adjoint a of y follows da/dt = -f_y* a backwards in time, with y_bar of each output added on the way, and
        theta_bar is the integral of f_theta* a (L. S. Pontryagin et al., The Mathematical Theory of Optimal Processes, 1962).

    Example:
        >>> import numpy as np
        >>> odeint(lambda y, t, rate: -rate * y, 1.0, np.array([0.0, 0.5, 1.0]), 2.0, method="rk4", steps=100).round(6)
        array([1.      , 0.367879, 0.135335])
    """
    choice = choose(method, steps, rtol, atol, max_step, sensitivity, events)
    engine = engine_of(leaves_of((y0, t, theta)), NAME)
    if engine is not None and engine.is_recording():
        return _recorded(y0, t, theta, field=field, choice=tuple(choice))
    captured = find((field,), NAME)
    if captured is None:
        return _solve(_family(field), field, y0, t, theta, choice)
    return _solve(_Family(), _lifted(captured), y0, t, (tuple(captured.values), *theta), choice)


def _lifted(captured: Captured) -> Callable[..., Any]:
    """The field as a function of what it captured as well."""
    return lambda y, t, values, *theta: captured.rebuild(values)[0](y, t, *theta)


class _Family:
    """The primitives that solve for one field; what they keep of it goes when they do."""

    @functools.cached_property
    def recur(self) -> Any:
        """By a fixed step."""
        return recurrence()

    @functools.cached_property
    def flow(self) -> Any:
        """By SciPy."""
        return flows()


_COMMON = _Family()  # for functions that hold no data


@functools.lru_cache(maxsize=8)
def _own_family(field: Any) -> _Family:
    return _Family()


def _family(field: Any) -> _Family:
    """The primitives for a field: those of one that may hold large arrays are forgotten with it."""
    if not captures.may_capture(field):
        return _COMMON
    try:
        return _own_family(field)
    except TypeError:  # it is not hashable
        return _Family()


def _solve(family: _Family, field: Callable[..., Any], y0: Any, t: Any, theta: tuple[Any, ...], choice: Choice) -> Any:
    engine = engine_for((y0, t, theta), NAME)
    x0, structure = start_of(engine, y0)
    times = times_of(engine, t)
    params = Parameters(engine, theta)
    made = Field(field, structure, params)
    if choice.method in FIXED:
        ys = fixed.solve(family.recur, engine, made, x0, times, params.moving, params.fixed, choice.method, choice.steps)
    else:
        options = Options(choice.method, choice.rtol, choice.atol, choice.max_step)
        ys = family.flow(x0, times, params.moving, params.fixed, rate=FieldRate(made), options=options)
    return structure.unflatten(iter(ys))


# -- while Python code is recorded ------------------------------------------------------------------


def _whole(y0: Any, t: Any, theta: Any, *, field: Callable[..., Any], choice: tuple[Any, ...]) -> Any:
    return _solve(_family(field), field, y0, t, theta, Choice(*choice))


def _push(primals: Any, tangents: Any, **statics: Any) -> Any:
    engine = engine_for(primals, NAME)
    return engine.jvp(lambda *args: _whole(*args, **statics), primals, tangents)


def _pull(*primals: Any, **statics: Any) -> Any:
    engine = engine_for(primals, NAME)
    return engine.vjp(lambda *args: _whole(*args, **statics), primals)


_recorded = Primitive(_whole, name=NAME, listed=False, jit=False)
_recorded.set_rule(Frule("frule", _push), Rrule("rrule", _pull), replace=False)
