"""odeint by a method with a fixed step."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.implicit.ode.arithmetic import mapped
from rulebook.implicit.ode.field import Field
from rulebook.implicit.ode.recurrence import RungeKutta, run_steps
from rulebook.primitive import Primitive

__all__ = ["solve"]


def solve(recur: Primitive, engine: Engine, field: Field, x0: Any, t: Any, moving: Any, fixed: Any, method: str, steps: int) -> Any:
    """The leaves of the solution at times t, from those of the state.

    In dual numbers the steps are plain code, which carries all k tangents at once: no rule does better.
    """
    run = run_steps if engine.name == "dual" else recur
    grid = _grid(engine, t, steps)
    us, table = (grid, ()) if engine.is_active(t) else ((), grid)
    starts, last, _, _ = run(x0, us, moving, (fixed, table), step=RungeKutta(field, method), every=steps)
    return mapped(lambda a, b: engine.namespace().concatenate([a, b[None]]), starts, last)


def _grid(engine: Engine, t: Any, steps: int) -> tuple[Any, Any]:
    """The time at which each step begins, and how long it is."""
    if steps == 1:
        return t[:-1], t[1:] - t[:-1]
    h = (t[1:] - t[:-1])[:, None] / steps
    count = engine.asarray(np.arange(steps, dtype=float), t)
    count = count if count.dtype == t.dtype else engine.cast(count, t)
    return (t[:-1][:, None] + h * count).reshape((-1,)), (h * (0 * count + 1)).reshape((-1,))
