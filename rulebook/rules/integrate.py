"""SciPy's integrators with derivatives of every order in every engine: scipy.integrate by Leibniz's rule and by adjoints.

Names and arguments are SciPy's.  Functions are written with `rb.xp`, or are primitives: SciPy runs them on NumPy arrays, and the rules
differentiate them by dual numbers where they integrate, and in the engine that asks elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook import captures, trees
from rulebook.engines import NUMPY, OPAQUE, kind_of, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.implicit.captured import find
from rulebook.implicit.ode.api import odeint
from rulebook.implicit.options import Options
from rulebook.namespace import engine_for
from rulebook.rules._procedures import arguments, as_array, dtype_of, kept, key_of, name_of, parameter_names, start
from rulebook.rules._quadrature import Integral, Rule

__all__ = ["OdeResult", "quad", "solve_ivp"]

_HERE = "rulebook.rules.integrate"
Function = Callable[..., Any]


def quad(
    func: Function,
    a: Any,
    b: Any,
    args: Any = (),
    *,
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
    points: Sequence[float] | None = None,
    on_failure: str = "warn",
) -> tuple[Any, Any]:
    """The integral of func(t, *args) over t from a to b, by scipy.integrate.quad.

    Args:
        func: of a number t and args; gives one real number.
        a, b: the limits, numbers; they may be infinite.
        args: a tuple of arrays or containers of them.
        epsabs, epsrel, limit, points: see SciPy.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        (y, abserr): the integral, and SciPy's estimate of its absolute error, which has no derivative.

    Raises:
        RuleSignatureError: func takes another number of arguments.
        RuleOutputError: func gives something else than a real number.
        NotConvergedError: with on_failure="raise".

    Derivation:
        Leibniz's rule (G. B. Folland, Real Analysis, 1999, theorem 2.27),

            y_dot = func(b) b_dot - func(a) a_dot + int_a^b (d func / d args) args_dot dt.

        The integral on the right is computed to the same accuracy by quad itself.  func has to be continuous in args: a jump whose place
        depends on args contributes to the derivative what no integral of d func / d args has, and has to be made a limit instead.

    Example:
        >>> decay = lambda t, rate: np.exp(-rate * t)
        >>> quad(decay, 0.0, np.inf, args=(4.0,))[0].round(9)
        np.float64(0.25)
        >>> rb.derivative(lambda rate: quad(decay, 0.0, np.inf, args=(rate,))[0], engine="dual")(4.0).round(9)
        np.float64(-0.0625)
        >>> rb.derivative(lambda b: quad(decay, 0.0, b, args=(4.0,))[0], engine="dual")(0.0)
        array(1.)
    """
    name, args = name_of(f"{_HERE}.quad", func), arguments(args)
    parameter_names(func, len(args), ("t",), name)
    captured = find((func,), name) if captures.may_capture(func) else None
    key: Any = ("quad", func)
    if captured is None:
        integrand = func
    else:
        key, args = (), (tuple(captured.values), *args)
        integrand = lambda t, values, *args: captured.rebuild(values)[0](t, *args)
    Options(name, on_failure=on_failure)  # refuses what there is not
    rule = Rule(name, {"epsabs": epsabs, "epsrel": epsrel, "limit": limit, "points": points}, on_failure)
    limits = [start(x, (a, b, *args), name, which) for x, which in ((a, "a"), (b, "b"))]
    if any(tuple(x.shape) for x in limits):
        shapes = " and ".join(str(tuple(x.shape)) for x in limits)
        raise RuleSignatureError(f"{name}, a and b.", "numbers, shape ()", f"shapes {shapes}", "integrate one range at a time, or use vmap")
    leaves, structure = trees.flatten(tuple(args))
    moving = tuple(i for i, x in enumerate(leaves) if _moves(x))
    dtype = dtype_of((a, b, *args), name, False)

    def make() -> Integral:
        return Integral(_flat(integrand, structure, moving), lambda _: [rb.ShapeDtype((), dtype)], rule)

    kept_as = key_of(*key, structure, moving, dtype, rule.options, on_failure) if key else None
    integral = kept(kept_as, (func,), make)
    fixed = tuple(x for i, x in enumerate(leaves) if i not in moving)
    (y,), error = integral(*limits, tuple(leaves[i] for i in moving), fixed)
    return y, error


def _moves(x: Any) -> bool:
    """Whether a value belongs to an engine, so that it may be differentiated."""
    kind = kind_of(type(x))
    return kind not in (NUMPY, OPAQUE) and load_engine(kind).has_tangent(x)


def _flat(func: Function, structure: trees.Structure, moving: tuple[int, ...]) -> Any:
    """func as a function of the leaves of its arguments, which gives a tuple."""

    def integrand(t: Any, some: tuple[Any, ...], fixed: tuple[Any, ...]) -> tuple[Any, ...]:
        rest, moved = iter(fixed), iter(some)
        every = [next(moved) if i in moving else next(rest) for i in range(structure.n_leaves)]
        return (func(t, *structure.unflatten(iter(every))),)

    return integrand


# -- differential equations ------------------------------------------------------------------------


class OdeResult(NamedTuple):
    """What `solve_ivp` gives.

    Attributes:
        t: the times, of shape (k,).
        y: the states at them, of shape (n, k).
    """

    t: Any
    y: Any


def solve_ivp(
    fun: Function,
    t_span: Any,
    y0: Any,
    method: str = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: None = None,
    vectorized: bool = False,
    args: Any = (),
    *,
    rtol: float = 1e-3,
    atol: float = 1e-6,
    max_step: float = np.inf,
) -> OdeResult:
    """The solution of dy/dt = fun(t, y, *args) with y = y0 at t_span[0], by scipy.integrate.solve_ivp.

    Args:
        fun: of a time, a state of shape (n,) and args; gives n numbers.
        t_span: the first and the last time.
        y0: the state at the first time, of shape (n,), real or complex; a number is one unknown.
        method: see SciPy: "RK45", "RK23", "DOP853", "Radau", "BDF" or "LSODA".
        t_eval: the times of the solution, of shape (k,), in order and within t_span; by default the two of t_span.  (SciPy gives its own
            steps then, which are as many as their accuracy needs.)
        dense_output, events, vectorized: not supported.
        args: a tuple of arrays or containers of them.
        rtol, atol, max_step: see SciPy.  Derivatives are as accurate as the solution, and may ask for a smaller rtol than plots do.

    Returns:
        An OdeResult; y is differentiable with respect to y0, args and every time.

    Raises:
        RuleSignatureError: an option is not supported; the times do not fit; fun takes another number of arguments; t_eval begins at
            t_span[0] and one of the two is being differentiated, so that the first state is on the edge of what is solved.
        NotConvergedError: SciPy found no solution.

    Derivation:
        See `rb.implicit.odeint`: the variational equation forward, the adjoint equation backward.

    Example:
        >>> decay = lambda t, y, rate: -rate * y
        >>> solve_ivp(decay, (0.0, 1.0), [1.0], t_eval=[0.0, 0.5, 1.0], args=(2.0,), rtol=1e-9, atol=1e-9).y.round(6)
        array([[1.      , 0.367879, 0.135335]])
        >>> last = lambda rate: solve_ivp(decay, (0.0, 1.0), [1.0], args=(rate,), rtol=1e-9, atol=1e-9).y[0, -1]
        >>> rb.derivative(last, engine="dual")(2.0).round(6)
        np.float64(-0.135335)
    """
    name, args = name_of(f"{_HERE}.solve_ivp", fun), () if args is None else arguments(args)
    _refuse(name, dense_output=dense_output, events=events, vectorized=vectorized)
    parameter_names(fun, len(args) + 1, ("t",), name)
    y0 = start(y0, args, name, "y0", complex_too=True)
    if len(y0.shape) > 1:
        raise RuleSignatureError(f"{name}, y0.", "an array of shape (n,)", f"shape {tuple(y0.shape)}", "pass y0.reshape(-1)")
    y0 = rb.xp(y0).reshape(y0, (-1,))
    t, with_start = _times(t_span, t_eval, name)
    field = kept(key_of("solve_ivp", fun), (fun,), lambda: _field(fun))
    y = odeint(field, y0, t, *args, method=method, rtol=rtol, atol=atol, max_step=max_step)
    t, y = (t, y) if with_start else (t[1:], y[1:])
    return OdeResult(t, rb.xp(y).swapaxes(y, 0, 1))


def _field(fun: Function) -> Function:
    """fun as odeint has its fields."""
    return lambda y, t, *args: as_array(fun(t, y, *args))


def _refuse(name: str, **options: Any) -> None:
    for option, value in options.items():
        if value:
            do = (
                "find the time of the event by scipy.integrate.solve_ivp, and pass it as the end of t_span"
                if option == "events"
                else "drop it"
            )
            raise RuleSignatureError(f"{name}, {option}.", "none: it is out of scope", f"a {type(value).__name__}", do)


def _times(t_span: Any, t_eval: Any, name: str) -> tuple[Any, bool]:
    """The first time and those of the solution, and whether the solution is wanted at the first as well."""
    first, last = (start(t_span[k], (tuple(t_span), t_eval), name, "t_span") for k in (0, 1))
    xp, engine = rb.xp(first, last, t_eval), engine_for((first, last, t_eval), name)
    if t_eval is None:
        return xp.stack([engine.asarray(first), engine.asarray(last)]), True
    t = engine.asarray(start(t_eval, (tuple(t_span),), name, "t_eval"))
    first, last = engine.asarray(first), engine.asarray(last)
    found = engine.concrete(rb.stop_gradient([first, last, t]))
    if found is not None:
        _check_span(found[0], found[1], found[2], name)
        if found[2][0] == found[0]:
            if any(engine.owns(type(x)) and engine.is_active(x) for x in (first, t)):
                raise RuleSignatureError(
                    f"{name}, t_eval.",
                    "times after t_span[0], where times are differentiated",
                    "t_span[0] itself as the first",
                    "leave it out: the state there is y0",
                )
            return t, True
    return xp.concatenate([xp.reshape(first, (1,)), t]), False


def _check_span(first: Any, last: Any, t: Any, name: str) -> None:
    low, high = min(first, last), max(first, last)
    outside = t[(t < low) | (t > high)]
    if outside.size:
        raise RuleSignatureError(f"{name}, t_eval.", f"times from {low:g} to {high:g}, as t_span says", f"{outside[0]:g}", "widen t_span")
