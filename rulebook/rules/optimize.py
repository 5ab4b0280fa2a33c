"""SciPy's optimisers with derivatives of every order in every engine: scipy.optimize by the implicit function theorem.

Names and arguments are SciPy's.  Functions f(x, *args) are written with `rb.xp`, or are primitives: SciPy runs them on NumPy arrays, and
the rules differentiate them in the engine that asks.  What is differentiated is args, and whatever else of an engine f captured; the
start, the bracket and the options have no influence on the solution, and no derivative.  Nothing differentiates the iterations.

A Jacobian or gradient that is not given is computed exactly, by dual numbers, where SciPy would take finite differences.  `on_failure=`
says what happens where a solver did not converge: "warn" (`rb.implicit.NotConvergedWarning` with SciPy's message), "raise"
(`rb.implicit.NotConvergedError`) or "ignore".

x has the dtype of the start; a start of Python numbers or integers takes that of args.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook.errors import RuleSignatureError
from rulebook.implicit.equation import FixedPoint, Minimum, Root
from rulebook.rules import _minima, _quadratic, _roots
from rulebook.rules._procedures import arguments, as_array, implicit, kept, key_of, name_of, start
from rulebook.rules._quadratic import InfeasibleError, QuadraticProgramResult

__all__ = [
    "InfeasibleError",
    "LeastSquaresResult",
    "OptimizeResult",
    "QuadraticProgramResult",
    "brentq",
    "fixed_point",
    "least_squares",
    "minimize",
    "newton",
    "quadratic_program",
    "root",
]

_HERE = "rulebook.rules.optimize"
Function = Callable[..., Any]


class OptimizeResult(NamedTuple):
    """What `root` and `minimize` give: the numbers of SciPy's OptimizeResult, under its names.

    Attributes:
        x: the solution, of shape (n,).
        fun: the function there: the residual of a root (no derivative: it is zero), the value of a minimum (differentiable).
        success: whether the solver converged, a boolean.
        status: the solver's reason to stop, an integer.
        nfev: the number of evaluations, an integer.
    """

    x: Any
    fun: Any
    success: Any
    status: Any
    nfev: Any


class LeastSquaresResult(NamedTuple):
    """What `least_squares` gives: the numbers of SciPy's OptimizeResult, under its names.

    Attributes:
        x: the solution, of shape (n,).
        cost: half the sum of the losses there, differentiable.
        fun: the residuals there, differentiable.
        success: whether the solver converged, a boolean.
        status: the solver's reason to stop, an integer.
        nfev: the number of evaluations, an integer.
    """

    x: Any
    cost: Any
    fun: Any
    success: Any
    status: Any
    nfev: Any


def root(
    fun: Function,
    x0: Any,
    args: Any = (),
    method: str = "hybr",
    jac: Function | None = None,
    tol: float | None = None,
    *,
    options: dict[str, Any] | None = None,
    on_failure: str = "warn",
) -> OptimizeResult:
    """x with fun(x, *args) = 0, by scipy.optimize.root.

    Args:
        fun: of x, of shape (n,), and args; gives n numbers.
        x0: what to start from, of shape (n,); a number is one unknown.
        args: a tuple of arrays or containers of them.
        method, tol, options: see SciPy; every method of SciPy will do.
        jac: of x and args, gives the Jacobian with respect to x; by default it is computed, for the methods that use one.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        An OptimizeResult; x is differentiable.

    Raises:
        RuleSignatureError: fun takes another number of arguments.
        SingularError: in a rule, the Jacobian is singular at the solution.
        NotConvergedError: with on_failure="raise".

    Derivation:
        dF/dx x_dot = -(dF/dargs) args_dot, the implicit function theorem (S. G. Krantz and H. R. Parks, The Implicit Function
        Theorem, 2013, theorem 3.3.1); see `rb.implicit.root`.

    Example:
        >>> circle = lambda x, r: np.stack([x[0] ** 2 + x[1] ** 2 - r**2, x[0] - x[1]])
        >>> root(circle, [1.0, 1.0], args=(2.0,)).x.round(6)
        array([1.414214, 1.414214])
        >>> rb.derivative(lambda r: root(circle, [1.0, 1.0], args=(r,)).x, engine="dual")(2.0).round(6)
        array([0.707107, 0.707107])
    """
    name, args = name_of(f"{_HERE}.root", fun), arguments(args)
    start_ = _vector(start(x0, args, name), name)
    options = options or {}

    def make() -> Any:
        solver = lambda fun, jac: _roots.root_solver(fun, jac, method, tol, options, name, on_failure)
        return implicit(Root, solver, _values, (fun, jac), len(args), name=name, on_failure=on_failure, has_aux=True, result=_root_result)

    solve = kept(key_of("root", fun, len(args), method, jac, tol, options, on_failure), (fun, jac), make)
    x, aux = solve(start_, *args)
    return OptimizeResult(x, *aux)


def _values(fun: Function) -> Function:
    """fun as the equation, where it may give a list."""
    return lambda x, *args: as_array(fun(x, *args))


def _root_result(x0: Any, *args: Any) -> Any:
    return x0, (x0, rb.ShapeDtype((), bool), rb.ShapeDtype((), np.int32), rb.ShapeDtype((), np.int32))


def _vector(x0: Any, name: str) -> Any:
    """A start of shape (n,)."""
    if x0.ndim == 0:
        return rb.xp(x0).reshape(x0, (1,))
    if x0.ndim > 1:
        raise RuleSignatureError(
            f"{name}, x0.", "an array of shape (n,)", f"shape {tuple(x0.shape)}", "let fun take a flat array, and pass x0.reshape(-1)"
        )
    return x0


def brentq(
    f: Function,
    a: Any,
    b: Any,
    args: Any = (),
    xtol: float = 2e-12,
    rtol: float = 8.881784197001252e-16,
    maxiter: int = 100,
    *,
    on_failure: str = "warn",
) -> Any:
    """x between a and b with f(x, *args) = 0, by scipy.optimize.brentq; elementwise for arrays.

    Args:
        f: of x and args; gives a value of the shape of x.  For arrays, each value depends on its own element of x alone.
        a, b: the ends of the bracket, numbers or arrays, which broadcast.
        args: a tuple of arrays or containers of them.
        xtol, rtol, maxiter: see SciPy.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        An array of the shape of a and b.  Arrays are solved all at once, by Chandrupatla's method.

    Raises:
        ValueError: f has the same sign at a and b.
        RuleSignatureError: f takes another number of arguments, or, in a rule, is not elementwise.
        SingularError: in a rule, the slope of f vanishes at the root.
        NotConvergedError: with on_failure="raise".

    Derivation:
        df/dx x_dot = -(df/dargs) args_dot, the implicit function theorem; the Jacobian of an elementwise function is a diagonal.

    Example:
        >>> brentq(lambda x, a: x**3 - a, 0.0, 9.0, args=(8.0,)).round(9)
        np.float64(2.0)
        >>> rb.derivative(lambda a: brentq(lambda x, a: x**3 - a, 0.0, 9.0, args=(a,)), engine="dual")(8.0).round(9)
        np.float64(0.083333333)
    """
    name, args = name_of(f"{_HERE}.brentq", f), arguments(args)
    low, high = start(a, (b, *args), name, "a"), start(b, (a, *args), name, "b")
    if tuple(low.shape) != tuple(high.shape):
        xp = rb.xp(low, high)
        shape = np.broadcast_shapes(tuple(low.shape), tuple(high.shape))
        low, high = xp.broadcast_to(low, shape), xp.broadcast_to(high, shape)
    options = {"xtol": xtol, "rtol": rtol, "maxiter": maxiter}

    def make() -> Any:
        solver = lambda f: _roots.bracketed(f, options, name, on_failure)
        equation = lambda f: lambda x, _b, *args: as_array(f(x, *args))
        use = _linear_solver(low, name)
        return implicit(Root, solver, equation, (f,), len(args), ("a", "b"), name=name, on_failure=on_failure, linear_solver=use)

    solve = kept(key_of("brentq", f, len(args), low.ndim > 0, options, on_failure), (f,), make)
    return solve(low, high, *args)


def _linear_solver(x: Any, name: str) -> Any:
    return _roots.diagonal(name) if x.ndim else "auto"


def newton(
    func: Function,
    x0: Any,
    fprime: Function | None = None,
    args: Any = (),
    tol: float = 1.48e-8,
    maxiter: int = 50,
    fprime2: Function | None = None,
    x1: float | None = None,
    rtol: float = 0.0,
    *,
    on_failure: str = "warn",
) -> Any:
    """x near x0 with func(x, *args) = 0, by scipy.optimize.newton; elementwise for arrays, real or complex.

    Args:
        func: of x and args; gives a value of the shape of x.  For arrays, each value depends on its own element of x alone.
        x0: what to start from, a number or an array.
        fprime, fprime2: the first and second derivative, of x and args; without them SciPy takes the secant method.
        args: a tuple of arrays or containers of them.
        tol, maxiter, x1, rtol: see SciPy.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        An array of the shape of x0.

    Raises:
        RuleSignatureError: func takes another number of arguments, or, in a rule, is not elementwise.
        SingularError: in a rule, the slope of func vanishes at the root.
        NotConvergedError: with on_failure="raise".

    Derivation:
        See `brentq`.

    Example:
        >>> newton(lambda x, a: x**2 - a, np.ones(2), args=(np.array([4.0, 9.0]),)).round(9)
        array([2., 3.])
        >>> rb.derivative(lambda a: newton(lambda x, a: x**2 - a, 1.0, args=(a,)), engine="dual")(4.0).round(9)
        np.float64(0.25)
    """
    name, args = name_of(f"{_HERE}.newton", func), arguments(args)
    start_ = start(x0, args, name, complex_too=True)
    options = {"tol": tol, "maxiter": maxiter, "x1": x1, "rtol": rtol}

    def make() -> Any:
        solver = lambda *functions: _roots.newton_solver(functions, options, name, on_failure)
        use = _linear_solver(start_, name)
        parts = func, fprime, fprime2
        return implicit(Root, solver, _values, parts, len(args), name=name, on_failure=on_failure, linear_solver=use)

    key = key_of("newton", func, fprime, fprime2, len(args), start_.ndim > 0, options, on_failure)
    return kept(key, (func, fprime, fprime2), make)(start_, *args)


def fixed_point(
    func: Function, x0: Any, args: Any = (), xtol: float = 1e-8, maxiter: int = 500, method: str = "del2", *, on_failure: str = "warn"
) -> Any:
    """x with func(x, *args) = x, by scipy.optimize.fixed_point.

    Args:
        func: of x and args; gives an array of the shape of x, real or complex.
        x0: what to start from.
        args: a tuple of arrays or containers of them.
        xtol, maxiter, method: see SciPy.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        An array of the shape of x0.

    Raises:
        RuleSignatureError: func takes another number of arguments.
        SingularError: in a rule, 1 is an eigenvalue of the Jacobian of func.
        NotConvergedError: with on_failure="raise".

    Derivation:
        (1 - df/dx) x_dot = (df/dargs) args_dot; see `rb.implicit.fixed_point`.

    Example:
        >>> fixed_point(lambda x, c: np.sqrt(c / (x + 1)), 1.0, args=(6.0,)).round(6)
        np.float64(1.537656)
        >>> rb.derivative(lambda c: fixed_point(lambda x, c: np.sqrt(c / (x + 1)), 1.0, args=(c,)), engine="dual")(6.0).round(6)
        np.float64(0.098343)
    """
    name, args = name_of(f"{_HERE}.fixed_point", func), arguments(args)
    start_ = start(x0, args, name, complex_too=True)
    options = {"xtol": xtol, "maxiter": maxiter, "method": method}

    def make() -> Any:
        solver = lambda func: _roots.fixed_point_solver(func, options, name, on_failure)
        return implicit(FixedPoint, solver, _values, (func,), len(args), name=name, on_failure=on_failure)

    return kept(key_of("fixed_point", func, len(args), options, on_failure), (func,), make)(start_, *args)


def minimize(
    fun: Function,
    x0: Any,
    args: Any = (),
    method: str | None = None,
    jac: Function | str | None = None,
    hess: Function | None = None,
    *,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    options: dict[str, Any] | None = None,
    on_failure: str = "warn",
) -> OptimizeResult:
    """x where fun(x, *args) is smallest, by scipy.optimize.minimize, without constraints.

    Args:
        fun: of x, of shape (n,), and args; gives one real number.
        x0: what to start from, of shape (n,); a number is one unknown.
        args: a tuple of arrays or containers of them.
        method, tol, options: see SciPy; BFGS by default.
        jac: of x and args, gives the gradient; or "2-point" or "3-point" for finite differences.  By default it is computed.
        hess: of x and args, gives the Hessian; computed for the methods that need one.
        bounds, constraints: none; a solution on a bound is no zero of the gradient.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        An OptimizeResult; x and fun are differentiable.  Where the gradient is computed, SciPy's x is refined by Newton's
        method, so that x and its derivatives are accurate to rounding and not to SciPy's tolerance.

    Raises:
        RuleSignatureError: fun takes another number of arguments; bounds or constraints are given.
        SingularError: in a rule, the Hessian is singular at the solution.
        NotConvergedError: with on_failure="raise".

    Derivation:
        The gradient g vanishes: (d2 fun / dx2) x_dot = -(dg/dargs) args_dot; see `rb.implicit.minimizer`.  fun is evaluated
        once more at x in the engine, so that its derivative is the partial one with respect to args (the envelope theorem).

    Example:
        >>> bowl = lambda x, a: ((x - a) ** 2).sum() + (x**4).sum()
        >>> minimize(bowl, [0.0], args=(np.array([3.0]),)).x.round(9)
        array([1.])
        >>> rb.jacobian(lambda a: minimize(bowl, [0.0], args=(a,)).x, engine="dual")(np.array([3.0])).round(9)
        array([[0.14285714]])
    """
    name, args = name_of(f"{_HERE}.minimize", fun), arguments(args)
    start_ = _vector(start(x0, args, name), name)
    if bounds is not None or tuple(constraints):
        raise RuleSignatureError(
            f"{name}, bounds and constraints.",
            "none",
            "some",
            "use quadratic_program, substitute the variables, or find the root of the KKT conditions",
        )
    options = {"method": method, "tol": tol, "options": options or {}}

    def make() -> Any:
        solver = lambda *functions: _minima.minimize_solver(functions, options, name, on_failure)
        return implicit(
            Minimum, solver, _values, (fun, jac, hess), len(args), name=name, on_failure=on_failure, has_aux=True, result=_minimum_result
        )

    x, aux = kept(key_of("minimize", fun, jac, hess, len(args), options, on_failure), (fun, jac, hess), make)(start_, *args)
    return OptimizeResult(x, fun(x, *args), *aux)


def _minimum_result(x0: Any, *args: Any) -> Any:
    return x0, (rb.ShapeDtype((), bool), rb.ShapeDtype((), np.int32), rb.ShapeDtype((), np.int32))


def least_squares(
    fun: Function,
    x0: Any,
    jac: Function | str | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = 1.0,
    loss: str = "linear",
    f_scale: float = 1.0,
    *,
    max_nfev: int | None = None,
    args: Any = (),
    on_failure: str = "warn",
) -> LeastSquaresResult:
    """x where the sum of the squares of fun(x, *args) is smallest, by scipy.optimize.least_squares, without bounds.

    Args:
        fun: of x, of shape (n,), and args; gives m residuals.
        x0: what to start from, of shape (n,); a number is one unknown.
        jac: of x and args, gives the Jacobian; or "2-point", "3-point" or "cs".  By default it is computed.
        bounds: infinite ones; a solution on a bound is no zero of the gradient.
        method, ftol, xtol, gtol, x_scale, max_nfev: see SciPy.
        loss: "linear", "soft_l1", "huber", "cauchy" or "arctan", as SciPy has them.
        f_scale: the residual from which on the loss is less than a square.
        args: a tuple of arrays or containers of them.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        A LeastSquaresResult; x, cost and fun are differentiable.  Where the Jacobian is computed, SciPy's x is refined by Newton's method.

    Raises:
        RuleSignatureError: fun takes another number of arguments; bounds are given, there is no such loss, or f_scale is no number.
        SingularError: in a rule, the matrix of the normal equations is singular at the solution.
        NotConvergedError: with on_failure="raise".

    Derivation:
        The gradient of r^T r / 2 vanishes: J^T r = 0, and its differential is

            (J^T J + sum_i r_i H_i) x_dot = -(J^T dr/dargs + sum_i r_i dJ_i/dargs) args_dot,

        with the Hessians H_i of the residuals.  Neither is dropped: the Gauss-Newton matrix J^T J alone gives the derivative of
        a solution with r = 0 only (J. Nocedal and S. J. Wright, Numerical Optimization, 2006, equation 10.5).

    Example:
        >>> t = np.array([0.0, 1.0, 2.0])
        >>> line = lambda x, y: x[0] + x[1] * t - y
        >>> least_squares(line, [0.0, 0.0], args=(np.array([1.0, 3.0, 5.0]),)).x.round(9)
        array([1., 2.])
        >>> rb.jacobian(lambda y: least_squares(line, [0.0, 0.0], args=(y,)).x, engine="dual")(t).round(9)[1]
        array([-0.5,  0. ,  0.5])
    """
    name, args = name_of(f"{_HERE}.least_squares", fun), arguments(args)
    start_ = _vector(start(x0, args, name), name)
    if not np.isinf(np.concatenate([np.ravel(b) for b in bounds])).all():
        raise RuleSignatureError(f"{name}, bounds.", "none", "some", "substitute the variables so that no bound is needed")
    _minima.check_loss(loss, f_scale, name)
    options = {"method": method, "ftol": ftol, "xtol": xtol, "gtol": gtol, "x_scale": x_scale, "max_nfev": max_nfev}

    def make() -> Any:
        solver = lambda *functions: _minima.least_squares_solver(functions, {**options, "loss": loss, "f_scale": f_scale}, name, on_failure)
        equation = lambda fun: _minima.cost(fun, loss, f_scale)
        return implicit(
            Minimum, solver, equation, (fun, jac), len(args), name=name, on_failure=on_failure, has_aux=True, result=_minimum_result
        )

    key = key_of("least_squares", fun, jac, len(args), options, loss, f_scale, on_failure)
    x, aux = kept(key, (fun, jac), make)(start_, *args)
    return LeastSquaresResult(x, _minima.cost(fun, loss, f_scale)(x, *args), as_array(fun(x, *args)), *aux)


def _no_bounds(rng: Any) -> Any:
    half = rng.normal(size=(3, 3))
    return half @ half.T + np.eye(3), rng.normal(size=3)


def _inequalities(rng: Any) -> Any:
    """Two constraints that are active at the solution, and one that is far from it."""
    P, x = _no_bounds(rng)
    G = rng.normal(size=(3, 3))
    return P, -P @ x - G.T @ np.array([1.0, 0.5, 0.0]), G, G @ x + np.array([0.0, 0.0, 1.0])


def _both(rng: Any) -> Any:
    """One constraint that is active, one that is not, and an equality."""
    P, x = _no_bounds(rng)
    G, A = rng.normal(size=(2, 3)), rng.normal(size=(1, 3))
    return P, -P @ x - G.T @ np.array([1.0, 0.0]) + A[0], G, G @ x + np.array([0.0, 1.0]), A, A @ x


@rb.primitive(host=True, result=_quadratic.result_of, cases=(_no_bounds, _inequalities, _both))
def quadratic_program(
    P: Any,
    q: Any,
    G: Any = None,
    h: Any = None,
    A: Any = None,
    b: Any = None,
    *,
    solver: str = "auto",
    on_failure: str = "warn",
) -> QuadraticProgramResult:
    """x with the smallest x^T P x / 2 + q^T x where G x <= h and A x = b: a convex quadratic program.

    Args:
        P: array of shape (n, n), positive semidefinite; its symmetric part counts.
        q: array of shape (n,).
        G, h: arrays of shape (m, n) and (m,), or None.
        A, b: arrays of shape (p, n) and (p,), or None.
        solver: "osqp"; "scipy", nonnegative least squares; or "auto", OSQP where it is installed.
        on_failure: "warn", "raise" or "ignore".

    Returns:
        A QuadraticProgramResult; x and the multipliers z and y are differentiable.  What the solver finds is refined to full accuracy, with
        equalities in place of the active constraints.

    Raises:
        InfeasibleError: there is no solution: no point keeps all constraints, the objective has no lower bound, or P is not convex.
        RuleSignatureError: the shapes do not fit.
        KinkError: in a rule, a constraint is active with a multiplier of zero: the derivative differs from side to side.
        SingularError: in a rule, the solution or its multipliers are not unique.
        NotConvergedError: with on_failure="raise".

    Derivation:
        The conditions of Karush, Kuhn and Tucker,

            P x + q + G^T z + A^T y = 0,    z_i (G x - h)_i = 0,    A x = b,

        are smooth equations of (x, z, y), and regular where the active constraints are independent and have positive multipliers; the
        implicit function theorem gives the derivative (B. Amos and J. Z. Kolter, OptNet: Differentiable Optimization as a Layer in Neural
        Networks, 2017, equation 6).

    Example:
        >>> P, G, h = np.eye(2), np.array([[1.0, 1.0]]), np.array([2.0])
        >>> quadratic_program(P, np.array([-1.0, -2.0]), G, h).x.round(9)
        array([0.5, 1.5])
        >>> rb.jacobian(lambda h: quadratic_program(P, np.array([-1.0, -2.0]), G, h).x, engine="dual")(h).round(9)
        array([[0.5],
               [0.5]])
    """
    return _quadratic.solve(P, q, G, h, A, b, solver, on_failure)


_quadratic.register(quadratic_program)
