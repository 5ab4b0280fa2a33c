"""The decorators: any solver becomes a primitive by the equation that its solution satisfies."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
from typing_extensions import Unpack

from rulebook import captures, trees
from rulebook.engine import Engine, is_floating
from rulebook.engines import NUMPY, OPAQUE, any_is_recording, constant, engine_of, kind_of
from rulebook.errors import RuleOutputError, RuleSignatureError
from rulebook.implicit.captured import Captured, Remade, find, refuse_active, refuse_hidden
from rulebook.implicit.equation import Equation, FixedPoint, Minimum, Root, accepted, check_parameters
from rulebook.implicit.options import Options
from rulebook.implicit.settings import Settings, completed, shown
from rulebook.implicit.theorem import Theorem
from rulebook.namespace import stop_gradient
from rulebook.primitive import P, Primitive, R

__all__ = ["fixed_point", "minimizer", "root"]


class Implicit(Remade, Primitive):
    """A solver with the rules of the implicit function theorem."""

    starts_like_solution = True  # whether x0 has the structure of the solution, so that both are checked

    def __init__(self, solver: Callable[..., Any], equation: Callable[..., Any], kind: type[Equation], **options: Any) -> None:
        self._made_by = kind, options
        name = options.get("name") or f"{solver.__module__}.{solver.__qualname__}".replace("<locals>.", "")
        self._solver, self._equation = solver, kind(equation, name)
        check_parameters(self._equation, solver)
        use = Options(
            name,
            **{k: options[k] for k in ("linear_solver", "tol", "on_failure")},
            large=kind.large,
        )
        theorem = Theorem(self._equation, use, options["has_aux"])
        kept = {k: options[k] for k in ("host", "vectorized", "cases", "tangent_space", "accuracy", "listed")}
        result = options["result"]
        if result is None and options["host"] and not options["has_aux"] and self.starts_like_solution:
            result = _like_x0
        checked = _checked(solver, name, options["host"], options["has_aux"]) if self.starts_like_solution else solver
        super().__init__(checked, name=name, result=result, **kept)
        self.set_rule(*theorem.rules(), replace=False)
        self._has_aux = options["has_aux"]
        self._may_capture = captures.may_capture(solver) or captures.may_capture(equation)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Solve; what solver and equation captured is differentiated like an argument."""
        lifted = self._lifted(args, kwargs)
        if lifted is not None:
            primitive, args, statics = lifted
            return primitive(*args, **statics)
        y = super().__call__(*args, **kwargs)
        self._refuse_hidden(y, args, kwargs)
        return y

    def call_in(self, engine: Engine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same by the engine's own function."""
        lifted = self._lifted(args, kwargs)
        if lifted is not None:
            return lifted[0].call_in(engine, *lifted[1:])
        y = super().call_in(engine, args, kwargs)
        self._refuse_hidden(y, args, kwargs)
        return y

    def _lifted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Primitive, tuple[Any, ...], dict[str, Any]] | None:
        """The solver as a function of what was captured as well, and its arguments; None where nothing was."""
        captured = self._captures(any_is_recording()) if self._may_capture else None
        if captured is None:
            return None
        args, statics = self.signature.bind(args, kwargs)
        return self._with(captured), (args[0], tuple(captured.values), *args[1:]), statics

    @constant
    def _captures(self, recording: bool) -> Captured | None:
        """What solver or equation captured and may be differentiated; refused while Python code is recorded."""
        found = find((self._solver, self._equation.fn), self.name)
        if found is not None and recording:
            raise found.refused_in_record()
        return found

    def _refuse_hidden(self, y: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Look at the options, and at the equation where nothing that it is given is differentiated; not at what can hold nothing."""
        if any_is_recording() or not (self._may_capture or any(map(captures.may_capture, kwargs.values()))):
            return
        args, statics = self.signature.bind(args, kwargs)
        for option, value in kwargs.items():
            if option in statics and captures.may_capture(value):
                refuse_active(value, f"{self.name}, static {option!r}.")
        leaves, structure = trees.flatten(stop_gradient((y[0] if self._has_aux else y, *args[1:])))
        engine = engine_of(leaves, self.name)
        if engine is not None:
            if not engine.shows_links:
                return
            leaves = [engine.asarray(a) if kind_of(type(a)) == NUMPY else a for a in leaves]
        value = None
        with nullcontext() if engine else suppress(Exception):  # NumPy arrays may be no arguments of an equation for tensors
            value = self._equation.fn(*structure.unflatten(iter(leaves)), **self._equation.accepted(statics))
        refuse_hidden(value, self.name, self._equation.what)

    def parts(self) -> tuple[Any, ...]:
        """Solver and equation."""
        return self._solver, self._equation.fn

    def remade(self, parts: tuple[Any, ...]) -> Any:
        """The same primitive of another solver and equation."""
        kind, options = self._made_by
        solver, equation = parts
        return type(self)(solver, equation, kind, **{**options, "name": self.name, "listed": False})

    def _with(self, captured: Captured) -> Primitive:
        """The same solver as a function of the captured values as well."""
        kind, options = self._made_by
        names = self._equation.statics  # and not self, which would be looked into again

        def solver(x0: Any, captured_: Any, *theta: Any, **statics: Any) -> Any:
            return captured.rebuild(captured_)[0](x0, *theta, **statics)

        def equation(x: Any, captured_: Any, *theta: Any, **statics: Any) -> Any:
            return captured.rebuild(captured_)[1](x, *theta, **accepted(statics, names))

        own = {"name": self.name, "listed": False, "cases": (), **_without_captured(options)}
        return type(self)(solver, equation, kind, **{**options, **own})


def _without_captured(options: dict[str, Any]) -> dict[str, Any]:
    """The functions among some options, which are called without the captured values."""
    result, linear_solver = options["result"], options["linear_solver"]
    made: dict[str, Any] = {}
    if result is not None:
        made["result"] = lambda x0, captured_, *theta, **statics: result(x0, *theta, **statics)
    if callable(linear_solver):

        def solve(operator: Any, b: Any) -> Any:
            known = copy.copy(operator)
            known.params = operator.params[0], operator.params[1][1:]
            return linear_solver(known, b)

        made["linear_solver"] = solve
    return made


def _like_x0(x0: Any, *theta: Any, **statics: Any) -> Any:
    return x0


def _checked(solver: Callable[..., Any], name: str, host: bool, has_aux: bool) -> Callable[..., Any]:
    """The solver, with its start and its result checked."""

    @functools.wraps(solver)
    def solve(x0: Any, *args: Any, **kwargs: Any) -> Any:
        _check_start(x0, name)
        found = solver(x0, *args, **kwargs)
        if not has_aux:
            return _fitted(found, x0, name, host)
        if not (isinstance(found, tuple) and len(found) == 2):
            raise RuleOutputError(f"{name}.", "(x, aux) from the solver", f"a {type(found).__name__}", "return both, or drop has_aux=True")
        return _fitted(found[0], x0, name, host), found[1]

    return solve


def _check_start(x0: Any, name: str) -> None:
    for leaf in trees.leaves_of(x0):
        dtype = getattr(leaf, "dtype", None) or np.asarray(leaf).dtype
        text = str(dtype).rpartition(".")[2]
        if kind_of(type(leaf)) == OPAQUE or text.startswith(("int", "uint", "bool")):
            raise RuleSignatureError(
                f"{name}, x0.", "floating numbers to start from", f"a {type(leaf).__name__} of dtype {text}", "pass floats, as 1.0 for 1"
            )


def _fitted(x: Any, x0: Any, name: str, host: bool) -> Any:
    """A solution with the structure of x0; of host code also in its dtypes."""
    starts, structure = trees.flatten(x0)
    leaves, other = trees.flatten(x)
    if other != structure:  # other than by the order of keys
        got = f"{other!r}"
        error = RuleOutputError(f"{name}.", f"a solution of the structure of x0, {structure!r}", got, "return what x0 is like")
        leaves = trees.flatten_like(structure, x, lambda *_: error)
        if any(leaf is None for leaf in leaves):
            raise error
    if not host:
        return structure.unflatten(iter(leaves))
    made = [_in_dtype(a, np.asarray(b).dtype) for a, b in zip(leaves, starts, strict=True)]
    return structure.unflatten(iter(made))


def _in_dtype(x: Any, dtype: Any) -> Any:
    x = np.asarray(x)
    return x.astype(dtype) if x.dtype != dtype and is_floating(dtype) and not (x.dtype.kind == "c" and dtype.kind != "c") else x


def _decorator(kind: type[Equation], equation: Callable[..., Any], options: dict[str, Any]) -> Any:
    if not callable(equation):
        raise RuleSignatureError(
            f"rb.implicit, the {kind.what}.", "a function of x and the parameters", f"a {type(equation).__name__}", "pass the function"
        )

    def decorate(solver: Callable[..., Any]) -> Primitive:
        if not callable(solver):
            raise RuleSignatureError("rb.implicit.", "a solver to decorate", f"a {type(solver).__name__}", "decorate a function")
        return Implicit(solver, equation, kind, **options, listed=True)

    return decorate


@shown
def root(residual: Callable[..., Any], **options: Unpack[Settings]) -> Callable[[Callable[P, R]], Primitive[P, R]]:
    """Make a solver of residual(x, *theta) == 0 differentiable with respect to theta, in every engine, mode and order.

    Args:
        residual: of x, a tree of floating arrays, and the parameters; gives a tree like x.  Written with `rb.xp`, or a primitive.
        host: the solver needs NumPy arrays.
        result: see `rb.primitive`; by default the solution has the shapes and dtypes of x0.
        vectorized: see `rb.primitive`.
        linear_solver: what solves the systems with the Jacobian dF/dx: "dense" factors it once, "gmres", "cg" and "bicgstab" only
            multiply with it; "auto" is "dense" up to 128 unknowns, above that "bicgstab" ("cg" for minima, the Neumann series for fixed
            points) and "gmres" where that fails.  A function `(operator, b) -> z` of trees solves a structured system itself:
            `operator(v)` is the product, `operator.params` is (x, theta), `operator.transposed` says whether it is the transpose.
        tol: the relative accuracy of the solver; linear systems are solved to it, and a solution that is further off is
            reported.  By default a few roundings, and a quarter of the digits of the dtype for reports.
        has_aux: the solver returns (x, aux); aux has no derivative.
        on_failure: what happens where the solver or a linear solve did not converge: "warn", "raise" or "ignore".  Programs that are
            traced have no numbers to warn of: a failed linear solve gives NaN there, and "raise" looks when they run.
        name: how messages call it.
        cases, tangent_space, accuracy: see `rb.primitive`.  A solver that stops at a relative error above 1e-6 should declare it by
            accuracy=: the checker takes differences of first derivatives to check the second, and their error is that of x.

    Returns:
        A decorator of solvers `solve(x0, *theta, **static) -> x`, which gives a primitive.  Statics go to the residual as well
        where it accepts them.  The derivative with respect to x0 is zero.

    Raises:
        RuleSignatureError: the parameters of residual and solver do not fit, or an option is unknown.
        SingularError: in a rule, the Jacobian is singular.
        KinkError: in a rule, the residual is not smooth at the solution.
        NotConvergedError: in a rule, with on_failure="raise".

    Derivation:
        See `rulebook.implicit.theorem`; e.g. S. G. Krantz and H. R. Parks, The Implicit Function Theorem (2013), theorem 3.3.1.

    Example:
        >>> @root(lambda x, a: x * x - a)
        ... def square_root(x0, a):
        ...     return a ** 0.5
        >>> import rulebook as rb
        >>> rb.derivative(lambda a: square_root(np.array(1.0), a), engine="dual")(4.0)
        array(0.25)
    """
    made: Callable[[Callable[P, R]], Primitive[P, R]] = _decorator(Root, residual, completed(options, "rb.implicit.root"))
    return made


@shown
def fixed_point(step: Callable[..., Any], **options: Unpack[Settings]) -> Callable[[Callable[P, R]], Primitive[P, R]]:
    """Make a solver of step(x, *theta) == x differentiable with respect to theta.

    Args:
        step: of x and the parameters; gives a tree like x.

    The other options, what is returned and raised: see `root`.

    Example:
        >>> @fixed_point(lambda x, a: (x + a / x) / 2)
        ... def heron(x0, a):
        ...     for _ in range(9):
        ...         x0 = (x0 + a / x0) / 2
        ...     return x0
        >>> import rulebook as rb
        >>> rb.derivative(lambda a: heron(np.array(1.0), a), engine="dual")(4.0).round(12)
        np.float64(0.25)
    """
    made: Callable[[Callable[P, R]], Primitive[P, R]] = _decorator(FixedPoint, step, completed(options, "rb.implicit.fixed_point"))
    return made


@shown
def minimizer(objective: Callable[..., Any], **options: Unpack[Settings]) -> Callable[[Callable[P, R]], Primitive[P, R]]:
    """Make a solver that minimises objective(x, *theta) over x differentiable with respect to theta.

    Args:
        objective: of x and the parameters; gives one real number.

    The other options, what is returned and raised: see `root`; the equation is that the gradient is zero.

    Example:
        >>> @minimizer(lambda x, a: (x - a) ** 2 + x ** 2)
        ... def halfway(x0, a):
        ...     return a / 2
        >>> import rulebook as rb
        >>> rb.derivative(lambda a: halfway(np.array(0.0), a), engine="dual")(3.0)
        array(0.5)
    """
    made: Callable[[Callable[P, R]], Primitive[P, R]] = _decorator(Minimum, objective, completed(options, "rb.implicit.minimizer"))
    return made
