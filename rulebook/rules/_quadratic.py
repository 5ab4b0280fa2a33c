"""Convex quadratic programs on NumPy arrays, and the equations of their solutions: what `rulebook.rules.optimize` runs."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RulebookError, RuleSignatureError
from rulebook.implicit.equation import Root
from rulebook.implicit.failures import KinkError, NotConvergedError, report
from rulebook.implicit.options import Options
from rulebook.implicit.system import Pull, Push
from rulebook.implicit.theorem import Theorem
from rulebook.namespace import engine_for, stop_gradient
from rulebook.rules._procedures import scipy

__all__ = ["InfeasibleError", "QuadraticProgramResult", "register", "result_of", "solve"]

_NAME = "rulebook.rules.optimize.quadratic_program"
_TINY = float(np.finfo(float).eps) ** 0.75  # below which a multiplier or a slack cannot be told from zero


class InfeasibleError(RulebookError, ValueError):
    """A program that has no solution: no point keeps all constraints, or the objective has no lower bound."""


class QuadraticProgramResult(NamedTuple):
    """What `quadratic_program` gives.

    Attributes:
        x: the solution, of shape (n,).
        z: the multipliers of G x <= h, of shape (m,); not negative, zero where a constraint is inactive.
        y: the multipliers of A x = b, of shape (p,).
        success: whether x is accurate to rounding, a boolean.
        degenerate: whether a constraint is active with a multiplier of zero, so that there is no derivative, a boolean.
    """

    x: Any
    z: Any
    y: Any
    success: Any
    degenerate: Any


class _Program(NamedTuple):
    """min x^T P x / 2 + q^T x with G x <= h and A x = b, in double precision, P symmetric."""

    P: Any
    q: Any
    G: Any
    h: Any
    A: Any
    b: Any


def result_of(P: Any, q: Any, G: Any, h: Any, A: Any, b: Any, **_: Any) -> QuadraticProgramResult:
    """The shapes and dtypes of a result, for arguments that fit together.

    Raises:
        RuleSignatureError: they do not.
    """
    n = _length(q, "q")
    _fits("P", P, (n, n))
    m, p = (_rows(*pair, n) for pair in ((("G", G), ("h", h)), (("A", A), ("b", b))))
    floating = [np.dtype(a.dtype) for a in (P, q, G, h, A, b) if a is not None and np.dtype(a.dtype).kind == "f"]
    dtype = np.result_type(*floating or [np.dtype(float)])
    x, z, y = (rb.ShapeDtype((k,), dtype) for k in (n, m, p))
    return QuadraticProgramResult(x, z, y, rb.ShapeDtype((), bool), rb.ShapeDtype((), bool))


def _length(v: Any, name: str) -> int:
    if v is None or len(v.shape) != 1:
        raise RuleSignatureError(
            f"{_NAME}, {name}.", "an array of shape (n,)", f"shape {None if v is None else tuple(v.shape)}", f"pass {name} as a vector"
        )
    return int(v.shape[0])


def _fits(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if tuple(array.shape) != shape:
        raise RuleSignatureError(
            f"{_NAME}, {name}.", f"shape {shape}, to fit q", f"shape {tuple(array.shape)}", f"pass {name} of that shape"
        )


def _rows(matrix: tuple[str, Any], vector: tuple[str, Any], n: int) -> int:
    """The number of constraints of a matrix and a vector, which come together."""
    (name, a), (other, v) = matrix, vector
    if (a is None) != (v is None):
        raise RuleSignatureError(f"{_NAME}, {name} and {other}.", "both or neither", f"{other if a is None else name} alone", "pass both")
    if a is None:
        return 0
    m = _length(v, other)
    _fits(name, a, (m, n))
    return m


# -- the solution ----------------------------------------------------------------------------------


def solve(P: Any, q: Any, G: Any, h: Any, A: Any, b: Any, solver: str, on_failure: str) -> QuadraticProgramResult:
    """The solution on NumPy arrays.

    Raises:
        RuleSignatureError: arguments that do not fit together, or an unknown solver.
        InfeasibleError: there is no solution.
    """
    Options(_NAME, on_failure=on_failure)  # refuses what there is not
    specs = result_of(*map(_array, (P, q, G, h, A, b)))
    n = specs.x.shape[0]
    wide: Any = lambda a, *shape: np.zeros(shape) if a is None else np.asarray(a, float)
    program = _Program(wide(P), wide(q), wide(G, 0, n), wide(h, 0), wide(A, 0, n), wide(b, 0))
    program = program._replace(P=(program.P + program.P.T) / 2)
    _check(program)
    x, z, y = _SOLVERS[_chosen(solver)](program)
    x, z, y, good = _refined(program, x, z, y)
    if not good:
        _report(program, on_failure, x, z, y)
    slack = program.h - program.G @ x
    degenerate = bool((_vanish(program, x, z) & _touch(program, x, slack)).any())
    x, z, y = (v.astype(specs.x.dtype) for v in (x, z, y))
    return QuadraticProgramResult(x, z, y, np.bool_(good), np.bool_(degenerate))


def _array(a: Any) -> Any:
    return None if a is None else np.asarray(a)


def _check(program: _Program) -> None:
    for name, a in zip(program._fields, program, strict=True):
        if not np.isfinite(a).all():
            raise InfeasibleError(f"{_NAME}, {name}.", "finite numbers", "NaN or infinity", "leave constraints without a bound out")
    values = np.linalg.eigvalsh(program.P)
    if values.size and values[0] < -_TINY * max(abs(values[0]), abs(values[-1])):
        raise InfeasibleError(
            f"{_NAME}, P.", "a positive semidefinite matrix", f"an eigenvalue of {values[0]:.1e}", "pose a convex program"
        )


def _chosen(solver: str) -> str:
    if solver == "auto":
        return "osqp" if importlib.util.find_spec("osqp") is not None else "scipy"
    if solver not in _SOLVERS:
        raise RuleSignatureError(
            f"{_NAME}, solver.", f"'auto' or one of {', '.join(map(repr, _SOLVERS))}", repr(solver), "pass solver='auto'"
        )
    return solver


def _by_osqp(p: _Program) -> tuple[Any, Any, Any]:
    """The alternating direction method of OSQP."""
    osqp, sparse = importlib.import_module("osqp"), scipy("sparse")
    m = len(p.h)
    use = osqp.OSQP()
    use.setup(
        P=sparse.csc_matrix(np.triu(p.P)),
        q=p.q,
        A=sparse.csc_matrix(np.concatenate([p.G, p.A])),
        l=np.concatenate([np.full(m, -np.inf), p.b]),
        u=np.concatenate([p.h, p.b]),
        verbose=False,
        eps_abs=1e-9,
        eps_rel=1e-9,
        max_iter=100_000,
    )
    quiet = {"raise_error": False} if "raise_error" in inspect.signature(use.solve).parameters else {}  # since 1.0
    found = use.solve(**quiet)
    if "infeasible" in found.info.status:
        raise _infeasible("no point keeps all constraints" if "primal" in found.info.status else "the objective has no lower bound")
    return found.x, np.maximum(found.y[:m], 0), found.y[m:]


def _infeasible(why: str) -> InfeasibleError:
    return InfeasibleError(f"{_NAME}.", "a program that has a solution", why, "drop the constraints that contradict each other, or bound x")


def _by_scipy(p: _Program) -> tuple[Any, Any, Any]:
    """SciPy's nonnegative least squares on the dual; for a P that is singular where A x = b, a sequence of regularised programs."""
    linalg = scipy("linalg")
    basis = linalg.null_space(p.A) if len(p.b) else np.eye(len(p.q))
    x = np.linalg.lstsq(p.A, p.b, rcond=None)[0] if len(p.b) else np.zeros(len(p.q))
    if np.linalg.norm(p.A @ x - p.b) > 1e-9 * float(np.linalg.norm(p.b)):
        raise _infeasible("no point keeps all constraints")
    reduced = basis.T @ p.P @ basis
    values: Any = np.linalg.eigvalsh(reduced)
    regular = not values.size or values[0] > 1e-10 * values[-1]
    extra = 0.0 if regular else max(float(values[-1]), float(np.linalg.norm(p.q))) or 1.0
    for _ in range(_ROUNDS):
        new, z = _least_distance(p._replace(P=p.P + extra * np.eye(len(x)), q=p.q - extra * x), basis, x)
        step, x = np.linalg.norm(new - x), new
        if regular or step <= 1e-10 * np.linalg.norm(x):
            break
    gradient = p.P @ x + p.q + p.G.T @ z
    return x, z, np.linalg.lstsq(p.A.T, -gradient, rcond=None)[0] if len(p.b) else np.zeros(0)


