"""jaxopt's names for implicit differentiation, on top of `rulebook.implicit`.

`from jaxopt import implicit_diff as idf` becomes `from rulebook.compat import jaxopt as idf`.  A decorated solver then has both modes and
every order, and works in every engine that its code and the optimality function can run in.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from rulebook.compat._jaxopt.at import At, Solve, like
from rulebook.errors import RuleSignatureError
from rulebook.implicit.api import Implicit
from rulebook.implicit.equation import Equation, FixedPoint, Root
from rulebook.implicit.settings import Settings, completed

__all__ = ["custom_fixed_point", "custom_root", "root_jvp", "root_vjp"]

Reference = Callable[..., Any] | inspect.Signature


def custom_root(
    optimality_fun: Callable[..., Any],
    has_aux: bool = False,
    solve: Solve | None = None,
    reference_signature: Reference | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a solver of optimality_fun(x, *args) == 0 differentiable with respect to its arguments.

    Args:
        optimality_fun: of x and the arguments of the solver after the first, by position or by keyword.
        has_aux: the solver returns (x, aux); aux has no derivative.
        solve: `(matvec, b) -> z` for the linear systems with the Jacobian or its transpose, trees like x; or the name of a method of
            `rb.implicit`.  By default "auto" of `rb.implicit`; jaxopt's default is `jaxopt.linear_solve.solve_normal_cg`, which may be
            passed.
        reference_signature: a signature, or a function that has it, by which the solver's keywords are matched with the positions of
            optimality_fun; by default that of optimality_fun.
        options: those of `rb.implicit.root`, such as `host=True` for a solver that needs NumPy arrays.

    Returns:
        A decorator of solvers `solver(init_params, *args, **kwargs) -> x`.  Its first argument may be anything and has derivative zero.

    Raises:
        RuleSignatureError: in a call, an argument of the solver is none of the optimality function.

    Example:
        >>> import numpy as np
        >>> import rulebook as rb
        >>> @custom_root(lambda x, a: x * x - a)
        ... def square_root(init_params, a):
        ...     return a ** 0.5
        >>> rb.derivative(lambda a: square_root(None, a=a), engine="dual")(np.array(4.0))
        array(0.25)
    """
    return _decorator(Root, optimality_fun, "custom_root", has_aux, solve, reference_signature, options)


