"""Whether a result can be trusted, and what is said where it cannot.

Where there are numbers they are looked at.  A program that is traced has none: there a failed linear solve and a singular matrix give
NaN; and where on_failure="raise" asks for it, or the program runs at once and is nobody's to keep free of callbacks, an operation
of the program looks at the numbers when they are there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.host import Arrays, HostCall, Specs
from rulebook.implicit.failures import KinkError, NotConvergedError, SingularError, report
from rulebook.implicit.options import Options
from rulebook.tangents import ShapeDtype

__all__ = ["linear_solve", "regular", "solution"]

_BENT = 0.05  # slopes at both sides that differ by more are looked at again, closer


def _judged(engine: Engine, options: Options, judge: Callable[..., None], operands: Sequence[Any]) -> Any:
    """Call judge with the numbers of operands, now or when the program runs.

    Returns:
        True where it was called, else a number one that the judged result has to be multiplied with, else None where it never is.
    """
    if options.on_failure == "ignore":
        return True
    found = engine.concrete(operands)
    if found is not None:
        judge(*found)
        return True
    if options.on_failure == "raise" or engine.runs_at_once():
        return engine.host_call(_Judge(judge, options.name, engine.name), operands)[0]
    return None


class _Judge(HostCall):
    """Looks at numbers; gives one, so that it is not taken out of the program."""

    def __init__(self, judge: Callable[..., None], name: str, engine: str) -> None:
        super().__init__("the check", name, engine)
        self._judge = judge

    def run(self, arrays: Arrays) -> list[Any]:
        """One, if nothing is raised."""
        self._judge(*arrays)
        return [np.ones((), arrays[0].dtype)]

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """A number."""
        return [ShapeDtype((), operands[0].dtype)]


def _times(value: Any, gate: Any) -> Any:
    return value if gate is None or gate is True else value * gate


# -- the linear solves -------------------------------------------------------------------------------


def linear_solve(engine: Engine, options: Options, method: str, z: Any, norm: Any, goal: Any, products: Any) -> Any:
    """The solution of a matrix-free solve, reported where its residual is too large."""

    def judge(norm: Any, goal: Any, products: Any) -> None:
        if not norm <= goal:
            report(options.on_failure, _unsolved(options.name, method, float(norm), float(goal), float(products)))

    gate = _judged(engine, options, judge, [norm, goal, products])
    if gate is not None:
        return _times(z, gate)
    # A residual that rounding or an early stop left is no reason to give nothing at all.
    limit = float(np.finfo(engine.spec(z).dtype).eps) ** 0.25
    return z * engine.cast(engine.namespace().where(norm * limit <= goal, 1.0, np.nan), z)


def _unsolved(name: str, method: str, norm: float, goal: float, products: float) -> NotConvergedError:
    return NotConvergedError(
        f"the linear system of {name}, solved by {method}.",
        f"a residual of at most {goal:.1e}",
        f"{norm:.1e} after {products:.0f} products with the matrix",
        "pass a larger tol, or linear_solver='dense' or a function of your own",
    )


def regular(engine: Engine, options: Options, lu: Any, smallest: Any, limit: Any, matrix: Any) -> Any:
    """The factors of a matrix, which is singular to rounding where its smallest pivot is below the limit."""

    def judge(smallest: Any, limit: Any, matrix: Any) -> None:
        if not smallest > limit and np.isfinite(matrix).all():  # else the solution is none, which is told of it
            raise _singular(options.name, matrix)

    gate = _judged(engine, options, judge, [smallest, limit, matrix])
    if gate is not None and options.on_failure != "ignore":
        return _times(lu, gate)
    return lu * engine.cast(engine.namespace().where(smallest > limit, 1.0, np.nan), lu)


def _singular(name: str, matrix: Any) -> SingularError:
    condition = np.linalg.cond(matrix)
    return SingularError(
        f"{name}, the Jacobian of its equation at the solution, shape {matrix.shape}.",
        "a regular matrix, so that the solution has a derivative",
        f"condition {condition:.1e}",
        "pose the equation so that its solution is locally unique",
    )


# -- the solution ------------------------------------------------------------------------------------


def solution(engine: Engine, options: Options, residual: Callable[[Any], Any], vectors: tuple[Any, Any, Any, Any, Any]) -> Any:
    """A number one to multiply the result of a rule with, or what stands for none: reports a solution that is not one, or sits at a kink.

    With the residual r = F(x), the error of x is about A^-1 r; how much A^-1 magnifies is what the linear solve of the rule showed.

    Args:
        engine: what runs.
        options: those of the rule.
        residual: F.
        vectors: the solution, the point that the solver started from, F(x), the solution of the rule's linear system and its
            right-hand side, in real coordinates.
    """
    arrays = engine.concrete(vectors)
    if arrays is not None:
        at = lambda v: engine.to_numpy(residual(engine.asarray(v, vectors[3])))
        _judge_solution(
            options, *_numbers(np, at, arrays, _direction(arrays[0].size, arrays[0].dtype), float(np.finfo(arrays[0].dtype).eps))
        )
        return True
    if not (options.on_failure == "raise" or engine.runs_at_once()):
        return None
    spec = engine.spec(vectors[0])
    direction = engine.asarray(_direction(spec.size, spec.dtype), vectors[0])
    numbers = _numbers(engine.namespace(), residual, vectors, direction, float(np.finfo(spec.dtype).eps))
    return _judged(engine, options, functools.partial(_judge_solution, options), numbers)


def _numbers(xp: Any, residual: Callable[[Any], Any], vectors: Sequence[Any], direction: Any, eps: float) -> list[Any]:
    """What a solution is judged by: the norms of r, of the linear solution and of b, the size of x, and how bent F is there."""
    x, start, r, found, b = vectors

    def norm(v: Any) -> Any:
        return xp.sqrt(xp.sum(v * v))  # no BLAS: its threads cost milliseconds on a busy machine

    def bend(step: Any) -> Any:
        """How much the slopes before and after differ, relative to their size."""
        up, down = residual(x + step) - r, r - residual(x - step)
        size = norm(up) + norm(down)
        return norm(up - down) / xp.where(size > 0, size, 0 * size + 1)

    scale = xp.maximum(norm(x), norm(x - start))
    unit = xp.where(scale > 0, scale, 0 * scale + 1)
    first = bend(unit * direction)
    if xp is np and not first > _BENT:
        return [norm(r), norm(found), norm(b), scale, first, first]
    # The solver may have started far away, and unknowns differ in size: the closer look goes by the size of each.
    own = xp.where(xp.abs(x) > eps * unit, xp.abs(x), eps ** (1 / 3) * unit)
    closer = bend(own * direction / 8)
    return [norm(r), norm(found), norm(b), scale, first, closer]


@functools.lru_cache(maxsize=64)
def _direction(n: int, dtype: Any) -> Any:
    """A short step in a direction that no kink is likely to lie along, for an x of size one."""
    direction = np.random.default_rng(0).standard_normal(n)
    return (direction / (np.linalg.norm(direction) or 1.0) * float(np.finfo(dtype).eps) ** (1 / 3)).astype(dtype)


def _judge_solution(options: Options, norm: Any, found: Any, b: Any, scale: Any, first: Any, closer: Any) -> None:
    """The numbers of `solution`."""
    error = float(norm * found / (b or 1.0))
    if not error <= options.alarm(norm.dtype) * scale:
        report(options.on_failure, _unconverged(options.name, float(norm), error / scale if scale else np.inf))
    elif first > _BENT and closer > max(_BENT, first / 2):  # a smooth residual is straighter the closer one looks
        raise KinkError(
            f"{options.name}, its equation at the solution.",
            "an equation that is smooth there",
            "slopes that differ from side to side",
            "move the parameters off the kink, or smooth the equation",
        )


def _unconverged(name: str, norm: float, error: float) -> NotConvergedError:
    return NotConvergedError(
        f"{name}, its solution.",
        "a solution of the equation",
        f"a residual of norm {norm:.1e}, about {error:.1e} of the solution: its derivative is as wrong as that",
        "let the solver go on for longer, or say how accurate it is by tol=",
    )