_ROUNDS = 1000


def _least_distance(p: _Program, basis: Any, x: Any) -> tuple[Any, Any]:
    """x and the multipliers of G x <= h, from a point with A x = b and a basis of the null space of A.

    A point u of least norm with M u <= d, by nonnegative least squares (C. L. Lawson and R. J. Hanson, Solving Least Squares
    Problems, 1974, chapter 23).
    """
    linalg = scipy("linalg")
    lower = np.linalg.cholesky(basis.T @ p.P @ basis)
    shift = linalg.solve_triangular(lower, basis.T @ (p.P @ x + p.q), lower=True)
    m = linalg.solve_triangular(lower, (p.G @ basis).T, lower=True).T
    d = p.h - p.G @ x + m @ shift
    size = max(float(np.linalg.norm(d)), 1e-300)
    target = np.zeros(m.shape[1] + 1)
    target[-1] = 1
    # Without columns, nnls writes past its memory (SciPy 1.17).
    v = scipy("optimize").nnls(np.concatenate([-m.T, -d[None] / size]), target)[0] if len(d) else np.zeros(0)
    r = np.append(-m.T @ v, -d @ v / size - 1)
    if len(d) and np.linalg.norm(r) <= 1e-12:
        raise _infeasible("no point keeps all constraints")
    z = size * v / -r[-1]
    return x + basis @ linalg.solve_triangular(lower.T, -m.T @ z - shift, lower=False), z