def custom_fixed_point(
    fixed_point_fun: Callable[..., Any],
    has_aux: bool = False,
    solve: Solve | None = None,
    reference_signature: Reference | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a solver of fixed_point_fun(x, *args) == x differentiable with respect to its arguments.

    Args:
        fixed_point_fun: of x and the arguments of the solver after the first.
        has_aux: see `custom_root`, as for the other arguments and what is returned.
        solve: as there.
        reference_signature: as there, by default that of fixed_point_fun.
        options: as there.

    Example:
        >>> import numpy as np
        >>> import rulebook as rb
        >>> @custom_fixed_point(lambda x, a: (x + a / x) / 2)
        ... def square_root(init_params, a):
        ...     return a ** 0.5
        >>> rb.derivative(lambda a: square_root(None, a), engine="dual")(np.array(4.0))
        array(0.25)
    """
    return _decorator(FixedPoint, fixed_point_fun, "custom_fixed_point", has_aux, solve, reference_signature, options)


class _Solver(Implicit):
    """A solver whose first argument may be anything."""

    starts_like_solution = False


def _decorator(
    kind: type[Equation],
    equation: Callable[..., Any],
    where: str,
    has_aux: bool,
    solve: Solve | None,
    reference: Reference | None,
    options: dict[str, Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    given: dict[str, Any] = {**completed(cast(Settings, options), where), "has_aux": has_aux, "listed": False}
    if solve is not None:
        given["linear_solver"] = solve
    theirs = _signature(equation if reference is None else reference)

    def decorate(solver: Callable[..., Any]) -> Callable[..., Any]:
        name = given["name"] or _name(solver)
        own = inspect.signature(solver)
        made: dict[Any, _Call] = {}

        @functools.wraps(solver)
        def solve_(*args: Any, **kwargs: Any) -> Any:
            bound = own.bind(*args, **kwargs)
            bound.apply_defaults()
            key = len(bound.args), tuple(bound.kwargs)
            call = made.get(key)
            if call is None:
                call = made[key] = _Call(kind, solver, equation, own, theirs, key, {**given, "name": name})
            return call(*bound.args, *bound.kwargs.values())

        return solve_

    return decorate


class _Call:
    """A solver called with so many arguments by position and these by keyword.

    Args:
        kind: of the equation.
        solver, equation: the author's functions.
        own, theirs: their signatures.
        key: the number of positions, and the keywords.
        options: of the primitive.
    """

    def __init__(
        self,
        kind: type[Equation],
        solver: Callable[..., Any],
        equation: Callable[..., Any],
        own: inspect.Signature,
        theirs: inspect.Signature,
        key: tuple[int, tuple[str, ...]],
        options: dict[str, Any],
    ) -> None:
        n, keywords = key
        bound = _bind(theirs, own, n, keywords, options["name"])
        by_place, by_name = list(bound.args[1:]), bound.kwargs
        first = bound.args[0]
        self._order = [first, *by_place, *by_name.values()]  # the arguments of the solver, in the order of the primitive's
        back = {place: i for i, place in enumerate(self._order)}
        names = tuple(by_name)
        m = len(by_place)

        def solve(*values: Any) -> Any:
            every = [values[back[i]] for i in range(n + len(keywords))]
            return solver(*every[:n], **dict(zip(keywords, every[n:], strict=True)))

        def vanish(x: Any, *theta: Any) -> Any:
            return equation(x, *theta[:m], **dict(zip(names, theta[m:], strict=True)))

        given = [*list(own.parameters)[:n], *(f"args{i}" for i in range(len(own.parameters), n)), *keywords]
        parameters = [inspect.Parameter(given[place], inspect.Parameter.POSITIONAL_ONLY) for place in self._order]
        solve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # for messages
        self._primitive = _Solver(solve, vanish, kind, **options)

    def __call__(self, *values: Any) -> Any:
        """Solve."""
        return self._primitive(*[values[i] for i in self._order])


def _bind(theirs: inspect.Signature, own: inspect.Signature, n: int, keywords: tuple[str, ...], name: str) -> inspect.BoundArguments:
    """The arguments of the optimality function: the number of the solver's argument for each."""
    try:
        bound = theirs.bind(*range(n), **{k: n + i for i, k in enumerate(keywords)})
    except TypeError as error:
        raise RuleSignatureError(
            f"{name}, its optimality function.",
            f"the arguments of the solver, {own}",
            f"{theirs}: {error}",
            "give both the same arguments, or pass reference_signature=",
        ) from error
    if not bound.args:
        raise RuleSignatureError(f"{name}, its optimality function.", "x as its first parameter", str(theirs), "let it take x by position")
    return bound


def _signature(reference: Reference) -> inspect.Signature:
    """A signature, or that of a function; jaxopt's composite functions have theirs in `subfun`."""
    return reference if isinstance(reference, inspect.Signature) else inspect.signature(getattr(reference, "subfun", reference))


def _name(fn: Any) -> str:
    name = getattr(fn, "__qualname__", type(fn).__name__)
    return f"{getattr(fn, '__module__', '?')}.{name}".replace("<locals>.", "")


# -- the two rules on their own -----------------------------------------------------------------------


def root_vjp(
    optimality_fun: Callable[..., Any],
    sol: Any,
    args: Sequence[Any],
    cotangent: Any,
    solve: Solve | None = None,
    *,
    engine: str | None = None,
) -> tuple[Any, ...]:
    """The cotangents of args, given that of the root `sol` of optimality_fun(sol, *args) == 0.

    Args:
        optimality_fun: of x and args.
        sol: the root.
        args: the arguments.
        cotangent: of the root, a tree like sol.
        solve: see `custom_root`.
        engine: what differentiates; by default the engine of the values, "jax" for NumPy's.

    Returns:
        One cotangent per argument, of the engine's arrays, in the pairing Re sum(conj(x_bar) * x_dot); None where it has none.

    Example:
        >>> import numpy as np
        >>> root_vjp(lambda x, a: x * x - a, np.array(2.0), (np.array(4.0),), np.array(1.0), engine="dual")
        (array(0.25),)
    """
    at = At(optimality_fun, (sol, tuple(args), cotangent), solve, engine, "root_vjp")
    x, theta, x_bar = at.values
    found: tuple[Any, ...] = at.run(at.theorem.rules()[1].fn, x, (None, *theta), like(at.engine, x, x_bar, "root_vjp", "cotangent"))
    return found[1 + at.hidden :]


def root_jvp(
    optimality_fun: Callable[..., Any],
    sol: Any,
    args: Sequence[Any],
    tangents: Sequence[Any],
    solve: Solve | None = None,
    *,
    engine: str | None = None,
) -> Any:
    """The tangent of the root `sol` of optimality_fun(sol, *args) == 0, given those of args.

    Args:
        optimality_fun: of x and args.
        sol: the root.
        args: the arguments.
        tangents: one per argument, of its structure and shapes; None where zero.
        solve: see `custom_root`.
        engine: see `root_vjp`.

    Returns:
        A tree like sol, of the engine's arrays.

    Raises:
        RuleSignatureError: the numbers of arguments and tangents differ, or their structures or shapes.

    Example:
        >>> import numpy as np
        >>> root_jvp(lambda x, a: x * x - a, np.array(2.0), (np.array(4.0),), (np.array(1.0),), engine="dual")
        array(0.25)
    """
    if len(args) != len(tangents):
        raise RuleSignatureError("root_jvp, tangents.", f"{len(args)}, one per argument", f"{len(tangents)}", "pass None where one is zero")
    at = At(optimality_fun, (sol, tuple(args), tuple(tangents)), solve, engine, "root_jvp")
    x, theta, dots = at.values
    dots = like(at.engine, theta, (*[None] * at.hidden, *dots), "root_jvp", "tangents")
    return at.run(at.theorem.rules()[0].fn, x, (None, *theta), (None, *dots))
