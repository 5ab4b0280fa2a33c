"""Whether a result can be trusted: what is raised, warned of, or made NaN where nothing can be raised.

A program that is traced has no numbers to look at.  There a linear solve that failed gives NaN, and with on_failure="raise" an
operation of the program looks at the numbers when they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook.engines import Engine
from rulebook.host import Arrays, HostCall, Specs
from rulebook.implicit.failures import KinkError, NotConvergedError, report
from rulebook.implicit.options import Options
from rulebook.tangents import ShapeDtype

__all__ = ["linear_solve", "solution"]


def linear_solve(engine: Engine, options: Options, method: str, z: Any, norm: Any, goal: Any, products: Any) -> Any:
    """The solution of a matrix-free solve, reported where its residual is too large."""
    found = engine.concrete([norm, goal, products])
    if found is not None:
        if not found[0] <= found[1]:
            report(options.on_failure, _unsolved(options.name, method, *map(float, found)))
        return z
    xp = engine.namespace()
    if options.on_failure == "raise":
        (norm,) = engine.host_call(_Check(options.name, method, engine.name), [norm, goal, products])
    if options.on_failure == "ignore":
        return z
    # A residual that rounding or an early stop left is no reason to give nothing at all.
    limit = float(np.finfo(engine.spec(z).dtype).eps) ** 0.25
    return z * engine.cast(xp.where(norm * limit <= goal, 1.0, np.nan), z)


def _unsolved(name: str, method: str, norm: float, goal: float, products: float) -> NotConvergedError:
    return NotConvergedError(
        f"the linear system of {name}, solved by {method}.",
        f"a residual of at most {goal:.1e}",
        f"{norm:.1e} after {products:.0f} products with the matrix",
        "pass a larger tol, or linear_solver='dense' or a function of your own",
    )


class _Check(HostCall):
    """Raises where a residual is too large; gives its norm, so that it is not taken out of the program."""

    def __init__(self, name: str, method: str, engine: str) -> None:
        super().__init__("the linear solve", name, engine)
        self._method = method

    def run(self, arrays: Arrays) -> list[Any]:
        """The norm."""
        norm, goal, products = map(float, arrays)
        if not norm <= goal:
            raise _unsolved(self.name, self._method, norm, goal, products)
        return [np.asarray(arrays[0])]

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """That of the norm."""
        return [operands[0]]


def solution(options: Options, kept: Sequence[Any], gain: float, residual: Callable[[Any], Any]) -> None:
    """Report a solution that is not one, or that sits at a kink.

    With the residual r = F(x), the error of x is about A^-1 r; how much A^-1 magnifies is what the linear solve of the rule showed.

    Args:
        options: those of the rule.
        kept: x, the point it started from and r, as NumPy vectors.
        gain: the size of the solution of the rule's linear system relative to its right-hand side.
        residual: F, on NumPy vectors.
    """
    x, start, r = kept
    norm, scale = float(np.linalg.norm(r)), float(max(np.linalg.norm(x), np.linalg.norm(x - start)))
    error = norm * gain
    if not error <= options.alarm(x.dtype) * scale:
        report(options.on_failure, _unconverged(options.name, norm, error / scale if scale else np.inf))
    else:
        _refuse_kink(options.name, residual, x, r, scale)


def _unconverged(name: str, norm: float, error: float) -> NotConvergedError:
    return NotConvergedError(
        f"{name}, its solution.",
        "a solution of the equation",
        f"a residual of norm {norm:.1e}, about {error:.1e} of the solution: its derivative is as wrong as that",
        "let the solver go on for longer, or say how accurate it is by tol=",
    )


def _refuse_kink(name: str, residual: Callable[[Any], Any], x: Any, here: Any, scale: float) -> None:
    """The slopes of a smooth residual at both sides agree the better the shorter the step; those at a kink never do."""
    direction = np.random.default_rng(0).standard_normal(x.size)
    direction /= np.linalg.norm(direction) or 1.0
    step = (scale or 1.0) * float(np.finfo(x.dtype).eps) ** (1 / 3)
    bend = _bend(residual, x, here, step * direction)
    if bend > _BENT and _bend(residual, x, here, step / 8 * direction) > max(_BENT, bend / 2):
        raise KinkError(
            f"{name}, its equation at the solution.",
            "an equation that is smooth there",
            "slopes that differ from side to side",
            "move the parameters off the kink, or smooth the equation",
        )


_BENT = 0.05


def _bend(residual: Callable[[Any], Any], x: Any, here: Any, step: Any) -> float:
    """How much the slopes before and after differ, relative to their size."""
    up, down = residual(x + step) - here, here - residual(x - step)
    size = float(np.linalg.norm(up) + np.linalg.norm(down))
    return float(np.linalg.norm(up - down)) / size if size > 0 else 0.0