_SOLVERS = {"osqp": _by_osqp, "scipy": _by_scipy}


# -- full accuracy ---------------------------------------------------------------------------------


def _pull_of(p: _Program, x: Any) -> float:
    """The size of the forces that balance at the solution."""
    return max(float(np.linalg.norm(p.P @ x)), float(np.linalg.norm(p.q)), 1e-300)


def _weights(p: _Program) -> Any:
    return np.maximum(np.linalg.norm(p.G, axis=1), 1e-300)


def _vanish(p: _Program, x: Any, z: Any) -> Any:
    """Which multipliers are zero to rounding."""
    return z * _weights(p) <= _TINY * _pull_of(p, x)


def _touch(p: _Program, x: Any, slack: Any) -> Any:
    """Which slacks are zero to rounding."""
    return slack <= _TINY * (np.abs(p.h) + _weights(p) * np.linalg.norm(x))


def _refined(p: _Program, x: Any, z: Any, y: Any) -> tuple[Any, Any, Any, bool]:
    """The solution with equalities in place of the active constraints, and whether it is one of the program.

    The active ones are those whose multiplier is larger than their slack, in the units of the program; where that was wrong, the constraint
    that is violated most joins, or that with the most negative multiplier leaves.
    """
    slack = p.h - p.G @ x
    active = z * _weights(p) / _pull_of(p, x) > slack / (np.abs(p.h) + _weights(p) * np.linalg.norm(x) + 1e-300)
    found = x, np.where(active, z, 0.0), y, False
    for _ in range(2 * len(p.h) + 2):
        new, multipliers, y_new = _with_equalities(p, active)
        full = np.zeros_like(p.h)
        full[active] = multipliers
        slack = p.h - p.G @ new
        wrong = full * _weights(p) / _pull_of(p, new)
        short = np.where(active, 0.0, slack / (np.abs(p.h) + _weights(p) * np.linalg.norm(new) + 1e-300))
        if wrong.min(initial=0.0) < -_TINY:
            active[np.argmin(wrong)] = False
        elif short.min(initial=0.0) < -_TINY:
            active[np.argmin(short)] = True
        else:
            good = _misses(p, new, full, y_new) <= 1e-9 * _pull_of(p, new)
            return (new, np.maximum(full, 0), y_new, True) if good else found
    return found


