"""SciPy's integrators with derivatives of every order in every engine: scipy.integrate by Leibniz's rule and by adjoints.

Names and arguments are SciPy's.  Functions are written with `rb.xp`, or are primitives: SciPy runs them on NumPy arrays, and the rules
differentiate them by dual numbers where they integrate, and in the engine that asks elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import rulebook as rb
from rulebook import captures, trees
from rulebook.engines import NUMPY, OPAQUE, kind_of, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.implicit.captured import find
from rulebook.rules._procedures import arguments, dtype_of, kept, key_of, name_of, parameter_names, start
from rulebook.rules._quadrature import Integral, Rule

__all__ = ["quad"]

_HERE = "rulebook.rules.integrate"
Function = Callable[..., Any]


def quad(
    func: Function,
    a: Any,
    b: Any,
    args: Any = (),
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
    points: Sequence[float] | None = None,
    *,
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
    rule = Rule(name, {"epsabs": epsabs, "epsrel": epsrel, "limit": limit, "points": points}, on_failure)
    limits = [start(x, (a, b, *args), f"{name}, {which}") for x, which in ((a, "a"), (b, "b"))]
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