def _with_equalities(p: _Program, active: Any) -> tuple[Any, Any, Any]:
    rows = np.concatenate([p.G[active], p.A])
    n, k, m = len(p.q), len(rows), int(active.sum())
    matrix = np.block([[p.P, rows.T], [rows, np.zeros((k, k))]])
    found = np.linalg.lstsq(matrix, np.concatenate([-p.q, p.h[active], p.b]), rcond=None)[0]
    return found[:n], found[n : n + m], found[n + m :]


def _misses(p: _Program, x: Any, z: Any, y: Any) -> float:
    """The norm of the gradient of the Lagrange function."""
    return float(np.linalg.norm(p.P @ x + p.q + p.G.T @ z + p.A.T @ y))


def _report(p: _Program, on_failure: str, x: Any, z: Any, y: Any) -> None:
    report(
        on_failure,
        NotConvergedError(
            f"{_NAME}.",
            "a solution whose active constraints can be told",
            f"a point with a residual of {_misses(p, x, z, y):.1e}",
            "scale the constraints alike, or drop those that say the same twice",
        ),
    )


# -- the rules -------------------------------------------------------------------------------------


def _kkt(point: Any, P: Any, q: Any, G: Any, h: Any, A: Any, b: Any, active: Any) -> Any:
    """The conditions of Karush, Kuhn and Tucker at a point (x, z, y).

    Complementarity says G x = h where a constraint is active and z = 0 elsewhere.  As the product z (G x - h) = 0 it would have the same
    derivatives, but the rounding of a slack would hide that multipliers are not unique.
    """
    x, z, y = point
    engine = engine_for((point, P, q, G, h, A, b), _NAME)
    P, q, G, h, A, b = (None if a is None else engine.cast(engine.asarray(a, x), x) for a in (P, q, G, h, A, b))
    force = (P @ x + P.T @ x) / 2 + q
    if G is not None:
        force, z = force + G.T @ z, engine.namespace().where(active, G @ x - h, z)
    if A is not None:
        force, y = force + A.T @ y, A @ x - b
    return force, z, y


@functools.cache
def _theorem(on_failure: str) -> tuple[Any, Any]:
    forward, reverse = Theorem(Root(_kkt, _NAME), Options(_NAME, "dense", on_failure=on_failure), False).rules()
    return forward.fn, reverse.fn


def _push(y: Any, primals: Any, tangents: Any, *, solver: str, on_failure: str) -> Any:
    point, spoil = _regular(y, primals)
    x_dot, z_dot, y_dot = map(spoil, _theorem(on_failure)[0](point, (point, *primals, y.z > 0), (None, *tangents, None)))
    return QuadraticProgramResult(x_dot, z_dot, y_dot, None, None)


def _pull(y: Any, primals: Any, y_bar: Any, *, solver: str, on_failure: str) -> Any:
    point, spoil = _regular(y, primals)
    bars = _theorem(on_failure)[1](point, (point, *primals, y.z > 0), tuple(y_bar[:3]))[1:-1]
    return tuple(None if bar is None else spoil(bar) for bar in bars)


def _regular(y: Any, primals: Any) -> tuple[Any, Any]:
    """The solution, and what makes a derivative NaN where there is none and nothing can be raised.

    Raises:
        KinkError: a constraint is weakly active.
    """
    engine: Engine = engine_for((y, primals), _NAME)
    found = engine.concrete(trees.leaves_of(stop_gradient([y.degenerate])))
    if found is not None and found[0]:
        raise KinkError(
            f"{_NAME}, its solution.",
            "active constraints with positive multipliers, so that the same ones are active nearby",
            "one that is active with a multiplier of zero",
            "move the parameters off the kink",
        )
    spoil = lambda t: t if found is not None else engine.cast(engine.namespace().where(y.degenerate, np.nan, t), t)
    return (y.x, y.z, y.y), spoil


def register(primitive: Any) -> None:
    """Give a primitive of (P, q, G, h, A, b) the rules."""
    primitive.set_rule(Push("pushforward", _push, jit=False), Pull("pullback", _pull, jit=False), replace=False)
